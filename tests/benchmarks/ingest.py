"""Row 6: batches of 1,000 events over HTTP, beside the same rows inserted by hand into the same tables."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg

from app.core.ids import new_id
from tests.benchmarks import posting
from tests.benchmarks.bench import Bench, DifferentAnswer
from tests.benchmarks.client import Connection
from tests.benchmarks.racing import Times
from tests.benchmarks.report import Bar, Row

SIZE = 1_000
LATE = 0.2
OURS, INSERT, COPY = "paceline", "INSERT by hand", "COPY by hand"
TABLES = ("event_head", "event", "event_credit", "stale_marker")
"""In the order in which their rows refer to each other."""

Columns = dict[str, list[Any]]  # Any: values of columns
Write = Callable[[int, Any], Awaitable[None]]  # Any: what was made ready


async def measure(bench: Bench, row: Row) -> None:
    """In turns, the worker away: what it does about markers is measured by another row."""
    async with bench.service.without_worker():
        contestants = [_Ours(bench), *[_ByHand(bench, name) for name in (INSERT, COPY)]]
        sample = await _sample(bench)
        for contestant in contestants:
            await contestant.begin(sample)
        for concurrency in bench.concurrencies:
            row.add(await _race(bench, contestants, concurrency))
            mine, by_hand = (row.per_second(name, concurrency) for name in (OURS, INSERT))
            row.figures[f"events/s of paceline, {concurrency} at once"] = round(mine * SIZE)
            row.figures[f"rows/s by INSERT, {concurrency} at once"] = round(by_hand * SIZE)
            row.bars.append(Bar(f"share of INSERT's rate, {concurrency} at once", mine / by_hand, 0.5, at_most=False))
        for contestant in contestants:
            await contestant.end()
        await _clear(bench)


async def _race(bench: Bench, contestants: Sequence["_Contestant"], concurrency: int) -> dict[str, Times]:
    times = {each.name: Times(concurrency, each.name != OURS) for each in contestants}
    each_turn = max(1, 8 // concurrency)
    ends = time.monotonic() + bench.seconds * len(contestants)
    while time.monotonic() < ends:
        for contestant in contestants:
            ready = [[contestant.make() for _ in range(each_turn)] for _ in range(concurrency)]
            mine = times[contestant.name]
            with mine.turn():
                await asyncio.gather(*(_write(contestant, lane, batches, mine) for lane, batches in enumerate(ready)))
            bench.told(f"{contestant.name}, {concurrency} at once")
    return times


async def _write(contestant: "_Contestant", lane: int, batches: list[Any], turn: Times) -> None:
    for batch in batches:
        began = time.perf_counter()
        await contestant.write(lane, batch)
        turn.latencies.append(time.perf_counter() - began)


class _Contestant:
    """Writes batches; `make` puts one together, outside the time that is measured."""

    name = ""

    async def begin(self, sample: dict[str, Columns]) -> None:
        """Before the first batch; `sample` are the rows of one batch as the service wrote them."""

    def make(self) -> Any:  # Any: what `write` takes
        """A batch with ids of its own."""
        raise NotImplementedError

    async def write(self, lane: int, batch: Any) -> None:
        """Write it; it is committed when this returns."""
        raise NotImplementedError

    async def end(self) -> None:
        """After the last batch."""


class _Ours(_Contestant):
    name = OURS

    def __init__(self, bench: Bench) -> None:
        self._target = bench.target
        self._connections = bench.connections(bench.target)
        self._numbers = count()
        self._template = posting.template(SIZE, LATE)

    def make(self) -> bytes:
        body = posting.named(self._template, f"r{next(self._numbers)}")
        return self._target.request("POST", "/v1/events/batch", body)

    async def write(self, lane: int, batch: bytes) -> None:
        answer = await self._connections[lane].ask(batch)
        if f'"accepted":{SIZE}'.encode() not in answer.body[-200:].replace(b" ", b""):
            raise DifferentAnswer(f"a batch was not accepted: {answer.body[-300:]!r}")


class _ByHand(_Contestant):
    """The rows of a batch by one statement a table, in one transaction."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.name = name
        self._bench = bench
        self._numbers = count()
        self._connections: list[asyncpg.Connection] = []
        self._statements: dict[str, str] = {}
        self._sample: dict[str, Columns] = {}

    async def begin(self, sample: dict[str, Columns]) -> None:
        # COPY is refused where row security holds: the superuser's.
        url = self._bench.prepared.urls.app if self.name == INSERT else self._bench.prepared.superuser_url
        self._connections = [await asyncpg.connect(url) for _ in range(max(self._bench.concurrencies))]
        self._sample = sample
        self._statements = {table: await _insert(self._bench, table, list(rows)) for table, rows in sample.items()}

    def make(self) -> dict[str, Columns]:
        return _renamed(self._sample, f"{self.name[:1]}{next(self._numbers)}")

    async def write(self, lane: int, batch: dict[str, Columns]) -> None:
        connection = self._connections[lane]
        async with connection.transaction():
            await connection.execute(f"SET LOCAL app.org_id = '{self._bench.org_id}'")
            for table, columns in batch.items():
                if self.name == INSERT:
                    await connection.execute(self._statements[table], *columns.values())
                else:
                    rows = list(zip(*columns.values(), strict=True))
                    await connection.copy_records_to_table(table, records=rows, columns=list(columns))

    async def end(self) -> None:
        for connection in self._connections:
            await connection.close()


async def _sample(bench: Bench) -> dict[str, Columns]:
    """The rows that one batch has made in each table."""
    server = await bench.superuser()
    before = await server.fetchval("SELECT id FROM stale_marker ORDER BY id DESC LIMIT 1") or UUID(int=0)
    body = posting.named(posting.template(SIZE, LATE), "sample")
    await Connection(bench.target).ask(bench.target.request("POST", "/v1/events/batch", body))
    ids = [f"b-{'sample'.rjust(10, '0')}-{number:05d}" for number in range(SIZE)]
    wanted = {
        "event_head": ("external_id = ANY ($1)", ids),
        "event": ("external_id = ANY ($1)", ids),
        "event_credit": ("row_id IN (SELECT row_id FROM event WHERE external_id = ANY ($1))", ids),
        "stale_marker": ("id > $1", before),
    }
    found = {}
    for table in TABLES:
        condition, value = wanted[table]
        rows = await server.fetch(f"SELECT * FROM {table} WHERE {condition}", value)
        found[table] = {name: [row[name] for row in rows] for name in rows[0].keys()}  # noqa: SIM118 - a record, no dict
    await server.close()
    return found


def _renamed(sample: dict[str, Columns], batch: str) -> dict[str, Columns]:
    """The rows with other ids that belong together in the same way."""
    rows = {old: new_id() for old in sample["event"]["row_id"]}
    events = {old: new_id() for old in sample["event"]["event_id"]}
    names = {old: f"{batch}{old}" for old in sample["event"]["external_id"]}
    new: dict[str, dict[Any, Any]] = {"row_id": rows, "event_id": events, "external_id": names}
    renamed = {
        table: {
            column: [new[column][value] for value in values] if column in new else values
            for column, values in columns.items()
        }
        for table, columns in sample.items()
    }
    renamed["stale_marker"]["id"] = [new_id() for _ in sample["stale_marker"]["id"]]
    return renamed


async def _insert(bench: Bench, table: str, columns: list[str]) -> str:
    """An INSERT of arrays, one for each column."""
    server = await bench.superuser()
    types = {
        row["name"]: row["type"]
        for row in await server.fetch(
            "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attnum > 0",
            table,
        )
    }
    await server.close()
    arrays = ", ".join(f"${place}::{types[name]}[]" for place, name in enumerate(columns, 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"


async def _clear(bench: Bench) -> None:
    """Leave to the worker the markers of one round only: those by hand tell of the same days."""
    server = await bench.superuser()
    await server.execute(
        "DELETE FROM stale_marker WHERE id NOT IN ("
        "SELECT DISTINCT ON (identity_id, type, occurred_at, occurred_on) id FROM stale_marker)"
    )
    await server.close()
