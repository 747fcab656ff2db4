"""Where one value stands among others (P5): quartiles as S11 interpolates, and ranks as S29 shares places."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, TypeVar

Who = TypeVar("Who", bound=Hashable)
Direction = Literal["increase", "decrease", "maintain"]

LEAST_PEOPLE = 3
"""Of fewer people no middle and no rank is told: it would tell of chance, and of single persons."""
_EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_SHOWN = Context(prec=15, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle half of values."""

    lower_quartile: Decimal
    median: Decimal
    upper_quartile: Decimal


def spread(values: Sequence[Decimal]) -> Spread:
    """Quartiles and median of at least one value."""
    ordered = sorted(values)
    return Spread(*(quantile(ordered, Decimal(p)) for p in ("0.25", "0.5", "0.75")))


def quantile(ordered: Sequence[Decimal], p: Decimal) -> Decimal:
    """The value at position 1 + (n − 1) p of ordered values, interpolated linearly (S11)."""
    offset = _EXACT.multiply(Decimal(len(ordered) - 1), p)
    below = int(offset)
    part = offset - below
    if not part:
        return ordered[below]
    return _EXACT.fma(_EXACT.subtract(ordered[below + 1], ordered[below]), part, ordered[below])


def ranks(values: Mapping[Who, Decimal], direction: Direction) -> dict[Who, int]:
    """The place of each, 1 for the best; ties share the better place and the next is skipped (S29).

    Values that are shown alike, to 15 digits, are alike. Where a value should be kept as it is, neither end is
    better: nobody has a place.
    """
    if direction == "maintain":
        return {}
    shown = {who: _SHOWN.plus(value) for who, value in values.items()}
    ordered = sorted(shown.values(), reverse=direction == "increase")
    return {who: 1 + ordered.index(value) for who, value in shown.items()}


def lead(value: Decimal, over: Decimal, direction: Direction) -> Literal["better", "same", "worse", "other"]:
    """On which side of another value this one is; `other` where neither side is better."""
    mine, theirs = _SHOWN.plus(value), _SHOWN.plus(over)
    if mine == theirs:
        return "same"
    if direction == "maintain":
        return "other"
    return "better" if (mine > theirs) == (direction == "increase") else "worse"
