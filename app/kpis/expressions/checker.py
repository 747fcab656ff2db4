"""What the names, types and units of a parsed filter or formula mean, and what they refuse.

Static types are known for fields and about-things; a property's is unknown until its event is read (S13).
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from app.core.units import COUNT, DURATION, NUMBER, Unit
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import (
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
from app.kpis.expressions.vocabulary import (
    FIELDS,
    FILTER_FUNCTIONS,
    FORMULA_FUNCTIONS,
    FUNCTIONS,
    KPI,
    SHIFTS,
    THINGS,
    Type,
)

_ORDERINGS = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv
}  # fmt: skip
_THING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLURAL: dict[Type, str] = {"number": "numbers", "text": "text", "boolean": "true or false"}
_VERBS = {"+": "added", "-": "subtracted", "coalesce": "stand in for one another", "min": "compared", "max": "compared"}
_MAX_ROUNDING = 15
_SHOWN = 80  # of an expression inside a message
_NO_UNITS: Mapping[str, Unit] = MappingProxyType({})
_NO_KPIS: Mapping[str, bool] = MappingProxyType({})


@lru_cache(maxsize=1024)
def read_filter(text: str) -> Node:
    """The checked tree of a filter that was stored, as `parse_filter`, but for constant divisors of 0."""
    return check_filter(parse(text))


@lru_cache(maxsize=1024)
def parse_filter(text: str) -> Node:
    """The checked tree of a filter, with its names in full (`deal` is `about.deal`); raises `ExpressionError`."""
    tree = check_filter(parse(text))
    refuse_zero_divisors(tree)
    return tree


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


def infer(node: Node, units: Mapping[str, Unit], kpis: Mapping[str, Unit] = _NO_UNITS) -> Unit:
    """The unit of a formula over measures of the given units, and over other KPIs of theirs.

    Raises `ExpressionError` for unknown names and functions, for what is no arithmetic, and where units do not go
    together.
    """
    return _Units(units, kpis).of(node)


def is_additive(node: Node, measures: Mapping[str, bool], kpis: Mapping[str, bool] = _NO_KPIS) -> bool:
    """Whether the formula is linear with constant coefficients in what adds up (S24).

    `measures` tells of each measure whether it adds up (count and sum do), `kpis` of other KPIs whether they are
    additive. A constant term, `previous` or any other function makes the formula not additive.
    """
    return _degree(node, measures, kpis) == 1


def refuse_zero_divisors(node: Node) -> None:
    """Raise `ExpressionError` where something is divided by a constant that is 0."""
    for part in walk(node):
        if isinstance(part, Binary) and part.operator == "/" and _constant(part.right) == 0:
            message = f"`{_shown(part.right)}` is 0, and nothing can be divided by it."
            raise _error(part.right, message, expected="another divisor")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    # No name is longer: comparing the letters of a longer text would only cost time.
    matches = get_close_matches(word[:100].lower(), sorted(known), n=1, cutoff=0.6)
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
        case Binary(operator=sign) if sign in _ARITHMETIC:
            return replace(node, left=_checked_number(node.left), right=_checked_number(node.right)), "number"
        case Binary(operator="in", right=Choices() as choices):
            return _checked_membership(node, choices), "condition"
        case Binary():
            return _checked_comparison(node), "condition"


def _require_condition(node: Node, kind: Type) -> None:
    if kind == "condition":
        return
    if kind == "property":
        message = f"`{_shown(node)}` is no condition by itself: compare it, for instance with true."
        raise _error(node, message, expected="a condition", suggestion=f"{_shown(node)} == true")
    raise _error(node, f"`{_shown(node)}` is no condition: compare it with something.", expected="a condition")


def _checked_number(node: Node) -> Node:
    checked, kind = _checked(node)
    if kind not in {"number", "property"}:
        raise _error(node, f"`{_shown(checked)}` is not a number: it cannot be calculated with.", expected="a number")
    return checked


def _checked_value(node: Node) -> tuple[Node, Type]:
    checked, kind = _checked(node)
    if kind == "condition":
        message = f"`{_shown(checked)}` is a condition: conditions are joined with and, or, not, and not compared."
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
        message = f"`nth` counts the events about a thing, such as customer; `{_shown(name)}` is none."
        raise _error(name, message, expected=f"one of {', '.join(THINGS)}, or about.<thing>")
    return call, "number"


def _keyed_name(node: Name, head: str, rest: list[str]) -> Name:
    if not rest:
        raise _error(node, f"`{head}` needs a key.", expected=f"{head}.<key>")
    if len(rest) > 1:
        suggestion = name_text((head, ".".join(rest)))
        raise _error(node, f"`{head}` is flat: a key with dots stands in quotes.", suggestion=suggestion)
    if not rest[0] or (head == "about" and not _THING.fullmatch(rest[0])):
        raise _error(node, f"`{_shown(node)}` is no key of {head}.", expected=f"{head}.<key>")
    return node


def _unknown_filter_name(node: Name) -> ExpressionError:
    written = name_text(node.path)
    known = (*FIELDS, *THINGS, "properties", "about")
    suggestion = nearest(node.path[0], known)
    if suggestion is None and len(node.path) == 1 and len(written) < _SHOWN:
        suggestion = f"properties.{written}"
    expected = f"one of {', '.join(known[:-2])}, properties.<key>, about.<thing>"
    return _error(node, f"An event has no `{_shown(node)}`.", expected=expected, suggestion=suggestion)


def _unknown_function(node: Call, known: Collection[str], where: str) -> ExpressionError:
    name, suggestion = node.function[:_SHOWN], nearest(node.function, known)
    message = f"There is no function `{name}` in a {where}."
    if node.function in FUNCTIONS:
        message, suggestion = f"`{name}` belongs into a {FUNCTIONS[name].language}, not into a {where}.", None
    expected = f"one of {', '.join(known)}"
    return ExpressionError(message, node.start, len(node.function), expected=expected, suggestion=suggestion)


class _Units:
    """Units of the parts of one formula."""

    def __init__(self, measures: Mapping[str, Unit], kpis: Mapping[str, Unit]) -> None:
        self._measures = measures
        self._kpis = kpis

    def of(self, node: Node) -> Unit:
        match node:
            case Number():
                return NUMBER
            case Name():
                return self._of_name(node)
            case Unary(operator="-", operand=operand):
                return self.of(operand)
            case Binary(operator=("+" | "-") as sign, left=left, right=right):
                return self._common(node, sign, (left, right))
            case Binary(operator="*", left=left, right=right):
                return self.of(left) * self.of(right)
            case Binary(operator="/", left=left, right=right):
                return self.of(left) / self.of(right)
            case Call():
                return self._of_call(node)
        raise _error(node, "A formula gives a number: conditions, text and lists belong in the filter of a measure.")

    def _of_name(self, node: Name) -> Unit:
        head, *rest = node.path
        if head == KPI:
            return self._of_kpi(node, rest)
        if not rest and head in self._measures:
            return self._measures[head]
        if not rest and head in FUNCTIONS and FUNCTIONS[head].language == "formula":
            signature = FUNCTIONS[head].signature
            raise _error(node, f"`{head}` is a function: `{signature}`.", expected=signature, suggestion=f"{head}(")
        suggestion = nearest(head, self._measures)
        expected = f"one of {', '.join(self._measures)}" if self._measures else "a measure"
        message = f"There is no measure `{_shown(node)}`."
        raise _error(node, message, expected=expected, suggestion=suggestion)

    def _of_kpi(self, node: Name, rest: list[str]) -> Unit:
        if len(rest) != 1:
            raise _error(node, f"`{KPI}` needs the key of one KPI.", expected=f"{KPI}.<key>")
        if rest[0] in self._kpis:
            return self._kpis[rest[0]]
        found = nearest(rest[0], self._kpis)
        suggestion = name_text((KPI, found)) if found else None
        message = f"There is no KPI `{rest[0][:_SHOWN]}`."
        raise _error(node, message, expected=f"{KPI}.<key of a KPI>", suggestion=suggestion)

    def _of_call(self, node: Call) -> Unit:
        if node.function not in FORMULA_FUNCTIONS:
            raise _unknown_function(node, FORMULA_FUNCTIONS, "formula")
        _require_arguments(node)
        if node.function == "round":
            _require_digits(node.arguments[1])
        if node.function == "target":
            _require_kpi(node.arguments[0])
        if node.function in SHIFTS:
            _refuse_same_shift(node)
        match FUNCTIONS[node.function].gives:
            case "duration":
                return DURATION
            case "count":
                return COUNT
            case "common":
                return self._common(node, node.function, node.arguments)
        return self.of(node.arguments[0])

    def _common(self, node: Node, operation: str, operands: tuple[Node, ...]) -> Unit:
        first, *others = operands
        common, named = self.of(first), first
        for operand in others:
            unit = self.of(operand)
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


def _require_arguments(node: Call) -> None:
    least, most = FUNCTIONS[node.function].least, FUNCTIONS[node.function].most
    if not least <= len(node.arguments) <= most:
        wanted = "no" if most == 0 else str(least) if least == most else f"{least} to {most}"
        message = f"`{node.function}` takes {wanted} argument{'s' * (wanted != '1')}; here are {len(node.arguments)}."
        raise _error(node, message, expected=FUNCTIONS[node.function].signature)


def _require_digits(node: Node) -> None:
    if not isinstance(node, Number) or node.value != int(node.value) or node.value > _MAX_ROUNDING:
        message = f"`round` takes the number of decimals, 0 to {_MAX_ROUNDING}, as its second argument."
        raise _error(node, message, expected=f"a whole number from 0 to {_MAX_ROUNDING}")


def _require_kpi(node: Node) -> None:
    if not isinstance(node, Name) or node.path[0] != KPI:
        message = "`target` takes a KPI of the organization: targets are set for KPIs, not for measures or sums."
        raise _error(node, message, expected=f"{KPI}.<key>")


def _refuse_same_shift(node: Call) -> None:
    if any(isinstance(inner, Call) and inner.function == node.function for inner in walk(node.arguments[0])):
        message = f"`{node.function}` inside `{node.function}` is not available: only one step back can be asked for."
        raise _error(node, message)


def _subject(node: Node) -> str:
    if isinstance(node, Name) and len(node.path) == 1:
        return node.path[0].replace("_", " ")
    return f"`{_shown(node)}`"


def _shown(node: Node) -> str:
    text = to_text(node)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _constant(node: Node) -> Fraction | None:
    """The exact value of an expression of constants alone; None for all else."""
    match node:
        case Number(value=value):
            return Fraction(value)
        case Unary(operator="-", operand=operand):
            negated = _constant(operand)
            return None if negated is None else -negated
        case Binary(operator=("+" | "-" | "*" | "/") as sign, left=left, right=right):
            first, second = _constant(left), _constant(right)
            return None if first is None or second is None else _calculated(sign, first, second)
    return None


def _calculated(sign: str, first: Fraction, second: Fraction) -> Fraction | None:
    try:
        return _ARITHMETIC[sign](first, second)
    except ZeroDivisionError:
        return None


def _degree(node: Node, measures: Mapping[str, bool], kpis: Mapping[str, bool]) -> int | None:
    """0 for a constant, 1 for what is linear in what adds up, None for all else."""
    match node:
        case Number():
            return 0
        case Name(path=(name,)) if measures.get(name):
            return 1
        case Name(path=(word, key)) if word == KPI and kpis.get(key):
            return 1
        case Unary(operator="-", operand=operand):
            return _degree(operand, measures, kpis)
        case Binary(operator=sign, left=left, right=right):
            return _combined_degree(sign, _degree(left, measures, kpis), _degree(right, measures, kpis))
    return None


def _combined_degree(sign: str, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if sign in {"+", "-"}:
        return left if left == right else None
    if sign == "*":
        return left + right if left + right < 2 else None
    return left if sign == "/" and right == 0 else None


def _error(node: Node, message: str, *, expected: str | None = None, suggestion: str | None = None) -> ExpressionError:
    return ExpressionError(message, node.start, max(node.end - node.start, 1), expected=expected, suggestion=suggestion)
