"""Proposals on which nobody decides, and goals that never were opened, are told of once."""

import asyncio
from typing import Any

from app.goals import awaiting
from tests.goals.facts import define
from tests.goals.tended import tend, told
from tests.support import Api

WAITS, OVER = "goal.awaiting_approval", "goal.never_opened"


async def goal_of(api: Api, state: str, **changes: Any) -> str:
    body = {
        "name": "July",
        "owner": {"type": "organization"},
        "kpi": "calls_made",
        "period": "2026-07",
        "target": {"value": "100"},
        "state": state,
    }
    return str((await api.post("/goals", body | changes, expect=201))["id"])


async def of_waiting(api: Api, goal: str) -> list[str]:
    return [topic for topic in await told(api, goal) if topic in {WAITS, OVER}]


async def test_a_proposal_is_told_of_after_three_working_days_and_when_its_days_are_over(api: Api) -> None:
    """Proposed on Monday 13 July: Tuesday to Thursday pass. Its days end with Friday 31 July."""
    await define(api, "calls_made")
    goal = await goal_of(api, "proposed")
    for now, expected in (
        ("2026-07-16T21:59:59Z", []),
        ("2026-07-16T22:00:00Z", [WAITS]),
        ("2026-07-31T22:00:00Z", [WAITS]),
        ("2026-08-05T21:59:59Z", [WAITS]),
        ("2026-08-05T22:00:00Z", [WAITS, OVER]),
        ("2026-09-01T10:00:00Z", [WAITS, OVER]),
    ):
        await tend(api, now=now)
        await tend(api)
        assert await of_waiting(api, goal) == expected, now


async def test_what_is_decided_is_not_told_of_and_what_is_proposed_anew_is(api: Api) -> None:
    await define(api, "calls_made")
    approved, again = await goal_of(api, "proposed"), await goal_of(api, "proposed")
    await api.post(f"/goals/{approved}/approve", {"reason": "Good."})
    await tend(api, now="2026-07-17T10:00:00Z")
    assert [await of_waiting(api, goal) for goal in (approved, again)] == [[], [WAITS]]
    await api.post(f"/goals/{again}/decline", {"reason": "Less."})
    await tend(api, now="2026-07-22T10:00:00Z")
    await api.post(f"/goals/{again}/propose", {"reason": "Now less."})
    await tend(api, now="2026-07-27T10:00:00Z")
    assert await of_waiting(api, again) == [WAITS]
    await tend(api, now="2026-07-28T10:00:00Z")
    assert await of_waiting(api, again) == [WAITS, WAITS]


async def test_a_draft_is_told_of_when_its_days_are_over_by_one_of_several_workers(api: Api) -> None:
    await define(api, "calls_made")
    goal, later = await goal_of(api, "draft"), await goal_of(api, "draft", period="2026-10")
    await tend(api, now="2026-07-31T10:00:00Z")
    assert await of_waiting(api, goal) == []
    await api.set_clock("2026-08-10T10:00:00Z")
    await asyncio.gather(*(awaiting.tell_waiting(api.world.worker_database, api.org_id) for _ in range(3)))
    assert [await of_waiting(api, each) for each in (goal, later)] == [[OVER], []]
