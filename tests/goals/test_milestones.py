"""Milestones: when they were reached, late or in time, and what undoes them; over HTTP."""

from typing import Any

from tests.goals.facts import define, happened, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api


def shown(told: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(each[name] for name in names) for each in told["milestones"]]


async def test_a_count_reaches_a_milestone_with_the_event_that_makes_it(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 30))
    for n in range(30):
        await post_events(api, happened("call.made", f"2026-07-08T08:{n:02}:30Z"))
    milestones = [
        {"name": "Half", "share": "0.5", "due_on": "2026-07-07"},
        {"name": "Sixty", "value": "60", "due_on": "2026-07-08"},
        {"name": "Most", "share": "0.9", "due_on": "2026-07-10"},
        {"name": "All", "share": "1"},
    ]
    goal = await goal_of(api, milestones=milestones)
    told = await progress(api, goal)
    assert shown(told, "value", "status", "reached_at", "precision", "is_in_time") == [
        (50, "reached", "2026-07-08T08:19:30Z", "instant", False),
        (60, "reached", "2026-07-08T08:29:30Z", "instant", True),
        (90, "overdue", None, None, None),
        (100, "open", None, None, None),
    ]
    gone = {"external_id": "call.made-2026-07-08T08:03:30Z-7421-0", "version": 1, "retracted": True}
    await api.set_clock("2026-07-14T10:00:00Z")
    await post_events(api, [gone | {"type": "call.made", "occurred_at": "2026-07-08T08:03:30Z"}])
    later = await progress(api, goal)
    assert shown(later, "status", "reached_at")[:2] == [("reached", "2026-07-08T08:20:30Z"), ("overdue", None)]
    await api.set_clock("2026-08-01T10:00:00Z")
    assert [status for (status,) in shown(await progress(api, goal), "status")] == [
        "reached", "missed", "missed", "missed"
    ]  # fmt: skip


async def test_what_is_dated_back_is_reached_when_it_happened(api: Api) -> None:
    """`occurred_on` says the day it counts for, and the instant is that of the event."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-08T08:00:00Z", 5, occurred_on="2026-07-02"))
    await post_events(api, happened("call.made", "2026-07-06T08:00:00Z", 4))
    goal = await goal_of(api, "10", milestones=[{"name": "Four", "value": "4"}, {"name": "Five", "value": "5"}])
    assert shown(await progress(api, goal), "reached_at") == [("2026-07-06T08:00:00Z",), ("2026-07-08T08:00:00Z",)]


async def test_money_reaches_milestones_by_its_converted_amounts(api: Api) -> None:
    await define(api, "revenue_won")
    for day, value in ((2, "100"), (3, "-50"), (6, "60")):
        amount = {"value": value, "currency": "EUR"}
        await post_events(api, happened("deal.won", f"2026-07-{day:02}T08:00:00Z", amount=amount))
    milestones = [{"name": "A", "value": "100"}, {"name": "B", "value": "110"}, {"name": "C", "value": "111"}]
    told = await progress(api, await goal_of(api, "1000", kpi="revenue_won", milestones=milestones))
    assert shown(told, "reached_at") == [("2026-07-02T08:00:00Z",), ("2026-07-06T08:00:00Z",), (None,)]


async def test_a_ratio_reaches_a_milestone_at_the_end_of_a_day(api: Api) -> None:
    await define(api, "win_rate")
    await post_events(api, happened("deal.lost", "2026-07-02T08:00:00Z", 1))
    await post_events(api, happened("deal.won", "2026-07-06T08:00:00Z", 1))
    told = await progress(api, await goal_of(api, "0.9", kpi="win_rate", milestones=[{"name": "Half", "value": "0.5"}]))
    assert shown(told, "status", "reached_at", "precision") == [("reached", "2026-07-06T22:00:00Z", "day")]


async def test_a_milestone_of_a_limit_asks_whether_it_is_kept_by_its_day(api: Api) -> None:
    await define(api, "deals_lost")
    await post_events(api, happened("deal.lost", "2026-07-02T08:00:00Z", 5))
    await post_events(api, happened("deal.lost", "2026-07-13T08:00:00Z", 5))
    milestones = [
        {"name": "First", "value": "5", "due_on": "2026-07-10"},
        {"name": "Strict", "value": "4", "due_on": "2026-07-10"},
        {"name": "Gone", "value": "9", "due_on": "2026-07-20"},
        {"name": "Open", "share": "0.75", "due_on": "2026-07-20"},
    ]
    told = await progress(api, await goal_of(api, "20", kpi="deals_lost", milestones=milestones))
    assert shown(told, "status", "reached_at") == [
        ("reached", None), ("missed", None), ("missed", None), ("open", None)
    ]  # fmt: skip
