"""Many rows in one statement: arrays as parameters, unnested by the database (`citus.md` rule 21)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Numeric, Select, Table, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from app.core.db import Ready, to_json

# Any below: a row's values have the types of its columns, which the database checks.
Row = Mapping[str, Any]
Columns = Mapping[str, Sequence[Any]]


class Insertion:
    """Inserts any number of rows into all columns of a table, by statements that are compiled once.

    The columns of `same` have one value for all rows, which is sent once; so are those of `mostly` where all rows agree
    in all of them. `but` adds what `ON CONFLICT` does.
    """

    def __init__(
        self,
        model: type[DeclarativeBase],
        *,
        same: Sequence[str],
        mostly: Sequence[str] = (),
        but: Callable[[Insert], Insert] | None = None,
    ) -> None:
        table = _table(model)
        self._mostly = mostly
        self._wide = _Spread(table, same, but)
        self._narrow = _Spread(table, (*same, *mostly), but) if mostly else self._wide
        self._values = itemgetter(*self._wide.each)

    def columns(self, rows: Iterable[Row]) -> Columns:
        """The rows column by column, without what is the same for all; none without rows."""
        return dict(zip(self._wide.each, zip(*map(self._values, rows), strict=True), strict=False))

    async def run(self, session: AsyncSession, columns: Columns, **same: Any) -> None:
        """Insert rows, if there are any, given as the columns that they differ in. Raises `DBAPIError`."""
        if not any(map(len, columns.values())):
            return
        if all(columns[name].count(columns[name][0]) == len(columns[name]) for name in self._mostly):
            await self._narrow.insert(session, columns, {name: columns[name][0] for name in self._mostly} | same)
        else:
            await self._wide.insert(session, columns, same)


class _Spread:
    """An insertion by one statement: the columns of `same` as single values, the others as arrays."""

    def __init__(self, table: Table, same: Sequence[str], but: Callable[[Insert], Insert] | None) -> None:
        self._same = same
        self.each = [name for name in table.c.keys() if name not in same]  # noqa: SIM118  # names, not columns
        self._write = {name: _writer(table.c[name]) for name in self.each}
        self._json = frozenset(name for name in same if isinstance(table.c[name].type, JSONB))
        values: list[ColumnElement[Any]] = [bindparam(_parameter(name), type_=table.c[name].type) for name in same]
        values += [_spread(table.c[name]) for name in self.each]
        statement = insert(table).from_select([*same, *self.each], select(*values), include_defaults=False)
        # RETURNING, of which nothing is read: without it (or ON CONFLICT) Citus inserts by COPY, which row-level
        # security refuses.
        self._ready = Ready(but(statement) if but else statement.returning(table.c.org_id))

    async def insert(self, session: AsyncSession, columns: Columns, same: Row) -> None:
        given = {_parameter(name): to_json(same[name]) if name in self._json else same[name] for name in self._same}
        given |= {_parameter(name): self._write[name](columns[name]) for name in self.each}
        await self._ready.rows(session, **given)


def _writer(column: Column[Any]) -> Callable[[Sequence[Any]], Any]:
    """How a column's values are sent. Those of JSON as one document, which is written and read in a third of the time;
    decimals as text, for the driver takes long to make them."""
    if isinstance(column.type, JSONB):
        return _document
    if isinstance(column.type, Numeric):
        return lambda values: [None if value is None else str(value) for value in values]
    return lambda values: values


def _document(values: Sequence[Any]) -> str:
    return to_json(values)  # type: ignore[no-any-return]  # simplejson says nothing of its types


def _spread(column: Column[Any]) -> ColumnElement[Any]:
    """A row for each of the column's values. There are equally many of each: they go side by side."""
    name = _parameter(column.name)
    if isinstance(column.type, JSONB):
        return func.jsonb_array_elements(bindparam(name, type_=column.type)).label(column.name)
    if isinstance(column.type, Numeric):
        return cast(func.unnest(bindparam(name, type_=ARRAY(Text()))), column.type).label(column.name)
    return func.unnest(bindparam(name, type_=ARRAY(column.type))).label(column.name)


def _parameter(column: str) -> str:
    return f"{column}_"


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
