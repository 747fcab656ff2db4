"""How a goal stands: attainment, the share expected by now, pace and verdict (S30–S32, S34)."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Literal

Direction = Literal["increase", "decrease", "maintain"]
PaceVerdict = Literal["too_early", "behind", "on_track", "ahead"]
Verdict = Literal["attained", "on_course", "missed"]

MOST_ATTAINMENT_OF_A_LIMIT = Decimal(2)
_UNBOUNDED_BELOW, _UNBOUNDED = Decimal("-Infinity"), Decimal("Infinity")
_DECIMAL34 = Context(prec=34, rounding=ROUND_HALF_EVEN)
# Of two thirds of a target 34 digits are kept: 30 over 100 * 2/3 * 1/2 must be 0.9, and not a trace below it.
_SETTLED = Context(prec=30, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Between which paces a goal is on track, and below which share of what is due it is too early to say (S32)."""

    behind_below: Decimal = Decimal("0.9")
    ahead_above: Decimal = Decimal("1.1")
    too_early_before: Decimal = Decimal("0.05")


USUAL = Thresholds()


@dataclass(frozen=True, slots=True)
class Aim:
    """What a goal wants of its KPI: at least `low` (increase), at most `high` (decrease), or both (maintain).

    `is_additive`: counts and sums, which grow from nothing over the period. `is_counted`: an additive KPI in whole
    units. `only_grows`: passing time never lowers its value. Raises `ValueError` where no ratio can be made (S30).
    """

    direction: Direction
    low: Decimal = _UNBOUNDED_BELOW
    high: Decimal = _UNBOUNDED
    is_additive: bool = False
    is_counted: bool = False
    only_grows: bool = False

    def __post_init__(self) -> None:
        if self.direction == "maintain":
            if not (0 <= self.low <= self.high < _UNBOUNDED and self.high > 0):
                raise ValueError(
                    "A band needs a low edge of 0 or more, and a high edge above 0 and not below the low one."
                )
        elif not 0 < self.target < _UNBOUNDED:
            raise ValueError("A target must be above 0.")

    @property
    def target(self) -> Decimal:
        """The one value to reach or to stay below; of a band, its high edge."""
        return self.low if self.direction == "increase" else self.high

    @property
    def is_built_up(self) -> bool:
        """Whether a part of the target is due by now, not the whole target all the time (S32)."""
        return self.is_additive and self.direction != "maintain"

    def prorated(self, kept: Fraction) -> "Aim | None":
        """What is left of it where absences and ramps take a part of the target away (S31, S33); None: nothing.

        Only what is built up over the days has a part for each: averages, ratios and bands stay.
        """
        if kept == 1 or not self.is_built_up:
            return self
        if not kept:
            return None
        effective = part_of(self.target, kept)
        return replace(self, low=effective) if self.direction == "increase" else replace(self, high=effective)


def attainment(actual: Decimal, aim: Aim) -> Decimal:
    """How far the aim is reached: 1 is exactly; at most 2 for a limit and 1 for a band (S30)."""
    if aim.direction == "increase":
        return _ratio(actual, aim.low)
    if aim.direction == "decrease":
        return min(_ratio(aim.high, actual), MOST_ATTAINMENT_OF_A_LIMIT) if actual > 0 else MOST_ATTAINMENT_OF_A_LIMIT
    if actual < aim.low:
        return _ratio(actual, aim.low) if actual > 0 else Decimal(0)
    return _ratio(aim.high, actual) if actual > aim.high else Decimal(1)


def expected_value(aim: Aim, share: Fraction) -> Decimal | None:
    """What the KPI is expected to be by now; None for a band, which has no single value."""
    if aim.direction == "maintain":
        return None
    return part_of(aim.target, share) if aim.is_built_up else aim.target


def pace(actual: Decimal, aim: Aim, share: Fraction) -> Decimal | None:
    """Attainment over what is due by now: 1 is on pace (S32).

    Of averages, ratios and bands it is the attainment. None while nothing is due, and for a limit that nothing has
    been used of.
    """
    if not aim.is_built_up:
        return attainment(actual, aim)
    if share == 0:
        return None
    if aim.direction == "increase":
        return _SETTLED.plus(part_of(_ratio(actual, aim.target), 1 / share))
    return _SETTLED.plus(_ratio(part_of(aim.target, share), actual)) if actual > 0 else None


def pace_verdict(actual: Decimal, aim: Aim, share: Fraction, thresholds: Thresholds = USUAL) -> PaceVerdict:
    """Whether a goal is behind, on track or ahead; too early before 5 % of it, or one unit, is due (S32)."""
    is_less_than_one_due = aim.is_counted and aim.is_built_up and part_of(aim.target, share) < 1
    if share < Fraction(thresholds.too_early_before) or is_less_than_one_due:
        return "too_early"
    value = pace(actual, aim, share)
    if value is None or value > thresholds.ahead_above:
        return "ahead"
    return "behind" if value < thresholds.behind_below else "on_track"


def is_reached(actual: Decimal, target: Decimal, direction: Direction) -> bool:
    """Whether a value of the KPI is as good as a target of this direction."""
    return actual <= target if direction == "decrease" else actual >= target


def ratio_to(actual: Decimal, target: Decimal, aim: Aim) -> Decimal:
    """How far another target of the aim's direction is reached, such as its stretch (S30)."""
    edge = "low" if aim.direction == "increase" else "high"
    return attainment(actual, Aim(aim.direction, **{edge: target}))  # type: ignore[arg-type]  # one of two names


def change_attainment(actual: Decimal, baseline: Decimal, target: Decimal) -> Decimal | None:
    """How much of the way from the baseline to the target is gone (S30); None where there is no way to go."""
    way = _DECIMAL34.subtract(target, baseline)
    return _ratio(_DECIMAL34.subtract(actual, baseline), way) if way else None


def verdict(actual: Decimal, aim: Aim, *, is_over: bool) -> Verdict | None:
    """Whether the goal is attained or missed, as far as passing time cannot change it any more (S34).

    `is_over`: the period has ended, so that time can neither undo nor mend.
    """
    is_inside = aim.low <= actual <= aim.high
    if is_over:
        return "attained" if is_inside else "missed"
    if aim.only_grows and actual > aim.high:
        return "missed"
    if not is_inside:
        return None
    return "attained" if aim.only_grows and aim.direction == "increase" else "on_course"


def part_of(value: Decimal, share: Fraction) -> Decimal:
    """A share of a value, in decimals of 34 digits (S19)."""
    return _ratio(_DECIMAL34.multiply(value, Decimal(share.numerator)), Decimal(share.denominator))


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return _DECIMAL34.divide(part, whole)
