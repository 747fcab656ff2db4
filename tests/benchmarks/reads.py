"""Rows 3 and 8: small questions beside a bare application that authenticates and reads a row."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.benchmarks import dashboard, world
from tests.benchmarks.bench import Bench, DifferentAnswer, post
from tests.benchmarks.catalogue import AGGREGATES, DASHBOARD
from tests.benchmarks.client import Answer, Connection, Target
from tests.benchmarks.comparators import Question
from tests.benchmarks.dashboard import Board
from tests.benchmarks.racing import Ask, Contestant
from tests.benchmarks.report import Bar, Row

GOALS = 100
BARE = "bare, one row by key"
# What is answered of a goal's progress, how, and how many times the bare answer it may take.
PROGRESS = (
    ("progress of a goal", "?include=none", 6),
    ("progress of a goal with its forecast", "?include=forecast", 10),
)


async def measure_small(bench: Bench, row: Row) -> None:
    """One KPI of one member this month, and a goal's progress and its forecast, beside one row by its key."""
    board = _this_month()
    await dashboard.expect(bench, board)
    goals = await make_goals(bench)
    for number, goal in goals.items():
        answer = await Connection(bench.target).ask(bench.target.request("GET", f"/v1/goals/{goal}/progress"))
        _check_progress(answer, board, number)
    members = [f"/members/{id_}" for id_ in world.MEMBER_IDS]
    contestants = [
        await dashboard.ours(bench, board),
        *(
            _gets(bench, name, bench.target, [f"/v1/goals/{goal}/progress{asked}" for goal in goals.values()])
            for name, asked, _ in PROGRESS
        ),
        _gets(
            bench,
            "progress of a goal with everything",
            bench.target,
            [f"/v1/goals/{g}/progress" for g in goals.values()],
        ),
        _gets(bench, BARE, bench.bare, members),
    ]
    for concurrency in bench.concurrencies:
        row.add(await bench.run(contestants, concurrency))
        bare = row.median(BARE, concurrency)
        for name, bound in ((dashboard.OURS, 3), *((name, bound) for name, _, bound in PROGRESS)):
            times = row.median(name, concurrency) / bare
            row.bars.append(Bar(f"{name}: times the bare answer, {concurrency} at once", times, bound))


async def measure_lists(bench: Bench, row: Row) -> None:
    """A team, and a list of 100 goals, by both."""
    await make_goals(bench)
    teams = [f"/teams/{id_}" for id_ in world.TEAM_IDS]
    lists = [f"/goals?limit={GOALS}"]
    await _agree(bench, teams[0])
    await _agree(bench, lists[0])
    pairs = {"a team": teams, f"{GOALS} goals": lists}
    contestants = [
        _gets(bench, f"{name}, {side}", target, [f"{prefix}{path}" for path in paths])
        for name, paths in pairs.items()
        for side, target, prefix in (("paceline", bench.target, "/v1"), ("bare", bench.bare, ""))
    ]
    for concurrency in bench.concurrencies:
        row.add(await bench.run(contestants, concurrency))
        for name in pairs:
            mine, bare = (row.per_second(f"{name}, {side}", concurrency) for side in ("paceline", "bare"))
            row.bars.append(Bar(f"{name}: share of the bare rate, {concurrency} at once", mine / bare, 0.5, False))


async def make_goals(bench: Bench) -> dict[int, str]:
    """Goals of this month for the first members, by number; made where they are not there yet."""
    async with bench.service.api(bench.prepared.organization.token) as api:
        items = (await api.get("/goals", params={"limit": GOALS})).json()["items"]
    made: dict[int, str] = {world.MEMBER_IDS.index(UUID(goal["owner"]["id"])): goal["id"] for goal in items}
    for number in range(len(made), GOALS):
        owner = {"type": "member", "id": str(world.MEMBER_IDS[number])}
        goal = {"name": f"Calls of member {number}", "owner": owner, "kpi": "calls_made", "period": "2026-11"}
        made[number] = (await post(bench, "/goals", {**goal, "target": {"value": "200"}}))["id"]
    return made


def _this_month() -> Board:
    kpi = next(kpi for kpi in DASHBOARD if kpi.key == "calls_made")
    edges = (date(2026, 11, 1), date(2026, 12, 1))
    questions = [Question((number,), edges) for number in range(0, world.MEMBERS, 5)]
    return Board([kpi], [each for each in AGGREGATES if each.name == "calls"], questions, "month", 1)


def _check_progress(answer: Answer, board: Board, number: int) -> None:
    told: Any = answer.json()  # Any: JSON
    variant = next((n for n, question in enumerate(board.questions) if number in question.members), None)
    if variant is None:
        return
    calls = board.expected[variant].get((number, 0), {"calls": Decimal(0)})["calls"]
    if Decimal(told["actual"]) != calls:
        raise DifferentAnswer(f"progress of member {number}: {told['actual']}")


def _gets(bench: Bench, name: str, target: Target, paths: list[str]) -> Contestant:
    requests = [target.request("GET", path) for path in paths]

    def lane(connection: Connection) -> Ask:
        async def ask(number: int) -> None:
            await connection.ask(requests[number % len(requests)])

        return ask

    return Contestant(name, [lane(connection) for connection in bench.connections(target)])


async def _agree(bench: Bench, path: str) -> None:
    """Both tell the same."""
    mine: Any = (await Connection(bench.target).ask(bench.target.request("GET", f"/v1{path}"))).json()  # Any: JSON
    bare: Any = (await Connection(bench.bare).ask(bench.bare.request("GET", path))).json()
    if mine != bare:
        raise DifferentAnswer(f"{path}: {str(mine)[:500]} … and {str(bare)[:500]} …")
