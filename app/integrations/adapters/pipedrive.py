"""Pipedrive: webhooks v2 and v1, proved by HTTP Basic only.

Each message is a snapshot of the object with its update time, and says which fields were different before.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import ClassVar

from app.events.facts import EventFacts
from app.integrations.adapters import pipedrive_events, snapshots, wire
from app.integrations.adapters.base import Adapter, Changes, Fetched, Item, Json, NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.pipedrive_events import OWNER
from app.integrations.adapters.snapshots import Snapshot
from app.integrations.adapters.translating import Translation
from app.integrations.folding import (
    CREATED,
    DELETED,
    HEARSAY,
    MERGED_INTO,
    FieldChange,
    Key,
    LinkChange,
    Network,
    Record,
    Value,
    link_between,
)
from app.integrations.mapping import Mapping

ENTITIES = {"deal": "deal", "lead": "lead", "activity": "activity", "organization": "company", "person": "contact"}
ACTIONS = {
    "create": "create", "change": "change", "delete": "delete",
    "added": "create", "updated": "change", "deleted": "delete", "merged": "change",
}  # fmt: skip

FIELDS: Mapped[str, frozenset[str]] = {
    "deal": frozenset({
        OWNER, "title", "value", "currency", "status", "stage_id", "pipeline_id", "won_time", "lost_time",
        "expected_close_date",
    }),
    "lead": frozenset({OWNER, "value", "currency", "is_archived"}),
    "activity": frozenset({OWNER, "type", "done", "duration", "marked_as_done_time"}),
    "company": frozenset({"name"}),
    "contact": frozenset(),
}  # fmt: skip
"""What is read of each object: no names of people, addresses, subjects or notes."""

LINKS: Mapped[str, Mapped[str, str]] = {
    "deal": {"org_id": "company", "person_id": "contact", "origin_id": "lead"},
    "lead": {"organization_id": "company", "person_id": "contact"},
    "activity": {"org_id": "company", "person_id": "contact", "deal_id": "deal", "lead_id": "lead"},
    "company": {},
    "contact": {"org_id": "company"},
}
"""Fields that hold the id of another object, with what it is."""

_ALWAYS = frozenset({"id", "add_time", "update_time", "stage_change_time", "is_deleted", "deleted", "user_id"})
_META = (
    "action", "entity", "entity_id", "object", "id", "company_id", "timestamp", "timestamp_micro", "version", "attempt",
    "webhook_id", "change_source", "is_bulk_edit", "is_bulk_update", "merged_to_id", "merged_from_id", "correlation_id",
)  # fmt: skip
CHANGELOG = "changelog"
"""Where a fetched deal has the changes of its fields, as the system tells them: under the names of version 1."""
_CHANGED = {"stage_id": "stage_id", "pipeline": "pipeline_id", "status": "status", "user_id": OWNER, OWNER: OWNER}
_OF_CHANGE = ("field_key", "old_value", "new_value", "time")
_MOST_CHANGES = 2000

_PARTS = ("amount", "currency", "value", "type", "timezone_id", "id", "values")
_MOST_OPTIONS = 100
_PERSONAL_TYPES = frozenset({"address", "phone", "text"})


class Pipedrive(Adapter):
    """The adapter of Pipedrive."""

    system = "pipedrive"
    labels: ClassVar[Mapped[str, str]] = {"deal": "title", "company": "name"}

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By HTTP Basic; a secret is `user:password`. There is no signature and no timestamp."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets]
        if scheme.lower() != "basic" or not any(matches):
            raise NotAuthentic("no active secret is this user and password")

    def fault_of_secret(self, secret: str) -> str | None:
        """It has two parts."""
        return None if ":" in secret else "A secret of Pipedrive is written user:password."

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """The envelope and the object; of people and activities only fields that are read."""
        parsed = wire.parse(request.body)
        meta = parsed.get("meta") if isinstance(parsed, dict) else None
        if not isinstance(parsed, dict) or not isinstance(meta, dict):
            raise Unparseable("the body is no object with meta")
        kind = ENTITIES.get(str(meta.get("entity", meta.get("object"))), "")
        kept: dict[str, Json] = {key: wire.scalar(parsed[key]) for key in ("v", "event", "retry") if key in parsed}
        kept["meta"] = {key: wire.scalar(meta[key]) for key in _META if key in meta}
        for part in ("data", "current", "previous"):
            if part in parsed:
                kept[part] = _redacted(parsed[part], kind, mapping)
        return kept

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Objects of one kind, which look as they do in messages of version 2."""
        if fetched.object not in FIELDS:
            raise Unparseable("nothing is read of these objects")
        return snapshots.stored(fetched, [_fetched(item, fetched.object, mapping) for item in fetched.items])

    def split(self, redacted: Json) -> list[Item]:
        """A body is one message; of what was fetched each object is one."""
        if isinstance(redacted, dict) and "fetched" in redacted:
            return snapshots.items_of(redacted, system="pipedrive", id_field="id", version_field="update_time")
        try:
            return [_item(redacted)] if isinstance(redacted, dict) else []
        except Unparseable as problem:
            return [Item("", "", "", {}, str(problem))]

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """A snapshot of the object, or its deletion; both may be half of a merge."""
        message = _Message(_as_message(item.payload) if "fetched" in item.payload else item.payload)
        if message.object is None or message.action is None:
            return Changes()
        return message.changes(mapping)

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead or activity; companies and contacts have none."""
        if record.merged_into is not None:
            return []
        owner = mapping.field_of(record.object, "owner", OWNER)
        return pipedrive_events.translate(Translation(record, links, mapping, source_key, owner))

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Every message is a whole snapshot: only what was deleted unseen is unknown."""
        return record.object in pipedrive_events.TRANSLATIONS and not record.is_gone and not record.history(OWNER)

    def address(self, account_id: str, object: str, id: str) -> str | None:  # noqa: A002
        """The record's page, of whichever company the reader is signed in to."""
        page = {"deal": "deal", "lead": "leads/inbox", "company": "organization", "contact": "person"}.get(object)
        return f"https://app.pipedrive.com/{page}/{id}" if page else None


def _fetched(item: dict[str, Json], kind: str, mapping: Mapping) -> Json:
    told = dict(item)
    changes = told.pop(CHANGELOG, None)
    kept = _redacted(told, kind, mapping)
    if isinstance(kept, dict) and isinstance(changes, list):
        kept[CHANGELOG] = [
            {name: wire.scalar(each.get(name)) for name in _OF_CHANGE}
            for each in changes[:_MOST_CHANGES]
            if isinstance(each, dict) and each.get("field_key") in _CHANGED
        ]
    return kept


def _redacted(told: Json, kind: str, mapping: Mapping) -> Json:
    if not isinstance(told, dict):
        return None
    read = FIELDS.get(kind, frozenset()) | set(LINKS.get(kind, ())) | _ALWAYS | mapping.extra_fields(kind)
    kept = _kept(told, kind, read)
    if isinstance(custom := told.get("custom_fields"), dict):
        kept["custom_fields"] = _kept(custom, kind, read)
    return kept


def _kept(told: dict[str, Json], kind: str, read: AbstractSet[str]) -> dict[str, Json]:
    """The fields that are read, or may be by a later mapping."""
    return {
        wire.storable(field): _shallow(value)
        for field, value in told.items()
        if field in read or (kind in BUSINESS and not _is_personal(field, value))
    }


def _is_personal(field: str, value: Json) -> bool:
    """By its name; the names of custom fields are hashes, but they tell their type."""
    return is_personal(field, value) or (isinstance(value, dict) and value.get("type") in _PERSONAL_TYPES)


def _shallow(value: Json) -> Json:
    if isinstance(value, dict):
        return {part: _flat(value[part]) for part in _PARTS if part in value}
    return _flat(value)


def _flat(value: Json) -> Json:
    """A scalar, or of a list of options the scalars or ids."""
    if isinstance(value, list):
        return [wire.scalar(each.get("id") if isinstance(each, dict) else each) for each in value[:_MOST_OPTIONS]]
    return wire.scalar(value)


def _meta(payload: dict[str, Json]) -> dict[str, Json]:
    meta = payload.get("meta")
    return meta if isinstance(meta, dict) else {}


def _is_v2(payload: dict[str, Json]) -> bool:
    return str(_meta(payload).get("version")) == "2.0"


def _as_message(told: dict[str, Json]) -> dict[str, Json]:
    """What was fetched in the form of a message: how the object is, or that it is deleted."""
    seen, kind = told.get("at"), told["fetched"]
    data = _object(told.get("item"))
    meta: dict[str, Json] = {
        "action": "delete" if "gone" in told else "change",
        "entity": next((name for name, object_ in ENTITIES.items() if object_ == kind), None),
        "entity_id": told["gone"] if "gone" in told else (data or {}).get("id"),
        "timestamp": seen,
        "version": "2.0",
    }
    return {"fetched": kind, "meta": meta, "data": data}


def _item(payload: dict[str, Json]) -> Item:
    meta = _meta(payload)
    company = wire.id_of(meta.get("company_id"), "meta.company_id")
    entity = meta.get("entity") if _is_v2(payload) else meta.get("object")
    if not isinstance(entity, str) or not isinstance(meta.get("action"), str):
        raise Unparseable("meta names no entity and action")
    at = meta.get("timestamp") if _is_v2(payload) else meta.get("timestamp_micro", meta.get("timestamp"))
    parts = ["pipedrive", company, entity, meta.get("entity_id", meta.get("id")), meta.get("action"), at]
    return Item(company, f"{meta.get('action')}.{entity}", ":".join(map(str, parts)), payload)


class _Message:
    """One message of either version, in one form."""

    def __init__(self, payload: dict[str, Json]) -> None:
        meta = _meta(payload)
        is_v2 = _is_v2(payload)
        self.object = ENTITIES.get(str(meta.get("entity" if is_v2 else "object")))
        self.action = ACTIONS.get(str(meta.get("action")))
        self.id = wire.id_of(meta.get("entity_id" if is_v2 else "id"), "the entity's id")
        self.at = _sent_at(meta, is_v2=is_v2)
        # The instant of the message orders changes within one second; it is the same in every repetition
        # and for every webhook that tells the same change, while the message's id need not be.
        self.tie = f"{self.at:%Y%m%d%H%M%S%f}"
        self.data = _object(payload.get("data" if is_v2 else "current"))
        self.previous = _object(payload.get("previous"))
        self.merged_to, self.merged_from = meta.get("merged_to_id"), meta.get("merged_from_id")
        self.was_fetched = "fetched" in payload

    @property
    def key(self) -> Key:
        """Object and id."""
        return self.object or "", self.id

    def changes(self, mapping: Mapping) -> Changes:
        """All that the message says."""
        if self.action == "delete" or self.data is None:
            return self._deletion(mapping)
        at = wire.instant(self.data.get("update_time")) or self.at
        tie = Snapshot.seen(self.key, at, self.at).tie if self.was_fetched else self.tie
        fields = self._snapshot(self.data, at, tie, mapping)
        fields += self._earlier_stage(self.data) + self._before(at, mapping) + self._merges()
        if self.was_fetched:
            fields += self._changelog(self.data)
        return Changes(fields, [*self._links(self.data, at, tie), *self._unlinked(at)])

    def _deletion(self, mapping: Mapping) -> Changes:
        """The last state is told in passing; it matters where nothing else of the object ever arrived."""
        gone = FieldChange(*self.key, DELETED, self.at, self.tie, True)
        last = self.previous or {}
        at = wire.instant(last.get("update_time"))
        if at is None:
            return Changes([gone, *self._merges()])
        fields = self._snapshot(last, at, HEARSAY, mapping)
        return Changes([gone, *fields, *self._merges()], self._links(last, at, HEARSAY))

    def _snapshot(self, data: dict[str, Json], at: datetime, tie: str, mapping: Mapping) -> list[FieldChange]:
        values = _values(data, self.key[0], mapping)
        changes = [FieldChange(*self.key, field, at, tie, value) for field, value in values.items()]
        changes.append(FieldChange(*self.key, DELETED, at, tie, _is_deleted(data)))
        if made := wire.instant(data.get("add_time")):
            changes.append(FieldChange(*self.key, CREATED, made, HEARSAY, True))
        return changes

    def _earlier_stage(self, data: dict[str, Json]) -> list[FieldChange]:
        """A snapshot tells since when the deal is in its stage, even if that message was lost."""
        since = wire.instant(data.get("stage_change_time"))
        stage = wire.value_of(data.get("stage_id"))
        if self.object != "deal" or since is None or stage is None:
            return []
        return [FieldChange(*self.key, "stage_id", since, HEARSAY, stage)]

    def _before(self, at: datetime, mapping: Mapping) -> list[FieldChange]:
        """What the changed fields were at the update before this one."""
        last = self.previous or {}
        before = wire.instant(last.get("update_time"))
        if before is None or before >= at:
            return []
        values = _values(last, self.key[0], mapping)
        return [FieldChange(*self.key, field, before, HEARSAY, value) for field, value in values.items()]

    def _changelog(self, data: dict[str, Json]) -> list[FieldChange]:
        """The changes that were fetched with a deal; before the first of a field it was as it was made."""
        rows = data.get(CHANGELOG)
        told = [
            (wire.instant(row.get("time")), row) for row in map(_object, rows if isinstance(rows, list) else ()) if row
        ]
        found: list[FieldChange] = []
        made, seen = wire.instant(data.get("add_time")), set[str]()
        for at, row in sorted(((at, row) for at, row in told if at), key=lambda each: each[0]):
            field = _CHANGED[str(row.get("field_key"))]
            if made and field not in seen and made < at:
                found.append(FieldChange(*self.key, field, made, HEARSAY, wire.value_of(row.get("old_value"))))
            seen.add(field)
            found.append(FieldChange(*self.key, field, at, HEARSAY, wire.value_of(row.get("new_value"))))
        return found

    def _links(self, data: dict[str, Json], at: datetime, tie: str) -> list[LinkChange]:
        return [
            link_between(self.key, other, at, tie, removed=False, is_primary=True)
            for other in self._others(data).values()
        ]

    def _unlinked(self, at: datetime) -> list[LinkChange]:
        """The objects that the changed fields pointed to before."""
        before, after = self._others(self.previous or {}), self._others(self.data or {})
        return [
            link_between(self.key, other, at, self.tie, removed=True, is_primary=True)
            for field, other in before.items()
            if field in (self.data or {}) and other not in after.values()
        ]

    def _others(self, data: dict[str, Json]) -> dict[str, Key]:
        found = {}
        for field, kind in LINKS[self.key[0]].items():
            id_ = _reference(data.get(field))
            # A deal's origin names a lead only where it looks like one: leads have UUIDs.
            if id_ and not (field == "origin_id" and len(id_) != 36):
                found[field] = (kind, id_)
        return found

    def _merges(self) -> list[FieldChange]:
        """Both halves of a merge tell it: the object that went, and the one that stayed."""
        gone, into = (self.id, self.merged_to) if self.merged_to is not None else (self.merged_from, self.id)
        if gone is None or str(gone) == str(into):
            return []
        gone, into = wire.id_of(gone, "merged_from_id"), wire.id_of(into, "merged_to_id")
        return [FieldChange(self.key[0], gone, MERGED_INTO, self.at, self.tie, into)]


def _object(value: Json) -> dict[str, Json] | None:
    return value if isinstance(value, dict) else None


def _sent_at(meta: dict[str, Json], *, is_v2: bool) -> datetime:
    if is_v2:
        at = wire.instant(meta.get("timestamp"))
    else:
        micro, seconds = meta.get("timestamp_micro"), meta.get("timestamp")
        at = wire.epoch(micro, 1_000_000) if micro is not None else wire.epoch(seconds, 1)
    if at is None:
        raise Unparseable("meta.timestamp is no instant")
    return at


def _values(data: dict[str, Json], kind: str, mapping: Mapping) -> dict[str, Value]:
    """The fields of a snapshot that are kept, under the names of version 2."""
    flat = dict(data)
    if isinstance(custom := flat.pop("custom_fields", None), dict):
        flat.update(custom)
    if kind in {"deal", "activity"} and OWNER not in flat and "user_id" in flat:
        flat[OWNER] = flat["user_id"]
    if kind == "lead" and isinstance(worth := flat.get("value"), dict):
        flat.update(value=worth.get("amount"), currency=worth.get("currency"))
    wanted = FIELDS[kind] | mapping.extra_fields(kind)
    return {field: _value(field, flat[field]) for field in sorted(wanted & flat.keys())}


def _value(field: str, value: Json) -> Value:
    if isinstance(value, dict):
        value = value.get("value", value.get("id", value.get("values")))
    if isinstance(value, list):
        value = ",".join(text for each in value if isinstance(text := wire.value_of(each), str))
    if field == "done":
        return value in (True, 1, "1", "true")
    return wire.value_of(value)


def _reference(value: Json) -> str | None:
    if isinstance(value, dict):
        value = value.get("value")
    try:
        return wire.id_of(value, "id")
    except Unparseable:
        return None


def _is_deleted(data: dict[str, Json]) -> bool:
    return data.get("status") == "deleted" or True in (data.get("is_deleted"), data.get("deleted"))
