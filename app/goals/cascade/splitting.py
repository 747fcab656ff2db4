"""Splits a whole by weights into parts that add up to it exactly (S35)."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

_WRITTEN = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Enough digits for every amount and every step: what is written is never rounded."""


def split(whole: Decimal, weights: Sequence[Fraction | Decimal], unit: Decimal = Decimal(1)) -> list[Decimal]:
    """The parts of a whole by weights, in units, by the largest remainder; ties go to the first listed.

    They add up exactly: what is left of a whole that is no multiple of the unit goes to the next in the same order, so
    that each part lies less than one unit from its exact share. `whole` is 0 or more, `unit` above 0. Weights are 0 or
    more, and not all 0. Raises `ValueError`.
    """
    _require(whole, weights, unit)
    exact = [Fraction(weight) for weight in weights]
    total, step = sum(exact, Fraction()), Fraction(unit)
    shares = [Fraction(whole) * weight / total / step for weight in exact]
    parts = [Fraction(share // 1) for share in shares]
    left = Fraction(whole) / step - sum(parts)
    for place in sorted(range(len(shares)), key=lambda place: (parts[place] - shares[place], place)):
        if left <= 0:
            break
        parts[place] += min(left, Fraction(1))
        left -= 1
    return [_decimal(part * step) for part in parts]


def missing(whole: Decimal, parts: Sequence[Decimal]) -> Decimal:
    """What the parts lack of the whole; negative where they are more."""
    lack = Fraction(whole) - sum((Fraction(part) for part in parts), Fraction())
    return _decimal(lack)


def _require(whole: Decimal, weights: Sequence[Fraction | Decimal], unit: Decimal) -> None:
    decimals = [whole, unit, *(weight for weight in weights if isinstance(weight, Decimal))]
    if not all(value.is_finite() for value in decimals):
        raise ValueError("Amounts and weights are finite numbers.")
    if whole < 0 or unit <= 0:
        raise ValueError("What is split is 0 or more, and the unit of its parts above 0.")
    if any(weight < 0 for weight in weights):
        raise ValueError("A weight is 0 or more.")
    if not any(weights):
        raise ValueError("At least one weight must be above 0.")


def _decimal(value: Fraction) -> Decimal:
    """A fraction that is a decimal, as it is written."""
    return _WRITTEN.divide(Decimal(value.numerator), Decimal(value.denominator))
