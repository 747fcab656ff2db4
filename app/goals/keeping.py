"""Stores new goals, one or many at once, and cancels goals: recorded, noted where it is a proposal, and told.

What may be stored was checked before; changes of goals that are there are made in `revising.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit
from app.goals import telling, tending, terms
from app.goals.deciding import note
from app.goals.models import Goal, GoalTarget
from app.goals.revising import enter


@dataclass(frozen=True)
class NewGoal:
    """A goal to be stored, with its state, and the columns of its first terms; `told` is what the audit keeps."""

    goal: Goal
    columns: terms.Columns
    told: Mapping[str, Any]


async def store(
    session: AsyncSession, who: Principal, new: Sequence[NewGoal], reason: str, at: datetime
) -> list[GoalTarget]:
    """Store new goals with their first terms, and have the organization's goals looked after."""
    for each in new:
        goal = each.goal
        goal.proposer_id = None if goal.state == "open" else who.member_id
        goal.created_at, goal.opened_at = at, at if goal.state == "open" else None
    session.add_all(each.goal for each in new)
    await session.flush()  # the terms refer to them
    found = [
        GoalTarget(
            org_id=who.org_id,
            goal_id=each.goal.id,
            recorded_at=at,
            reason=reason,
            changed_by=who.label,
            **each.columns,
        )
        for each in new
    ]
    session.add_all(found)
    await session.flush()  # answers show the stored rows
    for each in new:
        audit.record(session, who.org_id, who.label, "create", "goal", each.goal.id, dict(each.told))
        telling.publish(session, each.goal, "goal.created", {"state": each.goal.state}, at)
        if each.goal.state == "proposed":
            note(session, who, each.goal, "proposed", reason, at)
    await tending.begin(session, who.org_id)
    return found


def cancel(session: AsyncSession, who: Principal, goal: Goal, at: datetime, reason: str | None = None) -> None:
    """Cancel a goal: its targets and their history stay."""
    enter(goal, "cancelled", at)
    goal.version += 1
    told = None if reason is None else {"reason": reason}
    audit.record(session, who.org_id, who.label, "delete", "goal", goal.id, told)
    note(session, who, goal, "cancelled", reason or "", at)
