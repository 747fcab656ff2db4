"""Goals that members propose and others decide (G10), over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.core.audit import AuditEntry
from app.core.outbox import OutboxMessage
from tests.goals.facts import happened, post_events
from tests.goals.people import SCOPES, House, furnish
from tests.support import Api, World


@pytest.fixture
async def house(api: Api) -> House:
    return await furnish(api)


@pytest.fixture
async def proposed(house: House) -> dict[str, Any]:
    """What Ana proposes for herself."""
    goal: dict[str, Any] = await house.keys["Ana"].post("/goals", house.goal("Ana", reason="I can."), expect=201)
    return goal


async def decisions(api: Api, goal: dict[str, Any]) -> list[tuple[str, str]]:
    items = (await api.get(f"/goals/{goal['id']}/decisions"))["items"]
    return [(item["action"], item["reason"]) for item in items]


async def topics(world: World, api: Api, prefix: str = "goal.") -> list[str]:
    async with world.database.read(api.org_id) as session:
        wanted = select(OutboxMessage.topic).where(OutboxMessage.org_id == api.org_id).order_by(OutboxMessage.id)
        return [topic for topic in (await session.execute(wanted)).scalars() if topic.startswith(prefix)]


async def target_in_results(api: Api) -> Any:
    query = {"kpis": ["calls_made"], "subjects": [{"organization": True}], "period": "2026-07"}
    return (await api.post("/kpi-results/query", query))["series"][0]["targets"]


async def test_what_a_member_proposes_counts_once_it_is_approved(
    house: House, proposed: dict[str, Any], world: World
) -> None:
    path, lea = f"/goals/{proposed['id']}", house.keys["Lea"]
    assert (proposed["state"], proposed["proposer_id"]) == ("proposed", house.ids["Ana"])
    assert proposed["available_actions"] == ["edit", "set_target", "withdraw", "cancel"]
    assert (await house.admin.get("/goals", state="proposed"))["items"][0]["id"] == proposed["id"]
    assert (await lea.get(path))["available_actions"] == [
        "edit", "set_target", "approve", "decline", "withdraw", "cancel"
    ]  # fmt: skip
    approved = await lea.post(f"{path}/approve", {"reason": "Agreed."})
    assert (approved["state"], approved["version"]) == ("active", proposed["version"] + 1)
    assert await decisions(house.admin, proposed) == [("proposed", "I can."), ("approved", "Agreed.")]
    decision = (await house.admin.get(f"{path}/decisions"))["items"][1]
    assert decision["member_id"] == house.ids["Lea"]
    assert decision["decided_by"].startswith("key:")
    assert await topics(world, house.admin) == ["goal.created", "goal.proposed", "goal.approved"]
    async with world.database.read(house.admin.org_id) as session:
        wanted = select(AuditEntry.action).where(
            AuditEntry.org_id == house.admin.org_id, AuditEntry.resource_id == proposed["id"]
        )
        assert sorted((await session.execute(wanted)).scalars()) == ["approve", "create"]


async def test_a_proposal_counts_nowhere_but_shows_how_it_would_stand(api: Api) -> None:
    """S22: targets are of goals that are open."""
    house = await furnish(api)
    await post_events(api, happened("call.made", "2026-07-10T09:00:00Z", 40))
    goal = await api.post("/goals", house.goal(state="proposed"), expect=201)
    assert await target_in_results(api) in (None, [None])
    progress = await api.get(f"/goals/{goal['id']}/progress")
    assert (progress["state"], progress["actual"], progress["attainment"]) == ("proposed", 40, 0.4)
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.post(f"/goals/{goal['id']}/approve")
    assert await target_in_results(api) not in (None, [None])


async def test_a_proposal_may_be_approved_with_another_target(house: House, proposed: dict[str, Any]) -> None:
    path, max_ = f"/goals/{proposed['id']}", house.keys["Max"]
    await max_.post(f"{path}/approve", {"target": {"value": "120"}}, expect=422)
    await max_.post(f"{path}/approve", {"target": {"value": "-1"}, "reason": "More."}, expect=422)
    assert (await house.admin.get(path))["state"] == "proposed"
    approved = await max_.post(f"{path}/approve", {"target": {"value": "120"}, "reason": "With the new region."})
    assert (approved["state"], approved["target"]["value"]) == ("active", "120")
    revisions = (await house.admin.get(f"{path}/targets"))["items"]
    assert [(each["old"] and each["old"]["value"], each["new"]["value"]) for each in revisions] == [
        (None, "100"),
        ("100", "120"),
    ]
    assert revisions[1]["reason"] == "With the new region."
    assert approved["version"] == (await house.admin.get(path))["version"]


async def test_a_proposal_may_be_approved_with_a_change_against_a_baseline(api: Api) -> None:
    """S30: the baseline is frozen when the target is decided."""
    house = await furnish(api)
    await post_events(api, happened("call.made", "2026-06-10T09:00:00Z", 40))
    goal = await api.post("/goals", house.goal(state="proposed"), expect=201)
    target = {"change": {"by": "0.10", "on": "previous_period"}}
    approved = await api.post(f"/goals/{goal['id']}/approve", {"target": target, "reason": "A tenth more than June."})
    assert (approved["state"], approved["target"]["value"]) == ("active", "44")
    assert approved["target"]["baseline"]["value"] == "40"


async def test_nobody_approves_their_own(house: House) -> None:
    lea = house.keys["Lea"]
    own = await lea.post("/goals", house.goal("Lea"), expect=201)
    for who in (lea, house.keys["Ana"], house.keys["Eve"]):
        refused = await who.post(f"/goals/{own['id']}/approve", expect=403)
        assert refused["type"] == "/problems/goal-not-yours"
        await who.post(f"/goals/{own['id']}/decline", {"reason": "No."}, expect=403)
    assert (await house.manager.post(f"/goals/{own['id']}/approve"))["state"] == "active"


async def test_who_may_set_approves_what_they_proposed(house: House) -> None:
    lea = house.keys["Lea"]
    own = await lea.post("/goals", house.goal("North", state="proposed"), expect=201)
    assert "approve" in own["available_actions"]
    await lea.post(f"/goals/{own['id']}/approve")


async def test_a_declined_proposal_is_its_authors_draft_again(house: House, proposed: dict[str, Any]) -> None:
    path, ana, lea = f"/goals/{proposed['id']}", house.keys["Ana"], house.keys["Lea"]
    for body in (None, {}, {"reason": ""}, {"reason": "  "}):
        await lea.post(f"{path}/decline", body, expect=422)
    declined = await lea.post(f"{path}/decline", {"reason": "Too low."})
    assert (declined["state"], declined["proposer_id"]) == ("draft", house.ids["Ana"])
    assert (await ana.get(path))["available_actions"] == ["edit", "set_target", "propose", "cancel"]
    await ana.post(f"{path}/targets", {"target": {"value": "110"}, "reason": "More."}, expect=201)
    again = await ana.post(f"{path}/propose", {"reason": "Better?"})
    assert again["state"] == "proposed"
    assert [action for action, _ in await decisions(ana, proposed)] == ["proposed", "declined", "proposed"]


async def test_an_author_changes_and_withdraws_only_what_is_theirs(house: House, proposed: dict[str, Any]) -> None:
    path, ana, bo = f"/goals/{proposed['id']}", house.keys["Ana"], house.keys["Bo"]
    team = await bo.post("/goals", house.goal("North"), expect=201)
    for call in (
        ana.call("PATCH", f"/goals/{team['id']}", {"name": "Ours"}),
        ana.call("POST", f"/goals/{team['id']}/withdraw"),
        ana.call("DELETE", f"/goals/{team['id']}"),
        bo.call("POST", f"{path}/withdraw"),
    ):
        assert (await call).status_code == 403
    assert (await ana.patch(path, {"name": "Mine"}))["name"] == "Mine"
    withdrawn = await ana.post(f"{path}/withdraw", {"reason": "Too early."})
    assert withdrawn["state"] == "draft"
    await ana.delete(path)
    assert (await ana.get(path))["state"] == "cancelled"


async def test_a_draft_may_be_opened_by_who_may_set_it_and_proposed_by_its_author(house: House) -> None:
    ana, lea = house.keys["Ana"], house.keys["Lea"]
    draft = await ana.post("/goals", house.goal("Ana", state="draft"), expect=201)
    path = f"/goals/{draft['id']}"
    refused = await ana.patch(path, {"state": "open"}, expect=403)
    assert "propose" in refused["detail"]
    await house.keys["Bo"].post(f"{path}/propose", expect=403)
    assert await decisions(ana, draft) == []
    assert (await lea.patch(path, {"state": "open"}))["state"] == "active"


async def test_what_the_state_does_not_allow_is_said(house: House, proposed: dict[str, Any]) -> None:
    path, lea = f"/goals/{proposed['id']}", house.keys["Lea"]
    refused = await lea.post(f"{path}/propose", expect=409)
    assert "possible now: edit, set_target, approve" in refused["detail"]
    await lea.patch(path, {"state": "open"}, expect=409)
    await lea.post(f"{path}/unlock", {"reason": "It is not locked."}, expect=409)
    await lea.post(f"{path}/approve")
    for action in ("approve", "withdraw", "propose"):
        await lea.post(f"{path}/{action}", expect=409)


async def test_of_two_who_decide_at_once_one_is_told(house: House, proposed: dict[str, Any]) -> None:
    path = f"/goals/{proposed['id']}"
    headers = {"If-Match": f'"{proposed["version"]}"'}
    answers = await asyncio.gather(
        house.keys["Lea"].call("POST", f"{path}/approve", headers=headers),
        house.keys["Max"].call("POST", f"{path}/decline", {"reason": "No."}, headers=headers),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert len(await decisions(house.admin, proposed)) == 2
    (done,) = [answer for answer in answers if answer.is_success]
    assert done.headers["ETag"] == f'"{proposed["version"] + 1}"'


async def test_what_was_archived_meanwhile_is_not_approved(house: House, proposed: dict[str, Any]) -> None:
    path = f"/goals/{proposed['id']}"
    await house.admin.delete("/kpis/calls_made")
    refused = await house.manager.post(f"{path}/approve", expect=409)
    assert (refused["type"], "calls_made" in refused["detail"]) == ("/problems/goal-outdated", True)
    assert (await house.admin.get(path))["state"] == "proposed"
    await house.manager.post(f"{path}/decline", {"reason": "The KPI is gone."})
    await house.keys["Ana"].post(f"{path}/propose", expect=409)


async def test_the_goal_of_somebody_archived_is_not_approved(house: House, proposed: dict[str, Any]) -> None:
    await house.admin.delete(f"/members/{house.ids['Ana']}")
    refused = await house.manager.post(f"/goals/{proposed['id']}/approve", expect=409)
    assert "owner" in refused["detail"]


async def test_decisions_are_paged_oldest_first(house: House, proposed: dict[str, Any]) -> None:
    path, ana = f"/goals/{proposed['id']}", house.keys["Ana"]
    await ana.post(f"{path}/withdraw")
    await ana.post(f"{path}/propose")
    first = await ana.get(f"{path}/decisions", limit=2)
    rest = await ana.get(f"{path}/decisions", limit=2, cursor=first["next_cursor"])
    assert [each["action"] for each in first["items"] + rest["items"]] == ["proposed", "withdrawn", "proposed"]
    await ana.get(f"{path}/decisions", expect=422, wrong="1")


async def test_deciding_needs_the_scope(house: House, proposed: dict[str, Any]) -> None:
    reader = await house.admin.key("manager", ["goals:read"])
    await reader.get(f"/goals/{proposed['id']}/decisions")
    refused = await reader.post(f"/goals/{proposed['id']}/approve", expect=403)
    assert refused["type"] == "/problems/permission-missing"
    await house.manager.post(f"/goals/{uuid4()}/approve", expect=404)


@pytest.mark.parametrize(
    "body", [{"reason": 1}, {"reason": "a\x00b"}, {"reason": "x" * 10_001}, {"colour": 1}, [], 1.5]
)
async def test_a_decision_that_is_not_understood_changes_nothing(
    house: House, proposed: dict[str, Any], body: Any
) -> None:
    for action in ("approve", "withdraw", "decline"):
        await house.admin.post(f"/goals/{proposed['id']}/{action}", body, expect=422)
    assert await house.admin.get(f"/goals/{proposed['id']}") | {"available_actions": []} == proposed | {
        "available_actions": []
    }


async def test_a_proposal_by_a_key_of_nobody_is_approved_by_who_may_set(house: House) -> None:
    goal = await house.manager.post("/goals", house.goal("Ana", state="proposed"), expect=201)
    assert goal["proposer_id"] is None
    await house.keys["Ana"].patch(f"/goals/{goal['id']}", {"name": "Mine"}, expect=403)
    other = await house.admin.key("manager", SCOPES)
    assert (await other.post(f"/goals/{goal['id']}/approve"))["state"] == "active"


async def test_a_target_tells_which_member_decided_it(house: House) -> None:
    made = await house.keys["Ana"].post("/goals", house.goal("Ana"), expect=201)
    path = f"/goals/{made['id']}/targets"
    change = {"target": {"value": "110"}, "reason": "More."}
    changed = await house.keys["Lea"].post(path, change, expect=201)
    assert changed["member_id"] == house.ids["Lea"]
    await house.manager.post(path, change | {"target": {"value": "120"}}, expect=201)
    told = [row["member_id"] for row in (await house.admin.get(path))["items"]]
    assert told == [house.ids["Ana"], house.ids["Lea"], None]


async def test_who_opened_or_cancelled_a_goal_and_why_is_kept(house: House) -> None:
    goal = await house.manager.post("/goals", house.goal("Ana", state="draft"), expect=201)
    path = f"/goals/{goal['id']}"
    await house.manager.patch(path, {"state": "open", "reason": "Agreed."})
    await house.manager.patch(path, {"state": "cancelled", "reason": "Ana leaves."})
    assert await decisions(house.admin, goal) == [("opened", "Agreed."), ("cancelled", "Ana leaves.")]
    told = (await house.admin.get("/goal-notifications", goal_id=goal["id"]))["items"]
    assert [each["topic"] for each in told] == ["goal.cancelled", "goal.opened", "goal.created"]
    asked = await house.admin.get("/goal-notifications", topic="goal.cancelled")
    assert [each["goal_id"] for each in asked["items"]] == [goal["id"]]
    await house.admin.get("/goal-notifications", topic="goal.canceled", expect=422)
