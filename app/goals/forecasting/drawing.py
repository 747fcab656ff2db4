"""Forecasts of ratios, averages and other formulas: past working days are drawn, with all that happened on each.

A moving-block bootstrap (Künsch 1989; Efron 1979): runs of consecutive working days are drawn, later ones more
often, until they are as many as are still to come; all sums of a day stay together, and the formula is evaluated on
what the period has and what was drawn. Fewer days are drawn than are to come, and weigh more, so that the past's own
uncertainty is in the range, too: the variance of a mean of n days is added to that of h days to come.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from random import Random

from app.goals.forecasting.course import Course
from app.goals.forecasting.ending import Ending

DRAWS = 500
_KEPT = 0.5 ** (1 / 120)
_LONGEST_RUN = 5

Formula = Callable[[Sequence[float]], float | None]
"""The figure of sums in the order of the columns; None is no data."""


@dataclass(frozen=True)
class Sums:
    """The daily values of everything that a formula adds up, a column each; `courses` share days, work and period."""

    courses: Sequence[Course]
    formula: Formula

    def so_far(self) -> float | None:
        """The figure of the period up to now."""
        return self.formula([course.so_far for course in self.courses])

    def over(self, start: int, end: int) -> float | None:
        """The figure of a run of known days."""
        return self.formula([sum(course.values[start:end]) for course in self.courses])


def digest_of(sums: Sums) -> bytes:
    """What the same data have in common, whatever the formula."""
    first = sums.courses[0]
    digest = sha256(repr((first.first, first.starts, first.end, first.today_left)).encode())
    for values in (first.work, *(values for course in sums.courses for values in (course.values, [course.today]))):
        digest.update(array("d", values).tobytes())
    return digest.digest()


def forecast(sums: Sums) -> Ending | None:
    """Where the period ends; None where most drawn ends have no data."""
    course = sums.courses[0]
    base = [each.so_far for each in sums.courses]
    columns, left = _by_working_day(sums.courses), _days_to_come(course)
    ends = [sums.formula(base)] if left <= 0 else _drawn(sums, base, columns, left)
    told = sorted(end for end in ends if end is not None)
    return Ending(told) if 2 * len(told) > len(ends) else None


def _drawn(sums: Sums, base: Sequence[float], columns: Sequence[Sequence[float]], left: float) -> list[float | None]:
    days = len(columns[0])
    weights = [_KEPT ** (days - 1 - day) for day in range(days)]
    worth = sum(weights) ** 2 / sum(weight * weight for weight in weights)
    enough = left * worth / (left + worth)
    length = max(1, min(_LONGEST_RUN, int(enough / 3)))
    runs = max(1, round(enough / length))
    scale = left / (runs * length)
    sums_of_runs = [_runs(column, length) for column in columns]
    upto = list(accumulate(weights[length - 1 :]))
    random = Random(_seed(sums.courses))  # noqa: S311  # the same data, the same forecast
    places = range(days - length + 1)
    found = []
    for _ in range(DRAWS):
        drawn = random.choices(places, cum_weights=upto, k=runs)
        found.append(
            sums.formula(
                [had + scale * sum(map(run.__getitem__, drawn)) for had, run in zip(base, sums_of_runs, strict=True)]
            )
        )
    return found


def _by_working_day(courses: Sequence[Course]) -> list[list[float]]:
    """The columns by working days alone: what happens on days off is added to the working day before."""
    worked = [time > 0 for time in courses[0].work[: courses[0].known]]
    if not any(worked):
        return [list(course.values) for course in courses]
    found = []
    for course in courses:
        column: list[float] = [0.0]  # before the first working day
        for value, is_worked in zip(course.values, worked, strict=True):
            if is_worked:
                column.append(value)
            else:
                column[-1] += value
        found.append([column[0] + column[1], *column[2:]])
    return found


def _days_to_come(course: Course) -> float:
    """The working days of the period that are still to come; a day weighs by its working time."""
    past = [time for time in course.work[: course.known] if time > 0]
    if not past:
        return course.to_come([1.0] * len(course.work))
    return course.to_come(course.work) * len(past) / sum(past)


def _runs(column: Sequence[float], length: int) -> list[float]:
    upto = [0.0, *accumulate(column)]
    return [upto[place + length] - upto[place] for place in range(len(column) - length + 1)]


def _seed(courses: Sequence[Course]) -> int:
    text = repr([(course.first, course.end, course.today, course.values) for course in courses])
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")
