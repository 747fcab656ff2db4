"""Translating the records of a source again, some at a time, by the mapping as it is now; people may watch it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import clock, jobs
from app.core.db import OrganizationId
from app.events.sources import Source
from app.events.waking import wake
from app.integrations import histories
from app.integrations.folding import Key
from app.integrations.models import CrmRecord, Delivery, SourceConnection
from app.integrations.translation import Connected, Settled, connected, settle
from app.progress import service as long_jobs

REFOLD = "refold-records"
REFOLD_ALL = "refold-sources"
RETELL = "retell-deliveries"
REMAP = "remap-source"
"""What people see of `REFOLD`, and of a `RETELL` before it."""
REFOLD_ROWS = 500
TOLD = {"accepted": "created", "corrected": "corrected", "retracted": "retracted"}
"""What people call the outcomes of what is written."""


async def begin(session: AsyncSession, who: Principal, source: Source, kind: str) -> UUID:
    """Let the past of a source follow its mapping, by a `REFOLD` or `RETELL`; gives the job that people watch."""
    job_id = await long_jobs.begin(
        session,
        who.org_id,
        kind=REMAP,
        subject={"type": "source", "id": str(source.id), "name": source.name},
        permission=Permission.SOURCES_WRITE,
        created_by=who.label,
    )
    payload = {"source_id": str(source.id), "job_id": str(job_id)}
    await jobs.enqueue(session, who.org_id, kind, [payload])
    return job_id


async def refold(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate a source's records again, some at a time; the job hands the rest over to its successor."""
    for work in works:
        if not await goes_on(session, org_id, REFOLD, work.payload):
            continue
        source_id = UUID(work.payload["source_id"])
        at = await clock.tick(session, org_id, only_events=True)
        source = await connected(session, org_id, source_id)
        keys, last = await records_after(session, source, work.payload.get("after"))
        if last is None:
            await _end(session, org_id, work.payload)
            continue
        known = await histories.load(session, org_id, source_id, keys)
        await histories.store_states(session, org_id, known, keys, source.adapter, source.mapping, at)
        settled = await settle(session, source, keys, at, known)
        await hand_on(session, org_id, REFOLD, work.payload, last, len(keys), counted(settled))


async def records_after(
    session: AsyncSession, source: Connected, after: str | UUID | None
) -> tuple[list[Key], UUID | None]:
    """The next records of a source, and the id of the last of them; None where there are no more."""
    wanted = select(CrmRecord.id, CrmRecord.object, CrmRecord.external_id).where(
        CrmRecord.org_id == source.org_id, CrmRecord.source_id == source.id
    )
    if after is not None:
        wanted = wanted.where(CrmRecord.id > UUID(str(after)))
    rows = (await session.execute(wanted.order_by(CrmRecord.id).limit(REFOLD_ROWS))).all()
    return [(row.object, row.external_id) for row in rows], rows[-1].id if rows else None


def counted(settled: Settled) -> Counter[str]:
    """How many events were created, corrected and retracted; and of how many records they were refused."""
    told = Counter(TOLD[outcome.outcome] for outcome in settled.written)
    return told + Counter(refused=len(settled.refused))  # without what is zero


# ---------------------------------------------------------------- a chain of jobs that is watched as one; Any: payloads


async def goes_on(session: AsyncSession, org_id: OrganizationId, kind: str, payload: Mapping[str, Any]) -> bool:
    """Whether nobody cancelled it; the first of a chain finds out how much there is to do, before it locks anything."""
    if "job_id" not in payload:
        return True
    job_id = UUID(payload["job_id"])
    if "done" not in payload:
        return await long_jobs.advance(
            session, org_id, job_id, done=0, total=await total_of(session, org_id, UUID(payload["source_id"]), kind)
        )
    return not await long_jobs.is_cancelled(session, org_id, job_id)


async def total_of(session: AsyncSession, org_id: OrganizationId, source_id: UUID, kind: str) -> int:
    """How much there is to do: all records, and before them all deliveries where these are read again."""
    tables = (CrmRecord, Delivery) if kind == RETELL else (CrmRecord,)
    counted = [
        select(func.count()).where(table.org_id == org_id, table.source_id == source_id).scalar_subquery()
        for table in tables
    ]
    return sum((await session.execute(select(*counted))).one())


async def hand_on(
    session: AsyncSession,
    org_id: OrganizationId,
    kind: str,
    payload: Mapping[str, Any],
    last: UUID,
    done: int,
    counts: Mapping[str, int],
) -> None:
    """Hand what follows `last` over to a successor, and tell how much is done."""
    following = {**payload, "after": str(last)}
    if "job_id" in payload:
        following["done"] = payload.get("done", 0) + done
        following["counts"] = Counter(payload.get("counts", {})) + Counter(counts)
        job_id = UUID(payload["job_id"])
        await long_jobs.advance(session, org_id, job_id, done=following["done"], counts=following["counts"])
    await jobs.enqueue(session, org_id, kind, [following])


async def _end(session: AsyncSession, org_id: OrganizationId, payload: Mapping[str, Any]) -> None:
    if "job_id" in payload:
        job_id, done = UUID(payload["job_id"]), payload.get("done", 0)
        # What came while it ran was translated by the new mapping anyway.
        await long_jobs.advance(session, org_id, job_id, done=done, total=done)
        await long_jobs.finish(session, org_id, job_id, payload.get("counts", {}))


async def failed(session: AsyncSession, org_id: OrganizationId, work: jobs.Work, error: str) -> None:
    """Tell those who watch when it is given up for the day."""
    job_id = work.payload.get("job_id")
    if job_id is not None and work.attempts + 1 >= jobs.MAX_ATTEMPTS:
        reason = f"The records could not be translated again ({error}); it is tried again once a day."
        await long_jobs.fail(session, org_id, UUID(job_id), reason)


async def refold_all(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate the records of every source again: the organization's zone moved, and with it local days.

    Figures kept ready are begun anew.
    """
    await wake(session, org_id)
    found = await session.execute(select(SourceConnection.source_id).where(SourceConnection.org_id == org_id))
    await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id)} for source_id in found.scalars()])
