"""The errand by which a source is looked after: one row each, always there, due when to look again."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.clock import database_now
from app.core.db import OrganizationId
from app.core.jobs import Job
from app.integrations.models import SourceConnection

WATCH = "watch-source"
WATCH_ALL = "watch-sources"
EVERY = timedelta(hours=1)


async def begin(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> None:
    """Look after a connected source from now on, first in an hour; nothing happens where that is done already."""
    row = {"id": uuid5(source_id, WATCH), "kind": WATCH, "payload": {"source_id": str(source_id)}}
    due = await database_now(session) + EVERY
    await session.execute(insert(Job).values(org_id=org_id, run_at=due, **row).on_conflict_do_nothing())


async def watch_all(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Look after all sources: those of organizations from before there was anything to look after them."""
    found = await session.execute(select(SourceConnection.source_id).where(SourceConnection.org_id == org_id))
    for source_id in found.scalars():
        await begin(session, org_id, source_id)
