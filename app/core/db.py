"""The database: how tables are declared, and how a transaction of one organization begins."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NewType, cast
from uuid import UUID

import asyncpg
import simplejson
from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Connection,
    Date,
    Delete,
    Insert,
    MetaData,
    Numeric,
    PoolProxiedConnection,
    Select,
    String,
    Text,
    Update,
    Uuid,
    and_,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.util import greenlet_spawn

from app.core.ids import new_id
from app.core.sealing import NO_KEYS, Keyring

if TYPE_CHECKING:
    from app.core.configuration import Configurations

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


REHEARSAL_WAITS_MS = 300
"""Shorter than PostgreSQL's `deadlock_timeout`."""

Code = String(collation="C")

to_json = simplejson.JSONEncoder(use_decimal=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
"""JSON as it is stored: with exact decimals."""

_loads = partial(simplejson.loads, use_decimal=True)


def make_engine(url: str, *, pool_size: int, statement_timeout_ms: int, lock_timeout_ms: int) -> AsyncEngine:
    """An engine whose connections run in UTC, with timeouts, and exact decimals in JSON."""
    return create_async_engine(
        re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+asyncpg://", url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=20,
        pool_pre_ping=False,
        json_serializer=to_json,
        json_deserializer=_loads,
        connect_args={
            "max_cacheable_statement_size": 0,  # no limit: statements over the ledger are long, and asked again
            "server_settings": {
                "timezone": "UTC",
                "statement_timeout": str(statement_timeout_ms),
                "lock_timeout": str(lock_timeout_ms),
                "application_name": "paceline",
                "jit": "off",
                "citus.propagate_set_commands": "local",
            },
        },
    )


class Database:
    """Begins transactions. One per process and role.

    `aside` begins those that run beside a request's own transaction, on connections of their own: were
    they taken from the same pool, requests that each hold one would wait for each other for ever.
    `configurations` is what snapshots may use of each other (`core/configuration.py`); without `use_partials` they
    compute figures from events alone. `keyring` seals and opens secrets; sessions carry it.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        aside: AsyncEngine | None = None,
        configurations: "Configurations | None" = None,
        *,
        use_partials: bool = True,
        keyring: Keyring = NO_KEYS,
    ) -> None:
        self.engine = engine
        self.keyring = keyring
        self.configurations = configurations
        self.use_partials = use_partials
        self.aside = self
        if aside is not None:
            self.aside = Database(aside, configurations=configurations, use_partials=use_partials, keyring=keyring)
        # close_resets_only=False: a connection left checked out by a stream is an error, not a leak.
        self._writes = async_sessionmaker(
            engine, expire_on_commit=False, close_resets_only=False, info={"keyring": keyring}
        )
        # These transactions are begun and ended here, not by SQLAlchemy, which takes two statements more for it.
        self._autocommit = engine.sync_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._own = async_sessionmaker(
            sync_session_class=_Holding, expire_on_commit=False, close_resets_only=False, autoflush=False
        )

    @asynccontextmanager
    async def write(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """A READ COMMITTED transaction of one organization; commits at the end unless something is raised."""
        async with self._writes.begin() as session:
            await enter(session, org_id)
            yield session

    @asynccontextmanager
    async def brief(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """As `write`, with fewer round trips, for what is written by `Ready` statements and by nothing else."""
        async with self._begun(org_id, "BEGIN") as session:
            yield session

    @asynccontextmanager
    async def read(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """One snapshot of one organization, read-only."""
        async with self._begun(org_id, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as session:
            session.info.update(is_snapshot=True, configurations=self.configurations, use_partials=self.use_partials)
            yield session

    @asynccontextmanager
    async def rehearsal(self, org_id: OrganizationId) -> AsyncIterator[AsyncSession]:
        """One snapshot in which everything may be written and of which nothing stays (`core/rehearsals.py`).

        Rows that somebody else has locked are not waited for (`DBAPIError`, to be tried again), which also keeps others
        from being the victims of a deadlock. Nothing that is loaded is remembered, and no partials are used.
        """
        with suppress(_Rehearsed):
            async with self._begun(org_id, "BEGIN ISOLATION LEVEL REPEATABLE READ") as session:
                await _run(session, f"SET LOCAL lock_timeout = '{REHEARSAL_WAITS_MS}ms'")
                session.info.update(is_rehearsal=True, is_snapshot=True, configurations=None, use_partials=False)
                yield session
                raise _Rehearsed  # rolls back

    @asynccontextmanager
    async def _begun(self, org_id: OrganizationId, begin: str) -> AsyncIterator[AsyncSession]:
        """A transaction begun and ended on the driver; a connection of which that is not certain is given up."""
        held: PoolProxiedConnection = await self.engine.raw_connection()
        driver: Any = held.driver_connection
        known = {"org_id": org_id, "driver": driver, "held": held, "engine": self._autocommit, "keyring": self.keyring}
        session = self._own(info=known)
        has_ended = False
        try:
            await _run(session, f"{begin}; {_confine(org_id)}")
            try:
                yield session
            except BaseException:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await driver.execute("ROLLBACK")
                    has_ended = True
                raise
            await _run(session, "COMMIT")
            has_ended = True
        finally:
            if "bound" in session.info:
                await session.close()
            if not has_ended and held.is_valid:
                driver.terminate()
                await greenlet_spawn(held.invalidate)
            await greenlet_spawn(held.close)

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


class _Rehearsed(Exception):  # noqa: N818 - how a rehearsal ends
    """Rolls back what was only tried."""


async def enter(session: AsyncSession, org_id: OrganizationId) -> None:
    """Confine the transaction to one organization (`citus.md` rule 28: textual SET LOCAL, first statement)."""
    session.info["org_id"] = org_id
    await session.execute(text(_confine(org_id)))


def _confine(org_id: OrganizationId) -> str:
    return f"SET LOCAL app.org_id = '{UUID(str(org_id))}'"


async def plan_anew(session: AsyncSession) -> None:
    """Have statements planned for the values that they are given, until the transaction ends.

    By itself PostgreSQL keeps a plan for whatever values once that is estimated to cost no more. It knows little of
    JSON and of arrays, so that over the ledger such a plan took 2 to 6 times as long.
    """
    if "driver" not in session.info:
        await _driver(session)
    await _run(session, "SET LOCAL plan_cache_mode = force_custom_plan")


async def plan_as_tables_grow(session: AsyncSession, rows: int) -> None:
    """Forget this connection's plans whenever it has written twice as many `rows` as when it last forgot them.

    PostgreSQL keeps a plan, also of the check of a foreign key, until it has counted the table anew, which it does once
    a minute at most. One that was made for a table as good as empty reads all rows of the organization for each that is
    looked up: checking 200 rows took a second instead of 4 ms.
    """
    kept = (await session.connection()).sync_connection.info  # type: ignore[union-attr]  # it is connected
    kept["rows"] = kept.get("rows", 0) + rows
    if kept["rows"] >= 2 * kept.get("rows when planned", 0):
        kept["rows when planned"] = kept["rows"]
        await session.execute(text("DISCARD PLANS"))


class Ready:
    """A query or insertion that every request makes: compiled once, and run without SQLAlchemy, at a fifth of its cost.

    Parameters are the names of its `bindparam`s; rows are the driver's, by position and by name. No JSON columns. One
    that is made while the service runs is not listed: there would be ever more of them. `is_planned_once` hides from
    the planner what arrays hold: PostgreSQL plans a statement anew each time if it expects to gain by their lengths,
    and for a few rows by their keys that takes several times as long as finding them.
    """

    def __init__(
        self,
        statement: Select[*tuple[Any, ...]] | Insert | Update | Delete,
        *,
        is_listed: bool = True,
        is_planned_once: bool = False,
    ) -> None:
        compiled = statement.compile(dialect=asyncpg_dialect())  # type: ignore[no-untyped-call]
        self.text = _ARRAY.sub(r"(SELECT \1)::\2", str(compiled)) if is_planned_once else str(compiled)
        self._names = list(compiled.positiontup or ())
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        if is_listed:
            everything.append(self)

    async def rows(self, session: AsyncSession, **parameters: Any) -> Sequence[Any]:
        """The rows. Raises `DBAPIError`, as a session does."""
        given = [parameters[name] if name in parameters else self._constants[name] for name in self._names]
        info = session.info
        driver = info["driver"] if "driver" in info else await _driver(session)
        try:
            found: Sequence[Any] = await driver.fetch(self.text, *given)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise await _told(session, self.text, error) from error
        return found

    async def row(self, session: AsyncSession, **parameters: Any) -> Any | None:
        """The only row, or None. Raises as `rows` does."""
        return next(iter(await self.rows(session, **parameters)), None)


_ARRAY = re.compile(r"(\$\d+::([A-Z]+\[\]))")

everything: list[Ready] = []
"""All queries that are ready: tests hold their texts to the rules of Citus."""


class _Holding(Session):
    """The session of a transaction that holds its connection: SQLAlchemy learns of it with the first statement."""

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """The connection."""
        if (bound := self.info.get("bound")) is None:
            bound = self.info["bound"] = Connection(self.info["engine"], connection=self.info["held"])
        return cast("Connection", bound)


async def _driver(session: AsyncSession) -> Any:
    """The driver's connection, with the transaction that SQLAlchemy has begun."""
    connection = await session.connection()
    driver = session.info["driver"] = (await connection.get_raw_connection()).driver_connection
    return driver


async def _run(session: AsyncSession, script: str) -> None:
    try:
        await session.info["driver"].execute(script)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise await _told(session, script, error) from error


async def _told(session: AsyncSession, statement: str, error: Exception) -> Exception:
    """The driver's error as SQLAlchemy tells it."""
    if session.info["driver"].is_closed():
        # SQLAlchemy must learn of a lost connection by itself: it then gives up all that its pool opened before.
        try:
            await session.execute(text("SELECT 1"))
        except (DBAPIError, OSError) as lost:
            return lost
    if isinstance(error, OSError):
        return error
    kind = next((kind for cause, kind in _KINDS if isinstance(error, cause)), DBAPIError)
    return kind(statement, None, error)


_KINDS: tuple[tuple[type[Exception], type[DBAPIError]], ...] = (
    (asyncpg.IntegrityConstraintViolationError, IntegrityError),
    (asyncpg.SyntaxOrAccessError, ProgrammingError),
    (asyncpg.InterfaceError, InterfaceError),
)
