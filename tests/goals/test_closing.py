"""Goals are closed by themselves after their days of grace, once, as of the instant at which these end (S34)."""

import asyncio
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select

from app.calendars.working import WorkCalendar
from app.core import errands, jobs
from app.core.jobs import Job
from app.goals import closing
from app.goals.jobs import BEGIN, ERRANDS, HANDLERS
from app.goals.tending import TEND_GOALS
from app.worker import drain
from tests.goals.facts import define, happened, post_events
from tests.goals.tended import notifications, tend, told
from tests.support import Api, World

JULY = {
    "name": "July",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-07",
    "target": {"value": "100"},
}
WARSAW = ZoneInfo("Europe/Warsaw")


async def goal_of(api: Api, **changes: Any) -> str:
    return str((await api.post("/goals", JULY | changes, expect=201))["id"])


async def test_a_goal_is_closed_after_three_working_days_and_not_before(api: Api) -> None:
    """31 July 2026 is a Friday: 3, 4 and 5 August are the grace."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 40))
    goal = await goal_of(api)
    await tend(api, now="2026-08-05T21:59:59Z")
    assert (await api.get(f"/goals/{goal}"))["state"] == "active"
    await tend(api, now="2026-08-05T22:00:00Z")
    closed = await api.get(f"/goals/{goal}")
    assert (closed["state"], closed["available_actions"]) == ("closed", [])
    progress = await api.get(f"/goals/{goal}/progress")
    assert (progress["as_of"], progress["known_at"]) == ("2026-08-05T22:00:00Z", "2026-08-05T22:00:00Z")
    assert (progress["actual"], progress["verdict"], progress["restated_since"]) == (40, "missed", False)
    assert len(progress["digest"]) == 64
    assert (await told(api, goal))[-1] == "goal.missed"
    (last,) = [each for each in await notifications(api, goal) if each["topic"] == "goal.closed"]
    assert (last["payload"]["verdict"], last["payload"]["digest"]) == ("missed", progress["digest"])


async def test_late_figures_of_the_days_of_grace_count_and_later_ones_restate(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await tend(api, now="2026-08-03T08:00:00Z")
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 100))
    await tend(api, now="2026-08-06T08:00:00Z")
    progress = await api.get(f"/goals/{goal}/progress")
    assert (progress["actual"], progress["verdict"]) == (100, "attained")
    assert (await told(api, goal))[-1] == "goal.attained"
    await post_events(api, happened("call.made", "2026-07-11T08:00:00Z", 5))
    progress = await api.get(f"/goals/{goal}/progress")
    assert (progress["actual"], progress["restated_since"]) == (100, True)


async def test_a_worker_that_comes_late_closes_as_if_it_had_been_in_time(api: Api) -> None:
    """What was recorded after the days of grace restates the goal, whenever it is closed."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 100))
    goal = await goal_of(api)
    await api.set_clock("2026-08-20T08:00:00Z")
    await post_events(api, happened("call.made", "2026-07-11T08:00:00Z", 5))
    await tend(api)
    progress = await api.get(f"/goals/{goal}/progress")
    assert (progress["as_of"], progress["actual"]) == ("2026-08-05T22:00:00Z", 100)
    assert (progress["frozen_at"][:10], progress["restated_since"]) == ("2026-08-20", True)


async def test_terms_that_were_decided_after_the_days_of_grace_hold(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.set_clock("2026-08-20T08:00:00Z")
    change = {"target": {"value": "1"}, "reason": "A slip of the pen."}
    await api.post(f"/goals/{goal}/targets", change, expect=201)
    await tend(api)
    progress = await api.get(f"/goals/{goal}/progress")
    assert progress["target"]["value"] == "1"
    assert progress["as_of"] >= "2026-08-20T08:00:00Z"


async def test_a_goal_that_is_set_for_days_past_has_its_grace_from_then_on(api: Api) -> None:
    """Set on Monday 13 July: closed as Thursday begins."""
    await define(api, "calls_made")
    goal = await goal_of(api, period="2026-06")
    await tend(api)
    assert (await api.get(f"/goals/{goal}"))["state"] == "active"
    await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 100))
    await tend(api, now="2026-07-17T10:00:00Z")
    assert (await api.get(f"/goals/{goal}/progress"))["verdict"] == "attained"


async def test_holidays_of_the_calendar_prolong_the_grace(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.post("/calendars", {"name": "Own", "holidays": ["2026-08-04"], "is_default": True}, expect=201)
    await tend(api, now="2026-08-06T10:00:00Z")
    assert (await api.get(f"/goals/{goal}"))["state"] == "active"
    await tend(api, now="2026-08-07T10:00:00Z")
    assert (await api.get(f"/goals/{goal}"))["state"] == "closed"


async def test_drafts_proposals_and_goals_without_data_are_left_or_closed_as_they_are(api: Api) -> None:
    await define(api, "calls_made", "win_rate")
    draft, proposed = await goal_of(api, state="draft"), await goal_of(api, state="proposed")
    rate = await goal_of(api, kpi="win_rate", target={"value": "0.4"})
    await tend(api, now="2026-08-20T10:00:00Z")
    assert [(await api.get(f"/goals/{each}"))["state"] for each in (draft, proposed, rate)] == [
        "draft",
        "proposed",
        "closed",
    ]
    progress = await api.get(f"/goals/{rate}/progress")
    assert (progress["status"], progress["actual"], progress["verdict"]) == ("no_data", None, None)


async def test_a_goal_on_a_kpi_that_was_archived_is_closed_too(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.delete("/kpis/calls_made")
    await tend(api, now="2026-08-20T10:00:00Z")
    assert (await api.get(f"/goals/{goal}"))["state"] == "closed"


async def test_several_workers_close_each_goal_once(api: Api) -> None:
    await define(api, "calls_made")
    goals = [await goal_of(api, name=f"G{n}") for n in range(3)]
    await api.set_clock("2026-08-20T10:00:00Z")
    database = api.world.worker_database
    await asyncio.gather(*(closing.close_due(database, api.org_id) for _ in range(3)))
    for goal in goals:
        topics = await told(api, goal, all_topics=True)
        assert topics.count("goal.closed") == topics.count("goal.missed") == 1


async def test_a_worker_that_is_killed_leaves_the_goal_to_the_next(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await define(api, "calls_made")
    first, second = await goal_of(api, name="A"), await goal_of(api, name="B")
    await api.set_clock("2026-08-20T10:00:00Z")
    close = closing._close
    done: list[Any] = []

    async def dies(*args: Any) -> None:
        if done:
            raise asyncio.CancelledError
        done.append(args)
        await close(*args)

    with monkeypatch.context() as patched:
        patched.setattr(closing, "_close", dies)
        with pytest.raises(asyncio.CancelledError):
            await closing.close_due(api.world.worker_database, api.org_id)
    assert sorted([(await api.get(f"/goals/{each}"))["state"] for each in (first, second)]) == ["active", "closed"]
    await tend(api)
    for goal in (first, second):
        assert (await told(api, goal, all_topics=True)).count("goal.closed") == 1


async def test_the_clock_that_is_set_hastens_the_look(api: Api) -> None:
    """Nobody waits for a real hour."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    await errands.drain(api.world.worker_database, ERRANDS)
    await api.set_clock("2026-08-20T10:00:00Z")
    await errands.drain(api.world.worker_database, ERRANDS)
    assert (await api.get(f"/goals/{goal}"))["state"] == "closed"


async def test_looks_are_put_off_further_while_nothing_happens(api: Api) -> None:
    async def wait() -> int:
        await tend(api)
        async with api.world.worker_database.read(api.org_id) as session:
            found = await session.execute(select(Job.payload).where(Job.org_id == api.org_id, Job.kind == TEND_GOALS))
            return int(found.scalar_one()["wait"])

    await define(api, "calls_made")
    await goal_of(api)
    first = await wait()
    assert first >= 10
    assert [await wait(), await wait()] == [min(2 * first, 120), min(4 * first, 120)]
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z"))
    again = await wait()
    assert again >= 10
    assert await wait() == min(2 * again, 120)


async def test_goals_from_before_are_looked_after_too(api: Api) -> None:
    """What the migration hands over."""
    await define(api, "calls_made")
    goal = await goal_of(api)
    database = api.world.worker_database
    async with database.write(api.org_id) as session:
        await session.execute(delete(Job).where(Job.org_id == api.org_id))
        await jobs.enqueue(session, api.org_id, BEGIN, [{}])
    await api.set_clock("2026-08-20T10:00:00Z")
    await drain(database, HANDLERS)
    await errands.drain(database, ERRANDS)
    assert (await api.get(f"/goals/{goal}"))["state"] == "closed"


async def test_the_days_of_grace_are_a_setting(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    settings = await api.get("/goal-settings")
    body = {name: settings[name] for name in ("behind_below", "ahead_above", "too_early_before", "rules")}
    await api.put("/goal-settings", body | {"grace_working_days": 0})
    await tend(api, now="2026-08-01T10:00:00Z")
    assert (await api.get(f"/goals/{goal}/progress"))["as_of"] == "2026-07-31T22:00:00Z"


async def test_closing_by_hand_in_the_days_of_grace_tells_the_verdict(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await api.set_clock("2026-08-01T10:00:00Z")
    await api.post(f"/goals/{goal}/close")
    assert await told(api, goal) == ["goal.missed"]
    await tend(api, now="2026-08-20T10:00:00Z")
    assert (await told(api, goal)).count("goal.missed") == 1


async def test_organizations_do_not_see_each_other(world: World) -> None:
    one, other = await world.organization(), await world.organization()
    for api in (one, other):
        await define(api, "calls_made")
    mine, theirs = await goal_of(one), await goal_of(other)
    await tend(one, now="2026-08-20T10:00:00Z")
    assert (await one.get(f"/goals/{mine}"))["state"] == "closed"
    assert (await other.get(f"/goals/{theirs}"))["state"] == "active"
    assert (await other.get("/goal-notifications", goal_id=mine))["items"] == []


@pytest.mark.parametrize(
    ("end", "opened", "grace", "due"),
    [
        (date(2026, 8, 1), date(2026, 7, 1), 3, date(2026, 8, 6)),
        (date(2026, 8, 1), date(2026, 7, 1), 0, date(2026, 8, 1)),
        (date(2026, 8, 1), date(2026, 8, 10), 1, date(2026, 8, 11)),
    ],
)
def test_grace_is_counted_in_working_days(end: date, opened: date, grace: int, due: date) -> None:
    assert closing.due_on(end, opened, grace, WorkCalendar("Own", WARSAW)) == due
