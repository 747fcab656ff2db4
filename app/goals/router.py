"""Paths of goals."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.core.snapshots import AsOfInTheFuture
from app.goals import baselines, progress, schemas, service
from app.goals.problems import GoalActionNotPossible, GoalLocked, GoalNotFound, GoalNotYours, GoalOutdated
from app.goals.progress_schemas import Progress, ProgressQuery

router = APIRouter(prefix="/goals", route_class=TransactionalRoute, tags=["goals"])
standing = APIRouter(prefix="/goals", route_class=TransactionalRoute, tags=["goal-progress"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]
Writer = Annotated[Principal, requires(Permission.GOALS_WRITE)]
_CHANGE = problems(GoalNotFound, GoalNotYours, GoalActionNotPossible, GoalLocked, GoalOutdated, PreconditionFailed)


@router.get("", response_model=schemas.GoalPage)
async def list_goals(session: Session, who: Reader, query: Annotated[schemas.GoalFilters, Query()]) -> Response:
    """List goals, oldest first."""
    return Response(await service.list_goals(session, who, query), media_type="application/json")


@router.post("", status_code=201, responses=problems(GoalNotYours, QueryBudgetExceeded))
async def create_goal(
    session: Session, snapshots: Snapshots, who: Writer, new: schemas.GoalCreate, response: Response
) -> schemas.Goal:
    """Set a goal.

    A KPI to increase has a value to reach, one to decrease a value not to exceed, one to maintain a band. A `change` is
    computed once from what the KPI was over the baseline's days; baseline and target are frozen then.
    """
    goal = await service.create_goal(session, who, new, baseline=await baselines.of_new(snapshots, new))
    etags.tag(response, goal.version)
    return goal


@router.get("/{goal_id}", responses=problems(GoalNotFound))
async def get_goal(session: Session, who: Reader, goal_id: UUID, response: Response) -> schemas.Goal:
    """Read a goal with its present target."""
    goal = await service.get_goal(session, who, goal_id)
    etags.tag_shown(response, goal.version, goal.model_dump_json())
    return goal


@router.patch("/{goal_id}", responses=_CHANGE)
async def update_goal(
    session: Session,
    who: Writer,
    goal_id: UUID,
    change: schemas.GoalUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Change a goal's words or terms, open a draft, or cancel the goal.

    Other terms (weight, parent, counts, expected, ramp, milestones) are a revision, as another target is. What the goal
    has already changes nothing: neither version nor history grow, and a reason alone is not kept.
    """
    goal = await service.update_goal(session, who, goal_id, change, if_match)
    etags.tag(response, goal.version)
    return goal


@router.delete("/{goal_id}", status_code=204, responses=_CHANGE)
async def delete_goal(session: Session, who: Writer, goal_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Cancel a goal; it stays readable with the history of its target."""
    await service.delete_goal(session, who, goal_id, if_match)


@router.get("/{goal_id}/targets", responses=problems(GoalNotFound))
async def list_goal_targets(
    session: Session, who: Reader, goal_id: UUID, query: Annotated[schemas.TargetFilters, Query()]
) -> schemas.TargetRevisionPage:
    """List the revisions of a goal's target, oldest first: who changed it, when, why, old and new."""
    return await service.list_targets(session, who.org_id, goal_id, query)


@router.post(
    "/{goal_id}/targets",
    status_code=201,
    responses={
        200: {"model": schemas.TargetRevision, "description": "The goal has this target already: nothing changed."},
        **_CHANGE,
        **problems(QueryBudgetExceeded),
    },
)
async def change_goal_target(
    session: Session,
    snapshots: Snapshots,
    who: Writer,
    goal_id: UUID,
    change: schemas.TargetChange,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.TargetRevision:
    """Change a goal's target, with the reason; its other terms stay.

    The old target stays in the history, and in answers as of an earlier instant. The very target that the goal has
    changes nothing: the answer is 200 with the present revision, and its reason stays.
    """
    baseline = await baselines.of_change(snapshots, goal_id, change.target)
    revision, is_new = await service.change_target(session, who, goal_id, change, if_match, baseline=baseline)
    response.status_code = 201 if is_new else 200
    return revision


@standing.get(
    "/{goal_id}/progress",
    response_model=Progress,
    responses=problems(GoalNotFound, AsOfInTheFuture, QueryBudgetExceeded),
)
async def get_goal_progress(
    snapshots: Snapshots,
    who: Reader,
    goal_id: UUID,
    query: Annotated[ProgressQuery, Query()],
    response: Response,
) -> Response:
    """How a goal stands: actual, attainment, expected by now, pace and verdict; curve, milestones, contributions.

    Computed from the ledger when asked. Expected by now follows working time (weekends, holidays, part time, absences),
    whole days, or the course of earlier periods, as the goal says. `include` asks for less; with `none` it is the
    standing alone. Contributions and open deals are told to keys that may read results (`results:read`), null else.
    A closed goal answers as it was frozen at closing, unless asked as of an instant.
    """
    found = await progress.get_progress(snapshots, who, goal_id, query.as_of, query.include)
    etags.tag_computed(response, found)
    return Response(found.model_dump_json(), headers=response.headers, media_type="application/json")


@router.post("/{goal_id}/close", responses=_CHANGE | problems(QueryBudgetExceeded))
async def close_goal(
    session: Session,
    snapshots: Snapshots,
    who: Writer,
    goal_id: UUID,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Goal:
    """Close a goal after its period.

    Its progress is frozen with a digest; corrections that come later do not change it, and are told.
    """
    goal = await progress.close_goal(session, snapshots, who, goal_id, if_match)
    etags.tag(response, goal.version)
    return goal
