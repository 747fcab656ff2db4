"""The events that follow from Salesforce's records."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.salesforce_fields import OWNER, PREFIXES, id_or_none, references
from app.integrations.adapters.translating import Closing, Translation
from app.integrations.folding import CREATED, Record, Value
from app.integrations.mapping import Mapping


class Told(Translation):
    """A record of Salesforce. A reference that was emptied, or leads elsewhere now, leads no longer where it did."""

    __slots__ = ()

    def own(self, kind: str) -> str | None:
        """The object of a kind that this record leads to now, or that leads to it."""
        names = [name for name in references(self.record.object, self.mapping) if self.record.history(name)]
        if not names or (self.record.object, kind) == ("deal", "lead"):
            return super().own(kind)
        told = [id_or_none(self.record.state(name)) for name in names]
        led = {self.links.resolve((PREFIXES.get(id_[:3], ""), id_)) for id_ in told if id_}
        return next((end.id for end in self.links.ends(self.record.key, kind) if (kind, end.id) in led), None)


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead, quote, task or meeting."""
    translation = _TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


class _Moment(NamedTuple):
    """How a record stood from an instant on: the value that decides, and what flags say of it."""

    at: datetime
    value: Value
    flags: tuple[Value, ...]


def _moments(record: Record, field: str, *flags: str) -> list[_Moment]:
    """Each instant at which something was told. A flag counts only while the value stays for which it was told.

    Salesforce derives flags such as `IsWon` from the stage, but does not tell them with every change of it.
    """
    values, *states = ({stamp.at: stamp.value for stamp in record.history(name)} for name in (field, *flags))
    told: list[tuple[datetime, Value]] = []
    value: Value = None
    for at in sorted({at for each in (values, *states) for at in each}):
        value = values.get(at, value)
        told.append((at, value))
    found = []
    for value, run in groupby(told, key=lambda each: each[1]):
        instants = [at for at, _ in run]
        filled = [_filled([each.get(at) for at in instants]) for each in states]
        found += [_Moment(at, value, then) for at, then in zip(instants, zip(*filled, strict=True), strict=True)]
    return found


def _filled(values: Sequence[Value]) -> list[Value]:
    """Each gap has what was told before it, those at the beginning what is told first."""
    known = next((value for value in values if value is not None), None)
    found = []
    for value in values:
        known = known if value is None else value
        found.append(known)
    return found


def _entry(moments: Sequence[_Moment], judged: Callable[[_Moment], str | None]) -> tuple[str, datetime] | None:
    """As what a record is judged now, and since when; None if it is nothing."""
    now = judged(moments[-1]) if moments else None
    since = None
    for moment in reversed(moments):
        if judged(moment) != now:
            break
        since = moment.at
    return (now, since) if now and since else None


CURRENCY = "CurrencyIsoCode"
"""Organizations with one currency do not tell it: then it is the source's."""


def _deal(told: Translation) -> list[EventFacts]:
    return translating.deal_events(
        told,
        created=told.record.created_at,
        stage=told.field("stage", "StageName"),
        pipeline=told.field("pipeline", "RecordTypeId"),
        closing=_closing(told),
        money=told.money("Amount", CURRENCY),
    )


def _closing(told: Translation) -> Closing | None:
    """By what Salesforce says of the stage, else by the stages of the mapping."""
    mapping = told.mapping

    def judged(moment: _Moment) -> str | None:
        is_won, is_closed = moment.flags
        if is_won is True or (is_won is None and is_closed is not False and moment.value in mapping.won_stages):
            return "deal.won"
        if is_closed is True or (is_closed is None and moment.value in mapping.lost_stages):
            return "deal.lost"
        return None

    moments = _moments(told.record, told.field("stage", "StageName"), "IsWon", "IsClosed")
    entry = _entry(moments, judged)
    return Closing(*entry, told.close_day("CloseDate")) if entry else None


def _lead(told: Translation) -> list[EventFacts]:
    record, mapping = told.record, told.mapping
    qualified = record.first_entry(mapping.field_of("lead", "stage", "Status"), mapping.qualified_lead_stages)
    return translating.lead_events(
        told,
        created=record.created_at,
        qualified=qualified and qualified.at,
        converted=_converted_at(record, mapping),
        money=told.money("", CURRENCY),
    )


def _converted_at(record: Record, mapping: Mapping) -> datetime | None:
    """When it was told to be converted, on the day that Salesforce gives for it; else by the status."""
    changes = record.transitions("IsConverted")
    if not changes:
        entry = record.first_entry(mapping.field_of("lead", "stage", "Status"), mapping.converted_lead_stages)
        return entry and entry.at
    if changes[-1].value is not True:
        return None
    at, zone = changes[-1].at, ZoneInfo(mapping.time_zone)
    day = translating.local_day(record.state("ConvertedDate"), mapping.time_zone)
    return at if day is None or day == at.astimezone(zone).date() else datetime.combine(day, time(12), zone)


def _quote(told: Translation) -> list[EventFacts]:
    record, mapping = told.record, told.mapping
    stage = mapping.field_of("quote", "stage", "Status")
    sent = record.first_entry(stage, mapping.sent_quote_stages)
    accepted = record.entered(stage, mapping.accepted_quote_stages)
    return translating.quote_events(
        told, sent=sent and sent.at, accepted=accepted and accepted.at, money=told.money("GrandTotal", CURRENCY)
    )


def _task(told: Translation) -> list[EventFacts]:
    """A call or an e-mail, once it is completed."""
    record, types = told.record, told.mapping.activity_types
    subtype = record.text("TaskSubtype") or ""
    kind = types.get(subtype) or types.get(record.text("Type") or "")
    at = _completed_at(told)
    if at is None or kind is None:
        return []
    if kind == "call":
        return [_call(told, at)]
    type_ = "email.sent" if kind == "email" else "meeting.held"
    return [told.activity(type_, at, properties={"automated": subtype == "ListEmail"})]


def _completed_at(told: Translation) -> datetime | None:
    def judged(moment: _Moment) -> str | None:
        is_closed = moment.flags[0]
        is_done = str(moment.value).upper() in told.mapping.completed_outcomes
        return "done" if is_closed is True or (is_closed is None and is_done) else None

    if (entry := _entry(_moments(told.record, "Status", "IsClosed"), judged)) is None:
        return None
    at = wire.instant(told.record.state("CompletedDateTime")) or entry[1]
    return at if at > wire.EPOCH else None


def _call(told: Translation, at: datetime) -> EventFacts:
    """Completed, it reached somebody, unless its disposition or length says otherwise."""
    record, mapping = told.record, told.mapping
    direction = (record.text(mapping.field_of("activity", "direction", "CallType")) or "").lower()
    length = _length(record, mapping.field_of("activity", "duration", "CallDurationInSeconds"), 1)
    properties: translating.Properties = {"automated": False, "connected": length is None or length > 0}
    if disposition := record.text(mapping.field_of("activity", "outcome", "CallDisposition")):
        outcome = mapping.dispositions.get(disposition.lower(), disposition)
        properties |= {"outcome": outcome, "connected": outcome.lower() in mapping.connected_outcomes}
    if direction == "internal":
        properties["direction"] = direction
    return told.activity("call.received" if direction == "inbound" else "call.made", at, length, properties)


def _meeting(told: Translation) -> list[EventFacts]:
    """Booked when it was made, held when it has ended; the copies of those invited are none of their own."""
    record, mapping = told.record, told.mapping
    if record.state("IsChild") is True:
        return []
    start = wire.instant(record.state(mapping.field_of("meeting", "start", "StartDateTime")))
    start = start or wire.instant(record.state("ActivityDateTime"))
    length = _length(record, mapping.field_of("meeting", "duration", "DurationInMinutes"), 60)
    end = wire.instant(record.state(mapping.field_of("meeting", "end", "EndDateTime")))
    if end is None and start is not None and length is not None:
        end = start + timedelta(seconds=int(length))
    if length is None and start and end and start <= end:
        length = Decimal(int((end - start).total_seconds()))
    events = [told.activity("meeting.booked", record.created_at)] if record.created_at else []
    if end is None or not _may_be_held(record, mapping):
        return events
    # All-day events have dates, told as midnights in UTC.
    day = end.date() if record.state("IsAllDayEvent") is True else None
    return [*events, told.activity("meeting.held", end, None if day else length, on=day)]


def _may_be_held(record: Record, mapping: Mapping) -> bool:
    """Salesforce does not tell whether a meeting took place, but a field of the organization's own may."""
    outcome = (record.text(mapping.field_of("meeting", "outcome", "")) or "").upper()
    if mapping.meeting_held == "completed":
        return outcome in mapping.completed_outcomes
    return outcome not in mapping.not_held_outcomes


_LONGEST = Decimal(10**8)


def _length(record: Record, field: str, seconds: int) -> Decimal | None:
    """Seconds of a field in units of so many."""
    length = wire.amount(record.state(field))
    return wire.rounded(length * seconds) if length is not None and 0 <= length < _LONGEST else None


_TRANSLATIONS = {"deal": _deal, "lead": _lead, "quote": _quote, "activity": _task, "meeting": _meeting}
NEEDED = {
    "deal": (OWNER, "StageName", CREATED),
    "lead": (OWNER, "Status", CREATED),
    "quote": ("Status",),
    "activity": (OWNER, "Status", "TaskSubtype"),
    "meeting": (OWNER, "EndDateTime"),
}
"""Fields without which nothing follows, or nobody is credited."""
