"""How many requests of an organization write at once, so that a flood of one leaves connections to the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.core.db import OrganizationId
from app.core.problems import Unavailable

PATIENCE_SECONDS = 10.0


@dataclass
class _Places:
    """What an organization has left of its places, and how many of its requests have or want one."""

    free: asyncio.Semaphore
    users: int = field(default=0)


class Writers:
    """Places for the requests of this process that write.

    Those of one organization wait for its clock in any case (`core/clock.py`): the rest wait here, in their order and
    without a connection, which one flood would otherwise take all of.
    """

    def __init__(self, max_concurrent: int) -> None:
        self._max_concurrent = max_concurrent
        self._places: dict[OrganizationId, _Places] = {}

    @asynccontextmanager
    async def admitted(self, org_id: OrganizationId) -> AsyncIterator[None]:
        """A place among the organization's writers. Raises `Unavailable` where none gets free in time."""
        places = self._places.setdefault(org_id, _Places(asyncio.Semaphore(self._max_concurrent)))
        places.users += 1
        try:
            await self._take_one(places)
            try:
                yield
            finally:
                places.free.release()
        finally:
            places.users -= 1
            if not places.users:
                self._places.pop(org_id, None)

    async def _take_one(self, places: _Places) -> None:
        if not places.free.locked():  # as nearly always: no timer then
            await places.free.acquire()
            return
        try:
            await asyncio.wait_for(places.free.acquire(), PATIENCE_SECONDS)
        except TimeoutError:
            raise Unavailable(
                "Too many requests of the organization write at once. Try again in a moment.",
                headers={"Retry-After": "5"},
            ) from None
