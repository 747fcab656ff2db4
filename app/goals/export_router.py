"""Path of goals as a file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.goals import export

router = APIRouter(prefix="/goals/export", route_class=TransactionalRoute, tags=["goals"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]
CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_EXAMPLE = (
    "goal,version,name,description,member,team,kpi,period,first_day,last_day,amount\n"
    "01985e2c-7a52-7cc1-8a5e-6d2f3b9c4e10,1,July,,ada@example.com,,calls_made,2026-07,2026-07-01,2026-07-31,100\n"
)
_FILE = {
    CSV: {"schema": {"type": "string", "description": "A table with a header, in UTF-8.", "examples": [_EXAMPLE]}},
    XLSX: {"schema": {"type": "string", "format": "binary"}},
}


class _Sent(StreamingResponse):
    """A file that is closed when it was sent, also where the client goes away."""

    def __init__(self, made: export.Exported, *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(made.blocks(), media_type=media_type, headers=headers)
        self._file = made.file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


@router.get(
    "",
    response_class=StreamingResponse,
    responses=problems(QueryBudgetExceeded) | {200: {"description": "The file.", "content": _FILE}},
)
async def export_goals(
    snapshots: Snapshots,
    who: Reader,
    request: Request,
    response: Response,  # by which the document knows of the ETag
    query: Annotated[export.ExportQuery, Query()],
) -> Response:
    """Download goals as a CSV or XLSX that can be edited and imported again.

    The columns are those of `POST /v1/imports?kind=targets`: the file as it is changes nothing, and cells that are
    edited are the changes. Numbers are exact, those that a spreadsheet would round are text; no cell is a formula. With
    `with_progress` it also tells how each goal stands, which an import does not look at.
    """
    made = await export.export_goals(snapshots, query)
    etag = response.headers["ETag"] = etags.weak(made.digest)
    if etags.is_fresh(request.headers.get("if-none-match"), etag):
        made.file.close()
        return Response(status_code=304, headers={"ETag": etag})
    headers = {
        "Content-Disposition": f'attachment; filename="goals.{query.format}"',
        "Content-Length": str(made.size),
        "Cache-Control": "no-store",
        "ETag": etag,
    }
    return _Sent(made, media_type=CSV if query.format == "csv" else XLSX, headers=headers)
