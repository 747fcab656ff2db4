"""Tells, once, of what waits for somebody: proposals on which nobody decides, and goals that never were opened."""

from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import local_day
from app.calendars.service import organization_calendar, present_settings
from app.calendars.working import WorkCalendar
from app.core import clock
from app.core.db import Database, OrganizationId
from app.core.snapshots import snapshot
from app.goals.closing import due_on
from app.goals.models import Goal, GoalDecision, GoalNotification
from app.goals.service import today_of
from app.goals.telling import present_of, publish

PATIENCE = 3
"""Working days after which a proposal, and what was not opened when its days were over, is told of."""
_DAY = timedelta(days=1)

Topic = Literal["goal.awaiting_approval", "goal.never_opened"]
_TOPICS: tuple[Topic, ...] = ("goal.awaiting_approval", "goal.never_opened")


class Waiting(NamedTuple):
    """A goal that is not open: since when it is as it is, and what was told of that."""

    end: date
    is_proposed: bool
    since: date
    told: frozenset[str]


def to_tell(waiting: Waiting, today: date, calendar: WorkCalendar) -> Topic | None:
    """What is to be told of it now: that its days are over, else that nobody decides."""
    if today >= due_on(waiting.end, waiting.since + _DAY, PATIENCE, calendar):
        return None if "goal.never_opened" in waiting.told else "goal.never_opened"
    is_due = today >= due_on(waiting.since + _DAY, waiting.since + _DAY, PATIENCE, calendar)
    if waiting.is_proposed and is_due and "goal.awaiting_approval" not in waiting.told:
        return "goal.awaiting_approval"
    return None


async def tell_waiting(database: Database, org_id: OrganizationId) -> None:
    """Tell of drafts and proposals that wait too long; of each proposal once, and once that its days are over."""
    async with snapshot(database, org_id) as session:
        due = await _due(session, org_id, None)
    for goal_id in due:
        async with database.write(org_id) as session:
            goal = (await session.execute(_locked(org_id, goal_id))).scalar_one()
            for topic in (await _due(session, org_id, goal_id)).values():  # nobody told of it, or decided, meanwhile
                publish(session, goal, topic, {"state": goal.state}, await present_of(session, goal))


async def _due(session: AsyncSession, org_id: OrganizationId, only: UUID | None) -> dict[UUID, Topic]:
    found = (await session.execute(_waiting(org_id, only))).all()
    if not found:
        return {}
    today, zone = await today_of(session, org_id), (await present_settings(session, org_id)).zone
    calendar = await organization_calendar(session, org_id, await clock.last_recorded(session, org_id))
    proposed = dict((await session.execute(_proposals(org_id, only))).all())
    told = await _told(session, org_id, only)
    due: dict[UUID, Topic] = {}
    for goal_id, state, end_on, created_at in found:
        since = max(created_at, proposed.get(goal_id, created_at)) if state == "proposed" else created_at
        of_it = {topic for topic, at in told.get(goal_id, {}).items() if topic == "goal.never_opened" or at >= since}
        waiting = Waiting(end_on, state == "proposed", local_day(since, zone), frozenset(of_it))
        if (topic := to_tell(waiting, today, calendar)) is not None:
            due[goal_id] = topic
    return due


def _waiting(org_id: OrganizationId, only: UUID | None) -> Select[UUID, str, date, datetime]:
    wanted = select(Goal.id, Goal.state, Goal.end_on, Goal.created_at).where(
        Goal.org_id == org_id, Goal.state.in_(["draft", "proposed"])
    )
    return wanted if only is None else wanted.where(Goal.id == only)


def _proposals(org_id: OrganizationId, only: UUID | None) -> Select[UUID, datetime]:
    """When each was proposed last."""
    wanted = (
        select(GoalDecision.goal_id, func.max(GoalDecision.decided_at))
        .join(Goal, (Goal.org_id == GoalDecision.org_id) & (Goal.id == GoalDecision.goal_id))
        .where(
            GoalDecision.org_id == org_id,
            Goal.org_id == org_id,
            Goal.state == "proposed",
            GoalDecision.action == "proposed",
        )
        .group_by(GoalDecision.goal_id)
    )
    return wanted if only is None else wanted.where(Goal.id == only)


async def _told(session: AsyncSession, org_id: OrganizationId, only: UUID | None) -> dict[UUID, dict[str, datetime]]:
    """When each of the topics was told of last."""
    wanted = (
        select(GoalNotification.goal_id, GoalNotification.topic, func.max(GoalNotification.told_at))
        .join(Goal, (Goal.org_id == GoalNotification.org_id) & (Goal.id == GoalNotification.goal_id))
        .where(
            GoalNotification.org_id == org_id,
            Goal.org_id == org_id,
            Goal.state.in_(["draft", "proposed"]),
            GoalNotification.topic.in_(_TOPICS),
        )
        .group_by(GoalNotification.goal_id, GoalNotification.topic)
    )
    found: dict[UUID, dict[str, datetime]] = {}
    for goal_id, topic, at in await session.execute(wanted if only is None else wanted.where(Goal.id == only)):
        found.setdefault(goal_id, {})[topic] = at
    return found


def _locked(org_id: OrganizationId, goal_id: UUID) -> Select[Goal]:
    return select(Goal).where(Goal.org_id == org_id, Goal.id == goal_id).with_for_update()
