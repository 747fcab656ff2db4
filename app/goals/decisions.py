"""Use cases of proposals and locks: propose, approve, decline, withdraw, lock, unlock."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.goals import decision_schemas, queries, schemas
from app.goals.deciding import note, require, rights_of
from app.goals.lifecycle import Action
from app.goals.models import Goal, GoalDecision
from app.goals.service import change_target, find_goal, shown, today_of

_DECIDED: Mapping[Action, decision_schemas.Decided] = {
    "propose": "proposed",
    "approve": "approved",
    "decline": "declined",
    "withdraw": "withdrawn",
    "lock": "locked",
    "unlock": "unlocked",
}


async def decide(
    session: AsyncSession,
    who: Principal,
    goal_id: UUID,
    action: Action,
    reason: str,
    if_match: str | None,
    *,
    target: schemas.TargetInput | None = None,
    baseline: schemas.Baseline | None = None,
) -> schemas.Goal:
    """Propose, approve, decline, withdraw, lock or unlock a goal, and keep who did it, when and why.

    An approved goal is open and counts from now on; one that is declined or withdrawn is a draft again. `target` is
    what is approved instead of what was proposed, a relative one with its `baseline`. Raises `GoalActionNotPossible`,
    `GoalLocked`, `GoalNotYours`, `GoalOutdated`.
    """
    at = await clock.tick(session, who.org_id)
    goal, _ = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    today = await today_of(session, who.org_id)
    await require(session, who, goal, action, today)
    if target is not None:
        change = schemas.TargetChange(target=target, reason=reason)
        await change_target(session, who, goal_id, change, None, baseline=baseline)
    _enter(goal, who, action, at)
    goal.version += 1
    decision = note(session, who, goal, _DECIDED[action], reason, at)
    audit.record(session, who.org_id, who.label, action, "goal", goal_id, {"reason": decision.reason})
    await session.flush()  # the answer shows the stored row
    goal, terms = await find_goal(session, who.org_id, goal_id)
    return shown(goal, terms, today, await rights_of(session, who))


async def list_decisions(
    session: AsyncSession, org_id: OrganizationId, goal_id: UUID, query: decision_schemas.DecisionFilters
) -> decision_schemas.GoalDecisionPage:
    """What was decided of a goal, oldest first."""
    await find_goal(session, org_id, goal_id)
    every = queries.decisions(org_id, goal_id)
    rows, following = await paginate(session, every, [Key(GoalDecision.decided_at), Key(GoalDecision.id)], query)
    items = [decision_schemas.GoalDecision.model_validate(row) for row in rows]
    return decision_schemas.GoalDecisionPage(items=items, next_cursor=following)


def _enter(goal: Goal, who: Principal, action: Action, at: datetime) -> None:
    if action == "propose":
        goal.state, goal.proposer_id = "proposed", who.member_id
    elif action == "approve":
        goal.state, goal.opened_at = "open", at
    elif action in {"decline", "withdraw"}:
        goal.state = "draft"
    else:
        goal.locked_at = at if action == "lock" else None
