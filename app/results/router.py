"""Paths of KPI results."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.problems import TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.snapshots import AsOfInTheFuture
from app.goals.targets import target_values
from app.kpis.engine import QueryTooLarge
from app.results import explanation, schemas, service

router = APIRouter(route_class=TransactionalRoute, prefix="/kpi-results", tags=["results"])

Reader = Annotated[Principal, requires(Permission.RESULTS_READ)]
ASKED = problems(ValidationFailed, AsOfInTheFuture, QueryTooLarge, TooExpensive)


@router.post("/query", responses=ASKED)
@read_only
async def query_kpi_results(
    who: Reader, snapshots: Snapshots, query: schemas.ResultQuery, request: Request, response: Response
) -> schemas.ResultAnswer:
    """Compute KPI results.

    One list of windows, one series for each KPI and subject; every value with its status. Computed from the
    ledger at this moment: exact and fresh. With `as_of` the answer is the one of that instant, and it never
    changes, whatever is recorded later.
    """
    limit = request.app.state.settings.max_result_cells
    answer = await service.query_results(snapshots, query, max_cells=limit, targets=target_values)
    content = answer.model_dump_json(exclude={"as_of", "known_at"})
    response.headers["ETag"] = etags.weak(content.encode())
    return answer


@router.post("/explain", responses=ASKED)
@read_only
async def explain_kpi_result(who: Reader, snapshots: Snapshots, query: schemas.ExplainQuery) -> schemas.Explanation:
    """Open a figure.

    Into its formula with the numbers put in, each measure's value, and the events that are in it (or that are
    not, each with the reason), page by page.
    """
    return await explanation.explain(snapshots, query)
