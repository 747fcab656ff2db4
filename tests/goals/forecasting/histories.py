"""Simulated histories of many kinds, and forecasts inside their last period."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from app.goals.forecasting import additive
from app.goals.forecasting.course import Course
from app.goals.forecasting.track import Outcome

_DAY = timedelta(days=1)
_HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}

Means = Callable[[Random, list[date]], list[float]]
"""What is to be expected of each day, as a multiple of the usual."""


def steady(_: Random, days: list[date]) -> list[float]:
    return [1.0] * len(days)


def seasonal(random: Random, days: list[date]) -> list[float]:
    months = [math.exp(random.gauss(0, 0.3)) for _ in range(12)]
    return [months[day.month - 1] for day in days]


def trend(random: Random, days: list[date]) -> list[float]:
    growth = random.uniform(-0.5, 1.0)
    return [math.exp(growth * n / 365) for n in range(len(days))]


def bursty(random: Random, days: list[date]) -> list[float]:
    """Good spells and bad ones, of a week or two each."""
    stays, is_good, found = random.uniform(0.85, 0.95), random.random() < 0.5, []
    for _ in days:
        is_good = is_good if random.random() < stays else not is_good
        found.append(1.8 if is_good else 0.2)
    return found


@dataclass(frozen=True)
class Kind:
    """A kind of history: its rates a day, how days differ, and whether it is in money."""

    name: str
    means: Means
    least: float
    most: float
    is_money: bool = False


KINDS = [
    Kind("steady", steady, 0.3, 50),
    Kind("seasonal", seasonal, 0.3, 50),
    Kind("trend", trend, 0.3, 50),
    Kind("sparse and lumpy", steady, 0.06, 0.5, is_money=True),
    Kind("bursty", bursty, 0.5, 30),
    Kind("few things", steady, 0.06, 0.5),
]


@dataclass(frozen=True)
class Simulated:
    """A history whose last period is known to its end, at a day inside it."""

    course: Course
    ended: float
    linear_pace: float | None

    def outcome(self) -> Outcome:
        """What its forecast was worth."""
        edges = additive.forecast(self.course).range
        return Outcome(*edges, self.ended, self.linear_pace)


def simulations(kind: Kind, count: int, seed: int = 0) -> Iterator[Simulated]:
    """Different rates, weekdays, lengths of history, months and quarters, at several shares; always the same ones."""
    for number in range(count):
        random = Random(f"{kind.name} {seed} {number}")
        made = simulated(kind, random)
        if sum(value > 0 for value in made.course.values) >= 5:
            yield made


def simulated(kind: Kind, random: Random) -> Simulated:
    """One history."""
    months = random.choice((1, 3))
    first = date(2022, random.randrange(1, 13), random.randrange(1, 28))
    starts = _starts(first, first + random.choice((90, 250, 500, 800)) * _DAY, months)
    end = _later(starts[-1], months)
    days = [first + n * _DAY for n in range((end - first).days)]
    work = [0.0 if day.weekday() > 4 or (day.month, day.day) in _HOLIDAYS else 8.0 for day in days]
    values = _values(kind, random, days, work)
    begins = (starts[-1] - first).days
    known = begins + round((len(days) - begins) * random.choice((0.25, 0.5, 0.75)))
    share = sum(work[begins:known]) / sum(work[begins:])
    course = Course(first, values[:known], work, starts, end)
    return Simulated(course, sum(values[begins:]), course.so_far / share if share else None)


def _values(kind: Kind, random: Random, days: list[date], work: list[float]) -> list[float]:
    rate = math.exp(random.uniform(math.log(kind.least), math.log(kind.most)))
    weekdays = [math.exp(random.gauss(0, 0.2)) for _ in range(7)] if random.random() < 0.5 else [1.0] * 7
    at_weekends = random.choice((0.0, 0.0, 0.1))
    size = random.uniform(0.6, 1.3)
    found = []
    for day, time, mean in zip(days, work, kind.means(random, days), strict=True):
        number = poisson(random, rate * mean * weekdays[day.weekday()] * (1 if time else at_weekends))
        found.append(sum(random.lognormvariate(8, size) for _ in range(number)) if kind.is_money else float(number))
    return found


def poisson(random: Random, mean: float) -> int:
    """A number of things that happen by chance."""
    if mean > 50:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    least, number, product = math.exp(-mean), 0, random.random()
    while product > least:
        number += 1
        product *= random.random()
    return number


def _starts(first: date, until: date, months: int) -> list[date]:
    start, found = date(first.year, 1, 1), []
    while start < until:
        start = _later(start, months)
        if start >= first:
            found.append(start)
    return found


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
