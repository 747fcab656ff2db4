"""Parts are planned anew when people join, leave, move or are long absent, over HTTP (G4, S33)."""

from typing import Any

import pytest

from tests.goals.cascade.test_splits import cascade, codes, goal, parts, person, preview, split, team
from tests.goals.facts import define, happened, post_events
from tests.support import Api


@pytest.fixture
async def north(api: Api) -> str:
    await define(api, "calls_made")
    return await team(api, "North")


async def leave(api: Api, team_id: str, member: str, last: str) -> None:
    rows = (await api.get(f"/teams/{team_id}/memberships"))["items"]
    (mine,) = (each for each in rows if each["member_id"] == member)
    await api.patch(f"/teams/{team_id}/memberships/{mine['id']}", {"valid_to": last})


def due(tree: Any) -> list[tuple[str, str]]:
    return [(each["owner"]["name"], each["what"]) for each in tree["due"]]


async def test_a_team_is_planned_anew_on_three_days(api: Api, north: str) -> None:
    """230 calls of Ana and Bo in July (23 days): 115 each. Cy joins on 13 July, Bo moves away on 22 July."""
    await api.set_clock("2026-07-01T06:00:00Z")
    south = await team(api, "South")
    await person(api, "Ana", north)
    bo = await person(api, "Bo", north)
    whole = await goal(api, north, target={"value": "230"})
    first = await split(api, whole, to="members", counts="parts")
    assert parts(first) == [("Ana", "115"), ("Bo", "115")]
    assert due(await cascade(api, whole)) == []

    # 13 July: 8 days are past, 15 are left. 40 each is planned until then; 150 are left for three.
    await api.set_clock("2026-07-13T06:00:00Z")
    await person(api, "Cy", north, valid_from="2026-07-13")
    before = await cascade(api, whole)
    assert (due(before), before["is_replan_due"]) == ([("Cy", "joined")], True)
    assert [each["name"] for each in before["root"]["check"]["missing"]] == ["Cy"]
    seen = await preview(api, whole, to="members", mode="replan")
    assert parts(seen, "old_target", "target", "step", "period") == [
        ("Ana", "115", "90", "change", "2026-07"),
        ("Bo", "115", "90", "change", "2026-07"),
        ("Cy", None, "50", "create", "2026-07-13..2026-07-31"),
    ]
    assert seen["parts"][0]["why"].startswith("40 until 2026-07-13 as it was planned, and of the 150 left: 0.6522 of")
    second = await split(api, whole, to="members", mode="replan", expect=200)
    history = await api.get(f"/goals/{second['parts'][0]['goal_id']}/targets")
    assert [(each["new"]["value"], each["reason"]) for each in history["items"]] == [
        ("115", "Split: Calls"),
        ("90", "Re-planned: Calls"),
    ]
    assert due(await cascade(api, whole)) == []
    assert (await cascade(api, whole))["root"]["check"]["status"] == "exact"

    # 22 July: Bo moves to South. He had 40 + 7 days of 50 / 15; 8 days are left for Ana and Cy.
    await api.set_clock("2026-07-22T06:00:00Z")
    await leave(api, north, bo, "2026-07-22")
    await api.post(f"/teams/{south}/memberships", {"member_id": bo, "valid_from": "2026-07-22"}, expect=201)
    tree = await cascade(api, whole)
    assert due(tree) == [("Bo", "moved")]
    assert tree["due"][0]["why"] == "Bo left North for South; the last day was 2026-07-21."
    assert (tree["due"][0]["start"], tree["due"][0]["end"]) == ("2026-07-22", "2026-08-01")
    assert tree["root"]["check"]["status"] == "gap"
    third = await split(api, whole, to="members", mode="replan", reason="Bo moved to South.")
    assert parts(third, "step", "period") == [
        ("Ana", "change", "2026-07"),
        ("Bo", "replace", "2026-07-01..2026-07-21"),
        ("Cy", "change", "2026-07-13..2026-07-31"),
    ]
    assert third["parts_sum"] == "230"
    assert (await cascade(api, whole))["root"]["check"]["status"] == "exact"
    assert [part["owner"]["name"] for part in (await cascade(api, whole))["root"]["parts"]] == ["Ana", "Bo", "Cy"]
    # As it was known before, the tree is what it was.
    assert due(await cascade(api, whole, as_of="2026-07-20T06:00:00Z")) == []
    assert [part["target"] for part in (await cascade(api, whole, as_of="2026-07-20T06:00:00Z"))["root"]["parts"]] == [
        "90",
        "90",
        "50",
    ]


async def test_without_changes_a_replan_changes_nothing(api: Api, north: str) -> None:
    for name in ("Ana", "Bo", "Cy"):
        await person(api, name, north)
    whole = await goal(api, north, target={"value": "300"})
    await split(api, whole, to="members")
    assert parts(await split(api, whole, to="members", mode="replan", on="2026-07-20"), "part", "step") == [
        ("Ana", "100", "keep"),
        ("Bo", "100", "keep"),
        ("Cy", "100", "keep"),
    ]


async def test_who_left_the_organization_keeps_what_was_planned_or_what_they_achieved(api: Api, north: str) -> None:
    """Bo's last day is 10 July (8 of 23 days): 40 of 115 by time, 55 calls made. His goal keeps its days."""
    await person(api, "Ana", north)
    bo = await person(api, "Bo", north)
    employment = await api.post(f"/members/{bo}/employments", {"valid_from": "2026-01-01"}, expect=201)
    whole = await goal(api, north, target={"value": "230"})
    await split(api, whole, to="members")
    await post_events(api, happened("call.made", "2026-07-08T08:00:00Z", 55, actor="Bo"))
    await api.patch(f"/members/{bo}/employments/{employment['id']}", {"valid_to": "2026-07-11"})
    pro_rata = await preview(api, whole, to="members", mode="replan", on="2026-07-11")
    assert parts(pro_rata, "part", "step", "period") == [
        ("Ana", "190", "change", "2026-07"),
        ("Bo", "40", "change", "2026-07"),
    ]
    achieved = await preview(api, whole, to="members", mode="replan", on="2026-07-11", leavers="achieved")
    assert parts(achieved) == [("Ana", "175"), ("Bo", "55")]


async def test_long_absence_makes_a_replan_due_and_short_ones_do_not(api: Api, north: str) -> None:
    """Bo is away from 20 July on: 10 working days."""
    await person(api, "Ana", north)
    bo = await person(api, "Bo", north)
    whole = await goal(api, north, target={"value": "230"})
    await split(api, whole, to="members")
    short = {"valid_from": "2026-07-02", "valid_to": "2026-07-04", "effect": "prorate_target"}
    await api.post(f"/members/{bo}/absences", short, expect=201)
    assert due(await cascade(api, whole)) == []
    long = {"valid_from": "2026-07-20", "valid_to": "2026-09-01", "effect": "prorate_target"}
    await api.post(f"/members/{bo}/absences", long, expect=201)
    tree = await cascade(api, whole)
    assert due(tree) == [("Bo", "absent")]
    assert tree["due"][0]["why"] == "Bo is absent from 2026-07-02 to 2026-07-03 and from 2026-07-20 to 2026-07-31."
    assert tree["root"]["is_replan_due"] is True
    assert tree["root"]["check"]["gap"] == 60
    done = await split(api, whole, to="members", mode="replan")
    assert done["parts_sum"] == "230"
    tree = await cascade(api, whole)
    assert (due(tree), tree["root"]["check"]["status"]) == ([], "exact")


async def test_moves_between_teams_are_due_for_the_goal_above(api: Api) -> None:
    await define(api, "calls_made")
    north, south = await team(api, "North"), await team(api, "South")
    ana = await person(api, "Ana", north)
    await person(api, "Bo", south)
    whole = await goal(api, target={"value": "230"})
    await split(api, whole, to="teams")
    await leave(api, north, ana, "2026-07-20")
    await api.post(f"/teams/{south}/memberships", {"member_id": ana, "valid_from": "2026-07-20"}, expect=201)
    tree = await cascade(api, whole)
    assert [(each["owner"]["name"], each["within"]["name"], each["what"]) for each in tree["due"]] == [
        ("Ana", "North", "moved"),
        ("Ana", "South", "moved"),
    ]
    assert [each["why"] for each in tree["due"]] == [
        "Ana left North for South; the last day was 2026-07-19.",
        "Ana joined South from North on 2026-07-20.",
    ]
    done = await split(api, whole, to="teams", mode="replan")
    assert done["parts_sum"] == "230"


async def test_nobody_left_is_told(api: Api, north: str) -> None:
    ana = await person(api, "Ana", north)
    whole = await goal(api, north)
    await split(api, whole, to="members")
    await leave(api, north, ana, "2026-07-10")
    assert codes(await preview(api, whole, 422, to="members", mode="replan")) == [("/by", "all_weights_zero")]
