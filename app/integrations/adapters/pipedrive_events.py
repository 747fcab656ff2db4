"""The events that follow from Pipedrive's records."""

from datetime import datetime
from decimal import Decimal

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.translating import Closing, Translation
from app.integrations.folding import Record
from app.integrations.mapping import Mapping

OWNER = "owner_id"


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead or activity."""
    translation = TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


def _deal(told: Translation) -> list[EventFacts]:
    record, mapping = told.record, told.mapping
    if record.is_deleted:
        return []
    return translating.deal_events(
        told,
        created=record.created_at,
        stage=told.field("stage", "stage_id"),
        pipeline=told.field("pipeline", "pipeline_id"),
        closing=_closing(record, mapping),
        money=told.money("value", "currency"),
    )


def _closing(record: Record, mapping: Mapping) -> Closing | None:
    """By the status, at the time that Pipedrive's own reports use."""
    for status, field in (("won", "won_time"), ("lost", "lost_time")):
        if entry := record.entered("status", {status}):
            told = wire.instant(record.state(field)) if mapping.win_dated_by == "close_date" else None
            return Closing(f"deal.{status}", told or entry.at)
    return None


def _lead(told: Translation) -> list[EventFacts]:
    """A lead that became a deal is deleted by Pipedrive; it has been a lead all the same."""
    record = told.record
    deals = [told.links.created.get(("deal", end.id)) for end in told.links.ends(record.key, "deal")]
    converted = min((made for made in deals if made), default=None)
    if record.is_deleted and not deals:
        return []
    money = told.money("value", "currency")
    return translating.lead_events(told, created=record.created_at, qualified=None, converted=converted, money=money)


def _activity(told: Translation) -> list[EventFacts]:
    """Calls and e-mails count once they are done; a meeting is booked before, and held when done."""
    record = told.record
    kind = told.mapping.activity_types.get(record.text("type") or "")
    if kind is None or record.is_deleted:
        return []
    events = []
    history = record.history("done")
    if kind == "meeting" and record.created_at and history and history[0].value is False:
        events.append(told.activity("meeting.booked", record.created_at))
    if record.state("done") is True and (at := _done_at(record)):
        properties: translating.Properties = {"connected": True} if kind == "call" else {}
        events.append(told.activity(_EVENTS[kind], at, _length(record.text("duration")), properties))
    return events


_EVENTS = {"call": "call.made", "meeting": "meeting.held", "email": "email.sent"}


def _done_at(record: Record) -> datetime | None:
    """When it was marked as done, else when it was first told to be."""
    marked = wire.instant(record.state("marked_as_done_time"))
    entry = next((s for s in reversed(record.transitions("done")) if s.value is True), None)
    return marked or (entry.at if entry else None)


def _length(text: str | None) -> Decimal | None:
    """Seconds of `HH:MM` or `HH:MM:SS`."""
    parts = (text or "").split(":")
    if len(parts) not in {2, 3} or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    hours, minutes, seconds = (int(part) for part in [*parts, "0"][:3])
    return Decimal(hours * 3600 + minutes * 60 + seconds)


TRANSLATIONS = {"deal": _deal, "lead": _lead, "activity": _activity}
