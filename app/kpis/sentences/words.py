"""Filters and formulas in words."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.kpis.expressions.syntax import (
    Binary,
    Boolean,
    Call,
    Choices,
    Name,
    Node,
    Number,
    Text,
    Unary,
    is_plain,
    quote,
)
from app.kpis.expressions.vocabulary import KPI
from app.kpis.sentences.phrases import Phrases, filled

_SIMPLE = frozenset({"fte", "headcount", "max", "min", "target", "working_hours"})  # read as one thing
_PLACES = {
    (operator, Decimal(place)): is_first
    for operator, place, is_first in (
        ("==", 1, True), ("<=", 1, True), ("<", 2, True), ("!=", 1, False), (">", 1, False), (">=", 2, False),
    )
}  # fmt: skip
"""What is said of a place that says no more than whether it is the first."""


class _Words:
    """What conditions and formulas have in common: arithmetic, and brackets where an operation stands in another."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def text(self, node: Node) -> str:
        raise NotImplementedError

    def inside(self, node: Node) -> str:
        text = self.text(node)
        return text if self.is_simple(node) else filled(self._phrases.bracketed, text=text)

    def number(self, value: Decimal) -> str:
        """As the language writes it."""
        return format(value, "f").replace(".", self._phrases.decimal_mark)

    def is_simple(self, node: Node) -> bool:
        return not isinstance(node, Binary | Unary)

    def arithmetic(self, node: Unary | Binary) -> str:
        if isinstance(node, Unary):
            return filled(self._phrases.minus, x=self.inside(node.operand))
        template = self._phrases.arithmetic[node.operator]
        return filled(template, left=self.inside(node.left), right=self.inside(node.right))


class Condition(_Words):
    """A filter in words."""

    def text(self, node: Node) -> str:  # noqa: C901, PLR0912 - a case for each kind of node
        phrases = self._phrases
        match node:
            case Number(value=value):
                return self.number(value)
            case Text(value=value):
                return quote(value)
            case Boolean(value=value):
                return phrases.true if value else phrases.false
            case Name():
                return field_name(phrases, node)
            case Choices(items=items):
                return joined(phrases, [self.text(item) for item in items], phrases.last_or)
            case Call(function="has", arguments=(Name() as name,)):
                return filled(phrases.given, name=field_name(phrases, name))
            case Call(arguments=(Name() as name,)):
                return filled(phrases.nth, thing=field_name(phrases, name))
            case Unary(operator="not", operand=Binary(operator="==", left=Name() as left, right=right)):
                return filled(phrases.is_not, left=self.text(left), right=self.text(right))
            case Unary(operator="not", operand=Call(function="has", arguments=(Name() as name,))):
                return filled(phrases.not_given, name=field_name(phrases, name))
            case Unary(operator="not", operand=operand):
                return filled(phrases.not_, condition=self._joined(operand, "not"))
            case Binary(operator="in", left=left, right=right):
                return filled(phrases.one_of, left=self.inside(left), choices=self.text(right))
            case Binary(
                operator=operator, left=Call(function="nth", arguments=(Name() as name,)), right=Number(value=value)
            ) if (
                operator,
                value,
            ) in _PLACES:
                template = phrases.is_first if _PLACES[operator, value] else phrases.is_later
                return filled(template, thing=field_name(phrases, name))
            case Binary(operator=operator, left=left, right=right) if operator in phrases.comparisons:
                template = phrases.comparisons[operator]
                return filled(template, left=self.inside(left), right=self.inside(right))
            case Binary(operator=("and" | "or") as operator, left=left, right=right):
                template = phrases.and_ if operator == "and" else phrases.or_
                return filled(template, left=self._joined(left, operator), right=self._joined(right, operator))
            case Unary() | Binary():
                return self.arithmetic(node)
        raise ValueError(f"{node} is no part of a checked filter")

    def _joined(self, node: Node, operator: str) -> str:
        """What stands beside `and`, `or` or `not`: comparisons, and more of the same, without brackets."""
        if isinstance(node, Binary) and (node.operator == operator or node.operator not in {"and", "or"}):
            return self.text(node)
        return self.inside(node)


class Formula(_Words):
    """A formula in words, over the names of measures and KPIs."""

    def __init__(self, phrases: Phrases, names: Mapping[str, str]) -> None:
        super().__init__(phrases)
        self._names = names

    def text(self, node: Node) -> str:
        phrases = self._phrases
        match node:
            case Number(value=value):
                return self.number(value)
            case Name(path=(word, key)) if word == KPI:
                return filled(phrases.kpi, key=quoted(phrases, self._names.get(key, key)))
            case Name(path=path):
                return quoted(phrases, path[0])
            case Binary(operator="/", left=left, right=right) if left in addends(right):
                return filled(phrases.share_of, part=self.inside(left), whole=self._sum(right))
            case Unary() | Binary():
                return self.arithmetic(node)
            case Call(function=function, arguments=arguments):
                texts = [self.inside(argument) for argument in arguments]
                x, y = [*texts, "", ""][:2]
                whole = joined(phrases, texts, phrases.last_and)
                return filled(phrases.functions[function], x=x, y=y, all=whole)
        raise ValueError(f"{node} is no part of a checked formula")

    def is_simple(self, node: Node) -> bool:
        return isinstance(node, Number | Name) or (isinstance(node, Call) and node.function in _SIMPLE)

    def _sum(self, node: Node) -> str:
        text = " + ".join(self.inside(part) for part in addends(node))
        return filled(self._phrases.bracketed, text=text)


def field_name(phrases: Phrases, name: Name) -> str:
    """A field, thing or property in words; a property's key as it is."""
    head, *rest = name.path
    if head == "about":
        return phrases.things.get(rest[0], rest[0])
    if head == "properties":
        return rest[0] if is_plain(rest[0]) else quoted(phrases, rest[0])
    return phrases.fields[head]


def joined(phrases: Phrases, parts: Sequence[str], last: str) -> str:
    """A list in words: commas, and the last part joined by a word."""
    if len(parts) < 2:
        return "".join(parts)
    return filled(f"{{head}}{last}{{tail}}", head=phrases.comma.join(parts[:-1]), tail=parts[-1])


def is_of_comparisons(node: Node) -> bool:
    """Whether the condition is said of what belongs to the event alone: 'whose channel is …'."""
    match node:
        case Binary(operator=("and" | "or"), left=left, right=right):
            return is_of_comparisons(left) and is_of_comparisons(right)
        case Unary(operator="not", operand=Binary(operator="==", left=Name()) | Call(function="has")):
            return True
        case Binary(left=Name()):
            return True
    return isinstance(node, Call) and node.function == "has"


def addends(node: Node) -> tuple[Node, ...]:
    """The parts of a sum of at least two; of anything else none."""
    match node:
        case Binary(operator="+", left=left, right=right):
            return (*(addends(left) or (left,)), right)
    return ()


def quoted(phrases: Phrases, text: str) -> str:
    """A name as people or machines gave it."""
    return filled(phrases.quoted, text=text)
