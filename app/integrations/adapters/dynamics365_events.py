"""The events that follow from Dynamics 365's records."""

from datetime import date, datetime, time
from decimal import Decimal

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.translating import Closing, Money, Translation
from app.integrations.folding import Record, Value
from app.integrations.mapping import Mapping

OWNER, STATE, CURRENCY = "ownerid", "statecode", "transactioncurrencyid"
OPEN, COMPLETED, CANCELED = "0", "1", "2"


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead, quote or activity."""
    translation = _TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


def _deal(told: Translation) -> list[EventFacts]:
    record, mapping = told.record, told.mapping
    return translating.deal_events(
        told,
        created=record.created_at,
        stage=mapping.field_of("deal", "stage", "salesstage"),
        pipeline=mapping.field_of("deal", "pipeline", "processid"),
        closing=_closing(record, mapping),
        money=_money(told, "deal", "actualvalue", "estimatedvalue"),
    )


def _closing(record: Record, mapping: Mapping) -> Closing | None:
    for type_, state in (("deal.won", COMPLETED), ("deal.lost", CANCELED)):
        if entry := record.entered(STATE, {state}):
            return Closing(type_, entry.at, _close_date(record, mapping))
    return None


def _close_date(record: Record, mapping: Mapping) -> date | None:
    """The local day of the actual close date."""
    if mapping.win_dated_by != "close_date":
        return None
    return local_day(record.state(mapping.field_of("deal", "close_date", "actualclosedate")), mapping.time_zone)


def local_day(told: Value, time_zone: str) -> date | None:
    """The day that a field says: midnight in UTC is a date without a time, else an instant."""
    at = wire.instant(told) if isinstance(told, str) else None
    return translating.local_day(told, "UTC" if at and at.time() == time() else time_zone)


def _money(told: Translation, kind: str, *standard: str) -> Money:
    """The configured field, else the first of the standard ones that is told."""
    record, mapping = told.record, told.mapping
    fields = [mapping.field_of(kind, "amount", "")] if mapping.field_of(kind, "amount", "") else standard
    amounts = (wire.amount(record.state(name)) for name in fields)
    amount = next((each for each in amounts if each is not None), None)
    return translating.NO_MONEY if amount is None else Money(amount, _currency(record, mapping))


def _currency(record: Record, mapping: Mapping) -> str | None:
    """By the mapping of currency ids; where that names none, the organization has one currency, the source's."""
    field = mapping.field_of(record.object, "currency", CURRENCY)
    is_only_one = field == CURRENCY and not mapping.currencies
    return None if is_only_one else translating.currency_of(record.state(field), mapping)


def _lead(told: Translation) -> list[EventFacts]:
    """Qualified by its state; converted when an opportunity came of it."""
    record = told.record
    qualified = record.first_entry(STATE, {COMPLETED})
    deals = [told.links.created.get(("deal", end.id)) for end in told.links.ends(record.key, "deal")]
    return translating.lead_events(
        told,
        created=record.created_at,
        qualified=qualified and qualified.at,
        converted=min((made for made in deals if made), default=None),
    )


def _quote(told: Translation) -> list[EventFacts]:
    """Sent when it was activated, accepted when it was won."""
    record = told.record
    sent = record.first_entry(STATE, {COMPLETED, "2"})
    accepted = record.entered(STATE, {"2"})
    return translating.quote_events(
        told, sent=sent and sent.at, accepted=accepted and accepted.at, money=_money(told, "quote", "totalamount")
    )


def _call(told: Translation) -> list[EventFacts]:
    """Every call that was completed; one that only left a message did not connect."""
    record = told.record
    if (at := _completed_at(record)) is None:
        return []
    is_outgoing = record.state("directioncode") is not False
    properties: translating.Properties = {"connected": record.state("leftvoicemail") is not True}
    kind = "call.made" if is_outgoing else "call.received"
    return [told.activity(kind, at, _minutes(record, "actualdurationminutes"), properties)]


def _completed_at(record: Record) -> datetime | None:
    """When an activity that is completed ended, as far as it is told."""
    entry = record.entered(STATE, {COMPLETED})
    return (wire.instant(record.state("actualend")) or entry.at) if entry else None


def _meeting(told: Translation) -> list[EventFacts]:
    record, mapping = told.record, told.mapping
    state = record.state(STATE)
    ended = wire.instant(record.state("scheduledend"))
    held = _completed_at(record) if state == COMPLETED else ended
    if state == CANCELED or (mapping.meeting_held == "completed" and state != COMPLETED):
        held = None
    length = _minutes(record, "actualdurationminutes") or _minutes(record, "scheduleddurationminutes")
    start = wire.instant(record.state("actualstart")) or wire.instant(record.state("scheduledstart"))
    if length is None and held and start and start <= held:
        length = Decimal(int((held - start).total_seconds()))
    events = [told.activity("meeting.booked", record.created_at)] if record.created_at else []
    return [*events, told.activity("meeting.held", held, length)] if held else events


_SENT, _RECEIVED = "3", "4"


def _email(told: Translation) -> list[EventFacts]:
    """Sent or received by its status, else by its direction; drafts and failed ones are neither."""
    record = told.record
    at = wire.instant(record.state("senton")) or _completed_at(record)
    if at is None or record.state(STATE) != COMPLETED:
        return []
    direction = {_SENT: "email.sent", _RECEIVED: "email.received"}.get(record.text("statuscode") or "")
    if direction is None and record.text("statuscode") is None:
        direction = "email.received" if record.state("directioncode") is False else "email.sent"
    return [told.activity(direction, at)] if direction else []


def _minutes(record: Record, field: str) -> Decimal | None:
    """Seconds of a field in minutes."""
    length = wire.amount(record.state(field))
    return wire.rounded(length * 60) if length is not None and length >= 0 else None


_TRANSLATIONS = {"deal": _deal, "lead": _lead, "quote": _quote, "call": _call, "meeting": _meeting, "email": _email}
NEEDED = {
    "deal": (OWNER, STATE),
    "lead": (OWNER, STATE),
    "quote": (OWNER, STATE),
    "call": (OWNER, STATE),
    "meeting": (OWNER, "scheduledend"),
    "email": (OWNER, STATE),
}
"""Fields without which nothing follows, or nobody is credited."""
