"""What of a goal's progress is shown to whom, and of goals from before: frozen figures without what came later."""

from typing import Any
from uuid import UUID

from app.core import clock
from app.core.db import OrganizationId
from app.goals.frozen import digest_of
from app.goals.models import Goal
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.support import Api, World

# As goals were frozen before targets had terms.
FROZEN: dict[str, Any] = {
    "state": "active",
    "as_of": "2026-08-03T08:00:00Z",
    "known_at": "2026-08-03T08:00:00Z",
    "kpi": "calls_made",
    "direction": "increase",
    "unit": {"kind": "count"},
    "currency": None,
    "target": {"value": "100", "low": None, "high": None},
    "effective_target": None,
    "actual": "4",
    "status": "ok",
    "sample": 4,
    "kpi_version": 1,
    "attainment": "0.04",
    "expected": {"share": "1", "value": "100", "working_days_past": 23, "working_days_total": 23},
    "pace": "0.04",
    "pace_verdict": "behind",
    "verdict": "missed",
    "frozen_at": "2026-08-03T08:00:00Z",
}


async def test_people_and_deals_are_told_to_keys_that_may_read_results(api: Api) -> None:
    """As the results do: whose calls, and which deals, is no part of a goal that everybody may read."""
    await define(api, "revenue_won")
    ana = await member_with_identity(api, "Ana", "1")
    deal: dict[str, Any] = {
        "about": {"deal": "A"},
        "properties": {"close_date": "2026-07-20"},
        "actor": "1",
        "name": "made",
    }
    await post_events(api, happened("deal.created", "2026-07-02T08:00:00Z", **deal))
    goal = await goal_of(api, "1000", kpi="revenue_won")
    reader = await api.key("member", ["goals:read", "results:read"], ana)
    other = await api.key("member", ["goals:read"], ana)
    shown, hidden = await progress(reader, goal), await progress(other, goal)
    assert (shown["contributions"]["adds_up"], shown["pipeline"]["count"]) == (True, 1)
    assert (hidden["contributions"], hidden["pipeline"]) == (None, None)
    alike = {"actual", "attainment", "pace", "curve", "forecast", "expected", "notes"}
    assert {name: shown[name] for name in alike} == {name: hidden[name] for name in alike}


async def test_a_goal_that_was_frozen_before_reads_as_it_was_frozen(api: Api, world: World) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4))
    goal_id = await goal_of(api)
    await api.set_clock("2026-08-03T10:00:00Z")
    async with world.database.write(api.org_id) as session:
        await clock.tick(session, OrganizationId(api.org_id))
        goal = await session.get(Goal, (OrganizationId(api.org_id), UUID(goal_id)))
        assert goal is not None
        goal.state, goal.closing = "closed", FROZEN | {"goal_id": goal_id}
        goal.closing_digest = digest_of(goal.closing)
    told = await progress(api, goal_id)
    assert (told["state"], told["actual"], told["attainment"], told["verdict"]) == ("closed", 4, 0.04, "missed")
    assert (told["restated_since"], told["difference"], told["digest"]) == (
        False,
        0,
        digest_of(FROZEN | {"goal_id": goal_id}),
    )
    assert (told["counts"], told["expected"]["follows"], told["terms"], told["thresholds"]) == (
        "own", "working_time", None, None
    )  # fmt: skip
    for name in ("forecast", "curve", "milestones", "contributions", "pipeline", "notes", "parts", "needed"):
        assert told[name] is None
    await post_events(api, happened("call.made", "2026-07-03T08:00:00Z", 2))
    restated = await progress(api, goal_id)
    assert (restated["actual"], restated["restated_since"], restated["difference"]) == (4, True, 2)


async def test_the_state_is_what_it_was_then(api: Api) -> None:
    """S5: a draft, then proposed, then open."""
    await define(api, "calls_made")
    goal = await goal_of(api, state="draft")
    for day, action in (("14", "propose"), ("15", "approve")):
        await api.set_clock(f"2026-07-{day}T10:00:00Z")
        await api.post(f"/goals/{goal}/{action}", {"reason": "Plan."})
    await api.set_clock("2026-07-16T10:00:00Z")
    states = [(await progress(api, goal, as_of=f"2026-07-{day}T12:00:00Z"))["state"] for day in ("13", "14", "15")]
    assert states == ["draft", "proposed", "active"]
    assert (await progress(api, goal))["state"] == "active"


async def test_before_it_was_made_a_goal_has_no_state_and_says_so(api: Api) -> None:
    await define(api, "calls_made")
    await api.set_clock("2026-07-14T10:00:00Z")
    goal = await goal_of(api)
    told = await progress(api, goal, as_of="2026-07-13T12:00:00Z")
    assert (told["state"], told["target"]) == (None, None)
    assert [note["code"] for note in told["notes"]] == ["not_made_yet"]


async def test_progress_says_whose_it_is_and_of_which_days(api: Api) -> None:
    """So that a front end shows it without asking for the goal and its owner."""
    await define(api, "calls_made")
    ana = await member_with_identity(api, "Ana", "1")
    own = await goal_of(api, "10", owner={"type": "member", "id": ana}, name="Ana's calls")
    whole = await goal_of(api, "100")
    told = await progress(api, own)
    assert (told["name"], told["owner"]) == ("Ana's calls", {"type": "member", "id": ana, "name": "Ana"})
    assert (told["period"], told["start"], told["end"]) == ("2026-07", "2026-07-01", "2026-08-01")
    assert (await progress(api, whole))["owner"] == {"type": "organization", "id": None, "name": None}
