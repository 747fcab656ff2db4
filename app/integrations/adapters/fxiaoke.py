"""Fxiaoke (纷享销客): event callbacks of the CRM, the older pushes to apps, and the objects that are fetched.

A callback only names an object and what happened to it; the object is fetched.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from datetime import datetime
from typing import ClassVar

from app.events.facts import EventFacts
from app.integrations.adapters import fxiaoke_envelope, fxiaoke_events, snapshots, wire
from app.integrations.adapters.base import (
    Adapter,
    Changes,
    Fetched,
    Item,
    Json,
    NotAuthentic,
    RawRequest,
    Reply,
    Unparseable,
)
from app.integrations.adapters.fxiaoke_events import API_NAME, CREATED_BY, OWNER
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.snapshots import Snapshot
from app.integrations.adapters.translating import Translation
from app.integrations.adapters.wire import dictionary, elements
from app.integrations.folding import CREATED, DELETED, HEARSAY, FieldChange, Key, Network, Record, Value
from app.integrations.mapping import Mapping

API_NAME_OF = {
    "deal": "NewOpportunityObj",
    "lead": "LeadsObj",
    "company": "AccountObj",
    "contact": "ContactObj",
    "activity": "ActiveRecordObj",
    "quote": "QuoteObj",
}
"""The API name of the objects of a kind; of deals the present one."""
OBJECTS = {**{api_name: name for name, api_name in API_NAME_OF.items()}, "OpportunityObj": "deal"}

_ALWAYS = frozenset({OWNER, CREATED_BY, "life_status"})
FIELDS: Mapped[str, frozenset[str]] = {
    "deal": _ALWAYS | {
        "name", "amount", "expected_deal_amount", "sales_stage", "sales_status", "status", "sales_process_id",
        "close_date", "expected_deal_closed_date", "mc_currency",
    },
    "lead": _ALWAYS | {"biz_status", "leads_pool_id"},
    "company": _ALWAYS | {"name"},
    "contact": _ALWAYS,
    "activity": _ALWAYS | frozenset(fxiaoke_events.ACTIVITY_TYPES),
    "quote": _ALWAYS | {"name", "quote_amount", "mc_currency"},
}  # fmt: skip
"""What is read of each object: no names of people, addresses, numbers or texts."""

LINKS = {
    "account_id": "company",
    "contact_id": "contact",
    "leads_id": "lead",
    "new_opportunity_id": "deal",
    "opportunity_id": "deal",
}
"""Fields of any object that hold the id of another one, with what it is."""

_RELATED = ("related_object_data", "related_object")
_SYSTEM = frozenset({"_id", "create_time", "last_modified_time", "is_deleted", API_NAME})
_PEOPLE = frozenset({OWNER, CREATED_BY})
_EVENT = ("tenantId", "eventType", "apiName", "dataId", "timestamp", "messageId")
_PERSONAL = frozenset({"qq", "remark", "tel", "wechat", "weixin"})
_LABELS = ("__r", "__o")  # what fields show to people, such as names, and texts beside an option
_MOST = 200
_SUCCESS = b"success"


class Fxiaoke(Adapter):
    """The adapter of Fxiaoke."""

    system = "fxiaoke"
    labels: ClassVar[Mapped[str, str]] = {"deal": "name", "company": "name", "quote": "name"}
    defaults = fxiaoke_events.DEFAULTS

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By the signature, then by what it seals; nobody learns which of them was wrong."""
        try:
            told = _parsed(request.body)
        except Unparseable:
            raise NotAuthentic("no envelope") from None
        is_push = _is_push(told)
        sent = fxiaoke_envelope.check_push(told, secrets) if is_push else fxiaoke_envelope.opened(told, secrets).sent_at
        if abs(now - sent) > fxiaoke_envelope.AGE:
            raise NotAuthentic("the timestamp is too far from now")

    def fault_of_secret(self, secret: str) -> str | None:
        """An aesKey, or the token and key of pushes."""
        return fxiaoke_envelope.fault_of_secret(secret)

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """The event of a callback, which is thin; of a push only that it came."""
        told = _parsed(request.body)
        if _is_push(told):
            return {"push": {name: wire.scalar(told[name]) for name in ("timeStamp", "nonce")}}
        try:
            callback = fxiaoke_envelope.opened(told, secrets)
        except NotAuthentic:
            raise Unparseable("no active secret opens it") from None
        return {
            "enterpriseAccount": wire.storable(callback.account_id),
            "messageId": wire.storable(callback.message_id),
            "retryTimes": wire.scalar(told.get("retryTimes")),
            "timestamp": wire.scalar(told["timestamp"]),
            "event": {name: wire.scalar(callback.event[name]) for name in _EVENT if name in callback.event},
        }

    def acknowledge(self, request: RawRequest, secrets: Sequence[str], now: datetime) -> Reply:
        """The word `success`: sealed with the secret that proved the callback, or plain for a push."""
        told = _parsed(request.body)
        if _is_push(told):
            return Reply(200, "text/plain", _SUCCESS)
        callback = fxiaoke_envelope.opened(told, secrets)
        return Reply(200, "application/json", fxiaoke_envelope.answer(callback, now))

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Objects of one kind."""
        kind = _object_of(fetched.object, mapping)
        if not kind:
            raise Unparseable("nothing is read of these objects")
        return snapshots.stored(fetched, [_kept(item, kind, mapping) for item in fetched.items])

    def split(self, redacted: Json) -> list[Item]:
        """A callback is one message; of what was fetched each object is one."""
        told = redacted if isinstance(redacted, dict) else {}
        if "fetched" in told:
            return snapshots.items_of(told, system="fxiaoke", id_field="_id", version_field="last_modified_time")
        event = told.get("event")
        if not isinstance(event, dict):
            return []
        account = str(told.get("enterpriseAccount"))
        kind = f"{event.get('apiName')}.{event.get('eventType')}"
        return [Item(account, kind, f"fxiaoke:{account}:{told.get('messageId')}", event)]

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """The state of an object, or that something happened to it: then it must be fetched."""
        told = item.payload
        kind = _object_of(told.get("fetched", told.get("apiName")), mapping)
        if not kind:
            return Changes()
        if "fetched" not in told:
            return _happened(told, (kind, wire.id_of(told.get("dataId"), "dataId")))
        at = snapshots.seen_at(told)
        if "gone" in told:
            return snapshots.gone((kind, wire.id_of(told["gone"], "_id")), at)
        return _state(dictionary(told.get("item")), str(told["fetched"]), kind, at, mapping)

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead, quote or sales record; companies and contacts have none."""
        if record.is_gone:
            return []
        owner = mapping.field_of(record.object, "owner", OWNER)
        return fxiaoke_events.translate(Translation(record, links, mapping, source_key, owner))

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """A callback alone tells nothing of an object; whoever fetched it knows its owner, or that it has none.

        What is no standard object is only fetched when it is told of, by its own name: by that of the kind it would
        seem to be gone.
        """
        owner = mapping.field_of(record.object, "owner", OWNER)
        is_standard = record.text(API_NAME) in {None, API_NAME_OF.get(record.object)}
        translates = record.object not in {"company", "contact"}
        return translates and is_standard and not record.is_gone and not record.history(owner)


def _parsed(body: bytes) -> dict[str, Json]:
    return _object(wire.parse(body))


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise Unparseable("the body is no envelope")
    return value


def _is_push(told: Mapped[str, Json]) -> bool:
    return "sig" in told and "encryptedContent" not in told


def _object_of(api_name: Json, mapping: Mapping) -> str:
    """What objects of this name are, by the name of either; empty for those that are not kept."""
    name = str(api_name)
    return mapping.objects.get(name) or OBJECTS.get(name) or (name if name in API_NAME_OF else "")


def _kept(item: Mapped[str, Json], kind: str, mapping: Mapping) -> dict[str, Json]:
    """The fields that are read, or may be by a later mapping."""
    read = FIELDS.get(kind, _ALWAYS) | _SYSTEM | LINKS.keys() | mapping.extra_fields(kind)
    kept = {
        wire.storable(name): _flat(value)
        for name, value in item.items()
        if name in read or (kind in BUSINESS and not _is_personal(name, value))
    }
    for name in _RELATED:
        if name in item:
            kept[name] = [{"api_name": api_name, "id": id_} for api_name, id_ in _related(item[name])]
    return kept


def _is_personal(name: str, value: Json) -> bool:
    return is_personal(name, value) or name in _PERSONAL or name.endswith(_LABELS)


def _flat(value: Json) -> Json:
    """A plain value; of a list the plain ones."""
    if isinstance(value, list):
        return [wire.scalar(each) for each in value[:_MOST] if not isinstance(each, list | dict)]
    return wire.scalar(value)


def _related(value: Json) -> Iterable[tuple[str, str]]:
    """Objects that a sales record is about: a list of names and ids, or ids by name."""
    listed = map(dictionary, elements(value)[:_MOST])
    pairs = [(name, id_) for name, ids in dictionary(value).items() for id_ in elements(ids)]
    pairs += [(str(each.get("describe_api_name", each.get("api_name"))), each.get("id")) for each in listed]
    for name, told in pairs[:_MOST]:
        if id_ := wire.id_or_none(wire.value_of(told)):
            yield wire.storable(name), id_


def _happened(event: dict[str, Json], key: Key) -> Changes:
    at = wire.epoch_ms(event.get("timestamp"))
    if at is None:
        raise Unparseable("timestamp is no instant in milliseconds")
    api_name = str(event["apiName"])
    known = Snapshot(key, at)
    fields = [known.one(API_NAME, wire.value_of(api_name))]
    operation = snapshots.what_happened(event.get("eventType"))
    if operation == "delete":
        return Changes([*fields, known.one(DELETED, True)])
    if operation != "update":
        fields.append(known.one(DELETED, False))
    if operation == "insert":
        fields.append(FieldChange(*key, CREATED, at, HEARSAY, True))
    # What is no standard object is asked for by its own name.
    return Changes(fields, wanted=[key if api_name == API_NAME_OF.get(key[0]) else (api_name, key[1])])


def _state(item: dict[str, Json], api_name: str, kind: str, seen: datetime, mapping: Mapping) -> Changes:
    """An object as it was fetched. Fields that are empty are not in it: of some kinds only, what is missing may also
    have been left out when it was stored."""
    key = (kind, wire.id_of(item.get("_id"), "_id"))
    snapshot = Snapshot.seen(key, wire.epoch_ms(item.get("last_modified_time")), seen)
    extra = mapping.extra_fields(kind)
    told = FIELDS.get(kind, _ALWAYS) | (extra if kind in BUSINESS else extra & item.keys())
    first = _PEOPLE | {mapping.field_of(kind, "owner", OWNER)} | set(mapping.credit_roles.values())
    values = {name: _value(item.get(name), only_first=name in first) for name in told}
    if native := wire.value_of(item.get(API_NAME, api_name if api_name in OBJECTS else None)):
        values[API_NAME] = native
    fields = snapshot.fields(values)
    fields.append(snapshot.one(DELETED, _is_gone(item)))
    if made := wire.epoch_ms(item.get("create_time")):
        fields.append(FieldChange(*key, CREATED, made, HEARSAY, True))
    return Changes(fields, snapshot.links(_others(item, mapping)))


def _is_gone(item: Mapped[str, Json]) -> bool:
    """Invalidated (作废), or deleted after that."""
    return item.get("life_status") == "invalid" or item.get("is_deleted") in (True, "true", 1, "1")


def _value(value: Json, *, only_first: bool) -> Value:
    """Of people the first counts; options are joined."""
    if isinstance(value, list):
        texts = [text for each in value if isinstance(text := wire.value_of(each), str)]
        return next(iter(texts), None) if only_first else ",".join(texts) or None
    return wire.value_of(value)


def _others(item: Mapped[str, Json], mapping: Mapping) -> Iterable[Key]:
    """What its references lead to."""
    for name, kind in LINKS.items():
        if id_ := wire.id_or_none(_value(item.get(name), only_first=True)):
            yield kind, id_
    for name in _RELATED:
        for each in map(dictionary, elements(item.get(name))):
            if kind := _object_of(each.get("api_name"), mapping):
                yield kind, str(each.get("id"))
