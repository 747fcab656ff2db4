"""The track record of forecasts on the organization's own closed periods."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import CalendarSettings, DayRange, first_instant, local_day, parse_period, previous_period
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.goals.forecasting import schemas
from app.goals.forecasting.history import Asked, History, load
from app.goals.forecasting.reasons import Unknown
from app.goals.forecasting.service import ending_of, figure, latest_version, linear_pace, pointing_at, subject_of
from app.goals.forecasting.track import Outcome, compared, median_error, share_interval, verdict
from app.goals.frozen import present
from app.goals.schemas import Owner, OwnerInput
from app.goals.service import find_goal, period_of

MOST_CASES, MOST_CASES_AS_OF = 360, 40
"""By hindsight one question answers all cases of an owner; as of its own day each case is a question of its own."""
_DAY = timedelta(days=1)
_LONGEST = timedelta(days=6 * 366)
"""Histories are read so far back, so that the earliest of many periods has one of its own."""


@dataclass(frozen=True)
class _Case:
    """One forecast that is made; `outcome` where it could be, `reason` where not."""

    owner: OwnerInput
    period: DayRange
    elapsed: Decimal
    day: date
    outcome: Outcome | None
    reason: Unknown | None
    ended: float | None


async def backtest(snapshots: Snapshots, query: schemas.BacktestQuery) -> schemas.Backtest:
    """Forecasts as they would have been made inside closed periods, and what became of them.

    One question for each owner; everything else is computed from its answer. Raises `ValidationFailed`.
    """
    require_bounded(query)
    # Cases as of earlier days are settled for good with the present.
    settled = await present(snapshots) if query.knowledge == "as_of" and query.as_of is None else query.as_of
    async with snapshots.at(settled, query.known_at) as session:
        org_id = snapshots.org_id
        at = query.as_of or await clock.now(session, org_id)
        known_at = query.known_at or query.as_of or await clock.last_recorded(session, org_id)
        cut = await calendar_settings(session, org_id, known_at)
        latest = parse_period(f"last_{query.every}", local_day(at, cut.zone), cut)
        await latest_version(session, org_id, query.kpi, known_at)
        cases = await _cases(session, snapshots, query, _periods(latest, query.periods, cut))
        return _told(query, cases, at, known_at, every=query.every)


def require_bounded(query: schemas.BacktestQuery) -> None:
    """Raises `ValidationFailed` where that would be too many forecasts."""
    cases = len(query.owners) * query.periods * len(query.elapsed)
    most = MOST_CASES if query.knowledge == "hindsight" else MOST_CASES_AS_OF
    if cases > most:
        raise ValidationFailed.at(
            "/periods",
            f"That would be {cases} forecasts; at most {most} are made at once. Name fewer owners, periods or shares.",
            "too_many_cases",
        )


async def track_record(snapshots: Snapshots, goal_id: UUID, wanted: schemas.RecordQuery) -> schemas.Backtest:
    """The track record of a goal's KPI and owner on the periods before the goal's own. Raises `GoalNotFound`."""
    async with snapshots.at(None) as session:
        org_id = snapshots.org_id
        goal, _ = await find_goal(session, org_id, goal_id)
        at, known_at = await clock.now(session, org_id), await clock.last_recorded(session, org_id)
        cut = await calendar_settings(session, org_id, known_at)
        period = period_of(goal)
        while period.end > local_day(at, cut.zone):
            period = previous_period(period, cut)
        owner_type = "team" if goal.team_id else "member" if goal.member_id else "organization"
        query = schemas.BacktestQuery.model_validate(
            {
                "kpi": goal.kpi_key,
                "owners": [{"type": owner_type, "id": goal.team_id or goal.member_id}],
                "periods": wanted.periods,
                "currency": goal.currency,
                "rate_set": goal.rate_set,
            }
        )
        cases = await _cases(session, snapshots, query, _periods(period, wanted.periods, cut))
        return _told(query, cases, at, known_at)


def _periods(latest: DayRange, count: int, cut: CalendarSettings) -> list[DayRange]:
    """So many closed periods, oldest first."""
    found = [latest]
    while len(found) < count and (latest.end - found[-1].start) < _LONGEST:
        found.append(previous_period(found[-1], cut))
    return found[::-1]


async def _cases(
    session: AsyncSession, snapshots: Snapshots, query: schemas.BacktestQuery, periods: Sequence[DayRange]
) -> list[_Case]:
    found: list[_Case] = []
    for place, owner in enumerate(query.owners):
        asked = Asked(query.kpi, subject_of(owner), query.currency, query.rate_set, query.as_of, query.known_at)
        try:
            with pointing_at(f"/owners/{place}/id"):
                history = await load(session, snapshots.org_id, asked, periods[-1], back=_LONGEST)
        except Unknown as unknown:
            found += _without_history(owner, periods, query.elapsed, unknown)
            continue
        for case in _of(history, owner, periods, query.elapsed):
            found.append(case if query.knowledge == "hindsight" else await _as_of(session, asked, history, case))
            await asyncio.sleep(0)  # each takes some milliseconds: others have their turn
    return found


def _without_history(
    owner: OwnerInput, periods: Sequence[DayRange], shares: Sequence[Decimal], reason: Unknown
) -> list[_Case]:
    return [_Case(owner, period, share, period.start, None, reason, None) for period in periods for share in shares]


def _of(history: History, owner: OwnerInput, periods: Sequence[DayRange], shares: Sequence[Decimal]) -> Iterator[_Case]:
    for period in periods:
        ended = history.over(period)
        for share in shares:
            day = _day_at(history, period, float(share))
            try:
                outcome = _outcome(history, period, day, ended)
            except Unknown as unknown:
                yield _Case(owner, period, share, day, None, unknown, ended)
            else:
                yield _Case(owner, period, share, day, outcome, None, ended)


async def _as_of(session: AsyncSession, asked: Asked, later: History, case: _Case) -> _Case:
    """The same case by what had been recorded when its day began; what it became is known later."""
    if case.ended is None:
        return case
    context = later.context
    instant = first_instant(case.day, context.cut.zone)
    try:
        history = await load(session, context.org_id, replace(asked, as_of=instant, known_at=instant), case.period)
        return replace(case, outcome=_outcome(history, case.period, case.day, case.ended), reason=None)
    except Unknown as unknown:
        return replace(case, outcome=None, reason=unknown)


def _day_at(history: History, period: DayRange, share: float) -> date:
    """The first day before which at least so much of the working time lies, but not all of it where it can be."""
    days = [day for day in period][1:] or [period.start]  # noqa: C416  # a run of days is no list
    return next((day for day in days if history.share_before(period, day) >= share - 1e-9), days[-1])


def _outcome(history: History, period: DayRange, day: date, ended: float | None) -> Outcome:
    if ended is None:
        raise Unknown("no_data")
    if day <= history.first:
        raise Unknown("no_history")
    sums = history.cut(period, day)
    edges = ending_of(sums, is_additive=history.is_additive).range
    return Outcome(
        *edges,
        ended,
        linear_pace(history, period, day, sums.so_far()),
        history.year_before(period),
    )


# ---------------------------------------------------------------------------------------------------------- telling


def _told(
    query: schemas.BacktestQuery,
    cases: Sequence[_Case],
    at: datetime,
    known_at: datetime,
    *,
    every: schemas.PeriodKind | None = None,
) -> schemas.Backtest:
    outcomes = [case.outcome for case in cases if case.outcome is not None]
    held, judged = sum(each.held for each in outcomes), len(outcomes)
    interval = share_interval(held, judged) if judged else None
    return schemas.Backtest(
        kpi=query.kpi,
        every=every,
        knowledge=query.knowledge,
        cases=[_case(case) for case in cases],
        judged=judged,
        unknown=len(cases) - judged,
        held=held,
        held_share=_share(held, judged),
        held_interval=schemas.Interval.model_validate(_interval(*interval)) if interval else None,
        below_p10=_share(sum(each.is_below for each in outcomes), judged),
        above_p90=_share(sum(each.is_above for each in outcomes), judged),
        errors=_errors(outcomes),
        verdict=verdict(outcomes),
        as_of=at,
        known_at=known_at,
    )


def _interval(low: float, high: float) -> dict[str, Decimal | None]:
    return {"low": figure(low), "high": figure(high)}


def _share(part: int, whole: int) -> Decimal | None:
    return figure(part / whole) if whole else None


def _errors(outcomes: Sequence[Outcome]) -> schemas.Errors:
    linear, last_year = compared(outcomes, "linear_pace"), compared(outcomes, "last_year")
    return schemas.Errors(
        forecast=figure(median_error(outcomes)),
        linear_pace=figure(linear.other if linear else None),
        same_period_last_year=figure(last_year.other if last_year else None),
        to_linear_pace=figure(linear.ratio if linear else None),
        to_same_period_last_year=figure(last_year.ratio if last_year else None),
    )


def _case(case: _Case) -> schemas.Case:
    told = case.outcome
    return schemas.Case(
        owner=Owner(type=case.owner.type, id=case.owner.id),
        period=case.period.label,
        elapsed=case.elapsed,
        day=case.day,
        status="ok" if told else "unknown",
        reason=schemas.Reason.model_validate(case.reason.reason) if case.reason else None,
        p10=figure(told.p10) if told else None,
        p50=figure(told.p50) if told else None,
        p90=figure(told.p90) if told else None,
        ended=figure(case.ended),
        linear_pace=figure(told.linear_pace) if told else None,
        same_period_last_year=figure(told.last_year) if told else None,
        has_held=told.held if told else None,
    )
