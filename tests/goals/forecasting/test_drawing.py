"""Forecasts of formulas: ratios and averages from drawn working days."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random

from app.goals.forecasting.course import Course
from app.goals.forecasting.drawing import Sums, forecast
from tests.goals.forecasting.histories import poisson

_DAY = timedelta(days=1)
MONDAY = date(2025, 1, 6)


def ratio(sums: Sequence[float]) -> float | None:
    return sums[0] / sums[1] if sums[1] else None


def test_the_range_of_a_ratio_holds_in_four_of_five_cases() -> None:
    held = [low <= ended <= high for low, ended, high in _cases(150)]
    assert 0.72 <= sum(held) / len(held) <= 0.88


def test_the_same_data_give_the_same_forecast() -> None:
    sums = Sums([_course([1.0, 0.0, 2.0] * 20, 80, 50), _course([2.0, 1.0, 2.0] * 20, 80, 50)], ratio)
    first, second = forecast(sums), forecast(sums)
    assert first is not None
    assert second is not None
    assert first.ends == second.ends
    assert sums.so_far() == ratio(
        [sum([1.0, 0.0, 2.0] * 20) - sum(([1.0, 0.0, 2.0] * 20)[:50]), sums.courses[1].so_far]
    )


def test_nothing_to_divide_by_is_no_forecast() -> None:
    nothing = _course([0.0] * 60, 80, 50)
    assert forecast(Sums([nothing, nothing], ratio)) is None


def test_nothing_to_come_leaves_what_there_is() -> None:
    ending = forecast(Sums([_course([1.0] * 60, 60, 50), _course([4.0] * 60, 60, 50)], ratio))
    assert ending is not None
    assert set(ending.range) == {0.25}


def test_all_that_happens_on_a_day_stays_together() -> None:
    """Every day has one of two: no draw can say anything else."""
    ending = forecast(Sums([_course([1.0, 3.0] * 30, 90, 50), _course([2.0, 6.0] * 30, 90, 50)], ratio))
    assert ending is not None
    assert set(ending.range) == {0.5}


def _course(values: list[float], length: int, begins: int) -> Course:
    work = [8.0 if place % 7 < 5 else 0.0 for place in range(length)]
    return Course(MONDAY, values, work, [MONDAY + begins * _DAY], MONDAY + length * _DAY)


def _cases(count: int) -> Iterator[tuple[float, float, float]]:
    for number in range(count):
        random = Random(number)
        rate, chance = random.uniform(0.5, 15), random.uniform(0.1, 0.6)
        past, length = random.choice((60, 150, 400)), random.choice((30, 91))
        closed = [float(poisson(random, rate)) if day % 7 < 5 else 0.0 for day in range(past + length)]
        won = [float(sum(random.random() < chance for _ in range(int(number)))) for number in closed]
        known = past + round(length * random.choice((0.25, 0.5, 0.75)))
        courses = [_course(values[:known], past + length, past) for values in (won, closed)]
        ending, ended = forecast(Sums(courses, ratio)), ratio([sum(won[past:]), sum(closed[past:])])
        if ending is not None and ended is not None:
            yield ending.range.p10, ended, ending.range.p90
