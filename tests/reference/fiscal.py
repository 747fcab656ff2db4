"""Fiscal years and their periods, of months or of weeks, asked day by day (S2)."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from tests.reference.days import DAY


@dataclass(frozen=True)
class Fiscal:
    """How an organization's fiscal years lie; of weeks they end on a day before which a week ends."""

    starts_in: int
    named_after: Literal["starts", "ends"]
    pattern: Literal["months", "4-4-5", "4-5-4", "5-4-4"]
    week_rule: Literal["last", "nearest"]
    week_start: int

    def place_of(self, day: date) -> tuple[int, int]:
        """The fiscal year of a day, by its name, and which of its twelve periods, from 1."""
        begun = max(year for year in range(day.year - 2, day.year + 2) if self._first_day(year) <= day)
        is_named_later = self.named_after == "ends" and self.starts_in > 1
        name = begun + 1 if is_named_later else begun
        if self.pattern == "months":
            return name, (day.month - self.starts_in) % 12 + 1
        return name, self._period_of_week((day - self._first_day(begun)).days // 7)

    def _period_of_week(self, week: int) -> int:
        """By counting the weeks of the periods down; a 53rd is the last one's."""
        for number, weeks in enumerate([int(count) for count in self.pattern.split("-")] * 4, start=1):
            week -= weeks
            if week < 0:
                return number
        return 12

    def _first_day(self, year: int) -> date:
        """Of the fiscal year whose months begin in a calendar year: the day after the end of the one before.

        That is the last day of a week in the month before, or the one nearest to the end of that month.
        """
        first = date(year, self.starts_in, 1)
        if self.pattern == "months":
            return first
        around = [first + n * DAY for n in range(-8, 8)]
        ends = [day for day in around if (day + DAY).weekday() == self.week_start]
        if self.week_rule == "last":
            return max(day for day in ends if day < first) + DAY
        return min(ends, key=lambda day: abs(day - (first - DAY))) + DAY

    def label(self, day: date, grain: Literal["month", "quarter", "year"]) -> str:
        """The name of the fiscal period, quarter or year that a day lies in."""
        year, period = self.place_of(day)
        part = {"month": f"-P{period:02}", "quarter": f"-Q{(period + 2) // 3}", "year": ""}[grain]
        return f"FY{year:04}{part}"
