"""What a forecast is made from: the days of the past, what happened on each, and how much work lies before the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Course:
    """The daily values of one additive figure up to some day, and the working time up to the end of a period.

    `values` are those of the days from `first` on that have ended; `work` is the working time of the same days and of
    all further ones until before `end`, in any one unit, 0 where nobody works. `starts` are the first days of the
    periods of the same kind, oldest first, the last being that of the period itself. `today` is what happened on
    the day after the last value, and `today_left` the part of that day's work that is still to come.
    """

    first: date
    values: Sequence[float]
    work: Sequence[float]
    starts: Sequence[date]
    end: date
    today: float = 0.0
    today_left: float = 1.0

    @property
    def known(self) -> int:
        """How many days have ended."""
        return len(self.values)

    @cached_property
    def begins(self) -> int:
        """The place of the period's first day."""
        return (self.starts[-1] - self.first).days

    @cached_property
    def days(self) -> list[date]:
        """All days, the coming ones too."""
        return [self.first + place * _DAY for place in range(len(self.work))]

    @cached_property
    def so_far(self) -> float:
        """What the period has up to now."""
        is_running = self.begins <= self.known < len(self.work)
        return sum(self.values[max(self.begins, 0) :]) + (self.today if is_running else 0.0)

    def to_come(self, expected: Sequence[float]) -> float:
        """What is still to be expected of the period's days, by what is to be expected of each day."""
        return sum(expected[place] * self.part_to_come(place) for place in range(self.known, len(expected)))

    def away(self, expected: Sequence[float]) -> float:
        """What is to be expected before the period begins; 0 where it has begun."""
        return sum(expected[self.known : max(self.known, self.begins)])

    def until(self, known: int) -> "Course":
        """As it was known when so many days had ended."""
        return replace(self, values=self.values[:known], today=0.0, today_left=1.0)

    def divided_by(self, unit: float) -> "Course":
        """The same in another unit."""
        return replace(self, values=[value / unit for value in self.values], today=self.today / unit)

    def part_to_come(self, place: int) -> float:
        """Which part of a day of the period is still to come: 0 or 1, and something between for the present one."""
        if place < max(self.known, self.begins):
            return 0.0
        return self.today_left if place == self.known else 1.0
