"""Path of how many goals stand."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.core.snapshots import AsOfInTheFuture
from app.goals import standings
from app.goals.standings_schemas import ProgressFilters, ProgressPage

router = APIRouter(prefix="/goals/progress", route_class=TransactionalRoute, tags=["goal-progress"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]


@router.get("", response_model=ProgressPage, responses=problems(AsOfInTheFuture, QueryBudgetExceeded))
async def list_goal_progress(
    snapshots: Snapshots, who: Reader, query: Annotated[ProgressFilters, Query()], response: Response
) -> Response:
    """How many goals stand, oldest first: of each what its progress tells with `include=none`.

    The filters are those of the list of goals and look at what these are now, drafts and proposals among them. All are
    computed in one snapshot; closed goals answer as they were frozen, unless asked as of an instant. A goal whose KPI
    cannot be asked about any more is in `untold` and spoils no other.
    """
    found = await standings.list_standings(snapshots, query)
    etags.tag_computed_page(response, found)
    return Response(found.model_dump_json(), headers=response.headers, media_type="application/json")
