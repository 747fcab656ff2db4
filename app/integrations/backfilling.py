"""The errand of backfills: page by page it compares what a system tells with what is known, then takes it in.

How far it is stands in the database, with each page in the transaction that takes it in: killed anywhere, it goes on
where it stood. What is taken in are deliveries like all others; it waits for their translation before it reads on.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.clock import database_now
from app.core.db import Database, OrganizationId, to_json
from app.core.errands import Errand, Later
from app.core.jobs import Job, Work
from app.events.sources import Source
from app.integrations import comparing, credentials, differing, histories
from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Json, Unparseable
from app.integrations.clients.base import (
    AccessRefused,
    Client,
    ClientError,
    NotOffered,
    NotUnderstood,
    Overloaded,
    Refused,
    Unreachable,
)
from app.integrations.clients.http import Outside
from app.integrations.comparing import Difference, Told
from app.integrations.fetching import LONGEST_SECONDS, store_fetched
from app.integrations.folding import Key
from app.integrations.models import BackfillObject, CrmRecord, SourceBackfill
from app.integrations.neighborhood import Neighborhood
from app.integrations.translation import TRANSLATE, Connected, connected
from app.progress import service as long_jobs

TURN_SECONDS = 60.0
"""For so long one goes on at a stretch: then others of the organization have their turn."""
BACKLOG = 20  # deliveries that may wait to be translated before more are added to them
OBJECTS, BYTES = 100, 2_000_000  # of one delivery
MOST_ASKED = 100_000  # known records of a kind of which is asked whether they are still there
FEW = 10
"""Where more than this, and more than half, of what was asked for is absent, the credentials may not see it."""
PATIENCE_SECONDS, PAUSE_SECONDS = 3.0, 0.2
UNREACHABLE = timedelta(minutes=2)
"""A system that does not answer is asked again after that, until somebody cancels the job."""
DOUBTFUL = "Most of the known records are not shown to these credentials: they were left as they are."

_OF_OBJECT = (AccessRefused, NotOffered, NotUnderstood, Refused, Unparseable)
"""What keeps one kind of objects from being read, and perhaps no other."""
_COUNTS = ("read", "unchanged", "new", "changed", "gone", "differences")


def errand(outside: Outside) -> Errand:
    """The errand of kind `backfills.BACKFILL`."""
    return Errand(partial(_run, outside), failed=_failed)


async def _failed(session: AsyncSession, org_id: OrganizationId, work: Work, error: str) -> None:
    """Tell when nothing more is tried soon."""
    if work.attempts + 1 >= jobs.MAX_ATTEMPTS:
        sentence = f"It failed {jobs.MAX_ATTEMPTS} times ({error}): what was read stays. Begin another one later."
        await long_jobs.fail(session, org_id, UUID(work.payload["backfill_id"]), sentence)


async def _run(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    backfill_id = UUID(work.payload["backfill_id"])
    async with database.read(org_id) as session:
        found = await session.execute(
            select(SourceBackfill, Source.archived_at)
            .join(Source, and_(Source.org_id == SourceBackfill.org_id, Source.id == SourceBackfill.source_id))
            .where(SourceBackfill.org_id == org_id, Source.org_id == org_id, SourceBackfill.id == backfill_id)
        )
        backfill, archived_at = found.one()
    if archived_at is not None:
        await _fail(database, org_id, backfill_id, "The source was archived: nothing is taken in from it any more.")
        return
    run = _Run(database, org_id, backfill)
    try:
        if await run.next_part() is not None:
            async with credentials.asking(database, outside, org_id, run.source_id) as client:
                await run.go_on(client)
    except Overloaded as error:
        raise Later(timedelta(seconds=min(error.wait, LONGEST_SECONDS))) from None
    except Unreachable:
        raise Later(UNREACHABLE) from None
    except ClientError as error:
        await _fail(database, org_id, backfill_id, f"The system could not be asked: {error}")
    else:
        await run.conclude()


async def _fail(database: Database, org_id: OrganizationId, backfill_id: UUID, error: str) -> None:
    await long_jobs.Reporter(database, org_id, backfill_id).fail(error)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a backfill stands: with which objects, in which phase, at which page."""

    object: str
    state: str
    cursor: str | None


class _Run:
    """One stretch of a backfill."""

    def __init__(self, database: Database, org_id: OrganizationId, backfill: SourceBackfill) -> None:
        self._database, self._org_id = database, org_id
        self._id, self.source_id = backfill.id, backfill.source_id
        self._since, self._until = backfill.since_at, backfill.until_at
        self._reconciles, self._applies = backfill.mode == "reconcile", backfill.is_applied
        self._names_objects = backfill.names_objects
        self._ends = time.monotonic() + TURN_SECONDS
        self.came_further = False

    async def go_on(self, client: Client) -> None:
        """Page after page, until nothing is left, the job was cancelled, or others have their turn.

        What keeps one kind of objects from being read is noted with it; raised where it kept all from being so.
        """
        refused: ClientError | None = None
        while (part := await self.next_part()) is not None:
            if self.came_further and time.monotonic() >= self._ends:
                return
            await self._let_translate()
            try:
                await (self._ask(client, part) if part.state == "asking" else self._read(client, part))
                self.came_further = True
            except _OF_OBJECT as error:
                await self._note(part, error, "failed")
                refused = error if isinstance(error, AccessRefused) else refused
            except Unreachable as error:
                await self._note(part, error, part.state)
                raise
        if refused is not None and not self.came_further:
            raise refused

    async def next_part(self) -> _Part | None:
        """What is to be done next; None where nothing is left or wanted."""
        async with self._database.read(self._org_id) as session:
            if not await long_jobs.is_open(session, self._org_id, self._id):
                return None
            row = BackfillObject
            found = await session.execute(
                select(row.object, row.state, row.cursor)
                .where(row.org_id == self._org_id, row.backfill_id == self._id, row.state.not_in(("done", "failed")))
                .order_by(row.position)
                .limit(1)
            )
            left = found.one_or_none()
        return None if left is None else _Part(*left)

    async def conclude(self) -> None:
        """End the job: it failed where nothing, or not all that was named, could be read.

        Raises `Later` where something is left.
        """
        async with self._database.write(self._org_id) as session:
            parts = await self._parts(session)
            if any(part.state not in {"done", "failed"} for part in parts):
                if await long_jobs.is_open(session, self._org_id, self._id):
                    raise Later(timedelta())
                return  # it was cancelled
            failed = [part for part in parts if part.state == "failed"]
            if failed and (self._names_objects or len(failed) == len(parts)):
                told = " ".join(f"{part.object}: {part.error}" for part in failed)
                await long_jobs.fail(session, self._org_id, self._id, f"Not everything could be read. {told}")
            else:
                await long_jobs.finish(session, self._org_id, self._id, _counts(parts))

    async def _let_translate(self) -> None:
        """Wait until what came is translated: it would seem lost, and more of it would keep others waiting.

        Raises `Later` at the end of the stretch.
        """
        began = time.monotonic()
        async with self._database.read(self._org_id) as session:
            at = await database_now(session)
        while waiting := await self._waiting(at):
            if waiting <= BACKLOG and time.monotonic() >= began + PATIENCE_SECONDS:
                return
            if time.monotonic() >= self._ends:
                raise Later(timedelta())
            await asyncio.sleep(PAUSE_SECONDS)

    async def _waiting(self, at: datetime) -> int:
        """How many deliveries of before then are to be translated, a few more than `BACKLOG` at most."""
        due = select(Job.id).where(Job.org_id == self._org_id, Job.kind == TRANSLATE, Job.run_at <= at)
        async with self._database.read(self._org_id) as session:
            found = await session.execute(select(func.count()).select_from(due.limit(BACKLOG + 1).subquery()))
        count: int = found.scalar_one()
        return count

    async def _read(self, client: Client, part: _Part) -> None:
        """One page of what changed."""
        page = await client.changed(part.object, self._since, self._until, part.cursor)
        async with self._database.write(self._org_id) as session:
            row = await self._lock(session, part)
            if row is None:
                return
            source = await connected(session, self._org_id, self.source_id)
            for fetched in _deliveries_of(page.fetched):
                told, found = await self._compare(session, source, fetched)
                fresh = await self._report(session, row, found)
                _count(row, told, found, fresh)
                if self._applies:
                    await store_fetched(session, self._org_id, self.source_id, fetched, "backfill")
            row.cursor, row.error = page.cursor, None
            row.state = "reading" if page.cursor is not None else "asking" if self._reconciles else "done"
            await self._tell(session)

    async def _ask(self, client: Client, part: _Part) -> None:
        """Whether some of the known records are still there, in the order of their ids."""
        ids = await self._known_ids(part, client.most)
        asked = [each for each in ids if wire.id_or_none(each) is not None]
        answers = await _absent(client, part.object, asked) if asked else []
        count = sum(len(answer.gone) for answer in answers)
        is_doubtful = count > FEW and count * 2 > len(asked)
        async with self._database.write(self._org_id) as session:
            row = await self._lock(session, part)
            if row is None:
                return
            source = await connected(session, self._org_id, self.source_id)
            for fetched in answers:
                _, found = await self._compare(session, source, fetched)
                found = [replace(each, kind="unknown_there") for each in found if each.kind == "deleted"]
                row.gone += len({each.key for each in found} & await self._report(session, row, found))
                if self._applies and not is_doubtful:
                    await store_fetched(session, self._org_id, self.source_id, fetched, "backfill")
            row.error = DOUBTFUL if is_doubtful or row.error == DOUBTFUL else None
            row.asked += len(asked)
            row.cursor = ids[-1] if ids else None
            if len(ids) < client.most or row.asked >= MOST_ASKED:
                row.state, row.cursor = "done", None
            await self._tell(session)

    async def _known_ids(self, part: _Part, most: int) -> Sequence[str]:
        wanted = select(CrmRecord.external_id).where(
            CrmRecord.org_id == self._org_id,
            CrmRecord.source_id == self.source_id,
            CrmRecord.object == part.object,
            ~CrmRecord.is_deleted,
            CrmRecord.merged_into.is_(None),
        )
        if part.cursor is not None:
            wanted = wanted.where(CrmRecord.external_id > part.cursor)
        async with self._database.read(self._org_id) as session:
            found = await session.execute(wanted.order_by(CrmRecord.external_id).limit(most))
        return found.scalars().all()

    async def _lock(self, session: AsyncSession, part: _Part) -> BackfillObject | None:
        """The objects' row, unless another process came further meanwhile."""
        row = BackfillObject
        found = await session.execute(
            select(row)
            .where(
                row.org_id == self._org_id,
                row.backfill_id == self._id,
                row.object == part.object,
                row.state == part.state,
                row.cursor.is_not_distinct_from(part.cursor),
            )
            .with_for_update()
        )
        return found.scalar_one_or_none()

    async def _compare(
        self, session: AsyncSession, source: Connected, fetched: Fetched
    ) -> tuple[Told, list[Difference]]:
        told = comparing.told_by(source.adapter, source.mapping, fetched)
        known = await histories.load(session, self._org_id, self.source_id, told.fields)
        near = Neighborhood(session, self._org_id, self.source_id)
        if told.links:
            await near.hop(list(known.records), told.linked_kinds())
        return told, comparing.differences(told, known.records, near.network())

    async def _report(self, session: AsyncSession, row: BackfillObject, found: Sequence[Difference]) -> set[Key]:
        """Add differences to the report, as many as it takes; gives the records of which they are news."""
        room = max(differing.MOST_KEPT - row.differences, 0)
        fresh = await differing.keep(session, self._org_id, self._id, found[:room])
        fresh |= {each.key for each in found[room:]}
        row.differences += sum(each.key in fresh for each in found)
        return fresh

    async def _note(self, part: _Part, error: Exception, state: str) -> None:
        """Tell with the objects what went wrong; others may be readable."""
        async with self._database.write(self._org_id) as session:
            row = await self._lock(session, part)
            if row is not None:
                row.state, row.error = state, str(error)

    async def _tell(self, session: AsyncSession) -> None:
        """Let people see how far it is."""
        await session.flush()  # what was counted is summed up
        counts = _counts(await self._parts(session))
        await long_jobs.advance(session, self._org_id, self._id, done=counts["read"], counts=counts)

    async def _parts(self, session: AsyncSession) -> Sequence[BackfillObject]:
        row = BackfillObject
        found = await session.execute(
            select(row).where(row.org_id == self._org_id, row.backfill_id == self._id).order_by(row.position)
        )
        return found.scalars().all()


def _counts(parts: Sequence[BackfillObject]) -> dict[str, int]:
    return {name: sum(getattr(part, name) for part in parts) for name in _COUNTS}


def _count(row: BackfillObject, told: Told, found: Sequence[Difference], fresh: set[Key]) -> None:
    """Each record once, by what is news of it; the report may have it already, from an earlier page."""
    kinds: dict[Key, set[str]] = defaultdict(set)
    for each in found:
        if each.key in fresh:
            kinds[each.key].add(each.kind)
    for key in told.fields:
        row.new += "missing" in kinds[key]
        row.gone += "deleted" in kinds[key]
        row.changed += kinds[key] == {"changed"}
        row.unchanged += not kinds[key]
    row.read += len(told.fields)
    row.unreadable += told.unreadable


def _deliveries_of(fetched: Fetched) -> Iterator[Fetched]:
    """The answer in parts of bounded size."""
    items: list[dict[str, Json]] = []
    size = 0
    for item in fetched.items:
        size += len(to_json(item))
        if items and (len(items) >= OBJECTS or size > BYTES):
            yield replace(fetched, items=items, gone=())
            items, size = [], len(to_json(item))
        items.append(item)
    if items:
        yield replace(fetched, items=items, gone=())
    for first in range(0, len(fetched.gone), OBJECTS):
        yield replace(fetched, items=(), gone=fetched.gone[first : first + OBJECTS])


async def _absent(client: Client, kind: str, ids: Sequence[str]) -> list[Fetched]:
    """Which of these are not there; one that the system refuses to look for keeps no other from being found."""
    try:
        fetched = await client.fetch(kind, ids)
    except (Refused, NotUnderstood):
        if len(ids) == 1:
            return []
        middle = len(ids) // 2
        return [*await _absent(client, kind, ids[:middle]), *await _absent(client, kind, ids[middle:])]
    return [replace(fetched, items=())] if fetched.gone else []
