"""Figures of goals with the arithmetic written beside them (S30–S34), over HTTP."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api

CALLS_AND_WINS = {
    "measures": {
        "calls": {"aggregate": "count", "events": ["call.made"]},
        "won": {"aggregate": "count", "events": ["deal.won"]},
    }
}


@pytest.fixture
async def ana(api: Api) -> str:
    await define(api, "calls_made")
    return await member_with_identity(api, "Ana", "7421")


def of(member: str) -> dict[str, Any]:
    return {"owner": {"type": "member", "id": member}}


async def test_a_pace_of_exactly_nine_tenths_is_not_below_it(api: Api, ana: str) -> None:
    """S31, S32: 6 to 13 July has 6 working days, of which leave takes the 9th and 10th: 100 * 4/6 = 66.666… are left.

    After the 7th 2 of 4 days are past: 33.333… are due, and 30 / 33.333… = 0.9, which is on track.
    """
    leave = {"valid_from": "2026-07-09", "valid_to": "2026-07-11", "effect": "prorate_target"}
    await api.post(f"/members/{ana}/absences", leave, expect=201)
    await post_events(api, happened("call.made", "2026-07-06T08:00:00Z", 30))
    await api.set_clock("2026-07-07T22:00:00Z")
    now = await progress(api, await goal_of(api, period="2026-07-06..2026-07-13", **of(ana)))
    assert now["effective_target"] == pytest.approx(200 / 3)
    assert (now["expected"]["share"], now["pace"], now["pace_verdict"]) == (0.5, 0.9, "on_track")


async def test_ramp_and_long_leave_together(api: Api, ana: str) -> None:
    """S31, S33: since 6 July; half in the first month of service, which has 3 of August's 21 working days.

    Leave takes 5 days (24 to 28 August): 3 * ½ + 13 = 14.5 days are asked for of 21, so 29 of 42; of the 16 days worked
    the ramp asks for 14.5. At the end of 7 August 3 * ½ + 2 = 3.5 are past: 7 of 29 are due, and were made: pace 1.
    """
    await api.post(f"/members/{ana}/employments", {"valid_from": "2026-07-06"}, expect=201)
    leave = {"valid_from": "2026-08-24", "valid_to": "2026-08-29", "effect": "prorate_target"}
    await api.post(f"/members/{ana}/absences", leave, expect=201)
    ramp = (await api.post("/goal-ramps", {"name": "Half a month", "shares": ["0.5"]}, expect=201))["id"]
    await post_events(api, happened("call.made", "2026-08-04T08:00:00Z", 7))
    goal = await goal_of(api, "42", period="2026-08", ramp_id=ramp, **of(ana))
    await api.set_clock("2026-08-07T22:00:00Z")
    now = await progress(api, goal)
    assert (now["effective_target"], now["ramp_share"]) == (29, 14.5 / 16)
    assert (now["expected"]["value"], now["pace"], now["pace_verdict"]) == (7, 1, "on_track")
    # 22 are left for the 11 days from Monday the 10th on that Ana works.
    assert (now["needed"]["remaining"], now["needed"]["working_days_left"]) == (22, 11)
    assert (now["needed"]["per_working_day"], now["needed"]["achieved_per_working_day"]) == (2, 1.4)


async def test_the_way_from_a_baseline(api: Api, ana: str) -> None:
    """S30: 40 calls in June and 10 % more are 44; with 42 half of the way is gone."""
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 40))
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 42))
    now = await progress(api, await goal_of(api, {"change": {"by": "0.10"}}, **of(ana)))
    assert (now["target"]["value"], now["target"]["baseline"]["value"]) == ("44", "40")
    assert (now["change_attainment"], now["attainment"]) == (0.5, pytest.approx(42 / 44))


async def test_what_adds_two_counts_up_is_attained_for_good(api: Api) -> None:
    """S34: calls and wins only grow, calls less wins could fall again, by whatever KPI that is asked for."""
    await define(api, "calls_made", name="Both", key="both", formula="calls + won", **CALLS_AND_WINS)
    await define(api, "calls_made", name="Net", key="net", formula="calls - won", **CALLS_AND_WINS)
    plain = {"measures": {}, "name": "Through"}
    await define(api, "calls_made", key="through_net", formula="kpi.net", **plain)
    await define(api, "calls_made", key="through_both", formula="kpi.both", **plain)
    await post_events(api, happened("call.made", "2026-07-06T08:00:00Z", 5))
    verdicts = {
        key: (await progress(api, await goal_of(api, "4", kpi=key)))["verdict"]
        for key in ("both", "net", "through_both", "through_net")
    }
    assert verdicts == {
        "both": "attained", "net": "on_course", "through_both": "attained", "through_net": "on_course"
    }  # fmt: skip


async def test_nothing_is_on_course_before_its_period(api: Api) -> None:
    """S34: a limit of August of which nothing is used in July says nothing yet."""
    await define(api, "deals_lost")
    goal = await goal_of(api, "20", kpi="deals_lost", period="2026-08")
    assert (await progress(api, goal))["verdict"] is None
    await api.set_clock("2026-07-31T22:00:00Z")
    assert (await progress(api, goal))["verdict"] == "on_course"


async def test_contributions_add_up_to_the_actual_value_or_say_that_they_do_not(api: Api, ana: str) -> None:
    """S8: of the organization's 5 calls the parts count Ana's 2."""
    await post_events(api, happened("call.made", "2026-07-06T08:00:00Z", 2))
    await post_events(api, happened("call.made", "2026-07-06T08:00:00Z", 3, actor="nobody"))
    whole = await goal_of(api, counts="parts")
    await goal_of(api, "50", parent_id=whole, **of(ana))
    told = await progress(api, whole)
    assert (told["actual"], told["contributions"]["adds_up"]) == (2, False)
    assert [(row["name"], row["value"], row["share"]) for row in told["contributions"]["rows"]] == [("Ana", 2, None)]
    own = (await progress(api, await goal_of(api)))["contributions"]
    assert (own["adds_up"], [row["value"] for row in own["rows"]]) == (True, [2, 3])


async def test_the_curve_of_what_is_waived_expects_nothing(api: Api, ana: str) -> None:
    """S31: who is on long leave all of the time is asked for nothing on any day."""
    leave = {"valid_from": "2026-07-01", "valid_to": "2026-08-01", "effect": "prorate_target"}
    await api.post(f"/members/{ana}/absences", leave, expect=201)
    now = await progress(api, await goal_of(api, **of(ana)))
    assert (now["effective_target"], now["expected"]["value"], now["needed"]["because"]) == (0, 0, "waived")
    assert {point["expected"] for point in now["curve"]["points"]} == {0}
