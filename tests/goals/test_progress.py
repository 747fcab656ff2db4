"""How goals stand (S30–S34, golden example 8), over HTTP from posted events."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api

JULY = {"name": "July", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-07"}


async def goal_of(api: Api, target: Any = "100", **changes: Any) -> str:
    body = JULY | {"target": {"value": target} if isinstance(target, str) else target} | changes
    return str((await api.post("/goals", body, expect=201))["id"])


async def progress(api: Api, goal_id: str, **params: Any) -> Any:
    return await api.get(f"/goals/{goal_id}/progress", **params)


async def test_golden_8_forty_calls_of_a_hundred_by_10_july_are_ahead(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 40))
    goal = await goal_of(api)
    now = await progress(api, goal)
    assert (now["actual"], now["status"], now["sample"]) == (40, "ok", 40)
    assert now["attainment"] == 0.4
    assert now["expected"]["share"] == pytest.approx(8 / 23)
    assert (now["expected"]["working_days_past"], now["expected"]["working_days_total"]) == (8, 23)
    assert now["expected"]["value"] == pytest.approx(800 / 23)
    assert (now["pace"], now["pace_verdict"], now["verdict"]) == (1.15, "ahead", None)
    assert (now["as_of"], now["kpi"], now["direction"]) == ("2026-07-13T10:00:00Z", "calls_made", "increase")
    assert now["unit"] == {"kind": "count"}


async def test_golden_8_ten_lost_deals_of_twenty_at_half_time_are_on_track(api: Api) -> None:
    """13 and 14 July of four working days."""
    await define(api, "deals_lost")
    await api.set_clock("2026-07-14T22:00:00Z")
    await post_events(api, happened("deal.lost", "2026-07-13T08:00:00Z", 10))
    now = await progress(api, await goal_of(api, "20", kpi="deals_lost", period="2026-07-13..2026-07-16"))
    assert (now["expected"]["share"], now["pace"], now["pace_verdict"]) == (0.5, 1, "on_track")
    assert (now["attainment"], now["verdict"]) == (2, "on_course")


async def test_holidays_of_the_calendar_move_what_is_expected(api: Api) -> None:
    """S31: without Thursday 9 July it is 7 of 22 days."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.post("/calendars", {"name": "Own", "holidays": ["2026-07-09"], "is_default": True}, expect=201)
    assert (await progress(api, goal))["expected"]["share"] == pytest.approx(7 / 22)


async def test_a_member_is_expected_what_their_own_calendar_and_part_time_give(api: Api) -> None:
    """S31: Ana works on Mondays only; from 20 July half of the time: 6 and 13 July of 2 + 2 × ½."""
    await define(api, "calls_made")
    ana = await member_with_identity(api, "Ana", "7421")
    mondays = {"name": "Mondays", "weekdays": {"monday": [{"start": "08:00", "end": "12:00"}]}}
    calendar = (await api.post("/calendars", mondays, expect=201))["id"]
    path = f"/members/{ana}/assignments"
    await api.post(path, {"calendar_id": calendar, "valid_to": "2026-07-20"}, expect=201)
    await api.post(path, {"calendar_id": calendar, "fte": "0.5", "valid_from": "2026-07-20"}, expect=201)
    await post_events(api, happened("call.made", "2026-07-13T08:00:00Z", 3))
    await post_events(api, happened("call.made", "2026-07-13T08:00:00Z", 5, actor="somebody else"))
    goal = await goal_of(api, owner={"type": "member", "id": ana})
    now = await progress(api, goal)
    assert (now["actual"], now["expected"]["share"]) == (3, pytest.approx(1 / 3))
    await api.set_clock("2026-07-14T10:00:00Z")
    assert (await progress(api, goal))["expected"]["share"] == pytest.approx(2 / 3)


async def test_a_team_is_expected_what_its_members_days_in_it_give(api: Api) -> None:
    """S31: one all July, one from 16 July in a team below: 8 of 23 + 12 days; the calls of both count."""
    await define(api, "calls_made")
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    coast = (await api.post("/teams", {"name": "Coast", "parent_id": north}, expect=201))["id"]
    ana, bo = await member_with_identity(api, "Ana", "1"), await member_with_identity(api, "Bo", "2")
    await api.post(f"/teams/{north}/memberships", {"member_id": ana}, expect=201)
    await api.post(f"/teams/{coast}/memberships", {"member_id": bo, "valid_from": "2026-07-16"}, expect=201)
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4, actor="1"))
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 2, actor="2"))
    now = await progress(api, await goal_of(api, owner={"type": "team", "id": north}))
    assert (now["actual"], now["expected"]["share"]) == (4, pytest.approx(8 / 35))


async def test_a_team_without_members_is_expected_what_the_organizations_days_give(api: Api) -> None:
    await define(api, "calls_made")
    team = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    now = await progress(api, await goal_of(api, owner={"type": "team", "id": team}))
    assert (now["actual"], now["expected"]["share"]) == (0, pytest.approx(8 / 23))


async def test_a_ratio_compares_the_value_so_far_with_the_whole_target(api: Api) -> None:
    """S32, S34."""
    await define(api, "win_rate")
    await post_events(api, happened("deal.won", "2026-07-02T08:00:00Z", 3))
    await post_events(api, happened("deal.lost", "2026-07-02T08:00:00Z", 3))
    now = await progress(api, await goal_of(api, "0.4", kpi="win_rate"))
    assert (now["actual"], now["pace"], now["pace_verdict"]) == (0.5, 1.25, "ahead")
    assert (now["expected"]["value"], now["verdict"]) == (0.4, "on_course")


async def test_a_ratio_without_data_is_not_judged(api: Api) -> None:
    """S12: missing is not zero."""
    await define(api, "win_rate")
    now = await progress(api, await goal_of(api, "0.4", kpi="win_rate"))
    assert (now["actual"], now["status"], now["attainment"]) == (None, "no_data", None)
    assert (now["pace"], now["pace_verdict"], now["verdict"]) == (None, None, None)
    assert now["expected"]["working_days_past"] == 8


async def test_a_band_is_kept_or_not(api: Api) -> None:
    """S30."""
    await define(api, "calls_made", direction="maintain")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 5))
    now = await progress(api, await goal_of(api, {"low": "10", "high": "20"}))
    assert (now["attainment"], now["pace"], now["pace_verdict"]) == (0.5, 0.5, "behind")
    assert (now["expected"]["value"], now["target"]) == (
        None,
        {"value": None, "low": "10", "high": "20", "stretch": None, "baseline": None},
    )


async def test_money_is_measured_in_the_goals_currency(api: Api) -> None:
    await define(api, "revenue_won")
    amount = {"value": "100.10", "currency": "EUR"}
    await post_events(api, happened("deal.won", "2026-07-02T08:00:00Z", 2, amount=amount))
    now = await progress(api, await goal_of(api, "1000", kpi="revenue_won"))
    assert (now["actual"], now["currency"], now["attainment"]) == (200.2, "EUR", 0.2002)


async def test_a_count_that_reached_its_target_is_attained_for_good(api: Api) -> None:
    """S34."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 100))
    assert (await progress(api, goal))["verdict"] == "attained"


async def test_what_is_not_reached_at_the_end_is_missed(api: Api) -> None:
    """S34."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.set_clock("2026-07-31T22:00:00Z")
    now = await progress(api, goal)
    assert (now["expected"]["share"], now["pace_verdict"], now["verdict"]) == (1, "behind", "missed")


async def test_before_its_period_a_goal_is_too_early_to_judge(api: Api) -> None:
    await define(api, "calls_made")
    now = await progress(api, await goal_of(api, period="2026-08"))
    assert (now["state"], now["expected"]["share"]) == ("scheduled", 0)
    assert (now["actual"], now["pace"], now["pace_verdict"]) == (0, None, "too_early")


async def test_progress_as_of_an_earlier_instant_knows_only_what_was_recorded_by_then(api: Api) -> None:
    """S5: events, target and clock."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 10))
    await api.set_clock("2026-07-20T10:00:00Z")
    await post_events(api, happened("call.made", "2026-07-03T08:00:00Z", 10))
    await api.post(f"/goals/{goal}/targets", {"target": {"value": "200"}, "reason": "More."}, expect=201)
    then = await progress(api, goal, as_of="2026-07-14T00:00:00Z")
    assert (then["actual"], then["target"]["value"], then["attainment"]) == (10, "100", 0.1)
    assert (then["as_of"], then["known_at"]) == ("2026-07-14T00:00:00Z", "2026-07-14T00:00:00Z")
    assert then["expected"]["working_days_past"] == 9
    now = await progress(api, goal)
    assert (now["actual"], now["target"]["value"], now["expected"]["working_days_past"]) == (20, "200", 13)


async def test_before_a_goal_was_recorded_it_has_no_target(api: Api) -> None:
    """S5."""
    await define(api, "calls_made")
    await api.set_clock("2026-07-20T10:00:00Z")
    goal = await goal_of(api)
    then = await progress(api, goal, as_of="2026-07-14T00:00:00Z")
    assert (then["target"], then["expected"], then["verdict"]) == (None, None, None)


async def test_a_progress_in_the_future_or_of_nothing_is_refused(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    future = await api.get(f"/goals/{goal}/progress", as_of="2027-01-01T00:00:00Z", expect=422)
    assert future["type"] == "/problems/as-of-in-the-future"
    await api.get(f"/goals/{goal}/progress", as_of="2026-07-10T00:00:00", expect=422)
    await api.get(f"/goals/{goal}/progress", colour="red", expect=422)
    await api.get("/goals/00000000-0000-7000-8000-000000000000/progress", expect=404)


async def test_a_closed_goal_keeps_its_figures_and_tells_of_restatements(api: Api) -> None:
    """S6, S34."""
    await define(api, "calls_made")
    goal = await goal_of(api, "10")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 10))
    await api.post(f"/goals/{goal}/close", expect=409)
    await api.set_clock("2026-08-04T08:00:00Z")
    closed = await api.post(f"/goals/{goal}/close", expect=200)
    assert (closed["state"], closed["available_actions"]) == ("closed", [])
    frozen = await progress(api, goal)
    assert (frozen["state"], frozen["actual"], frozen["verdict"], frozen["restated_since"]) == (
        "closed", 10, "attained", False
    )  # fmt: skip
    assert len(frozen["digest"]) == 64
    await api.set_clock("2026-08-05T08:00:00Z")
    retraction = {"external_id": "call.made-2026-07-02T08:00:00Z-7421-0", "version": 1, "retracted": True}
    await post_events(api, [retraction | {"type": "call.made", "occurred_at": "2026-07-02T08:00:00Z"}])
    later = await progress(api, goal)
    assert (later["actual"], later["verdict"], later["restated_since"]) == (10, "attained", True)
    assert (later["digest"], later["as_of"]) == (frozen["digest"], frozen["as_of"])
    assert (await progress(api, goal, as_of="2026-08-05T07:59:59Z"))["actual"] == 10
    await api.set_clock("2026-08-06T08:00:00Z")
    assert (await progress(api, goal, as_of="2026-08-06T08:00:00Z"))["actual"] == 9
    await api.post(f"/goals/{goal}/close", expect=409)
    await api.post(f"/goals/{goal}/targets", {"target": {"value": "9"}, "reason": "Cheat."}, expect=409)


async def test_a_goal_whose_figures_are_no_whole_numbers_can_be_closed(api: Api) -> None:
    """S19, S34: frozen to 15 significant digits, as answers are."""
    await define(api, "calls_made")
    goal = await goal_of(api, "9")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4))
    await api.set_clock("2026-08-04T08:00:00Z")
    await api.post(f"/goals/{goal}/close", expect=200)
    frozen = await progress(api, goal)
    assert (frozen["actual"], frozen["attainment"], frozen["verdict"]) == (4, 0.444444444444444, "missed")
    assert frozen["restated_since"] is False
