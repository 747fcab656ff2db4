"""Recurring goals: each period's goal is opened by itself, once, and caught up (G2)."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis.strategies import booleans, dates, integers, sampled_from

from app.calendars.periods import CalendarSettings
from app.goals import recurring
from app.goals.series_periods import around, beginning_from
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.tended import tend, told
from tests.support import Api, World

CALLS = {"name": "Calls {period}", "owner": {"type": "organization"}, "kpi": "calls_made", "target": {"value": "100"}}


async def series_of(api: Api, *, every: str = "month", goal: Any = None, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.post(
        "/goal-series", {"every": every, "goal": CALLS | (goal or {}), **changes}, expect=201
    )
    return made


async def goals_of(api: Api, series: dict[str, Any]) -> list[dict[str, Any]]:
    """Its goals, by their periods."""
    found: list[dict[str, Any]] = (await api.get("/goals", series_id=series["id"], limit=200))["items"]
    return sorted(found, key=lambda goal: goal["start"])


async def test_the_running_period_is_opened_at_once_and_the_next_on_its_first_day(api: Api) -> None:
    await define(api, "calls_made")
    milestones = [{"name": "Half", "share": "0.5"}]
    series = await series_of(api, goal={"milestones": milestones, "weight": "2", "description": "Do call."})
    (july,) = await goals_of(api, series)
    assert (july["name"], july["period"], july["state"], july["series_id"]) == (
        "Calls 2026-07",
        "2026-07",
        "active",
        series["id"],
    )
    assert (july["weight"], july["description"], july["milestones"][0]["share"]) == ("2", "Do call.", "0.5")
    assert series["next"] == {
        "period": "2026-08",
        "start": "2026-08-01",
        "end": "2026-09-01",
        "opens_on": "2026-08-01",
    }
    await tend(api, now="2026-07-31T21:59:59Z")
    assert len(await goals_of(api, series)) == 1
    await tend(api, now="2026-07-31T22:00:00Z")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-07", "2026-08"]
    history = await api.get(f"/goals/{(await goals_of(api, series))[1]['id']}/targets")
    assert history["items"][0]["changed_by"] == f"series:{series['id']}"


async def test_goals_are_opened_some_days_before(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api, open_days_before=5)
    await tend(api, now="2026-07-26T10:00:00Z")
    assert len(await goals_of(api, series)) == 1
    await tend(api, now="2026-07-27T10:00:00Z")
    assert [goal["state"] for goal in await goals_of(api, series)] == ["active", "scheduled"]


async def test_missed_periods_are_caught_up_once_each_by_however_many_workers(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api, every="week")
    await api.set_clock("2026-09-15T10:00:00Z")
    database = api.world.worker_database
    await asyncio.gather(*(recurring.open_due(database, api.org_id) for _ in range(3)))
    await tend(api)
    periods = [goal["period"] for goal in await goals_of(api, series)]
    assert periods == [f"2026-W{week}" for week in range(29, 39)]


async def test_a_first_period_in_the_past_is_caught_up_too(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api, first="2026-04")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-04"]
    await tend(api)
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-04", "2026-05", "2026-06", "2026-07"]


async def test_a_first_period_to_come_waits_until_it_begins(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api, every="quarter", first="2026-Q4")
    assert await goals_of(api, series) == []
    await tend(api, now="2026-10-01T10:00:00Z")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-Q4"]


async def test_fiscal_quarters_follow_the_fiscal_year(api: Api) -> None:
    await api.patch("/organization", {"fiscal_year_starts": 2})
    await define(api, "calls_made")
    series = await series_of(api, every="quarter", is_fiscal=True)
    (goal,) = await goals_of(api, series)
    assert (goal["period"], goal["start"], goal["end"]) == ("FY2027-Q2", "2026-05-01", "2026-08-01")
    assert series["next"]["period"] == "FY2027-Q3"


async def test_growth_is_on_the_last_target_as_it_stands_rounded_to_the_kpis_decimals(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api, growth="0.02", goal={"target": {"value": "103", "stretch": "120"}})
    preview = await api.get(f"/goal-series/{series['id']}/next")
    assert preview["goal"]["target"] == {"value": "105", "stretch": "122"}
    assert (preview["period"], preview["goal"]["name"]) == ("2026-08", "Calls 2026-08")
    (july,) = await goals_of(api, series)
    change = {"target": {"value": "200"}, "reason": "Two new colleagues."}
    await api.post(f"/goals/{july['id']}/targets", change, expect=201)
    await tend(api, now="2026-09-02T10:00:00Z")
    assert [goal["target"]["value"] for goal in await goals_of(api, series)] == ["200", "204", "208"]


async def test_a_change_is_computed_from_the_period_before_when_the_goal_is_opened(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 50))
    series = await series_of(api, goal={"target": {"change": {"by": "0.1"}}})
    assert (await goals_of(api, series))[0]["target"]["value"] == "55"
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 80))
    assert (await api.get(f"/goal-series/{series['id']}/next"))["goal"]["target"]["change"]["by"] == "0.1"
    await tend(api, now="2026-08-03T10:00:00Z")
    august = (await goals_of(api, series))[1]
    assert (august["target"]["value"], august["target"]["baseline"]["value"]) == ("88", "80")
    assert (await api.get(f"/goal-series/{series['id']}"))["trouble"] is None
    refused = {"every": "month", "open_days_before": 3, "goal": CALLS | {"target": {"change": {"by": "0.1"}}}}
    await api.post("/goal-series", refused, expect=422)


async def test_a_period_without_a_figure_to_change_from_is_passed_over_when_it_is_over(api: Api) -> None:
    """July has no calls, so August has no goal; August has some, so September has one."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 50))
    series = await series_of(api, goal={"target": {"change": {"by": "0.1"}}})
    await tend(api, now="2026-08-03T10:00:00Z")
    shown = await api.get(f"/goal-series/{series['id']}")
    assert "2026-07" in shown["trouble"]
    assert shown["next"]["period"] == "2026-08"
    await post_events(api, happened("call.made", "2026-08-03T08:00:00Z", 20))
    await tend(api, now="2026-09-02T10:00:00Z")
    assert [goal["target"]["value"] for goal in await goals_of(api, series)] == ["55", "22"]
    assert (await api.get(f"/goal-series/{series['id']}"))["trouble"] is None


async def test_targets_follow_the_owners_own_history_period_after_period(api: Api) -> None:
    """From January to June 10, 20 … 60 calls; working days differ little."""
    await define(api, "calls_made")
    for month in range(1, 7):
        await post_events(api, happened("call.made", f"2026-{month:02}-10T08:00:00Z", 10 * month))
    realistic = await series_of(api, goal={"target": {"realistic": True}})
    ambitious = await series_of(api, goal={"target": {"ambitious": True}})
    (july,), (more,) = await goals_of(api, realistic), await goals_of(api, ambitious)
    assert 30 < int(july["target"]["value"]) < 45 < int(more["target"]["value"]) < 60
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 400))
    await tend(api, now="2026-08-03T10:00:00Z")
    previewed = await api.get(f"/goal-series/{realistic['id']}/next")
    assert previewed["period"] == "2026-09"
    august = (await goals_of(api, realistic))[1]
    assert int(july["target"]["value"]) < int(august["target"]["value"]) < 60
    assert (await api.get(f"/goal-series/{realistic['id']}"))["goal"]["target"] == {"realistic": True}


async def test_history_that_says_too_little_is_trouble_until_it_says_enough(api: Api) -> None:
    await define(api, "calls_made")
    from_history = {"target": {"realistic": True}}
    refused = {"every": "month", "goal": CALLS | from_history}
    answer = await api.call("POST", "/goal-series", refused, expect=422)
    assert answer.json()["errors"][0]["pointer"] == "/goal/target"
    assert "History gives no target" in answer.json()["errors"][0]["message"]
    series = await series_of(api, first="2026-08", goal=from_history)
    await tend(api, now="2026-08-03T10:00:00Z")
    assert "History gives no target" in (await api.get(f"/goal-series/{series['id']}"))["trouble"]
    await api.get(f"/goal-series/{series['id']}/next", expect=422)
    for month in range(1, 8):
        await post_events(api, happened("call.made", f"2026-{month:02}-10T08:00:00Z", 20))
    await tend(api, now="2026-08-04T10:00:00Z")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-08"]
    assert (await api.get(f"/goal-series/{series['id']}"))["trouble"] is None


async def test_a_fixed_target_becomes_one_from_history(api: Api) -> None:
    await define(api, "calls_made")
    for month in range(1, 8):
        await post_events(api, happened("call.made", f"2026-{month:02}-10T08:00:00Z", 20))
    series = await series_of(api)
    path = f"/goal-series/{series['id']}"
    await api.patch(path, {"growth": "0.1", "goal": CALLS | {"target": {"ambitious": True}}}, expect=422)
    await api.patch(path, {"goal": CALLS | {"target": {"ambitious": True}}})
    await tend(api, now="2026-08-03T10:00:00Z")
    july, august = await goals_of(api, series)
    assert july["target"]["value"] == "100"
    assert 18 <= int(august["target"]["value"]) <= 22


async def test_goals_are_parts_of_the_parents_goal_around_the_same_days(api: Api) -> None:
    await define(api, "calls_made")
    parent = await series_of(api, every="quarter", goal={"target": {"value": "300"}})
    ana = await member_with_identity(api, "Ana", "1")
    part = await series_of(api, goal={"owner": {"type": "member", "id": ana}}, parent_series_id=parent["id"])
    await tend(api, now="2026-10-05T10:00:00Z")
    quarters = [goal["id"] for goal in await goals_of(api, parent)]
    parents = [goal["parent_id"] for goal in await goals_of(api, part)]
    assert parents[0] == quarters[0]
    assert parents[-1] == quarters[1]
    cycle = await api.call("PATCH", f"/goal-series/{parent['id']}", {"parent_series_id": part["id"]}, expect=422)
    assert cycle.json()["errors"][0]["pointer"] == "/parent_series_id"
    await api.patch(f"/goal-series/{part['id']}", {"parent_series_id": str(uuid4())}, expect=422)


async def test_trouble_is_told_once_shown_and_over_when_what_caused_it_is(api: Api) -> None:
    await define(api, "calls_made")
    ana = await member_with_identity(api, "Ana", "1")
    series = await series_of(api, goal={"owner": {"type": "member", "id": ana}})
    await api.delete(f"/members/{ana}")
    await tend(api, now="2026-08-03T10:00:00Z")
    await tend(api)
    await tend(api, now="2026-08-04T10:00:00Z")
    shown = await api.get(f"/goal-series/{series['id']}")
    assert "archived" in shown["trouble"]
    assert len(await goals_of(api, series)) == 1
    assert [each["id"] for each in (await api.get("/goal-series", has_trouble=True))["items"]] == [series["id"]]
    changed = await api.patch(f"/goal-series/{series['id']}", {"goal": CALLS})
    assert changed["trouble"] is None
    await tend(api)
    assert [goal["owner"]["type"] for goal in await goals_of(api, series)] == ["member", "organization"]


async def test_who_has_left_gets_no_goals_any_more(api: Api) -> None:
    await define(api, "calls_made")
    ana = await member_with_identity(api, "Ana", "1")
    employment = {"valid_from": "2026-01-01", "valid_to": "2026-08-10"}
    await api.post(f"/members/{ana}/employments", employment, expect=201)
    series = await series_of(api, goal={"owner": {"type": "member", "id": ana}})
    await tend(api, now="2026-09-02T10:00:00Z")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-07", "2026-08"]
    assert "not employed in 2026-09" in (await api.get(f"/goal-series/{series['id']}"))["trouble"]


async def test_a_series_is_changed_for_later_goals_and_ended(api: Api) -> None:
    await define(api, "calls_made")
    series = await series_of(api)
    path = f"/goal-series/{series['id']}"
    assert await api.get(path) == series
    await api.patch(path, {"name": "x"}, expect=412, headers={"If-Match": '"9"'})
    changed = await api.patch(path, {"goal": CALLS | {"target": {"value": "7"}}, "until": "2026-08-31"})
    assert (changed["version"], changed["goal"]["target"]["value"], changed["until"]) == (2, "7", "2026-08-31")
    await tend(api, now="2026-10-05T10:00:00Z")
    assert [goal["target"]["value"] for goal in await goals_of(api, series)] == ["100", "7"]
    assert (await api.get(path))["next"] is None
    await api.get(f"{path}/next", expect=409)
    await api.patch(path, {"until": None})
    await api.delete(path)
    await api.delete(path, expect=409)
    await api.patch(path, {"name": "x"}, expect=409)
    await tend(api, now="2026-12-05T10:00:00Z")
    assert (await api.get(path))["ended_at"] is not None
    assert {goal["period"] for goal in await goals_of(api, series)} >= {"2026-07", "2026-08"}
    assert "2026-12" not in {goal["period"] for goal in await goals_of(api, series)}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"first": "2026-07-01..2026-07-15"}, "/first"),
        ({"first": "2026-Q3"}, "/first"),
        ({"first": "2019-07"}, "/first"),
        ({"first": "soon"}, "/first"),
        ({"every": "day"}, "/every"),
        ({"every": "week", "is_fiscal": True}, ""),
        ({"first": "2026-08", "until": "2026-07-31"}, "/until"),
        ({"until": "2026-06-30"}, "/until"),
        ({"open_days_before": -1}, "/open_days_before"),
        ({"growth": "1e400"}, "/growth"),
        ({"growth": "-1"}, "/growth"),
        ({"growth": "0.1", "goal": CALLS | {"target": {"change": {"by": "0.1"}}}}, ""),
        ({"growth": "0.1", "goal": CALLS | {"target": {"realistic": True}}}, ""),
        ({"goal": CALLS | {"target": {"realistic": True, "value": "5"}}}, "/goal/target"),
        ({"goal": CALLS | {"kpi": "nothing", "target": {"realistic": True}}}, "/goal/kpi"),
        ({"goal": CALLS | {"target": {"realistic": True, "stretch": "5"}}}, "/goal/target"),
        ({"parent_series_id": str(uuid4())}, "/parent_series_id"),
        ({"goal": CALLS | {"kpi": "nothing"}}, "/goal/kpi"),
        ({"goal": CALLS | {"target": {"value": "0"}}}, "/goal/target"),
        ({"goal": CALLS | {"target": {"value": "0"}}, "first": "2027-01"}, "/goal/target"),
        ({"goal": CALLS | {"owner": {"type": "member", "id": str(uuid4())}}}, "/goal/owner/id"),
        ({"goal": CALLS | {"period": "2026-07"}}, "/goal/period"),
        ({"goal": CALLS | {"milestones": [{"name": "x", "share": "0.5", "due_on": "2026-07-10"}]}}, "/goal"),
        ({"goal": CALLS | {"target": {"change": {"by": "0.1"}}}}, "/goal/target/change/by"),
    ],
)
async def test_what_cannot_be_made_is_refused_at_its_place(api: Api, change: Any, pointer: str) -> None:
    await define(api, "calls_made")
    body = {"every": "month", "goal": CALLS} | change
    answer = (await api.call("POST", "/goal-series", body, expect=422)).json()
    assert answer["errors"][0]["pointer"].startswith(pointer), answer
    assert (await api.get("/goal-series"))["items"] == []
    assert (await api.get("/goals"))["items"] == []


async def test_who_may_not_set_the_owners_goals_sets_up_no_series(api: Api) -> None:
    await define(api, "calls_made")
    ana = await member_with_identity(api, "Ana", "1")
    caller = await api.key("member", ["goals:read", "goals:write"], ana)
    await caller.post("/goal-series", {"every": "month", "goal": CALLS}, expect=403)
    series = await series_of(api)
    await caller.patch(f"/goal-series/{series['id']}", {"name": "x"}, expect=403)
    await caller.delete(f"/goal-series/{series['id']}", expect=403)


async def test_a_series_belongs_to_the_organization_and_outlives_who_set_it_up(api: Api) -> None:
    """Goals do not end with an employment; whoever may set the owner's goals may end them."""
    await define(api, "calls_made")
    key = await api.post(
        "/api-keys", {"name": "Bo", "role": "admin", "scopes": ["goals:read", "goals:write"]}, expect=201
    )
    caller = api.world.caller(api.org_id, key["token"])
    series = await series_of(caller)
    await api.delete(f"/api-keys/{key['id']}")
    await caller.get(f"/goal-series/{series['id']}", expect=401)
    await tend(api, now="2026-08-03T10:00:00Z")
    shown = await api.get(f"/goal-series/{series['id']}")
    assert (shown["trouble"], shown["next"]["period"]) == (None, "2026-09")
    await api.delete(f"/goal-series/{series['id']}")


async def test_a_local_day_may_begin_within_an_hour(world: World) -> None:
    api = await world.organization(time_zone="Asia/Kolkata")
    await define(api, "calls_made")
    series = await series_of(api)
    await tend(api, now="2026-07-31T18:29:59Z")
    assert len(await goals_of(api, series)) == 1
    await tend(api, now="2026-07-31T18:30:00Z")
    assert [goal["period"] for goal in await goals_of(api, series)] == ["2026-07", "2026-08"]


async def test_series_of_another_organization_do_not_exist(world: World) -> None:
    one, other = await world.organization(), await world.organization()
    await define(one, "calls_made")
    series = await series_of(one)
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/next")):
        change = {"name": "x"} if method == "PATCH" else None
        await other.call(method, f"/goal-series/{series['id']}{path}", change, expect=404)
    await define(other, "calls_made")
    body: dict[str, Any] = {"every": "month", "goal": CALLS, "parent_series_id": series["id"]}
    await other.post("/goal-series", body, expect=422)


async def test_a_quarter_passes(api: Api) -> None:
    """Opened, milestones, at risk, attained, closed, next opened, with the clock moved by hand and two workers."""
    await define(api, "calls_made")
    series = await series_of(api, goal={"milestones": [{"name": "Half", "share": "0.5"}]}, growth="0.1")
    (july,) = await goals_of(api, series)
    await tend(api, now="2026-07-14T10:00:00Z")
    assert await told(api, july["id"]) == ["goal.at_risk"]
    await post_events(api, happened("call.made", "2026-07-14T09:00:00Z", 60))
    await tend(api)
    await post_events(api, happened("call.made", "2026-07-14T09:30:00Z", 50))
    await tend(api, now="2026-07-20T10:00:00Z")
    for day in ("2026-08-03", "2026-08-06", "2026-08-20", "2026-09-10", "2026-10-12"):
        await api.set_clock(f"{day}T10:00:00Z")
        await asyncio.gather(tend(api), tend(api))
    assert await told(api, july["id"]) == ["goal.at_risk", "goal.milestone_reached", "goal.recovered", "goal.attained"]
    goals = await goals_of(api, series)
    assert [goal["period"] for goal in goals] == ["2026-07", "2026-08", "2026-09", "2026-10"]
    assert [goal["state"] for goal in goals] == ["closed", "closed", "closed", "active"]
    assert [goal["target"]["value"] for goal in goals] == ["100", "110", "121", "133"]
    for goal in goals[1:3]:
        topics = await told(api, goal["id"], all_topics=True)
        assert topics.count("goal.at_risk") == topics.count("goal.missed") == topics.count("goal.closed") == 1


SETTINGS = CalendarSettings(ZoneInfo("Europe/Warsaw"), fiscal_year_starts=4, fiscal_pattern="4-4-5")


@given(
    day=dates(date(2000, 1, 1), date(2100, 1, 1)),
    every=sampled_from(["week", "month", "quarter", "year"]),
    is_fiscal=booleans(),
    later=integers(0, 40),
)
def test_periods_follow_each_other_without_gaps(day: date, every: Any, *, is_fiscal: bool, later: int) -> None:
    is_fiscal = is_fiscal and every != "week"
    period = around(day, every, SETTINGS, is_fiscal=is_fiscal)
    assert day in period
    following = beginning_from(period.end, every, SETTINGS, is_fiscal=is_fiscal)
    assert following.start == period.end
    assert beginning_from(day + timedelta(later), every, SETTINGS, is_fiscal=is_fiscal).start >= day + timedelta(later)
