"""Which parts made the difference between two periods, exactly.

What adds up is split by subtraction. A ratio a / b of sums is split, part by part, into the effect of the mix (the
part's weight in b changed) and of the part's own rate, after Evelyn M. Kitagawa, "Components of a Difference Between
Two Rates" (1955): with weights w, rates r and the total rate R of both periods

    mix  = (w₁ − w₀) · ((r₀ + r₁) / 2 − (R₀ + R₁) / 2)        rate = (r₁ − r₀) · (w₀ + w₁) / 2

which add up, over all parts, to R₁ − R₀ without a remainder. A part that is in one period only has no rate in the
other: it takes its rate from the one where it has one, so that its coming or going is all mix. What a part adds to a
without any b of its own counts as rate.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
_ROUNDED = Context(prec=34, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a part has of the numerator and the denominator in one period; of a sum `b` is 0."""

    a: Fraction
    b: Fraction

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.a + other.a, self.b + other.b)

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(self.a - other.a, self.b - other.b)


NOTHING = Sums(Fraction(0), Fraction(0))


@dataclass(frozen=True, slots=True)
class Change:
    """A part in both periods."""

    before: Sums
    after: Sums

    def __add__(self, other: "Change") -> "Change":
        return Change(self.before + other.before, self.after + other.after)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a part did to the total; `mix` and `rate` belong to ratios."""

    total: Fraction
    mix: Fraction | None = None
    rate: Fraction | None = None

    def __add__(self, other: "Effect") -> "Effect":
        return Effect(self.total + other.total, _added(self.mix, other.mix), _added(self.rate, other.rate))


def of_sums(parts: Mapping[Key, Change]) -> dict[Key, Effect]:
    """What each part of a sum did: how much it changed."""
    return {key: Effect(part.after.a - part.before.a) for key, part in parts.items()}


def of_ratio(parts: Mapping[Key, Change]) -> dict[Key, Effect]:
    """What each part did to the ratio of all, by mix and by rate. Raises `ZeroDivisionError` without a total."""
    total = sum(parts.values(), Change(NOTHING, NOTHING))
    whole = total.before.a / total.before.b + total.after.a / total.after.b
    return {key: _of_part(part, total, whole / 2) for key, part in parts.items()}


def _of_part(part: Change, total: Change, middle: Fraction) -> Effect:
    own = [sums.a / sums.b if sums.b else None for sums in (part.before, part.after)]
    known = next((rate for rate in own if rate is not None), middle)
    before, after = (known if rate is None else rate for rate in own)
    weights = part.before.b / total.before.b, part.after.b / total.after.b
    mix = (weights[1] - weights[0]) * ((before + after) / 2 - middle)
    rate = (after - before) * (weights[0] + weights[1]) / 2
    # A numerator without a denominator of its own is in no weight: what it adds is told with the rate.
    bare = [_bare(sums) / whole.b for sums, whole in ((part.before, total.before), (part.after, total.after))]
    rate += bare[1] - bare[0]
    return Effect(mix + rate, mix, rate)


def _bare(sums: Sums) -> Fraction:
    return Fraction(0) if sums.b else sums.a


def _added(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return None if one is None or other is None else one + other


def decimal(value: Fraction) -> Decimal:
    """The value in 34 digits."""
    return _ROUNDED.divide(Decimal(value.numerator), Decimal(value.denominator))
