"""Paths of the cascade."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.snapshots import AsOfInTheFuture
from app.goals.cascade import schemas, service, tree
from app.goals.cascade.problems import SplitChanged, SplitNotPossible, SplitOvertaken
from app.goals.problems import GoalActionNotPossible, GoalLocked, GoalNotFound, GoalNotYours

router = APIRouter(prefix="/goals", route_class=TransactionalRoute, tags=["goal-planning"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]
Writer = Annotated[Principal, requires(Permission.GOALS_WRITE)]
_SPLIT = problems(GoalNotFound, SplitNotPossible, QueryBudgetExceeded)


@router.post("/{goal_id}/split/preview", responses=_SPLIT)
@read_only
async def preview_goal_split(
    snapshots: Snapshots, who: Reader, goal_id: UUID, wanted: schemas.SplitInput
) -> schemas.Split:
    """Preview how a goal would be split.

    To teams, members or shorter periods, by heads, full-time equivalents, weights, history or by hand. Parts are
    rounded to the KPI's precision and add up exactly; each says in words how it came about. Somebody who is in the
    team for a part of the period, or on long leave, weighs by working time. Goals that exist are changed, not doubled;
    locked ones keep their target. `mode: replan` plans the rest of a running period anew. Nothing is stored.
    """
    return await service.preview_split(snapshots, goal_id, wanted)


@router.post(
    "/{goal_id}/split",
    responses=_SPLIT
    | problems(
        SplitNotPossible,
        SplitOvertaken,
        GoalActionNotPossible,
        GoalLocked,
        GoalNotYours,
        PreconditionFailed,
        SplitChanged,
    ),
)
async def split_goal(
    session: Session,
    snapshots: Snapshots,
    who: Writer,
    goal_id: UUID,
    wanted: schemas.SplitApply,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Split:
    """Split a goal, all of it or nothing.

    As the preview shows; give its `digest` as `expect` to carry out exactly that one. New targets of goals that exist
    are revisions with the reason.
    """
    found = await service.apply_split(session, snapshots, who, goal_id, wanted, if_match)
    etags.tag(response, found.version)
    return found


@router.get(
    "/{goal_id}/cascade",
    response_model=schemas.Cascade,
    responses=problems(GoalNotFound, AsOfInTheFuture, QueryBudgetExceeded),
)
async def get_goal_cascade(
    snapshots: Snapshots,
    who: Reader,
    goal_id: UUID,
    query: Annotated[schemas.CascadeQuery, Query()],
    response: Response,
) -> Response:
    """Read the tree of goals below one, with gaps and over-assignment at each level.

    At each level the sum of the parts stands beside the target: a member's counts after absences and ramp, by working
    time in the team. It also tells who has no part, and whether a re-plan is due since somebody joined, left, or is
    absent for long.
    """
    found = await tree.get_cascade(snapshots, goal_id, query)
    text = found.model_dump_json()
    etags.tag_computed(response, found)
    return Response(text, headers=response.headers, media_type="application/json")
