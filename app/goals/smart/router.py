"""Paths of the SMART check."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.snapshots import AsOfInTheFuture
from app.goals.problems import GoalNotFound
from app.goals.smart import schemas, service

router = APIRouter(prefix="/goals", route_class=TransactionalRoute, tags=["goal-planning"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ, Permission.RESULTS_READ)]
_ASKED = TooExpensive, QueryBudgetExceeded


@router.post("/check", responses=problems(*_ASKED))
@read_only
async def check_goal_draft(who: Reader, snapshots: Snapshots, draft: schemas.GoalDraft) -> schemas.SmartCheck:
    """Check a goal before it is saved.

    Specific, measurable, achievable, relevant, time-bound: a verdict on each, with findings, the figures behind them
    and what to put instead. Whatever saving would refuse is a finding, too. Nothing is stored.
    """
    return await service.check_draft(snapshots, who, draft)


@router.get("/{goal_id}/check", responses=problems(GoalNotFound, AsOfInTheFuture, *_ASKED))
async def check_goal(
    who: Reader,
    snapshots: Snapshots,
    goal_id: UUID,
    query: Annotated[schemas.CheckQuery, Query()],
    response: Response,
) -> schemas.SmartCheck:
    """Check a goal.

    As a draft of the same content is checked, seen from the day on which the goal was set.
    """
    found = await service.check_goal(snapshots, goal_id, query.as_of)
    etags.tag_computed(response, found)
    return found
