"""Many rows in one statement: arrays as parameters, unnested by the database (`citus.md` rule 21)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

# Any below: a row's values have the types of its columns, which the database checks.
Row = Mapping[str, Any]


def insert_rows(model: type[DeclarativeBase], rows: Sequence[Row]) -> Insert:
    """Insert the rows, which all have the same columns; what `ON CONFLICT` does can be added."""
    table = _table(model)
    names = list(rows[0])
    return insert(table).from_select(names, unnested(model, rows))


def unnested(model: type[DeclarativeBase], rows: Sequence[Row]) -> Select[Any]:
    """The rows as a table with the columns' names and types."""
    table = _table(model)
    return select(
        *(
            func.unnest(bindparam(None, [row[name] for row in rows], type_=ARRAY(table.c[name].type))).label(name)
            for name in rows[0]
        )
    )


def among(attribute: InstrumentedAttribute[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether the column has one of the values: one parameter, however many they are."""
    return attribute == any_(bindparam(None, values, type_=ARRAY(attribute.type)))


def _table(model: type[DeclarativeBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101  # a mapped class has one
    return table
