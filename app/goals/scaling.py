"""Targets times a factor, in the decimals of their KPI, and so that they add up where that is asked for (S35)."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from app.goals.cascade.splitting import split

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)


def scaled(value: Decimal, factor: Decimal, unit: Decimal) -> Decimal:
    """The product in whole units, a half one upwards, as spreadsheets round."""
    return _rounded(_EXACT.multiply(value, factor), unit)


def scaled_together(values: Sequence[Decimal], factor: Decimal, unit: Decimal) -> list[Decimal]:
    """The products in whole units, which add up to the rounded product of their sum; values are above 0."""
    whole = scaled(sum(values, Decimal(0)), factor, unit)
    return split(whole, values, unit)


def _rounded(value: Decimal, unit: Decimal) -> Decimal:
    return _EXACT.multiply(_EXACT.divide(value, unit).to_integral_value(ROUND_HALF_UP, _EXACT), unit)
