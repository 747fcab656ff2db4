"""Progress over HTTP is what the slow reference says: the worked examples, cases by hand, and random histories."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference import results
from tests.reference.definitions import counted
from tests.reference.goal_figures import Reached, Standing
from tests.reference.goals import standing
from tests.reference.goals_random import GoalCase, goal_cases
from tests.reference.steps import AddGoal, AddKpi, ChangeTerms, build
from tests.reference.story import Story, event
from tests.reference.world import Change, Milestone
from tests.results.replay import Replay, differences, replay
from tests.support import World

# `--hypothesis-profile=long` searches for longer.
SEARCHES = settings().max_examples
HEALTH = list(HealthCheck)
INCLUDED = "curve,milestones,contributions"
NEARLY = Fraction(1, 10**13)


async def test_a_relative_target_stays_what_it_was_computed_to_be(world: World) -> None:
    """S30: 4 calls in June and a half more are 6; a fifth that is told of later, and other terms, change nothing."""
    story = Story("2026-07-13T10:00:00")
    story.then(AddKpi, kpi="calls", definition=counted("call.made"))
    story.post(*[event("call.made", f"2026-06-{day:02}T10:00:00") for day in (2, 9, 16, 23)])
    story.post(*[event("call.made", f"2026-07-{day:02}T10:00:00") for day in (2, 3, 6, 7, 9)])
    month = {"start": date(2026, 7, 1), "end": date(2026, 8, 1)}
    change = Change(on="previous_period", by=Decimal("0.5"))
    aim = {"key": "july", "kpi": "calls", "owner": ("organization", ""), "value": None, "change": change}
    story.then(AddGoal, **aim, **month)
    story.post(event("call.made", "2026-06-30T10:00:00"), at="2026-07-14T10:00:00")
    story.then(
        ChangeTerms, key="july", expected="linear", ramp=None, milestones=(Milestone("half", share=Decimal("0.5")),)
    )
    steps, now = tuple(story.steps), story.steps[-1].at + timedelta(hours=1)
    replayed, reference = await replay(world, steps), build(steps)
    await replayed.api.set_clock(now)
    for as_of in (None, steps[-2].at - timedelta(hours=1)):
        expected = standing(reference, "july", as_of=as_of, now=now)
        assert expected is not None
        assert (expected.aim.value, expected.change_attainment) == (Fraction(6), Fraction(1, 2))
        assert compared(await asked(replayed, "july", as_of), expected, replayed) == []


@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 5, 1))
@given(data=st.data())
async def test_random_goals_stand_as_the_reference_says(world: World, data: st.DataObject) -> None:
    case: GoalCase = data.draw(goal_cases())
    replayed = await set_up(world, case)
    reference = build((*case.beginning, *case.steps))
    for key in case.goals:
        for as_of in (None, *case.instants):
            told = await asked(replayed, key, as_of)
            expected = standing(reference, key, as_of=as_of, now=case.now)
            assert compared(told, expected, replayed) == [], (key, as_of)
    answer = await replayed.ask(case.aims, case.now)
    assert differences(answer, results.compute(reference, case.aims, case.now), replayed.ids) == []


async def set_up(world: World, case: GoalCase) -> Replay:
    """An organization that went through a script, at the instant at which it is asked about."""
    replayed = await replay(world, case.beginning, until=1)
    for step in case.beginning[1:]:
        await replayed.do(step)
    for step in case.steps:
        await replayed.run(step)
    await replayed.api.set_clock(case.now)
    return replayed


async def asked(replayed: Replay, key: str, as_of: datetime | None) -> Any:
    """A goal's progress, as of an instant or at present."""
    params: dict[str, Any] = {"include": INCLUDED} | ({} if as_of is None else {"as_of": as_of.isoformat()})
    return await replayed.api.get(f"/goals/{replayed.ids['goal', key]}/progress", **params)


# ------------------------------------------------------------------------------------------------------ comparing


def compared(told: Any, wanted: Standing | None, replayed: Replay) -> list[str]:
    """Where the API's answer is another than the reference's; empty when they agree."""
    if wanted is None:
        return [] if told["target"] is None and told["attainment"] is None else ["there were no terms then"]
    pairs = [*_of_the_standing(told, wanted), *_of_what_is_left(told, wanted), *_of_the_course(told, wanted, replayed)]
    return [f"{what}: got {got}, expected {_shown(due)}" for what, got, due in pairs if not _is_same(got, due)]


def _of_the_standing(told: Any, wanted: Standing) -> list[tuple[str, Any, Any]]:
    past, total = wanted.working_days
    is_own = wanted.goal.counts == "own"
    expected, stretch = told["expected"], told["stretch"]
    return [
        ("status", told["status"], wanted.cell.status if is_own else told["status"]),
        ("sample", told["sample"], wanted.cell.sample if is_own else told["sample"]),
        ("actual", told["actual"], wanted.actual),
        ("effective_target", told["effective_target"], wanted.effective),
        ("ramp_share", told["ramp_share"], wanted.ramp_share),
        ("attainment", told["attainment"], wanted.attainment),
        ("change_attainment", told["change_attainment"], wanted.change_attainment),
        ("stretch", stretch and stretch["attainment"], wanted.stretch_attainment),
        ("share", expected["share"], wanted.share),
        ("expected", expected["value"], wanted.expected),
        ("follows", expected["follows"], wanted.follows),
        ("working days", (expected["working_days_past"], expected["working_days_total"]), (past, total)),
        ("pace", told["pace"], wanted.pace),
        ("pace_verdict", told["pace_verdict"], wanted.pace_verdict),
        ("verdict", told["verdict"], wanted.verdict),
    ]


def _of_what_is_left(told: Any, wanted: Standing) -> list[tuple[str, Any, Any]]:
    needed, left, behind = told["needed"], wanted.working_days_left, wanted.working_days_behind
    pairs: list[tuple[str, Any, Any]] = [("working_days_left", needed["working_days_left"], left)]
    if wanted.aim.value == 0:
        return [*pairs, ("because", needed["because"], "waived")]
    if wanted.remaining is not None:
        pairs.append(("remaining", needed["remaining"], wanted.remaining))
        pairs.append(
            ("per_working_day", needed["per_working_day"], max(wanted.remaining, Fraction(0)) / left if left else None)
        )
        so_far = wanted.actual / behind if behind and wanted.actual is not None else None
        pairs.append(("achieved_per_working_day", needed["achieved_per_working_day"], so_far))
    return pairs


def _of_the_course(told: Any, wanted: Standing, replayed: Replay) -> list[tuple[str, Any, Any]]:
    pairs: list[tuple[str, Any, Any]] = []
    if told["curve"] is not None:
        points = told["curve"]["points"]
        pairs.append(("days", [point["on"] for point in points], [point.on.isoformat() for point in wanted.curve]))
        for got, due in zip(points, wanted.curve, strict=False):
            pairs.append((f"curve {due.on}", got["actual"], due.actual))
            pairs.append((f"curve {due.on} expected", got["expected"], due.expected))
    for got, reached in zip(told["milestones"] or [], wanted.milestones, strict=True):
        pairs += _of_a_milestone(got, reached)
    return [*pairs, *_of_people(told, wanted, replayed.ids)]


def _of_people(told: Any, wanted: Standing, ids: Mapping[tuple[str, str], str]) -> list[tuple[str, Any, Any]]:
    pairs: list[tuple[str, Any, Any]] = []
    parts = {row["goal_id"]: row for row in (told["parts"] or {"rows": []})["rows"]}
    for part in wanted.parts:
        row = parts.pop(ids["goal", part.key])
        pairs += [(f"{part.key} {what}", row[what], getattr(part, what)) for what in ("actual", "target", "share")]
    pairs.append(("parts", list(parts), []))
    given = told["contributions"] or {"adds_up": False, "rows": []}
    values = {row["member_id"]: row["value"] for row in given["rows"] if row["value"]}
    for member, value in wanted.contributions.items():
        pairs.append((f"{member} gave", values.pop(ids["member", member], None), value))
    if wanted.contributions:
        pairs.append(("others gave", [member for member in values if member is not None], []))
    if given["adds_up"]:
        whole = sum((Fraction(str(row["value"] or 0)) for row in given["rows"]), Fraction(0))
        pairs.append(("contributions", told["actual"], whole))
    return pairs


def _of_a_milestone(got: Any, wanted: Reached) -> list[tuple[str, Any, Any]]:
    pairs = [
        (f"{wanted.key} value", got["value"], wanted.value),
        (f"{wanted.key} status", got["status"], wanted.status),
    ]
    at = got["reached_at"] and datetime.fromisoformat(got["reached_at"])
    return [*pairs, (f"{wanted.key} at", at, wanted.at)]


def _is_same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, Fraction) and got is not None:
        number = Fraction(str(got))
        return abs(number - wanted) <= NEARLY * max(abs(wanted), Fraction(1, 10**6))
    return bool(got == wanted)


def _shown(value: Any) -> Any:
    return float(value) if isinstance(value, Fraction) else value
