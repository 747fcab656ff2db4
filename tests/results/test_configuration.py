"""What processes keep of an organization changes no answer: every change is seen at once, by all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from app.core import clock
from app.core.configuration import kept
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from app.teams.structure import load_structure
from tests.results.team import ORGANIZATION, count, define, euros, event, kpi, post, team, total
from tests.support import Api, World

KPIS = (
    kpi("calls_made", "calls", calls=count("call.made")),
    kpi("revenue", "won", "money", won=total("deal.won")),
    kpi("calls_per_head", "calls / headcount()", "ratio", calls=count("call.made")),
    kpi("part_of_target", "calls / target(kpi.calls_made)", "ratio", calls=count("call.made")),
    kpi("double", "2 * kpi.calls_made"),
)
EVENTS = [
    event("c1", "call.made", "2026-06-30", "ada"),
    event("c2", "call.made", "2026-07-06", "ada"),
    event("c3", "call.made", "2026-07-07", "ben"),
    event("c4", "call.made", "2026-07-08", "cy"),
    event("late", "call.made", "2026-07-08", "ben") | {"occurred_at": "2026-07-08T22:30:00Z"},
    event("w1", "deal.won", "2026-07-09", "ada", amount=euros(100)),
    event("w2", "deal.won", "2026-07-10", "ben", amount={"value": "10", "currency": "USD"}),
]


class Story:
    """An organization with something of everything, and what was made of it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.made: dict[str, Any] = {}

    async def begin(self) -> None:
        api, made = self.api, self.made
        await define(api, *KPIS)
        made["north"], people = await team(api, "North", "Ada", "Ben")
        made["south"], _ = await team(api, "South")
        made.update(people)
        await api.post("/exchange-rates/sets", {"key": "daily", "kind": "daily", "name": "Daily"}, expect=201)
        await post(api, EVENTS)
        await self.goal("calls_made", "2026-07", "10")

    async def goal(self, key: str, period: str, value: str) -> None:
        new = {"name": f"{key} in {period}", "owner": {"type": "team", "id": self.made["north"]}, "kpi": key}
        more = {"period": period, "target": {"value": value}, "state": "open"}
        self.made["goal"] = (await self.api.post("/goals", new | more, expect=201))["id"]

    async def answers(self, api: Api) -> dict[str, Any]:
        """Everything that is asked of one process."""
        made = self.made
        subjects = [ORGANIZATION, {"unassigned": True}, {"team": made["north"]}, {"members_of": made["north"]}]
        query = {"kpis": [each["key"] for each in KPIS], "subjects": subjects, "period": "2026-Q3", "grain": "week"}
        return {
            "at_event": await api.post("/kpi-results/query", query),
            "current": await api.post("/kpi-results/query", query | {"attribution": "current", "grain": "month"}),
            "this": await api.post(
                "/kpi-results/query", query | {"period": "this_quarter", "compare": ["previous_period"]}
            ),
            "named": await api.post("/kpi-results/query", query | {"period": made.get("period", "2026-07")}),
            "earlier": await api.post("/kpi-results/query", query | {"known_at": made.get("known_at")}),
            "progress": await api.get(f"/goals/{made['goal']}/progress"),
            "team": await api.get(f"/teams/{made['north']}"),
            "goals": await api.get("/goals"),
        }


@asynccontextmanager
async def processes(settings: Settings, database: Database) -> AsyncIterator[tuple[World, World]]:
    """Two more processes on the same database: one keeps what it loaded, the other nothing."""
    async with AsyncExitStack() as stack:
        worlds = []
        for keeps in (True, False):
            app = create_app(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            if not keeps:
                app.state.database.configurations = app.state.database.aside.configurations = None
            worlds.append(World(app, database))
            stack.push_async_callback(worlds[-1].close)
        yield worlds[0], worlds[1]


async def changes(story: Story) -> AsyncIterator[str]:
    """Each kind of change, one after the other; gives what it was."""
    api, made = story.api, story.made
    ada, ben, north, south = made["Ada"], made["Ben"], made["north"], made["south"]
    await api.patch(f"/members/{ada}", {"name": "Zoe"})
    yield "a member's name"
    await api.patch(f"/teams/{north}", {"name": "Far north"})
    yield "a team's name"
    membership = (await api.get(f"/teams/{north}/memberships"))["items"][0]
    await api.patch(f"/teams/{north}/memberships/{membership['id']}", {"valid_to": "2026-07-07"})
    yield "a membership's end"
    await api.post(f"/teams/{south}/memberships", {"member_id": ada, "valid_from": "2026-07-07"}, expect=201)
    yield "another membership"
    await api.post(f"/teams/{south}/placements", {"parent_id": north, "valid_from": "2026-07-08"}, expect=201)
    yield "a team's place"
    await api.post(f"/members/{ben}/assignments", {"fte": "0.5", "valid_from": "2026-07-01"}, expect=201)
    yield "an assignment"
    await api.post(f"/members/{ben}/employments", {"valid_from": "2026-07-06"}, expect=201)
    yield "an employment"
    absence = {"valid_from": "2026-07-07", "valid_to": "2026-07-09", "effect": "prorate_target"}
    await api.post(f"/members/{ben}/absences", absence, expect=201)
    yield "an absence"
    source = (await api.get("/sources"))["items"][0]["id"]
    dan = (await api.post("/members", {"name": "Dan"}, expect=201))["id"]
    yield "a member"
    identity = await api.post("/identities", {"source_id": source, "external_id": "dan"}, expect=201)
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": dan}, expect=201)
    yield "a mapping"
    await post(api, [event("c5", "call.made", "2026-07-09", "dan"), event("c6", "call.made", "2026-07-09", "new")])
    yield "events of somebody new"
    await api.post(f"/teams/{north}/memberships", {"member_id": dan}, expect=201)
    yield "a new member's membership"
    rate = {"set": "daily", "base": "USD", "quote": "EUR", "valid_from": "2026-07-01", "rate": "0.9"}
    await api.post("/exchange-rates", rate, expect=201)
    yield "a rate"
    await api.post("/exchange-rates", rate | {"rate": "0.8"}, expect=201)
    yield "another rate"
    await api.patch("/kpis/calls_made", {"name": "Dials", "thresholds": {"good": "10", "poor": "1"}})
    yield "a KPI's name"
    version = {name: KPIS[0][name] for name in ("unit", "direction", "measures")} | {"formula": "calls * 3"}
    await api.post("/kpis/calls_made/versions", version | {"valid_from": None}, expect=201)
    yield "a KPI's version"
    await api.post(f"/goals/{made['goal']}/targets", {"target": {"value": "20"}, "reason": "more"}, expect=201)
    yield "a target"
    await api.patch(f"/goals/{made['goal']}", {"name": "Ring more"})
    yield "a goal's name"
    await story.goal("double", "2026-Q3", "99")
    yield "a goal"
    await api.patch(f"/goals/{made['goal']}", {"state": "cancelled"})
    yield "a cancelled goal"
    calendar = await api.post("/calendars", {"name": "Poland", "country": "PL", "is_default": True}, expect=201)
    yield "a calendar"
    await api.patch(f"/calendars/{calendar['id']}", {"extra_working_days": ["2026-07-11"]})
    yield "a calendar's working day"
    await api.post(
        "/calendars/periods", {"key": "sprint", "name": "Sprint", "first_day": "2026-07-01", "last_day": "2026-07-14"},
        expect=201,
    )  # fmt: skip
    made["period"] = "sprint"
    yield "a period's name"
    await api.patch("/organization", {"time_zone": "America/New_York", "week_starts_on": 6, "fiscal_year_starts": 4})
    yield "the organization's zone and year"
    await api.patch("/organization", {"currency": "USD"})
    yield "the organization's currency"
    await api.patch(f"/sources/{source}", {"counts": ["deal.won"]})
    yield "what a source counts for"
    await api.delete(f"/teams/{north}/memberships/{membership['id']}")
    yield "a membership taken back"
    await api.delete(f"/teams/{south}")
    yield "an archived team"
    await api.delete("/kpis/double")
    yield "an archived KPI"
    await api.set_clock("2026-07-20T10:00:00Z")
    yield "the clock"


async def test_answers_from_what_is_kept_are_those_of_a_process_that_keeps_nothing(
    world: World, settings: Settings, api: Api
) -> None:
    story = Story(api)
    await story.begin()
    async with processes(settings, world.worker_database) as (keeping, forgetful):
        others = [each.caller(api.org_id, api.token) for each in (keeping, forgetful)]
        before = await story.answers(others[0])
        story.made["known_at"] = before["at_event"]["known_at"]
        unchanged = []
        async for change in changes(story):
            here, there, exact = [await story.answers(caller) for caller in (api, *others)]
            assert there == exact, change
            assert here == exact, change
            if _figures(exact) == _figures(before):
                unchanged.append(change)
            before = exact
    assert unchanged == ["a mapping", "an archived team", "an archived KPI"], (
        "nothing else leaves the answers as they were"
    )


def _figures(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers without the instants that they state."""
    without = {"known_at", "as_of"}
    return {name: {key: value for key, value in each.items() if key not in without} for name, each in answers.items()}


async def test_what_is_kept_is_loaded_once(api: Api) -> None:
    database = api.world.database
    async with database.read(api.org_id) as one, database.read(api.org_id) as other:
        known_at = await clock.last_recorded(one, api.org_id)
        assert await load_structure(one, api.org_id, known_at) is await load_structure(other, api.org_id, known_at)
    await post(api, [event("c1", "call.made")])
    async with database.read(api.org_id) as later:
        present = await clock.last_recorded(later, api.org_id)
        assert present > known_at
        known = await load_structure(later, api.org_id, known_at)
        assert await load_structure(later, api.org_id, present) is known, "events change nothing of it"


async def test_a_snapshot_that_is_open_keeps_seeing_what_it_saw(api: Api) -> None:
    made = await api.post("/teams", {"name": "North"}, expect=201)
    database, org_id = api.world.database, api.org_id
    async with database.read(org_id) as before:
        known_at = await clock.last_recorded(before, org_id)
        await api.patch(f"/teams/{made['id']}", {"name": "South"})
        async with database.read(org_id) as after:
            assert _names(await load_structure(after, org_id, known_at)) == ["South"]
            assert _names(await load_structure(before, org_id, known_at)) == ["North"]
            assert _names(await load_structure(after, org_id, known_at)) == ["South"]


async def test_what_was_known_earlier_is_not_what_is_kept(api: Api) -> None:
    made = await api.post("/teams", {"name": "North"}, expect=201)
    ada = await api.post("/members", {"name": "Ada"}, expect=201)
    database, org_id = api.world.database, api.org_id
    async with database.read(org_id) as session:
        earlier = await clock.last_recorded(session, org_id)
    await api.post(f"/teams/{made['id']}/memberships", {"member_id": ada["id"]}, expect=201)
    async with database.read(org_id) as session:
        present = await clock.last_recorded(session, org_id)
        assert len((await load_structure(session, org_id, present)).memberships) == 1
        assert (await load_structure(session, org_id, earlier)).memberships == []
        assert len((await load_structure(session, org_id, present)).memberships) == 1


async def test_a_transaction_that_writes_keeps_nothing(api: Api) -> None:
    async with api.world.database.write(api.org_id) as session:
        now = await clock.last_recorded(session, api.org_id)
        place = await kept(session, api.org_id, now)
        place["x"] = 1
        assert "x" not in await kept(session, api.org_id, now)


async def test_changes_and_questions_at_once_never_mix(world: World, settings: Settings, api: Api) -> None:
    """Whatever a question finds kept, its answer is of one state: the team's name and its members change together."""
    story = Story(api)
    await story.begin()
    north, names = story.made["north"], [f"North {n}" for n in range(12)]

    async def change() -> None:
        for name in names:
            await api.patch(f"/teams/{north}", {"name": name})
            await api.post("/kpis/calls_made/versions", _version(int(name.split()[1])), expect=201)

    async def ask(caller: Api) -> list[tuple[datetime, str, float]]:
        query = {"kpis": ["calls_made"], "subjects": [{"team": north}], "period": "2026-07", "grain": "total"}
        told = []
        for _ in range(30):
            answer = await caller.post("/kpi-results/query", query)
            series = answer["series"][0]
            told.append((answer["known_at"], series["subject"]["name"], series["total"]["value"]))
        return told

    async with processes(settings, world.worker_database) as (keeping, forgetful):
        callers = [each.caller(api.org_id, api.token) for each in (keeping, forgetful)]
        _, *told = await asyncio.gather(change(), ask(api), *[ask(caller) for caller in callers])
    by_instant: dict[datetime, set[tuple[float, ...]]] = {}
    for known_at, _, value in (each for one in told if one for each in one):
        by_instant.setdefault(known_at, set()).add((value,))
    assert all(len(values) == 1 for values in by_instant.values()), "one state recorded, one answer"


def _version(factor: int) -> dict[str, Any]:
    content = {name: KPIS[0][name] for name in ("unit", "direction", "measures")}
    return content | {"formula": f"calls * {factor + 2}", "valid_from": None}


def _names(structure: Any) -> list[str]:
    return [row.name for row in structure.teams.values()]


@pytest.mark.parametrize("most", [1, 10_000])
async def test_more_than_may_be_kept_is_loaded_again(world: World, most: int) -> None:
    """The configuration of who asked longest ago goes first; each weighs at least its teams."""
    first, other = await world.organization(), await world.organization()
    shared = world.database.configurations
    assert shared is not None
    before, shared._most = shared._most, most
    try:
        for api in (first, other):
            await api.post("/teams", {"name": "North"}, expect=201)
        asked = [await _structure(world, api) for api in (first, other, first)]
    finally:
        shared._most = before
    assert asked[0] == asked[2]
    assert (asked[0] is asked[2]) == (most > 1)


async def _structure(world: World, api: Api) -> Any:
    async with world.database.read(api.org_id) as session:
        return await load_structure(session, api.org_id, await clock.last_recorded(session, api.org_id))
