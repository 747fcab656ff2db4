"""Many rows in one statement: arrays as parameters, unnested by the database (`citus.md` rule 21)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Numeric,
    Select,
    String,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
    update,
)
from sqlalchemy import Insert as AnyInsert
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from sqlalchemy.sql.expression import Grouping

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
        but: Callable[[Insert], AnyInsert] | None = None,
    ) -> None:
        table = _table(model)
        self._mostly = mostly
        self._wide = _Spread(table, same, but)
        self._narrow = _Spread(table, (*same, *mostly), but) if mostly else self._wide
        self._values = itemgetter(*self._wide.each)

    def columns(self, rows: Iterable[Row]) -> Columns:
        """The rows column by column, without what is the same for all; none without rows."""
        return dict(zip(self._wide.each, zip(*map(self._values, rows), strict=True), strict=False))

    def encoded(self, columns: Columns) -> "Encoded":
        """Rows as they are sent, given as the columns that they differ in: most of the work that they make here."""
        if not any(map(len, columns.values())):
            return Encoded(None, {})
        if all(columns[name].count(columns[name][0]) == len(columns[name]) for name in self._mostly):
            return Encoded(
                self._narrow, self._narrow.encoded(columns, {name: columns[name][0] for name in self._mostly})
            )
        return Encoded(self._wide, self._wide.encoded(columns, {}))

    async def run(self, session: AsyncSession, columns: Columns, **same: Any) -> Sequence[Any]:
        """Insert rows, if there are any, given as the columns that they differ in; gives what `but` returns of them.

        Raises `DBAPIError`.
        """
        return await self.encoded(columns).insert(session, **same)


class _Spread:
    """An insertion by one statement: the columns of `same` as single values, the others as arrays."""

    def __init__(self, table: Table, same: Sequence[str], but: Callable[[Insert], AnyInsert] | None) -> None:
        self.each = [name for name in table.c.keys() if name not in same]  # noqa: SIM118  # names, not columns
        self._write = {name: _encoder(table.c[name]) for name in self.each}
        self._json = frozenset(name for name in same if isinstance(table.c[name].type, JSONB))
        values: list[ColumnElement[Any]] = [bindparam(_parameter(name), type_=table.c[name].type) for name in same]
        values += [_spread(table.c[name]) for name in self.each]
        statement = insert(table).from_select([*same, *self.each], select(*values), include_defaults=False)
        # RETURNING, of which nothing is read: without it (or ON CONFLICT) Citus inserts by COPY, which row-level
        # security refuses.
        self._ready = Ready(but(statement) if but else statement.returning(table.c.org_id))

    def encoded(self, columns: Columns, same: Row) -> dict[str, Any]:
        return self.singles(same) | {_parameter(name): self._write[name](columns[name]) for name in self.each}

    def singles(self, same: Row) -> dict[str, Any]:
        return {_parameter(name): to_json(value) if name in self._json else value for name, value in same.items()}

    async def insert(self, session: AsyncSession, parameters: Mapping[str, Any]) -> Sequence[Any]:
        return await self._ready.rows(session, **parameters)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows as they are sent to the database."""

    _spread: _Spread | None
    _parameters: Mapping[str, Any]

    async def insert(self, session: AsyncSession, **same: Any) -> Sequence[Any]:
        """As `Insertion.run`, with the columns that have one value for all rows."""
        if self._spread is None:
            return ()
        return await self._spread.insert(session, {**self._parameters, **self._spread.singles(same)})


class Amendment:
    """Gives rows that are there, by their key beside the organization, new values in some columns; compiled once.

    Each row takes the values that stand where its key stands: nothing is joined, so that the plan is the same whatever
    is known of the table. A join with arrays read all of a table that had been small when it was planned. The column
    `same` has one value for all rows.
    """

    def __init__(self, model: type[DeclarativeBase], key: str, columns: Sequence[str], *, same: str) -> None:
        table = _table(model)
        self._write = {name: _writer(table.c[name]) for name in columns}
        self._same = same
        keys = bindparam("keys", type_=ARRAY(table.c[key].type))
        place = func.array_position(keys, table.c[key])
        values = {name: _at_place(table.c[name], place) for name in columns}
        values[same] = bindparam(_parameter(same), type_=table.c[same].type)
        mine = (table.c.org_id == bindparam("org"), table.c[key] == any_(keys))
        self._ready = Ready(update(table).where(*mine).values(values).returning(table.c.org_id))

    async def run(self, session: AsyncSession, org_id: UUID, keys: Sequence[Any], columns: Columns, same: Any) -> None:
        """Change the rows with these keys, of which each is there once. Raises `DBAPIError`."""
        if keys:
            given = {_parameter(name): write(columns[name]) for name, write in self._write.items()}
            await self._ready.rows(session, org=org_id, keys=keys, **given, **{_parameter(self._same): same})


def _at_place(column: Column[Any], place: ColumnElement[int]) -> ColumnElement[Any]:
    """The value of a column for the row of that place, counted from 1."""
    name = _parameter(column.name)
    if isinstance(column.type, JSONB):
        return bindparam(name, type_=column.type).op("->", return_type=column.type)(place - 1)
    values: ColumnElement[Any] = Grouping(bindparam(name, type_=ARRAY(column.type)))  # else its cast would be asked
    return values[place]


def _writer(column: Column[Any]) -> Callable[[Sequence[Any]], Any]:
    """How a column's values are sent. Those of JSON as one document, which is written and read in a third of the time,
    but where some are null; decimals as text, for the driver takes long to make them."""
    if isinstance(column.type, JSONB):
        return _texts if column.nullable else _document
    if isinstance(column.type, Numeric):
        return lambda values: [None if value is None else str(value) for value in values]
    return lambda values: values


def _document(values: Sequence[Any]) -> str:
    return to_json(values)  # type: ignore[no-any-return]  # simplejson says nothing of its types


def _texts(values: Sequence[Any]) -> list[str | None]:
    return [None if value is None else to_json(value) for value in values]


def _encoder(column: Column[Any]) -> Callable[[Sequence[Any]], Any]:
    """How a column's values are sent: as `_writer` says, but as the text of an array where that is quicker to write and
    no slower to read. Of an array's values the driver asks each twice whether it is another array."""
    if isinstance(column.type, JSONB) and not column.nullable:
        return _document
    if isinstance(column.type, JSONB):
        return lambda values: _array(_texts(values), _quoted)
    if isinstance(column.type, String):
        return lambda values: _array(values, _quoted)
    if _goes_as_text(column):
        return lambda values: _array(values, str)
    return lambda values: values


def _goes_as_text(column: Column[Any]) -> bool:
    return isinstance(column.type, String | Numeric | Boolean | JSONB)


def _array(values: Sequence[Any], write: Callable[[Any], str]) -> str:
    """As PostgreSQL writes an array."""
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _spread(column: Column[Any]) -> ColumnElement[Any]:
    """A row for each of the column's values. There are equally many of each: they go side by side."""
    name = _parameter(column.name)
    if isinstance(column.type, JSONB) and not column.nullable:
        return func.jsonb_array_elements(bindparam(name, type_=column.type)).label(column.name)
    if not _goes_as_text(column):
        return func.unnest(bindparam(name, type_=ARRAY(column.type))).label(column.name)
    is_text = isinstance(column.type, String | JSONB)
    values = func.unnest(cast(bindparam(name, type_=Text()), ARRAY(Text() if is_text else column.type)))
    return (cast(values, column.type) if isinstance(column.type, JSONB) else values).label(column.name)


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
