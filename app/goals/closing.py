"""Closes goals whose time is up: after their last day and the days of grace, each once, as of that instant (S34)."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, first_instant, local_day
from app.calendars.service import organization_calendar, present_settings
from app.calendars.working import WorkCalendar
from app.core import clock
from app.core.db import Database, OrganizationId
from app.core.problems import Problem
from app.core.snapshots import snapshot
from app.core.telemetry import log
from app.goals import queries, schemas
from app.goals.models import Goal, GoalTarget
from app.goals.progress import complete, freeze
from app.goals.progress_schemas import Progress
from app.goals.service import find_goal, today_of
from app.goals.settings import settings_as_known

BY = "job:close-goals"
MOST = 500
"""So many goals are closed at a look; the others at the next."""
_LONGEST_SEARCH = timedelta(days=3660)


def due_on(end: date, opened_on: date, grace: int, calendar: WorkCalendar) -> date:
    """The day on which a goal is closed: after so many working days that follow its last one.

    One that was opened later, for days that were over, is given its grace from then on. A calendar that works too
    rarely for that ends the search after ten years.
    """
    start = max(end, opened_on)
    return calendar.cut_after(DayRange(start, start + _LONGEST_SEARCH), grace)


async def close_due(database: Database, org_id: OrganizationId) -> None:
    """Close the goals whose days of grace are over.

    Each is frozen as of the first instant after them, as it would have been had nobody been late: what was recorded
    later restates it. Terms and days of grace that were decided later still hold.
    """
    for due in await _due(database, org_id):
        await _close(database, org_id, due)


class _Due(NamedTuple):
    goal_id: UUID
    as_of: datetime


async def _due(database: Database, org_id: OrganizationId) -> list[_Due]:
    async with snapshot(database, org_id) as session:
        today = await today_of(session, org_id)
        rows = (await session.execute(queries.ended(org_id, today).limit(MOST))).all()
        if not rows:
            return []
        known_at = await clock.last_recorded(session, org_id)
        settings = await settings_as_known(session, org_id, known_at)
        zone = (await present_settings(session, org_id)).zone
        calendar = await organization_calendar(session, org_id, known_at)
        due = []
        for row in rows:
            day = due_on(row.end_on, local_day(row.opened_at, zone), settings.grace_working_days, calendar)
            if day <= today:
                decided = [row.recorded_at, settings.recorded_at or row.opened_at]
                due.append(_Due(row.id, max(first_instant(day, zone), *decided)))
        return due


async def _close(database: Database, org_id: OrganizationId, due: _Due) -> None:
    async with snapshot(database, org_id, due.as_of) as session:
        goal, terms = await find_goal(session, org_id, due.goal_id)
        standing = await _standing(session, goal, terms, due.as_of)
    async with database.write(org_id) as session:
        at = await clock.tick(session, org_id)
        goal, terms = await find_goal(session, org_id, due.goal_id)
        # Closed or cancelled meanwhile, or with other terms: the next look sees to it.
        if goal.state != "open" or terms.recorded_at > due.as_of:
            return
        await freeze(session, goal, standing, at, BY)


async def _standing(session: AsyncSession, goal: Goal, terms: GoalTarget, as_of: datetime) -> Progress:
    """The figures; without any where they cannot be computed: a goal whose time is up is closed all the same."""
    try:
        return await complete(session, goal, as_of)
    except Problem as problem:
        log.warning("goal-closed-without-figures", goal_id=str(goal.id), problem=problem.code)
        return Progress(
            goal_id=goal.id,
            as_of=as_of,
            known_at=as_of,
            kpi=goal.kpi_key,
            direction=goal.direction,
            unit={},
            currency=goal.currency,
            target=schemas.Target.model_validate(terms),
            actual=None,
            status="no_data",
            sample=0,
            kpi_version=None,
        )
