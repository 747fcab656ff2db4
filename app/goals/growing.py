"""Whether passing time can only add to a KPI: counts and sums, and what is made of them without taking any away (S34).

Plain Python.
"""

from collections.abc import Callable
from decimal import Decimal

from app.kpis.expressions.syntax import Binary, Name, Node, Number, Unary


def only_grows(formula: Node, kpi_grows: Callable[[str], bool]) -> bool:
    """Of an additive formula: whether no count or sum in it is taken away. `kpi_grows` tells it of other KPIs.

    `calls + 2 * meetings` only grows; `won - lost` could fall again.
    """
    return _sign(formula, kpi_grows) in {0, 1}


def _sign(node: Node, kpi_grows: Callable[[str], bool]) -> int | None:
    """1 for what only grows, -1 for what only falls, 0 for what stays; None for all else."""
    match node:
        case Name(path=(_, key)):
            return 1 if kpi_grows(key) else None
        case Name():
            return 1
        case Unary(operator="-", operand=operand):
            return _times(_sign(operand, kpi_grows), -1)
        case Binary(operator="+", left=left, right=right):
            return _plus(_sign(left, kpi_grows), _sign(right, kpi_grows))
        case Binary(operator="-", left=left, right=right):
            return _plus(_sign(left, kpi_grows), _times(_sign(right, kpi_grows), -1))
        case Binary(operator=("*" | "/"), left=left, right=right):
            return _scaled(left, right, kpi_grows)
    return None


def _scaled(left: Node, right: Node, kpi_grows: Callable[[str], bool]) -> int | None:
    """What is multiplied or divided by a constant has the sign of both."""
    for factor, scaled in ((right, left), (left, right)):
        constant = _constant_sign(factor)
        if constant is not None:
            return _times(_sign(scaled, kpi_grows), constant)
    return None


def _constant_sign(node: Node) -> int | None:
    value = _constant(node)
    return None if value is None else (value > 0) - (value < 0)


def _constant(node: Node) -> Decimal | None:
    match node:
        case Number(value=value):
            return value
        case Unary(operator="-", operand=operand):
            inner = _constant(operand)
            return None if inner is None else -inner
        case Binary(operator=operator, left=left, right=right):
            one, other = _constant(left), _constant(right)
            if one is None or other is None:
                return None
            match operator:
                case "+":
                    return one + other
                case "-":
                    return one - other
                case "*":
                    return one * other
                case "/":
                    return one / other if other else None
    return None


def _times(sign: int | None, factor: int) -> int | None:
    return None if sign is None else sign * factor


def _plus(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return None
    return one + other if 0 in {one, other} else one if one == other else None
