"""Filters of the language, compiled to bound SQL over the events in view (S13).

A condition is always true or false: a comparison with something missing, or between types that do not
compare, is false, and `not` is plain negation. Text compares by code point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Numeric, and_, case, cast, false, func, literal, not_, or_
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import NamedFromClause

from app.kpis.expressions import syntax
from app.kpis.expressions.syntax import Binary, Call, Choices, Name, Node, Unary

_TEXT = SqlText(collation="C")
# PostgreSQL's division keeps as many digits as its operands show; 40 are more than formulas have (S19).
DIVISION_SCALE = Decimal("0E-40")
_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True)
class Operand:
    """A value by its possible types; of those, at most one is not NULL in a row."""

    text: ColumnElement[Any] | None = None
    number: ColumnElement[Any] | None = None
    truth: ColumnElement[Any] | None = None


def things_counted(*conditions: Node | None) -> frozenset[str]:
    """The things of all `nth(…)` in these conditions: each needs a column `nth_<thing>` in view."""
    return frozenset(
        node.arguments[0].path[1]
        for condition in conditions
        if condition is not None
        for node in syntax.walk(condition)
        if isinstance(node, Call) and node.function == "nth" and isinstance(node.arguments[0], Name)
    )


class FilterCompiler:
    """Compiles checked conditions over one view of events.

    The view has the columns of `event`, `source_key`, `converted`, and `nth_<n>` for the n-th of `things` in order.
    `converted` is the amount in the query's currency: one that cannot be converted is missing (S13).
    """

    def __init__(self, view: NamedFromClause, things: dict[str, str]) -> None:
        self._view = view
        self._things = things

    def condition(self, node: Node) -> ColumnElement[bool]:
        """The condition as SQL that is never NULL."""
        match node:
            case Binary(operator="and", left=left, right=right):
                return and_(self.condition(left), self.condition(right))
            case Binary(operator="or", left=left, right=right):
                return or_(self.condition(left), self.condition(right))
            case Unary(operator="not", operand=operand):
                return not_(self.condition(operand))
            case Binary(operator="in", left=left, right=Choices(items=items)):
                one = self._operand(left)
                return or_(false(), *[_compare(one, "==", self._operand(item)) for item in items])
            case Binary(operator=operator, left=left, right=right) if operator in _OPERATORS:
                return _compare(self._operand(left), operator, self._operand(right))
            case Call(function="has", arguments=(argument,)):
                return self._is_present(argument)
        raise TypeError(f"not a condition: {syntax.to_text(node)}")

    def number(self, name: Name) -> ColumnElement[Any]:
        """The numeric value that a measure aggregates, NULL where there is none that can be used (S11)."""
        number = self._name(name.path).number
        if number is None:
            raise TypeError(f"not a number: {syntax.to_text(name)}")
        return number

    def presence(self, name: Name) -> ColumnElement[bool]:
        """Whether there is anything at all, usable or not: for money, in whatever currency."""
        return self._is_present(Name(("amount_original",)) if name.path == ("amount",) else name)

    def identity(self, name: Name) -> ColumnElement[Any]:
        """What tells two things apart in `count_distinct`, as text: the text 1 and the number 1 are two."""
        if name.path[0] == "properties":
            return func.nullif(self.json_text(name), "null", type_=_TEXT)
        return self.about(name.path[1])

    def json_text(self, name: Name) -> ColumnElement[Any]:
        """The value as JSON text, 'null' where there is none; equal numbers have one text, however written."""
        value = self._name(name.path)
        texts = [
            func.to_jsonb(value.text).cast(_TEXT) if value.text is not None else None,
            func.trim_scale(value.number).cast(_TEXT) if value.number is not None else None,
            value.truth.cast(_TEXT) if value.truth is not None else None,
        ]
        return func.coalesce(*[text for text in texts if text is not None], literal("null", _TEXT))

    def about(self, thing: str) -> ColumnElement[Any]:
        """The thing of this kind that the event is about, or NULL."""
        return self._view.c.about.op("->>")(literal(thing, SqlText())).cast(_TEXT)

    def _operand(self, node: Node) -> Operand:
        match node:
            case syntax.Number(value=value):
                return Operand(number=literal(value, Numeric()))
            case syntax.Text(value=value):
                return Operand(text=literal(value, _TEXT))
            case syntax.Boolean(value=value):
                return Operand(truth=literal(value, Boolean()))
            case Name(path=path):
                return self._name(path)
            case Call(function="nth", arguments=(Name(path=path),)):
                return Operand(number=self._view.c[self._things[path[1]]])
            case Unary(operator="-", operand=operand):
                number = self._operand(operand).number
                return Operand() if number is None else Operand(number=-number)
            case Binary(operator=operator, left=left, right=right):
                return _arithmetic(operator, self._operand(left).number, self._operand(right).number)
        raise TypeError(f"not a value: {syntax.to_text(node)}")

    def _name(self, path: tuple[str, ...]) -> Operand:
        columns = self._view.c
        match path:
            case ("properties", key):
                kind = func.jsonb_typeof(self._property(key))
                plain = columns.properties.op("->>")(literal(key, SqlText()))
                return Operand(
                    text=case((kind == "string", plain.cast(_TEXT))),
                    number=case((kind == "number", cast(plain, Numeric()))),
                    truth=case((kind == "boolean", cast(plain, Boolean()))),
                )
            case ("about", thing):
                return Operand(text=self.about(thing))
            case ("amount",):
                return Operand(number=columns.converted)
            case ("amount_original",):
                return Operand(number=columns.amount)
            case ("source",):
                return Operand(text=columns.source_key)
            case ("type" | "currency" as field,):
                return Operand(text=columns[field])
            case ("quantity" | "duration_seconds" as field,):
                return Operand(number=columns[field])
        raise TypeError(f"unknown name: {'.'.join(path)}")

    def _property(self, key: str) -> ColumnElement[Any]:
        value: ColumnElement[Any] = cast(self._view.c.properties.op("->")(literal(key, SqlText())), JSONB())
        return value

    def _is_present(self, node: Node) -> ColumnElement[bool]:
        match node:
            case Name(path=("properties", key)):
                return self._property(key).is_not(None)
            case Name(path=path):
                operand = self._name(path)
                known = [part for part in (operand.text, operand.number, operand.truth) if part is not None]
                return or_(*[part.is_not(None) for part in known])
        raise TypeError(f"presence of what: {syntax.to_text(node)}")


def _compare(one: Operand, operator: str, other: Operand) -> ColumnElement[bool]:
    """True where both are of one type and compare so; truths are only equal or not."""
    pairs = [(one.text, other.text), (one.number, other.number)]
    if operator in {"==", "!="}:
        pairs.append((one.truth, other.truth))
    compared = [_OPERATORS[operator](a, b) for a, b in pairs if a is not None and b is not None]
    return or_(false(), *[func.coalesce(comparison, False) for comparison in compared])


def _arithmetic(operator: str, left: ColumnElement[Any] | None, right: ColumnElement[Any] | None) -> Operand:
    if left is None or right is None:
        return Operand()
    match operator:
        case "+":
            return Operand(number=left + right)
        case "-":
            return Operand(number=left - right)
        case "*":
            return Operand(number=left * right)
        case "/":
            return Operand(number=(left + literal(DIVISION_SCALE, Numeric())) / func.nullif(right, 0))
    raise TypeError(operator)
