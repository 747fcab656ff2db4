"""Paths of recurring goals."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Session, Snapshots
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.goals import series
from app.goals import series_schemas as wire
from app.goals.problems import GoalNotYours
from app.goals.router import Reader, Writer
from app.goals.series import GoalSeriesEnded, GoalSeriesNotFound

router = APIRouter(prefix="/goal-series", route_class=TransactionalRoute, tags=["goal-planning"])

_CHANGE = problems(GoalSeriesNotFound, GoalNotYours, GoalSeriesEnded, PreconditionFailed)


@router.get("")
async def list_goal_series(
    session: Session, who: Reader, query: Annotated[wire.GoalSeriesFilters, Query()]
) -> wire.GoalSeriesPage:
    """List recurring goals, oldest first."""
    return await series.list_series(session, who.org_id, query)


@router.post("", status_code=201, responses=problems(GoalNotYours, QueryBudgetExceeded))
async def create_goal_series(
    session: Session, snapshots: Snapshots, who: Writer, new: wire.GoalSeriesCreate, response: Response
) -> wire.GoalSeries:
    """Set up a recurring goal.

    The goal of each period is opened by itself, on its first day or some days before; those of periods that have begun
    at once. `GET /v1/goals?series_id=` lists them. Who may set goals of the owner may do this.
    """
    made = await series.create_series(session, snapshots, who, new)
    etags.tag(response, made.version)
    return made


@router.get("/{series_id}", responses=problems(GoalSeriesNotFound))
async def get_goal_series(session: Session, who: Reader, series_id: UUID, response: Response) -> wire.GoalSeries:
    """Read a recurring goal, with the period of which a goal is made next, and what keeps it from being made."""
    found = await series.get_series(session, who.org_id, series_id)
    etags.tag_shown(response, found.version, found.model_dump_json())
    return found


@router.patch("/{series_id}", responses=_CHANGE)
async def update_goal_series(
    session: Session,
    who: Writer,
    series_id: UUID,
    change: wire.GoalSeriesUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> wire.GoalSeries:
    """Change what the goals of later periods are made of.

    Goals that are open stay as they are.
    """
    changed = await series.update_series(session, who, series_id, change, if_match)
    etags.tag(response, changed.version)
    return changed


@router.delete("/{series_id}", status_code=204, responses=_CHANGE)
async def delete_goal_series(session: Session, who: Writer, series_id: UUID, if_match: etags.IfMatch = None) -> None:
    """End a recurring goal: no more goals are made, and those that are there stay."""
    await series.end_series(session, who, series_id, if_match)


@router.get("/{series_id}/next", responses=problems(GoalSeriesNotFound, GoalSeriesEnded, QueryBudgetExceeded))
async def preview_next_goal(snapshots: Snapshots, who: Reader, series_id: UUID) -> wire.NextGoal:
    """Preview the goal that would be made next, by what stands now: its days, and its target after growth."""
    return await series.preview_next(snapshots, series_id)
