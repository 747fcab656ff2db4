"""Goals and the revisions of their targets over HTTP (G2, G3, G10)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support import Api, World

CALLS = {
    "key": "calls_made",
    "name": "Calls made",
    "category": "sales_results",
    "indicator": "leading",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}
REVENUE = {
    **CALLS,
    "key": "revenue_won",
    "name": "Revenue won",
    "unit": {"kind": "money"},
    "measures": {"won": {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}},
    "formula": "won",
}
GOAL = {
    "name": "Calls in July",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-07",
    "target": {"value": "100"},
}


@pytest.fixture
async def with_calls(api: Api) -> Api:
    """An organization that counts calls."""
    await api.post("/kpis", CALLS, expect=201)
    return api


async def test_a_goal_is_set_read_listed_and_changed(with_calls: Api) -> None:
    api = with_calls
    goal = await api.post("/goals", GOAL, expect=201)
    assert goal["owner"] == {"type": "organization", "id": None}
    assert (goal["start"], goal["end"], goal["state"]) == ("2026-07-01", "2026-08-01", "active")
    assert (goal["target"]["value"], goal["direction"], goal["currency"]) == ("100", "increase", None)
    path = f"/goals/{goal['id']}"
    assert await api.get(path) == goal
    changed = await api.patch(path, {"name": "July"})
    assert (changed["name"], changed["version"], changed["description"]) == ("July", 2, "")
    assert (await api.get("/goals"))["items"] == [changed]


async def test_goals_belong_to_members_and_teams_too(with_calls: Api) -> None:
    api = with_calls
    member = await api.post("/members", {"name": "Ana"}, expect=201)
    team = await api.post("/teams", {"name": "North"}, expect=201)
    for owner in ({"type": "member", "id": member["id"]}, {"type": "team", "id": team["id"]}):
        goal = await api.post("/goals", GOAL | {"owner": owner}, expect=201)
        assert goal["owner"] == owner
        assert [item["id"] for item in (await api.get("/goals", owner_id=owner["id"]))["items"]] == [goal["id"]]
        listed = (await api.get("/goals", owner_type=owner["type"]))["items"]
        assert [item["id"] for item in listed] == [goal["id"]]
    assert (await api.get("/goals", owner_type="organization"))["items"] == []


async def test_nobody_archived_gets_a_goal(with_calls: Api) -> None:
    api = with_calls
    member = await api.post("/members", {"name": "Ana"}, expect=201)
    await api.delete(f"/members/{member['id']}")
    await refused(api, GOAL | {"owner": {"type": "member", "id": member["id"]}}, "/owner/id")


@pytest.mark.parametrize(
    ("period", "start", "end", "label"),
    [
        ("2026-Q3", "2026-07-01", "2026-10-01", "2026-Q3"),
        ("FY2027", "2027-01-01", "2028-01-01", "FY2027"),
        ("2026-07-10..2026-08-15", "2026-07-10", "2026-08-16", "2026-07-10..2026-08-15"),
        ("this_month", "2026-07-01", "2026-08-01", "2026-07"),
    ],
)
async def test_a_period_is_stored_as_days(with_calls: Api, period: str, start: str, end: str, label: str) -> None:
    goal = await with_calls.post("/goals", GOAL | {"period": period}, expect=201)
    assert (goal["start"], goal["end"], goal["period"]) == (start, end, label)


async def refused(api: Api, body: Any, pointer: str) -> None:
    problem = await api.post("/goals", body, expect=422)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert (await api.get("/goals"))["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpi": "calls_mode"}, "/kpi"),
        ({"period": "2026-13"}, "/period"),
        ({"period": "2026-08-01..2026-07-01"}, "/period"),
        ({"owner": {"type": "member", "id": str(uuid4())}}, "/owner/id"),
        ({"owner": {"type": "team", "id": str(uuid4())}}, "/owner/id"),
        ({"owner": {"type": "team"}}, "/owner"),
        ({"owner": {"type": "organization", "id": str(uuid4())}}, "/owner"),
        ({"target": {"value": "0"}}, "/target"),
        ({"target": {"value": "-5"}}, "/target"),
        ({"target": {"value": "NaN"}}, "/target/value"),
        ({"target": {"value": "1e30"}}, "/target/value"),
        ({"target": {"value": True}}, "/target/value"),
        ({"target": {}}, "/target"),
        ({"target": {"low": "1", "high": "2"}}, "/target"),
        ({"target": {"value": "1", "low": "1", "high": "2"}}, "/target"),
        ({"currency": "EUR"}, "/currency"),
        ({"currency": "EURO"}, "/currency"),
        ({"name": "a\x00b"}, "/name"),
        ({"state": "closed"}, "/state"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_goal_that_makes_no_sense_is_refused_with_the_place(
    with_calls: Api, change: dict[str, Any], pointer: str
) -> None:
    """S30: targets that give no ratio, among others."""
    await refused(with_calls, GOAL | change, pointer)


async def test_a_kpi_to_maintain_has_a_band(api: Api) -> None:
    await api.post("/kpis", CALLS | {"direction": "maintain"}, expect=201)
    await refused(api, GOAL, "/target")
    await refused(api, GOAL | {"target": {"low": "20", "high": "10"}}, "/target")
    goal = await api.post("/goals", GOAL | {"target": {"low": "10", "high": 20.5}}, expect=201)
    assert (goal["target"]["value"], goal["target"]["low"], goal["target"]["high"]) == (None, "10", "20.5")


async def test_a_money_target_has_a_currency(api: Api) -> None:
    await api.post("/kpis", REVENUE, expect=201)
    body = GOAL | {"kpi": "revenue_won", "target": {"value": "120000.50"}}
    assert (await api.post("/goals", body, expect=201))["currency"] == "EUR"
    assert (await api.post("/goals", body | {"currency": "PLN"}, expect=201))["currency"] == "PLN"


async def test_a_changed_target_keeps_who_when_why_old_and_new(with_calls: Api) -> None:
    """G10."""
    api = with_calls
    goal = await api.post("/goals", GOAL | {"reason": "Plan"}, expect=201)
    await api.set_clock("2026-07-20T08:00:00Z")
    path = f"/goals/{goal['id']}/targets"
    made = await api.post(path, {"target": {"value": "120"}, "reason": "Two new colleagues."}, expect=201)
    await api.post(path, {"target": {"value": "130"}, "reason": "Three."}, expect=201)
    revisions = (await api.get(path))["items"]
    numbers = [(item["old"] and item["old"]["value"], item["new"]["value"], item["reason"]) for item in revisions]
    assert numbers == [(None, "100", "Plan"), ("100", "120", "Two new colleagues."), ("120", "130", "Three.")]
    assert revisions[1]["id"] == made["id"]
    assert revisions[1]["recorded_at"].startswith("2026-07-20T08:00:00")
    assert revisions[0]["superseded_at"] == revisions[1]["recorded_at"]
    assert revisions[2]["superseded_at"] is None
    assert all(item["changed_by"].startswith("key:") for item in revisions)
    now = await api.get(f"/goals/{goal['id']}")
    assert (now["target"]["value"], now["version"]) == ("130", 3)
    paged = await api.get(path, limit=1)
    assert paged["items"] == revisions[:1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"target": {"value": "120"}}, "/reason"),
        ({"target": {"value": "120"}, "reason": "  "}, "/reason"),
        ({"target": {"value": "0"}, "reason": "Less."}, "/target"),
        ({"target": {"low": "0", "high": "1"}, "reason": "Less."}, "/target"),
    ],
)
async def test_a_target_changes_only_with_a_reason_and_to_one_that_fits(
    with_calls: Api, body: Any, pointer: str
) -> None:
    goal = await with_calls.post("/goals", GOAL, expect=201)
    problem = await with_calls.post(f"/goals/{goal['id']}/targets", body, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert len((await with_calls.get(f"/goals/{goal['id']}/targets"))["items"]) == 1


async def test_the_dates_make_an_open_goal_scheduled_or_active(with_calls: Api) -> None:
    api = with_calls
    draft = await api.post("/goals", GOAL | {"state": "draft"}, expect=201)
    august = await api.post("/goals", GOAL | {"period": "2026-08"}, expect=201)
    july = await api.post("/goals", GOAL, expect=201)
    assert [goal["state"] for goal in (draft, august, july)] == ["draft", "scheduled", "active"]
    for state, goal in (("draft", draft), ("scheduled", august), ("active", july)):
        assert [item["id"] for item in (await api.get("/goals", state=state))["items"]] == [goal["id"]]
    await api.set_clock("2026-07-31T22:00:00Z")  # midnight in Warsaw
    assert (await api.get(f"/goals/{august['id']}"))["state"] == "active"
    assert "close" in (await api.get(f"/goals/{july['id']}"))["available_actions"]
    opened = await api.patch(f"/goals/{draft['id']}", {"state": "open"})
    assert opened["state"] == "active"


async def test_a_cancelled_goal_stays_readable_and_changes_no_more(with_calls: Api) -> None:
    api = with_calls
    goal = await api.post("/goals", GOAL, expect=201)
    path = f"/goals/{goal['id']}"
    await api.delete(path)
    assert (await api.get(path))["state"] == "cancelled"
    assert (await api.get(path))["available_actions"] == []
    problem = await api.patch(path, {"name": "Again"}, expect=409)
    assert problem["type"] == "/problems/goal-action-not-possible"
    await api.patch(path, {"state": "open"}, expect=409)
    await api.post(f"{path}/targets", {"target": {"value": "1"}, "reason": "Again."}, expect=409)
    await api.delete(path, expect=409)


async def test_goals_are_filtered_by_kpi_and_day(with_calls: Api) -> None:
    api = with_calls
    goal = await api.post("/goals", GOAL, expect=201)
    assert len((await api.get("/goals", kpi="calls_made", on="2026-07-31"))["items"]) == 1
    assert (await api.get("/goals", on="2026-08-01"))["items"] == []
    assert (await api.get("/goals", kpi="other"))["items"] == []
    await api.get("/goals", on="20260731", expect=422)
    await api.get("/goals", colour="red", expect=422)
    assert (await api.get("/goals", limit=1))["items"][0]["id"] == goal["id"]


async def test_a_change_of_a_goal_on_an_old_version_is_refused(with_calls: Api) -> None:
    api = with_calls
    goal = await api.post("/goals", GOAL, expect=201)
    path, old = f"/goals/{goal['id']}", {"If-Match": '"1"'}
    await api.patch(path, {"name": "Mine"}, headers=old)
    await api.patch(path, {"name": "Yours"}, expect=412, headers=old)
    await api.post(f"{path}/targets", {"target": {"value": "1"}, "reason": "Mine."}, expect=412, headers=old)
    await api.delete(path, expect=412, headers=old)


async def test_goals_of_another_organization_are_not_found(with_calls: Api, world: World) -> None:
    goal = await with_calls.post("/goals", GOAL, expect=201)
    stranger = await world.organization()
    path = f"/goals/{goal['id']}"
    await stranger.get(path, expect=404)
    await stranger.patch(path, {"name": "Mine"}, expect=404)
    await stranger.get(f"{path}/targets", expect=404)
    await stranger.post(f"{path}/targets", {"target": {"value": "1"}, "reason": "Mine."}, expect=404)
    await stranger.delete(path, expect=404)


async def test_reading_goals_does_not_allow_to_set_them(with_calls: Api) -> None:
    reader = await with_calls.key("member", ["goals:read"])
    await reader.get("/goals")
    await reader.post("/goals", GOAL, expect=403)


async def test_a_goal_keeps_the_direction_that_its_kpi_had(with_calls: Api) -> None:
    api = with_calls
    goal = await api.post("/goals", GOAL, expect=201)
    version = {name: CALLS[name] for name in ("unit", "measures", "formula")}
    body = version | {"direction": "maintain", "valid_from": "2026-07-01"}
    await api.post("/kpis/calls_made/versions", body, expect=201)
    assert (await api.get(f"/goals/{goal['id']}"))["direction"] == "increase"
    path = f"/goals/{goal['id']}/targets"
    await api.post(path, {"target": {"low": "1", "high": "2"}, "reason": "A band."}, expect=422)
    await api.post(path, {"target": {"value": "120"}, "reason": "More."}, expect=201)
    problem = await api.post("/goals", GOAL, expect=422)
    assert [error["code"] for error in problem["errors"]] == ["target_kind"]
    band = await api.post("/goals", GOAL | {"target": {"low": "1", "high": "2"}}, expect=201)
    assert band["direction"] == "maintain"


@pytest.mark.parametrize("code", ["XXX", "XTS"])
async def test_codes_that_are_no_money_are_no_currency_of_a_goal(with_calls: Api, code: str) -> None:
    await with_calls.post("/kpis", REVENUE, expect=201)
    refused = await with_calls.post("/goals", GOAL | {"kpi": "revenue_won", "currency": code}, expect=422)
    (error,) = refused["errors"]
    assert error["pointer"] == "/currency"
    assert "write for example EUR" in error["message"]
    await with_calls.post("/goals", GOAL | {"kpi": "revenue_won", "currency": "XAU"}, expect=201)


@pytest.mark.parametrize("change", [{"name": "Calls in July"}, {"reason": "Why not."}, {"weight": "1.0"}, {}])
async def test_what_a_goal_has_already_changes_nothing(with_calls: Api, change: dict[str, Any]) -> None:
    goal = await with_calls.post("/goals", GOAL, expect=201)
    path = f"/goals/{goal['id']}"
    told = await with_calls.get("/goal-notifications")
    assert await with_calls.patch(path, change) == goal
    assert len((await with_calls.get(f"{path}/targets"))["items"]) == 1
    assert await with_calls.get("/goal-notifications") == told


async def test_the_very_same_target_is_no_revision(with_calls: Api) -> None:
    goal = await with_calls.post("/goals", GOAL | {"reason": "Plan."}, expect=201)
    path = f"/goals/{goal['id']}"
    same = await with_calls.post(f"{path}/targets", {"target": {"value": "100.0"}, "reason": "Again."}, expect=200)
    (only,) = (await with_calls.get(f"{path}/targets"))["items"]
    assert (same, same["reason"], same["old"]) == (only, "Plan.", None)
    assert (await with_calls.get(path))["version"] == 1
    other = await with_calls.post(f"{path}/targets", {"target": {"value": "120"}, "reason": "More."}, expect=201)
    again = await with_calls.post(f"{path}/targets", {"target": {"value": "120"}, "reason": "Still."}, expect=200)
    assert again == other
    assert (await with_calls.get(path))["version"] == 2
