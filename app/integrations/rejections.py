"""Counting the calls that are not authentic: cheaply, and in no more rows than there are sources and hours.

Of such a call nothing is kept, so that nobody fills a disk with them. A process counts in memory, and writes what it
counted for a source at most every few seconds, together with whatever it writes then. What it has not written when it
ends is lost: there were at least so many.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events.bulk import Insertion
from app.integrations.models import SourceRejections

PAUSE = 5.0
"""Seconds between two writes of a process for the sources of one organization."""


class Rejections:
    """What a process has counted, and not written yet."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counted: dict[OrganizationId, Counter[UUID]] = defaultdict(Counter)
        self._written_at: dict[OrganizationId, float] = {}

    def count(self, org_id: OrganizationId, source_id: UUID) -> None:
        """A call to a source that is there was refused."""
        self._counted[org_id][source_id] += 1

    def take(self, org_id: OrganizationId) -> Counter[UUID]:
        """What is to be written now, and counted anew; nothing where something was a moment ago."""
        if org_id not in self._counted:
            return Counter()
        now = self._now()
        if now < self._written_at.get(org_id, -PAUSE) + PAUSE:
            return Counter()
        self._written_at = {each: at for each, at in self._written_at.items() if now < at + PAUSE} | {org_id: now}
        return self._counted.pop(org_id)


async def write(session: AsyncSession, org_id: OrganizationId, counted: Counter[UUID], at: datetime) -> None:
    """Add what was counted to the rows of this hour."""
    rows = [
        {"source_id": source_id, "hour": at.replace(minute=0, second=0, microsecond=0), "calls": calls, "last_at": at}
        for source_id, calls in sorted(counted.items())  # in order, so that processes do not wait in a circle
    ]
    await _COUNTED.run(session, _COUNTED.columns(rows), org_id=org_id)


_COUNTED = Insertion(
    SourceRejections,
    same=("org_id",),
    but=lambda new: new.on_conflict_do_update(
        index_elements=["org_id", "source_id", "hour"],
        set_={"calls": SourceRejections.calls + new.excluded.calls, "last_at": new.excluded.last_at},
    ).returning(SourceRejections.org_id),
)
