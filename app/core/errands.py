"""Errands: work that takes long or asks other systems, and so must not hold a transaction open.

An errand is a row of `job` whose `run_at` is pushed into the future while it runs: its lease, renewed by a heartbeat. A
worker that dies lets the lease end, and another begins anew: errands are idempotent, and keep how far they came in
tables of their own. Where the lease was lost all the same (a process that stood still), the first holder is stopped.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.jobs import Job, Work
from app.core.telemetry import JOBS, log

LEASE = timedelta(seconds=30)
BEATS = 3  # so often a lease is renewed while it lasts
MOST, MOST_OF_ONE = 8, 2  # errands at once: of a process, and of one organization
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 1.0


class Later(Exception):  # noqa: N818 - not a failure: the other side asked to wait
    """Raised by an errand that is to go on after a while."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"in {wait}")
        self.wait = wait


@dataclass(frozen=True)
class Errand:
    """What does the errands of one kind, outside of any transaction.

    `remains` is asked in the transaction that ends one: when there is more to do (None: it is done); whoever wants
    the errand by `want` waits for its answer. `failed` notes a failure (a class name) where people look.
    """

    run: Callable[[Database, OrganizationId, Work], Awaitable[None]]
    remains: Callable[[AsyncSession, OrganizationId, Work], Awaitable[datetime | None]] | None = None
    failed: Callable[[AsyncSession, OrganizationId, Work, str], Awaitable[None]] | None = None


Errands = Mapping[str, Errand]


async def want(
    session: AsyncSession, org_id: OrganizationId, kind: str, owner_id: UUID, payload: dict[str, Any]
) -> None:
    """Have an errand run of which an owner has one at a time; nothing happens where it waits or runs already.

    What the errand is to find must be written by this transaction: it ends only when nothing remains.
    """
    row = {"org_id": org_id, "id": uuid5(owner_id, kind), "kind": kind, "payload": payload}
    new = insert(Job).values(**row, attempts=0, run_at=await database_now(session))
    # The update changes nothing: it takes the lock under which the errand finds out whether anything remains.
    await session.execute(
        new.on_conflict_do_update(index_elements=["org_id", "id"], set_={"payload": new.excluded.payload})
    )


async def hasten(session: AsyncSession, org_id: OrganizationId, kind: str, owner_id: UUID) -> None:
    """Have such an errand begin now that waits after failures; one that runs is begun once more."""
    await session.execute(
        update(Job)
        .where(Job.org_id == org_id, Job.id == uuid5(owner_id, kind))
        .values(run_at=await database_now(session), attempts=0)
    )


async def run(database: Database, errands: Errands, stop: asyncio.Event, *, lease: timedelta = LEASE) -> None:
    """Run errands until told to stop; what still runs then is given back. A database that is away is waited for."""
    runner = _Runner(database, errands, lease)
    pause = LONGEST_PAUSE
    try:
        while not stop.is_set():
            try:
                began = await runner.begin_due()
            except (DBAPIError, OSError) as error:
                log.warning("errands-wait", error=type(error).__name__)
                began = 0
            pause = SHORTEST_PAUSE if began else min(pause * 1.5, LONGEST_PAUSE)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
    finally:
        await runner.end()


async def drain(database: Database, errands: Errands, *, lease: timedelta = LEASE) -> int:
    """Run errands until none is due; gives how many were begun."""
    runner = _Runner(database, errands, lease)
    total = 0
    while (began := await runner.begin_due()) or runner.running:
        total += began
        if runner.running:
            await asyncio.wait(runner.running, return_when=asyncio.FIRST_COMPLETED)
    return total


class _Runner:
    """The errands of one process."""

    def __init__(self, database: Database, errands: Errands, lease: timedelta) -> None:
        self._database, self._errands, self._lease = database, errands, lease
        self._of: Counter[OrganizationId] = Counter()
        self.running: set[asyncio.Task[None]] = set()

    async def begin_due(self) -> int:
        """Begin what is due as far as there is room; gives how many."""
        if len(self.running) >= MOST:
            return 0
        async with self._database.directory() as session:
            waiting = await jobs.due(session)
        began = 0
        for org_id, kind in waiting:
            if kind in self._errands and len(self.running) < MOST and self._of[org_id] < MOST_OF_ONE:
                began += await self._begin(org_id, kind)
        return began

    async def end(self) -> None:
        """Stop what runs: it gives its lease back."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    async def _begin(self, org_id: OrganizationId, kind: str) -> int:
        held = await _claim(self._database, org_id, kind, self._lease)
        if held is None:
            return 0
        task = asyncio.create_task(_carry_out(self._database, self._errands[kind], held))
        self._of[org_id] += 1
        self.running.add(task)
        task.add_done_callback(lambda done: self._forget(done, org_id))
        return 1

    def _forget(self, done: asyncio.Task[None], org_id: OrganizationId) -> None:
        self.running.discard(done)
        self._of[org_id] -= 1
        if not done.cancelled() and (error := done.exception()) is not None:
            # The database went away while a failure was noted: the lease ends by itself.
            log.warning("errand-lost", error=type(error).__name__)


@dataclass
class _Held:
    """A claimed errand; it is ours while its row says `until`."""

    org_id: OrganizationId
    kind: str
    work: Work
    lease: timedelta
    until: datetime
    beat: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _claim(database: Database, org_id: OrganizationId, kind: str, lease: timedelta) -> _Held | None:
    async with database.write(org_id) as session:
        works = await jobs.claim(session, org_id, kind, 1)
        if not works:
            return None
        until = await database_now(session) + lease
        await session.execute(update(Job).where(Job.org_id == org_id, Job.id == works[0].id).values(run_at=until))
    return _Held(org_id, kind, works[0], lease, until)


async def _carry_out(database: Database, errand: Errand, held: _Held) -> None:
    errand_task = asyncio.ensure_future(errand.run(database, held.org_id, held.work))
    heart = asyncio.create_task(_beat(database, held, errand_task))
    try:
        await errand_task
    except asyncio.CancelledError:
        errand_task.cancel()
        if not heart.done():  # stopped from outside, and not by a lost lease
            await _end_heart(held, heart)
            await _again(database, held, timedelta())
            raise
        log.warning("errand-lease-lost", kind=held.kind, org_id=str(held.org_id))
    except Later as asked:
        await _end_heart(held, heart)
        await _again(database, held, asked.wait)
    except Exception as error:
        await _end_heart(held, heart)
        await _fail(database, errand, held, error)
    else:
        await _end_heart(held, heart)
        try:
            await _finish(database, errand, held)
        except (DBAPIError, OSError):  # the database is away: the lease ends by itself
            raise
        except Exception as error:
            await _fail(database, errand, held, error)


async def _beat(database: Database, held: _Held, errand_task: asyncio.Future[None]) -> None:
    """Renew the lease as long as it is ours; stop the errand when it is not."""
    while True:
        await asyncio.sleep(held.lease.total_seconds() / BEATS)
        async with held.beat:
            with suppress(DBAPIError, OSError):  # it may be back before the lease ends
                if not await _renew(database, held):
                    errand_task.cancel()
                    return


async def _renew(database: Database, held: _Held) -> bool:
    async with database.write(held.org_id) as session:
        until = await database_now(session) + held.lease
        renewed = await session.execute(_ours(held).values(run_at=until).returning(Job.id))
        is_ours = renewed.scalar_one_or_none() is not None
    held.until = until
    return is_ours


def _ours(held: _Held) -> Any:  # Any: an update, which has no simple type
    return update(Job).where(Job.org_id == held.org_id, Job.id == held.work.id, Job.run_at == held.until)


async def _end_heart(held: _Held, heart: asyncio.Task[None]) -> None:
    async with held.beat:  # a beat that is broken off would leave unknown until when the lease is
        heart.cancel()
    with suppress(asyncio.CancelledError):
        await heart


async def _again(database: Database, held: _Held, wait: timedelta) -> None:
    async with database.write(held.org_id) as session:
        await session.execute(_ours(held).values(run_at=await database_now(session) + wait))


async def _fail(database: Database, errand: Errand, held: _Held, failure: Exception) -> None:
    error = type(failure).__name__
    log.error("errand-failed", kind=held.kind, org_id=str(held.org_id), exc_info=failure)
    JOBS.labels(held.kind, "failed").inc()
    async with database.write(held.org_id) as session:
        if await _is_ours(session, held):
            await jobs.put_back(session, held.org_id, held.work, error)
        if errand.failed:
            await errand.failed(session, held.org_id, held.work, error)


async def _finish(database: Database, errand: Errand, held: _Held) -> None:
    """Remove the errand, or have it run again when there is more to do; both only while it is ours."""
    async with database.write(held.org_id) as session:
        if not await _is_ours(session, held):
            return
        again = None if errand.remains is None else await errand.remains(session, held.org_id, held.work)
        mine = (Job.org_id == held.org_id, Job.id == held.work.id)
        if again is None:
            await session.execute(delete(Job).where(*mine).execution_options(synchronize_session=False))
        else:
            await session.execute(update(Job).where(*mine).values(run_at=again, attempts=0, last_error=None))
    JOBS.labels(held.kind, "done").inc()


async def _is_ours(session: AsyncSession, held: _Held) -> bool:
    """Whether the lease is still ours; locks its row, and so waits for those who want the errand."""
    found = await session.execute(
        select(Job.id)
        .where(Job.org_id == held.org_id, Job.id == held.work.id, Job.run_at == held.until)
        .with_for_update()
    )
    return found.scalar_one_or_none() is not None
