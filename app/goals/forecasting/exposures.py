"""How much of what happens is to be expected on which day, by working time and by shapes that repeat themselves."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from statistics import fmean

from app.goals.forecasting.course import Course
from app.goals.forecasting.profiles import Profile

PLACES = 10
"""A period is cut into so many places for its shape."""
_YEAR = 365.25
_LEAST_YEARS = 1.92
_LEAST_PERIODS = 4
_LEAST_DAYS_OFF = 6
_TURNS_OF_WEEKDAYS = 8


def exposures(course: Course) -> list[list[float]]:
    """What is to be expected of each day, coming ones too, in working days: plainly, and by each shape there is.

    The first follows working time and weekdays alone; others also the month of the year, the place in the period,
    or both. Past days are judged by what the *other* years and periods say, so that rolling origins are honest.
    """
    plain = _by_weekday(course, _working_time(course))
    found = [plain]
    season, shape = _season(course, plain), _shape(course, plain)
    if season:
        found.append([day * factor for day, factor in zip(plain, season, strict=True)])
    if shape:
        found.append([day * factor for day, factor in zip(plain, shape, strict=True)])
    if season and shape:
        found.append([day * one * two for day, one, two in zip(plain, season, shape, strict=True)])
    return found


def _working_time(course: Course) -> list[float]:
    """Working time, 1 a mean working day; of days off as much of one as they had in the past."""
    worked = [time for time in course.work if time > 0]
    if not worked:
        return [1.0] * len(course.work)
    usual = fmean(worked)
    days = [time / usual for time in course.work]
    happened, off = [0.0, 0.0], [0.0, 0.0]  # on days of work and off: what happened, and how many of them
    for value, day in zip(course.values, days, strict=False):
        happened[day == 0] += value
        off[day == 0] += day or 1.0
    if off[1] < _LEAST_DAYS_OFF or happened[1] <= 0:
        return days
    if happened[0] <= 0:  # a calendar that says nothing of this figure
        return [1.0] * len(course.work)
    rate = min(max(happened[1] / off[1] / (happened[0] / off[0]), 0.0), 3.0)
    return [day or rate for day in days]


def _by_weekday(course: Course, days: list[float]) -> list[float]:
    """Weekdays that differ again and again differ."""
    turns = max(1, -(-course.known // _TURNS_OF_WEEKDAYS // 7) * 7)
    table = _table(course, days, [place // turns for place in range(len(days))], _weekdays(course), 7)
    profile = Profile(table)
    if profile.is_flat:
        return days
    return [day * profile.factors[weekday] for day, weekday in zip(days, _weekdays(course), strict=True)]


def _weekdays(course: Course) -> list[int]:
    first = course.first.weekday()
    return [(first + place) % 7 for place in range(len(course.work))]


def _season(course: Course, days: list[float]) -> list[float] | None:
    """The month of the year, by two years or more, without the growth from year to year."""
    if course.known < _LEAST_YEARS * _YEAR:
        return None
    years = round(course.known / _YEAR)
    turns = [int((course.known - 1 - place) // _YEAR) if place < course.known else -1 for place in range(len(days))]
    growth = _growth(course, days)
    expected = [day * exp(growth * (place - course.known) / _YEAR) for place, day in enumerate(days)]
    months = [day.month - 1 for day in course.days]
    profile = Profile(_table(course, expected, turns, months, 12)[:years])
    return None if profile.is_flat else [profile.without(t)[m] for t, m in zip(turns, months, strict=True)]


def _growth(course: Course, days: list[float]) -> float:
    """By how much, in logarithms, a year differs from the one before it: whole years, so that seasons are the same."""
    year = int(_YEAR)
    latest, before = ((course.known - (n + 1) * year, course.known - n * year) for n in (0, 1))
    (since, until), (first, end) = (max(0, latest[0]), latest[1]), (max(0, before[0]), before[1])
    now, then = sum(course.values[since:until]), sum(course.values[first:end])
    due, was_due = sum(days[since:until]), sum(days[first:end])
    if min(now, then, due, was_due) <= 0:
        return 0.0
    return min(max(log(now / due / (then / was_due)), -2.0), 2.0)


def _shape(course: Course, days: list[float]) -> list[float] | None:
    """The place in the period, by four past ones or more: a rush at the end, a slow start."""
    edges = [(start - course.first).days for start in course.starts] + [len(days)]
    turns, places = [-1] * len(days), [0] * len(days)
    whole = 0
    for start, end in pairwise(edges):
        if start < 0:
            continue
        length, passed = sum(days[start:end]), 0.0
        for place in range(start, end):
            turns[place] = whole
            places[place] = min(PLACES - 1, int(PLACES * (passed + days[place] / 2) / length)) if length else 0
            passed += days[place]
        whole += 1
    complete = whole - 1  # the last one is the period itself
    if complete < _LEAST_PERIODS:
        return None
    profile = Profile(_table(course, days, turns, places, PLACES)[:complete])
    if profile.is_flat:
        return None
    return [1.0 if turn < 0 else profile.without(turn)[place] for turn, place in zip(turns, places, strict=True)]


def _table(
    course: Course, expected: Sequence[float], turns: Sequence[int], bins: Sequence[int], count: int
) -> list[list[tuple[float, float]]]:
    sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for value, due, turn, place in zip(course.values, expected, turns, bins, strict=False):
        if turn >= 0:
            cell = sums[turn, place]
            cell[0] += value
            cell[1] += due
    last = max((turn for turn, _ in sums), default=-1)
    return [[(*sums[turn, place],) for place in range(count)] for turn in range(last + 1)]  # type: ignore[misc]
