"""Nobody's work counts in two parts (S8), locked and foreign goals stay as they are, plans in time, over HTTP."""

import pytest

from tests.goals.cascade.test_splits import cascade, codes, goal, parts, person, preview, split, team
from tests.goals.facts import define, happened, post_events
from tests.support import Api


@pytest.fixture
async def teams(api: Api) -> dict[str, str]:
    """Coast is below North; Ana is in North itself, Bo and Cy are in Coast."""
    await define(api, "calls_made", "revenue_won")
    north = await team(api, "North")
    ids = {"North": north, "Coast": await team(api, "Coast", north)}
    for name, place in (("Ana", "North"), ("Bo", "Coast"), ("Cy", "Coast")):
        ids[name] = await person(api, name, ids[place])
    return ids


def owner(teams: dict[str, str], name: str) -> dict[str, str]:
    return {"type": "team" if name in {"North", "Coast"} else "member", "id": teams[name]}


async def test_a_member_beside_their_own_team_is_refused(api: Api, teams: dict[str, str]) -> None:
    whole = await goal(api, teams["North"])
    both = [{"owner": owner(teams, name)} for name in ("Bo", "Coast")]
    refused = await preview(api, whole, 422, owners=both)
    assert codes(refused) == [("/owners/0/owner", "counted_twice")]
    assert "Bo" in refused["errors"][0]["message"]
    apart = await preview(api, whole, owners=[{"owner": owner(teams, name)} for name in ("Ana", "Coast")])
    assert parts(apart) == [("Ana", "33"), ("Coast", "67")]


async def test_who_moves_from_the_team_below_into_the_team_itself_counts_once(api: Api, teams: dict[str, str]) -> None:
    """Di is in Coast until 12 July (8 of 23 working days), then in North itself (15)."""
    di = await person(api, "Di", teams["Coast"], valid_to="2026-07-13")
    await api.post(f"/teams/{teams['North']}/memberships", {"member_id": di, "valid_from": "2026-07-13"}, expect=201)
    whole = await goal(api, teams["North"], target={"value": "92"})
    done = await split(api, whole, to="level", depth=2, counts="parts")
    assert parts(done, "part", "target", "start") == [
        ("Coast", "54", "54", "2026-07-01"),
        ("Ana", "23", "23", "2026-07-01"),
        ("Di", "15", "15", "2026-07-13"),
    ]
    assert parts(done["parts"][0], "part", "end") == [
        ("Bo", "23", "2026-08-01"), ("Cy", "23", "2026-08-01"), ("Di", "8", "2026-07-13")
    ]  # fmt: skip
    root = (await cascade(api, whole))["root"]
    assert [root["check"]["status"], *(part["check"] and part["check"]["status"] for part in root["parts"])] == [
        "exact", "exact", None, None
    ]  # fmt: skip
    told = (await api.get(f"/goals/{whole}/progress"))["parts"]
    assert (told["target"], told["covers"]) == (92, 1)


async def test_a_member_goal_made_beside_the_teams_adds_nothing(api: Api, teams: dict[str, str]) -> None:
    whole = await goal(api, teams["North"], counts="parts")
    coast = await goal(api, teams["Coast"], parent_id=whole)
    bo = await goal(api, teams["Bo"], "member", parent_id=whole)
    root = (await cascade(api, whole))["root"]
    assert root["check"]["parts_sum"] == 100
    assert [(part["goal_id"], part["counted"], part["counted_in"]) for part in root["parts"]] == [
        (coast, 100, []), (bo, 0, [coast])
    ]  # fmt: skip
    assert (await api.get(f"/goals/{whole}/progress"))["parts"]["target"] == 100


async def test_a_locked_goal_between_stays_as_it_is_with_all_below_it(api: Api, teams: dict[str, str]) -> None:
    whole = await goal(api, teams["North"], target={"value": "90"})
    first = await split(api, whole, to="level", depth=2)
    coast = first["parts"][0]["goal_id"]
    await api.post(f"/goals/{coast}/lock", {"reason": "Agreed."})
    before = await api.get(f"/goals/{coast}")
    await api.post(f"/goals/{whole}/targets", {"target": {"value": "120"}, "reason": "More."}, expect=201)
    second = await split(api, whole, to="level", depth=2, counts="parts")
    assert parts(second, "part", "step") == [("Ana", "60", "change"), ("Coast", "60", "keep")]
    assert await api.get(f"/goals/{coast}") == before
    assert (await api.get(f"/goals/{whole}"))["counts"] == "parts"
    below = (await cascade(api, coast))["root"]["parts"]
    assert [part["target"] for part in below] == ["30", "30"]


async def test_who_may_not_set_a_goal_between_changes_none_of_all(api: Api, teams: dict[str, str]) -> None:
    """The rules let the key of Ana set what is the organization's, and no team's or member's goals."""
    whole = await goal(api, target={"value": "90"})
    await split(api, whole, to="teams", depth=2)
    rules = {"rules": [{"callers": ["member"], "owners": ["organization"], "may": ["set"]}]}
    await api.put("/goal-settings", rules)
    key = await api.key("member", ["goals:read", "goals:write"], teams["Ana"])
    before = await cascade(api, whole)
    await split(key, whole, 403, to="teams", depth=2, counts="parts")
    assert (await cascade(api, whole))["root"] == before["root"]


async def test_a_quarter_of_a_member_on_leave_is_split_into_months_as_it_was_set(
    api: Api, teams: dict[str, str]
) -> None:
    """July 23, August 21, September 22 working days; Bo is away in August, of which then nothing is asked."""
    away = {"valid_from": "2026-08-01", "valid_to": "2026-09-01", "effect": "prorate_target"}
    await api.post(f"/members/{teams['Bo']}/absences", away, expect=201)
    ramp = await api.post("/goal-ramps", {"name": "Half", "shares": ["0.5"]}, expect=201)
    whole = await goal(api, teams["Bo"], "member", period="2026-Q3", target={"value": "660"}, ramp_id=ramp["id"])
    done = await split(api, whole, into="months", counts="parts")
    assert [row["target"] for row in done["parts"]] == ["230", "210", "220"]
    months = [await api.get(f"/goals/{row['goal_id']}") for row in done["parts"]]
    assert {each["ramp_id"] for each in months} == {ramp["id"]}
    root = (await cascade(api, whole))["root"]
    assert (root["check"]["status"], root["effective_target"]) == ("exact", 450)
    assert [part["effective_target"] for part in root["parts"]] == [230, 0, 220]
    assert (await api.get(f"/goals/{whole}/progress"))["parts"]["covers"] == 1


@pytest.mark.parametrize(
    ("currency", "wanted"),
    [("JPY", ["34", "33", "33"]), ("EUR", ["33.34", "33.33", "33.33"]), ("BHD", ["33.334", "33.333", "33.333"])],
)
async def test_money_is_split_to_its_smallest_unit(
    api: Api, teams: dict[str, str], currency: str, wanted: list[str]
) -> None:
    whole = await goal(api, teams["North"], kpi="revenue_won", currency=currency, target={"value": "100"})
    assert [row["part"] for row in (await preview(api, whole, to="members"))["parts"]] == wanted


async def test_a_weight_of_zero_gets_no_part(api: Api, teams: dict[str, str]) -> None:
    whole = await goal(api, teams["North"])
    weights = [{"owner": owner(teams, name), "weight": w} for name, w in (("Ana", "0"), ("Bo", "1"), ("Cy", "1"))]
    done = await split(api, whole, owners=weights, by="weight")
    assert parts(done, "part", "step", "target") == [
        ("Ana", "0", "none", None), ("Bo", "50", "create", "50"), ("Cy", "50", "create", "50")
    ]  # fmt: skip


async def test_the_baseline_of_a_relative_goal_stays_when_it_counts_its_parts(api: Api, teams: dict[str, str]) -> None:
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 30, actor="Ana"))
    change = {"change": {"by": "0.1", "stretch": "0.2"}}
    body = {"name": "More", "kpi": "calls_made", "period": "2026-07", "owner": owner(teams, "North"), "target": change}
    before = await api.post("/goals", body, expect=201)
    seen = await preview(api, before["id"], to="members")
    assert parts(seen, "target", "stretch") == [("Ana", "11", "12"), ("Bo", "11", "12"), ("Cy", "11", "12")]
    await split(api, before["id"], to="members", counts="parts")
    after = await api.get(f"/goals/{before['id']}")
    assert (after["target"], after["counts"]) == (before["target"], "parts")
