"""Salesforce: Outbound Messages, change events by three transports, platform events and callouts by a template.

Nothing of it is signed by Salesforce. An Outbound Message shows a row as it is when it is sent; a change event what one
commit did to it; both are put together by the times of the rows.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from datetime import datetime
from typing import Any, ClassVar

from app.events.facts import EventFacts
from app.integrations.adapters import (
    proofs,
    salesforce_changes,
    salesforce_events,
    salesforce_soap,
    signatures,
    snapshots,
    wire,
)
from app.integrations.adapters.base import (
    Adapter,
    Changes,
    Fetched,
    Item,
    Json,
    RawRequest,
    Reply,
    Unparseable,
)
from app.integrations.adapters.salesforce_changes import HISTORIES, HISTORY
from app.integrations.adapters.salesforce_events import Told
from app.integrations.adapters.salesforce_fields import (
    OBJECTS,
    OWNER,
    PREFIXES,
    id18,
    id_or_none,
    is_true,
    kept,
    object_of,
)
from app.integrations.adapters.wire import dictionary
from app.integrations.folding import Network, Record
from app.integrations.mapping import Mapping

_HEADER = (
    "entityName", "changeType", "changeOrigin", "transactionKey", "sequenceNumber", "commitTimestamp", "commitNumber",
    "commitUser",
)  # fmt: skip
_LISTS = ("changedFields", "nulledFields")
_PARTNER = re.compile(r"aws\.partner/salesforce\.com/(00D[A-Za-z0-9]{12,15})/")
_ENVELOPES = ("detail", "data", "payload")
_MOST = 1000  # messages of a body, and names of a list
_MOST_RECORDS = 10_000  # that one change event names


class Salesforce(Adapter):
    """The adapter of Salesforce."""

    system = "salesforce"
    labels: ClassVar[Mapped[str, str]] = {"deal": "Name", "company": "Name", "lead": "Company", "quote": "QuoteNumber"}
    defaults: ClassVar[Mapped[str, Any]] = {
        "won_stages": ["Closed Won"],
        "lost_stages": ["Closed Lost"],
        "qualified_lead_stages": ["Qualified"],
        "converted_lead_stages": ["Closed - Converted"],
        "sent_quote_stages": ["Presented", "Accepted"],
        "accepted_quote_stages": ["Accepted"],
        "dispositions": {
            "no answer": "no_answer",
            "left voicemail": "left_voicemail",
            "wrong number": "wrong_number",
            "connected": "connected",
            "busy": "busy",
        },
        "activity_types": {"Call": "call", "Email": "email", "ListEmail": "email"},
    }

    def account(self, configured: str) -> str:
        """The organization's id in 18 characters."""
        return id_or_none(configured) or configured

    def is_of_account(self, told: str, configured: str) -> bool:
        """Change events name no organization, except by EventBridge: the secret that let them in decides alone."""
        return not told or self.account(told) == self.account(configured)

    def fault_of_secret(self, secret: str) -> str | None:
        """Those that callouts sign with say how they are written."""
        return signatures.fault_of(secret)

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By a signature where one is sent, which then decides alone; else by a secret that is sent along."""
        if "webhook-signature" in request.headers:
            signatures.standard_webhooks(request, secrets, now)
        else:
            proofs.by_static_secret(request, secrets)

    def acknowledge(self, request: RawRequest, secrets: Sequence[str], now: datetime) -> Reply:
        """SOAP for SOAP; else an empty body."""
        is_soap = "soapaction" in request.headers or "xml" in request.headers.get("content-type", "")
        return salesforce_soap.ACKNOWLEDGED if is_soap or salesforce_soap.is_xml(request.body) else Reply(200)

    def scrub(self, body: bytes) -> bytes:
        """Without sessions of the API, which Outbound Messages may carry."""
        return salesforce_soap.without_session(body)

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """`{"messages": [...]}`: what is kept of each, in one form for XML and JSON."""
        if salesforce_soap.is_xml(request.body):
            return {"messages": _notifications(salesforce_soap.read(request.body), mapping)}
        told = wire.parse(request.body)
        if isinstance(told, dict):
            return {"messages": [_message(told, mapping)]}
        if not isinstance(told, list) or len(told) > _MOST:
            raise Unparseable(f"the body is neither a message nor a list of at most {_MOST}")
        return {"messages": [_message_or_problem(each, mapping) for each in told]}

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Rows as the REST API gives them, by their `attributes.type`; behind each its rows of tables of changes."""
        rows = [each for row in fetched.items for each in _with_history(row)]
        return snapshots.stored(fetched, [_fetched_row(row, fetched.object, mapping) for row in rows])

    def split(self, redacted: Json) -> list[Item]:
        """Each notification, each row of a change event, and each row that was fetched is an item."""
        told = dictionary(redacted)
        if "fetched" in told:
            return snapshots.items_of(told, system=self.system, id_field="id", version_field="version")
        messages = told.get("messages")
        return [item for each in (messages if isinstance(messages, list) else []) for item in _items(each)]

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """What a message says about a row."""
        if "fetched" in item.payload:
            return salesforce_changes.fetched(item.payload, mapping)
        read = _FORMS.get(str(item.payload.get("form")))
        return read(item.payload, mapping) if read else Changes()

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead, task or meeting; companies and contacts have none."""
        if record.is_gone:
            return []
        owner = mapping.field_of(record.object, "owner", OWNER)
        return salesforce_events.translate(Told(record, links, mapping, source_key, owner))

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether a field is missing without which nothing follows, or nobody is credited.

        Not of platform events and of tables of the organization's own, for which nobody could ask by these names.
        """
        is_standard = PREFIXES.get(record.id[:3]) == record.object and id_or_none(record.id) is not None
        needed = salesforce_events.NEEDED.get(record.object, ()) if is_standard else ()
        return not record.is_gone and any(not record.history(name) for name in needed)


_FORMS = {
    "notification": salesforce_changes.notification,
    "change": salesforce_changes.change,
    "callout": salesforce_changes.callout,
    "event": salesforce_changes.activity_event,
}


def _notifications(told: dict[str, Json], mapping: Mapping) -> list[Json]:
    notifications = told["notifications"]
    return [
        _notification(dictionary(each), told, mapping)
        for each in (notifications if isinstance(notifications, list) else [])
    ]


def _notification(told: dict[str, Json], message: dict[str, Json], mapping: Mapping) -> Json:
    fields = dictionary(told.get("fields"))
    id_ = fields.get("Id")
    entity = _entity(told.get("entity"), fields.get("type"), id_)
    data = fields.keys() - {"Id", "type"}
    return {
        "form": "notification",
        "account": wire.scalar(message.get("OrganizationId")),
        "action": wire.scalar(message.get("ActionId")),
        "notification": wire.scalar(told.get("Id")),
        "entity": entity,
        "id": wire.scalar(id_),
        "gone": not data or is_true(fields.get("IsDeleted")),
        "fields": dict(kept(fields, object_of(entity or "", mapping), mapping)),
    }


def _entity(*told: Json) -> str | None:
    """What an object is, by its type (which the partner's form of messages tells apart), else by its id."""
    *types, id_ = told
    named = next((each for each in types if isinstance(each, str) and each and each != "sObject"), None)
    if named is None and isinstance(id_, str):
        named = OBJECTS.get(PREFIXES.get(id_[:3], ""))
    return wire.storable(named) if named else None


def _message_or_problem(told: Json, mapping: Mapping) -> Json:
    if not isinstance(told, dict):
        return {"problem": "the message is no object"}
    try:
        return _message(told, mapping)
    except Unparseable as problem:
        return {"problem": str(problem)}


def _message(told: dict[str, Json], mapping: Mapping) -> Json:
    """A message in JSON: a callout by the template, or an event in whatever envelope its transport has."""
    if isinstance(told.get("record"), dict):
        return _callout(told, mapping)
    payload = told
    for name in _ENVELOPES:
        if isinstance(inner := payload.get(name), dict) and "ChangeEventHeader" not in payload:
            payload = inner
    header = payload.get("ChangeEventHeader")
    account = _account_of(told)
    if isinstance(header, dict):
        return _change(header, payload, account, mapping)
    if "CreatedDate" in payload:
        return _platform_event(payload, told, account)
    raise Unparseable("the body is neither a change event, nor a platform event, nor a callout by the template")


def _account_of(told: dict[str, Json]) -> Json:
    """The organization, which only EventBridge tells."""
    source = told.get("source")
    found = _PARTNER.match(source) if isinstance(source, str) else None
    return found[1] if found else None


def _change(header: dict[str, Json], payload: dict[str, Json], account: Json, mapping: Mapping) -> Json:
    entity = wire.scalar(header.get("entityName"))
    ids = header.get("recordIds")
    ids = ids if isinstance(ids, list) else [ids]
    if len(ids) > _MOST_RECORDS:
        raise Unparseable(f"the change event names more than {_MOST_RECORDS} records")
    head: dict[str, Json] = {name: wire.scalar(header[name]) for name in _HEADER if name in header}
    for name in _LISTS:
        if isinstance(names := header.get(name), list):
            head[name] = [wire.scalar(each) for each in names[:_MOST]]
    return {
        "form": "change",
        "account": account,
        "entity": entity,
        "ids": [wire.scalar(each) for each in ids],
        "header": head,
        "fields": dict(kept(payload, object_of(str(entity), mapping), mapping)),
    }


def _platform_event(payload: dict[str, Json], told: dict[str, Json], account: Json) -> Json:
    """Its fields by the template; its id is Salesforce's, else its place in its channel, else its relay's."""
    envelope = dictionary(told.get("data")) or dictionary(told.get("detail")) or told
    event = dictionary(envelope.get("event")) or dictionary(told.get("event"))
    channel = told.get("channel") or told.get("detail-type") or "event"
    place = f"{str(channel).rpartition('/')[2]}-{event.get('replayId')}" if "replayId" in event else None
    fields = {name: wire.scalar(payload[name]) for name in salesforce_changes.ACTIVITY_FIELDS if name in payload}
    return {
        "form": "event",
        "account": account,
        "entity": wire.scalar(str(channel).rpartition("/")[2]),
        "id": wire.scalar(event.get("EventUuid") or payload.get("EventUuid") or place or told.get("id")),
        "fields": dict(fields),
    }


def _callout(told: dict[str, Json], mapping: Mapping) -> Json:
    record = dictionary(told.get("record"))
    id_ = record.get("Id")
    entity = _entity(told.get("object"), dictionary(record.get("attributes")).get("type"), id_)
    return {
        "form": "callout",
        "account": wire.scalar(told.get("org_id")),
        "event": wire.scalar(told.get("event")),
        "at": wire.scalar(told.get("at")),
        "entity": entity,
        "id": wire.scalar(id_),
        "fields": dict(kept(record, object_of(entity or "", mapping), mapping)),
    }


def _with_history(row: dict[str, Json]) -> list[dict[str, Json]]:
    told = row.get(HISTORY)
    changes = [each for each in told[:_MOST] if isinstance(each, dict)] if isinstance(told, list) else []
    return [{name: value for name, value in row.items() if name != HISTORY}, *changes]


def _fetched_row(row: dict[str, Json], object: str, mapping: Mapping) -> Json:  # noqa: A002
    entity = _entity(dictionary(row.get("attributes")).get("type"), OBJECTS.get(object, object), row.get("Id")) or ""
    if entity not in HISTORIES:
        fields = kept(row, object_of(entity, mapping), mapping)
        version = wire.scalar(row.get("SystemModstamp"))
        return {"entity": entity, "id": wire.scalar(row.get("Id")), "version": version, "fields": dict(fields)}
    kind, of = HISTORIES[entity]
    return {
        "entity": entity,
        "id": wire.scalar(row.get("Id")),
        "of": wire.scalar(row.get(of)),
        "changed_at": wire.scalar(row.get("CreatedDate")),
        "fields": dict(kept(salesforce_changes.historic_fields(entity, row), kind, mapping)),
    }


def _items(message: Json) -> Iterator[Item]:
    told = dictionary(message)
    if "problem" in told:
        yield Item("", "", "", {}, str(told["problem"]))
    elif told.get("form") == "change":
        ids = told.get("ids")
        shared = salesforce_changes.what_changed({name: value for name, value in told.items() if name != "ids"})
        yield from (_item({**shared, "id": id_}) for id_ in (ids if isinstance(ids, list) else []))
    else:
        yield _item(told)


def _item(told: dict[str, Json]) -> Item:
    try:
        return _KEYS[str(told.get("form"))](_organization(told), told)
    except Unparseable as problem:
        return Item("", "", "", {}, str(problem))


def _organization(told: dict[str, Json]) -> str:
    """In 18 characters; empty where the message does not tell it, as all but Outbound Messages may."""
    if told.get("account") is None and told.get("form") != "notification":
        return ""
    return id18(told.get("account"), "the organization")


def _notification_item(account: str, told: dict[str, Json]) -> Item:
    number = id18(told.get("notification"), "Notification.Id")
    if told.get("entity") is None or told.get("id") is None:
        raise Unparseable("the notification has no data, and names no record")
    return Item(account, f"outbound.{told['entity']}", f"salesforce:{account}:om:{number}", told)


def _change_item(account: str, told: dict[str, Json]) -> Item:
    """Its key has no account: only one of the transports tells it, and the key is the same for all."""
    header = dictionary(told.get("header"))
    entity, id_ = wire.value_of(told.get("entity")), id18(told.get("id"), "recordIds")
    if not isinstance(entity, str) or not isinstance(header.get("changeType"), str):
        raise Unparseable("the header names no entityName and changeType")
    transaction = wire.id_of(header.get("transactionKey"), "transactionKey")
    key = f"salesforce:cdc:{transaction}:{header.get('sequenceNumber')}:{entity}:{id_}"
    return Item(account, f"{header['changeType']}.{entity}", key, told)


def _event_item(account: str, told: dict[str, Json]) -> Item:
    id_ = wire.id_of(told.get("id"), "EventUuid")
    return Item(account, f"event.{told.get('entity')}", f"salesforce:event:{id_}", told)


def _callout_item(account: str, told: dict[str, Json]) -> Item:
    id_, fields = id18(told.get("id"), "record.Id"), dictionary(told.get("fields"))
    at = told.get("at") or fields.get("LastModifiedDate")
    kind = f"{told.get('event') or 'callout'}.{told.get('entity')}"
    return Item(account, kind, f"salesforce:{account}:callout:{id_}:{told.get('event')}:{at}", told)


_KEYS = {
    "notification": _notification_item,
    "change": _change_item,
    "event": _event_item,
    "callout": _callout_item,
}
