"""Forecasts of counts and sums: where the period will end, by the figure's own days and the working time to come.

1. *What is to be expected of a day* is its working time (weekends, holidays, absences, part time), times what weekdays,
   months of the year (from two years on) and places in the period (from four past ones on) repeatedly were in the past,
   as far as that is no chance: empirical Bayes (Efron and Morris 1975). Days off get what they had in the past.
2. *The level* is a mean of several simple methods: means and lines through the past in which old days count less
   (exponential weights, Brown 1963), of different memories, with and without the shapes. Each looks back from every
   past day (rolling origins, Hyndman and Athanasopoulos 2021, 5.10) and is believed by the likelihood of its errors
   (Bates and Granger 1969; Hoeting et al. 1999).
3. *The spread* is that of single days, times what the errors of the past forecasts over as many days were
   beyond it: days that resemble each other, a moving level and few data all widen the range. What the level may be is
   symmetric in logarithms, so that an uncertain one is raised a little.
4. *The shape*: of up to 15 days with anything, as many days are drawn from the past as a negative binomial says (a
   bootstrap, Efron 1979); of more, a gamma distribution. Figures that can fall have a normal one.

The same data give the same forecast: draws are evenly spaced, and seeded by a digest of the data.
"""

from collections.abc import Sequence
from hashlib import sha256

from app.goals.forecasting import endings
from app.goals.forecasting.course import Course
from app.goals.forecasting.ending import Ending
from app.goals.forecasting.exposures import exposures
from app.goals.forecasting.levels import Level, level_of

_LARGE = 1e12
_SIZES_KEPT = 0.5 ** (1 / 250)
"""After so many days a past size counts half."""


def forecast(course: Course) -> Ending:
    """Where the period ends, now or at any earlier day that the course is cut at; at least one day must be known."""
    greatest = max(map(abs, (*course.values, course.today)))
    if greatest > _LARGE:  # squares of what follows must be numbers
        smaller = forecast(course.divided_by(greatest))
        return Ending([end * greatest for end in smaller.ends])
    variants = exposures(course)
    coming = [course.to_come(days) for days in variants]
    level = level_of(course.values, [days[: course.known] for days in variants], coming, away=course.away(variants[0]))
    is_whole = all(value == int(value) for value in (*course.values, course.today))
    rest = _rest(course, level, coming[0], is_whole=is_whole)
    return Ending([course.so_far + more for more in rest])


def _rest(course: Course, level: Level, days: float, *, is_whole: bool) -> Sequence[float]:
    variance = level.inflation * level.spread * abs(level.rest)
    if min(course.values) < 0:
        return endings.around(level.rest, variance)
    if level.rest <= 0:
        return [0.0] * endings.DRAWS
    happened = [
        (value, _SIZES_KEPT ** (course.known - place)) for place, value in enumerate(course.values) if value > 0
    ]
    size = sum(value * weight for value, weight in happened) / sum(weight for _, weight in happened)
    if level.mean / size <= endings.FEW:
        return endings.few(level.mean, variance, happened, max(days, 1.0), _seed(course))
    rest = endings.many(level.mean, variance)
    return [float(round(more)) for more in rest] if is_whole else rest


def _seed(course: Course) -> int:
    text = repr((course.first, course.end, course.today, course.values))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")
