"""What every kind of import speaks: rows as they are read, verdicts, and who asks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.problems import Problem, from_database
from app.imports.cells import CellError, Reading, read_instant, value_of
from app.imports.columns import Heading

REJECTED = "rejected"


class Wrong(NamedTuple):
    """One thing that is wrong in a row: the column (None: no single one), and what to do."""

    column: str | None
    message: str


class RowRefusedError(ValueError):
    """A row cannot be taken."""

    def __init__(self, column: str | None, message: str) -> None:
        super().__init__(message)
        self.wrong = Wrong(column, message)


@dataclass(slots=True)
class Row:
    """A row as it was read: values by the names of columns, without empty ones; `days` of instants told as a day."""

    number: int
    cells: list[str]
    values: dict[str, Any] = field(default_factory=dict)  # Any: by the kinds of the columns
    days: dict[str, date] = field(default_factory=dict)
    doubled_times: int = 0
    wrong: list[Wrong] = field(default_factory=list)


@dataclass(slots=True)
class Verdict:
    """What became of a row; what is `wrong` is reported so that it can be mended.

    `wrote` are the keys of what the row changed: in a dry run, rows after it may stand on that.
    """

    outcome: str
    wrong: Sequence[Wrong] = ()
    wrote: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # Any: JSON


@dataclass(frozen=True, slots=True)
class Task:
    """For whom rows are taken, and from where; `id` is the import's."""

    id: UUID
    who: Principal
    reading: Reading
    is_dry_run: bool
    source_id: UUID | None


class Taker(Protocol):
    """One kind of import. `batch` is how many rows one step takes: it holds the organization's clock meanwhile."""

    batch: int

    async def take(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """Take rows that could be read, each with its own verdict; a bad one never keeps the others back."""

    async def foretell(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """The same verdicts, with nothing stored."""


def read_row(number: int, cells: list[str], columns: Sequence[Heading], reading: Reading) -> Row:
    """Read each cell by its column; all that is wrong is told at once."""
    row = Row(number, cells)
    for heading, cell in zip(columns, cells, strict=False):
        if heading.name and cell:
            _read(row, heading.name, heading, cell, reading)
    if any(cells[len(columns) :]):
        row.wrong.append(
            Wrong(None, "there are more cells than columns: quote cells that hold the delimiter, or a line's end")
        )
    return row


def _read(row: Row, name: str, heading: Heading, cell: str, reading: Reading) -> None:
    try:
        if heading.value != "instant":
            row.values[name] = value_of(heading.value, cell, reading)
            return
        row.values[name], day, is_doubled = read_instant(cell, reading)
        row.doubled_times += is_doubled
        if day is not None:
            row.days[name] = day
    except CellError as error:
        row.wrong.append(Wrong(name, str(error)))


def needed(row: Row, name: str) -> str:
    """A cell that must not be empty. Raises `RowRefusedError`."""
    if (value := row.values.get(name)) is None:
        raise RowRefusedError(name, "must not be empty")
    return str(value)


@contextmanager
def placed(columns: Mapping[str, str], otherwise: str | None = None) -> Iterator[None]:
    """What a use case refuses, at the column that `columns` has for the place, or for the longest beginning of it."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        raise RowRefusedError(_column([str(part) for part in first["loc"]], columns, otherwise), message) from None
    except Problem as problem:
        raise _refused(problem, columns, otherwise) from None
    except DBAPIError as error:
        raise _refused(from_database(error), columns, otherwise) from None


def _refused(problem: Problem, columns: Mapping[str, str], otherwise: str | None) -> RowRefusedError:
    pointer = problem.errors[0].pointer if problem.errors else ""
    message = problem.errors[0].message if problem.errors else problem.detail
    return RowRefusedError(_column(pointer.lstrip("/").split("/"), columns, otherwise), message)


def _column(place: Sequence[str], columns: Mapping[str, str], otherwise: str | None) -> str | None:
    beginnings = ("/".join(place[:length]) for length in range(len(place), 0, -1))
    return next((columns[each] for each in beginnings if each in columns), otherwise)
