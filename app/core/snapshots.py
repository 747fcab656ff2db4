"""Snapshots for answers: one instant of the ledger that later writes cannot change."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.budget import QueryBudget, Spending
from app.core.db import Database, OrganizationId
from app.core.problems import Problem
from app.core.rehearsals import Rehearsal, rehearse

_T = TypeVar("_T")


class AsOfInTheFuture(Problem):
    """`as_of` or `known_at` lies after the organization's present: what will be recorded until then nobody knows."""

    status, code, title = 422, "as-of-in-the-future", "as_of in the future"


@asynccontextmanager
async def snapshot(
    database: Database, org_id: OrganizationId, *instants: datetime | None
) -> AsyncIterator[AsyncSession]:
    """A read-only session; instants after the last recorded one are settled first, so that answers stay true (S5).

    Raises `AsOfInTheFuture`.
    """
    named = [instant for instant in instants if instant is not None]
    if named:
        await _settle(database.aside, org_id, max(named))
    async with database.aside.read(org_id) as session:
        yield session


async def _settle(database: Database, org_id: OrganizationId, instant: datetime) -> None:
    async with database.write(org_id) as session:
        last = await clock.last_recorded(session, org_id)
        if instant <= last:
            return
        now = await clock.now(session, org_id)
        if instant > now:
            raise AsOfInTheFuture(f"{instant.isoformat()} is later than now, {now.isoformat()}.")
        await clock.advance_to(session, org_id, instant)


class Reading(Protocol):
    """A request's transaction that reads, while it is open."""

    session: AsyncSession | None

    async def end(self) -> None:
        """End it early."""


@dataclass(frozen=True)
class Snapshots:
    """Gives snapshots of one organization, whose budget pays for what is computed in them.

    `reading` is a request's own, where it has one: what needs no instant settled first is computed in it, so that such
    a request takes one connection and not two. A request that has to wait for its place gives it up: it must not hold a
    connection that others need.
    """

    database: Database
    org_id: OrganizationId
    budget: QueryBudget
    reading: Reading | None = None

    @asynccontextmanager
    async def at(self, *instants: datetime | None) -> AsyncIterator[AsyncSession]:
        """A snapshot for an answer that names these instants, its `as_of` and `known_at`; None: of now.

        The organization pays for the time it is open. Raises `QueryBudgetExceeded`.
        """
        async with self.budget.admitted(self.org_id, self._leave) as spending:
            with spending.computing():
                own = None if self.reading is None else self.reading.session
                if own is not None and await self._is_settled(own, instants):
                    yield own
                else:
                    async with snapshot(self.database, self.org_id, *instants) as session:
                        yield session

    @asynccontextmanager
    async def by_part(self, *instants: datetime | None) -> AsyncIterator[tuple[AsyncSession, Spending]]:
        """As `at`, for an answer that is sent while it is computed: it pays for its parts, not for a slow reader."""
        async with (
            self.budget.admitted(self.org_id, self._leave) as spending,
            snapshot(self.database, self.org_id, *instants) as session,
        ):
            yield session, spending

    async def rehearse(self, act: Callable[[Rehearsal], Awaitable[_T]]) -> _T:
        """What the act gives, of which nothing stays (`core/rehearsals.py`); the organization pays as for an answer.

        The request's own snapshot is given up. Raises `QueryBudgetExceeded`.
        """
        async with self.budget.admitted(self.org_id, self._leave) as spending:
            with spending.computing():
                await self._leave()
                return await rehearse(self.database.aside, self.org_id, act)

    async def _leave(self) -> None:
        if self.reading is not None:
            await self.reading.end()

    async def _is_settled(self, session: AsyncSession, instants: Sequence[datetime | None]) -> bool:
        """Whether nothing can be recorded at or before these instants any more, as far as the session can see."""
        last = await clock.last_recorded(session, self.org_id)
        return all(instant is None or instant <= last for instant in instants)
