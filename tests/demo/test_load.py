"""A small demo from beginning to end: its figures are those of the story, and the same each time."""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from app.core.db import Database
from app.demo.api import Paceline
from app.demo.catalogue import kpis
from app.demo.load import Loaded, load, opening
from app.demo.people import MEMBERS, NORTH, PARENTS, SALES, SOUTH, Person
from app.demo.story import Scale, Story
from app.demo.twists import whole_story
from app.integrations.jobs import HANDLERS
from app.worker import drain
from tests.demo import truth
from tests.support import BASE, World

SCALE = Scale(
    first_day=date(2026, 3, 19), last_day=date(2026, 4, 20), leads_a_day=1.0, new_deals_a_day=1.8, calls_a_day=0.06
)
PERIOD = "2026-03-01..2026-04-30"


class Demo:
    """An organization that was told the story."""

    def __init__(self, api: Paceline, made: Loaded) -> None:
        self.api, self.made = api, made

    async def figures(self, *subjects: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
        """Series by KPI and name of the subject."""
        keys = [kpi["key"] for kpi in kpis()]
        question = {"kpis": keys, "subjects": subjects, "period": PERIOD, "grain": "day"}
        answer = await self.api.post("/kpi-results/query", question)
        return {(s["kpi"], s["subject"]["name"] or s["subject"]["type"]): s for s in answer["series"]}


@pytest.fixture(scope="module")
def story() -> Story:
    return whole_story(SCALE)


async def told(world: World, worker_database: Database) -> Demo:
    organization = await world.organization(now=opening(SCALE))
    api = Paceline(organization.client, organization.token)

    async def settle(sources: Collection[str]) -> None:
        await drain(worker_database, HANDLERS)
        for source in sources:
            for verdict in ("received", "failed", "unparseable", "foreign_account"):
                assert (await api.get(f"/sources/{source}/deliveries", verdict=verdict))["items"] == []

    return Demo(api, await load(api, BASE, SCALE, settle, lambda *_: None))


def money(facts: list[truth.Fact]) -> Decimal:
    return sum((fact.amount for fact in facts), Decimal(0))


async def test_the_figures_are_those_of_the_story_and_the_same_each_time(
    world: World, worker_database: Database, story: Story
) -> None:
    demo = await told(world, worker_database)
    subjects: list[dict[str, Any]] = [{"organization": True}, {"unassigned": True}]
    subjects += [{"team": id_} for id_ in demo.made.teams.values()]
    subjects += [{"member": id_} for id_ in demo.made.members.values()]
    figures = await demo.figures(*subjects)

    organization_is_right(figures, story)
    for team in (SALES, NORTH, SOUTH):
        credited_is_right(figures, team, partial(is_in, team), story)
    for member in MEMBERS:
        if member.name in demo.made.members:
            credited_is_right(figures, member.name, partial(is_of, member), story)
    credited_is_right(figures, "unassigned", lambda fact: not fact.owner.is_mapped, story)

    again = await told(world, worker_database)
    assert again.made.members.keys() == demo.made.members.keys()
    organization = {"organization": True}
    assert without_ids(await demo.figures(organization)) == without_ids(await again.figures(organization))
    assert await frozen(demo) == await frozen(again)
    assert await progress(demo) == await progress(again)


def counted(story: Story) -> dict[str, list[truth.Fact]]:
    """The facts of each KPI that counts."""
    return {
        "calls_made": truth.calls(story),
        "meetings_held": truth.meetings(story),
        "new_customers": truth.new_customers(story),
    }


def organization_is_right(figures: dict[tuple[str, str], dict[str, Any]], story: Story) -> None:
    def of(kpi: str) -> dict[str, Any]:
        return figures[kpi, "organization"]

    won, lost, firsts = truth.wins(story), truth.losses(story), truth.new_customers(story)
    for kpi, facts in (
        ("calls_made", truth.calls(story)),
        ("meetings_held", truth.meetings(story)),
        ("new_customers", firsts),
    ):
        assert of(kpi)["values"] == [float(n) for n in by_day(facts)], kpi
        assert of(kpi)["total"]["value"] == len(facts)
    assert of("revenue_won")["total"]["value"] == float(money(won))
    assert of("average_deal_size")["total"]["value"] == pytest.approx(float(money(won) / len(won)), rel=1e-14)
    assert of("win_rate_closed")["total"]["value"] == pytest.approx(len(won) / (len(won) + len(lost)), rel=1e-14)

    waits = [truth.moment(answer) - lead.at for lead, answer in truth.answers(story) if answer]
    assert of("lead_response_time")["total"]["value"] == median([wait.total_seconds() for wait in waits])
    for minutes in (5, 30):
        in_time = sum(wait <= timedelta(minutes=minutes) for wait in waits)
        value = of(f"lead_response_within_{minutes}_minutes")["total"]["value"]
        assert value == pytest.approx(in_time / len(truth.answers(story)), rel=1e-14)


def credited_is_right(
    figures: dict[tuple[str, str], dict[str, Any]], name: str, is_theirs: Callable[[truth.Fact], bool], story: Story
) -> None:
    for kpi, facts in counted(story).items():
        theirs = [fact for fact in facts if is_theirs(fact)]
        assert figures[kpi, name]["total"]["value"] == len(theirs), (kpi, name)
    won = [fact for fact in truth.wins(story) if is_theirs(fact)]
    assert figures["revenue_won", name]["total"]["value"] == float(money(won)), name


def is_of(member: Person, fact: truth.Fact) -> bool:
    return fact.owner is member and member.team_on(fact.day) is not None


def is_in(team: str, fact: truth.Fact) -> bool:
    here = fact.owner.team_on(fact.day) if fact.owner.is_mapped else None
    return here is not None and team in {here, PARENTS[here]}


def by_day(facts: list[truth.Fact]) -> list[int]:
    first = date(2026, 3, 1)
    numbers = Counter(fact.day for fact in facts)
    return [numbers[first + timedelta(days=n)] for n in range(61)]


def median(values: list[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def without_ids(figures: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {key: (series["values"], series["samples"], series["total"]) for key, series in figures.items()}


async def frozen(demo: Demo) -> list[Any]:
    """What the review's evidence says, and what was restated since."""
    evidence = await demo.api.get(f"/reviews/{demo.made.review}/evidence")
    return [evidence["content"]["series"], evidence["restated_since"]["differences"]]


async def progress(demo: Demo) -> list[Any]:
    """How the goals stand."""
    found = []
    for name, id_ in sorted(demo.made.goals.items()):
        told = await demo.api.get(f"/goals/{id_}/progress")
        found.append((name, told["actual"], told["attainment"], told["pace"], told["verdict"]))
    return found
