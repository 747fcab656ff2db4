"""Row 2: the dashboard while 2,000 events a second arrive, a fifth of them late; and how markers are cleared."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from tests.benchmarks import dashboard, partials, posting
from tests.benchmarks.bench import Bench
from tests.benchmarks.client import Connection
from tests.benchmarks.racing import Ask, Contestant
from tests.benchmarks.report import Bar, Row

RATE, BATCH = 2_000, 500
LATE = 0.2
CLEARED = 40_000
_NUMBERS = count()

# The id of a marker is a UUIDv7: it tells when it was written.
_OLDEST = (
    "SELECT extract(epoch FROM clock_timestamp() - uuid_extract_timestamp(id)) FROM stale_marker ORDER BY id LIMIT 1"
)


@dataclass
class Watched:
    """What was seen of the markers and of the posting meanwhile."""

    ages: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    posted: int = 0
    seconds: float = 0.0


async def measure(bench: Bench, row: Row) -> None:
    """Idle and while events arrive, in this order; then the figures are compared with the ledger's.

    Idle is the smaller ledger, where one was asked for.
    """
    still = bench.beside or bench
    board = dashboard.dashboard()
    await dashboard.expect(still, board)
    idle = Contestant(
        f"idle, {still.prepared.organization.events:,} events", (await dashboard.ours(still, board)).lanes
    )
    for concurrency in bench.concurrencies:
        row.add(await bench.run([idle], concurrency))
    busy = Contestant("while events arrive", _unchecked(bench, board))
    for concurrency in bench.concurrencies:
        async with _arriving(bench) as watched:
            row.add(await bench.run([busy], concurrency))
        told = f", {concurrency} at once"
        taken = watched.posted / watched.seconds
        row.bars.append(Bar(f"events/s that were taken{told}", taken, 0.95 * RATE, at_most=False))
        row.figures[f"markers at most{told}"] = max(watched.numbers, default=0)
        row.bars.append(Bar(f"oldest marker in seconds{told}", max(watched.ages, default=0.0), 5))
        times = row.median(busy.name, concurrency) / row.median(idle.name, concurrency)
        row.bars.append(Bar(f"times {idle.name}{told}", times, 2))
    await dashboard.expect(bench, board)
    await dashboard.ours(bench, board)  # compares each variant, whatever is still stale
    await _clearing(bench, row)


def _unchecked(bench: Bench, board: dashboard.Board) -> list[Ask]:
    """Answers change from one to the next: they are compared afterwards."""
    requests = [
        bench.target.request("POST", "/v1/kpi-results/query", board.body(variant))
        for variant in range(len(board.questions))
    ]

    def lane(connection: Connection) -> Ask:
        async def ask(number: int) -> None:
            await connection.ask(requests[number % len(requests)])

        return ask

    return [lane(connection) for connection in bench.connections(bench.target)]


@asynccontextmanager
async def _arriving(bench: Bench) -> AsyncIterator[Watched]:
    """Events arrive meanwhile; the last batch is answered before this ends."""
    watched = Watched()
    over = asyncio.Event()
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_post_evenly(bench, watched, over))
        tasks.create_task(_watch(bench, watched, over))
        try:
            yield watched
        finally:
            watched.seconds = time.monotonic() - began
            over.set()


async def _post_evenly(bench: Bench, watched: Watched, over: asyncio.Event) -> None:
    """One batch after the other, no sooner than its turn; what was missed is caught up with."""
    connection = Connection(bench.target)
    template = posting.template(BATCH, LATE)
    began = time.monotonic()
    for number in count():
        await asyncio.sleep(max(0.0, began + number * BATCH / RATE - time.monotonic()))
        if over.is_set():
            return
        body = posting.named(template, f"a{next(_NUMBERS)}")
        await connection.ask(bench.target.request("POST", "/v1/events/batch", body))
        watched.posted += BATCH


async def _watch(bench: Bench, watched: Watched, over: asyncio.Event) -> None:
    server = await bench.superuser()
    while not over.is_set():
        watched.ages.append(float(await server.fetchval(_OLDEST) or 0))
        watched.numbers.append(await server.fetchval("SELECT count(*) FROM stale_marker"))
        await asyncio.sleep(0.5)
    await server.close()


async def _clearing(bench: Bench, row: Row) -> None:
    """How many markers a second the worker clears, of today's events and of late ones, alone on the machine."""
    for kind, late in (("today's events", 0.0), ("scattered late events", 1.0)):
        if not await partials.cleared(bench):
            row.figures[f"markers of {kind} cleared/s"] = "none: nothing clears them"
            continue
        async with bench.service.without_worker():
            await _fill(bench, late)
            server = await bench.superuser()
            markers = await server.fetchval("SELECT count(*) FROM stale_marker")
            await server.close()
        began = time.monotonic()
        await partials.cleared(bench)
        seconds = time.monotonic() - began
        row.figures[f"markers of {kind} cleared/s"] = round(markers / seconds)
        row.bars.append(Bar(f"markers of {kind} cleared/s", markers / seconds, RATE, at_most=False))


async def _fill(bench: Bench, late: float) -> None:
    connection = Connection(bench.target)
    for body in posting.batches(1_000, late, [f"c{next(_NUMBERS)}" for _ in range(CLEARED // 1_000)]):
        await connection.ask(bench.target.request("POST", "/v1/events/batch", body))
        bench.told("posting events to be cleared")
