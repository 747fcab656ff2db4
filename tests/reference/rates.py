"""What an amount is worth in another currency on a day (S26)."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.reference.evaluate import EXACT
from tests.reference.world import Rate

HOLDS_FOR = timedelta(days=30)


def converted(
    amount: Decimal, currency: str, wanted: str, day: date, *, rates: Sequence[Rate], through: str, is_daily: bool
) -> Decimal | None:
    """By the direct pair, else the inverse, else the cross through the organization's currency; else nothing."""
    factor = _pair(currency, wanted, day, rates, is_daily=is_daily)
    if factor is None:
        one = _pair(currency, through, day, rates, is_daily=is_daily)
        other = _pair(through, wanted, day, rates, is_daily=is_daily)
        if one is None or other is None:
            return None
        factor = one * other
    exact = Fraction(amount) * factor
    return EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _pair(base: str, quote: str, day: date, rates: Sequence[Rate], *, is_daily: bool) -> Fraction | None:
    if base == quote:
        return Fraction(1)
    direct = _on(base, quote, day, rates, is_daily=is_daily)
    if direct is not None:
        return Fraction(direct)
    inverse = _on(quote, base, day, rates, is_daily=is_daily)
    return None if inverse is None else 1 / Fraction(inverse)


def _on(base: str, quote: str, day: date, rates: Sequence[Rate], *, is_daily: bool) -> Decimal | None:
    """The rate that holds: in `daily` the latest for 30 days, its own among them; in others as long as it says."""
    of_pair = [rate for rate in rates if (rate.base, rate.quote) == (base, quote) and rate.valid_from <= day]
    if not of_pair:
        return None
    latest = max(of_pair, key=lambda rate: rate.valid_from)
    if is_daily and day >= latest.valid_from + HOLDS_FOR:
        return None
    return None if latest.valid_to is not None and day >= latest.valid_to else latest.value
