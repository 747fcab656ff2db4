"""Paths of imports."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.problems import RequestTimeout, UnsupportedMediaType, ValidationFailed, problems
from app.core.routing import TransactionalRoute, remember, streams_body
from app.imports import schemas, service
from app.imports.columns import HeaderError
from app.imports.files import Taken, take_in
from app.imports.service import FileNotReadable, FileNotUnderstood, ImportNotFound
from app.imports.sheets import FileRefusedError
from app.imports.tables import Format, Inspected, Wanted, inspect

router = APIRouter(route_class=TransactionalRoute, prefix="/imports", tags=["imports"])

# Which kinds somebody may import, and see, is decided by what their rows are: see `permissions.py`.
Importer = Annotated[Principal, requires(Permission.ORGANIZATION_READ)]

CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_INSPECTIONS = asyncio.Semaphore(2)
"""Of this process at a time: the texts of a spreadsheet are in memory meanwhile."""
_FORMATS: dict[str, Format] = {CSV: "csv", XLSX: "xlsx"}
_EXAMPLE = (
    "external_id,type,occurred_at,actor_id,about.deal,amount,currency,properties.region\n"
    "deal-77-won,deal.won,2026-07-14T09:31:05Z,7421,D-77,1250.00,EUR,north\n"
    "call-1,call.made,2026-07-14T09:31:05,7421,,,,\n"
)
_TABLE = {"schema": {"type": "string", "description": "A table with a header, in UTF-8.", "examples": [_EXAMPLE]}}
_REPORT = {
    "schema": {
        "type": "string",
        "description": "The columns of the file and three more, in UTF-8.",
        "examples": [
            "external_id,type,occurred_at,problem_row,problem_column,problem\n"
            "call-2,call.made,tomorrow,3,occurred_at,occurred_at: 'tomorrow' is no date: write for example 2026-07-14\n"
        ],
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {CSV: _TABLE, XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_REFUSED = problems(FileNotReadable, FileNotUnderstood, RequestTimeout)


@router.get("")
async def list_imports(
    session: Session, who: Importer, query: Annotated[schemas.ImportsQuery, Query()]
) -> schemas.ImportPage:
    """List imports, the newest first."""
    return await service.list_imports(session, who, query)


@router.post("", status_code=202, openapi_extra=_BODY, responses=_REFUSED)
@streams_body
async def create_import(
    session: Session, who: Importer, request: Request, query: Annotated[schemas.ImportQuery, Query()]
) -> schemas.ImportDetail:
    """Import a file: CSV or XLSX, as the body itself.

    What the file is, and its columns, are looked at before it is taken: what cannot be read, and columns that nobody
    knows, are told at once. A job of the same id then looks through the rest of a long file, and takes its rows only
    where all of it can be read; a bad row never keeps the others back. Besides
    `organization:read` a key needs what it takes to write the rows one by one: `events:write` for events,
    `teams:write` for members and teams, `goals:write` for targets, `sources:write` for records.
    """
    await service.source_of(session, who, query)
    # No connection is held while the file comes in: that may take long.
    await request.state.transaction.end()
    taken = await take_in(request.stream())
    with taken.file:
        session = await request.state.transaction.open(who.org_id)
        await remember(request, session, who.org_id, who.key_id, taken.digest)
        await request.state.transaction.end()
        inspected = await _inspected(request, query, taken)
        session = await request.state.transaction.open(who.org_id)
        return await service.begin_import(session, who, query, taken, inspected)


@router.get("/columns")
async def get_import_columns(who: Importer, query: Annotated[schemas.ColumnsQuery, Query()]) -> schemas.ImportColumns:
    """Read which columns a kind of import has, what each says, and an example."""
    return service.columns_of(query.kind)


@router.get(
    "/template",
    response_class=Response,
    responses={200: {"description": "A CSV with a header and a row of examples.", "content": {CSV: _TABLE}}},
)
async def get_import_template(who: Importer, query: Annotated[schemas.ColumnsQuery, Query()]) -> Response:
    """Get a file to fill in: the header, and a row of examples."""
    headers = {"Content-Disposition": f'attachment; filename="{query.kind}.csv"'}
    return Response(service.template_of(query.kind), media_type=CSV, headers=headers)


@router.get("/{import_id}", responses=problems(ImportNotFound))
async def get_import(session: Session, who: Importer, import_id: UUID, response: Response) -> schemas.ImportDetail:
    """Read how an import goes: counts by outcome, progress, the first problems."""
    shown = await service.get_import(session, who, import_id)
    etags.tag(response, shown.version)
    return shown


@router.get(
    "/{import_id}/rejected",
    response_class=StreamingResponse,
    responses=problems(ImportNotFound)
    | {200: {"description": "The rejected rows, with three columns more.", "content": {CSV: _REPORT}}},
)
async def download_rejected_rows(
    session: Session, who: Importer, import_id: UUID, request: Request
) -> StreamingResponse:
    """Download the rows that were not taken.

    The columns of the file, and `problem_row`, `problem_column` and `problem`. Mend the cells and post it again as it
    is: the three columns are ignored. Dates are written as ISO 8601.
    """
    shown = await service.get_import(session, who, import_id)
    headers = {"Content-Disposition": 'attachment; filename="rejected.csv"', "Cache-Control": "no-store"}
    lines = service.rejected_rows(request.app.state.database, who, shown)
    return StreamingResponse(lines, media_type=CSV, headers=headers)


async def _inspected(request: Request, query: schemas.ImportQuery, taken: Taken) -> Inspected:
    """Look through the file, beside others that are served."""
    wanted = Wanted(
        kind=query.kind,
        format=_format(request, query.format),
        encoding=query.encoding,
        delimiter="\t" if query.delimiter == "tab" else query.delimiter,
        decimal=query.decimal,
        dates=query.dates,
        sheet=query.sheet,
        ignore_unknown=query.unknown_columns == "ignore",
    )
    try:
        async with _INSPECTIONS:
            return await run_in_threadpool(inspect, taken.file, wanted)
    except FileRefusedError as refused:
        raise FileNotReadable(str(refused)) from None
    except HeaderError as refused:
        raise FileNotUnderstood(str(refused)) from None


def _format(request: Request, told: Format | None) -> Format:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/octet-stream" and told is not None:
        return told
    if media_type not in _FORMATS:
        raise UnsupportedMediaType(f"A file is sent as {CSV} or {XLSX}.")
    if told not in {None, _FORMATS[media_type]}:
        raise ValidationFailed.at("?format", f"The body is sent as {media_type}, which is not {told}.", "format")
    return _FORMATS[media_type]
