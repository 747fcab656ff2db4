"""How dated things change: a revision is superseded, never overwritten, so that every earlier answer stays."""

from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Function, and_, func, inspect, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, outbox
from app.core.db import OrganizationId
from app.core.problems import Conflict, ValidationFailed
from app.teams.models import Dated

Row = TypeVar("Row", bound=Dated)

_OWN = {"row_id", "recorded_at", "superseded_at"}
_PAST = {"create": "created", "update": "updated", "delete": "deleted", "archive": "archived", "move": "moved"}


def holds_on(table: type[Dated], day: date | ColumnElement[date]) -> ColumnElement[bool]:
    """The current rows that hold on a day."""
    return and_(
        table.superseded_at.is_(None),
        or_(table.valid_from.is_(None), table.valid_from <= day),
        or_(table.valid_to.is_(None), table.valid_to > day),
    )


def in_words(start: date | None, end: date | None) -> str:
    """The days of a span, as one says them."""
    if start is None and end is None:
        return "on all days"
    since = "from the beginning" if start is None else f"from {start}"
    return f"{since} on" if end is None else f"{since} until before {end}"


def check_days(start: date | None, end: date | None) -> None:
    """Refuse a span without a day. Raises `ValidationFailed` at `/valid_to`."""
    if start is not None and end is not None and end <= start:
        message = f"must be later than valid_from ({start}): it is the first day that does not belong any more"
        raise ValidationFailed.at("/valid_to", message, "range_empty")


async def current(
    session: AsyncSession, table: type[Row], org_id: OrganizationId, row_id: UUID, **of: UUID
) -> Row | None:
    """The current revision of one dated thing, of the owner named by `of`, if there is one."""
    same = [getattr(table, column) == value for column, value in of.items()]
    found = await session.execute(
        select(table).where(table.org_id == org_id, table.id == row_id, table.superseded_at.is_(None), *same)
    )
    return found.scalar_one_or_none()


async def store(session: AsyncSession, row: Row, problem: type[Conflict], *per: str) -> Row:
    """Write a new thing; `problem` tells of the one of the same things (`per`) that shares a day with it.

    The database refuses such a pair by itself; asking first is what makes the sentence.
    """
    check_days(row.valid_from, row.valid_to)
    table = type(row)
    found = await session.execute(
        select(table.valid_from, table.valid_to)
        .where(table.org_id == row.org_id, table.superseded_at.is_(None))
        .where(*[getattr(table, column) == getattr(row, column) for column in per])
        .where(func.daterange(table.valid_from, table.valid_to).op("&&")(_days(row)))
        .order_by(table.valid_from.nulls_first())
        .limit(1)
    )
    if (other := found.one_or_none()) is not None:
        raise problem(f"There is one {in_words(*other)} already: end or change it, or choose other days.")
    session.add(row)
    await session.flush()  # what the database refuses must be known here
    return row


def _days(row: Dated) -> Function[Any]:
    return func.daterange(literal(row.valid_from, Date()), literal(row.valid_to, Date()))


async def replace(
    session: AsyncSession, old: Row, at: datetime, changes: dict[str, Any], problem: type[Conflict], *per: str
) -> Row:
    """Supersede a revision by another of the same thing; nothing is written when nothing changes."""
    kept = {key: getattr(old, key) for key in inspect(type(old)).column_attrs.keys() if key not in _OWN}  # noqa: SIM118
    if kept == kept | changes:
        return old
    await withdraw(session, old, at)
    successor = type(old)(**kept | changes | {"recorded_at": at})
    return await store(session, successor, problem, *per)


async def withdraw(session: AsyncSession, row: Dated, at: datetime) -> None:
    """Supersede a revision; without a successor that is how a thing is deleted."""
    row.superseded_at = at
    await session.flush()  # before a successor of the same days


def note(
    session: AsyncSession, who: Principal, action: str, resource: str, resource_id: UUID, *, changes: dict[str, Any]
) -> None:
    """Tell the audit trail and the outbox of a change, in its transaction; `changes` is JSON-ready."""
    audit.record(session, who.org_id, who.label, action, resource, resource_id, changes)
    topic = f"{resource.replace('-', '_')}.{_PAST[action]}"
    outbox.publish(session, who.org_id, topic, {"id": str(resource_id), **changes})
