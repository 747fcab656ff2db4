"""Forecasts of sums of parts: by what those bring that still count, over HTTP."""

from datetime import date, timedelta
from typing import Any

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_parts import joins, team
from tests.goals.test_progress import goal_of, progress
from tests.support import Api


async def work(api: Api, actor: str, calls: int, start: str = "2026-05-04", end: str = "2026-07-13") -> None:
    """So many calls on each working day, one more on every third."""
    day, events = date.fromisoformat(start), list[dict[str, Any]]()
    while day < date.fromisoformat(end):
        if day.weekday() < 5:
            events += happened("call.made", f"{day}T08:00:00Z", calls + (day.day % 3 == 0), actor=actor)
        day += timedelta(days=1)
    for first in range(0, len(events), 500):
        await post_events(api, events[first : first + 500])


async def north(api: Api) -> tuple[str, str, str]:
    """The team with Ana, 2 calls a day, and Bo, 3."""
    await define(api, "calls_made")
    team_id = await team(api, "North")
    members = []
    for name, actor, calls in (("Ana", "1", 2), ("Bo", "2", 3)):
        members.append(await member_with_identity(api, name, actor))
        await joins(api, team_id, members[-1])
        await work(api, actor, calls)
    return team_id, members[0], members[1]


async def forecast(api: Api, goal: str) -> Any:
    told = await progress(api, goal)
    assert told["forecast"]["actual"] == told["actual"]
    return told["forecast"]


async def test_parts_of_everybody_end_where_the_owner_ends(api: Api) -> None:
    team_id, ana, bo = await north(api)
    owner = {"type": "team", "id": team_id}
    own = await goal_of(api, "120", owner=owner)
    goal = await goal_of(api, "120", owner=owner, counts="parts")
    for member in (ana, bo):
        await goal_of(api, "60", owner={"type": "member", "id": member}, parent_id=goal)
    found = await forecast(api, goal)
    assert (found["status"], found) == ("ok", await forecast(api, own))
    assert found["actual"] < found["p10"] <= found["p50"] <= found["p90"]


async def test_what_others_did_stays_and_what_those_do_who_count_is_added(api: Api) -> None:
    """Bo is no part: only Ana's calls come, some two on each of 15 days; they have as many in July so far."""
    team_id, ana, _ = await north(api)
    goal = await goal_of(api, "60", owner={"type": "team", "id": team_id}, counts="parts")
    await goal_of(api, "60", owner={"type": "member", "id": ana}, parent_id=goal)
    found = await forecast(api, goal)
    alone = await forecast(api, await goal_of(api, "60", owner={"type": "member", "id": ana}))
    assert found == alone
    assert 45 <= found["p50"] <= 60


async def test_parts_of_several_owners_are_added_up(api: Api) -> None:
    """North and somebody outside of it, of the organization."""
    team_id, ana, bo = await north(api)
    cy = await member_with_identity(api, "Cy", "3")
    await work(api, "3", 5)
    goal = await goal_of(api, "300", counts="parts")
    for owner in ({"type": "team", "id": team_id}, {"type": "member", "id": cy}):
        await goal_of(api, "150", owner=owner, parent_id=goal)
    everything = await forecast(api, await goal_of(api, "300"))
    assert await forecast(api, goal) == everything
    assert ana != bo


async def test_months_of_a_quarter_are_the_owners_own_days(api: Api) -> None:
    await define(api, "calls_made")
    await work(api, "1", 4)
    goal = await goal_of(api, "300", period="2026-Q3", counts="parts")
    for month in ("07", "08"):
        await goal_of(api, "100", period=f"2026-{month}", parent_id=goal)
    found = await forecast(api, goal)
    assert (found["status"], found["reason"]["code"], found["p50"]) == ("unknown", "parts_change", None)
    await goal_of(api, "100", period="2026-09", parent_id=goal)
    assert await forecast(api, goal) == await forecast(api, await goal_of(api, "300", period="2026-Q3"))


async def test_parts_that_nobody_brings_anything_to_end_where_they_are(api: Api) -> None:
    await define(api, "calls_made")
    await work(api, "1", 4)
    goal = await goal_of(api, "300", counts="parts")
    await goal_of(api, "100", period="2026-07-01..2026-07-10", parent_id=goal)
    found = await forecast(api, goal)
    assert (found["p10"], found["p90"], found["is_certain"]) == (found["actual"], found["actual"], False)
    await api.set_clock("2026-08-01T10:00:00Z")
    over = await forecast(api, goal)
    assert (over["p50"], over["is_certain"]) == (found["actual"], True)
