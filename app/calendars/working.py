"""Working days and working time, in which expected shares and comparisons to date are measured (S21, S31)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.calendars.periods import DayRange, instant_at, local_day

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)

Instants = tuple[datetime, datetime]
"""From one instant until before another."""


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)


@dataclass(frozen=True, slots=True, order=True)
class WorkInterval:
    """Working time between two clock times of one day; an end of 00:00 is the end of the day."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.length <= timedelta():
            raise ValueError(f"The interval {self.start:%H:%M}–{self.end:%H:%M} ends before it starts.")

    @property
    def length(self) -> timedelta:
        """By the clock on the wall: a change to or from summer time inside it is not counted."""
        return (_since_midnight(self.end) or _DAY) - _since_midnight(self.start)


OFFICE_HOURS = (WorkInterval(time(9), time(17)),)
MONDAY_TO_FRIDAY: Mapping[int, tuple[WorkInterval, ...]] = dict.fromkeys(range(5), OFFICE_HOURS)


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """When people work: intervals by weekday (0 is Monday), days off, and extra days.

    An extra working day works although it is a holiday or a weekend: by its weekday's intervals, or those of the first
    weekday that has some. Raises `ValueError` where no weekday has any, or intervals of a day overlap.
    """

    name: str
    zone: ZoneInfo
    weekdays: Mapping[int, tuple[WorkInterval, ...]] = field(default_factory=lambda: MONDAY_TO_FRIDAY)
    holidays: frozenset[date] = frozenset()
    extra_working_days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if not any(self.weekdays.values()):
            raise ValueError("A calendar needs working time on at least one weekday.")
        for intervals in self.weekdays.values():
            if any(
                _since_midnight(b.start) < _since_midnight(a.start) + a.length for a, b in pairwise(sorted(intervals))
            ):
                raise ValueError("The working intervals of one day overlap.")

    def intervals_on(self, day: date) -> tuple[WorkInterval, ...]:
        """The working intervals of a local day; empty on a day off."""
        usual = self.weekdays.get(day.weekday(), ())
        if day in self.extra_working_days:
            return usual or next(self.weekdays[n] for n in sorted(self.weekdays) if self.weekdays[n])
        return () if day in self.holidays else usual

    def is_working_day(self, day: date) -> bool:
        return bool(self.intervals_on(day))

    def working_days(self, days: DayRange) -> int:
        return sum(self.is_working_day(day) for day in days)

    def working_time(self, days: DayRange) -> timedelta:
        return sum((interval.length for day in days for interval in self.intervals_on(day)), timedelta())

    def intervals_between(self, first: date, end: date) -> list[Instants]:
        """The working intervals of the calendar's own days from `first` until before `end`, as instants in UTC (S16).

        Disjoint and in order; what meets at an instant is one. A clock time that comes twice is its first; one in
        a gap is the end of the gap, so that an interval is as long as the clocks really ran.
        """
        found: list[Instants] = []
        for day in DayRange(first, max(first, end)):
            for interval in sorted(self.intervals_on(day)):
                starts, ends = self._instants(day, interval)
                if found and found[-1][1] == starts:
                    starts = found.pop()[0]
                if starts < ends:
                    found.append((starts, ends))
        return found

    def working_seconds(self, start: datetime, end: datetime) -> Decimal:
        """The exact working time between two instants; 0 where `end` is not later (S16)."""
        if end <= start:
            return Decimal(0)
        days = local_day(start, self.zone), local_day(end, self.zone) + _DAY
        within = ((max(since, start), min(until, end)) for since, until in self.intervals_between(*days))
        worked = sum((until - since for since, until in within if since < until), timedelta())
        return Decimal(worked // _MICROSECOND).scaleb(-6)

    def _instants(self, day: date, interval: WorkInterval) -> Instants:
        ends_on = day if interval.end > time() else day + _DAY
        return instant_at(day, interval.start, self.zone), instant_at(ends_on, interval.end, self.zone)

    def cut_after(self, days: DayRange, count: int) -> date:
        """The day after the run's `count`-th working day, where a comparison to date is cut (S21).

        The start for 0; the end where the run has fewer working days.
        """
        if count == 0:
            return days.start
        for day in days:
            count -= self.is_working_day(day)
            if count == 0:
                return day + _DAY
        return days.end
