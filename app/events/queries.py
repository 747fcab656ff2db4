"""Reading of the ledger."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, column, false, func, or_, select, union, values

from app.accounts.access import Principal
from app.core.db import OrganizationId
from app.events.catalogue import CATALOGUE, SCORE
from app.events.models import CloudEventSource, Event, EventCredit, EventHead, EventType, Source
from app.teams.models import Identity


def sources_by_key(org_id: OrganizationId, keys: set[str]) -> Select[*tuple[Any, ...]]:
    """Key, id and system of the sources with these keys."""
    return select(Source.key, Source.id, Source.system).where(
        Source.org_id == org_id, Source.key.in_(sorted(keys)), Source.archived_at.is_(None)
    )


def events(who: Principal) -> Select[*tuple[Any, ...]]:
    """The current revision of every event that the caller may see, with its source's key; the retracted ones too."""
    return revisions(who).where(Event.superseded_at.is_(None))


def revisions(who: Principal) -> Select[*tuple[Any, ...]]:
    """All revisions that the caller may see with their source's key."""
    return (
        select(Event, Source.key)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == who.org_id, Source.org_id == who.org_id, *visible_to(who))
    )


def visible_to(who: Principal) -> list[ColumnElement[bool]]:
    """Of revisions: may the caller see what they say? Of scores a member sees those about or given by themselves.

    Whoever leads or runs the organization, and its programs, see all; a member's key without a member sees no score.
    """
    if who.role != "member":
        return []
    mine: ColumnElement[bool] = false()
    if who.member_id is not None:
        name = str(who.member_id)
        me = select(Identity.id).where(Identity.org_id == who.org_id, Identity.external_id == name)
        mine = or_(Event.about["member"].astext == name, Event.actor_id.in_(me))
    # A retraction of what was never seen has no type.
    return [or_(Event.type.is_distinct_from(SCORE), func.coalesce(mine, false()))]


def concerns(org_id: OrganizationId, identity_id: UUID) -> ColumnElement[bool]:
    """Of events: did this identity act in it, or is it credited?"""
    credited = select(EventCredit.row_id).where(
        EventCredit.org_id == org_id,
        EventCredit.org_id == Event.org_id,
        EventCredit.row_id == Event.row_id,
        EventCredit.identity_id == identity_id,
    )
    return or_(
        Event.identity_id == identity_id,
        Event.actor_id == identity_id,
        and_(Event.is_shared, credited.exists()),
    )


def named(org_id: OrganizationId, external_id: str) -> ColumnElement[bool]:
    """Of events: is this its id in its source?"""
    return Event.event_id.in_(
        select(EventHead.event_id).where(EventHead.org_id == org_id, EventHead.external_id == external_id)
    )


def credits_of(org_id: OrganizationId, row_ids: list[UUID]) -> Select[*tuple[Any, ...]]:
    """The credits of shared revisions, as they were listed."""
    return (
        select(EventCredit)
        .where(EventCredit.org_id == org_id, EventCredit.row_id.in_(row_ids))
        .order_by(EventCredit.row_id, EventCredit.position)
    )


def event_types(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """The catalogue, the organization's own types, and those seen: type, description, how many, first and last time."""
    seen = (
        select(
            Event.type,
            func.count().label("events"),
            func.min(Event.occurred_at).label("first_at"),
            func.max(Event.occurred_at).label("last_at"),
        )
        .where(Event.org_id == org_id, Event.superseded_at.is_(None), Event.retracted.is_(False))
        .group_by(Event.type)
        .subquery("seen")
    )
    own = select(EventType.type, EventType.description).where(EventType.org_id == org_id).subquery("own")
    every = union(_built_in(), select(own.c.type), select(seen.c.type)).subquery("every")
    return (
        select(every.c.type, own.c.description, func.coalesce(seen.c.events, 0), seen.c.first_at, seen.c.last_at)
        .outerjoin(own, own.c.type == every.c.type)
        .outerjoin(seen, seen.c.type == every.c.type)
    )


def type_names(org_id: OrganizationId) -> Select[str]:
    """The names alone of `event_types`, in order: those seen are found by the index, one after the other."""

    def following(*after: ColumnElement[bool]) -> Select[str | None]:
        stands = (Event.org_id == org_id, Event.superseded_at.is_(None), Event.retracted.is_(False))
        return select(func.min(Event.type).label("type")).where(*stands, *after)

    seen = following().cte("seen", recursive=True)
    another = following(Event.type > seen.c.type).correlate(seen).scalar_subquery()
    seen = seen.union_all(select(another).select_from(seen).where(seen.c.type.is_not(None)))
    own = select(EventType.type).where(EventType.org_id == org_id)
    every = union(_built_in(), own, select(seen.c.type).where(seen.c.type.is_not(None))).subquery("every")
    return select(every.c.type).order_by(every.c.type)


def _built_in() -> Select[str]:
    built_in = values(column("type", Text(collation="C")), name="built_in").data([(name,) for name in CATALOGUE])
    return select(built_in.c.type)


def cloud_event_sources(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """The URIs of CloudEvents with their sources."""
    return (
        select(CloudEventSource, Source.key)
        .join(Source, and_(Source.org_id == CloudEventSource.org_id, Source.id == CloudEventSource.source_id))
        .where(CloudEventSource.org_id == org_id, Source.org_id == org_id)
    )


def recorded(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Of revisions: recorded in the half-open span."""
    bounds = [(since, Event.recorded_at.__ge__), (until, Event.recorded_at.__lt__)]
    return [compare(at) for at, compare in bounds if at is not None]
