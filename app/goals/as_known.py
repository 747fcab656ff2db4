"""The state of a goal as it was known at an instant (S5)."""

from datetime import date, datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.goals.lifecycle import State, Stored, state_on
from app.goals.models import Goal, GoalDecision
from app.goals.service import period_of

_AFTER = {"proposed": "proposed", "declined": "draft", "withdrawn": "draft", "approved": "open"}


async def state_then(session: AsyncSession, goal: Goal, today: date, known_at: datetime | None) -> State:
    """The state by what had been recorded, None: now; `today` is the local day of the question."""
    stored = cast("Stored", goal.state) if known_at is None else await _stored_then(session, goal, known_at)
    return state_on(stored, period_of(goal), today)


async def _stored_then(session: AsyncSession, goal: Goal, known_at: datetime) -> Stored:
    frozen_at = (goal.closing or {}).get("frozen_at")
    if frozen_at is not None and datetime.fromisoformat(frozen_at) <= known_at:
        return "closed"
    if goal.cancelled_at is not None and goal.cancelled_at <= known_at:
        return "cancelled"
    if goal.opened_at is not None and goal.opened_at <= known_at:
        return "open"
    found = await session.execute(
        select(GoalDecision.action)
        .where(
            GoalDecision.org_id == goal.org_id,
            GoalDecision.goal_id == goal.id,
            GoalDecision.action.in_(sorted(_AFTER)),
            GoalDecision.decided_at <= known_at,
        )
        .order_by(GoalDecision.decided_at.desc(), GoalDecision.id.desc())
        .limit(1)
    )
    action = found.scalar_one_or_none()
    return "draft" if action is None else cast("Stored", _AFTER[action])
