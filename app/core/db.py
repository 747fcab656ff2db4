"""The database: how tables are declared, and how a transaction of one organization begins."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NewType
from uuid import UUID

import simplejson
from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Date,
    MetaData,
    Numeric,
    String,
    Text,
    Uuid,
    and_,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.ids import new_id

OrganizationId = NewType("OrganizationId", UUID)

# The two placements a table can have on several machines (`citus.md` rule 6); a test asks each table for one.
TENANT, REFERENCE = "tenant", "reference"

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """All tables. Text compares by code point, numbers are exact, instants have a zone."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {
        str: Text(collation="C"),
        datetime: TIMESTAMP(timezone=True),
        date: Date(),
        Decimal: Numeric(),
        UUID: Uuid(),
        OrganizationId: Uuid(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
    }


class Tenant:
    """A row of one organization, which leads its key."""

    __table_args__: Any = ({"info": {"placement": TENANT}},)

    org_id: Mapped[OrganizationId] = mapped_column(Uuid(), primary_key=True, sort_order=-20)


class Identified(Tenant):
    """A tenant's row with an id of its own."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-19)


class Recorded:
    """Columns of what influences figures: since when it is known, and until when it was.

    Both come from the organization's ledger clock; a superseded row is never changed again (S5).
    """

    recorded_at: Mapped[datetime] = mapped_column(sort_order=90)
    superseded_at: Mapped[datetime | None] = mapped_column(sort_order=91)


def known_by(table: type[Recorded], known_at: datetime) -> ColumnElement[bool]:
    """The rows that held as recorded by an instant (S5)."""
    return and_(table.recorded_at <= known_at, or_(table.superseded_at.is_(None), table.superseded_at > known_at))


class Revision(Tenant, Recorded):
    """One revision of something dated: `row_id` is the revision's, `id` stays over all of them."""

    row_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-19)
    id: Mapped[UUID] = mapped_column(default=new_id, sort_order=-18)


def tenant_table(*constraints: Any) -> tuple[Any, ...]:
    """`__table_args__` of a tenant's table."""
    return (*constraints, {"info": {"placement": TENANT}})


def reference_table(*constraints: Any) -> tuple[Any, ...]:
    """`__table_args__` of a small table that is read before the organization is known."""
    return (*constraints, {"info": {"placement": REFERENCE}})


Code = String(collation="C")

_dumps = partial(simplejson.dumps, use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_loads = partial(simplejson.loads, use_decimal=True)


def make_engine(url: str, *, pool_size: int, statement_timeout_ms: int, lock_timeout_ms: int) -> AsyncEngine:
    """An engine whose connections run in UTC, with timeouts, and exact decimals in JSON."""
    return create_async_engine(
        re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+asyncpg://", url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=20,
        pool_pre_ping=False,
        json_serializer=_dumps,
        json_deserializer=_loads,
        connect_args={
            "server_settings": {
                "timezone": "UTC",
                "statement_timeout": str(statement_timeout_ms),
                "lock_timeout": str(lock_timeout_ms),
                "application_name": "paceline",
                "jit": "off",
                "citus.propagate_set_commands": "local",
            }
        },
    )


class Database:
    """Begins transactions. One per process and role.

    `aside` begins those that run beside a request's own transaction, on connections of their own: were
    they taken from the same pool, requests that each hold one would wait for each other for ever.
    """

    def __init__(self, engine: AsyncEngine, aside: AsyncEngine | None = None) -> None:
        self.engine = engine
        self.aside = self if aside is None else Database(aside)
        # close_resets_only=False: a connection left checked out by a stream is an error, not a leak.
        self._writes = async_sessionmaker(engine, expire_on_commit=False, close_resets_only=False)
        self._reads = async_sessionmaker(
            engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            expire_on_commit=False,
            close_resets_only=False,
            autoflush=False,
        )

    @asynccontextmanager
    async def write(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """A READ COMMITTED transaction of one organization; commits at the end unless something is raised."""
        async with self._writes.begin() as session:
            await enter(session, org_id)
            yield session

    @asynccontextmanager
    async def read(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """One snapshot of one organization, read-only."""
        async with self._reads.begin() as session:
            await enter(session, org_id)
            yield session

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[AsyncSession]:
        """A short transaction outside any organization: it sees reference tables, and no tenant's rows."""
        async with self._writes.begin() as session:
            yield session

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        if self.aside is not self:
            await self.aside.close()


async def enter(session: AsyncSession, org_id: OrganizationId) -> None:
    """Confine the transaction to one organization (`citus.md` rule 28: textual SET LOCAL, first statement)."""
    session.info["org_id"] = org_id
    await session.execute(text(f"SET LOCAL app.org_id = '{UUID(str(org_id))}'"))
