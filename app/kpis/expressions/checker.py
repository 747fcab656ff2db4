"""What the names, types and units of a parsed filter or formula mean, and what they refuse.

Static types are known for fields and about-things; a property's is unknown until its event is read (S13).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from app.core.units import NUMBER, Unit
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import (
    WORDS,
    Binary,
    Boolean,
    Call,
    Choices,
    ExpressionError,
    Name,
    Node,
    Number,
    Text,
    Unary,
    name_text,
    to_text,
    walk,
)

Type = Literal["number", "text", "boolean", "condition", "property"]

FIELDS: dict[str, Type] = {
    "type": "text",
    "source": "text",
    "amount": "number",
    "amount_original": "number",
    "currency": "text",
    "quantity": "number",
    "duration_seconds": "number",
}
THINGS = ("company", "contact", "customer", "deal", "lead")
FILTER_FUNCTIONS = ("has", "nth")
FORMULA_FUNCTIONS = ("abs", "coalesce", "max", "min", "previous", "round")
LATER_NAMES = frozenset({"fte", "headcount", "kpi", "same_period_last_year", "target", "working_hours"})
RESERVED_MEASURES = WORDS | LATER_NAMES | frozenset(FORMULA_FUNCTIONS) | frozenset(FILTER_FUNCTIONS)

_ORDERINGS = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC = frozenset("+-*/")
_THING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLURAL: dict[Type, str] = {"number": "numbers", "text": "text", "boolean": "true or false"}
_VERBS = {"+": "added", "-": "subtracted", "coalesce": "stand in for one another", "min": "compared", "max": "compared"}
_ARGUMENTS = {"abs": (1, 1), "coalesce": (2, 2), "max": (2, 20), "min": (2, 20), "previous": (1, 1), "round": (2, 2)}
_MAX_ROUNDING = 15


@lru_cache(maxsize=1024)
def parse_filter(text: str) -> Node:
    """The checked tree of a filter, with its names in full (`deal` is `about.deal`); raises `ExpressionError`."""
    return check_filter(parse(text))


def check_filter(node: Node) -> Node:
    """The filter with its names in full; raises `ExpressionError` unless it is a condition on events."""
    checked, kind = _checked(node)
    _require_condition(checked, kind)
    return checked


def filter_name(node: Name) -> Name:
    """A name of a filter in full: `("amount",)`, `("properties", key)` or `("about", thing)`."""
    head, *rest = node.path
    if head in {"properties", "about"}:
        return _keyed_name(node, head, rest)
    if rest and (head in FIELDS or head in THINGS):
        raise _error(node, f"`{head}` has no parts.", suggestion=head)
    if rest or (head not in FIELDS and head not in THINGS):
        raise _unknown_filter_name(node)
    return replace(node, path=("about", head)) if head in THINGS else node


def infer(node: Node, units: Mapping[str, Unit]) -> Unit:
    """The unit of a formula over measures of the given units.

    Raises `ExpressionError` for unknown names and functions, for what is no arithmetic, and where units do not go
    together.
    """
    match node:
        case Number():
            return NUMBER
        case Name():
            return _measure_unit(node, units)
        case Unary(operator="-", operand=operand):
            return infer(operand, units)
        case Binary(operator=("+" | "-") as operator, left=left, right=right):
            return _common_unit(node, operator, (left, right), units)
        case Binary(operator="*", left=left, right=right):
            return infer(left, units) * infer(right, units)
        case Binary(operator="/", left=left, right=right):
            return infer(left, units) / infer(right, units)
        case Call():
            return _call_unit(node, units)
    raise _error(node, "A formula gives a number: conditions, text and lists belong in the filter of a measure.")


def is_additive(node: Node, measures: Mapping[str, bool]) -> bool:
    """Whether the formula is linear with constant coefficients in measures that add up (S24).

    `measures` tells of each measure whether it adds up (count and sum do). A constant term, `previous` or any other
    function makes the formula not additive.
    """
    return _degree(node, measures) == 1


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    matches = get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def _checked(node: Node) -> tuple[Node, Type]:  # noqa: C901 - a case for each kind of node
    match node:
        case Number():
            return node, "number"
        case Text():
            return node, "text"
        case Boolean():
            return node, "boolean"
        case Name():
            name = filter_name(node)
            return name, "property" if name.path[0] == "properties" else FIELDS.get(name.path[0], "text")
        case Choices():
            raise _error(node, "A list stands only after `in`.")
        case Call():
            return _checked_call(node)
        case Unary(operator="not"):
            return replace(node, operand=check_filter(node.operand)), "condition"
        case Unary():
            return replace(node, operand=_checked_number(node.operand)), "number"
        case Binary(operator="and" | "or"):
            return replace(node, left=check_filter(node.left), right=check_filter(node.right)), "condition"
        case Binary(operator=operator) if operator in _ARITHMETIC:
            return replace(node, left=_checked_number(node.left), right=_checked_number(node.right)), "number"
        case Binary(operator="in", right=Choices() as choices):
            return _checked_membership(node, choices), "condition"
        case Binary():
            return _checked_comparison(node), "condition"


def _require_condition(node: Node, kind: Type) -> None:
    if kind == "condition":
        return
    if kind == "property":
        message = f"`{to_text(node)}` is no condition by itself: compare it, for instance with true."
        raise _error(node, message, expected="a condition", suggestion=f"{to_text(node)} == true")
    raise _error(node, f"`{to_text(node)}` is no condition: compare it with something.", expected="a condition")


def _checked_number(node: Node) -> Node:
    checked, kind = _checked(node)
    if kind not in {"number", "property"}:
        raise _error(node, f"`{to_text(checked)}` is not a number: it cannot be calculated with.", expected="a number")
    return checked


def _checked_value(node: Node) -> tuple[Node, Type]:
    checked, kind = _checked(node)
    if kind == "condition":
        message = f"`{to_text(checked)}` is a condition: conditions are joined with and, or, not, and not compared."
        raise _error(node, message, expected="a value")
    return checked, kind


def _checked_comparison(node: Binary) -> Node:
    (left, left_kind), (right, right_kind) = _checked_value(node.left), _checked_value(node.right)
    _require_comparable(node, left_kind, right_kind)
    if node.operator in _ORDERINGS and "boolean" in {left_kind, right_kind}:
        raise _error(node, "true and false have no order: compare them with == or !=.", suggestion="==")
    return replace(node, left=left, right=right)


def _checked_membership(node: Binary, choices: Choices) -> Node:
    left, kind = _checked_value(node.left)
    first, *others = (_constant_type(item) for item in choices.items)
    for item, other in zip(choices.items[1:], others, strict=True):
        if other != first:
            raise _error(item, f"The list holds {_PLURAL[first]}: this is another type.", expected=_PLURAL[first])
    _require_comparable(node, kind, first)
    return replace(node, left=left)


def _constant_type(item: Node) -> Type:
    match item:
        case Number() | Unary(operator="-", operand=Number()):
            return "number"
        case Text():
            return "text"
        case Boolean():
            return "boolean"
    raise _error(
        item, "The list after `in` holds only numbers, text in quotes, or true and false.", expected="a constant"
    )


def _require_comparable(node: Node, left: Type, right: Type) -> None:
    if "property" not in {left, right} and left != right:
        raise _error(node, f"This compares {_PLURAL[left]} with {_PLURAL[right]}: that is never true.")


def _checked_call(node: Call) -> tuple[Node, Type]:
    if node.function not in FILTER_FUNCTIONS:
        raise _unknown_function(node, FILTER_FUNCTIONS, "filter")
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], Name):
        what = "a property, field or thing" if node.function == "has" else "a thing, such as customer"
        raise _error(node, f"`{node.function}` takes {what} in its parentheses.", expected=what)
    name = filter_name(node.arguments[0])
    call = replace(node, arguments=(name,))
    if node.function == "has":
        return call, "condition"
    if name.path[0] != "about":
        message = f"`nth` counts the events about a thing, such as customer; `{name_text(name.path)}` is none."
        raise _error(name, message, expected=f"one of {', '.join(THINGS)}, or about.<thing>")
    return call, "number"


def _keyed_name(node: Name, head: str, rest: list[str]) -> Name:
    if not rest:
        raise _error(node, f"`{head}` needs a key.", expected=f"{head}.<key>")
    if len(rest) > 1:
        suggestion = name_text((head, ".".join(rest)))
        raise _error(node, f"`{head}` is flat: a key with dots stands in quotes.", suggestion=suggestion)
    if not rest[0] or (head == "about" and not _THING.fullmatch(rest[0])):
        raise _error(node, f"`{name_text(node.path)}` is no key of {head}.", expected=f"{head}.<key>")
    return node


def _unknown_filter_name(node: Name) -> ExpressionError:
    written = name_text(node.path)
    known = (*FIELDS, *THINGS, "properties", "about")
    suggestion = nearest(node.path[0], known)
    if suggestion is None and len(node.path) == 1:
        suggestion = f"properties.{written}"
    expected = f"one of {', '.join(known[:-2])}, properties.<key>, about.<thing>"
    return _error(node, f"An event has no `{written}`.", expected=expected, suggestion=suggestion)


def _unknown_function(node: Call, known: Collection[str], where: str) -> ExpressionError:
    if node.function in LATER_NAMES:
        return _not_yet(node, node.function)
    message = f"There is no function `{node.function}` in a {where}."
    suggestion = nearest(node.function, known)
    expected = f"one of {', '.join(known)}"
    return ExpressionError(message, node.start, len(node.function), expected=expected, suggestion=suggestion)


def _measure_unit(node: Name, units: Mapping[str, Unit]) -> Unit:
    head = node.path[0]
    if len(node.path) == 1 and head in units:
        return units[head]
    if head in LATER_NAMES:
        raise _not_yet(node, head)
    suggestion = nearest(head, units)
    expected = f"one of {', '.join(units)}" if units else "a measure"
    raise _error(node, f"There is no measure `{name_text(node.path)}`.", expected=expected, suggestion=suggestion)


def _call_unit(node: Call, units: Mapping[str, Unit]) -> Unit:
    if node.function not in FORMULA_FUNCTIONS:
        raise _unknown_function(node, FORMULA_FUNCTIONS, "formula")
    _require_arguments(node)
    if node.function == "round":
        _require_digits(node.arguments[1])
    if node.function == "previous" and any(_is_previous(inner) for inner in walk(node.arguments[0])):
        raise _error(
            node, "`previous` inside `previous` is not available: only the window just before can be asked for."
        )
    if node.function in {"coalesce", "max", "min"}:
        return _common_unit(node, node.function, node.arguments, units)
    return infer(node.arguments[0], units)


def _require_arguments(node: Call) -> None:
    least, most = _ARGUMENTS[node.function]
    if not least <= len(node.arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        message = f"`{node.function}` takes {wanted} argument{'s' * (wanted != '1')}; here are {len(node.arguments)}."
        raise _error(node, message, expected=f"{wanted} arguments")


def _require_digits(node: Node) -> None:
    if not isinstance(node, Number) or node.value != int(node.value) or node.value > _MAX_ROUNDING:
        message = f"`round` takes the number of decimals, 0 to {_MAX_ROUNDING}, as its second argument."
        raise _error(node, message, expected=f"a whole number from 0 to {_MAX_ROUNDING}")


def _is_previous(node: Node) -> bool:
    return isinstance(node, Call) and node.function == "previous"


def _common_unit(node: Node, operation: str, operands: tuple[Node, ...], units: Mapping[str, Unit]) -> Unit:
    first, *others = operands
    common, named = infer(first, units), first
    for operand in others:
        unit = infer(operand, units)
        combined = common.combined(unit)
        if combined is None:
            verb = _VERBS[operation]
            raise _error(
                node,
                f"{_capitalized(_subject(named))} is {common} and {_subject(operand)} is {unit}: "
                f"they cannot {verb if ' ' in verb else 'be ' + verb}.",
            )
        named = operand if common.is_number else named
        common = combined
    return common


def _subject(node: Node) -> str:
    return node.path[0].replace("_", " ") if isinstance(node, Name) else f"`{to_text(node)}`"


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _degree(node: Node, measures: Mapping[str, bool]) -> int | None:
    """0 for a constant, 1 for what is linear in measures that add up, None for all else."""
    match node:
        case Number():
            return 0
        case Name(path=(name,)) if measures.get(name):
            return 1
        case Unary(operator="-", operand=operand):
            return _degree(operand, measures)
        case Binary(operator=operator, left=left, right=right):
            return _combined_degree(operator, _degree(left, measures), _degree(right, measures))
    return None


def _combined_degree(operator: str, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if operator in {"+", "-"}:
        return left if left == right else None
    if operator == "*":
        return left + right if left + right < 2 else None
    return left if operator == "/" and right == 0 else None


def _not_yet(node: Node, name: str) -> ExpressionError:
    return ExpressionError(f"`{name}` is not available yet.", node.start, len(name))


def _error(node: Node, message: str, *, expected: str | None = None, suggestion: str | None = None) -> ExpressionError:
    return ExpressionError(message, node.start, max(node.end - node.start, 1), expected=expected, suggestion=suggestion)
