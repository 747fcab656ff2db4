"""What absences of both kinds do to goals and their targets, over HTTP (S5, S22, S31)."""

from typing import Any
from uuid import UUID

import pytest

from app.kpis.attribution import Subject
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.goals.test_targets import aimed, set_goal
from tests.support import Api

AFTER_13_DAYS = "2026-06-18T22:00:00Z"  # the end of Thursday 18 June in Warsaw
HOLIDAYS = {"valid_from": "2026-06-01", "valid_to": "2026-06-08", "effect": "reschedule"}
LEAVE = {"valid_from": "2026-06-15", "valid_to": "2026-06-17", "effect": "prorate_target"}


async def away(api: Api, member: str, *absences: dict[str, str]) -> list[Any]:
    return [await api.post(f"/members/{member}/absences", each, expect=201) for each in absences]


@pytest.fixture
async def ana(api: Api) -> str:
    """A member who works on 21 days of June: 4 June is a holiday."""
    await define(api, "calls_made", "win_rate")
    calendar = {"name": "Own", "holidays": ["2026-06-04"], "is_default": True}
    await api.post("/calendars", calendar, expect=201)
    await api.set_clock(AFTER_13_DAYS)
    return await member_with_identity(api, "Ana", "7421")


async def targets_of(api: Api, member: str, period: str, grain: Any = "total", **changes: Any) -> Any:
    found: Any = await aimed(api, changes.pop("kpi", "calls_made"), period, grain, Subject("member", UUID(member)))
    return [value if value is None else pytest.approx(float(value)) for value in found or []]


async def test_a_week_is_aimed_at_by_the_remaining_days_of_what_is_left_of_the_target(api: Api, ana: str) -> None:
    """S22, S31: 21 working days, 4 of holidays, 2 of leave. 150 × 15 / 17 = 132.35; the week 132.35 × 5 / 15."""
    owner = {"type": "member", "id": ana}
    await set_goal(api, "calls_made", "2026-06", "150", owner=owner)
    assert await targets_of(api, ana, "2026-W24") == [150 * 5 / 21]
    await away(api, ana, HOLIDAYS, LEAVE)
    assert await targets_of(api, ana, "2026-W24") == [pytest.approx(44.1176470588235)]
    assert await targets_of(api, ana, "2026-06") == [pytest.approx(132.352941176471)]
    weeks = await targets_of(api, ana, "2026-06-01..2026-06-28", "week")
    assert weeks == [pytest.approx(150 / 17 * days) for days in (0, 5, 3, 5)]


async def test_progress_tells_the_target_as_set_and_what_is_left_of_it(api: Api, ana: str) -> None:
    """S30-S32: 7 of the 15 remaining days are past; 2 / 17 of the target are taken away."""
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 60))
    before = await progress(api, goal)
    assert (before["effective_target"], before["attainment"]) == (None, 0.4)
    assert before["expected"]["share"] == pytest.approx(13 / 21)
    await away(api, ana, HOLIDAYS, LEAVE)
    now = await progress(api, goal)
    assert (now["target"]["value"], now["effective_target"]) == ("150", pytest.approx(150 * 15 / 17))
    assert now["expected"]["share"] == pytest.approx(7 / 15)
    assert now["expected"]["value"] == pytest.approx(150 * 7 / 17)
    assert now["attainment"] == pytest.approx(60 * 17 / (150 * 15))
    assert (now["pace"], now["pace_verdict"]) == (pytest.approx(60 * 17 / (150 * 7)), "on_track")


async def test_holidays_move_the_work_and_leave_the_target(api: Api, ana: str) -> None:
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await away(api, ana, HOLIDAYS)
    now = await progress(api, goal)
    assert (now["effective_target"], now["expected"]["share"]) == (None, pytest.approx(9 / 17))
    assert await targets_of(api, ana, "2026-06") == [150]


async def test_what_is_left_of_a_target_can_be_attained(api: Api, ana: str) -> None:
    """S34: 133 of 150 calls are enough where 132.35 are asked for."""
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 133))
    assert (await progress(api, goal))["verdict"] is None
    await away(api, ana, HOLIDAYS, LEAVE)
    assert (await progress(api, goal))["verdict"] == "attained"


async def test_who_is_away_for_the_whole_period_is_not_judged(api: Api, ana: str) -> None:
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await away(api, ana, LEAVE | {"valid_from": "2026-05-01", "valid_to": "2026-10-01"})
    now = await progress(api, goal)
    assert (now["target"]["value"], now["effective_target"], now["expected"]["value"]) == ("150", 0, 0)
    assert (now["attainment"], now["pace"], now["pace_verdict"], now["verdict"]) == (None, None, None, None)
    assert await targets_of(api, ana, "2026-06-01..2026-06-28", "week") == [0, 0, 0, 0]


async def test_a_ratio_is_asked_for_whoever_is_away(api: Api, ana: str) -> None:
    owner = {"type": "member", "id": ana}
    goal = await goal_of(api, "0.4", kpi="win_rate", period="2026-06", owner=owner)
    await away(api, ana, HOLIDAYS, LEAVE)
    now = await progress(api, goal)
    assert (now["effective_target"], now["expected"]["value"]) == (None, 0.4)
    assert await targets_of(api, ana, "2026-06-08..2026-06-30", kpi="win_rate") == [0.4]


async def test_goals_that_tile_a_window_each_lose_their_own_part(api: Api, ana: str) -> None:
    """May has 21 working days (no holiday is said of it), June 21: 2 of them away take 2 / 21 of June's 105."""
    owner = {"type": "member", "id": ana}
    await set_goal(api, "calls_made", "2026-05", "100", owner=owner)
    await set_goal(api, "calls_made", "2026-06", "105", owner=owner)
    await away(api, ana, LEAVE)
    assert await targets_of(api, ana, "2026-05-01..2026-06-30") == [195]


async def test_a_team_loses_the_absent_members_share_of_its_working_time(api: Api, ana: str) -> None:
    """Ana 21 days, Bo from 22 June 7 days: 2 of 28 are away. The organization's goal stays."""
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    bo = await member_with_identity(api, "Bo", "2")
    await api.post(f"/teams/{north}/memberships", {"member_id": ana}, expect=201)
    await api.post(f"/teams/{north}/memberships", {"member_id": bo, "valid_from": "2026-06-22"}, expect=201)
    goal = await goal_of(api, "280", period="2026-06", owner={"type": "team", "id": north})
    everybodys = await goal_of(api, "280", period="2026-06")
    await away(api, ana, LEAVE)
    await away(api, bo, LEAVE)  # before he came to North
    now = await progress(api, goal)
    assert (now["effective_target"], now["expected"]["share"]) == (260, pytest.approx(11 / 26))
    whole = await progress(api, everybodys)
    assert (whole["effective_target"], whole["expected"]["share"]) == (None, pytest.approx(13 / 21))


async def test_a_member_works_on_the_days_of_their_employment(api: Api, ana: str) -> None:
    """S31: employed from 15 June, 12 working days, of which 4 are past."""
    await api.post(f"/members/{ana}/employments", {"valid_from": "2026-06-15"}, expect=201)
    goal = await goal_of(api, "120", period="2026-06", owner={"type": "member", "id": ana})
    now = await progress(api, goal)
    assert (now["effective_target"], now["expected"]["share"]) == (None, pytest.approx(4 / 12))
    assert await targets_of(api, ana, "2026-06-01..2026-06-28", "week") == [0, 0, 50, 50]


async def test_absences_are_taken_as_known(api: Api, ana: str) -> None:
    """S5: recorded on 14 July, taken back on the 15th."""
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await api.set_clock("2026-07-14T10:00:00Z")
    (absence,) = await away(api, ana, LEAVE)
    await api.set_clock("2026-07-15T10:00:00Z")
    await api.delete(f"/members/{ana}/absences/{absence['id']}")
    told = [(await progress(api, goal, as_of=f"2026-07-{day}T09:00:00Z"))["effective_target"] for day in (14, 15)]
    assert told == [None, pytest.approx(150 * 19 / 21)]
    assert (await progress(api, goal))["effective_target"] is None


async def test_a_closed_goal_keeps_what_was_left_of_its_target(api: Api, ana: str) -> None:
    """S6: an absence that is recorded later changes it no more."""
    goal = await goal_of(api, "150", period="2026-06", owner={"type": "member", "id": ana})
    await away(api, ana, LEAVE)
    await api.set_clock("2026-07-20T10:00:00Z")
    await api.post(f"/goals/{goal}/close", expect=200)
    frozen = await progress(api, goal)
    assert frozen["effective_target"] == pytest.approx(150 * 19 / 21)
    await away(api, ana, HOLIDAYS | {"effect": "prorate_target"})
    assert await progress(api, goal) == frozen
