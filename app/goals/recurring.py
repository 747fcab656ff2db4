"""Opens the goals of recurring goals, period after period, each once (G2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.calendars.periods import CalendarSettings, DayRange, local_day
from app.calendars.service import present_settings
from app.core import clock, outbox
from app.core.budget import QueryBudget
from app.core.db import Database, OrganizationId
from app.core.problems import Problem, ValidationFailed
from app.core.snapshots import Snapshots, snapshot
from app.core.telemetry import log
from app.employment.models import Employment
from app.goals import baselines, queries, schemas, service
from app.goals.deciding import kind_of
from app.goals.models import Goal, GoalSeries
from app.goals.precision import decimals_of
from app.goals.series_periods import Every, beginning_from, opens_on
from app.goals.smart.past import Asked, seen_at
from app.goals.smart.suggesting import target_from_history
from app.kpis import service as kpis
from app.kpis.attribution import Subject
from app.kpis.formulas import FORMULA


@dataclass(frozen=True)
class Figures:
    """What of a goal comes from the ledger: computed before the clock is locked, under which nothing slow happens.

    `target` is what history gives, by its fields, `baseline` that of a change; None where the target is none of these.
    """

    target: Mapping[str, Decimal] | None = None
    baseline: schemas.Baseline | None = None


NOT_KNOWN_YET = Figures(target={"value": Decimal(1)})
"""Stands for figures where the rest of a goal is checked."""
MOST_AT_ONCE = 100
"""So many goals of one series are opened at a look; the others at the next."""
_UNLIMITED = QueryBudget(0, 1)


@dataclass(frozen=True)
class Series(Principal):
    """A recurring goal as the caller that makes its goals: whoever set it up was allowed to."""

    @property
    def label(self) -> str:
        """How the audit trail names it."""
        return f"series:{self.key_id}"


def caller_of(series: GoalSeries) -> Principal:
    """In whose name the goals of a series are made."""
    return Series(series.org_id, series.id, series.name, "admin", frozenset(Permission), None)


def period_of(series: GoalSeries, settings: CalendarSettings) -> DayRange | None:
    """The next period; None once the series is over."""
    if series.ended_at is not None or series.next_start is None:
        return None
    period = beginning_from(series.next_start, cast("Every", series.every), settings, is_fiscal=series.is_fiscal)
    return None if series.until is not None and period.start > series.until else period


def is_from_ledger(series: GoalSeries) -> bool:
    """Whether its targets are computed for each period."""
    return bool({"change", *_FROM_HISTORY} & set(series.content["target"]))


async def figures_of(snapshots: Snapshots, series: GoalSeries, period: DayRange) -> Figures:
    """What the goal of a period takes from the ledger, as known now. Raises `Problem` where there is no such figure."""
    async with snapshots.at(None) as session:
        return await figures_in(session, series, period)


async def figures_in(session: AsyncSession, series: GoalSeries, period: DayRange) -> Figures:
    """The same in a session that is a snapshot."""
    figures = await from_history(session, series, period)
    new = await next_goal(session, series, period, figures)
    return replace(figures, baseline=await baselines.of_draft(session, series.org_id, new))


async def next_goal(
    session: AsyncSession, series: GoalSeries, period: DayRange, figures: Figures
) -> schemas.GoalCreate:
    """The goal of a period, as it would be posted now. Raises `ValidationFailed`."""
    content = dict(series.content)
    if _FROM_HISTORY & set(content["target"]):
        content["target"] = dict(figures.target or {})
    content["name"] = str(content["name"]).replace("{period}", period.label)[:200]
    if series.parent_id is not None:
        content["parent_id"] = await _parent(session, series, period)
    content |= {"period": period.label, "state": "open"}
    before = None if series.growth is None else await _target_before(session, series, period)
    if before is not None and series.growth is not None:
        decimals = decimals_of(await kpis.get_kpi(session, series.org_id, content["kpi"]), content.get("currency"))
        content["target"] = {name: _grown(value, series.growth, decimals) for name, value in before.items()}
    try:
        return schemas.GoalCreate.model_validate(content)
    except ValidationError as error:  # as `/v1/goals` refuses it
        wrong = error.errors()[0]
        pointer = "".join(f"/{part}" for part in wrong["loc"])
        raise ValidationFailed.at(pointer, str(wrong["msg"]), str(wrong["type"])) from None


async def open_due(database: Database, org_id: OrganizationId) -> None:
    """Open the goals whose day has come, also those that were missed; those that others are parts of first.

    What cannot be made is told once, and tried again each day until its period is over.
    """
    async with snapshot(database, org_id) as session:
        settings = await present_settings(session, org_id)
        today = await service.today_of(session, org_id)
        found = await session.execute(
            select(GoalSeries).where(GoalSeries.org_id == org_id, GoalSeries.ended_at.is_(None))
        )
        waiting = [each for each in _parents_first(list(found.scalars())) if _is_due(each, settings, today)]
    for series in waiting:
        for _ in range(MOST_AT_ONCE):
            if not await _open_next(database, org_id, series.id):
                break


async def open_next(session: AsyncSession, series: GoalSeries, figures: Figures) -> schemas.Goal | None:
    """Open the goal of the next period, if its day has come; the series goes on to the period after it.

    Within a transaction that has locked the organization's clock. Raises `Problem` where it cannot be made.
    """
    period = await _due_period(session, series)
    if period is None:
        return None
    new = await next_goal(session, series, period, figures)
    await _require_there(session, series, period)
    made = await service.create_goal(session, caller_of(series), new, baseline=figures.baseline, series_id=series.id)
    series.next_start = period.end
    return made


async def _require_there(session: AsyncSession, series: GoalSeries, period: DayRange) -> None:
    """Raises `ValidationFailed` where the member is not employed in the period; without any employment all are."""
    if series.member_id is None:
        return
    found = await session.execute(
        select(Employment.valid_from, Employment.valid_to).where(
            Employment.org_id == series.org_id,
            Employment.member_id == series.member_id,
            Employment.superseded_at.is_(None),
        )
    )
    spells = found.all()
    if spells and not any(_touches(spell.valid_from, spell.valid_to, period) for spell in spells):
        message = f"The member {series.member_id} is not employed in {period.label}."
        raise ValidationFailed.at("/owner/id", message, "owner_left")


def _touches(start: date | None, end: date | None, period: DayRange) -> bool:
    return (start is None or start < period.end) and (end is None or end > period.start)


def _is_due(series: GoalSeries, settings: CalendarSettings, today: date) -> bool:
    period = period_of(series, settings)
    if period is None or opens_on(period, series.open_days_before) > today:
        return False
    is_tried = series.tried_at is not None and local_day(series.tried_at, settings.zone) >= today
    return series.trouble is None or not is_tried


def _parents_first(series: Sequence[GoalSeries]) -> list[GoalSeries]:
    known = {each.id: each for each in series}

    def depth(each: GoalSeries, seen: frozenset[UUID] = frozenset()) -> int:
        above = known.get(each.parent_id) if each.parent_id else None
        return 0 if above is None or above.id in seen else 1 + depth(above, seen | {each.id})

    return sorted(series, key=lambda each: (depth(each), each.created_at, each.id))


async def _open_next(database: Database, org_id: OrganizationId, series_id: UUID) -> bool:
    """Whether to go on with the period after."""
    async with snapshot(database, org_id) as session:
        series = (await session.execute(_one(org_id, series_id))).scalar_one()
        period = await _due_period(session, series)
    if period is None:
        return False
    trouble: Problem | None = None
    figures, version = Figures(), series.version
    try:
        figures = await figures_of(Snapshots(database, org_id, _UNLIMITED), series, period)
    except Problem as problem:
        trouble = problem
    async with database.write(org_id) as session:
        await clock.tick(session, org_id)
        series = (await session.execute(_locked(org_id, series_id))).scalar_one()
        if series.version != version or await _due_period(session, series) != period:
            return False  # somebody else was faster, or changed it: the next look sees to it
        if trouble is None:
            try:
                async with session.begin_nested():
                    await open_next(session, series, figures)
            except Problem as problem:
                trouble = problem
        _note(session, series, trouble)
        series.tried_at = await clock.now(session, org_id)
        if trouble is not None and period.end <= await service.today_of(session, org_id):
            series.next_start = period.end  # of days that are over none is made any more
            return True
    return trouble is None


async def _due_period(session: AsyncSession, series: GoalSeries) -> DayRange | None:
    """The next period, once its goal is to be opened."""
    period = period_of(series, await present_settings(session, series.org_id))
    if period is None or opens_on(period, series.open_days_before) > await service.today_of(session, series.org_id):
        return None
    return period


async def from_history(session: AsyncSession, series: GoalSeries, period: DayRange) -> Figures:
    """The target that history gives now, where the series asks for that. Raises `ValidationFailed` where it is none."""
    content = series.content
    if not _FROM_HISTORY & set(content["target"]):
        return Figures()
    try:
        kpi = await kpis.get_kpi(session, series.org_id, content["kpi"])
    except kpis.KpiNotFound as problem:
        raise ValidationFailed.at("/kpi", problem.detail, "kpi_unknown") from None
    asked = Asked(
        kpi,
        Subject(kind_of(series), series.team_id or series.member_id),
        period,
        content.get("currency"),
        content.get("rate_set"),
        UUID(content["ramp_id"]) if content.get("ramp_id") else None,
    )
    seen = await seen_at(session, series.org_id, None)
    return Figures(await target_from_history(session, seen, asked, is_ambitious="ambitious" in content["target"]))


_FROM_HISTORY = {"realistic", "ambitious"}


def _note(session: AsyncSession, series: GoalSeries, trouble: Problem | None) -> None:
    """Keep why nothing could be made, and tell when that begins and ends."""
    told = {"series_id": str(series.id), "name": series.name}
    if trouble is not None and series.trouble is None:
        log.warning("goal-series-troubled", series_id=str(series.id), problem=trouble.code)
        outbox.publish(session, series.org_id, "goal_series.troubled", {**told, "trouble": trouble.detail})
    elif trouble is None and series.trouble is not None:
        outbox.publish(session, series.org_id, "goal_series.recovered", told)
    series.trouble = None if trouble is None else trouble.detail


def _one(org_id: OrganizationId, series_id: UUID) -> Any:
    return select(GoalSeries).where(GoalSeries.org_id == org_id, GoalSeries.id == series_id)


def _locked(org_id: OrganizationId, series_id: UUID) -> Any:
    return _one(org_id, series_id).with_for_update()


async def _parent(session: AsyncSession, series: GoalSeries, period: DayRange) -> UUID | None:
    """The goal of the parent series around the period, if there is one."""
    found = await session.execute(
        select(Goal.id)
        .where(
            Goal.org_id == series.org_id,
            Goal.series_id == series.parent_id,
            Goal.start_on <= period.start,
            Goal.end_on >= period.end,
            Goal.state == "open",
        )
        .order_by(Goal.start_on.desc())
        .limit(1)
    )
    return found.scalar_one_or_none()


async def _target_before(session: AsyncSession, series: GoalSeries, period: DayRange) -> dict[str, Decimal] | None:
    """The target that the goal of the period before has now, by its fields."""
    found = await session.execute(
        queries.goals(series.org_id)
        .where(Goal.series_id == series.id, Goal.start_on < period.start)
        .order_by(Goal.start_on.desc())
        .limit(1)
    )
    row = found.first()
    if row is None:
        return None
    fields = {name: getattr(row[1], name) for name in ("value", "low", "high", "stretch")}
    return {name: value for name, value in fields.items() if value is not None}


def _grown(value: Decimal, growth: Decimal, decimals: int) -> Decimal:
    grown = FORMULA.multiply(value, FORMULA.add(Decimal(1), growth))
    return grown.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, FORMULA)
