"""Sums of parts: nothing counts twice, targets by working time in the team (S8, S33), over HTTP."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api


async def team(api: Api, name: str, parent: str | None = None) -> str:
    return str((await api.post("/teams", {"name": name} | ({"parent_id": parent} if parent else {}), expect=201))["id"])


async def joins(api: Api, team_id: str, member: str, **days: Any) -> None:
    await api.post(f"/teams/{team_id}/memberships", {"member_id": member, **days}, expect=201)


def rows(told: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in told["parts"]["rows"]]


async def test_members_count_for_their_time_in_the_team(api: Api) -> None:
    """S33: Bo is in North from 16 July (12 of 23 working days); what he did before is not North's."""
    await define(api, "calls_made")
    north = await team(api, "North")
    ana, bo = await member_with_identity(api, "Ana", "1"), await member_with_identity(api, "Bo", "2")
    await joins(api, north, ana)
    await joins(api, north, bo, valid_from="2026-07-16")
    for actor in ("1", "2"):
        await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4, actor=actor))
        await post_events(api, happened("call.made", "2026-07-20T08:00:00Z", 3, actor=actor))
    await api.set_clock("2026-07-21T10:00:00Z")
    goal = await goal_of(api, "40", owner={"type": "team", "id": north}, counts="parts")
    await goal_of(api, "23", name="Ana", owner={"type": "member", "id": ana}, parent_id=goal)
    await goal_of(api, "23", name="Bo", owner={"type": "member", "id": bo}, parent_id=goal)
    told = await progress(api, goal)
    assert (told["counts"], told["actual"], told["status"], told["sample"]) == ("parts", 10, "ok", 10)
    assert rows(told, "name", "actual", "target_counted", "share") == [
        ("Ana", 7, 23, 1), ("Bo", 3, 12, pytest.approx(12 / 23))
    ]  # fmt: skip
    assert (told["parts"]["target"], told["parts"]["covers"], told["attainment"]) == (35, 0.875, 0.25)
    assert {point["on"]: point["actual"] for point in told["curve"]["points"]}["2026-07-19"] == 4
    assert {point["on"]: point["actual"] for point in told["curve"]["points"]}["2026-07-21"] == 10


async def test_a_member_below_a_teams_part_is_not_counted_again(api: Api) -> None:
    """Bo is in Coast, below North, until 6 July, then in North itself."""
    await define(api, "calls_made")
    north = await team(api, "North")
    coast = await team(api, "Coast", north)
    bo = await member_with_identity(api, "Bo", "2")
    await joins(api, coast, bo, valid_to="2026-07-06")
    await joins(api, north, bo, valid_from="2026-07-06")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4, actor="2"))
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 3, actor="2"))
    goal = await goal_of(api, "40", owner={"type": "team", "id": north}, counts="parts")
    part = await goal_of(api, "10", name="Coast", owner={"type": "team", "id": coast}, parent_id=goal)
    await goal_of(api, "23", name="Bo", owner={"type": "member", "id": bo}, parent_id=goal)
    told = await progress(api, goal)
    assert rows(told, "name", "actual", "target_counted", "counted_in") == [
        ("Coast", 4, 10, []), ("Bo", 3, 20, [part])
    ]  # fmt: skip
    assert (told["actual"], told["parts"]["target"]) == (7, 30)


async def test_somebody_in_two_teams_counts_once(api: Api) -> None:
    await define(api, "calls_made")
    north = await team(api, "North")
    coast, hills = await team(api, "Coast", north), await team(api, "Hills", north)
    bo = await member_with_identity(api, "Bo", "2")
    await joins(api, coast, bo)
    await joins(api, hills, bo)
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4, actor="2"))
    goal = await goal_of(api, "40", owner={"type": "team", "id": north}, counts="parts")
    for each in (coast, hills):
        await goal_of(api, "10", owner={"type": "team", "id": each}, parent_id=goal)
    told = await progress(api, goal)
    assert (told["actual"], rows(told, "actual", "share")) == (4, [(4, 1), (0, 0)])


async def test_months_are_parts_of_a_quarter(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-06-30T21:59:00Z", 9))
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4))
    goal = await goal_of(api, "90", period="2026-Q3", counts="parts")
    await goal_of(api, "30", period="2026-07", parent_id=goal)
    await goal_of(api, "30", period="2026-08", parent_id=goal)
    told = await progress(api, goal)
    assert (told["actual"], rows(told, "actual", "target_counted")) == (4, [(4, 30), (0, 30)])
    assert told["parts"]["covers"] == pytest.approx(60 / 90)


async def test_a_sum_of_no_parts_is_nothing(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4))
    told = await progress(api, await goal_of(api, counts="parts"))
    assert (told["actual"], told["status"], told["parts"]["rows"], told["attainment"]) == (0, "ok", [], 0)
