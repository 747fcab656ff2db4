"""The work that goals cause: one errand looks after an organization's goals.

It opens those that recur, closes those whose time is up, tells of what waits, and watches. An organization has one once
it has a goal, put off by some seconds each time while things happen, else by minutes. It looks only where something was
recorded since it looked last, or another hour or local day has begun by the organization's clock: jobs run in real
time, and a clock that is set by hand hastens them. That also bounds how often anything is computed for it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from time import monotonic

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import local_day
from app.calendars.service import present_settings
from app.core import clock
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.errands import Errand, Errands
from app.core.jobs import Handler, Handlers, Job, Work
from app.core.snapshots import snapshot
from app.goals import awaiting, closing, recurring, watching
from app.goals.models import Goal, GoalSeries
from app.goals.tending import TEND_GOALS, begin

BEGIN = "tend-goals-begin"
"""Has the goals of organizations looked after that are from before there was anything to do so."""
SOONEST, LATEST = 10, 120
"""Seconds until the next look, at least and at most: twice as many after each that found nothing new."""
PART = 20
"""A look that took long is followed by a wait of so many times that, within these limits."""
_SEEN, _WAIT = "seen", "wait"


async def _tend(database: Database, org_id: OrganizationId, work: Work) -> None:
    async with snapshot(database, org_id) as session:
        present = await _present(session, org_id)
    if work.payload.get(_SEEN) == present:
        work.payload[_WAIT] = min(2 * work.payload[_WAIT], LATEST)
        return
    began = monotonic()
    await recurring.open_due(database, org_id)
    await closing.close_due(database, org_id)
    await awaiting.tell_waiting(database, org_id)
    if await watching.watch(database, org_id):
        work.payload[_SEEN] = present
    work.payload[_WAIT] = min(max(SOONEST, ceil(PART * (monotonic() - began))), LATEST)


async def _present(session: AsyncSession, org_id: OrganizationId) -> list[str]:
    """By what it is known whether anything can have changed: what was recorded last, the local day, and the hour.

    A clock that is set by hand says by itself whether it was set anew.
    """
    present = await clock.present(session, org_id)
    day = local_day(present.now, (await present_settings(session, org_id)).zone)
    moment = f"{present.now:%Y-%m-%dT%H}" if present.manual_now is None else present.manual_now.isoformat()
    return [present.last_at.isoformat(), day.isoformat(), moment]


async def _remains(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
    """Looks again in a while, as long as there is any goal; keeps what was seen with the errand."""
    if not await _has_goals(session, org_id):
        return None
    await session.execute(update(Job).where(Job.org_id == org_id, Job.id == work.id).values(payload=work.payload))
    return await database_now(session) + timedelta(seconds=work.payload[_WAIT])


async def _has_goals(session: AsyncSession, org_id: OrganizationId) -> bool:
    for table in (Goal, GoalSeries):
        if (await session.execute(select(table.id).where(table.org_id == org_id).limit(1))).first() is not None:
            return True
    return False


async def _begin(session: AsyncSession, org_id: OrganizationId, _works: Sequence[Work]) -> None:
    await begin(session, org_id)


HANDLERS: Handlers = {BEGIN: Handler(run=_begin, batch=100)}
ERRANDS: Errands = {TEND_GOALS: Errand(_tend, remains=_remains)}
