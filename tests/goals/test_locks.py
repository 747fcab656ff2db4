"""Locked goals over HTTP: nobody changes them before they are unlocked (G10)."""

from typing import Any

import pytest

from tests.goals.people import House, furnish
from tests.goals.test_proposals import decisions, topics
from tests.support import Api, World


@pytest.fixture
async def house(api: Api) -> House:
    return await furnish(api)


@pytest.fixture
async def locked(house: House) -> dict[str, Any]:
    """Ana's goal, locked by a manager."""
    goal = await house.manager.post("/goals", house.goal("Ana"), expect=201)
    body = {"reason": "Agreed in the quota letter."}
    done: dict[str, Any] = await house.manager.post(f"/goals/{goal['id']}/lock", body)
    return done


async def test_a_locked_goal_refuses_every_change_and_tells_who_when_and_why(
    house: House, locked: dict[str, Any]
) -> None:
    path = f"/goals/{locked['id']}"
    assert locked["locked_at"].startswith("2026-07-13T10:00:00")
    assert locked["available_actions"] == ["unlock"]
    for who in (house.admin, house.manager, house.keys["Lea"], house.keys["Ana"]):
        for method, place, body in (
            ("PATCH", path, {"name": "Other"}),
            ("PATCH", path, {"weight": "2"}),
            ("PATCH", path, {"milestones": []}),
            ("PATCH", path, {"state": "cancelled"}),
            ("DELETE", path, None),
            ("POST", f"{path}/targets", {"target": {"value": "1"}, "reason": "Easier."}),
            ("POST", f"{path}/lock", {"reason": "Twice."}),
        ):
            refused = (await who.call(method, place, body, expect=409)).json()
            assert refused["type"] == "/problems/goal-locked"
            for told in ("2026-07-13T10:00:00Z", "key:", "Agreed in the quota letter.", "/unlock"):
                assert told in refused["detail"]
    assert await house.manager.get(path) == locked


async def test_who_may_lock_unlocks_with_a_reason(house: House, locked: dict[str, Any], world: World) -> None:
    path = f"/goals/{locked['id']}"
    assert (await house.keys["Lea"].get(path))["available_actions"] == []
    await house.keys["Lea"].post(f"{path}/unlock", {"reason": "Mine."}, expect=403)
    await house.manager.post(f"{path}/unlock", {}, expect=422)
    await house.manager.post(f"{path}/unlock", {"reason": "Old."}, expect=412, headers={"If-Match": '"1"'})
    free = await house.manager.post(f"{path}/unlock", {"reason": "Long leave."})
    assert (free["locked_at"], free["version"]) == (None, locked["version"] + 1)
    assert (await house.keys["Lea"].patch(path, {"name": "Other"}))["name"] == "Other"
    assert await decisions(house.admin, locked) == [
        ("locked", "Agreed in the quota letter."),
        ("unlocked", "Long leave."),
    ]
    told = await topics(world, house.admin)
    assert [topic for topic in told if "lock" in topic] == ["goal.locked", "goal.unlocked"]


async def test_the_last_lock_is_told(house: House, locked: dict[str, Any]) -> None:
    path = f"/goals/{locked['id']}"
    await house.manager.post(f"{path}/unlock", {"reason": "A mistake."})
    await house.manager.post(f"{path}/lock", {"reason": "Now in earnest."})
    refused = await house.admin.patch(path, {"name": "Other"}, expect=409)
    assert "Now in earnest." in refused["detail"]


async def test_only_open_goals_are_locked(house: House) -> None:
    for state in ("draft", "proposed"):
        goal = await house.admin.post("/goals", house.goal(state=state), expect=201)
        await house.admin.post(f"/goals/{goal['id']}/lock", {"reason": "No."}, expect=409)
    goal = await house.admin.post("/goals", house.goal(period="2026-08"), expect=201)
    assert (await house.admin.post(f"/goals/{goal['id']}/lock", {"reason": "Yes."}))["state"] == "scheduled"


async def test_a_locked_goal_is_closed_after_its_period_all_the_same(house: House, locked: dict[str, Any]) -> None:
    path = f"/goals/{locked['id']}"
    refused = await house.manager.post(f"{path}/close", expect=409)
    assert refused["type"] == "/problems/goal-action-not-possible"
    await house.admin.set_clock("2026-08-10T10:00:00Z")
    assert (await house.manager.get(path))["available_actions"] == ["unlock", "close"]
    closed = await house.manager.post(f"{path}/close")
    assert (closed["state"], closed["available_actions"]) == ("closed", [])
    await house.manager.post(f"{path}/unlock", {"reason": "Too late."}, expect=409)


async def test_a_lock_needs_a_reason(house: House) -> None:
    goal = await house.admin.post("/goals", house.goal(), expect=201)
    for body in (None, {}, {"reason": ""}, {"reason": " \n"}, {"reason": None}):
        await house.admin.post(f"/goals/{goal['id']}/lock", body, expect=422)
    assert (await house.admin.get(f"/goals/{goal['id']}"))["locked_at"] is None
