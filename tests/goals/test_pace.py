"""Attainment, expected share, pace and verdict (S30–S32, S34)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from app.calendars.periods import DayRange
from app.calendars.working import WorkCalendar
from app.goals.pace import (
    Aim,
    PaceVerdict,
    Verdict,
    attainment,
    expected_value,
    pace,
    pace_verdict,
    verdict,
)

ZONE = ZoneInfo("Europe/Warsaw")
PLAIN = WorkCalendar("Plain", ZONE)
JULY = DayRange(date(2026, 7, 1), date(2026, 8, 1))
HALF = Fraction(1, 2)


def D(text: str | int) -> Decimal:  # noqa: N802
    return Decimal(text)


CALLS = Aim("increase", low=D(100), is_additive=True, is_counted=True, only_grows=True)
LOST_DEALS = Aim("decrease", high=D(20), is_additive=True, is_counted=True, only_grows=True)
WIN_RATE = Aim("increase", low=D("0.4"))
RESPONSE = Aim("decrease", high=D(300))
DISCOUNT = Aim("maintain", low=D(10), high=D(20))


def test_golden_8_forty_of_a_hundred_on_10_july_is_ahead() -> None:
    share = Fraction(8, 23)
    assert attainment(D(40), CALLS) == D("0.4")
    assert pace(D(40), CALLS, share) == D("1.15")
    assert pace_verdict(D(40), CALLS, share) == "ahead"


def test_golden_8_ten_of_at_most_twenty_at_half_time_is_on_track() -> None:
    assert pace(D(10), LOST_DEALS, HALF) == 1
    assert pace_verdict(D(10), LOST_DEALS, HALF) == "on_track"


@pytest.mark.parametrize(
    ("aim", "actual", "expected"),
    [
        (CALLS, "120", "1.2"),
        (CALLS, "0", "0"),
        (CALLS, "-10", "-0.1"),
        (LOST_DEALS, "40", "0.5"),
        (LOST_DEALS, "20", "1"),
        (LOST_DEALS, "1", "2"),
        (LOST_DEALS, "0", "2"),
        (LOST_DEALS, "-3", "2"),
        (DISCOUNT, "10", "1"),
        (DISCOUNT, "20", "1"),
        (DISCOUNT, "5", "0.5"),
        (DISCOUNT, "25", "0.8"),
        (DISCOUNT, "-1", "0"),
        (Aim("maintain", low=D(0), high=D(5)), "-1", "0"),
    ],
)
def test_attainment_follows_the_direction(aim: Aim, actual: str, expected: str) -> None:
    """S30."""
    assert attainment(D(actual), aim) == D(expected)


@pytest.mark.parametrize(
    "arguments",
    [
        {"direction": "increase", "low": D(0)},
        {"direction": "increase", "low": D(-5)},
        {"direction": "increase"},
        {"direction": "decrease", "high": D(0)},
        {"direction": "decrease"},
        {"direction": "maintain", "low": D(5), "high": D(4)},
        {"direction": "maintain", "low": D(-1), "high": D(4)},
        {"direction": "maintain", "low": D(0), "high": D(0)},
        {"direction": "maintain", "low": D(1)},
        {"direction": "maintain", "high": D(1)},
    ],
)
def test_an_aim_that_gives_no_ratio_is_refused(arguments: dict[str, object]) -> None:
    """S30."""
    with pytest.raises(ValueError, match="above 0"):
        Aim(**arguments)  # type: ignore[arg-type]


def test_only_what_builds_up_is_expected_in_part() -> None:
    """S32."""
    assert expected_value(CALLS, HALF) == 50
    assert expected_value(LOST_DEALS, HALF) == 10
    assert expected_value(WIN_RATE, HALF) == D("0.4")
    assert expected_value(DISCOUNT, HALF) is None


@pytest.mark.parametrize(
    ("aim", "actual", "share", "expected", "verdict_of_pace"),
    [
        (CALLS, "44.9", HALF, "0.898", "behind"),
        (CALLS, "45", HALF, "0.9", "on_track"),
        (CALLS, "55", HALF, "1.1", "on_track"),
        (CALLS, "55.1", HALF, "1.102", "ahead"),
        (CALLS, "7", Fraction(0), None, "too_early"),
        (CALLS, "7", Fraction(4, 100), "1.75", "too_early"),
        (CALLS, "7", Fraction(5, 100), "1.4", "ahead"),
        (Aim("increase", low=D(3), is_additive=True, is_counted=True), "0", Fraction(33, 100), "0", "too_early"),
        (Aim("increase", low=D(3), is_additive=True, is_counted=True), "0", Fraction(1, 3), "0", "behind"),
        (Aim("increase", low=D(3), is_additive=True), "0", Fraction(33, 100), "0", "behind"),
        (LOST_DEALS, "0", HALF, None, "ahead"),
        (LOST_DEALS, "20", HALF, "0.5", "behind"),
        (LOST_DEALS, "8", HALF, "1.25", "ahead"),
        (WIN_RATE, "0.3", HALF, "0.75", "behind"),
        (WIN_RATE, "0.4", Fraction(1, 100), "1", "too_early"),
        (WIN_RATE, "0.5", HALF, "1.25", "ahead"),
        (RESPONSE, "600", HALF, "0.5", "behind"),
        (RESPONSE, "0", HALF, "2", "ahead"),
        (DISCOUNT, "15", HALF, "1", "on_track"),
        (DISCOUNT, "40", HALF, "0.5", "behind"),
        (Aim("maintain", low=D(10), high=D(20), is_additive=True), "5", HALF, "0.5", "behind"),
    ],
)
def test_pace_compares_with_what_is_due(
    aim: Aim, actual: str, share: Fraction, expected: str | None, verdict_of_pace: PaceVerdict
) -> None:
    """S32."""
    assert pace(D(actual), aim, share) == (None if expected is None else D(expected))
    assert pace_verdict(D(actual), aim, share) == verdict_of_pace


@pytest.mark.parametrize(
    ("aim", "actual", "running", "over"),
    [
        (CALLS, "100", "attained", "attained"),
        (CALLS, "99", None, "missed"),
        (Aim("increase", low=D(100), is_additive=True), "100", "on_course", "attained"),
        (LOST_DEALS, "20", "on_course", "attained"),
        (LOST_DEALS, "21", "missed", "missed"),
        (WIN_RATE, "0.4", "on_course", "attained"),
        (WIN_RATE, "0.39", None, "missed"),
        (RESPONSE, "301", None, "missed"),
        (DISCOUNT, "15", "on_course", "attained"),
        (DISCOUNT, "21", None, "missed"),
        (Aim("maintain", low=D(10), high=D(20), only_grows=True), "21", "missed", "missed"),
        (Aim("maintain", low=D(10), high=D(20), only_grows=True), "9", None, "missed"),
    ],
)
def test_a_verdict_stands_only_when_time_cannot_change_it(
    aim: Aim, actual: str, running: Verdict | None, over: Verdict
) -> None:
    """S34."""
    assert verdict(D(actual), aim, is_over=False) == running
    assert verdict(D(actual), aim, is_over=True) == over


@pytest.mark.parametrize(
    ("aim", "low", "high"),
    [
        (CALLS, D(75), D("Infinity")),
        (LOST_DEALS, D("-Infinity"), D(15)),
        (WIN_RATE, D("0.4"), D("Infinity")),
        (RESPONSE, D("-Infinity"), D(300)),
        (DISCOUNT, D(10), D(20)),
        (Aim("maintain", low=D(10), high=D(20), is_additive=True), D(10), D(20)),
    ],
)
def test_only_what_builds_up_loses_the_part_of_absences(aim: Aim, low: Decimal, high: Decimal) -> None:
    """S31."""
    left = aim.prorated(Fraction(3, 4))
    assert left is not None
    assert (left.low, left.high) == (low, high)
    assert aim.prorated(Fraction(1)) == aim


def test_of_a_target_that_absences_waive_nothing_is_left() -> None:
    """S31."""
    assert CALLS.prorated(Fraction(0)) is None
    assert WIN_RATE.prorated(Fraction(0)) == WIN_RATE
