"""HubSpot: classic and generic webhook subscriptions, proved by its signatures.

Its messages are thin (one property each), unordered and repeated; records are put together from them.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped
from datetime import datetime, timedelta
from typing import Any, ClassVar

from app.events.facts import EventFacts
from app.integrations.adapters import hubspot_events, hubspot_fetched, wire
from app.integrations.adapters.base import Adapter, Changes, Fetched, Item, Json, NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.hubspot_events import OWNER
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.translating import Translation
from app.integrations.folding import (
    CONTINUES,
    CREATED,
    DELETED,
    ERASED,
    MERGED_INTO,
    FieldChange,
    Key,
    Network,
    Record,
    Value,
    link_between,
)
from app.integrations.mapping import Mapping

SIGNATURE_AGE = timedelta(minutes=5)

OBJECT_TYPES = {
    "0-1": "contact",
    "0-2": "company",
    "0-3": "deal",
    "0-14": "quote",
    "0-19": "feedback",
    "0-47": "meeting",
    "0-48": "call",
    "0-49": "email",
    "0-136": "lead",
}
OBJECTS = frozenset(OBJECT_TYPES.values())

_ACTIVITY = frozenset({OWNER, "hs_timestamp", "hs_createdate"})
FIELDS: Mapped[str, frozenset[str]] = {
    "deal": frozenset(
        {OWNER, "dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "closedate", "createdate"}
    ),
    "company": frozenset({"name"}),
    "contact": frozenset({OWNER, "lifecyclestage", "createdate"}),
    "lead": frozenset({OWNER, "hs_pipeline", "hs_pipeline_stage", "hs_createdate"}),
    "call": _ACTIVITY | {"hs_call_duration", "hs_call_direction", "hs_call_disposition", "hs_call_status"},
    "meeting": _ACTIVITY | {"hs_meeting_start_time", "hs_meeting_end_time", "hs_meeting_outcome"},
    "email": _ACTIVITY | {"hs_email_direction", "hs_email_status"},
    "quote": frozenset({OWNER, "hs_status", "hs_quote_amount", "hs_currency", "hs_createdate"}),
    "feedback": frozenset({OWNER, "hs_submission_timestamp", "hs_createdate", "hs_value", "hs_survey_type"}),
}
"""What is read of each object: no names of people, addresses, numbers or texts."""

_KEPT = (
    "eventId", "subscriptionId", "portalId", "appId", "occurredAt", "subscriptionType", "eventType", "attemptNumber",
    "objectId", "objectTypeId", "propertyName", "isSensitive", "changeFlag", "changeSource", "primaryObjectId",
    "newObjectId", "numberOfPropertiesMoved", "associationType", "associationCategory", "associationTypeId",
    "fromObjectId", "fromObjectTypeId", "toObjectId", "toObjectTypeId", "associationRemoved", "isPrimaryAssociation",
)  # fmt: skip
_MOST_MERGED = 1000
_MOST_EVENTS = 20_000  # of a body; HubSpot sends up to 100

# The twelve encoded characters that HubSpot decodes in the URL before it signs.
_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
_ENCODED = re.compile("|".join(_DECODED), re.IGNORECASE)


class HubSpot(Adapter):
    """The adapter of HubSpot."""

    system = "hubspot"
    labels: ClassVar[Mapped[str, str]] = {"deal": "dealname", "company": "name"}
    lent_owner = OWNER
    headers = ("x-hubspot-request-timestamp", "x-hubspot-signature-version")
    defaults: ClassVar[Mapped[str, Any]] = {
        "sent_quote_stages": ["APPROVAL_NOT_NEEDED", "APPROVED", "PUBLISHED", "SENT", "ACCEPTED", "SIGNED"],
        "accepted_quote_stages": ["ACCEPTED", "SIGNED"],
    }

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By v3 if its header is there; a wrong v3 never falls back. By v1 only where the mapping accepts it."""
        headers = request.headers
        if (signature := headers.get("x-hubspot-signature-v3")) is not None:
            _check_age(headers.get("x-hubspot-request-timestamp", ""), now)
            _check(signature, _v3_candidates(request, secrets))
        elif mapping.accept_v1 and headers.get("x-hubspot-signature-version", "v1") == "v1":
            candidates = [hashlib.sha256(secret.encode() + request.body).hexdigest() for secret in secrets]
            _check(headers.get("x-hubspot-signature", ""), candidates)
        else:
            raise NotAuthentic("no signature that is accepted")

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """Each message with its known keys; values of people's and activities' properties only if they are read."""
        parsed = wire.parse(request.body)
        if isinstance(parsed, dict):
            parsed = [parsed]
        if not isinstance(parsed, list):
            raise Unparseable("the body is no array of events")
        if len(parsed) > _MOST_EVENTS:
            raise Unparseable(f"the body has more than {_MOST_EVENTS} events")
        return [_redacted(item, mapping) if isinstance(item, dict) else None for item in parsed]

    def forget(self, redacted: Json, erased: Collection[Key]) -> Json:
        """Values only: that the properties changed, and when, stays."""
        if isinstance(redacted, dict):
            return hubspot_fetched.forgotten(redacted, erased)
        return [_forgotten(item, erased) for item in redacted] if isinstance(redacted, list) else redacted

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Objects of one kind with the history of their properties."""
        if fetched.object not in FIELDS:
            raise Unparseable("nothing is read of these objects")
        return hubspot_fetched.redacted(fetched, FIELDS[fetched.object] | mapping.extra_fields(fetched.object))

    def split(self, redacted: Json) -> list[Item]:
        """One item for each event of the array, or for each object that was fetched."""
        if isinstance(redacted, dict):
            return hubspot_fetched.items(redacted)
        return [_item(payload) for payload in redacted] if isinstance(redacted, list) else []

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """A property, the making, deletion, restoration or merge of an object, or an association."""
        if "fetched" in item.payload:
            kind = str(item.payload["fetched"])
            return hubspot_fetched.changes(item.payload, FIELDS.get(kind, frozenset()) | mapping.extra_fields(kind))
        action = item.kind.partition(".")[2]
        read = _ACTIONS.get(action)
        if read is None:
            return Changes()
        if action == "associationChange":
            return _association(item.payload, mapping)
        name = _object_of(item.payload, mapping)
        if name not in OBJECTS:
            return Changes()
        return Changes(fields=read(item.payload, name, mapping))

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead or activity; companies have none, contacts only where they are the leads."""
        if record.is_gone:
            return []
        owner = mapping.field_of(record.object, "owner", OWNER)
        return hubspot_events.translate(Translation(record, links, mapping, source_key, owner))

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether a field is missing without which nothing follows, or nobody is credited."""
        needed = hubspot_events.NEEDED.get(record.object, ())
        return not record.is_gone and any(not record.history(field) for field in needed)

    def address(self, account_id: str, object: str, id: str) -> str | None:  # noqa: A002
        """The record's page."""
        kind = next((kind for kind, name in OBJECT_TYPES.items() if name == object), None)
        return f"https://app.hubspot.com/contacts/{account_id}/record/{kind}/{id}" if kind else None


def _check_age(timestamp: str, now: datetime) -> None:
    """Five minutes either way: HubSpot's own libraries forget the future."""
    sent = wire.epoch_ms(timestamp)
    if sent is None or abs(now - sent) > SIGNATURE_AGE:
        raise NotAuthentic("the timestamp is missing or too far from now")


def _v3_candidates(request: RawRequest, secrets: Sequence[str]) -> list[str]:
    """With the URL decoded as documented, and as it is: the official libraries sign it undecoded."""
    timestamp = request.headers["x-hubspot-request-timestamp"]
    decoded = _ENCODED.sub(lambda found: _DECODED[found[0].upper()], request.url)
    signed = [
        request.method.encode() + url.encode() + request.body + timestamp.encode()
        for url in dict.fromkeys((decoded, request.url))
    ]
    return [
        base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()
        for secret in secrets
        for message in signed
    ]


def _check(signature: str, candidates: Sequence[str]) -> None:
    """Compare with all of them, in the same time whichever matches."""
    given = signature.encode("utf-8", "replace")
    if not any([hmac.compare_digest(given, candidate.encode()) for candidate in candidates]):  # noqa: C419
        raise NotAuthentic("no active secret gives this signature")


def _redacted(item: dict[str, Json], mapping: Mapping) -> Json:
    kept = {key: wire.scalar(item[key]) for key in _KEPT if key in item}
    merged = item.get("mergedObjectIds")
    if isinstance(merged, list):
        kept["mergedObjectIds"] = [wire.scalar(each) for each in merged[:_MOST_MERGED]]
    if "propertyValue" in item or "redacted" in item:
        if "propertyValue" in item and _is_kept(kept, item["propertyValue"], mapping):
            kept["propertyValue"] = wire.scalar(item["propertyValue"])
        else:
            kept["redacted"] = True
    return kept


def _forgotten(item: Json, erased: Collection[Key]) -> Json:
    if not isinstance(item, dict) or (_object_of(item, _STANDARD), str(item.get("objectId"))) not in erased:
        return item
    kept = {key: value for key, value in item.items() if key != "propertyValue"}
    return kept if kept == item else {**kept, "redacted": True}


def _is_kept(item: dict[str, Json], value: Json, mapping: Mapping) -> bool:
    """Whether the value is read, or may be by a later mapping."""
    name = _text(item, "propertyName")
    may_be_read = name is not None and _object_of(item, mapping) in BUSINESS and not is_personal(name, value)
    return _is_read(item, mapping) or (may_be_read and item.get("isSensitive") is not True)


def _is_read(item: dict[str, Json], mapping: Mapping) -> bool:
    object_ = _object_of(item, mapping)
    read = FIELDS.get(object_, frozenset()) | mapping.extra_fields(object_)
    return item.get("isSensitive") is not True and item.get("propertyName") in read


_STANDARD = Mapping()


def _object_of(item: dict[str, Json], mapping: Mapping) -> str:
    """What the message is about; empty for kinds of objects that are not kept."""
    kind, _, _ = (_text(item, "subscriptionType") or _text(item, "eventType") or "").partition(".")
    return _named(_text(item, "objectTypeId"), mapping) if kind == "object" else kind


def _named(type_id: str | None, mapping: Mapping, otherwise: str = "") -> str:
    """The record object of an object type id; custom ones as the mapping says."""
    return OBJECT_TYPES.get(type_id or "") or mapping.objects.get(type_id or "", otherwise)


def _text(payload: dict[str, Json], key: str) -> str | None:
    value = payload.get(key)
    return value if isinstance(value, str) else None


def _item(payload: Json) -> Item:
    try:
        return _read_item(payload)
    except Unparseable as problem:
        return Item("", "", "", {}, str(problem))


def _read_item(payload: Json) -> Item:
    if not isinstance(payload, dict):
        raise Unparseable("the event is no object")
    kind = _text(payload, "subscriptionType") or _text(payload, "eventType")
    if kind is None:
        raise Unparseable("subscriptionType is missing")
    portal = wire.id_of(payload.get("portalId"), "portalId")
    parts = [
        payload.get(key)
        for key in ("objectTypeId", "objectId", "fromObjectId", "toObjectId", "associationType", "associationTypeId",
                    "eventId", "occurredAt", "propertyName")
    ]  # fmt: skip
    return Item(
        portal, kind, ":".join(["hubspot", portal, kind, *("" if p is None else str(p) for p in parts)]), payload
    )


def _when(payload: dict[str, Json]) -> tuple[datetime, str]:
    """The instant of a change, and the event's id as tie key, padded so that its text sorts as the number."""
    at = wire.epoch_ms(payload.get("occurredAt"))
    if at is None:
        raise Unparseable("occurredAt is no instant in milliseconds")
    return at, wire.id_of(payload.get("eventId"), "eventId").zfill(20)


def _one(payload: dict[str, Json], name: str, field: str, value: Value) -> list[FieldChange]:
    at, tie = _when(payload)
    return [FieldChange(name, wire.id_of(payload.get("objectId"), "objectId"), field, at, tie, value)]


def _property(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    if not _is_read(payload, mapping) or payload.get("redacted") is True or payload.get("propertyValue") == "REDACTED":
        return []
    if isinstance(payload.get("propertyValue"), list | dict):
        raise Unparseable("propertyValue is no scalar")
    return _one(payload, name, str(payload["propertyName"]), wire.value_of(payload.get("propertyValue")))


def _creation(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    return _one(payload, name, CREATED, _text(payload, "changeSource") or True)


def _deletion(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    return _one(payload, name, DELETED, True)


def _restoration(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    return _one(payload, name, DELETED, False)


def _erasure(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    return _one(payload, name, ERASED, True)


def _merge(payload: dict[str, Json], name: str, mapping: Mapping) -> list[FieldChange]:
    """Merged objects point to the survivor. That may be a third id, which then continues the primary one."""
    at, tie = _when(payload)
    primary = payload.get("primaryObjectId", payload.get("objectId"))
    survivor = wire.id_of(payload.get("newObjectId") or primary, "newObjectId")
    merged = payload.get("mergedObjectIds")
    ids = {wire.id_of(each, "mergedObjectIds") for each in merged} if isinstance(merged, list) else set()
    changes = []
    if primary is not None and (first := wire.id_of(primary, "primaryObjectId")) != survivor:
        ids.add(first)
        changes.append(FieldChange(name, survivor, CONTINUES, at, tie, first))
    if not ids - {survivor}:
        raise Unparseable("the merge names no object that was merged")
    return [*changes, *(FieldChange(name, each, MERGED_INTO, at, tie, survivor) for each in sorted(ids - {survivor}))]


def _association(payload: dict[str, Json], mapping: Mapping) -> Changes:
    """Both sides report a link: it is one. A label that people defined ends without ending the link."""
    one, other = _ends(payload, mapping)
    if one is None or other is None:
        return Changes()
    removed = payload.get("associationRemoved") is True
    if removed and payload.get("associationCategory") == "USER_DEFINED":
        return Changes()
    at, tie = _when(payload)
    is_primary = payload.get("isPrimaryAssociation") is True
    return Changes(links=[link_between(one, other, at, tie, removed=removed, is_primary=is_primary)])


def _ends(payload: dict[str, Json], mapping: Mapping) -> tuple[Key | None, Key | None]:
    classic = (_text(payload, "associationType") or "").lower().partition("_to_")
    objects = (
        _named(_text(payload, "fromObjectTypeId"), mapping, classic[0]),
        _named(_text(payload, "toObjectTypeId"), mapping, classic[2]),
    )
    ids = wire.id_of(payload.get("fromObjectId"), "fromObjectId"), wire.id_of(payload.get("toObjectId"), "toObjectId")
    one, other = ((name, id_) if name in OBJECTS else None for name, id_ in zip(objects, ids, strict=True))
    return one, other


_ACTIONS = {
    "propertyChange": _property,
    "creation": _creation,
    "deletion": _deletion,
    "restore": _restoration,
    "privacyDeletion": _erasure,
    "merge": _merge,
    "associationChange": _property,
}
