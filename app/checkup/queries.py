"""Reading what the set-up check looks at: bounded, whatever the size of the organization."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, column, func, literal, not_, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from app.accounts.models import ApiKey
from app.core.db import OrganizationId
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.goals.models import Goal
from app.integrations.models import Delivery
from app.kpis.models import KpiRow, KpiVersionRow
from app.teams.models import Identity, Member, Team

MOST_EVENTS = 20_000
"""The newest events that are looked at one by one."""
MOST_KPIS = 500
COACHING = ("coaching", "mentoring", "observation")

_TEXT = Text(collation="C")


def goals_on(org_id: OrganizationId, day: date) -> Select[*tuple[Any, ...]]:
    """Owner and KPI of each goal that is open on a day, or a draft for it."""
    return select(Goal.team_id, Goal.member_id, Goal.kpi_key, Goal.state).where(
        Goal.org_id == org_id, Goal.start_on <= day, Goal.end_on > day, Goal.state.in_(["open", "draft"])
    )


def archived(org_id: OrganizationId, table: type[Member] | type[Team]) -> Select[*tuple[Any, ...]]:
    """The ids of archived members or teams."""
    return select(table.id).where(table.org_id == org_id, table.archived_at.is_not(None))


def kpis(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """The KPIs with their latest definitions, those in use first."""
    return (
        select(KpiRow.key, KpiRow.name, KpiRow.state, KpiRow.owner_id, KpiVersionRow.definition)
        .join(
            KpiVersionRow,
            and_(
                KpiVersionRow.org_id == KpiRow.org_id,
                KpiVersionRow.kpi_id == KpiRow.id,
                KpiVersionRow.number == KpiRow.latest,
            ),
        )
        .where(KpiRow.org_id == org_id, KpiVersionRow.org_id == org_id)
        .order_by(KpiRow.state == "archived", KpiRow.key)
        .limit(MOST_KPIS)
    )


def sources(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """The sources in use, the types that each counts for, and when each delivered last."""
    last = (
        select(Delivery.received_at)
        .where(Delivery.org_id == org_id, Delivery.source_id == Source.id)
        .order_by(Delivery.id.desc())
        .limit(1)
        .lateral("last")
    )
    return (
        select(
            Source.id,
            Source.key,
            Source.name,
            Source.system,
            Source.created_at,
            SourceCounts.counts,
            last.c.received_at,
        )
        .select_from(Source)
        .join(SourceCounts, and_(SourceCounts.org_id == Source.org_id, SourceCounts.source_id == Source.id))
        .outerjoin(last, true())
        .where(
            Source.org_id == org_id,
            SourceCounts.org_id == org_id,
            Source.archived_at.is_(None),
            SourceCounts.superseded_at.is_(None),
        )
        .order_by(Source.key)
    )


def ways(org_id: OrganizationId, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """Of the newest events: how many came from which source in which way with which key, and the last."""
    recent = (
        select(
            Event.source_id,
            Event.occurred_at,
            Event.origin["via"].astext.label("via"),
            Event.origin["key_id"].astext.label("key_id"),
        )
        .where(*_current(org_id, since, until))
        .order_by(Event.occurred_at.desc(), Event.row_id.desc())
        .limit(MOST_EVENTS)
        .subquery()
    )
    kind = (recent.c.source_id, recent.c.via, recent.c.key_id)
    return select(*kind, func.count(), func.max(recent.c.occurred_at)).group_by(*kind)


def keys(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """Every key: whose it is, what it may do, until when, and when it was last used."""
    return select(
        ApiKey.id,
        ApiKey.role,
        ApiKey.scopes,
        ApiKey.member_id,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.last_used_on,
    ).where(ApiKey.org_id == org_id)


def internal_meetings(org_id: OrganizationId, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """Meetings among colleagues, and coaching: when, of which kind, and everybody credited with them (or acting)."""
    kind = Event.properties["kind"].astext
    credited = func.coalesce(EventCredit.identity_id, Event.identity_id, Event.actor_id)
    return (
        select(Event.occurred_at, kind, credited)
        .select_from(Event)
        .outerjoin(
            EventCredit,
            and_(EventCredit.org_id == org_id, EventCredit.org_id == Event.org_id, EventCredit.row_id == Event.row_id),
        )
        .where(*_current(org_id, since, until), Event.type.in_(["meeting.held", "training.attended"]))
        .where(
            or_(
                and_(Event.type == "meeting.held", kind.in_(["team_meeting", "one_to_one"])),
                and_(Event.type == "meeting.held", Event.properties.contains({"internal": True})),
                and_(Event.type == "training.attended", kind.in_(COACHING)),
            )
        )
        .order_by(Event.occurred_at.desc())
        .limit(MOST_EVENTS)
    )


def told_by_several(
    org_id: OrganizationId, types: Sequence[str], since: datetime, until: datetime
) -> Select[*tuple[Any, ...]]:
    """The newest events of these types, as many of each: who, when, about what."""
    kinds = func.unnest(literal(list(types), ARRAY(_TEXT))).table_valued(column("type", _TEXT), name="kinds")
    kinds = kinds.render_derived()
    who = func.coalesce(Event.identity_id, Event.actor_id)
    recent = (
        select(
            Event.event_id,
            Event.source_id,
            Event.type,
            Event.occurred_at,
            who.label("identity_id"),
            Event.about,
            Event.properties["phone"].astext.label("phone"),
            Event.amount,
            Event.currency,
        )
        .where(*_current(org_id, since, until), Event.type == kinds.c.type)
        .order_by(Event.occurred_at.desc())
        .limit(max(MOST_EVENTS // len(types), 1_000))
        .lateral("recent")
    )
    known_as = and_(Identity.org_id == org_id, Identity.id == recent.c.identity_id)
    told = kinds.join(recent, true()).outerjoin(Identity, known_as)
    return select(*recent.c, Identity.email).select_from(told)


def types_of_sources(org_id: OrganizationId, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """Which types came from which source, of the newest events."""
    recent = (
        select(Event.source_id, Event.type)
        .where(*_current(org_id, since, until))
        .order_by(Event.occurred_at.desc(), Event.row_id.desc())
        .limit(MOST_EVENTS)
        .subquery()
    )
    return select(recent.c.source_id, recent.c.type).distinct()


def _current(org_id: OrganizationId, since: datetime, until: datetime) -> list[ColumnElement[bool]]:
    return [
        Event.org_id == org_id,
        Event.superseded_at.is_(None),
        not_(Event.retracted),
        Event.occurred_at >= since,
        Event.occurred_at <= until,
    ]
