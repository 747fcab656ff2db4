"""Events of other sources that look like the same facts as those of a call."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import local_day
from app.checkup.duplicates import NEAR, Told, suspected
from app.checkup.people import Mapped
from app.core.db import OrganizationId
from app.core.schemas import zone
from app.events.models import Event, Source
from app.events.reading import shown
from app.events.schemas import Event as ShownEvent
from app.teams.models import Identity
from app.teams.structure import load_structure

MOST = 50
"""So many events of the call are compared, with ten times as many of other sources."""


async def twins_of(
    session: AsyncSession, org_id: OrganizationId, known_at: datetime, time_zone: str, event_ids: Sequence[UUID]
) -> list[tuple[str, ShownEvent]]:
    """Pairs of one of these events (its external id) and another source's that the set-up check would suspect."""
    ours = (await session.execute(_events(org_id).where(Event.event_id.in_(event_ids[:MOST])))).all()
    near = [_near(event.type, event.occurred_at) for event, _, _ in ours if event.occurred_at is not None]
    if not near:
        return []
    mine = {event.source_id for event, _, _ in ours}
    others = _events(org_id).where(Event.source_id.not_in(mine), or_(*near)).limit(10 * MOST)
    theirs = {str(row[0].event_id): row for row in (await session.execute(others)).all()}
    mapped = Mapped.of(await load_structure(session, org_id, known_at))
    local = zone(time_zone)
    pairs = suspected([_told(event, key, email, mapped, local) for event, key, email in (*ours, *theirs.values())])
    external = {str(event.event_id): event.external_id for event, _, _ in ours}
    found = [
        (external[one.event_id], theirs[other.event_id])
        for pair in pairs
        for one, other in (pair, pair[::-1])
        if one.event_id in external and other.event_id in theirs
    ]
    events = await shown(session, org_id, [(event, key) for _, (event, key, _) in found])
    return [(name, event) for (name, _), event in zip(found, events, strict=True)]


def _events(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """Events that stand, with their sources' keys and the addresses of those whose they are."""
    return (
        select(Event, Source.key, Identity.email)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .outerjoin(
            Identity,
            and_(Identity.org_id == org_id, Identity.org_id == Event.org_id, Identity.id == Event.identity_id),
        )
        .where(
            Event.org_id == org_id,
            Source.org_id == org_id,
            Event.superseded_at.is_(None),
            not_(Event.retracted),
        )
    )


def _near(kind: str | None, at: datetime) -> ColumnElement[bool]:
    """Of events: of the type, at about the moment."""
    return and_(Event.type == kind, Event.occurred_at.between(at - NEAR, at + NEAR))


def _told(event: Event, source: str, email: str | None, mapped: Mapped, local: ZoneInfo) -> Told:
    who = event.identity_id or event.actor_id
    at = event.occurred_at or datetime.min.replace(tzinfo=UTC)  # of what is not retracted it is known
    phone = event.properties.get("phone")
    return Told(
        event_id=str(event.event_id),
        source=source,
        type=event.type or "",
        at=at,
        person=str(mapped.member(who, local_day(at, local)) or (email or "").lower() or who),
        about=event.about,
        phone=None if phone is None else str(phone),
        money=None if event.amount is None else (event.amount.normalize(), event.currency),
    )
