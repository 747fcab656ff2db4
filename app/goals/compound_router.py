"""Paths of compound goals."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, problems
from app.core.routing import TransactionalRoute
from app.core.snapshots import AsOfInTheFuture
from app.goals import compound
from app.goals import compound_schemas as schemas
from app.goals.problems import GoalNotFound, GoalNotYours
from app.goals.router import Writer

router = APIRouter(prefix="/goals", route_class=TransactionalRoute, tags=["goal-planning"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ, Permission.RESULTS_READ)]


@router.post("/compound", status_code=201, responses=problems(GoalNotYours, QueryBudgetExceeded))
async def create_compound_goal(
    session: Session, snapshots: Snapshots, who: Writer, new: schemas.CompoundCreate
) -> schemas.CompoundMade:
    """Set a goal and its parts.

    Such as: raise revenue by 10 % by winning 20 new customers and raising the average deal size by 15 %. All of them
    are set, or none. Whether the parts yield the whole is told by `GET /v1/goals/{goal_id}/compound`.
    """
    return await compound.create_compound(session, snapshots, who, new)


@router.get("/{goal_id}/compound", responses=problems(GoalNotFound, AsOfInTheFuture, TooExpensive, QueryBudgetExceeded))
async def check_compound_goal(
    who: Reader,
    snapshots: Snapshots,
    goal_id: UUID,
    query: Annotated[schemas.CompoundQuery, Query()],
    response: Response,
) -> schemas.CompoundCheck:
    """Check whether the parts yield the whole.

    What the formula gives of the parts' targets, against the whole's; how large each part alone would have to be to
    close a gap; whether the formula explains the past; and the same of the figures so far. KPIs of the formula that no
    part is about are taken as they were before.
    """
    found = await compound.check_compound(snapshots, goal_id, query.as_of)
    etags.tag_computed(response, found)
    return found
