"""Transactions that are begun and ended on the driver: whatever happens, no connection is lost, broken or confined."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Integer, Uuid, bindparam, func, insert, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.accounts.models import ApiKey
from app.core.clock import LedgerClock
from app.core.db import Database, OrganizationId, Ready
from app.core.problems import Conflict, TooExpensive, from_database
from tests.support import Api, World

BACKEND = Ready(select(func.pg_backend_pid()), is_listed=False)
SLEEP = Ready(select(func.pg_sleep(bindparam("seconds", type_=Integer()))), is_listed=False)
CLOCK = Ready(
    select(LedgerClock.seq).where(LedgerClock.org_id == bindparam("org_id", type_=Uuid())).with_for_update(),
    is_listed=False,
)
SECOND_CLOCK = Ready(
    insert(LedgerClock).from_select(
        ["org_id", "last_at", "seq"],
        select(LedgerClock.org_id, LedgerClock.last_at, literal(1)).where(
            LedgerClock.org_id == bindparam("org_id", type_=Uuid())
        ),
    ),
    is_listed=False,
)


@pytest.fixture
async def database(world: World) -> AsyncIterator[Database]:
    """The application's, of which afterwards no connection is held and none is confined."""
    found = world.database
    held = _held(found)
    yield found
    assert _held(found) == held
    async with found.directory() as session:
        confined = await session.execute(text("SELECT current_setting('app.org_id', true)"))
        assert not confined.scalar_one()
    org_id = (await world.organization()).org_id
    async with found.read(org_id) as session:
        assert (await session.execute(text("SELECT current_setting('app.org_id')"))).scalar_one() == str(org_id)


def _held(database: Database) -> int:
    count: int = database.engine.sync_engine.pool.checkedout()  # type: ignore[attr-defined]  # of a QueuePool
    return count


async def _end(postgres: dict[str, Any], pid: int) -> None:
    server = await asyncpg.connect(postgres["superuser"])
    await server.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await server.close()


@pytest.mark.parametrize("begin", [Database.read, Database.brief])
async def test_a_connection_that_is_lost_is_given_up(
    api: Api, database: Database, postgres: dict[str, Any], begin: Callable[..., Any]
) -> None:
    async def ask() -> None:
        async with begin(database, api.org_id) as session:
            [pid] = (await BACKEND.rows(session))[0]
            await _end(postgres, pid)
            await BACKEND.rows(session)

    with pytest.raises((DBAPIError, OSError)) as lost:
        await ask()
    assert isinstance(lost.value, OSError) or getattr(lost.value, "connection_invalidated", False)


@pytest.mark.parametrize("begin", [Database.read, Database.brief])
async def test_a_transaction_whose_end_is_not_certain_is_told(
    api: Api, database: Database, postgres: dict[str, Any], begin: Callable[..., Any]
) -> None:
    async def ask() -> None:
        async with begin(database, api.org_id) as session:
            [pid] = (await BACKEND.rows(session))[0]
            await _end(postgres, pid)

    with pytest.raises((DBAPIError, OSError)):
        await ask()


@pytest.mark.parametrize("word", ["BEGIN", "COMMIT", "ROLLBACK"])
@pytest.mark.parametrize("is_sent", [False, True])
async def test_a_request_may_be_cancelled_while_its_transaction_begins_or_ends(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch, word: str, *, is_sent: bool
) -> None:
    execute = asyncpg.Connection.execute

    async def cancelled(self: Any, query: str, *more: Any, **options: Any) -> Any:
        if query.startswith(word):
            if is_sent:
                await execute(self, query, *more, **options)
            raise asyncio.CancelledError
        return await execute(self, query, *more, **options)

    async def ask() -> None:
        async with database.read(api.org_id) as session:
            await BACKEND.rows(session)
            if word == "ROLLBACK":
                raise LookupError

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "execute", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await ask()


@pytest.mark.parametrize("by_driver", [False, True])
async def test_a_request_may_be_cancelled_while_a_statement_runs(
    api: Api, database: Database, *, by_driver: bool
) -> None:
    begun = asyncio.Event()

    async def ask(org_id: OrganizationId) -> None:
        async with database.read(org_id) as session:
            begun.set()
            if by_driver:
                await SLEEP.rows(session, seconds=60)
            await session.execute(text("SELECT pg_sleep(60)"))

    asking = asyncio.create_task(ask(api.org_id))
    await begun.wait()
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_the_drivers_errors_are_told_as_sqlalchemy_tells_them(api: Api, database: Database) -> None:
    async def run(ready: Ready, bounds: str, **parameters: Any) -> None:
        async with database.brief(api.org_id) as session:
            await session.execute(text(bounds))
            await ready.rows(session, **parameters)

    with pytest.raises(IntegrityError) as broken:
        await run(SECOND_CLOCK, "SELECT 1", org_id=api.org_id)
    assert isinstance(from_database(broken.value), Conflict)
    with pytest.raises(DBAPIError) as slow:
        await run(SLEEP, "SET LOCAL statement_timeout = 10", seconds=60)
    assert isinstance(from_database(slow.value), TooExpensive)
    async with database.write(api.org_id) as first:
        await CLOCK.rows(first, org_id=api.org_id)
        with pytest.raises(DBAPIError) as locked:
            await run(CLOCK, "SET LOCAL lock_timeout = 10", org_id=api.org_id)
    assert isinstance(from_database(locked.value), Conflict)


async def test_sqlalchemys_statements_and_ready_ones_share_a_snapshot(api: Api, database: Database) -> None:
    async with database.read(api.org_id) as session:
        [pid] = (await BACKEND.rows(session))[0]
        assert (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one() == pid
        before = (await session.execute(select(func.count()).where(ApiKey.org_id == api.org_id))).scalar_one()
        await api.key("admin", ["teams:read"])
        again = (await session.execute(select(func.count()).where(ApiKey.org_id == api.org_id))).scalar_one()
        assert before == again
