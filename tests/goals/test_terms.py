"""What belongs to a goal beside its target: weight, parent, parts, ramp, milestones, as revisions (G10)."""

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.accounts.access import Principal
from app.calendars.periods import DayRange
from app.core import clock
from app.core.db import OrganizationId
from app.core.outbox import OutboxMessage
from app.core.snapshots import snapshot
from app.goals import queries, service
from app.goals.schemas import GoalCreate, GoalUpdate, TargetChange
from app.kpis.attribution import Days, intersect
from app.kpis.loading import attributor_of
from tests.goals.facts import define
from tests.support import Api, World

YEAR = {
    "name": "Calls of the year",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026",
    "target": {"value": "1000"},
}
JULY = YEAR | {"name": "Calls in July", "period": "2026-07", "target": {"value": "100"}}


@pytest.fixture
async def with_calls(api: Api) -> Api:
    """An organization that counts calls, money and wins."""
    await define(api, "calls_made", "revenue_won", "win_rate")
    return api


async def made(api: Api, body: dict[str, Any], **changes: Any) -> str:
    return str((await api.post("/goals", body | changes, expect=201))["id"])


async def refused(api: Api, body: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """Where and why a goal is refused."""
    problem = await api.post("/goals", body | changes, expect=422)
    return problem["errors"][0]["pointer"], problem["errors"][0]["code"]


async def not_changed(api: Api, goal: str, change: dict[str, Any]) -> tuple[str, str]:
    """Where and why a change is refused; nothing of it stays."""
    before = await api.get(f"/goals/{goal}")
    problem = await api.patch(f"/goals/{goal}", {"name": "Other"} | change, expect=422)
    assert await api.get(f"/goals/{goal}") == before
    return problem["errors"][0]["pointer"], problem["errors"][0]["code"]


async def team(api: Api, name: str, **more: Any) -> str:
    return str((await api.post("/teams", {"name": name, **more}, expect=201))["id"])


async def member(api: Api, name: str, team_id: str | None = None, **days: Any) -> str:
    found = str((await api.post("/members", {"name": name}, expect=201))["id"])
    if team_id is not None:
        await api.post(f"/teams/{team_id}/memberships", {"member_id": found, **days}, expect=201)
    return found


def of_member(member_id: str) -> dict[str, Any]:
    return {"owner": {"type": "member", "id": member_id}}


def of_team(team_id: str) -> dict[str, Any]:
    return {"owner": {"type": "team", "id": team_id}}


# ---------------------------------------------------------------------------------------------------- as revisions


async def test_a_goal_has_its_terms_from_the_beginning_and_by_default(with_calls: Api) -> None:
    api = with_calls
    year = await made(api, YEAR)
    plain = await api.get(f"/goals/{year}")
    assert (plain["weight"], plain["parent_id"], plain["counts"], plain["expected"]) == (
        "1",
        None,
        "own",
        "working_time",
    )
    assert (plain["ramp_id"], plain["milestones"], plain["target"]["stretch"]) == (None, [], None)
    milestones = [{"name": "Half way", "share": "0.5", "due_on": "2026-07-15"}, {"name": "All but one", "value": 99}]
    whole = JULY | {"target": {"value": "100", "stretch": "120.5"}}
    july = await made(api, whole, weight="2.5", parent_id=year, expected="linear", milestones=milestones)
    told = await api.get(f"/goals/{july}")
    assert (told["weight"], told["parent_id"], told["expected"]) == ("2.5", year, "linear")
    assert told["target"]["stretch"] == "120.5"
    assert told["milestones"] == [
        {"key": "m1", "name": "Half way", "value": None, "share": "0.5", "due_on": "2026-07-15"},
        {"key": "m2", "name": "All but one", "value": "99", "share": None, "due_on": None},
    ]
    assert [item["id"] for item in (await api.get("/goals", parent_id=year))["items"]] == [july]


async def test_other_terms_are_a_revision_with_who_when_and_why(with_calls: Api) -> None:
    api = with_calls
    goal = await made(api, JULY, reason="Plan")
    await api.set_clock("2026-07-20T08:00:00Z")
    change = {"weight": "3", "milestones": [{"key": "half", "name": "Half", "share": "0.5"}], "reason": "More weight."}
    told = await api.patch(f"/goals/{goal}", change)
    assert (told["weight"], told["version"], told["target"]["value"]) == ("3", 2, "100")
    first, second = (await api.get(f"/goals/{goal}/targets"))["items"]
    assert (second["reason"], second["recorded_at"][:16]) == ("More weight.", "2026-07-20T08:00")
    assert second["changed_by"].startswith("key:")
    assert (second["old"], first["superseded_at"]) == (first["new"], second["recorded_at"])
    assert (second["old"]["weight"], second["new"]["weight"], second["new"]["value"]) == ("1", "3", "100")
    assert [each["key"] for each in second["new"]["milestones"]] == ["half"]


async def test_the_same_terms_are_no_revision(with_calls: Api) -> None:
    api = with_calls
    milestones = [{"name": "Half", "share": "0.50"}]
    goal = await made(api, JULY, weight="2", milestones=milestones)
    same = {"weight": "2.0", "milestones": milestones, "parent_id": None, "counts": "own", "expected": "working_time"}
    await api.patch(f"/goals/{goal}", same | {"name": "July", "description": "New.", "reason": "No reason."})
    assert len((await api.get(f"/goals/{goal}/targets"))["items"]) == 1
    assert (await api.get(f"/goals/{goal}"))["name"] == "July"


async def test_another_target_keeps_the_other_terms_and_replaces_the_stretch(with_calls: Api) -> None:
    api = with_calls
    goal = await made(api, JULY | {"target": {"value": "100", "stretch": "120"}}, weight="2", expected="auto")
    path = f"/goals/{goal}/targets"
    revision = await api.post(path, {"target": {"value": "130", "stretch": "150"}, "reason": "More."}, expect=201)
    assert (revision["new"]["weight"], revision["new"]["expected"], revision["new"]["stretch"]) == ("2", "auto", "150")
    revision = await api.post(path, {"target": {"value": "140"}, "reason": "No stretch."}, expect=201)
    assert (revision["old"]["stretch"], revision["new"]["stretch"], revision["new"]["weight"]) == ("150", None, "2")


async def test_words_and_the_formula_of_a_compound_goal_are_no_terms(with_calls: Api) -> None:
    api = with_calls
    await define(api, "deals_lost")
    goal = await made(api, JULY)
    told = await api.patch(f"/goals/{goal}", {"yields": "kpi.deals_lost * 2", "description": "Why"})
    assert (told["yields"], told["description"]) == ("kpi.deals_lost * 2", "Why")
    assert (await api.patch(f"/goals/{goal}", {"yields": None}))["yields"] is None
    assert len((await api.get(f"/goals/{goal}/targets"))["items"]) == 1


async def test_terms_change_only_on_the_version_that_was_read(with_calls: Api) -> None:
    api = with_calls
    goal = await made(api, JULY)
    await api.patch(f"/goals/{goal}", {"weight": "2"}, headers={"If-Match": '"1"'})
    await api.patch(f"/goals/{goal}", {"weight": "3"}, expect=412, headers={"If-Match": '"1"'})


@pytest.mark.parametrize("change", [{"weight": "2"}, {"parent_id": None}, {"reason": "Why"}, {"yields": None}])
async def test_ended_goals_keep_their_terms(with_calls: Api, change: dict[str, Any]) -> None:
    api = with_calls
    gone = await made(api, JULY)
    await api.delete(f"/goals/{gone}")
    await api.patch(f"/goals/{gone}", change, expect=409)
    closed = await made(api, JULY | {"period": "2026-06"})
    await api.post(f"/goals/{closed}/close")
    problem = await api.patch(f"/goals/{closed}", change, expect=409)
    assert problem["type"] == "/problems/goal-action-not-possible"


async def test_owner_kpi_and_period_are_fixed(with_calls: Api) -> None:
    goal = await made(with_calls, JULY)
    for name, value in (("kpi", "win_rate"), ("period", "2026-08"), ("owner", YEAR["owner"]), ("currency", "EUR")):
        problem = await with_calls.patch(f"/goals/{goal}", {name: value}, expect=422)
        assert problem["errors"][0]["pointer"] == f"/{name}"


async def test_two_goals_on_the_same_thing_are_possible(with_calls: Api) -> None:
    """The SMART check tells of them."""
    assert await made(with_calls, JULY) != await made(with_calls, JULY)


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"weight": "0"}, "/weight"),
        ({"weight": "-1"}, "/weight"),
        ({"weight": "1e7"}, "/weight"),
        ({"weight": "1e400"}, "/weight"),
        ({"weight": "NaN"}, "/weight"),
        ({"weight": None}, "/weight"),
        ({"weight": True}, "/weight"),
        ({"counts": "all"}, "/counts"),
        ({"expected": "by_ear"}, "/expected"),
        ({"parent_id": "x"}, "/parent_id"),
        ({"parent_id": str(uuid4())}, "/parent_id"),
        ({"ramp_id": str(uuid4())}, "/ramp_id"),
        ({"milestones": [{"name": "Half"}]}, "/milestones/0"),
        ({"milestones": [{"name": "Half", "share": "0.5", "value": "5"}]}, "/milestones/0"),
        ({"milestones": [{"name": "", "share": "0.5"}]}, "/milestones/0/name"),
        ({"milestones": [{"name": "Half", "share": "0"}]}, "/milestones/0/share"),
        ({"milestones": [{"name": "Half", "share": "-0.5"}]}, "/milestones/0/share"),
        ({"milestones": [{"name": "Half", "share": "101"}]}, "/milestones/0/share"),
        ({"milestones": [{"name": "Half", "value": "0"}]}, "/milestones/0/value"),
        ({"milestones": [{"name": "Half", "value": "9" * 40}]}, "/milestones/0/value"),
        ({"milestones": [{"name": "Half", "share": "0.5", "due_on": "2026-06-30"}]}, "/milestones/0/due_on"),
        ({"milestones": [{"name": "Half", "share": "0.5", "due_on": "2026-08-01"}]}, "/milestones/0/due_on"),
        ({"milestones": [{"name": "Half", "share": "0.5", "due_on": "2026-02-30"}]}, "/milestones/0/due_on"),
        ({"milestones": [{"name": "Half", "share": "0.5", "key": "A b"}]}, "/milestones/0/key"),
        ({"milestones": [{"name": "a", "share": "1", "key": "m2"}, {"name": "b", "share": "2"}]}, "/milestones/1/key"),
        ({"milestones": [{"name": "a", "share": "1"}] * 51}, "/milestones"),
    ],
)
async def test_terms_that_make_no_sense_are_refused_with_the_place(
    with_calls: Api, change: dict[str, Any], pointer: str
) -> None:
    """When a goal is made and when it is changed."""
    assert (await refused(with_calls, JULY, **change))[0] == pointer
    assert (await with_calls.get("/goals"))["items"] == []
    goal = await made(with_calls, JULY)
    assert (await not_changed(with_calls, goal, change))[0] == pointer


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ({"value": "100", "stretch": "100"}, "/target/stretch"),
        ({"value": "100", "stretch": "90"}, "/target/stretch"),
        ({"value": "100", "stretch": "-1"}, "/target/stretch"),
        ({"value": "100", "stretch": "1e40"}, "/target/stretch"),
        ({"low": "1", "high": "2", "stretch": "3"}, "/target"),
        ({"stretch": "3"}, "/target"),
    ],
)
async def test_a_stretch_lies_beyond_the_target(with_calls: Api, target: dict[str, Any], pointer: str) -> None:
    assert (await refused(with_calls, JULY, target=target))[0] == pointer


async def test_the_stretch_of_a_limit_lies_below_it(api: Api) -> None:
    await define(api, "deals_lost")
    lost = JULY | {"kpi": "deals_lost"}
    for stretch in ("100", "120", "0", "-1"):
        assert (await refused(api, lost, target={"value": "100", "stretch": stretch}))[0] == "/target/stretch"
    goal = await api.post("/goals", lost | {"target": {"value": "100", "stretch": "80"}}, expect=201)
    assert goal["target"]["stretch"] == "80"


async def test_a_band_has_neither_milestones_nor_stretch(api: Api) -> None:
    await define(api, "calls_made", direction="maintain")
    band = JULY | {"target": {"low": "1", "high": "2"}}
    half = [{"name": "Half", "share": "0.5"}]
    assert await refused(api, band, milestones=half) == ("/milestones", "milestones_of_band")
    assert (await refused(api, band | {"target": {"low": "1", "high": "2", "stretch": "3"}}))[0] == "/target"


async def test_rates_of_a_goal_are_a_set_and_of_money(with_calls: Api) -> None:
    api = with_calls
    assert await refused(api, JULY, rate_set="plan") == ("/rate_set", "rate_set_without_money")
    revenue = JULY | {"kpi": "revenue_won"}
    assert await refused(api, revenue, rate_set="plan") == ("/rate_set", "rate_set_unknown")
    assert (await refused(api, revenue, rate_set="Plan 2026"))[0] == "/rate_set"
    await api.post("/exchange-rates/sets", {"key": "plan", "name": "Plan", "kind": "fixed"}, expect=201)
    goal = await api.post("/goals", revenue | {"rate_set": "plan"}, expect=201)
    assert (goal["rate_set"], goal["currency"]) == ("plan", "EUR")


@pytest.mark.parametrize("period", ["2026-02-30", "2026-08-01..2026-07-01", "2000-01-01..2100-01-01", "next_moon"])
async def test_a_period_that_is_none_or_has_no_end_in_sight_is_refused(with_calls: Api, period: str) -> None:
    assert (await refused(with_calls, JULY, period=period))[0] == "/period"


async def test_a_goal_of_a_kpi_that_was_archived_stays_readable_and_can_be_cancelled(with_calls: Api) -> None:
    api = with_calls
    goal = await made(api, JULY)
    await api.delete("/kpis/calls_made")
    assert (await api.get(f"/goals/{goal}"))["kpi"] == "calls_made"
    assert len((await api.get("/goals", kpi="calls_made"))["items"]) == 1
    assert await refused(api, JULY) == ("/kpi", "kpi_archived")
    assert (await api.patch(f"/goals/{goal}", {"weight": "2"}))["weight"] == "2"
    await api.delete(f"/goals/{goal}")


# ------------------------------------------------------------------------------------------------------- parents


async def test_a_parent_encloses_the_days_of_its_parts(with_calls: Api) -> None:
    api = with_calls
    july = await made(api, JULY)
    assert await refused(api, YEAR, parent_id=july) == ("/parent_id", "parent_period")
    assert await refused(api, JULY, parent_id=july, period="2026-07-15..2026-08-02") == ("/parent_id", "parent_period")
    await made(api, JULY, parent_id=july, period="2026-07-15..2026-07-31")


async def test_a_goal_is_not_below_itself(with_calls: Api) -> None:
    api = with_calls
    top = await made(api, JULY)
    middle = await made(api, JULY, parent_id=top)
    low = await made(api, JULY, parent_id=middle)
    assert await not_changed(api, top, {"parent_id": top}) == ("/parent_id", "parent_itself")
    assert await not_changed(api, top, {"parent_id": middle}) == ("/parent_id", "parent_circular")
    assert await not_changed(api, top, {"parent_id": low}) == ("/parent_id", "parent_circular")
    await api.patch(f"/goals/{low}", {"parent_id": top})
    await api.patch(f"/goals/{middle}", {"parent_id": low})
    assert (await api.patch(f"/goals/{low}", {"parent_id": None}))["parent_id"] is None
    assert len((await api.get(f"/goals/{low}/targets"))["items"]) == 3


async def test_an_ended_goal_gets_no_parts_and_keeps_those_it_has(with_calls: Api) -> None:
    api = with_calls
    top = await made(api, JULY)
    part = await made(api, JULY, parent_id=top)
    await api.delete(f"/goals/{top}")
    assert await refused(api, JULY, parent_id=top) == ("/parent_id", "parent_ended")
    assert (await api.patch(f"/goals/{part}", {"weight": "2", "parent_id": top}))["parent_id"] == top


async def test_a_goal_of_another_organization_is_no_parent(with_calls: Api, world: World) -> None:
    theirs = await world.organization()
    await define(theirs, "calls_made")
    goal = await made(theirs, JULY)
    assert await refused(with_calls, JULY, parent_id=goal) == ("/parent_id", "parent_unknown")


async def test_parts_are_of_owners_below_or_the_same(with_calls: Api) -> None:
    api = with_calls
    north = await team(api, "North")
    coast = await team(api, "Coast", parent_id=north)
    south = await team(api, "South")
    ana, bo = await member(api, "Ana", coast), await member(api, "Bo", south)
    top = await made(api, JULY)
    of_north = await made(api, JULY | of_team(north), parent_id=top)
    for owner in (of_team(north), of_team(coast), of_member(ana)):
        await made(api, JULY | owner, parent_id=of_north)
    for owner in (of_team(south), of_member(bo), {"owner": {"type": "organization"}}):
        assert await refused(api, JULY | owner, parent_id=of_north) == ("/parent_id", "parent_owner")
    of_ana = await made(api, JULY | of_member(ana), parent_id=top)
    await made(api, JULY | of_member(ana), parent_id=of_ana)
    for owner in (of_member(bo), of_team(coast), {"owner": {"type": "organization"}}):
        assert await refused(api, JULY | owner, parent_id=of_ana) == ("/parent_id", "parent_owner")


async def test_who_was_below_on_some_day_of_the_period_may_have_a_part(with_calls: Api) -> None:
    """Coast is in North until 10 July; Ana in Coast from 5 July, Bo from 15 July; Cy has left in June."""
    api = with_calls
    north, south = await team(api, "North"), await team(api, "South")
    coast = await team(api, "Coast", parent_id=north)
    await api.post(f"/teams/{coast}/placements", {"parent_id": south, "valid_from": "2026-07-11"}, expect=201)
    ana = await member(api, "Ana", coast, valid_from="2026-07-05")
    bo = await member(api, "Bo", coast, valid_from="2026-07-15")
    cy = await member(api, "Cy", coast, valid_to="2026-07-01")
    parent = await made(api, JULY | of_team(north))
    await made(api, JULY | of_team(coast), parent_id=parent)
    await made(api, JULY | of_member(ana), parent_id=parent)
    for owner in (of_member(bo), of_member(cy)):
        assert await refused(api, JULY | owner, parent_id=parent) == ("/parent_id", "parent_owner")
    late = JULY | of_member(ana) | {"period": "2026-07-20..2026-07-31"}
    assert await refused(api, late, parent_id=parent) == ("/parent_id", "parent_owner")


# --------------------------------------------------------------------------------------------------------- parts


async def test_only_what_adds_up_is_the_sum_of_its_parts(with_calls: Api) -> None:
    api = with_calls
    rate = JULY | {"kpi": "win_rate", "target": {"value": "0.4"}}
    assert await refused(api, rate, counts="parts") == ("/counts", "counts_not_additive")
    goal = await made(api, rate)
    assert await not_changed(api, goal, {"counts": "parts"}) == ("/counts", "counts_not_additive")


async def test_parts_that_are_added_up_are_of_the_same_kpi_and_currency(with_calls: Api) -> None:
    api = with_calls
    money = JULY | {"kpi": "revenue_won"}
    whole = await made(api, money, counts="parts")
    await made(api, money, parent_id=whole)
    assert await refused(api, JULY, parent_id=whole) == ("/parent_id", "parent_differs")
    assert await refused(api, money, parent_id=whole, currency="PLN") == ("/parent_id", "parent_differs")
    own = await made(api, money)
    part = await made(api, JULY, parent_id=own)
    assert await not_changed(api, own, {"counts": "parts"}) == ("/counts", "parts_differ")
    await api.delete(f"/goals/{part}")
    assert (await api.patch(f"/goals/{own}", {"counts": "parts"}))["counts"] == "parts"


async def test_all_or_nothing_of_a_change_is_taken(with_calls: Api) -> None:
    api = with_calls
    goal = await made(api, JULY)
    assert (await not_changed(api, goal, {"weight": "5", "parent_id": goal}))[0] == "/parent_id"
    assert len((await api.get(f"/goals/{goal}/targets"))["items"]) == 1


# ------------------------------------------------------------------------------------------------- who is told, and how


async def test_who_belongs_to_a_team_is_asked_of_the_database_as_attribution_says(api: Api, world: World) -> None:
    """Random trees and memberships: the same answer as by the days on which members count for the team (S8)."""
    chance = random.Random(6)
    days = [date(2026, 6, 20) + timedelta(days=n) for n in range(50)]
    teams = [await team(api, f"Team {n}") for n in range(6)]
    for n, name in enumerate(teams):
        for start in sorted(chance.sample(days, 3 if n else 0)):
            body = {"parent_id": chance.choice([*teams[:n], None]), "valid_from": f"{start}"}
            await api.post(f"/teams/{name}/placements", body, expect=201)
    members = [await member(api, f"Member {n}") for n in range(5)]
    for name in members * 2:
        start, end = sorted(chance.sample(days, 2))
        body = {"member_id": name, "valid_from": f"{start}", "valid_to": f"{end}"}
        await api.call("POST", f"/teams/{chance.choice(teams)}/memberships", body)
    seen = set()
    async with snapshot(world.database, api.org_id) as session:
        known_at = await clock.last_recorded(session, api.org_id)
        attributor = await attributor_of(session, api.org_id, known_at, "at_event", date.min)
        for top, person in product(map(UUID, teams), map(UUID, members)):
            start, end = sorted(chance.sample(days, 2))
            within = attributor.days_within(top).get(person, [])
            expected = bool(intersect(within, [Days(start, end)]))
            question = queries.is_member_below(api.org_id, person, top, DayRange(start, end))
            assert (await session.execute(question)).scalar_one() is expected
            seen.add(expected)
    assert seen == {True, False}


async def test_changes_of_a_goal_are_told_with_what_changed(with_calls: Api, world: World) -> None:
    api = with_calls
    goal = await made(api, JULY)
    await api.patch(f"/goals/{goal}", {"name": "July", "weight": "2"})
    await api.post(f"/goals/{goal}/targets", {"target": {"value": "120"}, "reason": "More."}, expect=201)
    await api.patch(f"/goals/{goal}", {"weight": "2", "reason": "Nothing new."})
    await api.delete(f"/goals/{goal}")
    async with snapshot(world.database, api.org_id) as session:
        mine = OutboxMessage.org_id == api.org_id, OutboxMessage.topic.like("goal.%")
        rows = (await session.execute(select(OutboxMessage).where(*mine).order_by(OutboxMessage.id))).scalars().all()
    assert [row.topic for row in rows] == ["goal.created", "goal.changed", "goal.target_changed", "goal.cancelled"]
    assert {row.payload["goal_id"] for row in rows} == {goal}
    assert [row.payload.get("changed") for row in rows] == [None, ["name", "weight"], None, None]
    told = rows[2].payload
    assert (told["old"]["value"], told["new"]["value"], told["reason"]) == ("100", "120", "More.")


async def test_changes_of_one_transaction_are_one_revision(with_calls: Api, world: World) -> None:
    api = with_calls
    goal = UUID(await made(api, JULY, reason="Plan"))
    who = Principal(OrganizationId(api.org_id), uuid4(), "key", "admin", frozenset(), None)
    async with world.database.write(api.org_id) as session:
        await service.update_goal(session, who, goal, GoalUpdate(weight=Decimal(2)), None)
        new = TargetChange.model_validate({"target": {"value": "120"}, "reason": "More."})
        revision, _ = await service.change_target(session, who, goal, new, None)
        other = await service.create_goal(session, who, GoalCreate.model_validate(JULY))
        await service.update_goal(session, who, other.id, GoalUpdate(parent_id=goal), None)
    assert revision.old is not None
    assert (revision.old.value, revision.old.weight) == (Decimal(100), Decimal(1))
    assert (revision.new.value, revision.new.weight, revision.reason) == (Decimal(120), Decimal(2), "More.")
    first, second = (await api.get(f"/goals/{goal}/targets"))["items"]
    assert (first["reason"], second["old"]) == ("Plan", first["new"])
    [only] = (await api.get(f"/goals/{other.id}/targets"))["items"]
    assert only["new"]["parent_id"] == str(goal)
