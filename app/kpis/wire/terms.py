"""The short texts of a measure that are names: what it aggregates, what it counts, by which thing events match."""

from app.kpis.expressions.checker import filter_name, nearest
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, Name
from app.kpis.expressions.vocabulary import FIELDS, THINGS, VALUE_FIELDS

VALUE_EXPECTED = f"one of {', '.join(VALUE_FIELDS)}, properties.<key>"
OF_EXPECTED = "a thing, such as customer, or properties.<key>"


def value_name(text: str) -> Name:
    """A number of an event: `("amount",)` or `("properties", key)`; raises `ExpressionError` for all else."""
    name = _name(text, VALUE_EXPECTED)
    if len(name.path) == 1 and name.path[0] not in VALUE_FIELDS:
        suggestion = nearest(name.path[0], VALUE_FIELDS)
        raise _error(f"`{text}` is no value of an event.", text, VALUE_EXPECTED, suggestion)
    full = filter_name(name)
    if full.path[0] == "about":
        raise _error(f"`{text}` is no value of an event.", text, VALUE_EXPECTED)
    return full


def distinct_name(text: str, expected: str = OF_EXPECTED) -> Name:
    """What can be told apart: `("about", thing)` or `("properties", key)`; raises `ExpressionError` for all else."""
    name = _name(text, expected)
    if len(name.path) > 1:
        return filter_name(name)
    if name.path[0] in {*FIELDS, "properties", "about"}:
        raise _error(f"`{text}` is no thing.", text, expected, nearest(name.path[0], THINGS))
    return Name(("about", name.path[0]), name.start, name.end)


def thing(text: str) -> str:
    """A thing that events are about: `lead` of `lead` and of `about.lead`; raises `ExpressionError` for all else."""
    expected = "a thing, such as lead"
    name = distinct_name(text, expected)
    if name.path[0] != "about":
        raise _error("Events are matched by a thing that they are about, not by a property.", text, expected)
    return name.path[1]


def _name(text: str, expected: str) -> Name:
    tree = parse(text)
    if not isinstance(tree, Name):
        raise _error(f"`{text[:80]}` is no name.", text, expected)
    return tree


def _error(message: str, text: str, expected: str, suggestion: str | None = None) -> ExpressionError:
    return ExpressionError(message, 0, len(text), expected=expected, suggestion=suggestion)
