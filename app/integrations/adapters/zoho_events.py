"""The events that follow from Zoho's records."""

from collections.abc import Mapping as Mapped
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.translating import Closing, Translation
from app.integrations.folding import Record
from app.integrations.mapping import Mapping

OWNER = "Owner"
CONVERTED = frozenset({"Converted", "Converted__s", "$converted"})
"""Names under which versions of the API tell that a lead was converted."""

# Any: as they would be configured.
DEFAULTS: Mapped[str, Any] = {
    "won_stages": ["Closed Won"],
    "lost_stages": ["Closed Lost", "Closed-Lost to Competition", "Closed Lost to Competition"],
    "qualified_lead_stages": ["Pre-Qualified", "Qualified"],
    "converted_lead_stages": ["Converted"],
    "sent_quote_stages": ["Delivered", "Confirmed", "Closed Won"],
    "accepted_quote_stages": ["Confirmed", "Closed Won"],
    "dispositions": {
        "interested": "connected",
        "not interested": "connected",
        "requested more info": "connected",
        "requested call back": "connected",
        "no response/busy": "no_answer",
        "invalid number": "wrong_number",
    },
}

_STANDARD = {
    ("deal", "stage"): "Stage", ("deal", "pipeline"): "Pipeline", ("deal", "close_date"): "Closing_Date",
    ("deal", "amount"): "Amount", ("deal", "currency"): "Currency", ("lead", "stage"): "Lead_Status",
    ("quote", "stage"): "Quote_Stage", ("quote", "amount"): "Grand_Total", ("quote", "currency"): "Currency",
    ("call", "start"): "Call_Start_Time", ("call", "duration"): "Call_Duration_in_seconds",
    ("call", "outcome"): "Call_Result", ("call", "direction"): "Call_Type",
    ("meeting", "start"): "Start_DateTime", ("meeting", "end"): "End_DateTime",
}  # fmt: skip


def owner_field(record: Record, mapping: Mapping) -> str:
    """The field that holds the owner's id."""
    return mapping.field_of(record.object, "owner", OWNER)


def needed(record: Record, mapping: Mapping) -> list[str]:
    """Fields without which nothing follows of a record, or nobody is credited."""
    role = _NEEDED.get(record.object)
    if role is None:
        return []
    return [owner_field(record, mapping), *([_name(record.object, role, mapping)] if role else [])]


_NEEDED = {"deal": "stage", "lead": "", "quote": "stage", "call": "start", "meeting": "end"}


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead, quote, call or meeting."""
    translation = _TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


def _name(object: str, role: str, mapping: Mapping) -> str:  # noqa: A002
    return mapping.field_of(object, role, _STANDARD.get((object, role), ""))


def _of(told: Translation, role: str) -> str:
    """The field of the record that plays a role."""
    return _name(told.record.object, role, told.mapping)


def _deal(told: Translation) -> list[EventFacts]:
    record = told.record
    if record.is_gone:
        return []
    return translating.deal_events(
        told,
        created=record.created_at,
        stage=_of(told, "stage"),
        pipeline=_of(told, "pipeline"),
        closing=_closing(told),
        money=told.money(_of(told, "amount"), _of(told, "currency")),
    )


def _closing(told: Translation) -> Closing | None:
    """By the stage in which the deal is, on its closing date, by which Zoho's own reports go."""
    record, mapping = told.record, told.mapping
    for type_, stages in (("deal.won", mapping.won_stages), ("deal.lost", mapping.lost_stages)):
        if entry := record.entered(_of(told, "stage"), stages):
            return Closing(type_, entry.at, told.close_day(_of(told, "close_date")))
    return None


def _lead(told: Translation) -> list[EventFacts]:
    """A lead that was converted leaves its module; it has been a lead all the same."""
    record, mapping, stage = told.record, told.mapping, _of(told, "stage")
    converted = _converted_at(told)
    if record.is_deleted and converted is None:
        return []
    qualified = record.first_entry(stage, mapping.qualified_lead_stages)
    return translating.lead_events(
        told, created=record.created_at, qualified=qualified and qualified.at, converted=converted
    )


def _converted_at(told: Translation) -> datetime | None:
    """When it says itself that it was converted, else when it was first seen to be, or a deal was made of it."""
    record = told.record
    if at := wire.instant(record.state("Converted_Date_Time")):
        return at
    seen = [stamp.at for field in CONVERTED for stamp in record.history(field) if stamp.value is True]
    if entry := record.first_entry(_of(told, "stage"), told.mapping.converted_lead_stages):
        seen.append(entry.at)
    deals = [told.links.created.get(("deal", end.id)) for end in told.links.ends(record.key, "deal")]
    return min(seen, default=None) or min((made for made in deals if made), default=None)


def _quote(told: Translation) -> list[EventFacts]:
    """Sent once it was delivered; accepted while it is confirmed."""
    record, mapping, stage = told.record, told.mapping, _of(told, "stage")
    if record.is_gone:
        return []
    sent = record.first_entry(stage, mapping.sent_quote_stages)
    accepted = record.entered(stage, mapping.accepted_quote_stages)
    money = told.money(_of(told, "amount"), _of(told, "currency"))
    return translating.quote_events(told, sent=sent and sent.at, accepted=accepted and accepted.at, money=money)


_NOT_MADE = frozenset({"scheduled", "overdue", "cancelled", "canceled"})


def _call(told: Translation) -> list[EventFacts]:
    """Every call that took place or was missed; one that is only planned is none yet."""
    record = told.record
    at = wire.instant(record.state(_of(told, "start")))
    status = (record.text("Outgoing_Call_Status") or "").lower()
    if record.is_gone or at is None or status in _NOT_MADE:
        return []
    direction = (record.text(_of(told, "direction")) or "").lower()
    length = _length(told)
    kind = "call.received" if direction in {"inbound", "missed"} else "call.made"
    return [told.activity(kind, at, length, _outcome(told, direction, length))]


def _length(told: Translation) -> Decimal | None:
    """Seconds, of a number of them or of `mm:ss`."""
    for name in (_of(told, "duration"), "Call_Duration"):
        text = told.record.text(name) or ""
        parts = text.split(":")
        if len(parts) in {2, 3} and all(part.isascii() and part.isdigit() and len(part) <= 5 for part in parts):
            seconds = 0
            for part in parts:
                seconds = seconds * 60 + int(part)
            return Decimal(seconds)
        length = wire.amount(text)
        if length is not None and length >= 0:
            return length
    return None


def _outcome(told: Translation, direction: str, length: Decimal | None) -> translating.Properties:
    """By its result, else a call connected if it lasted."""
    if direction == "missed":
        return {"outcome": "missed", "connected": False}
    if result := told.record.text(_of(told, "outcome")):
        outcome = told.mapping.dispositions.get(result.lower(), result)
        return {"outcome": outcome, "connected": outcome in told.mapping.connected_outcomes}
    return {} if length is None else {"connected": length > 0}


def _meeting(told: Translation) -> list[EventFacts]:
    record = told.record
    if record.is_gone:
        return []
    events = [told.activity("meeting.booked", record.created_at)] if record.created_at else []
    start, end = wire.instant(record.state(_of(told, "start"))), wire.instant(record.state(_of(told, "end")))
    if (held := end or start) and _was_held(told):
        length = Decimal(int((held - start).total_seconds())) if start and start < held else None
        events.append(told.activity("meeting.held", held, length))
    return events


def _was_held(told: Translation) -> bool:
    """Zoho has no outcome of meetings, but a field may be named that holds one."""
    mapping = told.mapping
    outcome = (told.record.text(_of(told, "outcome")) or "").upper()
    is_complete = outcome in mapping.completed_outcomes
    return outcome not in mapping.not_held_outcomes and (mapping.meeting_held == "ended" or is_complete)


_TRANSLATIONS = {"deal": _deal, "lead": _lead, "quote": _quote, "call": _call, "meeting": _meeting}
