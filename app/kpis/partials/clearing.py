"""Figures of days whose events were archived or dropped: nobody asks for them any more, so they are removed."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Delete, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.db import OrganizationId
from app.events.archives import CLEAR_FIGURES
from app.kpis.partials.models import Partial

AT_ONCE = 2_000
"""Rows of one transaction, each a month of an identity."""

_KEY = (Partial.measure_id, Partial.identity_id, Partial.is_shared, Partial.month, Partial.currency)


async def clear_figures(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Remove figures of gone months, some at a time; the job hands the rest over to its successor.

    Horizons are first days of months. Whoever keeps the figures may add such a row meanwhile, which is then left over
    and read by nobody; rows that it is about to change are left to the next time.
    """
    before = max(date.fromisoformat(work.payload["before"]) for work in works)
    gone = await session.execute(_some_before(org_id, before))
    if gone.rowcount:  # type: ignore[attr-defined]  # of the cursor that a deletion gives
        await jobs.enqueue(session, org_id, CLEAR_FIGURES, [{"before": before.isoformat()}])


def _some_before(org_id: OrganizationId, before: date) -> Delete:
    some = (
        select(*_KEY)
        .where(Partial.org_id == org_id, Partial.month < before)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return delete(Partial).where(Partial.org_id == org_id, tuple_(*_KEY).in_(some))


HANDLERS = {CLEAR_FIGURES: jobs.Handler(run=clear_figures, batch=100)}
