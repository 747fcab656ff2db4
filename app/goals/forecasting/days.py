"""What each of a run of days adds up, asked of the engine in one statement.

Whole days of the past stay as they are until something is recorded. So a process keeps those that were asked for last,
by the organization's last recorded instant, and asks for the present day alone.
"""

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.core import clock
from app.core.configuration import kept
from app.core.db import OrganizationId
from app.goals.forecasting.parts import Column, Parts, measures_of, parts_of, require_settled
from app.goals.forecasting.reasons import Unknown
from app.goals.targets import target_values
from app.kpis.attribution import Subject
from app.kpis.cells import Place
from app.kpis.definition import EventMeasure
from app.kpis.engine import plan_query
from app.kpis.figures import View
from app.kpis.history import KpiHistory
from app.kpis.planning import Context, Plan
from app.kpis.questions import Query

VALUES_A_ROW = 25
"""So many values weigh as much as a row of what a process keeps."""
_DAY = timedelta(days=1)
_EXACT = 2**50
"""Whole numbers up to it are added up exactly."""
_NOT_YET = frozenset({"not_recorded_yet"})


@dataclass(frozen=True)
class Days:
    """The values of each day, a column for each thing that is added up, and how many events were left out.

    `is_of_events`: every measure looks at single events, so that only what is recorded changes a day that has ended.
    """

    context: Context
    subject: Subject
    is_additive: bool
    parts: Parts
    columns: Sequence[Sequence[float]]
    left_out: int
    is_of_events: bool


@dataclass(frozen=True)
class _Past:
    """The days that had ended when the organization last recorded something."""

    last_at: datetime
    columns: Sequence["array[float]"]
    is_additive: bool


async def days_until_today(
    session: AsyncSession, context: Context, query: Query, first: date, period: DayRange, so_far: Decimal | None
) -> Days:
    """The days from `first` on, with today as the last. Raises `Unknown`, `ValidationFailed`.

    `so_far` is the period's figure up to now, where that is known: of whole numbers it tells what today's is.
    """
    org_id, today = context.org_id, context.today
    if query.as_of or query.known_at or first == today:
        return await _asked(session, org_id, query, DayRange(first, today + _DAY), period)
    [kpi], [subject] = query.kpis, [each for each in query.subjects if isinstance(each, Subject)]
    key: Hashable = ("days", kpi, subject, query.currency, query.rate_set, first, today, period.start, period.end)
    last_at = (await clock.present(session, org_id)).last_at
    place = await kept(session, org_id, last_at)
    past: _Past | None = place.get(key)
    if past is not None and past.last_at == last_at:
        if (rest := _rest_of(past, first, period, today, so_far)) is not None:
            return Days(context, subject, True, Parts(), [[*past.columns[0], rest]], 0, True)
        now = await _asked(session, org_id, query, DayRange(today, today + _DAY), period)
        columns = [[*before, *after] for before, after in zip(past.columns, now.columns, strict=True)]
        return replace(now, columns=columns)
    found = await _asked(session, org_id, query, DayRange(first, today + _DAY), period)
    if found.is_of_events and not found.left_out:
        columns_kept = [array("d", column[:-1]) for column in found.columns]
        weight = sum(map(len, columns_kept)) // VALUES_A_ROW
        place.put(key, _Past(last_at, columns_kept, found.is_additive), weight if past is None else 0)
    return found


def _rest_of(past: _Past, first: date, period: DayRange, today: date, so_far: Decimal | None) -> float | None:
    """Today's value, by what the days before it come to; None where that is not exact."""
    if so_far is None or not past.is_additive or today not in period or first > period.start:
        return None
    before = sum(past.columns[0][(period.start - first).days :], 0.0)
    is_whole = before.is_integer() and so_far == so_far.to_integral_value() and abs(so_far) + abs(int(before)) < _EXACT
    return float(so_far) - before if is_whole else None


async def _asked(session: AsyncSession, org_id: OrganizationId, query: Query, days: DayRange, period: DayRange) -> Days:
    query = replace(query, period=f"{days.start}..{days.end - _DAY}")
    planned = await plan_query(session, org_id, query, targets=target_values)
    [history] = planned.kpis
    if not history.versions:
        raise Unknown("not_recorded_yet")
    is_additive = planned.plan.additive[history.key]
    if not is_additive:
        version = _only_version(history, period)
        if len(history.versions) > 1:
            query = replace(query, versions={history.key: version})
            planned = await plan_query(session, org_id, query, targets=target_values)
    plan = planned.plan
    require_settled(history.key, plan.histories)
    parts = Parts() if is_additive else parts_of(history.key, plan.histories, plan.additive, period.end - _DAY)
    [subject] = planned.subjects
    view = (await planned.figures(session, [subject])).view(subject)
    columns, left_out = _columns(plan, history, view, None if is_additive else parts.columns)
    is_of_events = all(isinstance(each, EventMeasure) for each in measures_of(history.key, plan.histories))
    return Days(plan.context, subject, is_additive, parts, columns, left_out, is_of_events)


def _only_version(history: KpiHistory, period: DayRange) -> int:
    """The version by which the whole period is measured."""
    numbers = {history.version_on(day).number for day in (period.start, period.end - _DAY)}
    edges = [version for version in history.versions if version.valid_from and version.valid_from in period]
    numbers |= {history.version_on(edge.valid_from).number for edge in edges if edge.valid_from}
    if len(numbers) != 1:
        raise Unknown("mixed_versions")
    return numbers.pop()


def _columns(
    plan: Plan, history: KpiHistory, view: View, wanted: Sequence[Column] | None
) -> tuple[list[list[float]], int]:
    """A list of daily values for each thing that is added up, and how many events were left out."""
    shown = view.shown(history)
    cells = [view.cell(tile) for tile in shown.tiles]
    if all(cell.status in _NOT_YET for cell in cells):
        raise Unknown("not_recorded_yet")
    left_out = sum(cell.left_out for cell in cells)
    if wanted is None:
        return [[float(cell.value or 0) for cell in cells]], left_out
    return [_column(plan, view, column) for column in wanted], left_out


def _column(plan: Plan, view: View, column: Column) -> list[float]:
    if column.kpi is not None:
        history = plan.histories[column.kpi]
        return [float(view.cell(plan.cell(history, place)).value or 0) for place in plan.tiles]
    assert column.measure is not None, "a column is a KPI's or a measure's"  # noqa: S101
    number = plan.measures.get(column.measure)
    return [_read(plan, view, number, place, 6 if column.is_divisor else 5) for place in plan.tiles]


def _read(plan: Plan, view: View, number: int | None, place: Place, at: int) -> float:
    position = None if number is None else plan.rows.get(("measure", number, plan.windows.get(place.days, -1)))
    if position is None:
        raise Unknown("mixed_versions")  # another KPI that it refers to was defined otherwise on this day
    value = view.rows[position][at]
    return float(value) if value is not None else 0.0
