"""Rows 1 and 5: a dashboard of 12 KPIs, 50 members and 12 months; a ranking of all members in a quarter."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.benchmarks import world
from tests.benchmarks.bench import Bench, DifferentAnswer
from tests.benchmarks.catalogue import AGGREGATES, DASHBOARD, Aggregate, Kpi, shown
from tests.benchmarks.client import Answer, Connection
from tests.benchmarks.comparators import Cells, Question, Sql, months
from tests.benchmarks.duck import duck_arguments, duck_sql
from tests.benchmarks.racing import Ask, Contestant
from tests.benchmarks.report import Bar, Row

OURS, SQL, PARALLEL, DUCK = "paceline", "SQL", "SQL, parallel", "DuckDB"
_NUMBERS = {str(id_): number for number, id_ in enumerate(world.MEMBER_IDS)}


@dataclass
class Board:
    """KPIs asked of members over windows, in variants that are asked in turn; `expected` by variant."""

    kpis: Sequence[Kpi]
    aggregates: Sequence[Aggregate]
    questions: Sequence[Question]
    grain: str
    months_each: int
    etags: dict[int, bytes] = field(default_factory=dict)
    expected: dict[int, Cells] = field(default_factory=dict)

    def body(self, variant: int) -> bytes:
        """What is posted."""
        question = self.questions[variant]
        last = question.edges[-1] - timedelta(days=1)
        return json.dumps(
            {
                "kpis": [kpi.key for kpi in self.kpis],
                "subjects": [{"member": str(world.MEMBER_IDS[number])} for number in question.members],
                "period": f"{question.edges[0]}..{last}",
                "grain": self.grain,
            }
        ).encode()

    def check(self, variant: int, answer: Answer) -> None:
        """Compare an answer cell by cell with the ledger's; the same answer again is known by its tag."""
        tag = answer.header("etag")
        if tag is not None and self.etags.get(variant) == tag:
            return
        if tag is not None and variant in self.etags:
            raise DifferentAnswer(f"the answer to question {variant} changed: {tag!r} after {self.etags[variant]!r}")
        differences = list(self._differences(variant, answer.json()))
        if differences:
            raise DifferentAnswer(f"{len(differences)} cells differ from the ledger's: {differences[:5]}")
        if tag is not None:
            self.etags[variant] = tag

    def _differences(self, variant: int, document: Any) -> list[str]:  # Any: JSON
        found = []
        nothing = {each.name: Decimal(0) for each in self.aggregates}
        by_key = {kpi.key: kpi for kpi in self.kpis}
        series = document["series"]
        if len(series) != len(self.kpis) * len(self.questions[variant].members):
            found.append(f"{len(series)} series")
        for each in series:
            number = _NUMBERS[each["subject"]["id"]]
            for place, value in enumerate(each["values"]):
                raw = self.expected[variant].get((number, place), nothing)
                wanted = shown(by_key[each["kpi"]].of(raw))
                if (None if value is None else Decimal(value)) != wanted:
                    found.append(f"{each['kpi']} of member {number}, window {place}: {value}, not {wanted}")
        return found


def dashboard() -> Board:
    """Ten sets of 50 members in turn, the last 12 months with the running one."""
    edges = months(date(2025, 12, 1), 12)
    sets = [tuple(range(place, world.MEMBERS, 10)) for place in range(10)]
    return Board(DASHBOARD, AGGREGATES, [Question(members, edges) for members in sets], "month", 1)


def ranking() -> Board:
    """All members by revenue, in each of three quarters."""
    kpi = next(kpi for kpi in DASHBOARD if kpi.key == "revenue_won")
    aggregates = [each for each in AGGREGATES if each.name == "revenue"]
    quarters = [(date(2026, 7, 1), date(2026, 10, 1)), (date(2026, 4, 1), date(2026, 7, 1))]
    quarters.append((date(2026, 10, 1), date(2027, 1, 1)))
    everybody = tuple(range(world.MEMBERS))
    return Board([kpi], aggregates, [Question(everybody, edges) for edges in quarters], "quarter", 3)


async def measure(bench: Bench, row: Row, board: Board) -> None:
    """Ours beside both ways of SQL and DuckDB."""
    contestants, plans = await _contestants(bench, board)
    for concurrency in bench.concurrencies:
        row.add(await bench.run(contestants, concurrency))
    row.plans |= plans
    _judge(bench, row, bar_of_sql=10 if board.grain == "month" else 5)


async def measure_sizes(bench: Bench, row: Row) -> None:
    """The dashboard beside itself on a smaller ledger, by a service of its own."""
    if bench.beside is None:
        row.figures["times itself on a smaller ledger"] = "not asked for: --beside N"
        return
    contestants = []
    for each in (bench, bench.beside):
        board = dashboard()
        await expect(each, board)
        contestants.append(Contestant(f"{each.prepared.organization.events:,} events", (await ours(each, board)).lanes))
    mine, smaller = (contestant.name for contestant in contestants)
    for concurrency in bench.concurrencies:
        row.add(await bench.run(contestants, concurrency))
        times = row.median(mine, concurrency) / row.median(smaller, concurrency)
        row.bars.append(Bar(f"times itself at {smaller}, {concurrency} at once", times, 1.3))


async def ours(bench: Bench, board: Board) -> Contestant:
    """The service; every answer is compared."""
    requests = [
        bench.target.request("POST", "/v1/kpi-results/query", board.body(variant))
        for variant in range(len(board.questions))
    ]
    lanes: list[Ask] = []
    connections = bench.connections(bench.target)
    for variant, request in enumerate(requests):
        board.check(variant, await connections[0].ask(request))
    for connection in connections:

        async def ask(number: int, connection: Connection = connection) -> None:
            variant = number % len(requests)
            board.check(variant, await connection.ask(requests[variant]))

        lanes.append(ask)
    return Contestant(OURS, lanes)


async def _contestants(bench: Bench, board: Board) -> tuple[list[Contestant], dict[str, Any]]:
    made, plans = [], {}
    for name, parallel in ((SQL, 0), (PARALLEL, 2)):
        sql = Sql(board.aggregates, parallel)
        connections = [await sql.connect(bench.prepared.superuser_url) for _ in range(max(bench.concurrencies))]
        for variant, question in enumerate(board.questions):
            found = sql.cells(await sql.fetch(connections[0], bench.org_id, question))
            _same(board, variant, found, name)
        plans[name] = await sql.plan(connections[0], bench.org_id, board.questions[0])
        lanes = [_sql_lane(bench, board, sql, connection) for connection in connections]
        made.append(Contestant(name, lanes, in_process=True))
    if bench.duck is not None:
        text = duck_sql(board.aggregates)
        for variant, question in enumerate(board.questions):
            arguments = duck_arguments(question, board.months_each)
            rows = await bench.duck.fetch(bench.duck.connection, text, arguments)
            _same(board, variant, bench.duck.cells(rows, board.aggregates), DUCK)
        plans[DUCK] = bench.duck.plan(text, duck_arguments(board.questions[0], board.months_each))
        duck_lanes = [_duck_lane(bench, board, text) for _ in range(max(bench.concurrencies))]
        made.append(Contestant(DUCK, duck_lanes, in_process=True))
    return [await ours(bench, board), *made], plans


async def expect(bench: Bench, board: Board) -> None:
    """Let the board expect what the ledger says now."""
    sql = Sql(board.aggregates, 0)
    connection = await sql.connect(bench.prepared.superuser_url)
    board.etags.clear()
    for variant, question in enumerate(board.questions):
        board.expected[variant] = sql.cells(await sql.fetch(connection, bench.org_id, question))
    await connection.close()


def _same(board: Board, variant: int, found: Cells, name: str) -> None:
    if board.expected.setdefault(variant, found) != found:
        raise DifferentAnswer(f"{name} answers question {variant} otherwise than the SQL before it")


def _sql_lane(bench: Bench, board: Board, sql: Sql, connection: Any) -> Ask:  # Any: asyncpg has no types
    async def ask(number: int) -> None:
        await sql.fetch(connection, bench.org_id, board.questions[number % len(board.questions)])

    return ask


def _duck_lane(bench: Bench, board: Board, text: str) -> Ask:
    assert bench.duck is not None
    duck, cursor = bench.duck, bench.duck.connection.cursor()

    async def ask(number: int) -> None:
        question = board.questions[number % len(board.questions)]
        await duck.fetch(cursor, text, duck_arguments(question, board.months_each))

    return ask


def _judge(bench: Bench, row: Row, *, bar_of_sql: float) -> None:
    for concurrency in bench.concurrencies:
        mine = row.median(OURS, concurrency)
        best = min(row.median(SQL, concurrency), row.median(PARALLEL, concurrency))
        row.bars.append(Bar(f"times faster than SQL, {concurrency} at once", best / mine, bar_of_sql, at_most=False))
        if bench.duck is not None:
            faster = row.median(DUCK, concurrency) / mine
            row.bars.append(Bar(f"times faster than DuckDB, {concurrency} at once", faster, 1, at_most=False))
