"""What is told of goals, once each: risk, recovery, milestones, attained, missed (S32, S34)."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from
from sqlalchemy import select

from app.core.outbox import OutboxMessage
from app.goals import watching
from app.goals.noticing import Look, Told, notices
from app.goals.pace import PaceVerdict, Verdict
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.tended import notifications, tend, told
from tests.support import Api

JULY = {
    "name": "July",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-07",
    "target": {"value": "100"},
}


async def goal_of(api: Api, **changes: Any) -> str:
    return str((await api.post("/goals", JULY | changes, expect=201))["id"])


async def test_a_goal_that_is_behind_is_told_once_and_again_only_after_it_recovered(api: Api) -> None:
    await define(api, "calls_made")
    goal = await goal_of(api)
    await tend(api)
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk"]
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 40))
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk", "goal.recovered"]
    await tend(api, now="2026-07-27T10:00:00Z")
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk", "goal.recovered", "goal.at_risk"]


async def test_what_is_told_says_how_the_goal_stood(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 8))
    ana = await member_with_identity(api, "Ana", "1")
    goal = await goal_of(api, owner={"type": "member", "id": ana}, name="Calls")
    await tend(api)
    (notice,) = [each for each in await notifications(api, goal) if each["topic"] == "goal.at_risk"]
    payload = notice["payload"]
    assert notice["told_at"].startswith("2026-07-13T10:00:00")
    assert {name: payload[name] for name in ("goal_id", "name", "kpi", "period", "start", "end", "status")} == {
        "goal_id": goal,
        "name": "Calls",
        "kpi": "calls_made",
        "period": "2026-07",
        "start": "2026-07-01",
        "end": "2026-08-01",
        "status": "ok",
    }
    assert payload["owner"] == {"type": "member", "id": ana}
    assert (payload["actual"], payload["attainment"], payload["pace"], payload["verdict"]) == ("0", "0", "0", None)
    assert payload["target"]["value"] == "100"
    assert payload["as_of"].startswith("2026-07-13T10:00:00")
    assert len(payload["digest"]) == 64
    assert "Ana" not in str(payload)
    async with api.world.database.read(api.org_id) as session:
        sent = await session.execute(
            select(OutboxMessage.payload).where(
                OutboxMessage.org_id == api.org_id, OutboxMessage.topic == "goal.at_risk"
            )
        )
        assert sent.scalar_one() == payload


async def test_milestones_and_attainment_are_told_once_and_taken_back_when_an_event_is(api: Api) -> None:
    await define(api, "calls_made")
    wanted = [{"name": "Half", "share": "0.5"}, {"key": "eighty", "name": "Eighty", "value": "80"}]
    goal = await goal_of(api, milestones=wanted)
    await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 60))
    await tend(api)
    assert await told(api, goal) == ["goal.milestone_reached"]
    await post_events(api, happened("call.made", "2026-07-11T08:00:00Z", 40))
    await tend(api)
    assert await told(api, goal) == ["goal.milestone_reached"] * 2 + ["goal.attained"]
    milestones = [each["payload"].get("milestone") for each in await notifications(api, goal)]
    reached = {each["key"]: each["reached_at"] for each in milestones if each is not None}
    assert reached == {"m1": "2026-07-10T08:00:00Z", "eighty": "2026-07-11T08:00:00Z"}
    one = happened("call.made", "2026-07-11T08:00:00Z", 1)[0]
    await post_events(api, [{"external_id": one["external_id"], "retracted": True, "version": 2}])
    await tend(api)
    assert (await told(api, goal))[-1] == "goal.attainment_undone"
    await post_events(api, happened("call.made", "2026-07-12T08:00:00Z"))
    await tend(api)
    assert (await told(api, goal))[-2:] == ["goal.attainment_undone", "goal.attained"]


async def test_a_limit_that_is_exceeded_is_missed_at_once(api: Api) -> None:
    await define(api, "deals_lost")
    goal = await goal_of(api, kpi="deals_lost", target={"value": "3"})
    await post_events(api, happened("deal.lost", "2026-07-10T08:00:00Z", 4))
    await tend(api)
    assert await told(api, goal) == ["goal.missed"]


async def calls_of_each_working_day(api: Api, first: date, after: date) -> None:
    """Nine each day, ten each fourth."""
    days = [first + timedelta(n) for n in range((after - first).days)]
    worked = [day for day in days if day.weekday() < 5]
    calls = [happened("call.made", f"{day}T08:00:00Z", 9 + (n % 4 == 0)) for n, day in enumerate(worked)]
    await post_events(api, list(chain.from_iterable(calls)))


async def test_a_goal_on_track_that_will_hardly_be_reached_is_at_risk_until_pace_and_forecast_are_well(
    api: Api,
) -> None:
    """Some 73 of the 80 due are on track; going on like this they end at 213 of 230."""
    await define(api, "calls_made")
    await calls_of_each_working_day(api, date(2026, 4, 1), date(2026, 7, 13))
    goal = await goal_of(api, target={"value": "230"})
    await tend(api)
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk"]
    (notice,) = [each for each in await notifications(api, goal) if each["topic"] == "goal.at_risk"]
    payload = notice["payload"]
    assert (payload["because"], payload["pace_verdict"]) == ("forecast", "on_track")
    assert Decimal(payload["forecast"]["probability"]) < Decimal("0.2")
    p10, p50, p90 = (Decimal(payload["forecast"][name]) for name in ("p10", "p50", "p90"))
    assert 200 < p10 <= p50 <= p90 < 230
    shown = (await api.get(f"/goals/{goal}/progress", include="forecast"))["forecast"]
    assert shown["p50"] == pytest.approx(float(p50))
    await post_events(api, happened("call.made", "2026-07-13T09:00:00Z", 60))
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk"]  # of this hour there was a forecast
    await tend(api, now="2026-07-13T11:00:00Z")
    assert await told(api, goal) == ["goal.at_risk", "goal.recovered"]
    payload = (await notifications(api, goal))[-1]["payload"]
    assert Decimal(payload["forecast"]["probability"]) >= Decimal("0.35")


async def test_forecasts_that_a_look_leaves_are_made_at_the_next(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_FORECASTS", 1)
    await define(api, "calls_made")
    await calls_of_each_working_day(api, date(2026, 4, 1), date(2026, 7, 13))
    goals = [await goal_of(api, target={"value": "230"}) for _ in range(3)]
    for looked in (1, 2, 3):
        await tend(api)
        assert sorted([await told(api, goal) for goal in goals]) == [[]] * (3 - looked) + [["goal.at_risk"]] * looked
    database = api.world.worker_database
    assert await watching.watch(database, api.org_id)
    await tend(api, now="2026-07-13T11:00:00Z")
    assert not await watching.watch(database, api.org_id)


async def test_a_limit_that_is_used_up_too_fast_is_at_risk(api: Api) -> None:
    """Ten of 20 lost deals after 8 of 23 days: the limit still holds, and will not."""
    await define(api, "deals_lost")
    goal = await goal_of(api, kpi="deals_lost", target={"value": "20"})
    await post_events(api, happened("deal.lost", "2026-07-10T08:00:00Z", 10))
    await tend(api)
    assert await told(api, goal) == ["goal.at_risk"]
    await tend(api, now="2026-07-20T10:00:00Z")
    assert await told(api, goal) == ["goal.at_risk", "goal.recovered"]


async def test_many_owners_are_looked_at_by_one_question_and_each_told_of_its_own(api: Api) -> None:
    await define(api, "calls_made")
    owners = [await member_with_identity(api, f"M{n}", f"id{n}") for n in range(4)]
    goals = [await goal_of(api, owner={"type": "member", "id": owner}) for owner in owners]
    for n in (1, 3):
        await post_events(api, happened("call.made", "2026-07-10T08:00:00Z", 100, actor=f"id{n}"))
    await tend(api)
    assert [await told(api, goal) for goal in goals] == [
        ["goal.at_risk"],
        ["goal.attained"],
        ["goal.at_risk"],
        ["goal.attained"],
    ]


async def test_two_workers_tell_each_thing_once(api: Api) -> None:
    await define(api, "calls_made")
    goals = [await goal_of(api, name=f"G{n}") for n in range(3)]
    await asyncio.gather(*(watching.watch(api.world.worker_database, api.org_id) for _ in range(3)))
    assert [await told(api, goal) for goal in goals] == [["goal.at_risk"]] * 3


async def test_nothing_is_told_of_drafts_cancelled_and_scheduled_goals(api: Api) -> None:
    await define(api, "calls_made")
    await goal_of(api, state="draft")
    await goal_of(api, period="2026-08")
    cancelled = await goal_of(api)
    await api.delete(f"/goals/{cancelled}")
    await tend(api)
    assert await told(api) == []


async def test_notifications_are_filtered_by_goal_topic_and_time(api: Api) -> None:
    await define(api, "calls_made")
    one, other = await goal_of(api), await goal_of(api)
    await tend(api)
    assert len((await api.get("/goal-notifications", topic="goal.at_risk"))["items"]) == 2
    (only,) = (await api.get("/goal-notifications", topic="goal.at_risk", goal_id=one))["items"]
    assert only["goal_id"] == one
    assert (await api.get("/goal-notifications", since="2026-07-13T10:00:01Z"))["items"] == []
    page = await api.get("/goal-notifications", topic="goal.at_risk", limit=1)
    rest = await api.get("/goal-notifications", topic="goal.at_risk", limit=1, cursor=page["next_cursor"])
    assert {page["items"][0]["goal_id"], rest["items"][0]["goal_id"]} == {one, other}
    await api.get("/goal-notifications", expect=422, sort="x")


STANDINGS: tuple[tuple[PaceVerdict | None, Verdict | None], ...] = (
    ("too_early", None),
    ("behind", None),
    ("on_track", None),
    ("ahead", "on_course"),
    ("ahead", "attained"),
    (None, None),
    ("behind", "missed"),
)


def _of(probability: str) -> Decimal | None:
    return Decimal(probability) if probability[0] == "0" else None


LOOKS = [
    Look(pace, verdict, milestones, is_over=is_over, is_forecast=probability != "none", probability=_of(probability))
    for pace, verdict in STANDINGS
    for milestones in ((), ("m1",))
    for is_over in (False, True)
    for probability in ("none", "unknown", "0.19", "0.2", "0.34", "0.35")
]


@given(looks=lists(sampled_from(LOOKS), max_size=6))
def test_looking_again_at_the_same_tells_nothing(looks: list[Look]) -> None:
    now = Told()
    for look in looks:
        _, now = notices(now, look)
        assert notices(now, look) == ([], now)


@pytest.mark.parametrize(
    ("pace", "probabilities", "topics"),
    [
        ("on_track", ["0.2", "0.19", "0.34", "0.1", "0.35", "0.2", "0.19"], ["at_risk", "recovered", "at_risk"]),
        ("ahead", ["0.19", "none", "unknown"], ["at_risk", "recovered"]),
        ("too_early", ["0.01"], []),
        ("behind", ["0.9", "0.9"], ["at_risk"]),
    ],
)
def test_risk_by_forecast_does_not_take_turns(pace: PaceVerdict, probabilities: list[str], topics: list[str]) -> None:
    now, found = Told(), []
    for each in probabilities:
        look = Look(pace, None, is_forecast=each != "none", probability=_of(each))
        new, now = notices(now, look)
        found += [notice.topic.removeprefix("goal.") for notice in new]
    assert found == topics


def test_verdicts_of_the_days_of_grace_are_not_told_before_closing() -> None:
    found, now = notices(Told(), Look("behind", "missed", is_over=True))
    assert (found, now) == ([], Told())
    found, now = notices(now, Look("behind", "missed", is_over=True, is_final=True))
    assert [each.topic for each in found] == ["goal.missed"]
