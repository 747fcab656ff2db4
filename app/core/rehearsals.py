"""Rehearsals: what would follow from something is found out by doing it, and undone.

Everything is done as it always is, in one snapshot that is rolled back. The organization's clock is neither locked nor
moved, so its writers do not wait: whatever ticks gets the instant at which it would be recorded now.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, OrganizationId

ATTEMPTS = 8
_COLLISIONS = frozenset({"40001", "40P01", "55P03"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A session of which nothing stays; `at` is when its writes are recorded, `before` what was recorded last.

    So figures with `known_at` `before` are those without them.
    """

    session: AsyncSession
    before: datetime
    at: datetime


async def rehearse(database: Database, org_id: OrganizationId, act: Callable[[Rehearsal], Awaitable[_T]]) -> _T:
    """What the act gives; it is done anew where it met somebody who writes the same.

    Raises `DBAPIError` when it did so each time.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with database.rehearsal(org_id) as session:
                return await act(await _begin(session, org_id))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _COLLISIONS or attempt == ATTEMPTS:
                raise
        await asyncio.sleep(0.1 * attempt)
    raise AssertionError("the last attempt gives or raises")


async def _begin(session: AsyncSession, org_id: OrganizationId) -> Rehearsal:
    seen = await clock.present(session, org_id)
    at = max(seen.now, seen.last_at + clock.STEP)
    session.info.update(recorded_at=at, configured=True)
    return Rehearsal(session, seen.last_at, at)
