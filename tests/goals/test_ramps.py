"""Ramps of new members' targets over HTTP (S33, P11)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.goals.facts import define
from tests.support import Api, World

RAMP = {"name": "Four months", "shares": ["0", "0.25", 0.5, "0.750"]}
GOAL = {"name": "July", "kpi": "calls_made", "period": "2026-07", "target": {"value": "100"}}


async def test_a_ramp_is_made_read_renamed_and_archived(api: Api) -> None:
    ramp = await api.post("/goal-ramps", RAMP, expect=201)
    assert (ramp["shares"], ramp["version"], ramp["archived_at"]) == (["0", "0.25", "0.5", "0.75"], 1, None)
    path = f"/goal-ramps/{ramp['id']}"
    assert await api.get(path) == ramp
    other = await api.post("/goal-ramps", {"name": "At once", "shares": ["1"]}, expect=201)
    assert (await api.get("/goal-ramps"))["items"] == [other, ramp]
    paged = await api.get("/goal-ramps", limit=1)
    assert (await api.get("/goal-ramps", limit=1, cursor=paged["next_cursor"]))["items"] == [ramp]
    renamed = await api.patch(path, {"name": "A slow start"}, headers={"If-Match": '"1"'})
    assert (renamed["name"], renamed["version"]) == ("A slow start", 2)
    await api.patch(path, {"name": "Mine"}, expect=412, headers={"If-Match": '"1"'})
    await api.delete(path, expect=412, headers={"If-Match": '"1"'})
    await api.delete(path)
    assert (await api.get("/goal-ramps"))["items"] == [other]
    assert [item["id"] for item in (await api.get("/goal-ramps", is_archived=True))["items"]] == [ramp["id"]]
    assert (await api.get(path))["archived_at"] is not None
    assert (await api.patch(path, {"is_archived": False}))["archived_at"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"shares": []}, "/shares"),
        ({"shares": ["0.5"] * 37}, "/shares"),
        ({"shares": ["1.01"]}, "/shares/0"),
        ({"shares": ["0.5", "-0.1"]}, "/shares/1"),
        ({"shares": ["NaN"]}, "/shares/0"),
        ({"shares": ["1e400"]}, "/shares/0"),
        ({"shares": [True]}, "/shares/0"),
        ({"shares": "0.5"}, "/shares"),
        ({"name": " "}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_shares_are_parts_of_the_whole_for_at_most_three_years(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.post("/goal-ramps", RAMP | change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_shares_never_change(api: Api) -> None:
    ramp = await api.post("/goal-ramps", RAMP, expect=201)
    await api.patch(f"/goal-ramps/{ramp['id']}", {"shares": ["1"]}, expect=422)


async def test_goals_of_members_and_teams_on_what_adds_up_have_ramps(api: Api) -> None:
    await define(api, "calls_made", "win_rate")
    ramp = (await api.post("/goal-ramps", RAMP, expect=201))["id"]
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    mine = GOAL | {"owner": {"type": "member", "id": ana}}
    for body in (mine, GOAL | {"owner": {"type": "team", "id": north}}):
        assert (await api.post("/goals", body | {"ramp_id": ramp}, expect=201))["ramp_id"] == ramp
    refused = {
        "ramp_owner": GOAL | {"owner": {"type": "organization"}, "ramp_id": ramp},
        "ramp_not_additive": mine | {"kpi": "win_rate", "ramp_id": ramp},
        "ramp_unknown": mine | {"ramp_id": str(uuid4())},
    }
    for code, body in refused.items():
        problem = await api.post("/goals", body, expect=422)
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("/ramp_id", code)]


async def test_an_archived_ramp_stays_where_it_is_and_is_given_to_no_more_goals(api: Api) -> None:
    await define(api, "calls_made")
    ramp = (await api.post("/goal-ramps", RAMP, expect=201))["id"]
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    mine = GOAL | {"owner": {"type": "member", "id": ana}, "ramp_id": ramp}
    goal = (await api.post("/goals", mine, expect=201))["id"]
    await api.delete(f"/goal-ramps/{ramp}")
    assert (await api.post("/goals", mine, expect=422))["errors"][0]["code"] == "ramp_archived"
    kept = await api.patch(f"/goals/{goal}", {"weight": "2", "ramp_id": ramp})
    assert kept["ramp_id"] == ramp
    assert (await api.patch(f"/goals/{goal}", {"ramp_id": None}))["ramp_id"] is None
    await api.patch(f"/goals/{goal}", {"ramp_id": ramp}, expect=422)


async def test_ramps_are_made_by_who_sets_the_organizations_goals(api: Api, world: World) -> None:
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    ramp = (await api.post("/goal-ramps", RAMP, expect=201))["id"]
    mine = await api.key("member", ["goals:read", "goals:write"], ana)
    assert (await mine.get(f"/goal-ramps/{ramp}"))["id"] == ramp
    assert (await mine.post("/goal-ramps", RAMP, expect=403))["type"] == "/problems/goal-not-yours"
    await mine.patch(f"/goal-ramps/{ramp}", {"name": "Mine"}, expect=403)
    await mine.delete(f"/goal-ramps/{ramp}", expect=403)
    manager = await api.key("manager", ["goals:read", "goals:write"])
    await manager.patch(f"/goal-ramps/{ramp}", {"name": "Ours"})
    stranger = await world.organization()
    await stranger.get(f"/goal-ramps/{ramp}", expect=404)
    await stranger.patch(f"/goal-ramps/{ramp}", {"name": "Mine"}, expect=404)
    await stranger.delete(f"/goal-ramps/{ramp}", expect=404)
