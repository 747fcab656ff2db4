"""Row 9: a new measure over all events, while the dashboard is asked: how long until its figures are kept ready."""

import asyncio
import contextlib

from tests.benchmarks import dashboard, partials
from tests.benchmarks.bench import Bench, post
from tests.benchmarks.catalogue import DURATION, Aggregate, Kpi, over
from tests.benchmarks.dashboard import Board
from tests.benchmarks.racing import Ask, Contestant, Times
from tests.benchmarks.report import Bar, Row

AT_MOST_SECONDS = 180.0
PATIENCE_SECONDS = 1800.0
_BUSY = "while a measure is built"

NEW = Kpi(
    "inbound_talk",
    DURATION,
    {"time": over("sum", "duration_seconds", "call.received", where="properties.channel == 'web'")},
    "time",
    lambda raw: raw["inbound"],
)
INBOUND = Aggregate("inbound", ("call.received",), value="duration_seconds", key="channel", equals="web")


async def measure(bench: Bench, row: Row) -> None:
    """Idle, then while it is built; its answers are compared while half of it is built, and at the end."""
    board = dashboard.dashboard()
    await dashboard.expect(bench, board)
    idle = await dashboard.ours(bench, board)
    row.add(await bench.run([Contestant("idle", idle.lanes)], 1))
    known = await partials.known(bench)
    await post(bench, "/kpis", NEW.body())
    building = asyncio.create_task(partials.built(bench, at_most_seconds=PATIENCE_SECONDS, at_least=known + 1))
    fresh = Board([NEW], [INBOUND], board.questions, board.grain, board.months_each)
    await dashboard.expect(bench, fresh)
    await dashboard.ours(bench, fresh)
    row.add({_BUSY: await _meanwhile(building, idle.lanes[0])})
    seconds = building.result()
    fresh.etags.clear()
    await dashboard.ours(bench, fresh)
    if seconds is None:
        row.figures["seconds until built"] = "none: nothing is kept ready"
        return
    row.bars.append(Bar("seconds until a new measure is built", seconds, AT_MOST_SECONDS))
    row.figures["times idle meanwhile"] = round(row.median(_BUSY, 1) / row.median("idle", 1), 2)


async def _meanwhile(building: "asyncio.Task[float | None]", ask: Ask) -> Times:
    """Ask until it is built, once at least."""
    times = Times(1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with contextlib.suppress(TimeoutError):
        while not building.done() or not times.latencies:
            asked = loop.time()
            await ask(len(times.latencies))
            times.latencies.append(loop.time() - asked)
    times.seconds = loop.time() - began
    await building
    return times
