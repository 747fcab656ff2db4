"""Keeps figures up in the background: looks after the organizations that are due, in turn, until told to stop.

Any number of processes may do so at once; the guard rows share the work out among them.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from app.core import clock, jobs
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.jobs import Job
from app.core.telemetry import log
from app.events.sharding import SHARDS
from app.events.waking import KEEPING, KEEPING_ID
from app.kpis.partials import guard, keeping, progress, wanted
from app.kpis.partials.progress import CLEARED, Progress

PAUSE = 0.4
"""Seconds between two rounds: markers are cleared together, which costs little more than one."""
FIRST_REST, LONGEST_REST = timedelta(seconds=2), timedelta(minutes=10)
"""How long an organization is left alone in which nothing was to be done; each time twice as long."""
LOOK = 5.0
"""Seconds between two looks at organizations that are not due, but had work within LONGEST_REST."""
AFTER_FAILURE = timedelta(seconds=30)
REMEMBERED = 10_000


class Keeper:
    """Looks after the organizations of a database; remembers which shapes each wants, as long as its KPIs stay."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted: OrderedDict[OrganizationId, tuple[str, frozenset[bytes]]] = OrderedDict()
        self._rests: dict[OrganizationId, timedelta] = {}
        self._progress: dict[OrganizationId, Progress] = {}
        self._busy_at: dict[OrganizationId, float] = {}
        self._looked_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; a database that is away is waited for."""
        while not stop.is_set():
            try:
                is_more = await self.run_due()
            except (DBAPIError, OSError) as error:
                log.warning("keeper-waits", error=type(error).__name__)
                is_more = False
            if not is_more:
                await _pause(stop)

    async def run_due(self) -> bool:
        """One round over the organizations that are due; whether more is waiting."""
        async with self._database.directory() as session:
            due = [org_id for org_id, kind in await jobs.due(session) if kind == KEEPING]
        due += await self._overlooked(due)
        is_more = False
        for org_id in due:
            try:
                is_more |= await self.look_after(org_id)
            except Exception:  # one organization's trouble is not that of the others
                log.exception("keeping-failed", org_id=str(org_id))
                await self._look_again(org_id, AFTER_FAILURE)
        progress.show(self._progress)
        return is_more

    async def _overlooked(self, due: Sequence[OrganizationId]) -> list[OrganizationId]:
        """Organizations that had work lately and have some again, though their job says that they have not.

        So it is where a writer had nothing to change in the job, since a look was due, and committed after that look.
        """
        now = time.monotonic()
        if now < self._looked_at + LOOK:
            return []
        self._looked_at = now
        self._busy_at = {org_id: at for org_id, at in self._busy_at.items() if now < at + LONGEST_REST.total_seconds()}
        return [org_id for org_id in self._busy_at if org_id not in due and await self._has_work(org_id)]

    async def _has_work(self, org_id: OrganizationId) -> bool:
        async with self._database.read(org_id) as session:
            known, _ = self._wanted.get(org_id, ("", frozenset()))
            return known != await wanted.fingerprint(session, org_id) or await keeping.has_work(session, org_id)

    async def drain(self, org_id: OrganizationId) -> None:
        """Work until nothing is to be done for the organization."""
        while await self.look_after(org_id):
            pass

    async def look_after(self, org_id: OrganizationId) -> bool:
        """A round over the shards of an organization; whether more is waiting."""
        digests = await self._register(org_id)
        done = []
        for shard in random.sample(range(SHARDS), SHARDS):  # several processes begin at different ones
            done += await keeping.tend(self._database, org_id, shard, digests)
        CLEARED.inc(sum(each.markers for each in done))
        await self._note(org_id)
        if any(each.is_anything or each.is_held for each in done):
            self._rests.pop(org_id, None)
            self._busy_at[org_id] = time.monotonic()
        else:
            rest = self._rests[org_id] = min(self._rests.get(org_id, FIRST_REST / 2) * 2, LONGEST_REST)
            await self._look_again(org_id, rest)
        return any(each.is_more for each in done)

    async def _register(self, org_id: OrganizationId) -> frozenset[bytes]:
        """The shapes that are wanted; those that are new are made known."""
        async with self._database.write(org_id) as session:
            known, digests = self._wanted.pop(org_id, ("", frozenset()))
            now = await wanted.fingerprint(session, org_id)
            if now != known:
                shapes = await wanted.wanted_shapes(session, org_id)
                await guard.ensure_guards(session, org_id)
                await wanted.register(session, org_id, shapes)
                digests = frozenset(shapes)
            await keeping.adopt(session, org_id)
        self._wanted[org_id] = (now, digests)
        if len(self._wanted) > REMEMBERED:
            self._wanted.popitem(last=False)
        return digests

    async def _note(self, org_id: OrganizationId) -> None:
        async with self._database.read(org_id) as session:
            self._progress[org_id] = await progress.progress(session, org_id, await clock.now(session, org_id))

    async def _look_again(self, org_id: OrganizationId, rest: timedelta) -> None:
        async with self._database.write(org_id) as session:
            await session.execute(
                update(Job)
                .where(Job.org_id == org_id, Job.id == KEEPING_ID)
                .values(run_at=await database_now(session) + rest)
                .execution_options(synchronize_session=False)
            )


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), PAUSE)
    except TimeoutError:
        return
