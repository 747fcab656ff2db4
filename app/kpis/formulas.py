"""Formulas over aggregated measures, in decimals of 34 digits (S19)."""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal, NamedTuple, Protocol

from app.kpis.definition import Aggregate, Measure
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary, children

FORMULA = Context(prec=34, rounding=ROUND_HALF_EVEN)
EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
# JSON numbers are read as doubles: nothing beyond this is a figure.
LARGEST_EXPONENT = 300

Step = Literal["previous", "same_period_last_year"]
Shift = tuple[Step, ...]
"""The steps to another window, from the outside of a formula in; empty: the window itself."""
StaffFunction = Literal["working_hours", "headcount", "fte"]
Kind = Literal["measure", "kpi", "target", "staff"]

ZERO_WITHOUT_EVENTS = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.COUNT_DISTINCT, Aggregate.COVERED})
_QUOTIENTS = frozenset(
    {
        Aggregate.AVG,
        Aggregate.SHARE_WITHIN,
        Aggregate.CONVERSION,
        Aggregate.SHARE_AT_LEAST,
        Aggregate.SHARE_DONE,
    }
)
_STAFF = frozenset({"working_hours", "headcount", "fte"})


class Use(NamedTuple):
    """Something that a formula reads: a measure, another KPI, the target of a KPI, or a function of the staff."""

    kind: Kind
    name: str
    shift: Shift


class Reader(Protocol):
    """What a formula is evaluated over: the values at one place, and at those that it shifts to; None is no data."""

    def measure(self, name: str, shift: Shift) -> Decimal | None:
        """The value of a measure."""

    def kpi(self, key: str, shift: Shift) -> Decimal | None:
        """The figure of another KPI."""

    def target(self, key: str, shift: Shift) -> Decimal | None:
        """What was aimed at (S22)."""

    def staff(self, function: StaffFunction, shift: Shift) -> Decimal | None:
        """Working time in seconds, or members (S23)."""


def uses(formula: Node, shift: Shift = ()) -> Iterator[Use]:
    """Everything that the formula reads, and where, from left to right."""
    match formula:
        case Name(path=("kpi", key)):
            yield Use("kpi", key, shift)
        case Name(path=path):
            yield Use("measure", path[-1], shift)
        case Call(function="target", arguments=(Name(path=(*_, key)),)):
            yield Use("target", key, shift)
        case Call(function=function) if function in _STAFF:
            yield Use("staff", function, shift)
        case Call(function=("previous" | "same_period_last_year") as step, arguments=(argument,)):
            yield from uses(argument, (*shift, step))
        case _:
            for child in children(formula):
                yield from uses(child, shift)


def evaluate(formula: Node, reader: Reader, shift: Shift = ()) -> Decimal | None:
    """The formula's value; None where an operand has no data or a divisor is 0 (`coalesce` catches it)."""
    match formula:
        case Number(value=value):
            return value
        case Name(path=("kpi", key)):
            return reader.kpi(key, shift)
        case Name(path=path):
            return reader.measure(path[-1], shift)
        case Unary(operand=operand):
            value_or_none = evaluate(operand, reader, shift)
            return None if value_or_none is None else FORMULA.minus(value_or_none)
        case Binary(operator=operator, left=left, right=right):
            return _arithmetic(operator, evaluate(left, reader, shift), evaluate(right, reader, shift))
        case Call():
            return _called(formula, reader, shift)
    raise TypeError(f"not a formula: {formula}")


def _called(call: Call, reader: Reader, shift: Shift) -> Decimal | None:
    match call:
        case Call(function="target", arguments=(Name(path=(*_, key)),)):
            return reader.target(key, shift)
        case Call(function=("working_hours" | "headcount" | "fte") as function):
            return reader.staff(function, shift)
        case Call(function=("previous" | "same_period_last_year") as step, arguments=(argument,)):
            return evaluate(argument, reader, (*shift, step))
    return _call(call.function, [evaluate(argument, reader, shift) for argument in call.arguments])


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
        case _ if measure.aggregate in _QUOTIENTS:
            return FORMULA.divide(a, b) if b else None
        case Aggregate.MEDIAN | Aggregate.PERCENTILE:
            return _interpolated(a, b, c or Decimal(1), getattr(measure, "p", None) or Decimal("0.5"))
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
