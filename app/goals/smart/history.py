"""What was reached before, made comparable, and which targets follow from it (G5)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal
from uuid import UUID

from app.calendars.periods import DayRange
from app.goals.pace import Direction, part_of
from app.kpis.formulas import EXACT, FORMULA

Basis = Literal["own", "own_months", "peers", "none"]
REALISTIC, AMBITIOUS = Decimal("0.5"), Decimal("0.8")
LEAST_PERIODS = 6
"""Of fewer periods no share is told: it would tell of chance."""
MOST_PERIODS = 12
LEAST_PEERS = 3


@dataclass(frozen=True, slots=True)
class Past:
    """What came of one period; `value` is it as it would be in the goal's period, `member` a colleague whose it is."""

    period: DayRange
    actual: Decimal
    value: Decimal
    member: UUID | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Values of past periods as they would be in the goal's period: by its working time where they add up.

    `basis`: the owner's own periods of the same kind, their months, those of peers, or none at all, and then why.
    """

    basis: Basis
    past: tuple[Past, ...] = ()
    reason: str = ""
    periods: int = 0
    people: int = 0

    @property
    def values(self) -> tuple[Decimal, ...]:
        """The comparable values."""
        return tuple(each.value for each in self.past)

    @property
    def is_known(self) -> bool:
        """Whether there is enough to tell a share of periods."""
        return self.basis != "none"

    def at(self, share: Decimal, direction: Direction) -> Decimal:
        """The value that such a share of the periods did not surpass; for a limit counted from the other end."""
        return quantile(self.values, 1 - share if direction == "decrease" else share)

    def best(self, direction: Direction) -> Decimal:
        """The best of the values."""
        return min(self.values) if direction == "decrease" else max(self.values)

    def reached(self, low: Decimal, high: Decimal) -> int:
        """In how many of the periods the value was within these edges."""
        return sum(low <= value <= high for value in self.values)


def quantile(values: Sequence[Decimal], share: Decimal) -> Decimal:
    """The value at position 1 + (n − 1) p of the ordered values, interpolated linearly (S11)."""
    ordered = sorted(values)
    offset = EXACT.multiply(Decimal(len(ordered) - 1), share)
    below = int(offset)
    part = offset - below
    if not part:
        return ordered[below]
    return FORMULA.fma(FORMULA.subtract(ordered[below + 1], ordered[below]), part, ordered[below])


def scaled(value: Decimal, working_time: Fraction, of_goal: Fraction) -> Decimal | None:
    """A value that adds up, by the working time of the goal's period; None where nobody worked for it."""
    return part_of(value, of_goal / working_time) if working_time else None


def drawn_together(past: Sequence[Past], months: int) -> tuple[Past, ...]:
    """Values of months as they would be over several: nearer to their middle.

    The mean of n independent months differs from the middle by the root of n less than one month does.
    """
    middle, root = quantile([each.value for each in past], REALISTIC), FORMULA.sqrt(Decimal(months))
    return tuple(
        replace(each, value=FORMULA.add(middle, FORMULA.divide(FORMULA.subtract(each.value, middle), root)))
        for each in past
    )


def rounded(value: Decimal, decimals: int) -> Decimal:
    """A figure as it is written: in whole units, cents, per cents; a half one upwards, as spreadsheets round."""
    if value.adjusted() + decimals >= EXACT.prec:
        return value
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, EXACT)
