"""Values of a question as bound arrays, so that a statement's text does not grow with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, column, func, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import Grouping


def bound_table(name: str, columns: Mapping[str, tuple[Any, Sequence[Any]]]) -> Any:
    """A table of bound values: one array for each column."""
    arrays = [literal(list(values), ARRAY(kind)) for kind, values in columns.values()]
    columns_of = [column(key, kind) for key, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*columns_of, name=name).render_derived()


def bound_array(values: Sequence[Any], kind: Any) -> Any:
    """A bound array that can be indexed and sliced, from 1 on: `($1::date[])[…]`."""
    return Grouping(literal(list(values), ARRAY(kind)))


def bucket(value: ColumnElement[Any], ordered: Any) -> ColumnElement[Any]:
    """How many of the ordered values are at most this one; found by bisection."""
    return func.width_bucket(value, ordered)
