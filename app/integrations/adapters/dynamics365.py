"""Microsoft Dynamics 365 (Dataverse): webhooks of plug-in steps, which post the execution context of a message.

A step tells what changed (`Target`), and with images also how the row stood before and after. Rows that were fetched by
the Web API are read under the same names.
"""

import re
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from app.events.facts import EventFacts
from app.integrations.adapters import dynamics365_events, proofs, snapshots, wire
from app.integrations.adapters.base import Adapter, Changes, Fetched, Item, Json, RawRequest, Unparseable
from app.integrations.adapters.dynamics365_events import CURRENCY, OWNER, STATE
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.translating import Translation
from app.integrations.adapters.wire import dictionary
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

ENTITIES = {
    "opportunity": "deal",
    "lead": "lead",
    "account": "company",
    "contact": "contact",
    "phonecall": "call",
    "appointment": "meeting",
    "email": "email",
    "quote": "quote",
}
TABLES = {name: entity for entity, name in ENTITIES.items()}

_ALWAYS = frozenset({OWNER, STATE, "statuscode", CURRENCY, "createdon", "modifiedon"})
_ACTIVITY = _ALWAYS | {"actualend", "actualstart", "scheduledstart", "scheduledend", "actualdurationminutes"}
FIELDS: Mapped[str, frozenset[str]] = {
    "deal": _ALWAYS
    | {"name", "estimatedvalue", "estimatedclosedate", "actualvalue", "actualclosedate", "salesstage", "processid"},
    "lead": _ALWAYS,
    "company": frozenset({OWNER, "name"}),
    "contact": frozenset({OWNER}),
    "call": _ACTIVITY | {"directioncode", "leftvoicemail"},
    "meeting": _ACTIVITY | {"scheduleddurationminutes"},
    "email": _ACTIVITY | {"directioncode", "senton"},
    "quote": _ALWAYS | {"totalamount", "quotenumber"},
}
"""What is read of each object: no names of people, addresses, numbers or texts."""
LINKS: Mapped[str, Mapped[str, str | None]] = {
    "deal": {
        "parentaccountid": "company",
        "parentcontactid": "contact",
        "customerid": None,
        "originatingleadid": "lead",
    },
    "lead": {"parentaccountid": "company", "parentcontactid": "contact", "qualifyingopportunityid": "deal"},
    "contact": {"parentcustomerid": None, "originatingleadid": "lead"},
    "quote": {"opportunityid": "deal", "customerid": None},
    "call": {"regardingobjectid": None},
    "meeting": {"regardingobjectid": None},
    "email": {"regardingobjectid": None},
}
"""References by field, each with the object it leads to; None where the reference itself says so."""

_ENVELOPE = (
    "MessageName", "OrganizationId", "OperationId", "CorrelationId", "OperationCreatedOn", "PrimaryEntityId",
    "PrimaryEntityName", "Depth", "Stage", "Mode", "InitiatingUserId",
)  # fmt: skip
_CLOSINGS = {"Win": "1", "Lose": "2"}
_DATE = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{4})?\)/")
_LOOKUP = re.compile(r"_(\w{1,100})_value")
_LOGICAL_NAME = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_MOST = 400  # attributes of a row, and entries of a list


class Dynamics365(Adapter):
    """The adapter of Dynamics 365."""

    system = "dynamics365"
    labels: ClassVar[Mapped[str, str]] = {"deal": "name", "company": "name", "quote": "quotenumber"}
    headers = ("x-ms-dynamics-entity-name", "x-ms-dynamics-request-name", "x-ms-dynamics-msg-size-exceeded")

    def account(self, configured: str) -> str:
        """The organization's id, in lower case."""
        return configured.lower()

    def authenticate(self, request: RawRequest, secrets: Sequence[str], now: datetime, mapping: Mapping) -> None:
        """By the secret that the registration sends along: there is no signature."""
        proofs.by_static_secret(request, secrets)

    def redact(self, request: RawRequest, secrets: Sequence[str], mapping: Mapping) -> Json:
        """The envelope and the attributes, in plain objects; texts that are formatted for people are left out."""
        told = wire.parse(request.body)
        if not isinstance(told, dict) or not isinstance(told.get("MessageName"), str):
            raise Unparseable("the body is no execution context with MessageName")
        kept: dict[str, Json] = {key: wire.scalar(told[key]) for key in _ENVELOPE if key in told}
        kept["step"] = _flat(dictionary(told.get("OwningExtension")).get("Id"))
        inputs = _pairs(told.get("InputParameters"))
        kept["exceeds"] = "InputParameters" not in told or told["InputParameters"] is None
        kept["inputs"] = {name: _redacted(value, mapping) for name, value in inputs}
        for part, images in (("before", "PreEntityImages"), ("after", "PostEntityImages")):
            rows = [_redacted(image, mapping) for _, image in _pairs(told.get(images))]
            merged = {name: value for row in rows for name, value in dictionary(dictionary(row).get("row")).items()}
            if merged:
                kept[part] = merged
        return kept

    def redact_fetched(self, fetched: Fetched, mapping: Mapping) -> Json:
        """Rows of the Web API, under the names of the attributes."""
        key = _key_of(TABLES.get(fetched.object, ""))
        rows = [
            _kept(_attributes_of_row(row), fetched.object, mapping) | {"id": _id(row, key)} for row in fetched.items
        ]
        return snapshots.stored(replace(fetched, account_id=self.account(fetched.account_id)), rows)

    def split(self, redacted: Json) -> list[Item]:
        """A context is one message; of what was fetched each row is one."""
        if not isinstance(redacted, dict):
            return []
        if "fetched" in redacted:
            return snapshots.items_of(redacted, system="dataverse", id_field="id", version_field="modifiedon")
        try:
            return [_item(redacted)]
        except Unparseable as problem:
            return [Item("", "", "", {}, str(problem))]

    def fold(self, item: Item, mapping: Mapping) -> Changes:
        """What a message did to a row, as it tells it and as its images show it."""
        if item.kind.startswith(("fetched.", "gone.")):
            return _fetched(item, mapping)
        message = _Message.of(item.payload, mapping)
        read = _MESSAGES.get(message.name)
        if read is None or not message.object:
            return Changes()
        if message.exceeds and message.name != "Delete":
            return Changes(wanted=[message.key])
        return read(message)

    def translate(self, record: Record, links: Network, mapping: Mapping, source_key: str) -> list[EventFacts]:
        """The events of a deal, lead, quote or activity; companies and contacts have none."""
        if record.is_gone:
            return []
        return dynamics365_events.translate(Translation(record, links, mapping, source_key, OWNER))

    def needs_fetch(self, record: Record, mapping: Mapping) -> bool:
        """Whether a field is missing without which nothing follows, or nobody is credited."""
        needed = dynamics365_events.NEEDED.get(record.object, ())
        return not record.is_gone and any(not record.history(name) for name in needed)


def _pairs(value: Json) -> list[tuple[str, Json]]:
    """A dictionary as .NET writes it: a list of keys and values."""
    if not isinstance(value, list):
        return []
    entries = [dictionary(each) for each in value[:_MOST]]
    return [(wire.storable(key), each.get("value")) for each in entries if isinstance(key := each.get("key"), str)]


def _redacted(value: Json, mapping: Mapping) -> Json:
    """A row as its entity and kept attributes, a reference as entity and id, else a plain value."""
    told = dictionary(value)
    if "Attributes" not in told:
        return _flat(value)
    entity = str(told.get("LogicalName"))
    attributes = {name: _flat(each) for name, each in _pairs(told["Attributes"])}
    row = _kept(attributes, _object_of(entity, mapping), mapping, closes=entity == "opportunityclose")
    return {"entity": wire.storable(entity), "id": _flat(told.get("Id")), "row": row}


def _object_of(entity: str, mapping: Mapping) -> str:
    return ENTITIES.get(entity) or mapping.objects.get(entity, "")


_CLOSE_FIELDS = frozenset({"opportunityid", "actualend", "actualrevenue"})


def _kept(row: Mapped[str, Json], kind: str, mapping: Mapping, *, closes: bool = False) -> dict[str, Json]:
    """The attributes that are read, or may be by a later mapping."""
    read = FIELDS.get(kind, frozenset()) | set(LINKS.get(kind, ())) | mapping.extra_fields(kind)
    read |= _CLOSE_FIELDS if closes else set()
    return {
        wire.storable(name): value
        for name, value in row.items()
        if name in read or (kind in BUSINESS and not is_personal(name, value))
    }


def _flat(value: Json) -> Json:
    """A plain value: of money and options the value, of references what and which they name."""
    if not isinstance(value, dict):
        return wire.scalar(value)
    if "LogicalName" in value:
        return {"entity": wire.scalar(value["LogicalName"]), "id": wire.scalar(value.get("Id"))}
    return wire.scalar(value.get("Value"))


def _attributes_of_row(row: Mapped[str, Json]) -> dict[str, Json]:
    """A row of the Web API: `_ownerid_value` is the reference `ownerid`."""
    found: dict[str, Json] = {}
    for name, value in list(row.items())[: 4 * _MOST]:
        if "@" in name:
            continue
        if (lookup := _LOOKUP.fullmatch(name)) is None:
            found[name] = wire.scalar(value)
        elif value is None:
            found[lookup[1]] = None
        else:
            found[lookup[1]] = {"entity": wire.scalar(row.get(f"{name}{_LOGICAL_NAME}")), "id": wire.scalar(value)}
    return found


def _key_of(entity: str) -> str:
    return "activityid" if entity in {"phonecall", "appointment", "email"} else f"{entity}id"


def _guid(value: Json, name: str) -> str:
    return wire.id_of(value, name).lower()


def _item(payload: dict[str, Json]) -> Item:
    organization = _guid(payload.get("OrganizationId"), "OrganizationId")
    operation = _guid(payload.get("OperationId"), "OperationId")
    kind = f"{payload['MessageName']}.{payload.get('PrimaryEntityName')}"
    return Item(organization, kind, f"dataverse:{organization}:{operation}:{payload.get('step')}", payload)


def _id(row: Mapped[str, Json], key: str) -> Json:
    return wire.scalar(row.get(key))


def _fetched(item: Item, mapping: Mapping) -> Changes:
    """A row as it was seen, or that it is gone. Raises `Unparseable`."""
    told, seen = item.payload, snapshots.seen_at(item.payload)
    if "gone" in told:
        return snapshots.gone((str(told["fetched"]), _guid(told["gone"], "id")), seen)
    row = dictionary(told.get("item"))
    return _Row((str(told["fetched"]), _guid(row.get("id"), "id")), row, mapping).snapshot(seen)


def _instant(value: Json) -> datetime | None:
    """`/Date(1789373035000+0200)/` (the milliseconds are UTC, the offset informs), or ISO 8601."""
    if isinstance(value, str) and (found := _DATE.fullmatch(value)):
        return wire.epoch_ms(found[1])
    return wire.instant(value)


@dataclass(frozen=True, slots=True)
class _Row:
    """Attributes of one row, as fields and links of its record."""

    key: Key
    row: Mapped[str, Json]
    mapping: Mapping

    @property
    def modified_at(self) -> datetime | None:
        """When it was last changed, as it says itself."""
        return _instant(self.row.get("modifiedon"))

    def snapshot(self, seen: datetime) -> Changes:
        """All that it told when it was seen, as of its last change; it exists."""
        told = snapshots.Snapshot.seen(self.key, self.modified_at, seen)
        fields = [*self.fields(told.at, told.tie), *self.creation()]
        return Changes([*fields, FieldChange(*self.key, DELETED, told.at, HEARSAY, False)], told.links(self.others()))

    def fields(self, at: datetime, tie: str, without: Collection[str] = ()) -> list[FieldChange]:
        """Its attributes as fields since `at`."""
        kind = self.key[0]
        wanted = FIELDS.get(kind, frozenset()) | self.mapping.extra_fields(kind)
        return [
            FieldChange(*self.key, name, at, tie, _value(value))
            for name, value in sorted(self.row.items(), key=lambda each: each[0])
            if name in wanted and name not in without
        ]

    def creation(self) -> list[FieldChange]:
        """When it was made."""
        made = _instant(self.row.get("createdon"))
        return [FieldChange(*self.key, CREATED, made, HEARSAY, True)] if made else []

    def links(
        self, at: datetime, tie: str, without: Collection[Key] = (), *, removed: bool = False
    ) -> list[LinkChange]:
        """What its references lead to; the one told last is the one that counts."""
        return [
            link_between(self.key, other, at, tie, removed=removed, is_primary=True)
            for other in self.others()
            if other not in without
        ]

    def others(self) -> list[Key]:
        """The records that its references lead to."""
        found = []
        for name, kind in LINKS.get(self.key[0], {}).items():
            told = dictionary(self.row.get(name))
            led = kind or ENTITIES.get(str(told.get("entity")))
            id_ = wire.id_or_none(wire.value_of(told.get("id")))
            if led and id_ and (led, id_.lower()) != self.key:
                found.append((led, id_.lower()))
        return list(dict.fromkeys(found))


def _value(value: Json) -> Value:
    """A reference is its id; one that leads to no person (a team that owns) says to what."""
    if isinstance(value, dict):
        id_, entity = wire.value_of(value.get("id")), value.get("entity")
        if not isinstance(id_, str):
            return None
        return id_.lower() if entity != "team" else f"team:{id_.lower()}"
    if isinstance(value, str) and (at := _instant(value)) and _DATE.fullmatch(value):
        return at.isoformat().replace("+00:00", "Z")
    return wire.value_of(value)


@dataclass(frozen=True, slots=True)
class _Message:
    """One execution context.

    Rows are modified to the second: `tie`, the instant of the operation, orders the changes of one second.
    """

    name: str
    key: Key
    at: datetime
    tie: str
    exceeds: bool
    inputs: dict[str, Json]
    before: _Row
    after: _Row
    mapping: Mapping

    @classmethod
    def of(cls, payload: dict[str, Json], mapping: Mapping) -> "_Message":
        """Read a context. Raises `Unparseable`."""
        inputs = dictionary(payload.get("inputs"))
        key = _subject(payload, inputs, mapping)
        target = _Row(key, dictionary(dictionary(inputs.get("Target")).get("row")), mapping)
        told = _instant(payload.get("OperationCreatedOn"))
        at = target.modified_at or told
        if at is None:
            raise Unparseable("OperationCreatedOn is no instant")
        before, after = (_Row(key, dictionary(payload.get(part)), mapping) for part in ("before", "after"))
        name, exceeds = str(payload.get("MessageName")), payload.get("exceeds") is True
        return cls(name, key, at, f"{told or at:%Y%m%d%H%M%S%f}", exceeds, inputs, before, after, mapping)

    @property
    def object(self) -> str:
        """What the message is about; empty for kinds of rows that are not kept."""
        return self.key[0]

    @property
    def target(self) -> _Row:
        """The attributes that the message set."""
        return _Row(self.key, dictionary(dictionary(self.inputs.get("Target")).get("row")), self.mapping)

    def one(self, name: str, value: Json, at: datetime | None = None) -> FieldChange:
        """A field that the message set."""
        return FieldChange(*self.key, name, at or self.at, self.tie, _value(value))

    def shown(self, without: Collection[str] = ()) -> Changes:
        """How the images show the row: after the message, and before it since its last change until then."""
        fields = [*self.after.fields(self.at, HEARSAY, without), *self.after.creation()]
        then = self.before.modified_at
        if then and then < self.at:
            fields += self.before.fields(then, HEARSAY)
        fields += self.before.creation()
        return Changes(fields, self.after.links(self.at, HEARSAY))


def _subject(payload: dict[str, Json], inputs: dict[str, Json], mapping: Mapping) -> Key:
    """The row that the message is about; a message of closing may name the closing instead of the opportunity."""
    closing = dictionary(dictionary(inputs.get("OpportunityClose")).get("row")).get("opportunityid")
    if payload.get("MessageName") in _CLOSINGS and isinstance(closing, dict):
        return "deal", _guid(closing.get("id"), "opportunityid")
    name = _object_of(str(payload.get("PrimaryEntityName")), mapping)
    return name, _guid(payload.get("PrimaryEntityId"), "PrimaryEntityId")


def _created(message: _Message) -> Changes:
    told = _updated(message)
    made = [] if message.target.creation() else [FieldChange(*message.key, CREATED, message.at, HEARSAY, True)]
    return Changes([*told.fields, *made], told.links)


def _updated(message: _Message) -> Changes:
    target = message.target
    shown = message.shown(without=target.row.keys())
    told = [*target.fields(message.at, message.tie), *target.creation()]
    known = [*target.others(), *message.after.others()]
    changed = {name: message.before.row.get(name) for name in target.row if name in LINKS.get(message.object, {})}
    left = _Row(message.key, changed, message.mapping).links(message.at, message.tie, known, removed=True)
    exists = FieldChange(*message.key, DELETED, message.at, HEARSAY, False)
    links = [*target.links(message.at, message.tie), *left, *shown.links]
    return Changes([*told, *shown.fields, exists], list(dict.fromkeys(links)))


def _deleted(message: _Message) -> Changes:
    """The last state is told in passing; it matters where nothing else of the row ever arrived."""
    shown = message.shown()
    gone = FieldChange(*message.key, DELETED, message.at, message.tie, True)
    then = message.before.modified_at
    links = message.before.links(then, HEARSAY) if then and then < message.at else []
    return Changes([gone, *shown.fields], links)


def _assigned(message: _Message) -> Changes:
    shown = message.shown(without=(OWNER,))
    return Changes([message.one(OWNER, message.inputs.get("Assignee")), *shown.fields], shown.links)


def _state_set(message: _Message) -> Changes:
    shown = message.shown(without=(STATE, "statuscode"))
    told = [message.one(STATE, message.inputs.get("State")), message.one("statuscode", message.inputs.get("Status"))]
    return Changes([*told, *shown.fields], shown.links)


def _closed(message: _Message) -> Changes:
    """The messages Win and Lose; the same closing mostly arrives as an update of the state too."""
    closing = dictionary(dictionary(message.inputs.get("OpportunityClose")).get("row"))
    told = [message.one(STATE, _CLOSINGS[message.name])]
    for name, value in (
        ("statuscode", message.inputs.get("Status")),
        ("actualvalue", closing.get("actualrevenue")),
        ("actualclosedate", closing.get("actualend")),
    ):
        if value is not None:
            told.append(message.one(name, value))
    shown = message.shown(without=[each.field for each in told])
    return Changes([*told, *shown.fields], shown.links)


def _merged(message: _Message) -> Changes:
    gone = _guid(message.inputs.get("SubordinateId"), "SubordinateId")
    if gone == message.key[1]:
        raise Unparseable("a row is merged into itself")
    return Changes([FieldChange(message.object, gone, MERGED_INTO, message.at, message.tie, message.key[1])])


_MESSAGES = {
    "Create": _created,
    "Update": _updated,
    "UpdateMultiple": _updated,
    "Upsert": _updated,
    "Delete": _deleted,
    "Assign": _assigned,
    "SetState": _state_set,
    "SetStateDynamicEntity": _state_set,
    "Win": _closed,
    "Lose": _closed,
    "Merge": _merged,
}
