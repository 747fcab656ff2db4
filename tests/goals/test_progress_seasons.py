"""What is expected by the course of earlier periods, by whole days, and by ramps (S31, S33), over HTTP."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api


async def calls(api: Api, **by_day: int) -> None:
    for day, number in by_day.items():
        await post_events(api, happened("call.made", f"2026-{day[1:3]}-{day[4:]}T08:00:00Z", number))


async def test_seasonal_is_the_mean_course_of_earlier_periods_with_data(api: Api) -> None:
    """By the end of 10 July 8 of 23 days are past. June has 22 working days: 8 of 23 lie between its 7th and 8th."""
    await define(api, "calls_made")
    await calls(api, d06_01=2, d06_10=2, d06_30=6)
    goal = await goal_of(api, expected="seasonal")
    told = (await progress(api, goal))["expected"]
    # 9 June is the 7th day (2 of 10 by then), 10 June the 8th (4 of 10).
    at = 22 * 8 / 23
    assert (told["follows"], told["seasons"], told["because"]) == ("seasonal", ["2026-06"], None)
    assert told["share"] == pytest.approx(0.2 + 0.2 * (at - 7))
    assert told["value"] == pytest.approx(20 + 20 * (at - 7))
    await calls(api, d04_01=5)
    both = (await progress(api, goal))["expected"]
    assert both["seasons"] == ["2026-06", "2026-04"]
    assert both["share"] == pytest.approx((told["share"] + 1) / 2)
    curve = {point["on"]: point["expected"] for point in (await progress(api, goal))["curve"]["points"]}
    assert (curve["2026-07-12"], curve["2026-07-31"]) == (pytest.approx(both["value"]), 100)


async def test_auto_is_seasonal_once_three_periods_have_data(api: Api) -> None:
    await define(api, "calls_made")
    await calls(api, d05_04=2, d06_01=2)
    goal = await goal_of(api, expected="auto")
    told = await progress(api, goal)
    assert told["expected"]["follows"] == "working_time"
    assert told["expected"]["because"] == "Earlier periods with data: 2; needed: 3."
    assert told["notes"][0]["code"] == "expected_follows_working_time"
    await calls(api, d04_01=2)
    assert (await progress(api, goal, include="none"))["expected"]["follows"] == "seasonal"


async def test_without_earlier_data_seasonal_follows_working_time_and_says_so(api: Api) -> None:
    await define(api, "calls_made", "win_rate")
    told = (await progress(api, await goal_of(api, expected="seasonal")))["expected"]
    assert (told["follows"], told["share"]) == ("working_time", pytest.approx(8 / 23))
    told = (await progress(api, await goal_of(api, "0.4", kpi="win_rate", expected="seasonal")))["expected"]
    assert (told["follows"], told["value"], "does not add up" in told["because"]) == ("working_time", 0.4, True)


async def test_linear_counts_whole_days(api: Api) -> None:
    await define(api, "calls_made")
    told = (await progress(api, await goal_of(api, expected="linear")))["expected"]
    assert (told["follows"], told["share"], told["working_days_past"]) == ("linear", pytest.approx(12 / 31), 8)


async def ramp(api: Api, *shares: str) -> str:
    return str((await api.post("/goal-ramps", {"name": "New", "shares": list(shares)}, expect=201))["id"])


async def joined(api: Api, name: str, actor: str, on: str) -> str:
    member = await member_with_identity(api, name, actor)
    await api.post(f"/members/{member}/employments", {"valid_from": on}, expect=201)
    return member


async def test_a_ramp_asks_for_its_share_by_months_of_service(api: Api) -> None:
    """Joined on 16 June: until 15 July (11 working days) a quarter, then (12) half: 8.75 of 23 days."""
    await define(api, "calls_made")
    ana = await joined(api, "Ana", "1", "2026-06-16")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 7, actor="1"))
    ramping = await ramp(api, "0.25", "0.5")
    told = await progress(api, await goal_of(api, "92", owner={"type": "member", "id": ana}, ramp_id=ramping))
    assert (told["effective_target"], told["ramp_share"]) == (35, pytest.approx(8.75 / 23))
    assert (told["attainment"], told["expected"]["share"]) == (0.2, pytest.approx(2 / 8.75))
    assert told["expected"]["value"] == 8
    assert told["needed"]["remaining"] == 28
    assert told["curve"]["points"][-1]["expected"] == 35
    body = {
        "kpis": ["target_of"], "subjects": [{"member": ana}], "period": "2026-07",
    }  # fmt: skip
    shown: dict[str, Any] = {"key": "target_of", "name": "T", "category": "sales_results", "indicator": "leading"}
    shown |= {"direction": "increase", "unit": {"kind": "count"}, "measures": {}, "formula": "target(kpi.calls_made)"}
    await api.post("/kpis", shown, expect=201)
    found = await api.post("/kpi-results/query", body)
    assert found["series"][0]["total"]["value"] == 35


async def test_of_a_team_only_new_members_ramp_up(api: Api) -> None:
    """Ana since ever: 23 days; Bo from 1 July at half: 11.5 of 23."""
    await define(api, "calls_made")
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    ana, bo = await member_with_identity(api, "Ana", "1"), await joined(api, "Bo", "2", "2026-07-01")
    for member in (ana, bo):
        await api.post(f"/teams/{north}/memberships", {"member_id": member}, expect=201)
    told = await progress(
        api, await goal_of(api, "100", owner={"type": "team", "id": north}, ramp_id=await ramp(api, "0.5"))
    )
    assert (told["effective_target"], told["expected"]["share"]) == (75, pytest.approx(8 / 23))


async def test_thresholds_are_those_of_the_settings_as_known(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 40))
    goal = await goal_of(api)
    settings: Any = await api.get("/goal-settings")
    body = {name: settings[name] for name in ("grace_working_days", "behind_below", "too_early_before", "rules")}
    await api.set_clock("2026-07-13T11:00:00Z")
    await api.put("/goal-settings", body | {"ahead_above": "1.2"})
    now = await progress(api, goal)
    assert (now["pace_verdict"], now["thresholds"]["ahead_above"]) == ("on_track", "1.2")
    then = await progress(api, goal, as_of="2026-07-13T10:30:00Z")
    assert (then["pace_verdict"], then["thresholds"]["ahead_above"]) == ("ahead", "1.1")


async def test_as_of_the_past_the_goal_is_in_the_state_it_was_in(api: Api) -> None:
    """S5."""
    await define(api, "calls_made")
    goal = await goal_of(api, state="draft")
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.patch(f"/goals/{goal}", {"state": "open"})
    await api.set_clock("2026-07-15T10:00:00Z")
    await api.patch(f"/goals/{goal}", {"state": "cancelled"})
    states = [(await progress(api, goal, as_of=f"2026-07-{day}T12:00:00Z"))["state"] for day in ("13", "14")]
    assert [*states, (await progress(api, goal))["state"]] == ["draft", "active", "cancelled"]
