"""Burn-up curves, what is needed, stretch and change (design section 7), over HTTP."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api


def points(told: Any) -> dict[str, Any]:
    return {point["on"]: point for point in told["curve"]["points"]}


async def test_a_count_burns_up_day_by_day_beside_what_is_expected(api: Api) -> None:
    """The clock stands on Monday 13 July at noon."""
    await define(api, "calls_made")
    for day, number in ((1, 5), (2, 7), (13, 3)):
        await post_events(api, happened("call.made", f"2026-07-{day:02}T08:00:00Z", number))
    told = await progress(api, await goal_of(api, {"value": "100", "stretch": "200"}))
    found = points(told)
    assert told["curve"]["grain"] == "day"
    assert len(found) == 31
    assert [found[f"2026-07-{day:02}"]["actual"] for day in (1, 2, 3, 12, 13, 14)] == [5, 12, 12, 12, 15, None]
    assert found["2026-07-10"]["expected"] == pytest.approx(800 / 23)
    assert (found["2026-07-12"]["expected"], found["2026-07-10"]["stretch"]) == (
        found["2026-07-10"]["expected"], pytest.approx(1600 / 23)
    )  # fmt: skip
    assert (found["2026-07-31"]["expected"], found["2026-07-31"]["actual"]) == (100, None)
    assert (told["stretch"]["attainment"], told["stretch"]["is_reached"]) == (0.075, False)
    assert told["needed"] == {
        "remaining": 85, "working_days_left": 15, "per_working_day": pytest.approx(85 / 15),
        "achieved_per_working_day": 1.875, "because": None,
    }  # fmt: skip


async def test_a_ratio_is_shown_to_date_against_its_whole_target(api: Api) -> None:
    await define(api, "win_rate")
    await post_events(api, happened("deal.won", "2026-07-02T08:00:00Z", 3))
    await post_events(api, happened("deal.lost", "2026-07-06T08:00:00Z", 1))
    await post_events(api, happened("deal.lost", "2026-07-13T08:00:00Z", 2))
    told = await progress(api, await goal_of(api, "0.4", kpi="win_rate"))
    found = points(told)
    assert [found[f"2026-07-{day:02}"]["actual"] for day in (1, 2, 5, 6, 12, 13, 14)] == [
        None, 1, 1, 0.75, 0.75, 0.5, None
    ]  # fmt: skip
    assert {point["expected"] for point in found.values()} == {0.4}
    assert (told["needed"]["because"], told["needed"]["per_working_day"]) == ("not_additive", None)


async def test_a_year_is_shown_by_weeks_and_ends_with_today(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-02-02T08:00:00Z", 4))
    await post_events(api, happened("call.made", "2026-07-13T08:00:00Z", 3))
    told = await progress(api, await goal_of(api, "100", period="2026"))
    found = points(told)
    assert told["curve"]["grain"] == "week"
    assert len(found) <= 100
    assert (found["2026-02-01"]["actual"], found["2026-02-08"]["actual"], found["2026-07-13"]["actual"]) == (0, 4, 7)
    assert (found["2026-07-19"]["actual"], found["2026-12-31"]["expected"]) == (None, 100)


async def test_a_scheduled_goal_has_only_what_is_expected(api: Api) -> None:
    await define(api, "calls_made")
    told = await progress(api, await goal_of(api, period="2026-08"))
    assert {point["actual"] for point in told["curve"]["points"]} == {None}
    assert told["curve"]["points"][-1]["expected"] == 100
    assert (told["needed"]["working_days_left"], told["needed"]["achieved_per_working_day"]) == (21, None)


async def test_of_a_limit_it_says_how_much_may_still_be_used(api: Api) -> None:
    await define(api, "deals_lost")
    await post_events(api, happened("deal.lost", "2026-07-02T08:00:00Z", 5))
    goal = await goal_of(api, "20", kpi="deals_lost")
    assert ((needed := (await progress(api, goal))["needed"])["remaining"], needed["per_working_day"]) == (15, 1)
    await post_events(api, happened("deal.lost", "2026-07-03T08:00:00Z", 17))
    assert ((needed := (await progress(api, goal))["needed"])["remaining"], needed["per_working_day"]) == (-2, 0)


async def test_less_can_be_asked_for(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    alone = await progress(api, goal, include="none")
    beside = ("curve", "milestones", "contributions", "pipeline", "notes")
    assert {alone[name] for name in beside} == {None}
    some = await progress(api, goal, include="curve,notes")
    assert [name for name in beside if some[name] is not None] == ["curve", "notes"]
    await api.get(f"/goals/{goal}/progress", include="colour", expect=422)
    everything = await progress(api, goal)
    assert [everything[name] is None for name in beside] == [False] * 5


async def test_a_relative_target_tells_how_much_of_the_change_is_done(api: Api) -> None:
    """S30: from 20 in June to 40; 30 is half of the way."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-06-02T08:00:00Z", 20))
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 30))
    told = await progress(api, await goal_of(api, {"change": {"by": "1", "on": "previous_period"}}))
    assert (told["target"]["value"], told["attainment"], told["change_attainment"]) == ("40", 0.75, 0.5)


async def test_contributions_of_a_team_add_up_with_leavers(api: Api) -> None:
    """S8: Ana was in North until 6 July."""
    await define(api, "calls_made")
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    ana, bo = await member_with_identity(api, "Ana", "1"), await member_with_identity(api, "Bo", "2")
    await api.post(f"/teams/{north}/memberships", {"member_id": ana, "valid_to": "2026-07-06"}, expect=201)
    await api.post(f"/teams/{north}/memberships", {"member_id": bo}, expect=201)
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 3, actor="1"))
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 9, actor="1"))
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 1, actor="2"))
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 2, actor="stranger"))
    goal = await goal_of(api, owner={"type": "team", "id": north})
    own = await goal_of(api, "4", owner={"type": "member", "id": bo}, parent_id=goal)
    told = await progress(api, goal)
    rows = told["contributions"]["rows"]
    assert (told["actual"], told["contributions"]["adds_up"]) == (4, True)
    assert [(row["name"], row["value"], row["share"]) for row in rows] == [("Ana", 3, 0.75), ("Bo", 1, 0.25)]
    assert [row["goal"] for row in rows] == [None, {"goal_id": own, "target": 4, "attainment": 0.25}]
    whole = await progress(api, await goal_of(api))
    assert [(row["name"], row["value"]) for row in whole["contributions"]["rows"]] == [
        ("Ana", 12), ("Bo", 1), (None, 2)
    ]  # fmt: skip


async def test_values_of_a_ratio_stand_beside_each_other_without_shares(api: Api) -> None:
    await define(api, "win_rate")
    await member_with_identity(api, "Ana", "7421")
    await post_events(api, happened("deal.won", "2026-07-02T08:00:00Z", 1))
    told = await progress(api, await goal_of(api, "0.4", kpi="win_rate"))
    (row,) = told["contributions"]["rows"]
    assert (row["value"], row["sample"], row["share"], told["contributions"]["adds_up"]) == (1, 1, None, False)


async def test_notes_tell_what_changed_and_what_people_wrote(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.post(f"/goals/{goal}/targets", {"target": {"value": "120"}, "reason": "More people."}, expect=201)
    await api.post(f"/goals/{goal}/notes", {"text": "Trade fair.", "on_day": "2026-07-08"}, expect=201)
    notes = (await progress(api, goal))["notes"]
    assert [(note["code"], note["on"]) for note in notes] == [("note", "2026-07-08"), ("target_changed", "2026-07-13")]
    assert notes[1]["text"] == "On 2026-07-13 the target was changed from 100 to 120. More people."


async def test_a_closed_goal_keeps_curve_and_all(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 10))
    goal = await goal_of(api, "10", milestones=[{"name": "Half", "share": "0.5"}])
    await api.set_clock("2026-08-04T08:00:00Z")
    before = await progress(api, goal)
    await api.post(f"/goals/{goal}/close", expect=200)
    frozen = await progress(api, goal)
    beside = ("curve", "milestones", "contributions", "needed", "expected", "terms", "thresholds")
    assert [frozen[name] for name in beside] == [before[name] for name in beside]
    assert frozen["difference"] == 0
    await api.set_clock("2026-08-05T08:00:00Z")
    await post_events(api, happened("call.made", "2026-07-03T08:00:00Z", 2))
    later = await progress(api, goal)
    assert (later["restated_since"], later["difference"], later["notes"][0]["code"]) == (True, 2, "restated")
    assert (await progress(api, goal, include="none"))["curve"] is None
    refused = await api.get(f"/goals/{goal}/progress", expect=422, include="none,curve")
    assert refused["errors"][0]["pointer"] == "?include"
