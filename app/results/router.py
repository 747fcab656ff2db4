"""Paths of KPI results."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.settings import Settings
from app.core.snapshots import AsOfInTheFuture
from app.goals.targets import AIMS
from app.kpis.engine import QueryTooLarge
from app.results import schemas, service
from app.results.negotiation import NotAcceptable, accepted
from app.results.streaming import stream_results

router = APIRouter(route_class=TransactionalRoute, prefix="/kpi-results", tags=["results"])

Reader = Annotated[Principal, requires(Permission.RESULTS_READ)]
ASKED = problems(NotAcceptable, ValidationFailed, AsOfInTheFuture, QueryTooLarge, TooExpensive, QueryBudgetExceeded)
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "description": "A JSON document a line: first what holds for all (`as_of`, `known_at`, `windows` "
                    '…), then a row for each KPI, subject, group and window, last `{"rows": n}`, or `{"problem": {…}}` '
                    "where the rows end too early; without either the connection broke.",
                    "examples": [
                        '{"as_of": "2026-07-13T10:00:00Z", "known_at": "2026-07-13T10:00:00.000045Z", "windows": []}\n'
                        '{"kpi": "calls_made", "subject": {"type": "organization"}, "value": 2, "status": "ok"}\n'
                        '{"rows": 1}\n'
                    ],
                }
            },
            "text/csv": {
                "schema": {
                    "type": "string",
                    "description": "A table with a header; the same rows in UTF-8. Where they end too early, the "
                    "connection closes before the answer's last chunk.",
                    "examples": ["kpi,subject_type,window,value,status\ncalls_made,organization,2026-07,2,ok\n"],
                }
            },
        }
    }
}


@router.post("/query", response_model=schemas.ResultAnswer, responses=ASKED | STREAMED)
@read_only
async def query_kpi_results(
    who: Reader,
    snapshots: Snapshots,
    query: schemas.ResultQuery,
    request: Request,
    response: Response,
) -> Response:
    """Compute KPI results.

    One list of windows, one series for each KPI, subject and group; every value with its status. Computed from the
    ledger at this moment: exact and fresh. With `as_of` the answer is the one of that instant, and it never
    changes, whatever is recorded later. What is too large for one document is streamed row by row, from one snapshot,
    with `Accept: application/x-ndjson` or `text/csv`.
    """
    settings: Settings = request.app.state.settings
    media_type = accepted(request.headers.get("accept"))
    if media_type != "application/json":
        limit = settings.max_streamed_cells
        question = service.question_of(query)
        return await stream_results(snapshots, question, media_type=media_type, max_cells=limit, targets=AIMS.targets)
    answer = await service.query_results(snapshots, query, max_cells=settings.max_result_cells, aims=AIMS)
    response.headers["ETag"] = etags.weak(answer.lasting)
    response.headers["Vary"] = "Accept"
    return Response(answer.text, headers=dict(response.headers), media_type=media_type)
