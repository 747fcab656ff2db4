"""The job by which an organization's kept figures are looked after: one row, always there, due when to look again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import database_now
from app.core.db import OrganizationId, Ready
from app.core.jobs import Job

KEEPING = "partials"
"""The job's kind."""
KEEPING_ID = UUID(int=1)
"""Its key, the same in each organization."""
SOON = timedelta(seconds=1)


async def look_after(session: AsyncSession, org_id: OrganizationId) -> None:
    """Let a new organization's figures be kept."""
    now = await database_now(session)
    row = {"org_id": org_id, "id": KEEPING_ID, "kind": KEEPING, "payload": {}, "run_at": now}
    await session.execute(insert(Job).values(row).on_conflict_do_nothing())


async def wake(session: AsyncSession, org_id: OrganizationId) -> None:
    """Have a look at the organization at once, unless one is due within moments anyway.

    While events keep coming it is, so that their writers find nothing to change and wait for nobody. Should a look
    end just before this transaction commits, the next is some time later: figures are as exact, only not as fast. The
    clock of this machine will do. A rehearsal wakes nobody: of what it writes nothing stays.
    """
    if session.info.get("is_rehearsal"):
        return
    now = datetime.now(UTC)
    await _SOONER.rows(session, org_id=org_id, now=now, soon=now + SOON)


_SOONER = Ready(
    update(Job)
    .where(Job.org_id == bindparam("org_id"), Job.id == KEEPING_ID, Job.run_at > bindparam("soon"))
    .values(run_at=bindparam("now"))
    .returning(Job.org_id)
)
