"""Figures kept ready, as the benchmark sees them: whether they are built, and what is stale."""

import asyncio
import time

import asyncpg

from tests.benchmarks.bench import Bench

FIRST_SIGN_SECONDS = 20.0
LONGEST_PAUSE_SECONDS = 20.0


async def known(bench: Bench) -> int:
    """How many measures are kept ready, or being built."""
    server = await bench.superuser()
    try:
        if await server.fetchval("SELECT to_regclass('partial_measure') IS NULL"):
            return 0
        return int(await server.fetchval("SELECT count(*) FROM partial_measure"))
    finally:
        await server.close()


async def built(bench: Bench, *, at_most_seconds: float, at_least: int = 1) -> float | None:
    """Wait until every measure that is wanted is built everywhere, `at_least` so many.

    Gives the seconds it took, None where nothing is kept, or nothing more than was.
    """
    server = await bench.superuser()
    try:
        if await server.fetchval("SELECT to_regclass('partial_build') IS NULL"):
            return None
        return await _wait(server, bench, at_most_seconds, at_least)
    finally:
        await server.close()


async def _wait(server: asyncpg.Connection, bench: Bench, at_most_seconds: float, at_least: int) -> float | None:
    began = time.monotonic()
    since: float | None = None
    seen = (0, 0)
    while (now := time.monotonic()) - began < at_most_seconds:
        measures, open_, builds = await server.fetchrow(
            "SELECT (SELECT count(*) FROM partial_measure), count(*) FILTER (WHERE next_month IS NOT NULL), count(*)"
            " FROM partial_build"
        )
        if measures < at_least and now - began > FIRST_SIGN_SECONDS:
            return None
        is_done = measures >= at_least and open_ == 0 and builds % measures == 0
        if not is_done or seen != (measures, builds):
            since = None
        elif since is None:
            since = now
        # Measures are noticed one after the other: done is what stays done.
        elif now - since > 1.5:
            return since - began
        seen = (measures, builds)
        bench.told(f"building {measures} measures, {open_} of {builds} parts left")
        await asyncio.sleep(0.1)
    raise TimeoutError(f"Not built in {at_most_seconds} s.")


async def cleared(bench: Bench) -> bool:
    """Wait until no marker is left; False where their number does not fall for a while."""
    server = await bench.superuser()
    least, since = float("inf"), time.monotonic()
    try:
        while (left := await server.fetchval("SELECT count(*) FROM stale_marker")) > 0:
            if left < least:
                least, since = left, time.monotonic()
            if time.monotonic() - since > LONGEST_PAUSE_SECONDS:
                return False
            bench.told(f"{left} markers to clear")
            await asyncio.sleep(0.05)
    finally:
        await server.close()
    return True
