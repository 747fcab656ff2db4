"""Runs due jobs, organization by organization."""

import asyncio
import time
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from app.core import jobs
from app.core.db import Database, OrganizationId
from app.core.jobs import Handler, Handlers
from app.core.telemetry import JOBS, log

# Many jobs cost little more than one: after a round that left nothing waiting, wait for more, for as long as the round
# took; while there are none the pause grows.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 0.5


class _Round(NamedTuple):
    """How many jobs were done, and whether a batch was full, so that more may be waiting."""

    done: int = 0
    is_full: bool = False


async def run(database: Database, handlers: Handlers, stop: asyncio.Event) -> None:
    """Work until told to stop; a database that is away is waited for."""
    pause = LONGEST_PAUSE
    while not stop.is_set():
        began = time.monotonic()
        try:
            made = await _run_round(database, handlers)
        except (DBAPIError, OSError) as error:
            log.warning("worker-waits", error=type(error).__name__)
            made, pause = _Round(), LONGEST_PAUSE
        if not made.is_full:
            wanted = max(time.monotonic() - began, SHORTEST_PAUSE) if made.done else pause * 1.5
            pause = min(wanted, LONGEST_PAUSE)
            await _pause(stop, pause)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def run_due(database: Database, handlers: Handlers) -> int:
    """One round over everything that is due; gives how many jobs were done."""
    return (await _run_round(database, handlers)).done


async def _run_round(database: Database, handlers: Handlers) -> _Round:
    async with database.directory() as session:
        waiting = await jobs.due(session)
    done, is_full = 0, False
    for org_id, kind in waiting:
        if kind in handlers:
            several = await _run_batch(database, org_id, kind, handlers[kind])
            done, is_full = done + several, is_full or several >= handlers[kind].batch
    return _Round(done, is_full)


async def drain(database: Database, handlers: Handlers) -> int:
    """Work until nothing is due."""
    total = 0
    while done := await run_due(database, handlers):
        total += done
    return total


async def _run_batch(database: Database, org_id: OrganizationId, kind: str, handler: Handler) -> int:
    try:
        return await _attempt(database, org_id, kind, handler, handler.batch)
    except Exception:  # a poisoned batch is repeated one by one, so that the rest goes on
        log.warning("batch-failed", kind=kind, org_id=str(org_id), exc_info=True)
        return await _one_by_one(database, org_id, kind, handler)


async def _attempt(database: Database, org_id: OrganizationId, kind: str, handler: Handler, limit: int) -> int:
    async with database.write(org_id) as session:
        claimed = await jobs.claim(session, org_id, kind, limit)
        if claimed:
            await handler.run(session, org_id, claimed)
            await jobs.finish(session, org_id, [work.id for work in claimed])
    JOBS.labels(kind, "done").inc(len(claimed))
    return len(claimed)


async def _one_by_one(database: Database, org_id: OrganizationId, kind: str, handler: Handler) -> int:
    """Each job in a transaction of its own; one that fails is put back for later."""
    done = 0
    while done < handler.batch and await _attempt_one(database, org_id, kind, handler):
        done += 1
    return done


async def _attempt_one(database: Database, org_id: OrganizationId, kind: str, handler: Handler) -> bool:
    claimed: list[jobs.Work] = []
    try:
        async with database.write(org_id) as session:
            claimed = await jobs.claim(session, org_id, kind, 1)
            if claimed:
                await handler.run(session, org_id, claimed)
                await jobs.finish(session, org_id, [claimed[0].id])
    except Exception as error:
        if not claimed:
            raise
        log.exception("job-failed", kind=kind, org_id=str(org_id))
        JOBS.labels(kind, "failed").inc()
        async with database.write(org_id) as session:
            await jobs.put_back(session, org_id, claimed[0], type(error).__name__)
            if handler.failed:
                await handler.failed(session, org_id, claimed[0], type(error).__name__)
    return bool(claimed)
