"""The tree that filters and formulas are parsed to, its printing, and the one error of the language.

Positions are offsets into the text, in code points, half-open; they take no part in equality, so that two
texts that mean the same have equal (and equally hashed) trees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from app.kpis.expressions.vocabulary import (
    ATOM_BINDING,
    BINDING,
    COMPARISON_BINDING,
    KPI,
    MINUS_BINDING,
    NOT_BINDING,
    WORDS,
)

ArithmeticOperator = Literal["+", "-", "*", "/"]
ComparisonOperator = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
LogicalOperator = Literal["and", "or"]
BinaryOperator = ArithmeticOperator | ComparisonOperator | LogicalOperator


class ExpressionError(ValueError):
    """What is wrong with an expression, and where.

    `position` and `length` count code points of the text; `expected` names what could have stood there,
    `suggestion` is a name or spelling that was probably meant.
    """

    def __init__(
        self,
        message: str,
        position: int,
        length: int = 1,
        *,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.length = length
        self.expected = expected
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal constant; never negative, since `-5` is the negation of 5."""

    value: Decimal
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted constant."""

    value: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`; stands only beside `==`, `!=` or in a list."""

    value: bool
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its parts.

    In a checked filter one of `("amount",)` (a field), `("properties", key)`, `("about", thing)`, where the key of a
    property may be any text; in a checked formula `(measure,)` or `("kpi", key)`.
    """

    path: tuple[str, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Choices:
    """The list on the right of `in`; in a checked filter never empty, and of constants of one type."""

    items: tuple["Node", ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` (of a condition) or `-x` (of a number)."""

    operator: Literal["not", "-"]
    operand: "Node"
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison, `and` or `or`; with `in` the right side is `Choices`."""

    operator: BinaryOperator
    left: "Node"
    right: "Node"
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; in a checked tree the function is known and the arguments fit."""

    function: str
    arguments: tuple["Node", ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


Node = Number | Text | Boolean | Name | Choices | Unary | Binary | Call


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, from left to right."""
    match node:
        case Choices(items=items):
            return items
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, from left to right, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def property_keys(node: Node) -> frozenset[str]:
    """The keys of all properties that a checked filter looks at."""
    return frozenset(n.path[1] for n in walk(node) if isinstance(n, Name) and n.path[0] == "properties")


def references(node: Node) -> frozenset[str]:
    """The keys of all KPIs that a formula refers to."""
    return frozenset(name.path[1] for name in named_kpis(node))


def named_kpis(node: Node) -> tuple[Name, ...]:
    """The places where a formula refers to another KPI, from left to right."""
    return tuple(n for n in walk(node) if isinstance(n, Name) and len(n.path) > 1 and n.path[0] == KPI)


def to_text(node: Node) -> str:
    """The expression as text with the fewest parentheses; it parses to an equal tree."""
    match node:
        case Number(value=value):
            return format(value, "f")
        case Text(value=value):
            return quote(value)
        case Boolean(value=value):
            return "true" if value else "false"
        case Name():
            return name_text(node.path)
        case Choices(items=items):
            return f"[{', '.join(map(to_text, items))}]"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(to_text, arguments))})"
        case Unary(operator="not", operand=operand):
            return f"not {_inside(operand, NOT_BINDING)}"
        case Unary(operand=operand):
            return f"-{_inside(operand, MINUS_BINDING)}"
        case Binary(operator=operator, left=left, right=right):
            binding = BINDING[operator]
            # Comparisons do not chain, so both of their sides need parentheses around another one.
            left_binding = binding + (binding == COMPARISON_BINDING)
            return f"{_inside(left, left_binding)} {operator} {_inside(right, binding + 1)}"


def name_text(path: tuple[str, ...]) -> str:
    """A name as it is written: dotted, with brackets where a key is no plain word."""
    return path[0] + "".join(f".{part}" if is_plain(part) else f"[{quote(part)}]" for part in path[1:])


def is_plain(part: str) -> bool:
    """Whether a part of a name can be written without quotes."""
    return part.isascii() and part.isidentifier() and part not in WORDS


def quote(text: str) -> str:
    """The text as a quoted constant."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    for character, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(character, escape)
    return f"'{escaped}'"


def _inside(node: Node, binding: int) -> str:
    text = to_text(node)
    return text if _binding(node) >= binding else f"({text})"


def _binding(node: Node) -> int:
    match node:
        case Binary(operator=operator):
            return BINDING[operator]
        case Unary(operator="not"):
            return NOT_BINDING
        case Unary():
            return MINUS_BINDING
    return ATOM_BINDING
