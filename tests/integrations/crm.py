"""Bodies in the documented shape of each CRM, and the adapters run over them without a database."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from app.events.facts import EventFacts
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import Adapter, Fetched, Json, RawRequest
from app.integrations.adapters.wire import epoch_ms
from app.integrations.folding import CONTINUES, FieldChange, Key, LinkChange, Network, Record, Stamp
from app.integrations.mapping import Mapping, mapping_of
from app.integrations.neighborhood import LENDERS

T = 1_783_900_000_000  # in July 2026
DAY = 86_400_000

HERE = Path(__file__).parent / "samples"
INDEX: list[dict[str, Any]] = json.loads((HERE / "INDEX.json").read_text())
VECTORS: list[dict[str, Any]] = json.loads((HERE / "vectors.json").read_text())


def body_of(file: str) -> bytes:
    """The exact bytes of a sample."""
    return (HERE / file).read_bytes()


def request_of(sample: dict[str, Any]) -> RawRequest:
    """The call that delivers a sample."""
    headers = {name.lower(): value for name, value in sample["headers"].items()}
    return RawRequest(sample["method"], sample["url"] or "", headers, body_of(sample["file"]))


def redacted(
    adapter: Adapter, body: bytes, mapping: Mapping | None = None, headers: dict[str, str] | None = None
) -> Json:
    """What is kept of a body that is posted without encryption."""
    return adapter.redact(
        RawRequest("POST", "", headers or {}, body), (), mapping or mapping_of({}, adapter.defaults, "UTC")
    )


def at_ms(ms: int) -> datetime:
    """The instant of so many milliseconds since 1970."""
    at = epoch_ms(ms)
    assert at is not None
    return at


class World:
    """Records and links folded from bodies, in the order in which they are told."""

    def __init__(self, system: str, mapping: Mapping | None = None) -> None:
        self.adapter = ADAPTERS[system]
        self.mapping = mapping or mapping_of({}, self.adapter.defaults, "UTC")
        self.records: dict[Key, Record] = {}
        self.links: set[LinkChange] = set()
        self.wanted: set[Key] = set()

    def tell(self, *bodies: bytes) -> "World":
        """Redact, split and fold some bodies."""
        for body in bodies:
            for item in self.adapter.split(redacted(self.adapter, body, self.mapping)):
                if item.problem is None:
                    changes = self.adapter.fold(item, self.mapping)
                    self._learn(changes.fields, changes.links)
                    self.wanted |= set(changes.wanted)
        return self

    def fetch(self, kind: str, *items: dict[str, Any], gone: Sequence[str] = (), at: datetime, account: str) -> "World":
        """Fold what the system answered when it was asked for objects of a kind."""
        body = self.adapter.redact_fetched(Fetched(account, kind, items, gone, at), self.mapping)
        for item in self.adapter.split(json.loads(json.dumps(body, default=str))):
            assert item.problem is None
            changes = self.adapter.fold(item, self.mapping)
            self._learn(changes.fields, changes.links)
        return self

    def _learn(self, fields: Iterable[FieldChange], links: Iterable[LinkChange]) -> None:
        for told in fields:
            record = self.records.setdefault((told.object, told.id), Record(told.object, told.id))
            record.learn(told.field, Stamp(told.at, told.tie, told.value))
        self.links.update(links)

    def events(self) -> dict[str, EventFacts]:
        """All events that follow, by external id."""
        merged = {key: (key[0], into) for key, record in self.records.items() if (into := record.merged_into)}
        created = {key: at for key, record in self.records.items() if (at := self._whole(record).created_at)}
        deleted = {key for key, record in self.records.items() if record.is_deleted}
        network = Network(self.links, merged=merged, created=created, deleted=deleted, owners=self._owners())
        found = [
            event
            for record in self.records.values()
            for event in self.adapter.translate(self._whole(record), network, self.mapping, self.adapter.system)
        ]
        return {event.external_id: event for event in found}

    def _owners(self) -> dict[Key, str]:
        lent = self.adapter.lent_owner
        found = {key: record.text(lent) for key, record in self.records.items() if lent and key[0] in LENDERS}
        return {key: owner for key, owner in found.items() if owner}

    def _whole(self, record: Record) -> Record:
        """The record with the history of those that it continues."""
        whole, seen, later = record, {record.id}, record
        while (earlier := self.records.get((record.object, later.text(CONTINUES) or ""))) and earlier.id not in seen:
            if earlier.merged_into != later.id:
                break
            seen.add(earlier.id)
            whole, later = whole.continuing(earlier), earlier
        return whole


class HubSpotBatch:
    """Builds the array of a HubSpot delivery."""

    def __init__(self, portal: int = 44556677) -> None:
        self.portal = portal
        self.items: list[dict[str, Any]] = []

    def _add(self, kind: str, at: int, **rest: Any) -> "HubSpotBatch":
        self.items.append({
            "eventId": 1000 + len(self.items), "subscriptionId": 1, "portalId": self.portal, "appId": 1,
            "occurredAt": at, "subscriptionType": kind, "attemptNumber": 0, "changeSource": "CRM_UI", **rest,
        })  # fmt: skip
        return self

    def made(self, kind: str, id_: int, at: int, **rest: Any) -> "HubSpotBatch":
        """`deal` or an object type id such as `0-48`."""
        return self._do("creation", kind, id_, at, **rest)

    def set(self, kind: str, id_: int, at: int, name: str, value: str, **rest: Any) -> "HubSpotBatch":
        """A property changed."""
        return self._do("propertyChange", kind, id_, at, propertyName=name, propertyValue=value, **rest)

    def did(self, action: str, kind: str, id_: int, at: int, **rest: Any) -> "HubSpotBatch":
        """Another action: deletion, restore, merge, privacyDeletion."""
        return self._do(action, kind, id_, at, **rest)

    def link(self, one: tuple[str, int], other: tuple[str, int], at: int, **rest: Any) -> "HubSpotBatch":
        """An association, as the first side reports it; kinds are object type ids."""
        ends = {"fromObjectTypeId": one[0], "fromObjectId": one[1], "toObjectTypeId": other[0], "toObjectId": other[1]}
        flags = {"associationRemoved": False, "isPrimaryAssociation": False, "associationCategory": "HUBSPOT_DEFINED"}
        return self._add("object.associationChange", at, **{**ends, **flags, **rest})

    def _do(self, action: str, kind: str, id_: int, at: int, **rest: Any) -> "HubSpotBatch":
        if "-" in kind:
            return self._add(f"object.{action}", at, objectId=id_, objectTypeId=kind, **rest)
        return self._add(f"{kind}.{action}", at, objectId=id_, **rest)

    def body(self) -> bytes:
        """The bytes to be posted."""
        return json.dumps(self.items).encode()

    def bodies(self) -> list[bytes]:
        """The same, each event in a delivery of its own."""
        return [json.dumps([item]).encode() for item in self.items]


def won(deal: int, at: int = T, owner: str = "910901") -> HubSpotBatch:
    """A deal of 500 that is won a day after it was made."""
    batch = HubSpotBatch().made("deal", deal, at).set("deal", deal, at, "hubspot_owner_id", owner)
    return batch.set("deal", deal, at, "amount", "500").set("deal", deal, at + DAY, "dealstage", "closedwon")


KINDS = {"deal": "0-3", "contact": "0-1", "company": "0-2", "lead": "0-136", "call": "0-48"}
PROPERTIES = {
    "dealstage": ["closedwon", "closedlost", "open", ""],
    "amount": ["100", "250.50", "x"],
    "hubspot_owner_id": ["1", "2", ""],
    "closedate": ["1783900000000", "1785000000000"],
}


def random_message(chance: Random, at: int, span: int) -> dict[str, Any]:
    """One HubSpot event about a few objects within a few milliseconds, so that much of it collides."""
    batch = HubSpotBatch()
    kind = KINDS[chance.choice(["deal", "deal", "contact", "company", "lead", "call"])]
    action = chance.choice(
        ["creation", "creation", "deletion", "restore", "merge", "link", "link", "set", "set", "set"]
    )
    at, id_ = at + chance.randint(0, span), chance.randint(1, 3)
    if action == "set":
        name = chance.choice(sorted(PROPERTIES))
        batch.set(kind, id_, at, name, chance.choice(PROPERTIES[name]))
    elif action == "link":
        flags = {"associationRemoved": chance.random() < 0.3, "isPrimaryAssociation": chance.random() < 0.5}
        batch.link((kind, id_), (chance.choice(sorted(KINDS.values())), chance.randint(1, 3)), at, **flags)
    elif action == "merge":
        merged, into = chance.sample([1, 2, 3], 2)
        third = chance.choice([into, into, 9])
        batch.did(action, kind, into, at, primaryObjectId=into, mergedObjectIds=[merged], newObjectId=third)
    else:
        batch.did(action, kind, id_, at)
    return {**batch.items[0], "eventId": chance.randint(1, 4)}
