"""The daily history of a KPI, with the owner's working time."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from math import ceil

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import CalendarSettings, DayRange, first_instant, previous_period, same_period_last_year
from app.core.configuration import kept
from app.core.db import OrganizationId
from app.goals.forecasting.course import Course
from app.goals.forecasting.days import VALUES_A_ROW, days_until_today
from app.goals.forecasting.drawing import Sums
from app.goals.forecasting.parts import Parts
from app.goals.forecasting.reasons import LONGEST_AHEAD, Unknown
from app.goals.work import schedules_of
from app.kpis.attribution import Subject
from app.kpis.engine import load_context
from app.kpis.planning import Context
from app.kpis.questions import Query

LONGEST = timedelta(days=3 * 365 + 30)
"""So far back the history is looked at."""
_DAY = timedelta(days=1)
_FARTHEST = timedelta(days=3650)
_PIECES_OF_TODAY = 16


@dataclass(frozen=True)
class Asked:
    """Of what a history is asked; `as_of` and `known_at` as in `Query`: None is the present."""

    kpi: str
    subject: Subject
    currency: str | None = None
    rate_set: str | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class History:
    """What happened on each day from `first` until today, which is the last of them, and what of it is added up how.

    `columns` has one list for an additive KPI, else one for each part of its formula. `work` is the owner's working
    time from `first` until before `until`; `today_left` the part of today's work that is still to come.
    """

    context: Context
    is_additive: bool
    parts: Parts
    first: date
    columns: Sequence[Sequence[float]]
    work: Sequence[float]
    until: date
    today_left: float
    left_out: int

    @property
    def today(self) -> date:
        """The local day of T."""
        return self.context.today

    @cached_property
    def begin(self) -> int | None:
        """The place of the first day with anything; None where nothing ever happened."""
        return next((place for place, day in enumerate(zip(*self.columns, strict=True)) if any(day)), None)

    def cut(self, period: DayRange, day: date | None = None) -> Sums:
        """As it stood when `day` began, or (None) as it stands: what a forecast of a period is made from.

        Raises `Unknown` where nothing had happened by then.
        """
        known = ((day or self.today) - self.first).days
        begin = self.begin
        if begin is None or begin >= known:
            raise Unknown("no_history" if not self.left_out or begin is not None else "left_out")
        # As far back as a forecast of that day would have looked.
        begin = max(begin, known - LONGEST.days)
        first = self.first + begin * _DAY
        work = self.work[begin : (max(period.end, first + (known - begin) * _DAY) - self.first).days]
        starts = _starts(period, first, self.context.cut)
        left = self.today_left if day is None else 1.0
        return Sums(
            [
                Course(
                    first,
                    column[begin:known],
                    work,
                    starts,
                    period.end,
                    today=column[known] if day is None else 0.0,
                    today_left=left,
                )
                for column in self.columns
            ],
            self.figure,
        )

    def figure(self, sums: Sequence[float]) -> float | None:
        """The KPI of sums of the columns."""
        return sums[0] if self.is_additive else self.parts.figure(sums)

    def over(self, days: DayRange) -> float | None:
        """The KPI over days that the history has, up to today; None where it has not all of them, or no data."""
        start, end = (days.start - self.first).days, (min(days.end, self.today + _DAY) - self.first).days
        if start < 0 or end <= start:
            return None
        return self.figure([sum(column[start:end]) for column in self.columns])

    def year_before(self, period: DayRange) -> float | None:
        """What the KPI was in the same period a year before (S21); None where the history does not reach back to it."""
        earlier = same_period_last_year(period, self.context.cut)
        if earlier is None or self.begin is None or earlier.end > self.today:
            return None
        if earlier.start < self.first + self.begin * _DAY:
            return None
        return self.over(earlier)

    def share_before(self, period: DayRange, day: date) -> float:
        """The share of the period's working time that lies in whole days before a day (S31)."""
        start, end = (max(0, (each - self.first).days) for each in (period.start, period.end))
        until = min(max((day - self.first).days, start), end)
        total = sum(self.work[start:end])
        return sum(self.work[start:until]) / total if total else (until - start) / max(1, end - start)


async def load(
    session: AsyncSession,
    org_id: OrganizationId,
    asked: Asked,
    period: DayRange,
    *,
    back: timedelta = LONGEST,
    so_far: Decimal | None = None,
) -> History:
    """The history up to now and the working time until the period's end. Raises `Unknown`, `ValidationFailed`.

    `so_far` is the period's figure up to now, where the caller knows it.
    """
    query = Query(
        kpis=[asked.kpi],
        subjects=[asked.subject],
        period="today",
        grain="day",
        currency=asked.currency,
        rate_set=asked.rate_set,
        as_of=asked.as_of,
        known_at=asked.known_at,
    )
    context = await load_context(session, org_id, query)
    if not context.is_recorded:
        raise Unknown("not_recorded_yet")
    # A period that is over is looked at whole, as far as one question reaches.
    first = max(min(context.today - back, period.start), context.today - _FARTHEST)
    if context.retained_from is not None:
        first = max(first, context.retained_from)
        if first > min(period.start, context.today):
            raise Unknown("not_retained")
    if period.end - context.today > LONGEST_AHEAD * back:
        raise Unknown("too_little_history")
    days = await days_until_today(session, context, query, first, period, so_far)
    until = max(period.end, context.today + _DAY)
    work = await _work(session, org_id, context, days.subject, DayRange(first, until))
    left = _left_of_today(context)
    return History(days.context, days.is_additive, days.parts, first, days.columns, work, until, left, days.left_out)


def together(histories: Sequence[History]) -> History:
    """The sum of histories of additive KPIs over the same days. Raises `Unknown` where they cannot be added up."""
    first = histories[0]
    if len(histories) == 1:
        return first
    if not all(each.is_additive and each.first == first.first for each in histories):
        raise Unknown("not_of_days")
    return replace(
        first,
        columns=[[sum(day) for day in zip(*(each.columns[0] for each in histories), strict=True)]],
        work=[sum(day) for day in zip(*(each.work for each in histories), strict=True)],
        left_out=sum(each.left_out for each in histories),
    )


async def _work(
    session: AsyncSession, org_id: OrganizationId, context: Context, subject: Subject, days: DayRange
) -> Sequence[float]:
    """The owner's working time by day."""
    place = await kept(session, org_id, context.known_at)
    key = ("working time by day", subject, days.start, days.end)
    if key not in place:
        schedule = await schedules_of(session, org_id, context.known_at).over(subject, days)
        place.put(key, array("d", map(float, schedule.daily)), weight=days.days // VALUES_A_ROW)
    work: Sequence[float] = place[key]
    return work


def _left_of_today(context: Context) -> float:
    """The part of today's working time that lies after T; of a day off, of its 24 hours.

    In whole sixteenths: so the same forecast holds for half an hour, unless something happens.
    """
    today, calendar = context.today, context.calendar
    spans = calendar.intervals_between(today, today + _DAY) or [*pairwise(_bounds(context))]
    total = sum((end - start).total_seconds() for start, end in spans)
    left = sum(max(0.0, (end - max(start, context.at)).total_seconds()) for start, end in spans)
    return ceil(left / total * _PIECES_OF_TODAY) / _PIECES_OF_TODAY if total else 0.0


def _bounds(context: Context) -> tuple[datetime, datetime]:
    zone = context.cut.zone
    return first_instant(context.today, zone), first_instant(context.today + _DAY, zone)


def _starts(period: DayRange, first: date, cut: CalendarSettings) -> list[date]:
    """The first days of the periods of the same kind that lie in the history, oldest first."""
    found = [period.start]
    earlier = previous_period(period, cut)
    while earlier.start >= first and earlier.days:
        found.append(earlier.start)
        earlier = previous_period(earlier, cut)
    return found[::-1]
