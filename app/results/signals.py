"""Signal or noise (K16, S28): the natural process limits of an XmR chart, and what cannot be noise.

After Donald J. Wheeler, "Understanding Variation" (1993): limits are the mean ± 2.66 times the mean moving range.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Literal

from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary

LEAST_VALUES = 8
FACTOR = Decimal("2.66")
RUN = 8
NEAR, NEAR_OF = 3, 4
_EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)

Rule = Literal["outside_limits", "run_of_8", "3_of_4_near_a_limit"]
Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The middle of a chart and its natural process limits; `is_floored` where the lower one would be below 0."""

    mean: Decimal
    mean_moving_range: Decimal
    lower: Decimal
    upper: Decimal
    is_floored: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """What noise does not do; `places` are positions in the list of values."""

    rule: Rule
    side: Side
    places: tuple[int, ...]


def moving_ranges(values: Sequence[Decimal]) -> list[Decimal]:
    """How far each value but the first is from the one before."""
    return [abs(_EXACT.subtract(after, before)) for before, after in pairwise(values)]


def limits(values: Sequence[Decimal], *, cannot_be_negative: bool) -> Limits:
    """The limits of at least two values, in order; never below 0 where the values cannot be."""
    mean, spread = _mean(values), _mean(moving_ranges(values))
    reach = _EXACT.multiply(FACTOR, spread)
    lower = _EXACT.subtract(mean, reach)
    is_floored = cannot_be_negative and lower < 0
    return Limits(mean, spread, Decimal(0) if is_floored else lower, _EXACT.add(mean, reach), is_floored)


def signals(values: Sequence[Decimal], by: Limits) -> list[Signal]:
    """Every signal among the values, by rule and then by the first of its places."""
    outside = [
        Signal("outside_limits", "above" if value > by.upper else "below", (place,))
        for place, value in enumerate(values)
        if value > by.upper or value < by.lower
    ]
    return [*outside, *_runs(values, by), *_near(values, by)]


def _runs(values: Sequence[Decimal], by: Limits) -> Iterator[Signal]:
    """8 or more in a row on one side of the mean, as one signal; a value on the mean is on no side and ends the run."""
    run: list[int] = []
    side: Side | None = None
    for place, value in enumerate([*values, by.mean]):
        there: Side | None = "above" if value > by.mean else "below" if value < by.mean else None
        if there != side or there is None:
            if side is not None and len(run) >= RUN:
                yield Signal("run_of_8", side, tuple(run))
            run, side = [], there
        run.append(place)


def _near(values: Sequence[Decimal], by: Limits) -> Iterator[Signal]:
    """3 of 4 consecutive values nearer to the same limit than to the mean; fours that overlap are one signal."""
    sides: tuple[Side, ...] = ("above", "below")
    for side in sides:
        limit = by.upper if side == "above" else by.lower
        near = [_is_nearer(value, limit, by.mean, side) for value in values]
        found: list[int] = []
        last = -NEAR_OF
        for start in range(len(values) - NEAR_OF + 1):
            four = [place for place in range(start, start + NEAR_OF) if near[place]]
            if len(four) < NEAR:
                continue
            if found and start - last > 1:
                yield Signal("3_of_4_near_a_limit", side, tuple(sorted(set(found))))
                found = []
            found += four
            last = start
        if found:
            yield Signal("3_of_4_near_a_limit", side, tuple(sorted(set(found))))


def _is_nearer(value: Decimal, limit: Decimal, mean: Decimal, side: Side) -> bool:
    is_on_side = value > mean if side == "above" else value < mean
    return is_on_side and abs(value - limit) < abs(value - mean)


def _mean(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return _EXACT.divide(total, len(values))


def takes_nothing_away(formula: Node, of_kpi: Callable[[str], bool]) -> bool:
    """Whether the formula cannot be negative while its measures are not: nothing in it is subtracted.

    `of_kpi` tells the same of a KPI that it refers to.
    """
    match formula:
        case Number():
            return True
        case Name(path=("kpi", key)):
            return of_kpi(key)
        case Name():
            return True
        case Unary() | Binary(operator="-"):
            return False
        case Binary(left=left, right=right):
            return takes_nothing_away(left, of_kpi) and takes_nothing_away(right, of_kpi)
        case Call(function="abs" | "target" | "working_hours" | "headcount" | "fte"):
            return True
        case Call(function="round", arguments=(rounded, _)):
            return takes_nothing_away(rounded, of_kpi)
        case Call(function="max", arguments=arguments):
            return any(takes_nothing_away(argument, of_kpi) for argument in arguments)
        case Call(arguments=arguments):
            return all(takes_nothing_away(argument, of_kpi) for argument in arguments)
    return False
