"""Row 10: what the processes hold under a load of everything at once, and what the tables take on disk."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count

from tests.benchmarks import dashboard, posting, world
from tests.benchmarks.bench import Bench
from tests.benchmarks.client import Connection
from tests.benchmarks.report import Bar, Row
from tests.benchmarks.service import WORKER

MOST_BYTES = 300 * 10**6
LEDGER = ("event", "event_head", "event_credit")
KEPT = ("partial", "partial_build", "partial_measure", "partial_guard", "stale_marker")

_SIZES = """
SELECT c.relname AS name, pg_table_size(c.oid) AS rows, pg_indexes_size(c.oid) AS indexes
FROM pg_class c WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name)"""
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS bytes FROM pg_index
WHERE indrelid = ANY (SELECT to_regclass(name) FROM unnest($1::text[]) AS name) ORDER BY 2 DESC"""


async def measure(bench: Bench, row: Row) -> None:
    """Sizes first: what is written meanwhile is no part of them."""
    await _sizes(bench, row)
    await _memory(bench, row)


async def _sizes(bench: Bench, row: Row) -> None:
    server = await bench.superuser()
    events = await server.fetchval("SELECT count(*) FROM event_head")
    for title, tables in (("the ledger", LEDGER), ("figures kept ready", KEPT)):
        found = await server.fetch(_SIZES, tables)
        row.figures[f"bytes per event of {title}"] = round(sum(t["rows"] + t["indexes"] for t in found) / events)
        row.figures[f"bytes per event of {title}, indexes alone"] = round(sum(t["indexes"] for t in found) / events)
        indexes = await server.fetch(_INDEXES, tables)
        row.figures[f"by table of {title}"] = {t["name"]: round(t["rows"] / events, 1) for t in found}
        row.figures[f"by index of {title}"] = {each["name"]: round(each["bytes"] / events, 1) for each in indexes}
    await server.close()


async def _memory(bench: Bench, row: Row) -> None:
    """Eight at once: dashboards, rankings, lists, single rows and batches, each as fast as it is answered."""
    kinds = _requests(bench)
    over = asyncio.Event()
    peaks: dict[str, int] = {}
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(_ask(Connection(bench.target), kinds, place, over)) for place in range(8)]
        until = time.monotonic() + bench.seconds
        while time.monotonic() < until:
            for name, held in bench.service.memory().items():
                peaks[name] = max(peaks.get(name, 0), held)
            bench.told("everything at once")
            await asyncio.sleep(0.5)
        over.set()
    row.figures["answers meanwhile"] = sum(each.result() for each in asking)
    for name, held in peaks.items():
        row.figures[f"MB of {name}, shared pages by part"] = round(held / 1e6)
    for name, held in bench.service.memory_peaks().items():
        if name == WORKER:
            row.figures["MB of worker at most"] = round(held / 1e6)
        else:
            row.bars.append(Bar(f"MB of {name} at most since its start", held / 1e6, MOST_BYTES / 1e6))


def _requests(bench: Bench) -> Sequence[Sequence[bytes]]:
    target = bench.target
    boards = (dashboard.dashboard(), dashboard.ranking())
    asked = [
        [
            target.request("POST", "/v1/kpi-results/query", board.body(variant))
            for variant in range(len(board.questions))
        ]
        for board in boards
    ]
    read = [target.request("GET", f"/v1/teams/{id_}") for id_ in world.TEAM_IDS]
    read += [target.request("GET", "/v1/goals?limit=100"), target.request("GET", "/v1/members?limit=100")]
    template = posting.template(1_000, 0.2)
    posted = [target.request("POST", "/v1/events/batch", posting.named(template, f"m{number}")) for number in range(20)]
    return [*asked, read, posted]


async def _ask(connection: Connection, kinds: Sequence[Sequence[bytes]], place: int, over: asyncio.Event) -> int:
    for number in count(place):
        if over.is_set():
            connection.close()
            return number - place
        requests = kinds[number % len(kinds)]
        await connection.ask(requests[number // len(kinds) % len(requests)])
    raise AssertionError
