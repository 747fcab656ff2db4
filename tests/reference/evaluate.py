"""What the trees of filters and formulas mean, by walking them (S13, S13a, S19)."""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from app.kpis.expressions.syntax import Binary, Boolean, Call, Choices, Name, Node, Number, Text, Unary
from tests.reference.world import PropertyValue

EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
FORMULA = Context(prec=34, rounding=ROUND_HALF_EVEN)
OUTPUT = Context(prec=15, rounding=ROUND_HALF_EVEN)

Lookup = Callable[[tuple[str, ...]], PropertyValue | None]
Nth = Callable[[str], int | None]


# ----------------------------------------------------------------------------------------------------- filters


def passes(condition: Node, look_up: Lookup, nth: Nth) -> bool:
    """Whether an event passes a filter: always true or false, never unknown (S13)."""
    match condition:
        case Binary(operator="and", left=left, right=right):
            return passes(left, look_up, nth) and passes(right, look_up, nth)
        case Binary(operator="or", left=left, right=right):
            return passes(left, look_up, nth) or passes(right, look_up, nth)
        case Unary(operator="not", operand=operand):
            return not passes(operand, look_up, nth)
        case Binary(operator="in", left=left, right=Choices(items=items)):
            one = _value(left, look_up, nth)
            return any(_compares(one, "==", _value(item, look_up, nth)) for item in items)
        case Binary(operator=operator, left=left, right=right):
            return _compares(_value(left, look_up, nth), operator, _value(right, look_up, nth))
        case Call(function="has", arguments=(argument,)):
            return _value(argument, look_up, nth) is not None
    return _value(condition, look_up, nth) is True


def _compares(left: PropertyValue | None, operator: str, right: PropertyValue | None) -> bool:
    """False where a side is missing, or the types differ."""
    if left is None or right is None or type(left) is not type(right):
        return False
    if operator == "==":
        return left == right
    if operator == "!=":
        return left != right
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return _in_order(left, operator, right)
    return _in_order(Decimal(left), operator, Decimal(right))


def _in_order(left: str | Decimal, operator: str, right: str | Decimal) -> bool:
    """Text by code point (which is how Python compares it), numbers as decimals."""
    least, greatest = sorted([left, right])
    return {
        "<": left == least and left != right,
        "<=": left == least,
        ">": left == greatest and left != right,
        ">=": left == greatest,
    }[operator]


def _value(node: Node, look_up: Lookup, nth: Nth) -> PropertyValue | None:
    """A value inside a filter; None is missing."""
    match node:
        case Number(value=number):
            return number
        case Text(value=text):
            return text
        case Boolean(value=truth):
            return truth
        case Name(path=path):
            return look_up(path)
        case Call(function="nth", arguments=(Name(path=path),)):
            place = nth(path[-1])
            return None if place is None else Decimal(place)
        case Unary(operator="-", operand=operand):
            number_or_not = _number(_value(operand, look_up, nth))
            return None if number_or_not is None else -number_or_not
        case Binary(operator=operator, left=left, right=right):
            one, other = _number(_value(left, look_up, nth)), _number(_value(right, look_up, nth))
            return None if one is None or other is None else arithmetic(operator, one, other)
        case Call(function=function, arguments=arguments):
            numbers = [_number(_value(argument, look_up, nth)) for argument in arguments]
            return call(function, numbers)
    raise AssertionError(f"{node} is no value")


def _number(value: PropertyValue | None) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


# ---------------------------------------------------------------------------------------------------- formulas


def arithmetic(operator: str, left: Decimal, right: Decimal) -> Decimal | None:
    """One operation in decimals of 34 digits; None for a division by zero (S19)."""
    with localcontext(FORMULA):
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return None if right == 0 else left / right
    raise AssertionError(operator)


def call(function: str, numbers: list[Decimal | None]) -> Decimal | None:
    """A function of the language over values, None being without data (S19)."""
    if function == "coalesce":
        return next((number for number in numbers if number is not None), None)
    present = [number for number in numbers if number is not None]
    if len(present) < len(numbers):
        return None
    with localcontext(FORMULA):
        match function:
            case "abs":
                return abs(present[0])
            case "min":
                return min(present)
            case "max":
                return max(present)
            case "round":
                places = int(present[1]) if len(present) > 1 else 0
                return _rounded(present[0], places)
    raise AssertionError(function)


def _rounded(number: Decimal, places: int) -> Decimal:
    """Half-even to a number of decimal places (S19)."""
    return EXACT.quantize(number, Decimal(1).scaleb(-places))


def coefficients(formula: Node) -> tuple[dict[str, Decimal], Decimal] | None:
    """The formula as factors of its measures and a constant, or None where it is not linear (S24)."""
    match formula:
        case Number(value=number):
            return {}, number
        case Name(path=path):
            return {".".join(path): Decimal(1)}, Decimal(0)
        case Unary(operator="-", operand=operand):
            inner = coefficients(operand)
            return None if inner is None else _times(inner, Decimal(-1))
        case Binary(operator=("+" | "-") as operator, left=left, right=right):
            one, other = coefficients(left), coefficients(right)
            if one is None or other is None:
                return None
            other = _times(other, Decimal(1 if operator == "+" else -1))
            names = {*one[0], *other[0]}
            return {name: one[0].get(name, Decimal(0)) + other[0].get(name, Decimal(0)) for name in names}, (
                one[1] + other[1]
            )
        case Binary(operator=("*" | "/") as operator, left=left, right=right):
            one, other = coefficients(left), coefficients(right)
            if one is None or other is None:
                return None
            if not other[0] and operator == "/":
                return None if other[1] == 0 else _times(one, 1 / other[1])
            if operator == "*" and not (one[0] and other[0]):
                return _times(one, other[1]) if not other[0] else _times(other, one[1])
    return None


def _times(linear: tuple[dict[str, Decimal], Decimal], factor: Decimal) -> tuple[dict[str, Decimal], Decimal]:
    return {name: value * factor for name, value in linear[0].items()}, linear[1] * factor


def shown(value: Decimal | None) -> Decimal | None:
    """The value as it is given out: 15 significant digits, rounded once and last (S19)."""
    return None if value is None else OUTPUT.plus(value)
