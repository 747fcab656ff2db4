"""What is to be fetched: objects that a message only names, and records without which no event can be made.

The queue is `record_fetch`, a row an object. It is written by the transaction that learns of the need, and taken from
by the errand of the source (`fetching.py`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Integer, and_, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import errands, jobs
from app.core.clock import database_now, tick
from app.core.db import OrganizationId
from app.events.bulk import among, insert_rows
from app.events.sources import Source
from app.integrations import queries
from app.integrations.folding import Key
from app.integrations.histories import batches
from app.integrations.models import CrmRecord, RecordFetch, SourceCredentials

FETCH = "fetch-records"
WANT_INCOMPLETE = "want-incomplete-records"
WANT_AGAIN = "want-records-again"

PATIENCE = timedelta(seconds=10)
"""For so long an incomplete record may be completed by further messages before it is fetched."""
LEASE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claimed object; `at` tells whether it was wanted anew meanwhile."""

    object: str
    id: str
    at: datetime
    attempts: int


async def note(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    *,
    told: Collection[Key],
    mentioned: Collection[Key],
    may_fetch: bool,
    at: datetime,
) -> None:
    """Want what messages name, and which of the mentioned records are incomplete; `at` is this transaction's instant.

    Without credentials what messages name waits for them; records say themselves that they are incomplete.
    """
    if not told and not (may_fetch and mentioned):
        return
    now = await database_now(session)
    are_new = False
    for some in batches(sorted(told)):
        rows = [
            {"org_id": org_id, "source_id": source_id, "object": object_, "external_id": id_, "is_told": True,
             "wanted_at": at, "next_try_at": now, "is_claimed": False, "attempts": 0, "last_error": None}
            for object_, id_ in some
        ]  # fmt: skip
        await session.execute(_or_again(insert_rows(RecordFetch, rows)))
        are_new = True
    for some in batches(sorted(mentioned) if may_fetch else ()):
        ids = among(CrmRecord.external_id, [id_ for _, id_ in some])
        kinds = CrmRecord.object.in_(sorted({object_ for object_, _ in some}))
        are_new |= await _want_records(session, org_id, source_id, and_(kinds, ids), at, now + PATIENCE)
    if may_fetch and are_new:
        await errands.want(session, org_id, FETCH, source_id, {"source_id": str(source_id)})


async def _want_records(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    which: ColumnElement[bool],
    at: datetime,
    try_at: datetime,
) -> bool:
    """Want the incomplete ones of some records; gives whether there are any."""
    record = CrmRecord
    incomplete = select(
        record.org_id,
        record.source_id,
        record.object,
        record.external_id,
        literal(False, Boolean()),
        bindparam(None, at, type_=RecordFetch.wanted_at.type),
        bindparam(None, try_at, type_=RecordFetch.next_try_at.type),
        literal(False, Boolean()),
        literal(0, Integer()),
    ).where(record.org_id == org_id, record.source_id == source_id, record.needs_fetch, ~record.is_deleted, which)
    names = [
        "org_id",
        "source_id",
        "object",
        "external_id",
        "is_told",
        "wanted_at",
        "next_try_at",
        "is_claimed",
        "attempts",
    ]
    wanted = _or_again(insert(RecordFetch).from_select(names, incomplete)).returning(RecordFetch.org_id)
    return bool((await session.execute(wanted)).all())


def _or_again(new: Insert) -> Insert:
    """Those that are wanted already are so anew; when they are tried next stays, for somebody may be asking now."""
    return new.on_conflict_do_update(
        index_elements=["org_id", "source_id", "object", "external_id"],
        set_={
            "wanted_at": new.excluded.wanted_at,
            "is_told": or_(RecordFetch.is_told, new.excluded.is_told),
        },
    )


async def begin(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> None:
    """The source has new credentials: fetch what waits, at once, and all records that are incomplete."""
    await session.execute(
        update(RecordFetch)
        .where(RecordFetch.org_id == org_id, RecordFetch.source_id == source_id)
        .values(next_try_at=await database_now(session), attempts=0)
        .execution_options(synchronize_session=False)
    )
    await jobs.enqueue(session, org_id, WANT_INCOMPLETE, [{"source_id": str(source_id)}])
    await errands.want(session, org_id, FETCH, source_id, {"source_id": str(source_id)})
    await errands.hasten(session, org_id, FETCH, source_id)


async def want_incomplete(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Want the incomplete records of a source, some at a time; the job hands the rest over to its successor."""
    for work in works:
        source_id, after = UUID(work.payload["source_id"]), work.payload.get("after")
        at = await tick(session, org_id, only_events=True)
        wanted = select(CrmRecord.id).where(
            CrmRecord.org_id == org_id, CrmRecord.source_id == source_id, CrmRecord.needs_fetch, ~CrmRecord.is_deleted
        )
        if after is not None:
            wanted = wanted.where(CrmRecord.id > UUID(after))
        ids = (await session.execute(wanted.order_by(CrmRecord.id).limit(1000))).scalars().all()
        if ids:
            now = await database_now(session)
            await _want_records(session, org_id, source_id, among(CrmRecord.id, ids), at, now)
            await errands.want(session, org_id, FETCH, source_id, {"source_id": str(source_id)})
            rest = {"source_id": str(source_id), "after": str(ids[-1])}
            await jobs.enqueue(session, org_id, WANT_INCOMPLETE, [rest])


async def want_again(session: AsyncSession, org_id: OrganizationId, source_id: UUID, kinds: Sequence[str]) -> None:
    """More is read of these objects from now on: what was fetched lacks it, so all known ones are fetched again.

    Nothing where the system cannot be asked, or more of nothing is read.
    """
    if kinds and (await session.execute(select(queries.credentials_there(org_id, source_id)))).scalar_one():
        await jobs.enqueue(session, org_id, WANT_AGAIN, [{"source_id": str(source_id), "objects": list(kinds)}])


async def want_known(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Want all records of some objects, some at a time; the job hands the rest over to its successor."""
    for work in works:
        source_id, after = UUID(work.payload["source_id"]), work.payload.get("after")
        at = await tick(session, org_id, only_events=True)
        wanted = select(CrmRecord.id, CrmRecord.object, CrmRecord.external_id).where(
            CrmRecord.org_id == org_id,
            CrmRecord.source_id == source_id,
            CrmRecord.object.in_(work.payload["objects"]),
            ~CrmRecord.is_deleted,
            CrmRecord.merged_into.is_(None),
        )
        if after is not None:
            wanted = wanted.where(CrmRecord.id > UUID(after))
        rows = (await session.execute(wanted.order_by(CrmRecord.id).limit(1000))).all()
        if rows:
            told = [(row.object, row.external_id) for row in rows]
            await note(session, org_id, source_id, told=told, mentioned=(), may_fetch=True, at=at)
            await jobs.enqueue(session, org_id, WANT_AGAIN, [{**work.payload, "after": str(rows[-1].id)}])


async def claim(session: AsyncSession, org_id: OrganizationId, source_id: UUID, most: int) -> list[Wanted]:
    """Take due objects of one kind that nobody else asks for, those that wait longest; for the length of a lease.

    Records that became complete meanwhile are wanted no more.
    """
    now = await database_now(session)
    mine = (RecordFetch.org_id == org_id, RecordFetch.source_id == source_id)
    due = select(RecordFetch).where(*mine, RecordFetch.next_try_at <= now)
    first = due.order_by(RecordFetch.next_try_at, RecordFetch.object, RecordFetch.external_id).limit(1)
    leading = (await session.execute(first)).scalar_one_or_none()
    if leading is None:
        return []
    found = await session.execute(
        due.where(RecordFetch.object == leading.object)
        .order_by(RecordFetch.next_try_at, RecordFetch.external_id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = list(found.scalars())
    complete = await _complete(session, org_id, source_id, [row for row in rows if not row.is_told])
    await _remove(session, org_id, source_id, leading.object, complete)
    taken = [row for row in rows if row.external_id not in complete]
    for row in taken:
        row.next_try_at, row.is_claimed = now + LEASE, True
    await session.flush()  # the lease is taken by this transaction
    return [Wanted(row.object, row.external_id, row.wanted_at, row.attempts) for row in taken]


async def _complete(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, rows: Sequence[RecordFetch]
) -> set[str]:
    if not rows:
        return set()
    found = await session.execute(
        select(CrmRecord.external_id).where(
            CrmRecord.org_id == org_id,
            CrmRecord.source_id == source_id,
            CrmRecord.object == rows[0].object,
            among(CrmRecord.external_id, [row.external_id for row in rows]),
            or_(~CrmRecord.needs_fetch, CrmRecord.is_deleted),
        )
    )
    return set(found.scalars())


async def _remove(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, kind: str, ids: Collection[str]
) -> None:
    if ids:
        await session.execute(
            delete(RecordFetch)
            .where(*_these(org_id, source_id, kind, ids))
            .execution_options(synchronize_session=False)
        )


def _these(org_id: OrganizationId, source_id: UUID, kind: str, ids: Iterable[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        RecordFetch.org_id == org_id,
        RecordFetch.source_id == source_id,
        RecordFetch.object == kind,
        among(RecordFetch.external_id, sorted(ids)),
    )


async def answered(session: AsyncSession, org_id: OrganizationId, source_id: UUID, done: Sequence[Wanted]) -> None:
    """What was fetched is wanted no more; what was wanted anew meanwhile is fetched again."""
    for kind in sorted({each.object for each in done}):
        of_kind = {each.id: each.at for each in done if each.object == kind}
        found = await session.execute(
            select(RecordFetch).where(*_these(org_id, source_id, kind, of_kind)).with_for_update()
        )
        rows = list(found.scalars())
        again = [row for row in rows if row.wanted_at > of_kind[row.external_id]]
        for row in again:
            row.next_try_at, row.is_claimed, row.attempts = await database_now(session), False, 0
        await session.flush()  # before the rest goes, by a statement that knows nothing of the session's rows
        await _remove(session, org_id, source_id, kind, of_kind.keys() - {row.external_id for row in again})


async def forgotten(session: AsyncSession, org_id: OrganizationId, source_id: UUID, these: Sequence[Wanted]) -> None:
    """Nobody can fetch them: there is no interface for such objects."""
    for kind in sorted({each.object for each in these}):
        await _remove(session, org_id, source_id, kind, [each.id for each in these if each.object == kind])


async def failed(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, these: Sequence[Wanted], error: str
) -> None:
    """Try again later: after 10 seconds, then twice as long each time, at most six hours."""
    now = await database_now(session)
    for each in these:
        wait = min(timedelta(seconds=10 * 2 ** min(each.attempts, 12)), LONGEST_PAUSE)
        await session.execute(
            update(RecordFetch)
            .where(*_these(org_id, source_id, each.object, [each.id]))
            .values(attempts=each.attempts + 1, last_error=error, is_claimed=False, next_try_at=now + wait)
            .execution_options(synchronize_session=False)
        )


async def given_back(session: AsyncSession, org_id: OrganizationId, source_id: UUID, these: Sequence[Wanted]) -> None:
    """They were not asked for after all."""
    now = await database_now(session)
    for kind in sorted({each.object for each in these}):
        ids = [each.id for each in these if each.object == kind]
        await session.execute(
            update(RecordFetch)
            .where(*_these(org_id, source_id, kind, ids))
            .values(next_try_at=now, is_claimed=False)
            .execution_options(synchronize_session=False)
        )


async def reclaim(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> None:
    """What somebody asked for who is gone may be asked for: an errand is the only one of its source."""
    await session.execute(
        update(RecordFetch)
        .where(RecordFetch.org_id == org_id, RecordFetch.source_id == source_id, RecordFetch.is_claimed)
        .values(next_try_at=await database_now(session), is_claimed=False)
        .execution_options(synchronize_session=False)
    )


async def next_try(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> datetime | None:
    """When something is to be fetched next; None where nothing waits, or nobody can ask."""
    credentials = (
        select(SourceCredentials.source_id)
        .join(Source, and_(Source.org_id == SourceCredentials.org_id, Source.id == SourceCredentials.source_id))
        .where(
            SourceCredentials.org_id == org_id,
            SourceCredentials.source_id == source_id,
            Source.org_id == org_id,
            Source.archived_at.is_(None),
        )
    )
    found = await session.execute(
        select(func.min(RecordFetch.next_try_at)).where(
            RecordFetch.org_id == org_id,
            RecordFetch.source_id == source_id,
            credentials.exists(),
        )
    )
    at: datetime | None = found.scalar_one()
    return at
