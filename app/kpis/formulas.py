"""Formulas over aggregated measures, in decimals of 34 digits (S19)."""

from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from app.kpis.definition import Aggregate, Measure
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary, children

FORMULA = Context(prec=34, rounding=ROUND_HALF_EVEN)
EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
# JSON numbers are read as doubles: nothing beyond this is a figure.
LARGEST_EXPONENT = 300

MeasureAt = Callable[[str, int], Decimal | None]
"""The value of a measure so many windows before this one; None is no data."""

ZERO_WITHOUT_EVENTS = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.COUNT_DISTINCT})


class Use(NamedTuple):
    """A measure that a formula reads, so many windows before the one it is evaluated in."""

    measure: str
    windows_back: int


def uses(formula: Node, windows_back: int = 0) -> Iterator[Use]:
    """Every measure that the formula reads, and where."""
    match formula:
        case Name(path=path):
            yield Use(path[-1], windows_back)
        case Call(function="previous", arguments=(argument,)):
            yield from uses(argument, windows_back + 1)
        case _:
            for child in children(formula):
                yield from uses(child, windows_back)


def evaluate(formula: Node, measure_at: MeasureAt, windows_back: int = 0) -> Decimal | None:
    """The formula's value; None where an operand has no data or a divisor is 0 (`coalesce` catches it)."""

    def of(node: Node) -> Decimal | None:
        return evaluate(node, measure_at, windows_back)

    match formula:
        case Number(value=value):
            return value
        case Name(path=path):
            return measure_at(path[-1], windows_back)
        case Unary(operand=operand):
            value_or_none = of(operand)
            return None if value_or_none is None else FORMULA.minus(value_or_none)
        case Binary(operator=operator, left=left, right=right):
            return _arithmetic(operator, of(left), of(right))
        case Call(function="previous", arguments=(argument,)):
            return evaluate(argument, measure_at, windows_back + 1)
        case Call(function=function, arguments=arguments):
            return _call(function, [of(argument) for argument in arguments])
    raise TypeError(f"not a formula: {formula}")


def _arithmetic(operator: str, left: Decimal | None, right: Decimal | None) -> Decimal | None:
    if left is None or right is None:
        return None
    match operator:
        case "+":
            return FORMULA.add(left, right)
        case "-":
            return FORMULA.subtract(left, right)
        case "*":
            return FORMULA.multiply(left, right)
    return FORMULA.divide(left, right) if right else None


def _call(function: str, values: list[Decimal | None]) -> Decimal | None:
    present = [value for value in values if value is not None]
    if function == "coalesce":
        return present[0] if present else None
    if len(present) < len(values):
        return None
    match function:
        case "abs":
            return FORMULA.abs(present[0])
        case "min":
            return min(present)
        case "max":
            return max(present)
        case "round":
            places = int(present[1]) if len(present) > 1 else 0
            return EXACT.quantize(present[0], Decimal(1).scaleb(-places))
    raise TypeError(f"unknown function {function}")


def aggregated(
    measure: Measure, a: Decimal | None, b: Decimal | None = None, c: Decimal | None = None
) -> Decimal | None:
    """A measure's value from what SQL returned of it: the last division or interpolation (S9, S11).

    `a` alone for counts, sums, least and greatest; `a / b` for averages and shares; for percentiles `a` and
    `b` are the ordered values around the position and `c` their number.
    """
    if a is None:
        return Decimal(0) if measure.aggregate in ZERO_WITHOUT_EVENTS else None
    match measure.aggregate:
        case Aggregate.AVG | Aggregate.SHARE_WITHIN:
            return FORMULA.divide(a, b) if b else None
        case Aggregate.MEDIAN | Aggregate.PERCENTILE:
            return _interpolated(a, b, c or Decimal(1), measure.p or Decimal("0.5"))
    return a


def _interpolated(below: Decimal, above: Decimal | None, count: Decimal, p: Decimal) -> Decimal:
    """Linearly at position 1 + (n − 1) p of the ordered values."""
    offset = EXACT.multiply(count - 1, p)
    part = offset - int(offset)
    if above is None or not part:
        return below
    return EXACT.add(below, EXACT.multiply(EXACT.subtract(above, below), part))


def as_figure(value: Decimal | None) -> Decimal | None:
    """The value, or no data where it is too large to be a figure at all."""
    return None if value is not None and value and value.adjusted() > LARGEST_EXPONENT else value
