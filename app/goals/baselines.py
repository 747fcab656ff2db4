"""Relative targets: the figure that a change is asked against, computed once and frozen (S30)."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars import service as calendars
from app.calendars.periods import (
    FIRST_YEAR,
    CalendarSettings,
    DayRange,
    PeriodError,
    parse_period,
    previous_period,
    same_period_last_year,
)
from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.core.snapshots import Snapshots
from app.goals import making, queries, schemas
from app.goals.models import Goal
from app.goals.problems import GoalNotFound
from app.goals.targets import target_values
from app.goals.work import owner_of
from app.kpis.engine import compute
from app.kpis.formulas import FORMULA
from app.kpis.questions import Cell, Query

_PLACE = "/target/change"
_WITHOUT_FIGURE = {
    "no_data": "has no data",
    "not_recorded_yet": "was not recorded yet",
    "not_retained": "is not kept any more",
    "mixed_versions": "spans versions of the KPI that do not add up",
    "immature": "may still change: not all of its limit has passed",
}
MOST = Decimal(10) ** 18
"""Targets are below it, as amounts in requests are."""


async def of_new(snapshots: Snapshots, new: schemas.GoalCreate) -> schemas.Baseline | None:
    """The baseline of a new goal's target, in a snapshot of its own; None where the target is no change.

    Before the organization's clock is locked: computing may take its time.
    """
    if new.target.change is None:
        return None
    async with snapshots.at(None) as session:
        return await of_draft(session, snapshots.org_id, new)


async def of_draft(session: AsyncSession, org_id: OrganizationId, new: schemas.GoalCreate) -> schemas.Baseline | None:
    """As `of_new`, in a session that is a snapshot."""
    if new.target.change is None:
        return None
    goal, _ = await making.goal_of(session, org_id, new)
    return await frozen(session, goal, new.target.change)


async def of_change(snapshots: Snapshots, goal_id: UUID, target: schemas.TargetInput) -> schemas.Baseline | None:
    """As `of_new`, for another target of a goal. Raises `GoalNotFound`."""
    if target.change is None:
        return None
    async with snapshots.at(None) as session:
        row = (await session.execute(queries.goal(snapshots.org_id, goal_id))).one_or_none()
        if row is None:
            raise GoalNotFound(f"No goal {goal_id}.")
        return await frozen(session, row[0], target.change)


async def frozen(session: AsyncSession, goal: Goal, change: schemas.ChangeInput) -> schemas.Baseline:
    """What the owner's KPI was over the baseline's days, as the snapshot that the session reads knows it.

    Raises `ValidationFailed` where the days are not over, or give no figure to change from.
    """
    settings = await calendars.present_settings(session, goal.org_id)
    today = await making.today_of(session, goal.org_id)
    days = _days(change.on, goal, today, settings)
    if today < days.end:
        raise _not_over(change, goal, days, today, settings)
    answer = await compute(session, goal.org_id, _question(goal, days), targets=target_values)
    cell = answer.series[0].total
    return schemas.Baseline(
        on=change.on,
        period=days.label,
        start=days.start,
        end=days.end,
        value=_figure(cell, days, change),
        status=cell.status,
        by=change.by,
        amount=change.amount,
        as_of=answer.as_of,
        known_at=answer.known_at,
    )


def resolved(target: schemas.TargetInput, baseline: schemas.Baseline | None, direction: str) -> schemas.Target:
    """The target in figures; a change is applied to its baseline and rounded to 15 significant digits (S19).

    Raises `ValidationFailed` where the change goes against the direction, or leaves nothing to aim at.
    """
    if target.change is None:
        return schemas.Target(value=target.value, low=target.low, high=target.high, stretch=target.stretch)
    if direction == "maintain":
        raise ValidationFailed.at(_PLACE, "A KPI to maintain has a band: write low and high.", "target_kind")
    if baseline is None:
        raise ValidationFailed.at(_PLACE, "A change is set goal by goal: write value here.", "change_without_baseline")
    return _changed(target.change, baseline, direction)


def _changed(change: schemas.ChangeInput, baseline: schemas.Baseline, direction: str) -> schemas.Target:
    name = "by" if change.by is not None else "amount"
    size = change.by if change.by is not None else change.amount
    if size is None or (size <= 0 if direction == "increase" else size >= 0):
        wanted = "above 0" if direction == "increase" else "below 0"
        message = f"A KPI to {direction} changes by a number {wanted}; for another aim write value."
        raise ValidationFailed.at(f"{_PLACE}/{name}", message, "change_against_direction")
    return schemas.Target(
        value=_after(baseline.value, size, name, name),
        low=None,
        high=None,
        stretch=None if change.stretch is None else _after(baseline.value, change.stretch, name, "stretch"),
        baseline=baseline.model_copy(update={"value": _rounded(baseline.value)}),
    )


def _days(on: str, goal: Goal, today: date, settings: CalendarSettings) -> DayRange:
    period = DayRange(goal.start_on, goal.end_on, goal.period)
    found: DayRange | None
    try:
        if on == "previous_period":
            found = previous_period(period, settings)
        elif on == "same_period_last_year":
            found = same_period_last_year(period, settings)
        else:
            found = parse_period(on, today, settings)
    except PeriodError as error:
        message = f"{error} For a baseline also previous_period and same_period_last_year."
        raise ValidationFailed.at(f"{_PLACE}/on", message, "baseline_period") from None
    if found is None or found.start.year < FIRST_YEAR:
        message = f"There is no such period before {period.label}: name the period to compare with."
        raise ValidationFailed.at(f"{_PLACE}/on", message, "baseline_period")
    return found


def _not_over(
    change: schemas.ChangeInput, goal: Goal, days: DayRange, today: date, settings: CalendarSettings
) -> ValidationFailed:
    """What to write instead: the last period of the kind that is over, or the year before's."""
    over = previous_period(days, settings)
    while over.end > today and over.start.year > FIRST_YEAR:
        over = previous_period(over, settings)
    last = days.end - timedelta(days=1)
    message = f"{days.label} is not over before the end of {last}: its figure may still change. "
    message += f'Write on: "{over.label}", which is over, or same_period_last_year'
    if change.on == "previous_period":
        period = DayRange(goal.start_on, goal.end_on, goal.period)
        message += f"; or let a goal series set {period.label} when it begins"
    item = ErrorItem(pointer=f"{_PLACE}/on", message=f"{message}.", code="baseline_not_over", suggestion=over.label)
    return ValidationFailed(item.message, [item])


def _question(goal: Goal, days: DayRange) -> Query:
    return Query(
        kpis=[goal.kpi_key],
        subjects=[owner_of(goal)],
        # Days, where the organization's settings decide what the words mean.
        period=f"{days.start}..{days.end - timedelta(days=1)}" if days.is_fiscal else days.label,
        currency=goal.currency,
        rate_set=goal.rate_set,
    )


def _figure(cell: Cell, days: DayRange, change: schemas.ChangeInput) -> Decimal:
    """The value, where something can be compared with it."""
    if cell.value is None or cell.status in _WITHOUT_FIGURE:
        why = _WITHOUT_FIGURE.get(cell.status, "has no figure")
        message = (
            f"The KPI {why} in {days.label}, so nothing can be compared with it: name another period, or write value."
        )
        raise ValidationFailed.at(f"{_PLACE}/on", message, "baseline_without_figure")
    if cell.value <= 0 and change.by is not None:
        message = f"The KPI was {cell.value:f} in {days.label}, of which a share says nothing: write amount, or value."
        raise ValidationFailed.at(f"{_PLACE}/by", message, "baseline_not_positive")
    return cell.value


def _after(base: Decimal, size: Decimal, name: str, place: str) -> Decimal:
    changed = FORMULA.multiply(base, FORMULA.add(Decimal(1), size)) if name == "by" else FORMULA.add(base, size)
    if not 0 < changed < MOST:
        message = f"From {base:.15g} this gives {changed:.15g}: a target is above 0 and below 10^18."
        raise ValidationFailed.at(f"{_PLACE}/{place}", message, "target_out_of_range")
    return _rounded(changed)


def _rounded(value: Decimal) -> Decimal:
    return Decimal(f"{value:.15g}")
