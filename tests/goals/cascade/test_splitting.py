"""Splits add up exactly (S35, golden example 9)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.goals.cascade.splitting import missing, split

WHOLES = st.decimals(min_value=0, max_value=10**15, places=2)
WEIGHTS = st.lists(
    st.one_of(
        st.integers(0, 5).map(Fraction),
        st.fractions(min_value=0, max_value=10**6, max_denominator=97),
        st.decimals(min_value=0, max_value=10**18, places=6),
        st.just(Fraction(1, 10**30)),
        st.just(Fraction(10**30)),
    ),
    min_size=1,
    max_size=40,
).filter(any)
UNITS = st.sampled_from([Decimal(1), Decimal("0.01"), Decimal(500), Decimal("0.001"), Decimal(60)])


def texts(parts: list[Decimal]) -> list[str]:
    return [f"{part.normalize():f}" for part in parts]


def test_golden_9_shares_of_a_hundred_by_equal_weights() -> None:
    assert texts(split(Decimal(100), [Fraction(1)] * 3)) == ["34", "33", "33"]


def test_ties_go_to_the_first_listed_and_larger_remainders_first() -> None:
    assert texts(split(Decimal(2), [Fraction(1)] * 4)) == ["1", "1", "0", "0"]
    assert texts(split(Decimal(10), [Fraction(16), Fraction(33), Fraction(51)])) == ["2", "3", "5"]
    assert texts(split(Decimal("100.00"), [Fraction(1)] * 3, Decimal("0.01"))) == ["33.34", "33.33", "33.33"]


def test_who_weighs_nothing_gets_nothing() -> None:
    assert texts(split(Decimal(7), [Fraction(0), Fraction(1), Fraction(0), Fraction(2)])) == ["0", "2", "0", "5"]


def test_a_whole_that_is_no_multiple_of_the_step_still_adds_up() -> None:
    assert texts(split(Decimal(10250), [Fraction(1)] * 2, Decimal(500))) == ["5250", "5000"]
    assert texts(split(Decimal(250), [Fraction(1)] * 2, Decimal(500))) == ["250", "0"]


def test_what_is_missing_is_told_to_the_last_digit() -> None:
    assert missing(Decimal(100), [Decimal("33.3")] * 3) == Decimal("0.1")
    assert missing(Decimal(1), [Decimal(1), Decimal("1e-6")]) == Decimal("-0.000001")


@pytest.mark.parametrize(
    ("whole", "weights", "unit"),
    [
        ("-1", ["1"], "1"),
        ("NaN", ["1"], "1"),
        ("Infinity", ["1"], "1"),
        ("1", ["-1", "2"], "1"),
        ("1", ["NaN"], "1"),
        ("1", ["sNaN"], "1"),
        ("1", ["Infinity", "1"], "1"),
        ("1", ["0", "0"], "1"),
        ("1", [], "1"),
        ("1", ["1"], "0"),
        ("1", ["1"], "-1"),
    ],
)
def test_what_is_no_split_is_refused(whole: str, weights: list[str], unit: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        split(Decimal(whole), [Decimal(weight) for weight in weights], Decimal(unit))


@given(WHOLES, WEIGHTS, UNITS)
def test_parts_add_up_exactly_and_lie_within_a_unit_of_their_share(
    whole: Decimal, weights: list[Fraction | Decimal], unit: Decimal
) -> None:
    parts = split(whole, weights, unit)
    assert sum((Fraction(part) for part in parts), Fraction()) == Fraction(whole)
    total = sum((Fraction(weight) for weight in weights), Fraction())
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(whole) * Fraction(weight) / total
        assert abs(Fraction(part) - exact) < Fraction(unit)
        assert part >= 0
        assert weight or not part


@given(WHOLES, WEIGHTS, UNITS)
def test_who_weighs_more_gets_no_less_and_equals_differ_by_a_unit_for_the_first(
    whole: Decimal, weights: list[Fraction | Decimal], unit: Decimal
) -> None:
    parts = split(whole, weights, unit)
    for n, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        for later, other in zip(parts[n + 1 :], weights[n + 1 :], strict=True):
            if Fraction(weight) >= Fraction(other):
                assert part >= later
            else:
                assert part <= later
            if Fraction(weight) == Fraction(other):
                assert part - later <= unit


@given(WHOLES, WEIGHTS, UNITS, st.fractions(min_value=Fraction(1, 1000), max_value=1000))
def test_only_proportions_of_weights_matter(
    whole: Decimal, weights: list[Fraction | Decimal], unit: Decimal, factor: Fraction
) -> None:
    scaled = [Fraction(weight) * factor for weight in weights]
    assert split(whole, scaled, unit) == split(whole, weights, unit)
