"""Fiscal years and their twelve periods, cut by months or by weeks (4-4-5 and its like, 52 or 53 weeks) (S2)."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Literal

FiscalName = Literal["ends", "starts"]
FiscalPattern = Literal["months", "4-4-5", "4-5-4", "5-4-4"]
FiscalWeekRule = Literal["last", "nearest"]

_WEEK = timedelta(weeks=1)
PERIODS = 12


@dataclass(frozen=True, slots=True)
class FiscalYears:
    """How an organization's fiscal years lie.

    Of weeks, a year ends on the last day of a week in its last month (`last`), or on the one nearest to the end of that
    month (`nearest`). Its name goes by its months, also where its first week begins in the month before; a 53rd week
    belongs to the last period.
    """

    starts_in: int = 1
    """The month, 1 to 12; the last month is the one before it."""
    named_after: FiscalName = "ends"
    pattern: FiscalPattern = "months"
    week_rule: FiscalWeekRule = "last"
    week_starts_on: int = 0

    def bounds(self, year: int) -> tuple[date, ...]:
        """The first days of a year's twelve periods, and the one after its last day."""
        return _bounds(self, year)

    def year_of(self, day: date) -> int:
        """The fiscal year that a day lies in."""
        return next(year for year in range(day.year - 1, day.year + 2) if day < self.bounds(year)[-1])

    def place_of(self, day: date) -> tuple[int, int]:
        """The fiscal year that a day lies in, and which of its periods: 0 to 11."""
        year = self.year_of(day)
        return year, bisect_right(self.bounds(year), day) - 1

    def _nominal_start(self, year: int) -> date:
        """The first day of the first month of a fiscal year."""
        begins_before = self.starts_in > 1 and self.named_after == "ends"
        return date(year - begins_before, self.starts_in, 1)

    def _start(self, year: int) -> date:
        first = self._nominal_start(year)
        if self.pattern == "months":
            return first
        # The year before ends on a day of which a week begins the next morning: so begins this one.
        back = timedelta((first.weekday() - self.week_starts_on) % 7)
        return first - back + (_WEEK if self.week_rule == "nearest" and back > timedelta(3) else timedelta())


@lru_cache(maxsize=2048)
def _bounds(years: FiscalYears, year: int) -> tuple[date, ...]:
    start, end = years._start(year), years._start(year + 1)  # noqa: SLF001  # its own module's
    if years.pattern == "months":
        return (*(_months_later(start, count) for count in range(PERIODS)), end)
    weeks = [int(count) for count in years.pattern.split("-")] * 4
    return (*(start + count * _WEEK for count in accumulate(weeks[:-1], initial=0)), end)


def _months_later(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)
