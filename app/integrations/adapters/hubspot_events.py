"""The events that follow from HubSpot's records."""

from datetime import datetime
from decimal import Decimal

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.translating import Closing, Translation
from app.integrations.folding import CREATED, Record

OWNER = "hubspot_owner_id"


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead or activity, or of a contact where that is the lead."""
    translation = _TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


def _deal(told: Translation) -> list[EventFacts]:
    record = told.record
    return translating.deal_events(
        told,
        created=record.created_at or wire.instant(record.state("createdate")),
        stage=told.field("stage", "dealstage"),
        pipeline=told.field("pipeline", "pipeline"),
        closing=_closing(told),
        money=told.money("amount", "deal_currency_code"),
    )


def _closing(told: Translation) -> Closing | None:
    """By the stage in which the deal is, on its close date, by which HubSpot's own reports go.

    A deal that was reopened is not closed, whatever it was before.
    """
    mapping, stage = told.mapping, told.field("stage", "dealstage")
    for type_, stages in (("deal.won", mapping.won_stages), ("deal.lost", mapping.lost_stages)):
        if entry := told.record.entered(stage, stages):
            return Closing(type_, entry.at, told.close_day("closedate"))
    return None


def _lead(told: Translation) -> list[EventFacts]:
    """From the lead object, or from the contact's lifecycle stage, as the mapping says what a lead is."""
    record, mapping = told.record, told.mapping
    if record.object != mapping.lead_object:
        return []
    stage = told.field("stage", "hs_pipeline_stage" if record.object == "lead" else "lifecyclestage")
    made = record.created_at or wire.instant(record.state("hs_createdate"))
    became = record.first_entry(stage, mapping.created_lead_stages)
    qualified = record.first_entry(stage, mapping.qualified_lead_stages)
    converted = record.first_entry(stage, mapping.converted_lead_stages)
    return translating.lead_events(
        told,
        created=made if record.object == "lead" else became and became.at,
        qualified=qualified and qualified.at,
        converted=converted and converted.at,
    )


def _made_at(record: Record) -> datetime | None:
    return record.created_at or wire.instant(record.state("hs_createdate"))


def _call(told: Translation) -> list[EventFacts]:
    """Every attempt counts, and says whether somebody answered."""
    record = told.record
    at = wire.instant(record.state("hs_timestamp")) or _made_at(record)
    if at is None:
        return []
    direction = "call.received" if _upper(record, "hs_call_direction") == "INBOUND" else "call.made"
    length = wire.amount(record.state("hs_call_duration"))
    seconds = wire.rounded(length / 1000) if length is not None and length >= 0 else None
    return [_activity(told, direction, at, seconds, _outcome(told))]


def _outcome(told: Translation) -> translating.Properties:
    """What became of the call: by its disposition, else by its status where that tells."""
    disposition = told.record.text("hs_call_disposition")
    if disposition:
        outcome = told.mapping.dispositions.get(disposition.lower(), disposition)
        return {"outcome": outcome, "connected": outcome in told.mapping.connected_outcomes}
    status = _upper(told.record, "hs_call_status")
    return {"outcome": status.lower(), "connected": False} if status in _UNANSWERED else {}


_UNANSWERED = frozenset({"BUSY", "CANCELED", "FAILED", "NO_ANSWER"})


def _meeting(told: Translation) -> list[EventFacts]:
    record = told.record
    booked = _made_at(record)
    held = _held_at(told)
    events = []
    if booked:
        events.append(_activity(told, "meeting.booked", booked))
    if held:
        start = wire.instant(record.state("hs_meeting_start_time"))
        length = Decimal(int((held - start).total_seconds())) if start and start <= held else None
        events.append(_activity(told, "meeting.held", held, length))
    return events


def _held_at(told: Translation) -> datetime | None:
    """The end of a meeting that is not known to have failed; it counts once that has passed (S3)."""
    record, mapping = told.record, told.mapping
    outcome = _upper(record, "hs_meeting_outcome")
    is_complete = outcome in mapping.completed_outcomes
    if outcome in mapping.not_held_outcomes or (mapping.meeting_held == "completed" and not is_complete):
        return None
    times = (
        wire.instant(record.state(field)) for field in ("hs_meeting_end_time", "hs_meeting_start_time", "hs_timestamp")
    )
    told_at = next((at for at in times if at), None)
    if told_at is None and is_complete:
        entry = record.entered("hs_meeting_outcome", {str(record.state("hs_meeting_outcome"))})
        return entry.at if entry else None
    return told_at


def _email(told: Translation) -> list[EventFacts]:
    """Sent or received by its direction; one that was forwarded to the CRM is neither."""
    record = told.record
    kind = {"EMAIL": "email.sent", "INCOMING_EMAIL": "email.received"}.get(_upper(record, "hs_email_direction"))
    at = wire.instant(record.state("hs_timestamp")) or _made_at(record)
    if kind is None or at is None or _upper(record, "hs_email_status") in {"SCHEDULED", "FAILED"}:
        return []
    return [_activity(told, kind, at)]


def _quote(told: Translation) -> list[EventFacts]:
    """Sent and accepted by the stages of the mapping: HubSpot does not document how a quote's status ends."""
    record, mapping = told.record, told.mapping
    stage = mapping.field_of("quote", "stage", "hs_status")
    sent = record.first_entry(stage, mapping.sent_quote_stages)
    accepted = record.entered(stage, mapping.accepted_quote_stages)
    return translating.quote_events(
        told,
        sent=sent and sent.at,
        accepted=accepted and accepted.at,
        money=told.money("hs_quote_amount", "hs_currency"),
    )


def _feedback(told: Translation) -> list[EventFacts]:
    """A survey that somebody answered; HubSpot tells no owner of it but by the contact."""
    record = told.record
    at = wire.instant(record.state("hs_submission_timestamp")) or _made_at(record)
    if at is None:
        return []
    score = translating.score_of(record.state(told.mapping.field_of("feedback", "score", "hs_value")))
    kind = record.text("hs_survey_type")
    properties: translating.Properties = {"score": score} if score is not None else {}
    if kind:
        properties["kind"] = kind.lower()
    return [told.event("feedback.received", at, owner=told.owner_at(at), about=told.about(at), properties=properties)]


def _activity(
    told: Translation,
    type_: str,
    at: datetime,
    length: Decimal | None = None,
    properties: translating.Properties | None = None,
) -> EventFacts:
    return told.activity(type_, at, length, {**(properties or {}), "automated": _is_automated(told)})


def _is_automated(told: Translation) -> bool:
    """Whether a machine made it, by the change source of its creation."""
    history = told.record.history(CREATED)
    return bool(history) and history[0].value in told.mapping.automated_sources


def _upper(record: Record, field: str) -> str:
    return (record.text(field) or "").upper()


_TRANSLATIONS = {
    "deal": _deal,
    "lead": _lead,
    "contact": _lead,
    "call": _call,
    "meeting": _meeting,
    "email": _email,
    "quote": _quote,
    "feedback": _feedback,
}
NEEDED = {
    "deal": (OWNER, "dealstage", "amount"),
    "lead": (OWNER, CREATED),
    "call": (OWNER, CREATED),
    "meeting": (OWNER, "hs_meeting_end_time"),
    "email": (OWNER, "hs_email_direction"),
    "quote": (OWNER, "hs_status", "hs_quote_amount"),
    "feedback": ("hs_submission_timestamp", "hs_value"),
}
"""Fields without which nothing follows, or nobody is credited."""
