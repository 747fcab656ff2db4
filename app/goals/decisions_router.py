"""Paths of proposals, approvals and locks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Session, Snapshots
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.goals import baselines, decision_schemas, decisions, schemas
from app.goals.problems import GoalActionNotPossible, GoalLocked, GoalNotFound, GoalNotYours, GoalOutdated
from app.goals.router import Reader, Writer

router = APIRouter(prefix="/goals/{goal_id}", route_class=TransactionalRoute, tags=["goals"])

_DECISION = problems(GoalNotFound, GoalNotYours, GoalActionNotPossible, PreconditionFailed)
_OPENING = problems(GoalNotFound, GoalNotYours, GoalActionNotPossible, GoalOutdated, PreconditionFailed)
_LOCK = problems(GoalNotFound, GoalNotYours, GoalActionNotPossible, GoalLocked, PreconditionFailed)


@router.get("/decisions", responses=problems(GoalNotFound))
async def list_goal_decisions(
    session: Session, who: Reader, goal_id: UUID, query: Annotated[decision_schemas.DecisionFilters, Query()]
) -> decision_schemas.GoalDecisionPage:
    """List what was decided of a goal, oldest first: who proposed, approved, opened, locked it …, when and why."""
    return await decisions.list_decisions(session, who.org_id, goal_id, query)


@router.post("/propose", responses=_OPENING)
async def propose_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    response: Response,
    said: decision_schemas.Remark | None = None,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Propose a draft.

    Its author does, or who may set the goal. It counts nowhere before it is approved.
    """
    said = said or decision_schemas.Remark()
    goal = await decisions.decide(session, who, goal_id, "propose", said.reason, if_match)
    etags.tag(response, goal.version)
    return goal


@router.post("/approve", responses=_OPENING | problems(QueryBudgetExceeded))
async def approve_goal(
    session: Session,
    snapshots: Snapshots,
    who: Writer,
    goal_id: UUID,
    response: Response,
    said: decision_schemas.Approval | None = None,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Approve a proposal, as it is or with another target: the goal is open and counts from now on.

    Nobody approves what they proposed themselves, unless they may set the goal anyway.
    """
    said = said or decision_schemas.Approval()
    baseline = None if said.target is None else await baselines.of_change(snapshots, goal_id, said.target)
    goal = await decisions.decide(
        session, who, goal_id, "approve", said.reason, if_match, target=said.target, baseline=baseline
    )
    etags.tag(response, goal.version)
    return goal


@router.post("/decline", responses=_DECISION)
async def decline_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    said: decision_schemas.Reasoned,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Decline a proposal, with the reason. It is its author's draft again, to be changed and proposed anew."""
    goal = await decisions.decide(session, who, goal_id, "decline", said.reason, if_match)
    etags.tag(response, goal.version)
    return goal


@router.post("/withdraw", responses=_DECISION)
async def withdraw_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    response: Response,
    said: decision_schemas.Remark | None = None,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Take a proposal back: it is a draft again."""
    said = said or decision_schemas.Remark()
    goal = await decisions.decide(session, who, goal_id, "withdraw", said.reason, if_match)
    etags.tag(response, goal.version)
    return goal


@router.post("/lock", responses=_LOCK)
async def lock_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    said: decision_schemas.Reasoned,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Lock an open goal, with the reason.

    Words, target and terms stay as they are and it cannot be cancelled, whoever asks, until it is unlocked. It is
    closed after its period all the same.
    """
    goal = await decisions.decide(session, who, goal_id, "lock", said.reason, if_match)
    etags.tag(response, goal.version)
    return goal


@router.post("/unlock", responses=_DECISION)
async def unlock_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    said: decision_schemas.Reasoned,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Unlock a goal, with the reason."""
    goal = await decisions.decide(session, who, goal_id, "unlock", said.reason, if_match)
    etags.tag(response, goal.version)
    return goal
