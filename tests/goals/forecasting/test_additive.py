"""Forecasts of counts and sums on simulated histories: the range holds, and the error is small."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from statistics import mean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.goals.forecasting import additive
from app.goals.forecasting.course import Course
from app.goals.forecasting.levels import Level
from tests.goals.forecasting.histories import KINDS, Kind, poisson, simulations

_DAY = timedelta(days=1)
MONDAY = date(2026, 1, 5)


def course_of(values: list[float], length: int, *, starts: tuple[int, ...] = (0,)) -> Course:
    """Days of the same length from a Monday on, of which the last `length` minus known are to come."""
    work = [8.0 if place % 7 < 5 else 0.0 for place in range(length)]
    return Course(MONDAY, values, work, [MONDAY + start * _DAY for start in starts], MONDAY + length * _DAY)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_range_holds_in_four_of_five_cases_and_the_error_is_not_worse_than_linear_pace(kind: Kind) -> None:
    """Of 100 histories of each kind, always the same ones; of 4,000 with `--hypothesis-profile=long`."""
    outcomes = [made.outcome() for made in simulations(kind, 4 * settings().max_examples)]
    held = sum(each.held for each in outcomes) / len(outcomes)
    assert 0.72 <= held <= 0.88, f"{held:.0%}"
    with_pace = [each for each in outcomes if each.linear_pace is not None]
    ours = [abs(each.p50 - each.ended) / (each.ended + 1) for each in with_pace]
    linear = [abs((each.linear_pace or 0) - each.ended) / (each.ended + 1) for each in with_pace]
    assert median(ours) <= median(linear)


@given(
    st.lists(st.one_of(st.just(0.0), st.integers(0, 20).map(float), st.floats(0, 1e9)), min_size=30, max_size=200),
    st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_the_range_is_in_order_never_below_what_there_is_and_agrees_with_the_probabilities(
    values: list[float], more: int
) -> None:
    course = course_of(values, len(values) + more, starts=(max(0, len(values) - 20),))
    ending = additive.forecast(course)
    p10, p50, p90 = ending.range
    assert course.so_far <= p10 <= p50 <= p90
    assert ending.at_least(course.so_far) == 1
    assert ending.at_least(p50) >= 0.5
    assert ending.at_most(p50) >= 0.5
    assert ending.at_most(p90) >= 0.75
    chances = [ending.at_least(target) for target in (p10, p50, p90, p90 * 2 + 1)]
    assert chances == sorted(chances, reverse=True)
    assert additive.forecast(course).ends == ending.ends


def test_nothing_to_come_leaves_what_there_is() -> None:
    course = course_of([1.0] * 40 + [5.0, 0.0], 42, starts=(35,))
    assert set(additive.forecast(course).range) == {10.0}


def test_a_period_that_has_not_begun_is_forecast_from_history() -> None:
    random = Random(7)
    values = [float(poisson(random, 10)) if place % 7 < 5 else 0.0 for place in range(140)]
    p10, p50, p90 = additive.forecast(course_of(values, 140 + 14 + 28, starts=(154,))).range
    assert 160 < p10 < p50 < p90 < 240


def test_figures_that_can_fall_may_end_below_what_there_is() -> None:
    random = Random(7)
    course = course_of([random.gauss(0, 10) for _ in range(100)], 130, starts=(90,))
    assert additive.forecast(course).range.p10 < course.so_far


def test_what_happens_on_days_off_alone_is_expected_on_these() -> None:
    """A shop of weekends, of whose hours the calendar says nothing."""
    random = Random(7)
    values = [float(poisson(random, 10)) if place % 7 > 4 else 0.0 for place in range(140 + 28)]
    course = course_of(values[:152], 168, starts=(140,))
    assert additive.forecast(course).range.p50 == pytest.approx(sum(values[140:]), rel=0.15)


def test_an_uncertain_level_is_raised_a_little() -> None:
    """Half of what errors were beyond chance, and half of its relative variance; a quarter at most."""
    assert Level(100, 2, 1).mean == 100
    assert Level(100, 2, 5).mean == 102
    assert Level(100, 2, 500).mean == 125
    assert Level(0, 2, 5).mean == 0


def test_nothing_at_all_is_expected_to_go_on() -> None:
    assert set(additive.forecast(course_of([0.0] * 60, 70)).range) == {0.0}


def test_huge_amounts_are_numbers_too() -> None:
    values = [1e299 if place % 7 < 5 else 0.0 for place in range(60)]
    p10, _, p90 = additive.forecast(course_of(values, 74, starts=(50,))).range
    assert 1.3e300 < p10 <= p90 < 2.5e300


def test_half_of_a_day_that_is_left_brings_half() -> None:
    values = [10.0 if place % 7 < 5 else 0.0 for place in range(98)]
    whole = course_of(values, 99, starts=(98,))
    half = replace(whole, today=5.0, today_left=0.5)
    assert mean(additive.forecast(whole).ends) == pytest.approx(10, rel=0.1)
    assert mean(additive.forecast(half).ends) == pytest.approx(10, rel=0.1)


def test_a_rush_at_the_end_of_quarters_is_expected_again() -> None:
    """Twelve quarters of 13 weeks with five times as much in the last three."""
    random = Random(3)
    starts = tuple(91 * n for n in range(12))
    values = [
        float(poisson(random, 5 * (5 if place % 91 >= 70 else 1))) if place % 7 < 5 else 0.0 for place in range(91 * 12)
    ]
    known = 91 * 11 + 63
    course = course_of(values[:known], 91 * 12, starts=starts)
    assert additive.forecast(course).range.p50 == pytest.approx(sum(values[91 * 11 :]), rel=0.15)
