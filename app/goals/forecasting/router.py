"""Paths of forecasts and of their track record."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.snapshots import AsOfInTheFuture
from app.goals.forecasting import backtesting, schemas, service
from app.goals.problems import GoalNotFound

router = APIRouter(route_class=TransactionalRoute, tags=["goal-forecasts"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ, Permission.RESULTS_READ)]
ASKED = problems(ValidationFailed, AsOfInTheFuture, TooExpensive, QueryBudgetExceeded)


@router.post("/goal-forecasts/query", responses=ASKED)
@read_only
async def query_goal_forecast(
    who: Reader, snapshots: Snapshots, query: schemas.ForecastQuery
) -> schemas.ForecastAnswer:
    """Forecast a KPI.

    Where it will end for an owner and a period, with the range that holds in 80 % of cases and the probability of a
    target; no goal is needed. Too little history gives `unknown`, with the reason.
    """
    return await service.query_forecast(snapshots, query)


@router.post("/goal-forecasts/backtest", responses=ASKED)
@read_only
async def backtest_goal_forecasts(who: Reader, snapshots: Snapshots, query: schemas.BacktestQuery) -> schemas.Backtest:
    """Test forecasts on the past.

    Forecasts as they would have been made inside the organization's own closed periods: how often the 80 % range held,
    and how far off they were beside linear pace and the year before.
    """
    return await backtesting.backtest(snapshots, query)


@router.get("/goals/{goal_id}/forecast-track-record", responses=problems(GoalNotFound) | ASKED)
async def get_forecast_track_record(
    who: Reader,
    snapshots: Snapshots,
    goal_id: UUID,
    query: Annotated[schemas.RecordQuery, Query()],
    response: Response,
) -> schemas.Backtest:
    """The track record of a goal's forecasts.

    The same test for the goal's KPI and owner, on the closed periods before the goal's own.
    """
    found = await backtesting.track_record(snapshots, goal_id, query)
    etags.tag_computed(response, found)
    return found
