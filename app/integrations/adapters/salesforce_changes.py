"""What each kind of Salesforce's messages says about records, with the times by which it counts."""

import re
from collections.abc import Collection
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime

from app.integrations.adapters import snapshots, wire
from app.integrations.adapters.base import Changes, Json, Unparseable
from app.integrations.adapters.salesforce_fields import (
    OWNER,
    PREFIXES,
    STATES,
    id18,
    id_or_none,
    instant,
    is_true,
    object_of,
    references,
    value_of,
    wanted,
)
from app.integrations.adapters.wire import dictionary
from app.integrations.folding import (
    CREATED,
    DELETED,
    HEARSAY,
    MERGED_INTO,
    FieldChange,
    Key,
    LinkChange,
    link_between,
)
from app.integrations.mapping import Mapping

SNAPSHOT = "0"
"""The tie key of whole rows without an order of their own: what is told of the same instant by a commit goes before."""
_DELETION, _RESTORATION = "~delete", "~undelete"

# Undecoded names of fields: a bitmap in hexadecimal digits, of nested fields behind their position.
_BITMAP = re.compile(r"([0-9]+-)?0x[0-9A-Fa-f]*")


@dataclass(frozen=True, slots=True)
class _Row:
    """Fields of one object as they were told, as fields and links of its record."""

    key: Key
    fields: Mapped[str, Json]
    mapping: Mapping
    entity: str = ""

    def time(self, *names: str) -> datetime | None:
        """The latest of some fields that hold instants."""
        return max((at for name in names if (at := instant(self.fields.get(name)))), default=None)

    def told(self, at: datetime, tie: str, without: Collection[str] = ()) -> Changes:
        """The fields that are read, and what they lead to, since `at`."""
        names = sorted((wanted(self.key[0], self.mapping) & self.fields.keys()) - set(without))
        changes = [FieldChange(*self.key, name, at, tie, value_of(name, self.fields[name])) for name in names]
        if (into := id_or_none(self.fields.get("MasterRecordId"))) and into != self.key[1]:
            changes.append(FieldChange(*self.key, MERGED_INTO, at, tie, into))
        return Changes(changes, self._links(at, tie))

    def _links(self, at: datetime, tie: str) -> list[LinkChange]:
        led = (id_or_none(self.fields.get(name)) for name in references(self.key[0], self.mapping))
        ends = dict.fromkeys((PREFIXES[id_[:3]], id_) for id_ in led if id_ and id_[:3] in PREFIXES)
        return [link_between(self.key, end, at, tie, removed=False, is_primary=True) for end in ends if end != self.key]

    @property
    def asked(self) -> Key:
        """By which it is asked for: a table of the organization's own by its name."""
        kind, id_ = self.key
        return self.key if PREFIXES.get(id_[:3]) == kind else (self.entity, id_)

    def creation(self, otherwise: datetime | None = None) -> list[FieldChange]:
        """When it was made."""
        made = self.time("CreatedDate") or otherwise
        return [FieldChange(*self.key, CREATED, made, HEARSAY, True)] if made else []

    def since(self, at: datetime) -> list[FieldChange]:
        """A snapshot tells since when the object is in its state, even if the message of that was lost."""
        since = self.time("LastStageChangeDate") or self.time("LastModifiedDate")
        if "LastStageChangeDate" in self.fields and self.fields["LastStageChangeDate"] is None:
            since = self.time("CreatedDate")  # it never changed
        if since is None or since >= at:
            return []
        names = [name for name in STATES.get(self.key[0], ()) if self.fields.get(name) is not None]
        return [FieldChange(*self.key, name, since, HEARSAY, value_of(name, self.fields[name])) for name in names]

    def snapshot(self, at: datetime, tie: str) -> Changes:
        """A whole row."""
        told = self.told(at, tie)
        return Changes([*told.fields, *self.since(at), *self.creation()], told.links)

    def existence(self, at: datetime, tie: str, *, deleted: bool) -> FieldChange:
        """That it was deleted, or is there."""
        return FieldChange(*self.key, DELETED, at, tie, deleted)


def _row(payload: Mapped[str, Json], mapping: Mapping) -> _Row | None:
    """The object that a message concerns; None where it is none that is kept."""
    entity = str(payload.get("entity"))
    if (kind := object_of(entity, mapping)) is None:
        return None
    return _Row((kind, id18(payload.get("id"), "Id")), dictionary(payload.get("fields")), mapping, entity)


def notification(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    """A notification of an Outbound Message: the row as it is when it is sent, not as it was when it was queued.

    It has no time at which the row was found to be deleted, or there: the ids of notifications, which grow, order
    these among themselves; they yield to whatever has a time.
    """
    row = _row(payload, mapping)
    if row is None:
        return Changes()
    number = id18(payload.get("notification"), "Notification.Id")
    is_gone = payload.get("gone") is True
    existence = row.existence(wire.EPOCH, number, deleted=is_gone)
    if is_gone:
        return Changes([existence], wanted=[row.asked])
    at = row.time("LastModifiedDate", "SystemModstamp", "LastStageChangeDate") or row.time("CreatedDate")
    if at is None and row.key[0] in {"deal", "lead"}:
        raise Unparseable("neither LastModifiedDate nor SystemModstamp is told: add one to the Outbound Message")
    told = row.snapshot(at or wire.EPOCH, number)
    return Changes([*told.fields, existence], told.links)


def change(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    """A change event, divided by `what_changed`: what one commit did to one row, by whichever transport."""
    header = dictionary(payload.get("header"))
    row, type_ = _row(payload, mapping), str(header.get("changeType"))
    if row is None:
        return Changes()
    if type_ == "GAP_OVERFLOW":
        raise Unparseable(f"so many rows of {payload.get('entity')} changed that Salesforce names none: fetch them all")
    at = instant(header.get("commitTimestamp"))
    if at is None:
        raise Unparseable("commitTimestamp is no instant")
    tie = _tie(header)
    existence = [row.existence(at, tie, deleted=_EXISTENCE[type_])] if type_ in _EXISTENCE else []
    if type_.startswith("GAP_"):
        return Changes(existence, wanted=[row.asked])
    told = row.told(at, tie)
    # An enriched field tells what is, and not that it came to be so now: unless it is a flag of a stage that did.
    enriched, states = _Row(row.key, dictionary(payload.get("enriched")), mapping), STATES.get(row.key[0], ())
    shown = enriched.told(at, HEARSAY, without=() if row.fields.keys() & set(states) else states)
    created = [*row.creation(at if type_ == "CREATE" else None), *enriched.creation()]
    wanted_too = [row.asked] if _is_undecoded(header.get("nulledFields")) else []  # some are empty, who knows which
    return Changes([*told.fields, *shown.fields, *created, *existence], [*told.links, *shown.links], wanted_too)


_EXISTENCE = {"DELETE": True, "UNDELETE": False, "GAP_DELETE": True, "GAP_UNDELETE": False}


def _tie(header: Mapped[str, Json]) -> str:
    """By the place in the transaction: commit numbers are larger than some transports can tell."""
    number = header.get("sequenceNumber")
    place = number if isinstance(number, int) and 0 <= number < 10**8 else 0
    return f"{place:08}:{wire.id_of(header.get('transactionKey'), 'transactionKey')}"


def what_changed(message: dict[str, Json]) -> dict[str, Json]:
    """A change event with its `fields` divided into those that the commit changed and `enriched` ones, only added.

    Where the names of changed fields are told, only these changed. A null is an emptied field if it is listed
    as such, or where no such list is sent, if it is told as changed.
    """
    header, fields = dictionary(message.get("header")), dictionary(message.get("fields"))
    type_, names = header.get("changeType"), _names(header, "changedFields")
    lists_nulled = isinstance(header.get("nulledFields"), list)
    emptied = _names(header, "nulledFields") if lists_nulled else names or fields.keys()
    changed: dict[str, Json] = {}
    enriched: dict[str, Json] = {}
    for name, value in fields.items():
        if value is None:
            if type_ == "UPDATE" and name in emptied:
                changed[name] = value
        elif type_ != "DELETE" and (not names or name in names):
            changed[name] = value
        else:
            enriched[name] = value
    return {**message, "fields": changed, "enriched": enriched}


def _names(header: Mapped[str, Json], list_: str) -> frozenset[str]:
    """The names of a list of fields; none where they were left undecoded."""
    told = header.get(list_)
    names = [name for name in told if isinstance(name, str)] if isinstance(told, list) else []
    return frozenset() if _is_undecoded(told) else frozenset(names)


def _is_undecoded(list_: Json) -> bool:
    """Whether names of fields were left as bitmaps."""
    names = list_ if isinstance(list_, list) else []
    return any(isinstance(name, str) and _BITMAP.fullmatch(name) for name in names)


def callout(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    """A row that a Flow or trigger sent by the template, after it was saved, deleted or restored."""
    row = _row(payload, mapping)
    if row is None:
        return Changes()
    sent = instant(payload.get("at"))
    at = row.time("LastModifiedDate", "SystemModstamp", "LastStageChangeDate")
    event = str(payload.get("event"))
    if at is None and sent is None:
        raise Unparseable("neither at nor record.LastModifiedDate is told")
    tie = f"{SNAPSHOT}{sent:%Y%m%d%H%M%S%f}" if sent else SNAPSHOT
    told = row.snapshot(at or sent or wire.EPOCH, tie)
    if event.endswith("_delete"):
        existence = row.existence(sent or at or wire.EPOCH, _DELETION, deleted=True)
    elif event.endswith("_undelete"):
        existence = row.existence(sent or at or wire.EPOCH, _RESTORATION, deleted=False)
    else:
        existence = row.existence(at or sent or wire.EPOCH, tie, deleted=False)
    return Changes([*told.fields, existence], told.links)


_KINDS = {"CALL": ("activity", "Call"), "EMAIL": ("activity", "Email"), "MEETING": ("meeting", None)}
_DONE: Mapped[str, str] = {
    OWNER: "Owner_Id__c", "WhatId": "Opportunity_Id__c", "AccountId": "Account_Id__c", "WhoId": "Contact_Id__c",
    "CallType": "Direction__c", "CallDisposition": "Outcome__c",
}  # fmt: skip
ACTIVITY_FIELDS = frozenset(
    {"CreatedDate", "Activity_Type__c", "Occurred_At__c", "Duration_Seconds__c", "Lead_Id__c", *_DONE.values()}
)
"""The fields of the recommended platform event for activities that no standard object holds."""


def activity_event(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    """A platform event that says that somebody called, wrote or met; it is its own record."""
    told = dictionary(payload.get("fields"))
    found = _KINDS.get(str(told.get("Activity_Type__c")).upper())
    at = instant(told.get("Occurred_At__c")) or instant(told.get("CreatedDate"))
    if found is None:
        return Changes()
    if at is None:
        raise Unparseable("CreatedDate is no instant")
    fields: dict[str, Json] = {name: told[source] for name, source in _DONE.items() if told.get(source) is not None}
    if (lead := told.get("Lead_Id__c")) is not None:
        fields["WhoId"] = lead
    kind, subtype = found
    done = at.isoformat()
    length = wire.value_of(told.get("Duration_Seconds__c"))
    if subtype is None:
        fields |= {"EndDateTime": done, "DurationInMinutes": _minutes(length)}
    else:
        fields |= {"TaskSubtype": subtype, "Status": "Completed", "CompletedDateTime": done}
        fields |= {"IsClosed": True, "CallDurationInSeconds": length}
    return _Row((kind, wire.id_of(payload.get("id"), "EventUuid")), {**fields, "CreatedDate": done}, mapping).snapshot(
        at, SNAPSHOT
    )


def _minutes(seconds: Json) -> Json:
    length = wire.amount(seconds) if isinstance(seconds, str) else None
    return wire.plain(wire.rounded(length / 60)) if length is not None else None


def fetched(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    """A row that was asked for: a snapshot, and that it exists or is gone; or one of a table of changes."""
    at = snapshots.seen_at(payload)
    if "gone" in payload:
        kind = str(payload.get("fetched"))
        return snapshots.gone((object_of(kind, mapping) or kind, id18(payload["gone"], "gone")), at)
    told = dictionary(payload.get("item"))
    if str(told.get("entity")) in HISTORIES:
        return _historic(told, mapping)
    row = _row(told, mapping)
    if row is None:
        return Changes()
    changed = row.time("LastModifiedDate", "SystemModstamp", "LastStageChangeDate") or row.time("CreatedDate")
    seen = snapshots.Snapshot.seen(row.key, changed, at)
    whole = row.snapshot(seen.at, seen.tie)
    existence = row.existence(at, seen.tie, deleted=is_true(row.fields.get("IsDeleted")))
    return Changes([*whole.fields, existence], whole.links)


HISTORIES: Mapped[str, tuple[str, str]] = {
    "OpportunityFieldHistory": ("deal", "OpportunityId"),
    "OpportunityHistory": ("deal", "OpportunityId"),
    "LeadHistory": ("lead", "LeadId"),
}
"""Tables of changes, with the object that they are of and the field that names it."""
HISTORY = "Histories"
"""Where a fetched row has its rows of these tables."""
_HISTORIC_NAMES = {"Owner": OWNER, "Account": "AccountId"}


def historic_fields(entity: str, row: Mapped[str, Json]) -> dict[str, Json]:
    """The fields of a row of changes, under their names: that one field changed, or how the row stood then."""
    if entity == "OpportunityHistory":
        return {name: row[name] for name in ("StageName", "Amount", "CloseDate") if name in row}
    name = str(row.get("Field"))
    name = _HISTORIC_NAMES.get(name, name)
    value = row.get("NewValue")
    # A change of a reference has two rows, one with names of people.
    if name in _HISTORIC_NAMES.values() and value is not None and id_or_none(value) is None:
        return {}
    return {name: value} if "NewValue" in row else {}


def _historic(payload: Mapped[str, Json], mapping: Mapping) -> Changes:
    kind, _ = HISTORIES[str(payload["entity"])]
    at = instant(payload.get("changed_at"))
    if at is None:
        raise Unparseable("CreatedDate is no instant")
    row = _Row((kind, id18(payload.get("of"), "the changed row")), dictionary(payload.get("fields")), mapping)
    return row.told(at, id18(payload.get("id"), "Id"))
