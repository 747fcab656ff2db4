"""The benchmark's command: see the README here."""

import argparse
import asyncio
import dataclasses
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.core.embedded import EmbeddedPostgres
from tests.benchmarks import (
    anew,
    arriving,
    dashboard,
    databases,
    ingest,
    mixed,
    partials,
    reads,
    service,
    unmergeable,
    webhooks,
)
from tests.benchmarks.bench import Bench, post
from tests.benchmarks.catalogue import DASHBOARD
from tests.benchmarks.databases import Prepared
from tests.benchmarks.duck import Duck
from tests.benchmarks.machine import cores
from tests.benchmarks.racing import Race
from tests.benchmarks.report import Bar, Row, show, write

Made = TypeVar("Made")
Measure = Callable[[Bench, Row], Awaitable[None]]

ROWS: dict[str, tuple[str, Measure]] = {
    "dashboard": (
        "12 KPIs of 50 members over 12 months",
        lambda bench, row: dashboard.measure(bench, row, dashboard.dashboard()),
    ),
    "ranking": (
        "500 members by one KPI of a quarter",
        lambda bench, row: dashboard.measure(bench, row, dashboard.ranking()),
    ),
    "sizes": ("the dashboard beside itself on a smaller ledger", dashboard.measure_sizes),
    "small": ("one KPI of one member this month; progress of a goal, and its forecast", reads.measure_small),
    "lists": ("a team; a list of 100 goals", reads.measure_lists),
    "unmergeable": ("median, distinct, elapsed, conversion, nth over a year of one team", unmergeable.measure),
    "ingest": ("batches of 1,000 events", ingest.measure),
    "webhooks": ("single signed webhooks of HubSpot from 32 senders", webhooks.measure),
    "anew": ("a new measure over all events, while serving", anew.measure),
    "mixed": ("everything at once: memory; and bytes per event", mixed.measure),
    "arriving": ("the dashboard while 2,000 events/s arrive, 20 % late", arriving.measure),
}
BUILD_SECONDS = 3600.0
STARTS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; gives 1 where an answer was wrong, or a bar was missed and `--strict` was said."""
    options = _options(arguments)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    with databases.server_in(options.directory) as server:
        if options.prepare:
            _with_progress(databases.make, server, options, console)
            return 0
        prepared = _with_progress(databases.prepare, server, options, console)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rows = runner.run(_measure(prepared, options, console))
    missed = [bar for row in rows for bar in row.bars if not bar.is_reached]
    wrong = [row.key for row in rows if row.failure]
    return 1 if wrong or (missed and options.strict) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.beside == options.events:
        parser.error("--beside names another size than --events")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.benchmarks", description="Measures the service beside what one would write by hand."
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="size of the ledger")
    parser.add_argument("--beside", type=int, metavar="N", help="a smaller ledger, to compare the service with itself")
    parser.add_argument("--workers", type=int, default=cores(), metavar="N", help="processes that serve, of each side")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="what to measure")
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 8], help="how many ask at once")
    parser.add_argument("--seconds", type=float, default=10, help="for each contestant and concurrency")
    parser.add_argument("--webhook-seconds", type=float, default=300, help="for the webhooks of each number of senders")
    parser.add_argument("--directory", type=Path, default=Path("var/benchmarks"), help="where data and results stay")
    parser.add_argument("--without-duckdb", action="store_true", help="do not compare with DuckDB")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a bar is missed")
    parser.add_argument("--prepare", action="store_true", help="measure nothing: make the data")
    parser.add_argument("--serve", action="store_true", help="measure nothing: serve the data, and print how")
    return parser


def _with_progress(
    make: Callable[[EmbeddedPostgres, Sequence[int], Callable[[int], None]], Made],
    server: EmbeddedPostgres,
    options: argparse.Namespace,
    console: Console,
) -> Made:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    sizes = [options.events, *([options.beside] if options.beside else [])]
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("events", total=sum(sizes))
        made = make(server, sizes, lambda number: progress.advance(task, number))
        progress.update(task, completed=sum(sizes))
    return made


async def _measure(databases_: Sequence[Prepared], options: argparse.Namespace, console: Console) -> list[Row]:
    prepared, *smaller = databases_
    starts = [await service.seconds_to_ready(prepared, 1) for _ in range(STARTS)]
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(service.running(prepared, options.workers))
        used = running.cpu_seconds()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        progress = stack.enter_context(Progress(*columns, console=console))
        task = progress.add_task("making the KPIs", total=None)
        bench = Bench(
            prepared=prepared,
            service=running,
            bare_url=await stack.enter_async_context(service.bare(prepared, options.workers)),
            race=Race(options.seconds),
            concurrencies=options.concurrency,
            seconds=options.seconds,
            webhook_seconds=options.webhook_seconds,
            duck=None if options.without_duckdb else await Duck.load(prepared.superuser_url, options.directory),
            beside=None,
            told=lambda text: progress.update(task, description=text, advance=1),
        )
        ready = Row("start", "from start to ready, and figures kept ready")
        ready.figures |= {f"processor seconds of {name} until ready": seconds for name, seconds in used.items()}
        ready.figures[f"seconds to ready of {options.workers} that serve"] = running.seconds_to_ready
        ready.bars.append(Bar("seconds to ready", statistics.median(starts), 3))
        ready.figures["seconds to build"] = await _build(bench)
        if smaller:
            other = await stack.enter_async_context(service.running(smaller[0], options.workers))
            beside = dataclasses.replace(bench, prepared=smaller[0], service=other)
            await _build(beside)
            bench = dataclasses.replace(bench, beside=beside)
        if options.serve:
            progress.stop()
            await _serve(bench)
        path = options.directory / f"results-{options.events}.json"
        asked = {name: getattr(options, name) for name in ("events", "beside", "workers", "seconds", "webhook_seconds")}
        rows = [ready]
        show(console, ready)
        for key in options.rows:
            title, measure = ROWS[key]
            rows.append(Row(key, title))
            progress.update(task, description=title)
            await _attempt(bench, measure, rows[-1])
            await partials.cleared(bench)  # what one row left is not measured by the next
            show(console, rows[-1])
            ready.figures["memory peaks"] = running.memory_peaks()
            write(path, asked, rows, await _statements(bench))
    console.print(f"written to {path}")
    return rows


async def _build(bench: Bench) -> float | None:
    """Make the KPIs, and wait until their figures are kept ready; gives the seconds that this took."""
    for kpi in DASHBOARD:
        await post(bench, "/kpis", kpi.body())
    return await partials.built(bench, at_most_seconds=BUILD_SECONDS)


async def _attempt(bench: Bench, measure: Measure, row: Row) -> None:
    """Measure a row; what fails ends the row, and is told, and the next is measured."""
    try:
        await measure(bench, row)
    except Exception as problem:
        row.failure = "; ".join(f"{type(each).__name__}: {each}" for each in _leaves(problem))


def _leaves(problem: Exception) -> Iterator[Exception]:
    if isinstance(problem, ExceptionGroup):
        for each in problem.exceptions:
            yield from _leaves(each)
    else:
        yield problem


async def _serve(bench: Bench) -> None:
    """Serve until told to end."""
    organization = bench.prepared.organization
    print(f"URL {bench.service.base_url}\nAPI key {organization.token}\norganization {organization.org_id}")
    print(f"as superuser {bench.prepared.superuser_url}\nas the app {bench.prepared.urls.app}", flush=True)
    await asyncio.Event().wait()


async def _statements(bench: Bench) -> list[dict[str, object]]:
    """The statements that took the most time in all, by pg_stat_statements."""
    server = await bench.superuser()
    rows = await server.fetch(
        """
        SELECT query, calls, round(mean_exec_time::numeric, 3) AS mean_ms, round(total_exec_time::numeric) AS total_ms,
            rows, shared_blks_hit, shared_blks_read
        FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 40
        """
    )
    await server.close()
    return [dict(row) for row in rows]


if __name__ == "__main__":
    sys.exit(main())
