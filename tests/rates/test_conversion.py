"""What an amount is worth in another currency: direct, inverse, cross, and for how long (S26)."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rates.conversion import EMPTY, SAME, FactorSpan, Rate, RateBook

JULY_10 = date(2026, 7, 10)
ONE = Decimal(1)


def rate(pair: str, value: str, start: date = JULY_10, end: date | None = None) -> Rate:
    base, quote = pair.split("/")
    return Rate(base, quote, start, end, Decimal(value))


def test_golden_10_a_sunday_takes_fridays_rate_by_its_inverse() -> None:
    book = RateBook.of("daily", [rate("EUR/USD", "1.10")])
    factor = book.factor("USD", "EUR", date(2026, 7, 12), through="EUR")
    assert factor is not None
    assert f"{factor.convert(Decimal(100)):.15g}" == "90.9090909090909"
    assert factor.path == ("EUR/USD 1.10 of 2026-07-10, inverse",)


def test_the_direct_pair_comes_before_the_inverse_and_that_before_the_cross() -> None:
    cross = [rate("USD/PLN", "3.60"), rate("EUR/PLN", "4.20")]
    inverse = [*cross, rate("EUR/USD", "1.10")]
    direct = [*inverse, rate("USD/EUR", "0.91")]
    made = [RateBook.of("daily", rates).factor("USD", "EUR", JULY_10, "PLN") for rates in (direct, inverse, cross)]
    assert [(each.multiply, each.divide) for each in made if each] == [
        (Decimal("0.91"), ONE),
        (ONE, Decimal("1.10")),
        (Decimal("3.60"), Decimal("4.20")),
    ]
    assert [each.path for each in made if each] == [
        ("USD/EUR 0.91 of 2026-07-10",),
        ("EUR/USD 1.10 of 2026-07-10, inverse",),
        ("USD/PLN 3.60 of 2026-07-10", "EUR/PLN 4.20 of 2026-07-10, inverse"),
    ]


def test_a_cross_goes_through_the_organizations_currency_only() -> None:
    book = RateBook.of("daily", [rate("USD/PLN", "3.60"), rate("EUR/PLN", "4.20")])
    assert book.factor("USD", "EUR", JULY_10, through="EUR") is None
    assert book.factor("USD", "EUR", JULY_10, through="SEK") is None
    assert book.factor("USD", "GBP", JULY_10, through="PLN") is None


def test_a_currency_is_itself_without_any_rate() -> None:
    assert EMPTY.factor("EUR", "EUR", JULY_10, "USD") == SAME
    assert SAME.convert(Decimal("12.34")) == Decimal("12.34")
    assert EMPTY.factor("USD", "EUR", JULY_10, "EUR") is None
    assert EMPTY.currencies == frozenset()
    whole = EMPTY.spans("EUR", "EUR", JULY_10, date(2026, 8, 1), "USD")
    assert whole == [FactorSpan(JULY_10, date(2026, 8, 1), ONE, ONE)]


@pytest.mark.parametrize(("days", "holds"), [(-1, False), (0, True), (29, True), (30, False)])
def test_a_daily_rate_holds_for_thirty_days_at_most(days: int, holds: bool) -> None:
    book = RateBook.of("daily", [rate("EUR/USD", "1.10")])
    assert (book.factor("EUR", "USD", JULY_10 + timedelta(days), "EUR") is not None) is holds


def test_the_latest_daily_rate_counts_even_where_an_earlier_one_is_young_enough() -> None:
    """The later rate was given an end: after it the pair has no rate, not the earlier one again."""
    rates = [rate("EUR/USD", "1.20", date(2026, 7, 13), date(2026, 7, 15)), rate("EUR/USD", "1.10")]
    book = RateBook.of("daily", rates)
    found = [book.factor("EUR", "USD", date(2026, 7, day), "EUR") for day in (12, 13, 14, 15)]
    assert [each and each.multiply for each in found] == [Decimal("1.10"), Decimal("1.20"), Decimal("1.20"), None]


def test_a_fixed_rate_holds_as_long_as_it_says() -> None:
    july = rate("EUR/USD", "1.10", date(2026, 7, 1), date(2026, 8, 1))
    later = rate("EUR/USD", "1.30", date(2026, 9, 1))
    book = RateBook.of("fixed", [later, july])
    days = [date(2026, 6, 30), date(2026, 7, 31), date(2026, 8, 1), date(2036, 1, 1)]
    found = [book.factor("EUR", "USD", day, "EUR") for day in days]
    assert [each and each.multiply for each in found] == [None, Decimal("1.10"), None, Decimal("1.30")]
    assert book.currencies == {"EUR", "USD"}


def test_where_the_direct_rate_has_ended_the_inverse_counts() -> None:
    rates = [rate("USD/EUR", "0.90", date(2026, 7, 1), date(2026, 7, 5)), rate("EUR/USD", "1.10", date(2026, 7, 1))]
    spans = RateBook.of("fixed", rates).spans("USD", "EUR", date(2026, 6, 1), date(2026, 8, 1), "EUR")
    assert spans == [
        FactorSpan(date(2026, 7, 1), date(2026, 7, 5), Decimal("0.90"), ONE),
        FactorSpan(date(2026, 7, 5), date(2026, 8, 1), ONE, Decimal("1.10")),
    ]


def test_days_of_the_same_factor_make_one_span() -> None:
    rates = [rate("EUR/USD", "1.10"), rate("EUR/USD", "1.1", JULY_10 + timedelta(3))]
    spans = RateBook.of("daily", rates).spans("EUR", "USD", JULY_10, date(2026, 7, 20), "EUR")
    assert spans == [FactorSpan(JULY_10, date(2026, 7, 20), Decimal("1.1"), ONE)]


def test_no_digit_is_lost_before_the_one_division() -> None:
    long = "123456789012.123456789012"
    book = RateBook.of("fixed", [rate("USD/PLN", long), rate("PLN/EUR", long)])
    factor = book.factor("USD", "EUR", JULY_10, "PLN")
    assert factor is not None
    assert factor.multiply == Decimal(f"{123456789012123456789012**2}e-24")
    assert factor.convert(Decimal(3)) == Decimal("45724736259551901280950.96662835312")


def test_no_days_have_no_spans() -> None:
    assert EMPTY.spans("EUR", "EUR", JULY_10, JULY_10, "EUR") == []


CURRENCIES = st.sampled_from(["EUR", "USD", "PLN", "SEK"])
DAYS = st.integers(0, 60).map(lambda days: date(2026, 6, 1) + timedelta(days))
RATES = st.lists(
    st.builds(
        Rate,
        CURRENCIES,
        CURRENCIES,
        DAYS,
        st.none() | DAYS,
        st.integers(1, 5).map(Decimal),
    ).filter(lambda each: each.base != each.quote and (each.valid_to is None or each.valid_to > each.valid_from)),
    max_size=8,
    unique_by=lambda each: (each.base, each.quote, each.valid_from),
)


@given(RATES, CURRENCIES, CURRENCIES, CURRENCIES)
def test_spans_say_of_every_day_what_its_factor_says(rates: list[Rate], currency: str, to: str, through: str) -> None:
    book = RateBook.of("daily", rates)
    first, end = date(2026, 5, 25), date(2026, 9, 10)
    spans = book.spans(currency, to, first, end, through)
    assert all(span.first_day < span.next_day for span in spans)
    assert all(one.next_day <= other.first_day for one, other in pairwise(spans))
    for number in range((end - first).days):
        day = first + timedelta(number)
        factor = book.factor(currency, to, day, through)
        found = [(span.multiply, span.divide) for span in spans if span.first_day <= day < span.next_day]
        assert found == ([] if factor is None else [(factor.multiply, factor.divide)])
