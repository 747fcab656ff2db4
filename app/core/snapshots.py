"""Snapshots for answers: one instant of the ledger that later writes cannot change."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, OrganizationId
from app.core.problems import Problem


class AsOfInTheFuture(Problem):
    """`as_of` lies after the organization's present: nobody knows yet what will be recorded until then."""

    status, code, title = 422, "as-of-in-the-future", "as_of in the future"


@asynccontextmanager
async def snapshot(
    database: Database, org_id: OrganizationId, as_of: datetime | None = None
) -> AsyncIterator[AsyncSession]:
    """A read-only session; an `as_of` after the last recorded instant is settled first, so that it stays true (S5).

    Raises `AsOfInTheFuture`.
    """
    if as_of is not None:
        await _settle(database.aside, org_id, as_of)
    async with database.aside.read(org_id) as session:
        yield session


async def _settle(database: Database, org_id: OrganizationId, as_of: datetime) -> None:
    async with database.write(org_id) as session:
        last = await clock.last_recorded(session, org_id)
        if as_of <= last:
            return
        now = await clock.now(session, org_id)
        if as_of > now:
            raise AsOfInTheFuture(f"as_of {as_of.isoformat()} is later than now, {now.isoformat()}.")
        await clock.advance_to(session, org_id, as_of)


@dataclass(frozen=True)
class Snapshots:
    """Opens snapshots of one organization."""

    database: Database
    org_id: OrganizationId

    def at(self, as_of: datetime | None = None) -> AbstractAsyncContextManager[AsyncSession]:
        """A snapshot for an answer as of an instant; None: of now."""
        return snapshot(self.database, self.org_id, as_of)
