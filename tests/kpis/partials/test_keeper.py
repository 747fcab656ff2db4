"""The keeper looks after organizations by itself: what their KPIs measure is built, and what nobody wants goes."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.core import clock
from app.core.clock import database_now
from app.core.jobs import Job
from app.events.waking import KEEPING_ID
from app.integrations.jobs import HANDLERS
from app.kpis.partials import keeper as keeping_up
from app.kpis.partials.keeper import Keeper
from app.kpis.partials.progress import Progress, progress
from app.worker import drain
from tests.kpis.asking import event
from tests.support import Api

CALLS = {
    "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading", "direction": "increase",
    "unit": {"kind": "count"}, "measures": {"made": {"aggregate": "count", "events": ["call.made"]}}, "formula": "made",
}  # fmt: skip


async def known(api: Api) -> Progress:
    async with api.world.worker_database.read(api.org_id) as session:
        return await progress(session, api.org_id, await clock.now(session, api.org_id))


async def test_what_kpis_measure_is_built_and_what_nobody_wants_goes(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/events", event("c1", "call.made", "07-02 09:00"))
    assert (await known(api)).waiting == 1
    keeper = Keeper(api.world.worker_database)
    await keeper.drain(api.org_id)
    assert await known(api) == Progress(built=1, measures=1, waiting=0, oldest_age=None)
    await api.delete("/kpis/calls")
    for _ in range(3):
        await keeper.drain(api.org_id)
    assert await known(api) == Progress(built=0, measures=0, waiting=0, oldest_age=None)


async def rest(api: Api) -> None:
    """Let the organization's job say that nothing is to be done."""
    async with api.world.worker_database.write(api.org_id) as session:
        later = await database_now(session) + timedelta(minutes=9)
        await session.execute(update(Job).where(Job.org_id == api.org_id, Job.id == KEEPING_ID).values(run_at=later))


async def is_due(api: Api) -> bool:
    async with api.world.worker_database.read(api.org_id) as session:
        run_at = await session.execute(select(Job.run_at).where(Job.org_id == api.org_id, Job.id == KEEPING_ID))
        return run_at.scalar_one() <= await database_now(session)


async def test_what_was_committed_after_a_look_is_found_soon(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_up, "LOOK", 0)
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/events", event("c1", "call.made", "07-02 09:00"))
    keeper = Keeper(api.world.worker_database)
    await keeper.drain(api.org_id)
    await api.post("/events", event("c2", "call.made", "07-02 09:00"))
    await rest(api)
    assert (await known(api)).waiting == 1
    assert await keeper._overlooked([]) == [api.org_id]
    await keeper.look_after(api.org_id)
    assert (await known(api)).waiting == 0


async def test_what_figures_depend_on_wakes_their_keeper(api: Api) -> None:
    [source] = [each for each in (await api.get("/sources"))["items"] if each["key"] == "api"]
    await rest(api)
    await api.patch(f"/sources/{source['id']}", {"counts": ["call.made"]})
    assert await is_due(api)
    await rest(api)
    await api.patch("/organization", {"time_zone": "America/New_York"})
    await drain(api.world.worker_database, HANDLERS)
    assert await is_due(api)
