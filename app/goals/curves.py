"""The burn-up of a goal's KPI, day by day, beside what is expected (S31, S32)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from app.calendars.periods import LONGEST_RUN_OF_DAYS, CalendarSettings, DayRange, windows
from app.calendars.service import calendar_settings
from app.goals import pace, progress_schemas
from app.goals.service import period_of
from app.goals.standing import Standing
from app.goals.work import owner_of
from app.kpis.formulas import FORMULA

MOST_POINTS = 100
CurveGrain = Literal["day", "week", "month", "quarter", "year"]
_LONGEST: tuple[tuple[CurveGrain, int], ...] = (("day", 1), ("week", 7), ("month", 30), ("quarter", 90))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reached:
    """The KPI from the period's start to the beginning of `end`; None where it has no value."""

    end: date
    value: Decimal | None


@dataclass(frozen=True)
class BurnUp:
    """How the KPI came to its value so far: after each day, or after each window of a grain."""

    grain: CurveGrain
    steps: Sequence[Reached]

    def before(self, day: date) -> Decimal | None:
        """The value at the beginning of a day; None where it is not known."""
        return next((step.value for step in reversed(self.steps) if step.end <= day), None)


def grain_of(period: DayRange) -> CurveGrain:
    """The finest grain by which the period has at most a hundred windows."""
    return next((grain for grain, days in _LONGEST if period.days <= MOST_POINTS * days), "year")


async def burn_up(standing: Standing) -> BurnUp:
    """The values so far, each exactly the KPI of the days from the period's start on, by present knowledge.

    What adds up is added up day by day. Averages, ratios and the like are asked anew for each window to date, so these
    are as far apart as the points of a curve.
    """
    start, end = standing.goal.start_on, standing.last_known
    if start >= end or standing.cell.status in {"not_recorded_yet", "mixed_versions"}:
        return BurnUp("day", ())
    if standing.parts is not None:
        return BurnUp("day", _summed(_of_parts(standing, start, end)))
    owner = owner_of(standing.goal)
    if standing.aim is not None and standing.aim.is_additive:
        # A hundred years by days would be more values than one answer may have.
        step = "day" if (end - start).days <= LONGEST_RUN_OF_DAYS else grain_of(period_of(standing.goal))
        daily = (await standing.asking.by(step, start, end, owner))[owner]
        return BurnUp(step, _summed([(window.end, cell.value) for window, cell in daily]))
    grain = grain_of(period_of(standing.goal))
    to_date = (await standing.asking.by(grain, start, end, owner, running=True))[owner]
    return BurnUp(grain, [Reached(window.end, cell.value) for window, cell in to_date])


def _of_parts(standing: Standing, start: date, end: date) -> list[tuple[date, Decimal | None]]:
    daily = standing.parts.daily if standing.parts else ()
    days = DayRange(start, end)
    return [(day + _DAY, sum((each.get(day, Decimal(0)) for each in daily), Decimal(0))) for day in days]


def _summed(daily: Sequence[tuple[date, Decimal | None]]) -> list[Reached]:
    """The running sums; from a day without a value on nothing is known."""

    def add(before: Decimal | None, value: Decimal | None) -> Decimal | None:
        return None if before is None or value is None else FORMULA.add(before, value)

    sums = accumulate((value for _, value in daily), add)
    return [Reached(end, value) for (end, _), value in zip(daily, sums, strict=True)]


async def curve_of(standing: Standing, burnt: BurnUp) -> progress_schemas.Curve:
    """The burn-up beside what is expected, for a reader: at most about a hundred points."""
    goal, today = standing.goal, standing.today
    period = period_of(goal)
    settings = await calendar_settings(standing.asking.session, goal.org_id, standing.answer.known_at)
    grain = grain_of(period)
    course = await standing.course()
    is_waived = standing.aim is not None and standing.effective is None
    points = []
    for on in _days(period, grain, settings, today):
        share = course.share_before(on + _DAY)
        points.append(
            progress_schemas.CurvePoint(
                on=on,
                actual=_actual(standing, burnt, on),
                expected=Decimal(0)
                if is_waived
                else _due(standing, standing.effective.target if standing.effective else None, share),
                stretch=_due(standing, standing.stretch, share),
            )
        )
    return progress_schemas.Curve(grain=grain, points=points)


def _due(standing: Standing, target: Decimal | None, share: Fraction) -> Decimal | None:
    """What is expected of a target by a share of what is due; None of a band."""
    aim = standing.effective
    if aim is None or target is None or aim.direction == "maintain":
        return None
    return pace.part_of(target, share) if aim.is_built_up else target


def _days(period: DayRange, grain: CurveGrain, settings: CalendarSettings, today: date) -> list[date]:
    """The last day of each window, and today."""
    ends = {window.end - _DAY for window in windows(period, grain, settings)}
    return sorted(ends | ({today} if today in period else set()))


def _actual(standing: Standing, burnt: BurnUp, on: date) -> Decimal | None:
    """The value at the end of a day; of the last known day what the goal's standing says."""
    if on + _DAY > standing.last_known or on < standing.goal.start_on:
        return None
    if on == standing.today or (standing.is_over and on == standing.goal.last_day):
        return standing.cell.value
    return burnt.before(on + _DAY)
