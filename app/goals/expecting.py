"""What share of a target is due by when: by working time, by whole days, or by the course of earlier periods (S31)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import accumulate
from typing import Protocol

from app.calendars.periods import DayRange
from app.kpis.formulas import FORMULA

MOST_SEASONS = 3
Point = tuple[Fraction, Fraction]


class Course(Protocol):
    """How a target becomes due over its period."""

    def share_before(self, day: date) -> Fraction:
        """The share that is due by the beginning of a day: 0 at the period's start, 1 at its end."""


@dataclass(frozen=True, slots=True)
class Linear:
    """By whole days, whoever works."""

    period: DayRange

    def share_before(self, day: date) -> Fraction:
        """The share of the days that lie before a day."""
        return Fraction(self.period.until(day).days, self.period.days)


@dataclass(frozen=True, slots=True)
class Season:
    """The course of an earlier period: (share of its working time, share of its total) after each day, in order."""

    points: tuple[Point, ...]

    def at(self, share: Fraction) -> Fraction:
        """What of its total was there after this share of its working time, interpolated between whole days.

        Where working time stands still over some days (weekends), after the last of them; nothing before any time has
        passed, all when all has.
        """
        if share <= 0 or share >= 1:
            return Fraction(share >= 1)
        # Of equal shares the last: what was done at a weekend counts with the day before it.
        place = bisect_right(self.points, share, key=lambda point: point[0]) - 1
        time, total = self.points[place]
        if time == share or place + 1 == len(self.points):
            return total
        following, there = self.points[place + 1]
        return total + (there - total) * (share - time) / (following - time)


def season_of(times: Sequence[Fraction], values: Sequence[Decimal]) -> Season | None:
    """The course of a period by the share of working time past after each day, and what the KPI was on each.

    None where there is no course: the whole is nothing or less.
    """
    sums = list(accumulate(values, FORMULA.add))
    if not sums or sums[-1] <= 0:
        return None
    shares = [Fraction(FORMULA.divide(each, sums[-1])) for each in sums]
    return Season(((Fraction(0), Fraction(0)), *zip(times, shares, strict=True)))


@dataclass(frozen=True, slots=True)
class Seasonal:
    """The mean of the courses of earlier periods, at the same share of working time."""

    time: Course
    seasons: tuple[Season, ...]

    def share_before(self, day: date) -> Fraction:
        """The mean share; never less than nothing, though an earlier period may have been there for a while."""
        share = self.time.share_before(day)
        total = reduce(lambda found, season: found + season.at(share), self.seasons, Fraction(0))
        return max(total / len(self.seasons), Fraction(0))
