"""The events that follow from Fxiaoke's objects."""

from collections.abc import Mapping as Mapped
from typing import Any

from app.events.facts import EventFacts
from app.integrations.adapters import translating, wire
from app.integrations.adapters.translating import Closing, Translation
from app.integrations.folding import Record
from app.integrations.mapping import Mapping

OWNER, CREATED_BY, API_NAME = "owner", "created_by", "object_describe_api_name"
SYSTEM_USER = "-10000"
"""Who does what nobody did. As an owner it is nobody: it is no id of an employee."""

ACTIVITY_TYPES = ("interactive_types", "active_record_type")
"""Fields that tell of a sales record what it was; the first that the mapping knows counts."""

# Any: as they would be configured.
DEFAULTS: Mapped[str, Any] = {
    "won_stages": ["赢单", "won"],
    "lost_stages": ["输单", "lost"],
    "qualified_lead_stages": [],
    "converted_lead_stages": ["transformed"],
    "sent_quote_stages": ["normal"],
    "activity_types": {
        "call": "call",
        "phone": "call",
        "电话": "call",
        "meeting": "meeting",
        "visit": "meeting",
        "会议": "meeting",
        "在线会议": "meeting",
        "拜访": "meeting",
        "现场拜访": "meeting",
        "email": "email",
        "邮件": "email",
    },
}

_OLD_DEAL = "OpportunityObj"
_STANDARD = {
    "OpportunityObj": {"amount": "expected_deal_amount", "close_date": "expected_deal_closed_date", "status": "status"},
    "deal": {"amount": "amount", "close_date": "close_date", "status": "sales_status", "stage": "sales_stage",
             "pipeline": "sales_process_id", "currency": "mc_currency"},
    "lead": {"stage": "biz_status"},
    "quote": {"stage": "life_status", "amount": "quote_amount", "currency": "mc_currency"},
}  # fmt: skip
_STATUSES = {"deal.won": frozenset({"2", "赢单", "won"}), "deal.lost": frozenset({"3", "输单", "lost"})}


def translate(told: Translation) -> list[EventFacts]:
    """The events of a deal, lead, quote or activity."""
    translation = _TRANSLATIONS.get(told.record.object)
    return translation(told) if translation else []


def _of(told: Translation, role: str) -> str:
    """The field of the record that plays a role; deals of the old kind have other ones."""
    record, mapping = told.record, told.mapping
    standard = _STANDARD.get(record.object, {}).get(role, "")
    old = _STANDARD[_OLD_DEAL].get(role) if record.text(API_NAME) == _OLD_DEAL else None
    return mapping.field_of(record.object, role, old or standard)


def _deal(told: Translation) -> list[EventFacts]:
    return translating.deal_events(
        told,
        created=told.record.created_at,
        stage=_of(told, "stage"),
        pipeline=_of(told, "pipeline"),
        closing=_closing(told),
        money=told.money(_of(told, "amount"), _of(told, "currency")),
    )


def _closing(told: Translation) -> Closing | None:
    """By the stage, else by the status; on the close date, if that dates a win."""
    record, mapping = told.record, told.mapping
    for type_, stages in (("deal.won", mapping.won_stages), ("deal.lost", mapping.lost_stages)):
        by_status = record.entered(_of(told, "status"), _STATUSES[type_])
        if entry := record.entered(_of(told, "stage"), stages) or by_status:
            return Closing(type_, entry.at, told.close_day(_of(told, "close_date")))
    return None


def _lead(told: Translation) -> list[EventFacts]:
    record, mapping, stage = told.record, told.mapping, _of(told, "stage")
    qualified = record.first_entry(stage, mapping.qualified_lead_stages)
    converted = record.first_entry(stage, mapping.converted_lead_stages)
    deals = [told.links.created.get(("deal", end.id)) for end in told.links.ends(record.key, "deal")]
    return translating.lead_events(
        told,
        created=record.created_at,
        qualified=qualified and qualified.at,
        converted=converted.at if converted else min((made for made in deals if made), default=None),
    )


def _quote(told: Translation) -> list[EventFacts]:
    record, mapping, stage = told.record, told.mapping, _of(told, "stage")
    sent = record.first_entry(stage, mapping.sent_quote_stages)
    accepted = record.entered(stage, mapping.accepted_quote_stages)
    money = told.money(_of(told, "amount"), _of(told, "currency"))
    return translating.quote_events(told, sent=sent and sent.at, accepted=accepted and accepted.at, money=money)


_EVENTS = {"call": "call.made", "meeting": "meeting.held", "email": "email.sent"}


def _activity(told: Translation) -> list[EventFacts]:
    """A sales record (销售记录) is written after what it tells of: when it was made counts."""
    record = told.record
    times = (wire.instant(record.state(_of(told, role))) for role in ("end", "start"))
    at = next((each for each in times if each), record.created_at)
    kind = _kind(record, told.mapping)
    if kind is None or at is None:
        return []
    return [told.activity(_EVENTS[kind], at, properties={"automated": record.state(CREATED_BY) == SYSTEM_USER})]


def _kind(record: Record, mapping: Mapping) -> str | None:
    """What it counts as; an object that the mapping says is a call is one."""
    if record.object in _EVENTS:
        return record.object
    told = (mapping.activity_types.get(record.text(field) or "") for field in ACTIVITY_TYPES)
    return next((kind for kind in told if kind), None)


_TRANSLATIONS = {
    "deal": _deal,
    "lead": _lead,
    "quote": _quote,
    **dict.fromkeys(("activity", "call", "meeting", "email"), _activity),
}
