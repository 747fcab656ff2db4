"""On which day a key was last used: told by the keys' list, and written beside the requests."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from app.accounts.keyuse import PATIENCE_SECONDS, KeyUse
from app.accounts.models import ApiKey
from app.core import clock
from app.core.db import Database, make_engine
from app.core.ids import new_id
from tests.migrations.sql_rules import findings
from tests.support import Api, World


@contextmanager
def written_aside(world: World) -> Iterator[list[str]]:
    """The statements that change keys, held to the rules of Citus, beside the requests of this block."""
    told: list[str] = []
    engine = world.database.aside.engine.sync_engine

    def tell(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "api_key" in statement:
            assert not findings(statement), f"{findings(statement)}: {statement}"
            told.append(statement)

    event.listen(engine, "before_cursor_execute", tell)
    yield told
    event.remove(engine, "before_cursor_execute", tell)


async def last_used(api: Api, key_id: str) -> str | None:
    keys = (await api.get("/api-keys"))["items"]
    day: str | None = next(key["last_used_on"] for key in keys if key["id"] == key_id)
    return day


async def made(api: Api, **more: Any) -> tuple[str, Api]:
    """A new key's id, and its caller."""
    body = {"name": "Reports", "role": "service", "scopes": ["kpis:read"], **more}
    key = await api.post("/api-keys", body, expect=201)
    assert key["last_used_on"] is None
    return key["id"], api.world.caller(api.org_id, key["token"])


async def test_a_key_tells_on_which_day_it_was_last_used(api: Api) -> None:
    key_id, caller = await made(api)
    assert await last_used(api, key_id) is None
    await caller.get("/kpis")
    assert await last_used(api, key_id) == "2026-07-13"
    await api.set_clock("2026-07-14T23:59:59-02:00")  # the 15th in UTC
    assert await last_used(api, key_id) == "2026-07-13"
    await caller.get("/me")
    assert await last_used(api, key_id) == "2026-07-15"


async def test_the_day_is_the_real_one_where_no_clock_is_set(world: World) -> None:
    api = await world.organization(now=None)
    key_id, caller = await made(api)
    before = datetime.now(UTC).date()
    await caller.get("/kpis")
    told = await last_used(api, key_id)
    assert told in {before.isoformat(), datetime.now(UTC).date().isoformat()}


async def test_a_day_is_written_once_however_many_requests_come(api: Api, world: World) -> None:
    _, caller = await made(api)
    with written_aside(world) as told:
        await asyncio.gather(*[caller.get("/kpis") for _ in range(5)])
        for _ in range(3):
            await caller.get("/me")
        assert len(told) == 1
        await api.set_clock("2026-07-14T10:00:00Z")
        await caller.get("/kpis")
        await caller.get("/kpis")
        # the caller's and nothing else: whoever set the clock was there the day before
        assert [statement.split()[:2] for statement in told] == [["UPDATE", "api_key"]] * 2


async def test_another_process_does_not_write_what_is_known_already(api: Api, world: World) -> None:
    key_id, caller = await made(api)
    await caller.get("/kpis")
    today = date(2026, 7, 13)
    other = KeyUse(world.database.aside)
    with written_aside(world) as told:
        await other.note(api.org_id, UUID(key_id), today, today)
        assert told == []
        await other.note(api.org_id, UUID(key_id), None, today)
        assert len(told) == 1


@pytest.mark.parametrize("bad", ["secret", "revoked", "scope"])
async def test_only_a_valid_key_is_used(api: Api, bad: str) -> None:
    key_id, caller = await made(api)
    if bad == "secret":
        wrong = caller.token[:-1] + ("A" if caller.token[-1] != "A" else "B")
        await api.world.caller(api.org_id, wrong).get("/me", expect=401)
    elif bad == "revoked":
        await api.delete(f"/api-keys/{key_id}")
        await caller.get("/me", expect=401)
    else:
        await caller.get("/goals", expect=403)  # somebody did come with it
    assert await last_used(api, key_id) == ("2026-07-13" if bad == "scope" else None)


async def test_a_locked_key_does_not_hold_its_requests_up(api: Api, world: World) -> None:
    key_id, caller = await made(api)
    async with world.database.write(api.org_id) as session:
        mine = select(ApiKey).where(ApiKey.org_id == api.org_id, ApiKey.id == key_id).with_for_update()
        await session.execute(mine)
        started = time.monotonic()
        await caller.get("/kpis")
        await caller.get("/kpis")
        assert time.monotonic() - started < PATIENCE_SECONDS + 1.0
        assert await last_used(api, key_id) is None
    await world.app.state.key_use.finish()
    assert await last_used(api, key_id) == "2026-07-13"


async def test_noting_waits_for_no_writer_of_the_organization(api: Api, world: World) -> None:
    key_id, caller = await made(api)
    async with world.database.write(api.org_id) as session:
        await clock.tick(session, api.org_id)  # holds the organization's clock
        await caller.get("/kpis")
        assert await last_used(api, key_id) == "2026-07-13"


async def test_a_key_that_revokes_itself_is_done_with(api: Api) -> None:
    key_id, caller = await made(api, role="admin", scopes=["api-keys:write"])
    await caller.delete(f"/api-keys/{key_id}")
    await caller.get("/me", expect=401)
    assert await last_used(api, key_id) == "2026-07-13"


async def test_a_database_that_cannot_be_reached_fails_no_request(api: Api) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    engine = make_engine(nowhere, pool_size=1, statement_timeout_ms=1000, lock_timeout_ms=1000)
    use = KeyUse(Database(engine))
    await use.note(api.org_id, new_id(), None, date(2026, 7, 13))
    await use.finish()
    await engine.dispose()


async def test_other_organizations_keys_are_not_touched(api: Api, world: World) -> None:
    stranger = await world.organization()
    key_id, _ = await made(stranger)
    await world.app.state.key_use.note(api.org_id, UUID(key_id), None, date(2026, 7, 13))
    assert await last_used(stranger, key_id) is None
