"""Keyset paging: a page continues after the last row seen, so that nothing is lost or seen twice."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, false, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.problems import ErrorItem, ValidationFailed
from app.core.schemas import Input

Row = TypeVar("Row")

_WRITE: dict[type, tuple[str, Callable[[Any], Any]]] = {
    UUID: ("u", str),
    datetime: ("t", datetime.isoformat),
    date: ("d", date.isoformat),
    Decimal: ("n", str),
    int: ("i", int),
    str: ("s", str),
    bool: ("b", bool),
    type(None): ("0", lambda value: value),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "u": UUID,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "n": Decimal,
    "i": int,
    "s": str,
    "b": bool,
    "0": lambda _: None,
}


class PageQuery(Input):
    """Query parameters of every list; domains add their filters by inheriting."""

    limit: int = Field(default=50, ge=1, le=200, description="Most rows in the page.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")

    def fingerprint(self) -> str:
        """Everything but the position: a cursor continues only the list that it came from."""
        text = self.model_dump_json(exclude={"limit", "cursor"})
        return hashlib.sha256((type(self).__name__ + text).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Key:
    """A column of the order; the last one must be unique."""

    column: ColumnElement[Any] | InstrumentedAttribute[Any]
    descending: bool = False
    is_nullable: bool = False  # NULLs last ascending, first descending: PostgreSQL's defaults


async def paginate(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], keys: Sequence[Key], query: PageQuery
) -> tuple[list[Any], str | None]:
    """The rows of one page (tuples, or entities where one entity is selected) and the next page's cursor.

    The key columns are selected beside the statement's own. Raises `ValidationFailed` at `?cursor`.
    """
    page, following = await paginate_rows(session, statement, keys, query)
    bare = [tuple(row)[: -len(keys)] for row in page]
    return [row[0] if len(row) == 1 else row for row in bare], following


async def paginate_rows(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], keys: Sequence[Key], query: PageQuery
) -> tuple[Sequence[Any], str | None]:
    """As `paginate`, for a statement that selects columns: rows whose values have the columns' names."""
    fingerprint = _fingerprint(keys, query)
    wanted = statement.add_columns(*[key.column.label(f"_key{n}") for n, key in enumerate(keys)])
    if query.cursor is not None:
        wanted = wanted.where(_after(keys, _decode(query.cursor, fingerprint, len(keys))))
    wanted = wanted.order_by(*[key.column.desc() if key.descending else key.column.asc() for key in keys])
    rows = (await session.execute(wanted.limit(query.limit + 1))).all()
    page = rows[: query.limit]
    following = _encode(page[-1][-len(keys) :], fingerprint) if len(rows) > query.limit else None
    return page, following


def _fingerprint(keys: Sequence[Key], query: PageQuery) -> str:
    """Of the order too: lists without filters of their own share one class of query."""
    order = ",".join(f"{key.column} {key.descending}" for key in keys)
    return hashlib.sha256(f"{query.fingerprint()} {order}".encode()).hexdigest()[:12]


def _encode(values: Sequence[Any], fingerprint: str) -> str:
    tagged = [_tagged(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps([fingerprint, *tagged]).encode()).rstrip(b"=").decode()


def _tagged(value: Any) -> list[Any]:
    # asyncpg's UUIDs are of a class of its own.
    tag, write = _WRITE[UUID if isinstance(value, UUID) else type(value)]
    return [tag, write(value)]


def _decode(cursor: str, fingerprint: str, count: int) -> list[Any]:
    try:
        made_for, *tagged = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_READ[tag](value) for tag, value in tagged]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError, InvalidOperation):
        raise _bad_cursor("is not one of ours") from None
    if made_for != fingerprint or len(values) != count:
        raise _bad_cursor("belongs to another list, filter or sort")
    return values


def _bad_cursor(why: str) -> ValidationFailed:
    message = f"The cursor {why}: start again without it."
    return ValidationFailed(message, [ErrorItem(pointer="?cursor", message=message, code="cursor_invalid")])


def _after(keys: Sequence[Key], values: Sequence[Any]) -> ColumnElement[bool]:
    """Rows strictly after the values in the keys' order."""
    ways: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        ways.append(and_(*same, _beyond(key, value)))
        same.append(key.column.is_(None) if value is None else key.column == value)
    return or_(*ways)


def _beyond(key: Key, value: Any) -> ColumnElement[bool]:
    if value is None:
        return key.column.is_not(None) if key.descending else false()
    beyond = key.column < value if key.descending else key.column > value
    return or_(beyond, key.column.is_(None)) if key.is_nullable and not key.descending else beyond
