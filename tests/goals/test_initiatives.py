"""Strategies and tactics that serve goals (G9), over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.goals.initiative_states import Action, State, action_to, next_state, possible_actions
from tests.goals.facts import define
from tests.goals.people import House, furnish
from tests.goals.test_proposals import topics
from tests.support import Api, World

STRATEGY = {"name": "Win back the north", "kind": "strategy", "owner": {"type": "organization"}}
TACTIC = {"name": "Call lists", "kind": "tactic", "owner": {"type": "organization"}}


@pytest.fixture
async def house(api: Api) -> House:
    return await furnish(api)


@pytest.mark.parametrize(
    ("state", "possible"),
    [
        ("proposed", ["edit", "accept", "decline", "drop"]),
        ("planned", ["edit", "start", "drop"]),
        ("active", ["edit", "finish", "drop"]),
        ("done", []),
        ("dropped", []),
    ],
)
def test_an_initiative_goes_from_proposed_to_done(state: State, possible: list[Action]) -> None:
    assert possible_actions(state) == possible
    assert all(next_state(state, action) is not None for action in possible)


def test_only_moves_without_a_decision_are_changes_of_state() -> None:
    states: tuple[State, ...] = ("proposed", "planned", "active", "done", "dropped")
    assert [action_to(state) for state in states] == [None, None, "start", "finish", "drop"]


async def test_an_initiative_is_planned_read_listed_and_changed(house: House) -> None:
    goals = sorted([(await house.admin.post("/goals", house.goal(), expect=201))["id"] for _ in range(2)])
    body = TACTIC | {"start_on": "2026-07-01", "end_on": "2026-07-31", "goal_ids": goals, "description": "By region."}
    made = await house.manager.call("POST", "/initiatives", body, expect=201)
    assert made.headers["ETag"] == '"1"'
    tactic = made.json()
    assert (tactic["state"], tactic["goal_ids"], tactic["version"]) == ("planned", goals, 1)
    assert (tactic["proposer_id"], tactic["decided_by"], tactic["parent_id"]) == (None, None, None)
    assert tactic["available_actions"] == ["edit", "start", "drop"]
    path = f"/initiatives/{tactic['id']}"
    assert await house.manager.get(path) == tactic
    assert (await house.manager.get("/initiatives"))["items"] == [tactic]
    changed = await house.manager.patch(path, {"goal_ids": goals[:1], "end_on": None, "state": "active"})
    assert (changed["goal_ids"], changed["end_on"], changed["state"], changed["version"]) == (
        goals[:1],
        None,
        "active",
        2,
    )
    done = await house.manager.patch(path, {"state": "done"})
    assert (done["state"], done["available_actions"]) == ("done", [])
    await house.manager.patch(path, {"name": "Other"}, expect=409)


async def test_anybody_proposes_and_who_may_set_accepts(house: House, world: World) -> None:
    made = await house.keys["Eve"].post("/initiatives", STRATEGY | {"owner": house.owner("North")}, expect=201)
    path = f"/initiatives/{made['id']}"
    assert (made["state"], made["proposer_id"]) == ("proposed", house.ids["Eve"])
    assert made["available_actions"] == ["edit", "drop"]
    for who in ("Eve", "Ana"):
        refused = await house.keys[who].post(f"{path}/accept", expect=403)
        assert refused["type"] == "/problems/initiative-not-yours"
    accepted = await house.keys["Lea"].post(f"{path}/accept", {"reason": "Good."})
    assert (accepted["state"], accepted["decision_reason"], accepted["version"]) == ("planned", "Good.", 2)
    assert accepted["decided_by"].startswith("key:")
    assert await topics(world, house.admin, "initiative.") == ["initiative.created", "initiative.accepted"]
    assert (await house.keys["Eve"].get(path))["available_actions"] == []
    await house.keys["Eve"].patch(path, {"name": "Mine"}, expect=403)


async def test_a_declined_proposal_is_dropped_with_the_reason(house: House) -> None:
    made = await house.keys["Ana"].post("/initiatives", TACTIC, expect=201)
    path = f"/initiatives/{made['id']}"
    for body in (None, {}, {"reason": " "}):
        await house.manager.post(f"{path}/decline", body, expect=422)
    declined = await house.manager.post(f"{path}/decline", {"reason": "Tried in May."})
    assert (declined["state"], declined["decision_reason"]) == ("dropped", "Tried in May.")
    for action in ("accept", "decline"):
        refused = await house.manager.post(f"{path}/{action}", {"reason": "Again."}, expect=409)
        assert refused["type"] == "/problems/initiative-action-not-possible"


async def test_a_proposal_is_its_authors_to_change_and_drop(house: House) -> None:
    ana = house.keys["Ana"]
    made = await ana.post("/initiatives", TACTIC, expect=201)
    path = f"/initiatives/{made['id']}"
    await house.keys["Bo"].patch(path, {"name": "Mine"}, expect=403)
    assert (await house.keys["Bo"].patch(path, {}))["version"] == 1
    changed = await ana.patch(path, {"name": "Better", "owner": house.owner("North")})
    assert (changed["name"], changed["owner"]) == ("Better", house.owner("North"))
    await ana.patch(path, {"state": "active"}, expect=409)
    await ana.delete(path)
    assert (await ana.get(path))["state"] == "dropped"
    await ana.delete(path, expect=409)


async def test_nobody_plans_for_others_without_the_right(house: House) -> None:
    for state in ("planned", "active"):
        refused = await house.keys["Ana"].post("/initiatives", TACTIC | {"state": state}, expect=403)
        assert refused["errors"][0]["pointer"] == "/state"
        assert "proposed" in refused["detail"]
    body = TACTIC | {"owner": house.owner("Ana")}
    assert (await house.keys["Lea"].post("/initiatives", body | {"state": "active"}, expect=201))["state"] == "active"
    assert (await house.keys["Lea"].post("/initiatives", body | {"state": "proposed"}))["state"] == "proposed"


async def test_the_owner_starts_and_finishes_what_was_planned(house: House) -> None:
    made = await house.manager.post("/initiatives", TACTIC | {"owner": house.owner("Ana")}, expect=201)
    path, ana = f"/initiatives/{made['id']}", house.keys["Ana"]
    assert (await ana.get(path))["available_actions"] == ["start"]
    await house.keys["Bo"].patch(path, {"state": "active"}, expect=403)
    await ana.patch(path, {"state": "active", "name": "Mine"}, expect=403)
    assert (await ana.patch(path, {"state": "active"}))["state"] == "active"
    await ana.delete(path, expect=403)
    assert (await ana.patch(path, {"state": "done"}))["state"] == "done"


async def test_a_planned_initiative_is_handed_over_by_who_may_set_both(house: House) -> None:
    lea = house.keys["Lea"]
    made = await lea.post("/initiatives", TACTIC | {"owner": house.owner("Ana")}, expect=201)
    path = f"/initiatives/{made['id']}"
    await lea.patch(path, {"owner": house.owner("Eve")}, expect=403)
    assert (await lea.patch(path, {"owner": house.owner("Bo")}))["owner"] == house.owner("Bo")


async def test_a_tactic_belongs_to_a_strategy_and_a_strategy_to_nothing(house: House) -> None:
    admin = house.admin
    strategy = (await admin.post("/initiatives", STRATEGY, expect=201))["id"]
    tactic = await admin.post("/initiatives", TACTIC | {"parent_id": strategy}, expect=201)
    assert tactic["parent_id"] == strategy
    assert (await admin.get("/initiatives", parent_id=strategy))["items"] == [tactic]
    path = f"/initiatives/{tactic['id']}"
    await refused(admin, TACTIC | {"parent_id": tactic["id"]}, "/parent_id")
    await refused(admin, TACTIC | {"parent_id": str(uuid4())}, "/parent_id")
    await refused(admin, STRATEGY | {"parent_id": strategy}, "")
    assert await pointers(admin, f"/initiatives/{strategy}", {"parent_id": tactic["id"]}) == ["/parent_id"]
    assert await pointers(admin, path, {"parent_id": tactic["id"]}) == ["/parent_id"]
    assert (await admin.patch(path, {"parent_id": None}))["parent_id"] is None
    await admin.delete(f"/initiatives/{strategy}")
    assert await pointers(admin, path, {"parent_id": strategy}) == ["/parent_id"]


async def pointers(api: Api, path: str, change: Any) -> list[str]:
    """What is wrong with a change."""
    problem = await api.patch(path, change, expect=422)
    return [error["pointer"] for error in problem["errors"]]


async def refused(api: Api, body: Any, pointer: str) -> None:
    before = await api.get("/initiatives")
    problem = await api.post("/initiatives", body, expect=422)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert await api.get("/initiatives") == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"kind": "idea"}, "/kind"),
        ({"owner": {"type": "team"}}, "/owner"),
        ({"owner": {"type": "team", "id": str(uuid4())}}, "/owner/id"),
        ({"start_on": "2026-08-02", "end_on": "2026-08-01"}, ""),
        ({"start_on": "2026-02-30"}, "/start_on"),
        ({"goal_ids": [str(uuid4())]}, "/goal_ids/0"),
        ({"goal_ids": ["x"]}, "/goal_ids/0"),
        ({"goal_ids": [str(uuid4())] * 2}, "/goal_ids"),
        ({"goal_ids": [str(uuid4()) for _ in range(101)]}, "/goal_ids"),
        ({"state": "done"}, "/state"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_an_initiative_that_makes_no_sense_is_refused_with_the_place(
    house: House, change: dict[str, Any], pointer: str
) -> None:
    if change.get("goal_ids") and len(change["goal_ids"]) == 2:
        change = {"goal_ids": [change["goal_ids"][0]] * 2}
    await refused(house.admin, TACTIC | change, pointer)


async def test_a_change_that_makes_no_sense_leaves_all_as_it_was(house: House) -> None:
    made = await house.admin.post("/initiatives", TACTIC | {"start_on": "2026-07-10"}, expect=201)
    path = f"/initiatives/{made['id']}"
    assert await pointers(house.admin, path, {"end_on": "2026-07-09"}) == ["/end_on"]
    assert await pointers(house.admin, path, {"name": "Other", "goal_ids": [str(uuid4())]}) == ["/goal_ids/0"]
    assert await pointers(house.admin, path, {"kind": "strategy"}) == ["/kind"]
    assert await house.admin.get(path) == made


async def test_initiatives_are_found_by_what_they_are(house: House) -> None:
    admin = house.admin
    goal = (await admin.post("/goals", house.goal(), expect=201))["id"]
    strategy = await admin.post("/initiatives", STRATEGY | {"goal_ids": [goal]}, expect=201)
    tactic = await admin.post("/initiatives", TACTIC | {"owner": house.owner("North")}, expect=201)
    idea = await house.keys["Ana"].post("/initiatives", TACTIC | {"owner": house.owner("Ana")}, expect=201)
    for query, found in (
        ({}, [strategy, tactic, idea]),
        ({"goal_id": goal}, [strategy]),
        ({"goal_id": str(uuid4())}, []),
        ({"kind": "tactic"}, [tactic, idea]),
        ({"state": "proposed"}, [idea]),
        ({"owner_type": "organization"}, [strategy]),
        ({"owner_type": "member"}, [idea]),
        ({"owner_id": house.ids["North"]}, [tactic]),
        ({"kind": "tactic", "owner_type": "team"}, [tactic]),
    ):
        items = (await admin.get("/initiatives", **query))["items"]
        assert [each["id"] for each in items] == [each["id"] for each in found], query
    first = await admin.get("/initiatives", limit=2)
    rest = await admin.get("/initiatives", limit=2, cursor=first["next_cursor"])
    assert [each["id"] for each in first["items"] + rest["items"]] == [strategy["id"], tactic["id"], idea["id"]]
    await admin.get("/initiatives", expect=422, color="red")


async def test_of_two_who_change_it_at_once_one_is_told(house: House) -> None:
    made = await house.admin.post("/initiatives", TACTIC, expect=201)
    path, headers = f"/initiatives/{made['id']}", {"If-Match": '"1"'}
    answers = await asyncio.gather(
        house.admin.call("PATCH", path, {"name": "One"}, headers=headers),
        house.manager.call("PATCH", path, {"name": "Two"}, headers=headers),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await house.admin.get(path))["version"] == 2
    await house.admin.delete(path, expect=412, headers={"If-Match": '"1"'})
    await house.admin.delete(path, headers={"If-Match": '"2"'})


async def test_what_belongs_to_another_organization_is_not_there(house: House, world: World) -> None:
    other = await world.organization()
    await define(other, "calls_made")
    goal = await other.post("/goals", house.goal(), expect=201)
    strategy = await other.post("/initiatives", STRATEGY | {"goal_ids": [goal["id"]]}, expect=201)
    path = f"/initiatives/{strategy['id']}"
    await refused(house.admin, TACTIC | {"goal_ids": [goal["id"]]}, "/goal_ids/0")
    await refused(house.admin, TACTIC | {"parent_id": strategy["id"]}, "/parent_id")
    await house.admin.get(path, expect=404)
    await house.admin.patch(path, {"name": "Ours"}, expect=404)
    await house.admin.delete(path, expect=404)
    await house.admin.post(f"{path}/accept", expect=404)
    await house.admin.post(f"{path}/decline", {"reason": "Ours."}, expect=404)
    assert (await house.admin.get("/initiatives"))["items"] == []
    assert (await house.admin.get("/initiatives", goal_id=goal["id"]))["items"] == []


async def test_a_key_of_nobody_proposes_but_does_not_take_back(house: House) -> None:
    nobody = await house.admin.key("member", ["goals:read", "goals:write"])
    made = await nobody.post("/initiatives", TACTIC, expect=201)
    assert (made["state"], made["proposer_id"], made["available_actions"]) == ("proposed", None, [])
    await nobody.delete(f"/initiatives/{made['id']}", expect=403)
    reader = await house.admin.key("manager", ["goals:read"])
    await reader.post("/initiatives", TACTIC, expect=403)
    assert len((await reader.get("/initiatives"))["items"]) == 1
