"""The working time of a goal's owner, day by day: what is due by when, and what absences take away (S22, S31)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from math import lcm

from app.calendars.periods import DayRange
from app.calendars.working import WorkCalendar
from app.employment.facts import Effect

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Work:
    """Days by one calendar; `part` is 1 for full time. `absence`: the days are away, and what that does to targets.

    `ramp` is the share of the full target that is asked for on these days (S33).
    """

    calendar: WorkCalendar
    days: DayRange
    part: Fraction = Fraction(1)
    absence: Effect | None = None
    ramp: Fraction = Fraction(1)


@dataclass(frozen=True)
class Hours:
    """The working time of calendars by day, in microseconds, worked out once for all who work by them."""

    _known: dict[tuple[int, DayRange], tuple[WorkCalendar, list[int]]] = field(default_factory=dict)

    def of(self, calendar: WorkCalendar, days: DayRange) -> list[int]:
        """For each of the days."""
        key = id(calendar), days
        if key not in self._known:
            times = (calendar.working_time(DayRange(day, day + _DAY)) for day in days)
            # With the calendar, so that no other one takes its identity.
            self._known[key] = calendar, [time // timedelta.resolution for time in times]
        return self._known[key][1]


class Schedule:
    """The work of a goal's owner over its period: summed up once, however many windows are asked about."""

    def __init__(self, period: DayRange, work: Sequence[Work], hours: Hours | None = None) -> None:
        self._period = period
        self._hours = hours or Hours()
        # Parts as whole numbers: fractions would cost more than all else.
        self._unit = lcm(*(part.denominator for item in work for part in (item.part, item.part * item.ramp)))
        here = [item for item in work if item.absence is None]
        self._present = self._sums(here)
        self._planned = self._sums(work)
        self._waived = self._sums(item for item in work if item.absence == "prorate_target")[-1]
        self._ramped = self._present
        if any(item.ramp != 1 for item in here):
            self._ramped = self._sums(replace(item, part=item.part * item.ramp) for item in here)

    @property
    def kept(self) -> Fraction:
        """The part of the target that absences and ramps leave.

        Absences take the part of their working time away, of the whole but the rescheduled, whose work the other days
        do (S31). Of what is left each day asks for its share of the ramp (S33).
        """
        counted = self._present[-1] + self._waived
        return Fraction(self._ramped[-1], counted) if counted else Fraction(1)

    @property
    def ramp(self) -> Fraction:
        """The ramp's share of the whole period, by working time; 1 without one."""
        return Fraction(self._ramped[-1], self._present[-1]) if self._present[-1] else Fraction(1)

    @property
    def working_time(self) -> Fraction:
        """All working time of the period, in microseconds of full time."""
        return Fraction(self._present[-1], self._unit)

    @property
    def daily(self) -> list[int]:
        """The working time of each day of the period by which days count, in any one unit; 1 where nobody works."""
        sums = self._counting
        return [1] * self._period.days if sums is None else [later - sum_ for sum_, later in pairwise(sums)]

    def working_days(self, days: DayRange) -> int:
        """On how many of these days of the period somebody works, by the days that count for `share_of`."""
        start, end = self._place(days)
        sums = self._counting
        return end - start if sums is None else sum(sums[n + 1] > sums[n] for n in range(start, end))

    def share_before(self, day: date) -> Fraction:
        """The share of the working time that lies in whole days before a day, 0 to 1."""
        return self.share_of(self._period.until(day))

    def share_of(self, days: DayRange) -> Fraction:
        """The share of the working time that lies in these days.

        A ramped target is due as the ramp asks for it: a day weighs by its share. Where the absences leave no time, it
        is that of the plan without them. Where nobody works at all (a goal for one weekend), whole days count: what was
        asked for is done on them.
        """
        start, end = self._place(days)
        sums = self._ramped if self._ramped[-1] else self._counting
        return Fraction(end - start, self._period.days) if sums is None else Fraction(sums[end] - sums[start], sums[-1])

    @property
    def _counting(self) -> list[int] | None:
        """The working time by which days count; None where nobody works on any of them."""
        return next((sums for sums in (self._present, self._planned) if sums[-1]), None)

    def _place(self, days: DayRange) -> tuple[int, int]:
        return self._period.until(days.start).days, self._period.until(days.end).days

    def _sums(self, work: Iterable[Work]) -> list[int]:
        """The working time of the first n days, from n = 0 on."""
        length = self._period.days
        changes: dict[int, tuple[WorkCalendar, list[int]]] = {}
        for item in work:
            _, parts = changes.setdefault(id(item.calendar), (item.calendar, [0] * (length + 1)))
            amount = int(item.part * self._unit)
            parts[self._period.until(item.days.start).days] += amount
            parts[self._period.until(item.days.end).days] -= amount
        daily = [0] * length
        for calendar, parts in changes.values():
            times = self._hours.of(calendar, self._period)
            daily = [sum_ + part * time for sum_, part, time in zip(daily, accumulate(parts), times, strict=False)]
        return [0, *accumulate(daily)]
