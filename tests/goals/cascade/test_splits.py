"""Goals are split to members, teams and shorter periods, over HTTP (G4, S33, S35)."""

import asyncio
from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api

JULY = {"name": "Calls", "kpi": "calls_made", "period": "2026-07", "target": {"value": "100"}}
NOBODY = "019f0000-0000-7000-8000-000000000000"


async def team(api: Api, name: str, parent: str | None = None) -> str:
    body = {"name": name} | ({"parent_id": parent} if parent else {})
    return str((await api.post("/teams", body, expect=201))["id"])


async def person(api: Api, name: str, team_id: str | None = None, **days: str) -> str:
    member = await member_with_identity(api, name, name)
    if team_id is not None:
        await api.post(f"/teams/{team_id}/memberships", {"member_id": member} | days, expect=201)
    return member


async def goal(api: Api, owner: str | None = None, kind: str = "team", **changes: Any) -> str:
    whose = {"type": kind, "id": owner} if owner else {"type": "organization"}
    return str((await api.post("/goals", JULY | {"owner": whose} | changes, expect=201))["id"])


async def preview(api: Api, goal_id: str, expect: int = 200, **wanted: Any) -> Any:
    return await api.post(f"/goals/{goal_id}/split/preview", wanted, expect=expect)


async def split(api: Api, goal_id: str, expect: int = 200, headers: Any = None, **wanted: Any) -> Any:
    return await api.post(f"/goals/{goal_id}/split", wanted, expect=expect, headers=headers or {})


async def cascade(api: Api, goal_id: str, **params: Any) -> Any:
    return await api.get(f"/goals/{goal_id}/cascade", **params)


def parts(answer: Any, *fields: str) -> list[Any]:
    fields = fields or ("part",)
    rows = [[row["owner"]["name"], *(row[name] for name in fields)] for row in answer["parts"]]
    return [(name, *rest) for name, *rest in rows]


def codes(problem: Any) -> list[tuple[str, str]]:
    return [(each["pointer"], each["code"]) for each in problem["errors"]]


@pytest.fixture
async def north(api: Api) -> str:
    await define(api, "calls_made", "win_rate", "revenue_won")
    return await team(api, "North")


async def trio(api: Api, north: str) -> list[str]:
    return [await person(api, name, north) for name in ("Ana", "Bo", "Cy")]


async def test_golden_9_a_hundred_calls_of_three_people(api: Api, north: str) -> None:
    """S35: 34, 33, 33, in the order of names; the goals are there and add up."""
    await trio(api, north)
    whole = await goal(api, north)
    seen = await preview(api, whole, to="members")
    assert parts(seen, "part", "target", "step") == [
        ("Ana", "34", "34", "create"),
        ("Bo", "33", "33", "create"),
        ("Cy", "33", "33", "create"),
    ]
    assert (seen["parts_sum"], seen["gap"], seen["over"], seen["counts"]) == ("100", "0", "0", "own")
    assert [row["goal_id"] for row in seen["parts"]] == [None] * 3
    assert seen["parts"][0]["why"] == "1 of 3 heads by working time"
    done = await split(api, whole, to="members")
    made = [await api.get(f"/goals/{row['goal_id']}") for row in done["parts"]]
    assert [(each["name"], each["target"]["value"], each["period"], each["parent_id"]) for each in made] == [
        ("Calls: Ana", "34", "2026-07", whole),
        ("Calls: Bo", "33", "2026-07", whole),
        ("Calls: Cy", "33", "2026-07", whole),
    ]
    tree = await cascade(api, whole)
    assert (tree["root"]["check"]["status"], tree["root"]["check"]["parts_sum"]) == ("exact", 100)
    assert (tree["is_replan_due"], tree["is_cut"]) == (False, False)


async def test_what_is_carried_out_is_what_was_seen(api: Api, north: str) -> None:
    await trio(api, north)
    whole = await goal(api, north)
    seen = await preview(api, whole, to="members")
    await person(api, "Di", north)
    path = f"/goals/{whole}/split"
    stale = await api.post(path, {"to": "members", "expect": seen["digest"]}, expect=412)
    assert stale["type"].endswith("split-changed")
    assert (await cascade(api, whole))["root"]["parts"] == []
    again = await preview(api, whole, to="members")
    done = await api.post(path, {"to": "members", "expect": again["digest"]}, expect=200)
    assert parts(done) == [("Ana", "25"), ("Bo", "25"), ("Cy", "25"), ("Di", "25")]


async def test_a_second_split_changes_the_goals_there_are(api: Api, north: str) -> None:
    ana, bo, cy = await trio(api, north)
    whole = await goal(api, north)
    first = await split(api, whole, to="members")
    weights = [{"owner": {"type": "member", "id": each}, "weight": w} for each, w in ((cy, "2"), (ana, "1"), (bo, "1"))]
    second = await split(api, whole, owners=weights, by="weight", reason="Cy sells more.")
    assert parts(second, "part", "step") == [("Cy", "50", "change"), ("Ana", "25", "change"), ("Bo", "25", "change")]
    assert {row["goal_id"] for row in second["parts"]} == {row["goal_id"] for row in first["parts"]}
    history = await api.get(f"/goals/{second['parts'][0]['goal_id']}/targets")
    assert [(each["new"]["value"], each["reason"]) for each in history["items"]] == [
        ("33", "Split: Calls"),
        ("50", "Split: Cy sells more."),
    ]
    third = await split(api, whole, owners=weights, by="weight")
    assert {row["step"] for row in third["parts"]} == {"keep"}


async def test_part_time_and_who_joins_in_mid_period_weigh_by_working_time(api: Api, north: str) -> None:
    """Ana works half, Bo joins on 20 July: 10 of 23 days. By heads 23 : 10, by full-time equivalents 11.5 : 10."""
    ana = await person(api, "Ana", north)
    await person(api, "Bo", north, valid_from="2026-07-20")
    await api.post(f"/members/{ana}/assignments", {"fte": "0.5"}, expect=201)
    whole = await goal(api, north)
    assert parts(await preview(api, whole, to="members"), "part", "start") == [
        ("Ana", "70", "2026-07-01"),
        ("Bo", "30", "2026-07-20"),
    ]
    by_fte = await split(api, whole, to="members", by="fte")
    assert parts(by_fte, "part", "target", "period") == [
        ("Ana", "53", "53", "2026-07"),
        ("Bo", "47", "47", "2026-07-20..2026-07-31"),
    ]
    assert (await cascade(api, whole))["root"]["check"]["status"] == "exact"


async def test_long_leave_takes_weight_away_and_holidays_do_not(api: Api, north: str) -> None:
    """Bo is on leave from 20 July (13 of 23 days are left), Cy on holidays then."""
    _, bo, cy = await trio(api, north)
    leave = {"valid_from": "2026-07-20", "valid_to": "2026-08-10"}
    await api.post(f"/members/{bo}/absences", leave | {"effect": "prorate_target"}, expect=201)
    await api.post(f"/members/{cy}/absences", leave | {"effect": "reschedule"}, expect=201)
    whole = await goal(api, north, target={"value": "590"})
    done = await split(api, whole, to="members")
    assert parts(done, "part", "target", "period") == [
        ("Ana", "230", "230", "2026-07"),
        ("Bo", "130", "130", "2026-07-01..2026-07-19"),
        ("Cy", "230", "230", "2026-07"),
    ]
    assert (await cascade(api, whole))["root"]["check"]["status"] == "exact"


async def test_leave_inside_of_the_period_asks_for_more_of_which_less_counts(api: Api, north: str) -> None:
    """Bo is away on 10 of 20 days in the middle: 20 of his 40 count."""
    ana = await person(api, "Ana", north)
    bo = await person(api, "Bo", north)
    leave = {"valid_from": "2026-07-13", "valid_to": "2026-07-25", "effect": "prorate_target"}
    await api.post(f"/members/{bo}/absences", leave, expect=201)
    whole = await goal(api, north, target={"value": "60"}, period="2026-07-06..2026-07-31")
    done = await split(api, whole, to="members")
    assert parts(done, "part", "target") == [("Ana", "40", "40"), ("Bo", "20", "40")]
    root = (await cascade(api, whole))["root"]
    assert [part["counted"] for part in root["parts"]] == [40, 20]
    assert [part["effective_target"] for part in root["parts"]] == [40, 20]
    assert root["check"]["status"] == "exact"
    assert ana


async def test_a_ramp_makes_new_members_weigh_less(api: Api, north: str) -> None:
    """Bo began on 1 July: half of the target in the first month. 2/3 to 1/3; his full target is as large as Ana's."""
    await person(api, "Ana", north)
    bo = await person(api, "Bo", north)
    await api.post(f"/members/{bo}/employments", {"valid_from": "2026-07-01"}, expect=201)
    ramp = await api.post("/goal-ramps", {"name": "Six months", "shares": ["0.5", "0.75"]}, expect=201)
    whole = await goal(api, north, target={"value": "90"})
    done = await split(api, whole, to="members", ramp_id=ramp["id"])
    assert parts(done, "part", "target") == [("Ana", "60", "60"), ("Bo", "30", "60")]
    made = [await api.get(f"/goals/{row['goal_id']}") for row in done["parts"]]
    assert [each["ramp_id"] for each in made] == [None, ramp["id"]]
    assert (await cascade(api, whole))["root"]["check"]["status"] == "exact"


async def test_history_decides_and_who_has_none_takes_the_mean(api: Api, north: str) -> None:
    """June: Ana 30 calls, Bo 10; Cy joined in July. 30 : 10 : 20."""
    await person(api, "Ana", north)
    await person(api, "Bo", north)
    await person(api, "Cy", north, valid_from="2026-07-01")
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 30, actor="Ana"))
    await post_events(api, happened("call.made", "2026-06-11T08:00:00Z", 10, actor="Bo"))
    whole = await goal(api, north, target={"value": "120"})
    seen = await preview(api, whole, to="members", by="history", history={"periods": 1})
    assert parts(seen) == [("Ana", "60"), ("Bo", "20"), ("Cy", "40")]
    assert seen["parts"][2]["why"].startswith("no history in 2026-06, so the mean of the others: 20 a head")
    refused = await preview(api, await goal(api, north, period="2026-02"), 422, to="members", by="history")
    assert codes(refused) == [("/by", "no_history")]


async def test_money_is_split_to_the_cent_and_yen_to_the_yen(api: Api, north: str) -> None:
    await trio(api, north)
    cents = await goal(api, north, kpi="revenue_won", target={"value": "100", "stretch": "200"})
    seen = await preview(api, cents, to="members")
    assert parts(seen, "part", "stretch") == [
        ("Ana", "33.34", "66.67"),
        ("Bo", "33.33", "66.67"),
        ("Cy", "33.33", "66.66"),
    ]
    yen = await goal(api, north, kpi="revenue_won", currency="JPY")
    assert parts(await preview(api, yen, to="members")) == [("Ana", "34"), ("Bo", "33"), ("Cy", "33")]
    steps = await preview(api, cents, to="members", round_to="30", overassign="1.05")
    assert (parts(steps), steps["parts_sum"], steps["over"]) == (
        [("Ana", "45"), ("Bo", "30"), ("Cy", "30")],
        "105",
        "5",
    )


async def test_several_levels_at_once(api: Api) -> None:
    """The organization's 101 to North (3 heads) and South (2), and on to their people; parents count parts."""
    await define(api, "calls_made")
    north, south = await team(api, "North"), await team(api, "South")
    await trio(api, north)
    await person(api, "Di", south)
    await person(api, "Ed", south)
    whole = await goal(api, target={"value": "101"})
    done = await split(api, whole, to="teams", depth=2, counts="parts")
    assert parts(done, "part", "parts_sum") == [("North", "61", "61"), ("South", "40", "40")]
    assert [parts(row) for row in done["parts"]] == [
        [("Ana", "21"), ("Bo", "20"), ("Cy", "20")],
        [("Di", "20"), ("Ed", "20")],
    ]
    root = (await cascade(api, whole))["root"]
    assert [root["counts"], *(part["counts"] for part in root["parts"])] == ["parts"] * 3
    assert [root["check"]["status"], *(part["check"]["status"] for part in root["parts"])] == ["exact"] * 3
    assert await cascade(api, whole, depth=1) != await cascade(api, whole)
    assert (await cascade(api, whole, depth=1))["is_cut"] is True
    again = await split(api, whole, to="teams", depth=2, counts="parts")
    assert {row["step"] for row in again["parts"]} == {"keep"}


async def test_ratios_are_asked_of_each_part_as_they_are(api: Api, north: str) -> None:
    ana, *_ = await trio(api, north)
    whole = await goal(api, north, kpi="win_rate", target={"value": "0.4"})
    seen = await split(api, whole, to="members")
    assert (seen["is_additive"], seen["parts_sum"], seen["gap"]) == (False, None, None)
    assert {row["target"] for row in seen["parts"]} == {"0.4"}
    assert "do not add up" in seen["notes"][0]
    own = [{"owner": {"type": "member", "id": ana}, "target": "0.5"}]
    await split(api, whole, owners=own, by="hand")
    root = (await cascade(api, whole))["root"]
    assert root["check"]["status"] == "compared"
    assert sorted(part["difference"] or 0 for part in root["parts"]) == [0, 0, 0.1]


async def test_by_hand_what_is_missing_is_told_and_refused_unless_allowed(api: Api, north: str) -> None:
    ana, bo, cy = await trio(api, north)
    whole = await goal(api, north)
    rows = [{"owner": {"type": "member", "id": each}, "target": t} for each, t in ((ana, "50"), (bo, "40.5"))]
    refused = await preview(api, whole, 422, owners=rows, by="hand")
    assert codes(refused) == [("/owners", "parts_do_not_add_up")]
    assert "90.5, 9.5 missing" in refused["errors"][0]["message"]
    await split(api, whole, 422, owners=rows, by="hand")
    done = await split(api, whole, owners=rows, by="hand", allow_gap=True)
    assert (done["gap"], done["over"]) == ("9.5", "0")
    check = (await cascade(api, whole))["root"]["check"]
    assert (check["status"], check["gap"], check["gap_share"]) == ("gap", 9.5, 0.095)
    assert [each["name"] for each in check["missing"]] == ["Cy"]
    assert cy


async def test_a_locked_part_keeps_its_target_and_the_others_share_the_rest(api: Api, north: str) -> None:
    await trio(api, north)
    whole = await goal(api, north)
    first = await split(api, whole, to="members")
    await api.post(f"/goals/{first['parts'][0]['goal_id']}/lock", {"reason": "Agreed."})
    await api.post(f"/goals/{whole}/targets", {"target": {"value": "134"}, "reason": "More."}, expect=201)
    second = await split(api, whole, to="members")
    assert parts(second, "part", "step") == [("Bo", "50", "change"), ("Cy", "50", "change"), ("Ana", "34", "keep")]


async def test_the_year_is_split_into_quarters_by_working_time(api: Api) -> None:
    await define(api, "calls_made")
    whole = await goal(api, period="2026", target={"value": "261"})
    seen = await split(api, whole, into="quarters")
    assert [(row["period"], row["part"]) for row in seen["parts"]] == [
        ("2026-Q1", "64"),
        ("2026-Q2", "65"),
        ("2026-Q3", "66"),
        ("2026-Q4", "66"),
    ]
    assert {row["step"] for row in (await split(api, whole, into="quarters"))["parts"]} == {"keep"}
    await post_events(api, happened("call.made", "2025-02-10T08:00:00Z", 1))
    await post_events(api, happened("call.made", "2025-11-10T08:00:00Z", 3))
    last_year = await preview(api, whole, into="quarters", by="history")
    assert [row["part"] for row in last_year["parts"]] == ["65", "0", "0", "196"]
    assert [row["step"] for row in last_year["parts"]] == ["change", "cancel", "cancel", "change"]


@pytest.mark.parametrize(
    ("wanted", "pointer", "code"),
    [
        ({"owners": [{"owner": {"type": "member", "id": NOBODY}}]}, "/owners/0/owner/id", "owner_unknown"),
        ({"owners": [{"owner": {"type": "organization"}}]}, "/owners/0/owner", "owner_outside"),
        ({"owners": [{"owner": {"type": "team", "id": NOBODY}, "target": "x"}]}, "/owners/0/target", None),
        ({"owners": []}, "/owners", "too_short"),
        ({"to": "everybody"}, "/to", None),
        ({"to": []}, "/to", None),
        ({"to": "teams", "owners": [{"owner": {"type": "team", "id": NOBODY}}]}, "/to", "split_does_not_fit"),
        ({"on": "2026-07-20"}, "/on", "split_does_not_fit"),
        ({"into": "weeks", "mode": "replan"}, "/mode", "split_does_not_fit"),
        ({"into": "weeks", "depth": 2}, "/depth", "split_does_not_fit"),
        ({"to": "teams"}, "/to", "nobody_there"),
        ({"to": "members", "by": "hand"}, "/owners", "split_does_not_fit"),
        ({"to": "members", "by": "weight"}, "/owners", "split_does_not_fit"),
        ({"to": "members", "ramp_id": NOBODY}, "/ramp_id", "ramp_unknown"),
        ({"to": "members", "exclude": [{"type": "member", "id": NOBODY}]}, "/exclude/0", "owner_unknown"),
        ({"to": "members", "overassign": "NaN"}, "/overassign", None),
        ({"to": "members", "overassign": "1e400"}, "/overassign", None),
        ({"to": "members", "round_to": "0"}, "/round_to", None),
        ({"to": "members", "round_to": "1e30"}, "/round_to", None),
        ({"to": "members", "mode": "replan", "on": "2026-08-01"}, "/on", "replan_after_period"),
        ({"into": "months"}, "/into", "period_too_short"),
        ({"depth": 99}, "/depth", None),
        ({"nonsense": 1}, "/nonsense", None),
    ],
)
async def test_what_cannot_be_split_so_is_told_with_its_place(
    api: Api, north: str, wanted: Any, pointer: str, code: str | None
) -> None:
    await person(api, "Ana", north)
    whole = await goal(api, north)
    for path in ("split/preview", "split"):
        problem = await api.post(f"/goals/{whole}/{path}", wanted, expect=422)
        found = problem["errors"][0]
        assert found["pointer"] == pointer
        assert code is None or found["code"] == code
    assert (await cascade(api, whole))["root"]["parts"] == []


async def test_owners_are_inside_and_listed_once_with_values(api: Api, north: str) -> None:
    ana = await person(api, "Ana", north)
    zoe = await person(api, "Zoe", await team(api, "South"))
    whole = await goal(api, north)
    mine, other = ({"owner": {"type": "member", "id": each}, "weight": "1"} for each in (ana, zoe))
    assert codes(await preview(api, whole, 422, owners=[mine, other], by="weight")) == [
        ("/owners/1/owner/id", "owner_outside")
    ]
    assert codes(await preview(api, whole, 422, owners=[mine, mine], by="weight")) == [
        ("/owners/1/owner", "owner_twice")
    ]
    for weight, code in (("0", "all_weights_zero"), ("-1", "weight_negative"), (None, "part_value_missing")):
        problem = await preview(api, whole, 422, owners=[mine | {"weight": weight}], by="weight")
        assert [each[1] for each in codes(problem)] == [code]


async def test_goals_that_cannot_be_split(api: Api, north: str) -> None:
    ana = await person(api, "Ana", north)
    other = await api.world.organization()
    assert (await other.post(f"/goals/{NOBODY}/split/preview", {}, expect=404))["type"].endswith("goal-not-found")
    whole = await goal(api, north)
    await other.post(f"/goals/{whole}/split", {}, expect=404)
    await other.get(f"/goals/{whole}/cascade", expect=404)
    assert codes(await preview(api, await goal(api, ana, "member"), 422)) == [("/to", "member_split")]
    await api.post(f"/goals/{whole}/lock", {"reason": "Agreed."})
    await split(api, whole, 409, to="members")
    gone = await goal(api, north)
    await api.delete(f"/goals/{gone}")
    await preview(api, gone, 409, to="members")


async def test_of_two_splits_at_once_one_is_told_to_look_again(api: Api, north: str) -> None:
    await trio(api, north)
    whole = await goal(api, north)
    answers = await asyncio.gather(
        *(api.call("POST", f"/goals/{whole}/split", {"to": "members"}, headers={"If-Match": '"1"'}) for _ in range(3))
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 412}
    assert len([answer for answer in answers if answer.status_code == 200]) == 1
    assert len((await cascade(api, whole))["root"]["parts"]) == 3


async def test_who_may_not_set_goals_splits_none_and_nothing_is_left_behind(api: Api, north: str) -> None:
    ana, *_ = await trio(api, north)
    whole = await goal(api, north)
    member = await api.key("member", ["goals:read", "goals:write"], ana)
    await member.post(f"/goals/{whole}/split", {"to": "members"}, expect=403)
    assert (await member.post(f"/goals/{whole}/split/preview", {"to": "members"}))["parts_sum"] == "100"
    assert (await cascade(api, whole))["root"]["parts"] == []


async def test_new_goals_take_names_milestones_and_the_draft_state_of_the_goal(api: Api, north: str) -> None:
    await trio(api, north)
    way = [{"name": "Half way", "value": "50", "due_on": "2026-07-15"}, {"name": "Nearly", "share": "0.9"}]
    whole = await goal(api, north, state="draft", milestones=way)
    done = await split(api, whole, to="members", name="{owner} in {period} {nonsense}", milestones=True, weight="2")
    made = await api.get(f"/goals/{done['parts'][0]['goal_id']}")
    assert (made["name"], made["state"], made["weight"]) == ("Ana in 2026-07 {nonsense}", "draft", "2")
    assert [(each["key"], each["value"], each["share"], each["due_on"]) for each in made["milestones"]] == [
        ("m1", None, "0.5", "2026-07-15"),
        ("m2", None, "0.9", None),
    ]


async def test_parts_of_others_are_kept_or_cancelled(api: Api, north: str) -> None:
    ana, bo, _ = await trio(api, north)
    whole = await goal(api, north)
    await split(api, whole, to="members")
    two = [{"owner": {"type": "member", "id": each}} for each in (ana, bo)]
    kept = await preview(api, whole, owners=two)
    assert parts(kept, "part", "step") == [("Ana", "34", "keep"), ("Bo", "33", "keep"), ("Cy", "33", "keep")]
    done = await split(api, whole, owners=two, others="cancel")
    assert parts(done, "part", "step") == [("Ana", "50", "change"), ("Bo", "50", "change"), ("Cy", "0", "cancel")]
    assert [part["owner"]["name"] for part in (await cascade(api, whole))["root"]["parts"]] == ["Ana", "Bo"]
    assert (await api.get(f"/goals/{done['parts'][2]['goal_id']}"))["state"] == "cancelled"


async def test_goals_in_another_kpi_are_left_out_of_the_sum(api: Api, north: str) -> None:
    ana, *_ = await trio(api, north)
    whole = await goal(api, north)
    other = await goal(api, ana, "member", kpi="revenue_won", parent_id=whole)
    await split(api, whole, to="members")
    root = (await cascade(api, whole))["root"]
    assert (root["check"]["status"], root["check"]["left_out"]) == ("exact", [other])
    assert [part["counted"] for part in root["parts"] if part["goal_id"] == other] == [None]
