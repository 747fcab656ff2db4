"""Values of a question as bound arrays, so that a statement's text does not grow with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, any_, bindparam, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import Grouping


def bound_table(name: str, columns: Mapping[str, tuple[Any, Sequence[Any]]]) -> Any:
    """A table of bound values: one array for each column."""
    return _table(name, columns, [literal(list(values), ARRAY(kind)) for kind, values in columns.values()])


def named_table(name: str, columns: Mapping[str, tuple[Any, Sequence[Any]]]) -> Any:
    """A table of values that are bound by the names of their columns."""
    return _table(name, columns, [named_array(key, values, kind) for key, (kind, values) in columns.items()])


def named_array(name: str, values: Sequence[Any], kind: Any) -> Any:
    """An array bound by a name, as `bound_array`: the same statement is asked again with others."""
    return Grouping(bindparam(name, list(values), ARRAY(kind)))


def _table(name: str, columns: Mapping[str, tuple[Any, Sequence[Any]]], arrays: Sequence[Any]) -> Any:
    columns_of = [column(key, kind) for key, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*columns_of, name=name).render_derived()


def bound_array(values: Sequence[Any], kind: Any) -> Any:
    """A bound array that can be indexed and sliced, from 1 on: `($1::date[])[…]`."""
    return Grouping(literal(list(values), ARRAY(kind)))


def is_one_of(value: ColumnElement[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text is one of these, which are one parameter however many they are."""
    return value == any_(literal(list(texts), ARRAY(Text(collation="C"))))


def bucket(value: ColumnElement[Any], ordered: Any) -> ColumnElement[Any]:
    """How many of the ordered values are at most this one; found by bisection."""
    return func.width_bucket(value, ordered)
