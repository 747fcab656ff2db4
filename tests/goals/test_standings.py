"""Many goals at once stand as each alone is told to (S5, S6, S30-S34), over HTTP."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.problems import ValidationFailed
from app.goals import standings
from app.kpis import engine
from app.kpis.questions import Answer, Query
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.people import furnish
from tests.goals.test_against_reference import HEALTH, SEARCHES, set_up
from tests.goals.test_bulk import statements
from tests.reference.goals_random import GoalCase, goal_cases
from tests.support import Api, World


async def page(api: Api, **params: Any) -> Any:
    """A page, which has told of every goal."""
    found = await api.get("/goals/progress", **{"limit": 200, **params})
    assert (found["next_cursor"], found["untold"]) == (None, [])
    return found


async def each_alone(api: Api, **params: Any) -> list[Any]:
    """The same goal by goal, in the order of their list."""
    ids = [goal["id"] for goal in (await api.get("/goals", limit=200))["items"]]
    return [await api.get(f"/goals/{each}/progress", include="none", **params) for each in ids]


async def require_same(api: Api, *instants: str) -> Any:
    """Whether page and single answers agree now and as of these instants; the page of now."""
    for as_of in instants:
        found = await page(api, as_of=as_of)
        assert found["items"] == await each_alone(api, as_of=as_of)
        assert found["as_of"] == found["known_at"]
    found = await page(api)
    assert found["items"] == await each_alone(api)
    return found


async def goal_of(api: Api, **changes: Any) -> str:
    goal = {"name": "July", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-07"}
    return str((await api.post("/goals", goal | {"target": {"value": "100"}} | changes, expect=201))["id"])


@pytest.fixture
async def people(api: Api) -> dict[str, dict[str, str]]:
    """KPIs, events, and owners by name: Ana and Bo in North, the organization."""
    await define(api, "calls_made", "deals_lost", "revenue_won", "win_rate")
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    owners = {"north": {"type": "team", "id": north}, "all": {"type": "organization"}}
    for name, actor in (("Ana", "1"), ("Bo", "2")):
        member = await member_with_identity(api, name, actor)
        await api.post(f"/teams/{north}/memberships", {"member_id": member}, expect=201)
        owners[name] = {"type": "member", "id": member}
        await post_events(api, happened("call.made", "2026-06-10T08:00:00Z", 3, actor=actor))
        await post_events(api, happened("call.made", "2026-07-02T08:00:00Z", 4, actor=actor))
        await post_events(api, happened("deal.lost", "2026-07-03T08:00:00Z", 2, actor=actor))
        won = {"value": "100.10", "currency": "EUR"}
        await post_events(api, happened("deal.won", "2026-07-06T08:00:00Z", 2, actor=actor, amount=won))
    return owners


async def make_all_kinds(api: Api, people: dict[str, dict[str, str]]) -> None:
    """Goals of every owner, kind of KPI, currency, period and course, with parts, ramp, change, stretch."""
    ramp = (await api.post("/goal-ramps", {"name": "Slow", "shares": ["0.25", "0.5"]}, expect=201))["id"]
    for owner in people.values():
        for period in ("2026-07", "2026-Q3", "2026-08"):
            for expected in ("working_time", "seasonal", "linear"):
                await goal_of(api, owner=owner, period=period, expected=expected)
            await goal_of(api, owner=owner, period=period, kpi="deals_lost", target={"value": "3"})
            for currency in ("EUR", "PLN"):
                money = {"kpi": "revenue_won", "currency": currency, "target": {"value": "1000.50", "stretch": "2000"}}
                await goal_of(api, owner=owner, period=period, **money)
            await goal_of(api, owner=owner, period=period, kpi="win_rate", target={"value": "0.4"})
        change = {"change": {"by": "0.5", "on": "previous_period"}}
        await goal_of(api, owner=owner, target=change, state="draft")
    for name in ("Ana", "Bo"):
        await goal_of(api, owner=people[name], ramp_id=ramp)
    for owner in (people["north"], people["all"]):
        whole = await goal_of(api, owner=owner, counts="parts")
        for name in ("Ana", "Bo"):
            await goal_of(api, owner=people[name], parent_id=whole, target={"value": "23"})


async def test_goals_of_all_kinds_stand_as_each_alone(api: Api, people: dict[str, dict[str, str]]) -> None:
    await make_all_kinds(api, people)
    await api.set_clock("2026-07-21T10:00:00Z")
    now = await require_same(api, "2026-07-13T10:00:00Z", "2026-07-20T00:00:00Z")
    assert len(now["items"]) > 90
    assert {each["state"] for each in now["items"]} == {"active", "scheduled", "draft"}


async def test_closed_goals_answer_as_they_were_frozen(api: Api, people: dict[str, dict[str, str]]) -> None:
    """S6: with what came to be known since; as of an instant they answer as they stood then."""
    goals = [await goal_of(api, owner=owner) for owner in people.values()]
    parts = await goal_of(api, owner=people["north"], counts="parts")
    await goal_of(api, owner=people["Ana"], parent_id=parts, target={"value": "5"})
    await api.set_clock("2026-08-03T10:00:00Z")
    for goal in (goals[0], goals[1], parts):
        await api.post(f"/goals/{goal}/close")
    await api.set_clock("2026-08-04T10:00:00Z")
    await api.post(f"/goals/{goals[2]}/close")
    await api.delete(f"/goals/{goals[3]}")
    await require_same(api)
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 2, actor="1"))
    now = await require_same(api, "2026-07-20T00:00:00Z", "2026-08-03T10:00:00Z", "2026-08-03T12:00:00Z")
    by_id = {each["goal_id"]: each for each in now["items"]}
    assert [by_id[goal]["restated_since"] for goal in (*goals[:3], parts)] == [True, True, True, True]
    assert {each["state"] for each in now["items"]} == {"closed", "cancelled", "active"}


@settings(deadline=None, suppress_health_check=HEALTH, max_examples=max(SEARCHES // 10, 1))
@given(data=st.data())
async def test_random_goals_stand_as_each_alone(world: World, data: st.DataObject) -> None:
    case: GoalCase = data.draw(goal_cases())
    api = (await set_up(world, case)).api
    await require_same(api, *(instant.isoformat() for instant in case.instants))


async def test_pages_and_filters_are_those_of_the_list(api: Api, people: dict[str, dict[str, str]]) -> None:
    for owner in people.values():
        for period in ("2026-07", "2026-08"):
            await goal_of(api, owner=owner, period=period)
    whole = (await page(api))["items"]
    walked, cursor = [], None
    while True:
        found = await api.get("/goals/progress", limit=3, **({"cursor": cursor} if cursor else {}))
        walked += found["items"]
        if (cursor := found["next_cursor"]) is None:
            break
        await api.get("/goals/progress", cursor=cursor, state="active", expect=422)
    assert walked == whole
    filters: list[dict[str, Any]] = [
        {"owner_id": people["Ana"]["id"]},
        {"state": "scheduled"},
        {"on": "2026-08-01"},
        {"kpi": "none"},
    ]
    for which in filters:
        listed = (await api.get("/goals", limit=200, **which))["items"]
        assert [each["goal_id"] for each in (await page(api, **which))["items"]] == [each["id"] for each in listed]
    wrongs: list[dict[str, Any]] = [
        {"limit": 201},
        {"include": "none"},
        {"as_of": "soon"},
        {"as_of": "2027-01-01T00:00:00Z"},
    ]
    for wrong in wrongs:
        await api.get("/goals/progress", expect=422, **wrong)


async def test_proposals_and_drafts_are_told_too_and_who_may_not_read_is_refused(api: Api) -> None:
    house = await furnish(api)
    ana = house.keys["Ana"]
    await ana.post("/goals", house.goal("Ana"), expect=201)
    await api.post("/goals", house.goal(state="draft"), expect=201)
    await require_same(api)
    assert {each["state"] for each in (await page(ana))["items"]} == {"proposed", "draft"}
    blind = await api.key("member", ["results:read"])
    await blind.get("/goals/progress", expect=403)


async def test_a_goal_that_cannot_be_told_spoils_no_other(
    api: Api, people: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, lost = await goal_of(api), await goal_of(api, kpi="deals_lost", target={"value": "3"})

    async def compute(session: Any, org_id: Any, query: Query, **options: Any) -> Answer:
        if "deals_lost" in query.kpis:
            raise ValidationFailed.at("/kpis/0", "There is no KPI deals_lost.", "kpi_unknown")
        return await engine.compute(session, org_id, query, **options)

    monkeypatch.setattr(standings, "compute", compute)
    found = await api.get("/goals/progress")
    assert [each["goal_id"] for each in found["items"]] == [calls]
    why = {"code": "validation-failed", "detail": "There is no KPI deals_lost."}
    assert found["untold"] == [{"goal_id": lost, **why}]


async def test_more_owners_and_kpis_are_not_more_questions(
    api: Api, people: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Query] = []

    async def compute(session: Any, org_id: Any, query: Query, **options: Any) -> Answer:
        asked.append(query)
        return await engine.compute(session, org_id, query, **options)

    monkeypatch.setattr(standings, "compute", compute)
    for owner in people.values():
        for kpi in ("calls_made", "deals_lost", "win_rate"):
            await goal_of(api, owner=owner, kpi=kpi, target={"value": "0.5"} if kpi == "win_rate" else {"value": "3"})
    await require_same(api)
    assert [(len(query.kpis), len(query.subjects)) for query in asked] == [(3, 4)]
    with statements(api.world.database) as seen:
        await page(api)
    assert len(seen) < 10


async def test_the_same_figures_later_are_not_sent_again(api: Api, people: dict[str, dict[str, str]]) -> None:
    await goal_of(api)
    first = await api.call("GET", "/goals/progress")
    known = {"If-None-Match": first.headers["etag"]}
    assert first.headers["etag"].startswith("W/")
    await api.set_clock("2026-07-13T10:00:01Z")
    assert (await api.call("GET", "/goals/progress", headers=known)).status_code == 304
    await post_events(api, happened("call.made", "2026-07-07T08:00:00Z", 2))
    assert (await api.call("GET", "/goals/progress", headers=known)).status_code == 200
