"""What was recorded between two instants that can touch a figure: one row for each change, the newest first.

Everything that influences figures has `recorded_at` from the organization's clock, one instant a transaction (S5).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Uuid, and_, cast, func, literal, or_, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.models import OrganizationSettings
from app.calendars.models import NamedPeriod, WorkCalendarRow
from app.core.db import OrganizationId
from app.employment.models import Absence, Employment
from app.events.models import Event, Source
from app.events.queries import visible_to
from app.events.sources import SourceCounts
from app.goals.models import GoalTarget
from app.kpis.models import KpiRow, KpiVersionRow
from app.rates.models import ExchangeRateRow, RateSetRow
from app.teams.models import IdentityMapping, MemberAssignment, Membership, TeamPlacement

Kind = Literal[
    "event", "mapping", "membership", "placement", "assignment", "employment", "absence", "calendar", "named_period",
    "rate", "rate_set", "kpi_version", "settings", "counts", "target",
]  # fmt: skip
Action = Literal["added", "changed", "removed"]

_TABLES: dict[Kind, Any] = {
    "mapping": IdentityMapping,
    "membership": Membership,
    "placement": TeamPlacement,
    "assignment": MemberAssignment,
    "employment": Employment,
    "absence": Absence,
    "calendar": WorkCalendarRow,
    "named_period": NamedPeriod,
    "rate": ExchangeRateRow,
    "rate_set": RateSetRow,
    "settings": OrganizationSettings,
    "counts": SourceCounts,
    "target": GoalTarget,
}
"""Tables of revisions; those that carry an `id` keep it over all of them."""

_STABLE = {"settings": "org_id", "counts": "source_id", "target": "goal_id"}
_BOOKKEEPING = frozenset(
    {"org_id", "row_id", "recorded_at", "superseded_at", "version", "created_at", "revision", "id", "changed_by"}
)
_OF_EVENT = (
    "type", "occurred_at", "occurred_on", "actor_id", "identity_id", "is_shared", "about", "amount", "currency",
    "quantity", "duration_seconds", "properties", "retracted",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Span:
    """What was recorded after `since` and by `until`."""

    org_id: OrganizationId
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Concern:
    """What can touch the figure: events of these types (with these bounds of time), KPIs, and kinds of settings."""

    kinds: frozenset[Kind]
    types: Sequence[str]
    kpis: Sequence[str]
    occurred: tuple[datetime, datetime] | None = None


class Recording(NamedTuple):
    """One change: of what, when, and its revision (the superseded one where it was removed)."""

    recorded_at: datetime
    kind: Kind
    row_id: UUID
    action: Action


@dataclass(frozen=True, kw_only=True)
class Told:
    """A change with what it changed: each field's value before and after."""

    recording: Recording
    id: UUID
    name: str | None
    fields: Mapping[str, tuple[Any, Any]]


def recordings(span: Span, concern: Concern) -> tuple[Select[Any], Subquery]:
    """Every change as `Recording`, and its columns to page by."""
    parts: list[Select[Any]] = []
    if concern.types:
        parts.append(_events(span, concern))
    parts += [part for kind in sorted(concern.kinds & set(_TABLES)) for part in _revisions(span, kind)]
    parts.append(_versions(span, concern.kpis))
    found = union_all(*parts).subquery("recordings")
    return select(found.c.recorded_at, found.c.kind, found.c.row_id, found.c.action), found


def _is_new(table: Any, span: Span) -> ColumnElement[bool]:
    return and_(table.org_id == span.org_id, table.recorded_at > span.since, table.recorded_at <= span.until)


def _is_gone(table: Any, span: Span) -> ColumnElement[bool]:
    return and_(table.org_id == span.org_id, table.superseded_at > span.since, table.superseded_at <= span.until)


def _row(at: Any, kind: Kind, row_id: Any, action: Any) -> list[ColumnElement[Any]]:
    return [
        at.label("recorded_at"),
        literal(kind).label("kind"),
        cast(row_id, Uuid()).label("row_id"),
        (literal(action) if isinstance(action, str) else action).label("action"),
    ]


def _events(span: Span, concern: Concern) -> Select[Any]:
    """Revisions of events that are, or were until then, of these types and times."""
    before = Event.__table__.alias("before")
    is_of = _concerns(Event.__table__.c, concern)
    was_of = (
        select(literal(1))
        .where(
            before.c.org_id == span.org_id,
            before.c.org_id == Event.org_id,
            before.c.event_id == Event.event_id,
            before.c.revision == Event.revision - 1,
            _concerns(before.c, concern),
        )
        .exists()
    )
    action = func.coalesce(
        select(literal("changed"))
        .where(
            before.c.org_id == span.org_id,
            before.c.org_id == Event.org_id,
            before.c.event_id == Event.event_id,
            before.c.revision == Event.revision - 1,
        )
        .scalar_subquery(),
        literal("added"),
    )
    return select(*_row(Event.recorded_at, "event", Event.row_id, action)).where(
        _is_new(Event, span), or_(is_of, was_of)
    )


def _concerns(columns: Any, concern: Concern) -> ColumnElement[bool]:
    conditions = [columns.type.in_(concern.types)]
    if concern.occurred is not None:
        first, after = concern.occurred
        days = and_(columns.occurred_on >= first.date(), columns.occurred_on <= after.date())
        times = and_(columns.occurred_on.is_(None), columns.occurred_at >= first, columns.occurred_at < after)
        conditions.append(or_(days, times))
    return and_(*conditions)


def _revisions(span: Span, kind: Kind) -> Iterator[Select[Any]]:
    """Rows that were written, and those that ended without another in their place."""
    table = _TABLES[kind]
    key = _STABLE.get(kind, "id")
    before, after = table.__table__.alias("before"), table.__table__.alias("after")

    def same(other: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        mine = getattr(table, key)
        return (
            select(literal(1))
            .where(other.c.org_id == span.org_id, other.c.org_id == table.org_id, other.c[key] == mine, *conditions)
            .exists()
        )

    row_id = table.id if kind == "target" else table.row_id
    had = same(before, before.c.superseded_at == table.recorded_at)
    action = func.coalesce(select(literal("changed")).where(had).scalar_subquery(), literal("added"))
    yield select(*_row(table.recorded_at, kind, row_id, action)).where(_is_new(table, span))
    has_next = same(after, after.c.recorded_at == table.superseded_at)
    yield select(*_row(table.superseded_at, kind, row_id, "removed")).where(_is_gone(table, span), ~has_next)


def _versions(span: Span, keys: Sequence[str]) -> Select[Any]:
    """Versions of the KPIs; a version has no id of its own: its KPI's stands for it."""
    return (
        select(*_row(KpiVersionRow.recorded_at, "kpi_version", KpiVersionRow.kpi_id, "added"))
        .join(KpiRow, and_(KpiRow.org_id == KpiVersionRow.org_id, KpiRow.id == KpiVersionRow.kpi_id))
        .where(_is_new(KpiVersionRow, span), KpiRow.org_id == span.org_id, KpiRow.key.in_(keys))
    )


# ------------------------------------------------------------------------------------------------------- telling


async def tell(session: AsyncSession, who: Principal, rows: Sequence[Recording]) -> list[Told]:
    """Each change with the fields that it changed; a few statements for each kind that is there.

    Of an event that the caller may not see it is told that it was recorded, and nothing of what it says.
    """
    told: dict[tuple[datetime, Kind, UUID], Told] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        describe = _DESCRIBERS.get(kind, _describe_revisions)
        for each in await describe(session, who, of_kind):
            recording = each.recording
            told[recording.recorded_at, recording.kind, recording.row_id] = each
    return [told[row.recorded_at, row.kind, row.row_id] for row in rows]


async def _describe_events(session: AsyncSession, who: Principal, rows: Sequence[Recording]) -> list[Told]:
    org_id = who.org_id
    found = await session.execute(
        select(Event, Source.key, and_(true(), *visible_to(who)))
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == org_id, Source.org_id == org_id, Event.row_id.in_([row.row_id for row in rows]))
    )
    events = {event.row_id: (event, key, is_visible) for event, key, is_visible in found}
    earlier = await session.execute(
        select(Event).where(
            Event.org_id == org_id,
            Event.event_id.in_([event.event_id for event, _, _ in events.values()]),
            Event.superseded_at.in_([row.recorded_at for row in rows]),
            *visible_to(who),
        )
    )
    before = {(event.event_id, event.superseded_at): event for event in earlier.scalars()}
    return [
        Told(
            recording=row,
            id=event.event_id,
            name=f"{key}:{event.external_id}" if is_visible else None,
            fields=_differences(before.get((event.event_id, row.recorded_at)), event, _OF_EVENT) if is_visible else {},
        )
        for row in rows
        for event, key, is_visible in [events[row.row_id]]
    ]


async def _describe_versions(session: AsyncSession, who: Principal, rows: Sequence[Recording]) -> list[Told]:
    found = await session.execute(
        select(KpiVersionRow, KpiRow.key)
        .join(KpiRow, and_(KpiRow.org_id == KpiVersionRow.org_id, KpiRow.id == KpiVersionRow.kpi_id))
        .where(KpiVersionRow.org_id == who.org_id, KpiRow.org_id == who.org_id)
        .where(KpiVersionRow.kpi_id.in_([row.row_id for row in rows]))
        .order_by(KpiVersionRow.number)
    )
    versions: dict[UUID, list[tuple[KpiVersionRow, str]]] = {}
    for version, key in found:
        versions.setdefault(version.kpi_id, []).append((version, key))
    return [_version(row, versions[row.row_id]) for row in rows]


def _version(row: Recording, versions: Sequence[tuple[KpiVersionRow, str]]) -> Told:
    place = next(n for n, (version, _) in enumerate(versions) if version.recorded_at == row.recorded_at)
    version, key = versions[place]
    before = versions[place - 1][0].definition if place else {}
    changed = {
        field: (before.get(field), version.definition.get(field))
        for field in sorted({*before, *version.definition})
        if before.get(field) != version.definition.get(field)
    }
    number = {"number": (versions[place - 1][0].number if place else None, version.number)}
    dated = {"valid_from": (None, version.valid_from)} if version.valid_from else {}
    return Told(recording=row, id=version.kpi_id, name=key, fields=number | dated | changed)


async def _describe_revisions(session: AsyncSession, who: Principal, rows: Sequence[Recording]) -> list[Told]:
    org_id = who.org_id
    kind = rows[0].kind
    table = _TABLES[kind]
    key = _STABLE.get(kind, "id")
    row_id = table.id if kind == "target" else table.row_id
    found = await session.execute(select(table).where(table.org_id == org_id, row_id.in_([row.row_id for row in rows])))
    mine = {getattr(each, "id" if kind == "target" else "row_id"): each for each in found.scalars()}
    earlier = await session.execute(
        select(table).where(
            table.org_id == org_id,
            getattr(table, key).in_([getattr(each, key) for each in mine.values()]),
            table.superseded_at.in_([row.recorded_at for row in rows]),
        )
    )
    before = {(getattr(each, key), each.superseded_at): each for each in earlier.scalars()}
    return [_revision(row, mine[row.row_id], before, key) for row in rows]


def _revision(row: Recording, mine: Any, before: Mapping[tuple[UUID, datetime], Any], key: str) -> Told:
    columns = [column.key for column in mine.__table__.columns if column.key not in _BOOKKEEPING]
    if row.action == "removed":
        fields = _differences(mine, None, columns)
    else:
        fields = _differences(before.get((getattr(mine, key), row.recorded_at)), mine, columns)
    return Told(recording=row, id=getattr(mine, key), name=getattr(mine, "name", None), fields=fields)


def _differences(before: Any, after: Any, columns: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """The fields that differ; of a new or removed thing those that say something."""
    pairs = {name: (getattr(before, name, None), getattr(after, name, None)) for name in columns}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


_DESCRIBERS: dict[Kind, Any] = {"event": _describe_events, "kpi_version": _describe_versions}
