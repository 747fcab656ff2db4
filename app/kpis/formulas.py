"""Formulas over aggregated measures, in decimals of 34 digits (S19)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from operator import itemgetter
from typing import Literal, NamedTuple

from app.kpis.definition import Aggregate, Measure
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary, children

FORMULA = Context(prec=34, rounding=ROUND_HALF_EVEN)
EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
# JSON numbers are read as doubles: nothing beyond this is a figure.
LARGEST_EXPONENT = 300
_ZERO = Decimal(0)

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


class Compiled(NamedTuple):
    """A formula as a function of what it reads: of the values of its `uses`, each once, in their order."""

    uses: tuple[Use, ...]
    value: "Evaluation"
    is_use: bool
    """Whether the formula is its one use, and nothing is computed."""


Evaluation = Callable[[Sequence[Decimal | None]], Decimal | None]
Finish = Callable[[Decimal | None, Decimal | None, Decimal | None], Decimal | None]


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


def compiled(formula: Node) -> Compiled:
    """The formula, taken apart once for all the cells that it is evaluated in.

    Its value is None where an operand has no data or a divisor is 0 (`coalesce` catches it).
    """
    places: dict[Use, int] = {}
    value = _evaluation(formula, (), places)
    return Compiled(tuple(places), value, isinstance(value, itemgetter))


def _evaluation(formula: Node, shift: Shift, places: dict[Use, int]) -> Evaluation:
    """`places` are those of the uses among the values; the formula's own are added."""
    match formula:
        case Number(value=value):
            return lambda _: value
        case Name() | Call(function="target" | "working_hours" | "headcount" | "fte"):
            (use,) = uses(formula, shift)
            return itemgetter(places.setdefault(use, len(places)))
        case Unary(operand=operand):
            return _call("minus", [_evaluation(operand, shift, places)])
        case Binary(operator=operator, left=left, right=right):
            return _arithmetic(operator, _evaluation(left, shift, places), _evaluation(right, shift, places))
        case Call(function=("previous" | "same_period_last_year") as step, arguments=(argument,)):
            return _evaluation(argument, (*shift, step), places)
        case Call(function=function, arguments=arguments):
            return _call(function, [_evaluation(argument, shift, places) for argument in arguments])
    raise TypeError(f"not a formula: {formula}")


def _arithmetic(operator: str, left: Evaluation, right: Evaluation) -> Evaluation:
    operation = _OPERATIONS[operator]

    def value(values: Sequence[Decimal | None]) -> Decimal | None:
        one, other = left(values), right(values)
        return None if one is None or other is None else operation(one, other)

    return value


def _quotient(dividend: Decimal, divisor: Decimal) -> Decimal | None:
    return FORMULA.divide(dividend, divisor) if divisor else None


_OPERATIONS: Mapping[str, Callable[[Decimal, Decimal], Decimal | None]] = {
    "+": FORMULA.add,
    "-": FORMULA.subtract,
    "*": FORMULA.multiply,
    "/": _quotient,
}


def _call(function: str, arguments: Sequence[Evaluation]) -> Evaluation:
    if function == "coalesce":
        return lambda values: next((value for each in arguments if (value := each(values)) is not None), None)
    called = _FUNCTIONS[function]

    def value(values: Sequence[Decimal | None]) -> Decimal | None:
        found = [value for each in arguments if (value := each(values)) is not None]
        return called(*found) if len(found) == len(arguments) else None

    return value


def _rounded(value: Decimal, places: Decimal) -> Decimal:
    if value.adjusted() + places >= EXACT.prec:
        return value  # it has no digit so far behind the point, and quantize would refuse to write so many zeros
    return EXACT.quantize(value, Decimal(1).scaleb(-int(places)))


_FUNCTIONS: Mapping[str, Callable[..., Decimal]] = {
    "minus": FORMULA.minus,
    "abs": FORMULA.abs,
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "round": _rounded,
}


def finishing(measure: Measure) -> Finish:
    """The last division or interpolation of a measure (S9, S11): of `a`, `b` and `c` of its row, all None without one.

    `a` alone for counts, sums, least and greatest; `a / b` for averages and shares; for percentiles `a` and
    `b` are the ordered values around the position and `c` their number.
    """
    aggregate = measure.aggregate
    if aggregate in ZERO_WITHOUT_EVENTS:
        return lambda a, _b, _c: _ZERO if a is None else a
    if aggregate in _QUOTIENTS:
        return lambda a, b, _c: FORMULA.divide(a, b) if a is not None and b else None
    if aggregate in {Aggregate.MEDIAN, Aggregate.PERCENTILE}:
        p = getattr(measure, "p", None) or Decimal("0.5")
        return lambda a, b, c: None if a is None else _interpolated(a, b, c or Decimal(1), p)
    return lambda a, _b, _c: a


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
