"""Many senders and several workers at once, and workers that die: the same records and events as in order."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, OrganizationId, make_engine
from app.core.jobs import Handler, Job, Work
from app.core.settings import Settings
from app.integrations.jobs import HANDLERS
from app.integrations.translation import TRANSLATE
from app.worker import drain, run_due
from tests.integrations.crm import T, random_message, won
from tests.integrations.posting import Connection, content, hubspot
from tests.support import Api


@pytest.fixture
async def workers(settings: Settings) -> AsyncIterator[list[Database]]:
    """Two workers with connections of their own."""
    assert settings.worker_database_url is not None
    engines = [
        make_engine(settings.worker_database_url, pool_size=2, statement_timeout_ms=60_000, lock_timeout_ms=30_000)
        for _ in range(2)
    ]
    yield [Database(engine) for engine in engines]
    for engine in engines:
        await engine.dispose()


async def records(connection: Connection) -> dict[Any, Any]:
    """The records with their histories and links, without what depends on when they were told."""
    listed = (await connection.api.get("/records", limit=200))["items"]
    return {
        (each["object"], each["external_id"]): _plain(await connection.api.get(f"/records/{each['id']}"))
        for each in listed
    }


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    ours = {"id", "source_id", "updated_at"}
    fields = {name: [(value["at"], value["value"]) for value in history] for name, history in record["fields"].items()}
    return {name: value for name, value in record.items() if name not in ours} | {"fields": fields}


async def jobs_left(api: Api) -> int:
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(select(func.count()).where(Job.org_id == api.org_id, Job.kind == TRANSLATE))
    return found.scalar_one()


@pytest.mark.parametrize("seed", [7, 8])
async def test_concurrent_posts_and_two_workers_end_as_one_ordered_run(
    api: Api, workers: list[Database], seed: int
) -> None:
    chance = random.Random(seed)
    bodies = [json.dumps([random_message(chance, T, 20)]).encode() for _ in range(70)]
    bodies += [won(deal).body() for deal in range(10, 40)]
    ordered = await hubspot(await api.world.organization())
    await ordered.tell(*bodies)
    connection = await hubspot(api)
    posts = bodies * 3
    chance.shuffle(posts)
    posted = asyncio.Event()

    async def work(database: Database) -> None:
        while not posted.is_set():
            await drain(database, HANDLERS)
            await asyncio.sleep(0.01)
        await drain(database, HANDLERS)

    async def send() -> None:
        answers = await asyncio.gather(*(connection.post(body) for body in posts))
        assert {answer.status_code for answer in answers} == {200}
        posted.set()

    await asyncio.gather(send(), *(work(database) for database in workers))
    await connection.translate()
    assert await jobs_left(api) == 0
    assert len(await connection.deliveries(limit=200, verdict="failed")) == 0
    assert await content(connection) == await content(ordered)
    assert await records(connection) == await records(ordered)


async def test_a_worker_killed_between_claim_and_commit_leaves_the_job(api: Api, workers: list[Database]) -> None:
    connection = await hubspot(api)
    await connection.post(won(1).body())
    org_id = OrganizationId(api.org_id)
    claimed = asyncio.Event()

    async def tell_and_translate(session: AsyncSession, org_id: OrganizationId, works: Sequence[Work]) -> None:
        claimed.set()
        await HANDLERS[TRANSLATE].run(session, org_id, works)

    async with api.world.database.write(org_id) as session:
        await clock.tick(session, org_id)  # the worker claims its job, and waits for the ledger
        worker = asyncio.create_task(run_due(workers[0], {TRANSLATE: Handler(run=tell_and_translate)}))
        await claimed.wait()
        await asyncio.sleep(0.05)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
    assert await jobs_left(api) == 1
    assert (await connection.last())["verdict"] == "received"
    assert await connection.events() == []
    await drain(workers[1], HANDLERS)
    assert len(await connection.events()) == 3
    assert await jobs_left(api) == 0
