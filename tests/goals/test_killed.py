"""The worker as a process, ended by kill -9 while it looks after goals: everything is done, exactly once."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from app.core import errands
from app.core.roles import DatabaseUrls
from app.goals.tending import TEND_GOALS
from tests.goals.facts import define
from tests.goals.tended import tend
from tests.integrations.test_killed import Process, all_of, until
from tests.support import Api

JULY, QUARTER = 25, 10
GOAL: dict[str, Any] = {"owner": {"type": "organization"}, "kpi": "calls_made", "target": {"value": "100"}}
WEEKS = [f"2026-W{week}" for week in range(29, 39)]


async def test_each_goal_is_opened_closed_and_told_of_once_when_workers_are_killed(
    api: Api, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    """July's goals and the first week's are to be closed, those of the quarter are at risk, nine weeks were missed.

    Goals of weeks that are opened too late have their grace from then on.
    """
    await define(api, "calls_made")
    for n in range(JULY + QUARTER):
        period = "2026-07" if n < JULY else "2026-Q3"
        await api.post("/goals", GOAL | {"name": f"G{n}", "period": period}, expect=201)
    for n in range(2):
        await api.post("/goal-series", {"every": "week", "goal": GOAL | {"name": f"S{n} {{period}}"}}, expect=201)
    await api.set_clock("2026-09-15T10:00:00Z")
    worker = Process("worker", told=tmp_path / "worker", WORKER_DATABASE_URL=database_urls.worker)
    try:
        for began in (_has(api, "goal.created", JULY + QUARTER + 6), _has(api, "goal.closed", 8)):
            await until(began)
            worker.kill_and_start_again()
            await _lease_over(api)
    finally:
        worker.kill()
    await tend(api)
    goals = await all_of(api, "/goals")
    by_name = {each["id"]: each["name"] for each in goals}
    assert Counter(each["period"] for each in goals if each["series_id"]) == dict.fromkeys(WEEKS, 2)
    told = await all_of(api, "/goal-notifications")
    assert all(number == 1 for number in Counter((each["goal_id"], each["topic"]) for each in told).values())
    assert {by_name[each["goal_id"]] for each in told if each["topic"] == "goal.at_risk"} >= {
        f"G{n}" for n in range(JULY, JULY + QUARTER)
    }
    closed = {each["id"] for each in goals if each["state"] == "closed"}
    assert closed == {each["id"] for each in goals if each["period"] in {"2026-07", "2026-W29"}}
    for topic in ("goal.closed", "goal.missed"):
        assert {each["goal_id"] for each in told if each["topic"] == topic} == closed


def _has(api: Api, topic: str, least: int) -> Callable[[], Awaitable[bool]]:
    """Whether so much was told: with a topic, or (without) of risk."""

    async def holds() -> bool:
        found = await api.get("/goal-notifications", topic=topic or "goal.at_risk", limit=200)
        return len(found["items"]) >= least

    return holds


async def _lease_over(api: Api) -> None:
    """A dead worker's lease ends by itself; nobody waits for that here."""
    async with api.world.worker_database.write(api.org_id) as session:
        await errands.hasten(session, api.org_id, TEND_GOALS, api.org_id)
