"""Reading what systems and posted events tell of deals that are open."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    collate,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.calendars.periods import DayRange
from app.core.db import OrganizationId, known_by
from app.events.models import Event, EventCredit, EventHead
from app.events.sources import Source
from app.goals.open_deals import CLOSED, CLOSES_ON, OPENED
from app.integrations.models import CrmRecord, SourceConnection
from app.teams.models import Identity

_DAY = timedelta(days=1)
# As the index ix_event_closing says it: with a parameter it would be of no use.
_TELLS_CLOSING: ColumnElement[bool] = literal_column(f"event.properties ?| ARRAY['{CLOSES_ON[0]}', '{CLOSES_ON[1]}']")
_THING: ColumnElement[str] = Event.about["deal"].astext


def connected(org_id: OrganizationId, systems: Collection[str]) -> Select[*tuple[Any, ...]]:
    """The connected sources of these systems, in the order of their keys."""
    return (
        select(
            Source.id, Source.key, Source.system, Source.currency, SourceConnection.account_id, SourceConnection.mapping
        )
        .join(SourceConnection, and_(SourceConnection.org_id == Source.org_id, SourceConnection.source_id == Source.id))
        .where(Source.org_id == org_id, SourceConnection.org_id == org_id, Source.system.in_(sorted(systems)))
        .order_by(Source.key)
    )


@dataclass(frozen=True)
class Sought:
    """Deals of a source whose fields may say that they close within some days."""

    source_id: UUID
    fields: Sequence[str]
    days: DayRange


def open_records(
    org_id: OrganizationId, sought: Sought, after: str, most: int
) -> Select[str, str | None, dict[str, Any]]:
    """A page of the records: deals that are there, and of which no event says that they were won or lost."""
    record = CrmRecord
    told = func.coalesce(*(func.nullif(record.state[name].astext, "") for name in sought.fields), "")
    won_or_lost = select(EventHead.event_id).where(
        EventHead.org_id == org_id,
        EventHead.source_id == sought.source_id,
        EventHead.external_id.in_([func.concat("deal:", record.external_id, f":{type_}") for type_ in CLOSED]),
        EventHead.revision > 0,
        EventHead.retracted.is_(False),
    )
    return (
        select(record.external_id, record.label, record.state)
        .where(
            record.org_id == org_id,
            record.source_id == sought.source_id,
            record.object == "deal",
            record.external_id > after,
            record.is_deleted.is_(False),
            record.merged_into.is_(None),
            _may_lie_in(told, sought.days),
            ~won_or_lost.exists(),
        )
        .order_by(record.external_id)
        .limit(most)
    )


def posted_deals(
    org_id: OrganizationId, known_at: datetime, at: datetime, connected_ids: Sequence[UUID], days: DayRange
) -> Select[str]:
    """The deals of which a posted event says that they may close within some days, as known, by T."""
    told = func.coalesce(*(func.nullif(Event.properties[name].astext, "") for name in CLOSES_ON))
    return (
        select(_THING)
        .where(
            *_known(org_id, known_at, at),
            Event.type.in_(OPENED),
            Event.source_id.not_in(connected_ids),
            _TELLS_CLOSING,
            _THING.is_not(None),
            _may_lie_in(told, days),
        )
        .distinct()
    )


def events_of(
    org_id: OrganizationId, known_at: datetime, at: datetime, connected_ids: Sequence[UUID], deals: Sequence[str]
) -> Select[*tuple[Any, ...]]:
    """All that opens or closes these deals, as `open_deals.Posted` says it."""
    told = func.coalesce(*(func.nullif(Event.properties[name].astext, "") for name in CLOSES_ON))
    return select(
        _THING,
        Event.type,
        Event.occurred_at,
        Event.external_id,
        Event.row_id,
        Event.identity_id,
        Event.is_shared,
        Event.amount,
        Event.currency,
        told,
        Event.source_id.in_(connected_ids),
    ).where(
        *_known(org_id, known_at, at),
        Event.type.in_([*OPENED, *CLOSED]),
        any_(literal(list(deals), ARRAY(Text()))) == _THING,
    )


def credits_of(org_id: OrganizationId, rows: Sequence[UUID]) -> Select[*tuple[Any, ...]]:
    """Whose these events are, where several people share them."""
    return select(EventCredit.row_id, EventCredit.role, EventCredit.identity_id, EventCredit.share).where(
        EventCredit.org_id == org_id, EventCredit.row_id == any_(literal(list(rows), ARRAY(Uuid())))
    )


def people_of(org_id: OrganizationId, source_id: UUID, identities: Collection[UUID]) -> Select[str, UUID]:
    """How a source calls these identities, as far as they are its own."""
    return select(Identity.external_id, Identity.id).where(
        Identity.org_id == org_id,
        Identity.source_id == source_id,
        Identity.id == any_(literal(list(identities), ARRAY(Uuid()))),
    )


def _known(org_id: OrganizationId, known_at: datetime, at: datetime) -> list[ColumnElement[bool]]:
    return [Event.org_id == org_id, known_by(Event, known_at), Event.retracted.is_(False), Event.occurred_at <= at]


def _may_lie_in(told: ColumnElement[str | None], days: DayRange) -> ColumnElement[bool]:
    """Whether a text may say a day in these: a date or instant, or milliseconds since 1970; else it is looked at."""
    start, end = days.start - _DAY, days.end + _DAY  # zones
    since, until = (str(int(datetime.combine(day, time(), UTC).timestamp() * 1000)) for day in (start, end))
    text = collate(told, "C")
    is_iso, is_ms = told.regexp_match("^[0-9]{4}-[0-9]{2}-[0-9]{2}"), told.regexp_match("^[0-9]{13}$")
    return or_(
        and_(is_iso, text >= str(start), text < str(end)),
        and_(is_ms, text >= since, text < until),
        and_(told != "", ~is_iso, ~is_ms),
    )
