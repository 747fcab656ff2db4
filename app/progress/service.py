"""Use cases of long jobs: those of the people who watch them, and those of the parts that do the work.

A part begins a job in the transaction that hands the work over, tells of its progress in the transactions of its steps
(or, where it works outside of any, by a `Reporter`), and ends it. What was cancelled stays so: `advance` says whether
to go on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import audit, etags
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import Conflict, NotFound
from app.progress import schemas
from app.progress.models import LongJob

ENDED = frozenset({"succeeded", "failed", "cancelled"})
_OPEN = ("queued", "running")


class JobNotFound(NotFound):
    """There is no such job in this organization, or the key may not do what the job does."""

    code, title = "job-not-found", "Job not found"


class JobEnded(Conflict):
    """The job has ended already: there is nothing left to cancel."""

    code, title = "job-ended", "Job ended"


# ---------------------------------------------------------------------------------------------- for who does the work


async def begin(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kind: str,
    subject: Mapping[str, str | None],
    permission: Permission,
    created_by: str,
    total: int | None = None,
    job_id: UUID | None = None,
) -> UUID:
    """Let people see work that is handed over in this transaction; gives the job's id.

    `subject` has a `type`, and perhaps an `id` and a `name`; whoever has the `permission` sees and cancels the job.
    """
    job = LongJob(
        org_id=org_id,
        id=job_id or new_id(),
        kind=kind,
        state="queued",
        permission=permission.value,
        subject=dict(subject),
        total=total,
        counts={},
        created_by=created_by,
        created_at=await database_now(session),
        version=1,
    )
    session.add(job)
    await session.flush()  # whoever asks in this transaction finds it
    return job.id


async def advance(
    session: AsyncSession,
    org_id: OrganizationId,
    job_id: UUID,
    *,
    done: int,
    total: int | None = None,
    counts: Mapping[str, int] | None = None,
) -> bool:
    """Tell how far the work is; gives whether to go on: false once it was cancelled (or has ended otherwise)."""
    now = await database_now(session)
    changes: dict[str, Any] = {"done": done, "started_at": func.coalesce(LongJob.started_at, now)}
    if total is not None:
        changes["total"] = total
    if counts is not None:
        changes["counts"] = dict(counts)
    state = case((LongJob.state == "queued", "running"), else_=LongJob.state)
    found = await session.execute(
        update(LongJob)
        .where(LongJob.org_id == org_id, LongJob.id == job_id, LongJob.state.not_in(("succeeded", "failed")))
        .values(state=state, version=LongJob.version + 1, **changes)
        .returning(LongJob.state)
        .execution_options(synchronize_session=False)
    )
    return found.scalar_one_or_none() == "running"


async def finish(
    session: AsyncSession, org_id: OrganizationId, job_id: UUID, counts: Mapping[str, int] | None = None
) -> None:
    """The work is done. Nothing happens where the job has ended already."""
    told = {} if counts is None else {"counts": dict(counts)}
    await _end(session, org_id, job_id, "succeeded", told)


async def fail(session: AsyncSession, org_id: OrganizationId, job_id: UUID, error: str) -> None:
    """The work cannot be done: `error` is a sentence for people, without secrets."""
    await _end(session, org_id, job_id, "failed", {"error": error[:2000]})


async def is_open(session: AsyncSession, org_id: OrganizationId, job_id: UUID) -> bool:
    """Whether it has not ended in whatever way."""
    found = await session.execute(select(LongJob.state).where(LongJob.org_id == org_id, LongJob.id == job_id))
    return found.scalar_one_or_none() in _OPEN


async def is_cancelled(session: AsyncSession, org_id: OrganizationId, job_id: UUID) -> bool:
    """Whether somebody stopped it."""
    found = await session.execute(select(LongJob.state).where(LongJob.org_id == org_id, LongJob.id == job_id))
    return found.scalar_one_or_none() == "cancelled"


@dataclass(frozen=True)
class Reporter:
    """Tells of a job from outside of any transaction, each time in a short one of its own."""

    database: Database
    org_id: OrganizationId
    job_id: UUID

    async def advance(self, *, done: int, total: int | None = None, counts: Mapping[str, int] | None = None) -> bool:
        """As `advance`."""
        async with self.database.write(self.org_id) as session:
            return await advance(session, self.org_id, self.job_id, done=done, total=total, counts=counts)

    async def finish(self, counts: Mapping[str, int] | None = None) -> None:
        """As `finish`."""
        async with self.database.write(self.org_id) as session:
            await finish(session, self.org_id, self.job_id, counts)

    async def fail(self, error: str) -> None:
        """As `fail`."""
        async with self.database.write(self.org_id) as session:
            await fail(session, self.org_id, self.job_id, error)

    async def is_cancelled(self) -> bool:
        """As `is_cancelled`."""
        async with self.database.read(self.org_id) as session:
            return await is_cancelled(session, self.org_id, self.job_id)


async def _end(session: AsyncSession, org_id: OrganizationId, job_id: UUID, state: str, told: dict[str, Any]) -> None:
    now = await database_now(session)
    await session.execute(
        update(LongJob)
        .where(LongJob.org_id == org_id, LongJob.id == job_id, LongJob.state.in_(_OPEN))
        .values(state=state, finished_at=now, version=LongJob.version + 1, **told)
        .execution_options(synchronize_session=False)
    )


# --------------------------------------------------------------------------------------------------- for who watches


async def list_jobs(session: AsyncSession, who: Principal, query: schemas.JobsQuery) -> schemas.JobPage:
    """The jobs that a query asks for and the caller may see, the newest first."""
    wanted = _visible_to(who)
    if query.kind is not None:
        wanted = wanted.where(LongJob.kind == query.kind)
    if query.state is not None:
        wanted = wanted.where(LongJob.state == query.state)
    keys = [Key(LongJob.created_at, descending=True), Key(LongJob.id, descending=True)]
    rows, following = await paginate(session, wanted, keys, query)
    return schemas.JobPage(items=[schemas.Job.model_validate(row) for row in rows], next_cursor=following)


async def get_job(session: AsyncSession, who: Principal, job_id: UUID) -> schemas.Job:
    """One job. Raises `JobNotFound`."""
    return schemas.Job.model_validate(await _find(session, who, job_id))


async def cancel_job(session: AsyncSession, who: Principal, job_id: UUID, if_match: str | None) -> schemas.Job:
    """Stop a job: what is under way is completed, and nothing is begun any more. Raises `JobEnded`."""
    job = await _find(session, who, job_id, lock=True)
    etags.check(if_match, job.version)
    if job.state == "cancelled":
        return schemas.Job.model_validate(job)
    if job.state in ENDED:
        raise JobEnded(f"The job has {job.state} already.")
    job.state, job.version = "cancelled", job.version + 1
    job.finished_at = await _later(session, job.created_at)
    audit.record(session, who.org_id, who.label, "cancel", "job", job_id)
    await session.flush()  # the answer shows the stored row
    return schemas.Job.model_validate(job)


async def _later(session: AsyncSession, than: datetime) -> datetime:
    return max(await database_now(session), than)


async def _find(session: AsyncSession, who: Principal, job_id: UUID, *, lock: bool = False) -> LongJob:
    wanted = _visible_to(who).where(LongJob.id == job_id)
    found = (await session.execute(wanted.with_for_update() if lock else wanted)).scalar_one_or_none()
    if found is None:
        raise JobNotFound(f"No job {job_id}.")
    return found


def _visible_to(who: Principal) -> Select[LongJob]:
    mine = sorted(permission.value for permission in who.permissions)
    return select(LongJob).where(LongJob.org_id == who.org_id, LongJob.permission.in_(mine))
