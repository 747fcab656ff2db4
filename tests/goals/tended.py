"""The worker that looks after goals, run by hand."""

from typing import Any

from app.core import errands
from app.goals.jobs import ERRANDS, HANDLERS
from app.goals.tending import TEND_GOALS
from app.worker import drain
from tests.support import Api


async def tend(api: Api, *, now: str | None = None) -> None:
    """Let the worker look, at once; with `now` after the clock was set."""
    if now is not None:
        await api.set_clock(now)
    database = api.world.worker_database
    await drain(database, HANDLERS)
    async with database.write(api.org_id) as session:
        await errands.hasten(session, api.org_id, TEND_GOALS, api.org_id)
    await errands.drain(database, ERRANDS)


async def told(api: Api, goal: str | None = None, *, all_topics: bool = False) -> list[str]:
    """The topics of what was told, oldest first."""
    found = await notifications(api, goal)
    quiet = {"goal.created", "goal.opened", "goal.changed", "goal.cancelled", "goal.closed"}
    return [each["topic"] for each in found if all_topics or each["topic"] not in quiet]


async def notifications(api: Api, goal: str | None = None) -> list[dict[str, Any]]:
    """What was told, oldest first."""
    params: dict[str, Any] = {} if goal is None else {"goal_id": goal}
    found: list[dict[str, Any]] = (await api.get("/goal-notifications", limit=200, **params))["items"]
    return found[::-1]
