"""Errands: done outside of transactions, once at a time, and again when who did them is gone."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import errands, jobs
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.errands import Errand, Later
from app.core.jobs import Job, Work
from tests.support import Api, World

KIND = "test-errand"
SHORT = timedelta(seconds=0.6)


async def hand_over(api: Api, *payloads: dict[str, str]) -> None:
    async with api.world.database.write(api.org_id) as session:
        await jobs.enqueue(session, api.org_id, KIND, list(payloads))


async def left(api: Api) -> list[Job]:
    async with api.world.database.read(api.org_id) as session:
        found = await session.execute(select(Job).where(Job.org_id == api.org_id, Job.kind == KIND).order_by(Job.id))
    return list(found.scalars())


async def make_due(api: Api) -> None:
    async with api.world.database.write(api.org_id) as session:
        earlier = await database_now(session) - timedelta(seconds=1)
        await session.execute(update(Job).where(Job.org_id == api.org_id, Job.kind == KIND).values(run_at=earlier))


class Doing:
    """Takes down what was done; waits at a gate where there is one."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.gate = gate
        self.begun: list[str] = []
        self.done: list[str] = []
        self.at_once = 0

    async def __call__(self, database: Database, org_id: OrganizationId, work: Work) -> None:
        name = str(work.payload["name"])
        self.begun.append(name)
        self.at_once = max(self.at_once, len(self.begun) - len(self.done))
        if self.gate is not None:
            await self.gate.wait()
        self.done.append(name)


async def until_begun(doing: Doing, so_many: int = 1) -> None:
    while len(doing.begun) < so_many:  # noqa: ASYNC110 - what is watched has no event
        await asyncio.sleep(0.01)


async def test_errands_are_done_few_at_once_and_removed(api: Api) -> None:
    doing = Doing()
    await hand_over(api, *({"name": str(number)} for number in range(7)))
    await errands.drain(api.world.worker_database, {KIND: Errand(doing)})
    assert sorted(doing.done) == [str(number) for number in range(7)]
    assert doing.at_once <= errands.MOST_OF_ONE
    assert await left(api) == []


async def test_an_organization_that_has_much_to_do_leaves_room_for_others(world: World) -> None:
    gate = asyncio.Event()
    doing = Doing(gate)
    one, other = await world.organization(), await world.organization()
    await hand_over(one, *({"name": "one"} for _ in range(10)))
    await hand_over(other, {"name": "other"})
    draining = asyncio.create_task(errands.drain(world.worker_database, {KIND: Errand(doing)}))
    await until_begun(doing, 2)
    await asyncio.sleep(0.1)
    gate.set()
    await draining
    assert doing.done.count("one") == 10
    assert "other" in doing.begun[:4]


async def test_who_dies_in_the_middle_leaves_the_errand_to_another(api: Api) -> None:
    """As by kill -9: neither the end nor the failure is ever told, and the lease ends."""
    await hand_over(api, {"name": "it"})
    held = await errands._claim(api.world.worker_database, api.org_id, KIND, SHORT)
    assert held is not None
    doing = Doing()
    assert await errands.drain(api.world.worker_database, {KIND: Errand(doing)}) == 0
    await asyncio.sleep(SHORT.total_seconds())
    await errands.drain(api.world.worker_database, {KIND: Errand(doing)})
    assert doing.done == ["it"]
    assert await left(api) == []


async def test_a_long_errand_keeps_its_lease_by_its_heart(api: Api) -> None:
    gate = asyncio.Event()
    doing = Doing(gate)
    await hand_over(api, {"name": "long"})
    first = asyncio.create_task(errands.drain(api.world.worker_database, {KIND: Errand(doing)}, lease=SHORT))
    await asyncio.sleep(SHORT.total_seconds() * 2.5)
    assert await errands.drain(api.world.worker_database, {KIND: Errand(doing)}) == 0
    gate.set()
    await first
    assert doing.begun == doing.done == ["long"]
    assert await left(api) == []


async def test_whoever_lost_the_lease_is_stopped_and_ends_nothing(api: Api) -> None:
    doing = Doing(asyncio.Event())
    await hand_over(api, {"name": "it"})
    slow = asyncio.create_task(errands.drain(api.world.worker_database, {KIND: Errand(doing)}, lease=SHORT))
    await until_begun(doing)
    async with api.world.database.write(api.org_id) as session:  # another has it
        later = await database_now(session) + timedelta(hours=1)
        await session.execute(update(Job).where(Job.org_id == api.org_id, Job.kind == KIND).values(run_at=later))
    await slow
    assert doing.done == []
    (job,) = await left(api)
    assert job.run_at == later


async def test_what_runs_when_the_worker_is_stopped_is_given_back_at_once(api: Api) -> None:
    doing = Doing(asyncio.Event())
    await hand_over(api, {"name": "it"})
    stop = asyncio.Event()
    working = asyncio.create_task(errands.run(api.world.worker_database, {KIND: Errand(doing)}, stop))
    await until_begun(doing)
    stop.set()
    await working
    again = Doing()
    await errands.drain(api.world.worker_database, {KIND: Errand(again)})
    assert again.done == ["it"]


async def test_a_failure_is_noted_and_tried_again_later_and_blocks_nobody(api: Api) -> None:
    noted: list[str] = []

    async def fail_once(database: Database, org_id: OrganizationId, work: Work) -> None:
        if work.payload["name"] == "bad" and not noted:
            raise ValueError("a secret that must not be told")

    async def note(session: AsyncSession, org_id: OrganizationId, work: Work, error: str) -> None:
        noted.append(error)

    kinds = {KIND: Errand(fail_once, failed=note)}
    await hand_over(api, {"name": "bad"}, {"name": "good"})
    await errands.drain(api.world.worker_database, kinds)
    assert noted == ["ValueError"]
    (job,) = await left(api)
    assert (job.payload, job.attempts, job.last_error) == ({"name": "bad"}, 1, "ValueError")
    await make_due(api)
    await errands.drain(api.world.worker_database, kinds)
    assert await left(api) == []


async def test_one_that_is_asked_to_wait_goes_on_later_without_having_failed(api: Api) -> None:
    async def wait(database: Database, org_id: OrganizationId, work: Work) -> None:
        raise Later(timedelta(minutes=5))

    await hand_over(api, {"name": "it"})
    await errands.drain(api.world.worker_database, {KIND: Errand(wait)})
    (job,) = await left(api)
    assert (job.attempts, job.last_error) == (0, None)
    async with api.world.database.read(api.org_id) as session:
        assert timedelta(minutes=4) < job.run_at - await database_now(session) < timedelta(minutes=6)


@pytest.mark.parametrize("is_wanted_again", [True, False])
async def test_what_is_wanted_while_it_runs_is_never_lost(api: Api, is_wanted_again: bool) -> None:
    """Whoever wants an errand writes what it shall find and then asks; that is found, however the two meet."""
    owner, found, more = uuid4(), [], {"there is": 1}
    world = api.world

    async def ask(owner_id: UUID) -> None:
        async with world.database.write(api.org_id) as session:
            await errands.want(session, api.org_id, KIND, owner_id, {})

    async def look(database: Database, org_id: OrganizationId, work: Work) -> None:
        found.append(more.pop("there is", 0))
        if is_wanted_again and len(found) == 1:
            more["there is"] = 2
            await ask(owner)

    async def remains(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
        return await database_now(session) if more else None

    await ask(owner)
    await ask(owner)
    await ask(uuid4())
    assert len(await left(api)) == 2
    await errands.drain(world.worker_database, {KIND: Errand(look, remains=remains)})
    assert sum(found) == (3 if is_wanted_again else 1)
    assert await left(api) == []


async def test_decimals_of_a_payload_are_kept_exactly(api: Api) -> None:
    """Numbers of JSON are read as decimals, and stored as they were read."""

    async def count(database: Database, org_id: OrganizationId, work: Work) -> None:
        work.payload["wait"] *= 2

    async def keep(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
        mine = (Job.org_id == org_id, Job.id == work.id)
        await session.execute(update(Job).where(*mine).values(payload=work.payload))
        return await database_now(session) + timedelta(hours=1)

    owner = uuid4()
    async with api.world.database.write(api.org_id) as session:
        await errands.want(session, api.org_id, KIND, owner, {"wait": Decimal("0.1")})
    for _ in range(2):
        await errands.drain(api.world.worker_database, {KIND: Errand(count, remains=keep)})
        await make_due(api)
    (job,) = await left(api)
    assert (job.payload, job.attempts) == ({"wait": Decimal("0.4")}, 0)


@pytest.mark.parametrize("bad", [object(), float("nan")])
async def test_what_cannot_be_ended_has_failed_and_is_tried_again_later(api: Api, bad: object) -> None:
    async def nothing(database: Database, org_id: OrganizationId, work: Work) -> None:
        pass

    async def keep(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
        mine = (Job.org_id == org_id, Job.id == work.id)
        await session.execute(update(Job).where(*mine).values(payload={"wait": bad}))
        return None

    noted: list[str] = []

    async def note(session: AsyncSession, org_id: OrganizationId, work: Work, error: str) -> None:
        noted.append(error)

    await hand_over(api, {"name": "it"})
    await errands.drain(api.world.worker_database, {KIND: Errand(nothing, remains=keep, failed=note)})
    (job,) = await left(api)
    assert (job.payload, job.attempts, [job.last_error]) == ({"name": "it"}, 1, noted)
