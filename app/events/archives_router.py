"""Paths of retention."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import ValidationFailed, problems
from app.core.routing import TransactionalRoute
from app.events import archives, archives_schemas

router = APIRouter(route_class=TransactionalRoute, prefix="/event-archives", tags=["events"])

Archivist = Annotated[Principal, requires(Permission.EVENTS_ARCHIVE)]

LINES = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {  # Any: a part of the OpenAPI document
    200: {
        "content": {
            LINES: {
                "schema": {
                    "type": "string",
                    "description": "A JSON document a line: a revision of an event, in the form of "
                    "`GET /v1/events/{event_id}/revisions`.",
                    "examples": [
                        '{"external_id": "deal-77-won", "source": "api", "version": 3, "revision": 1, '
                        '"type": "deal.won", "occurred_at": "2019-07-14T09:31:05Z"}\n'
                    ],
                }
            }
        },
        "description": "The archived revisions.",
    }
}


@router.post("", status_code=202, responses=problems(ValidationFailed))
async def create_event_archive(
    session: Session, who: Archivist, new: archives_schemas.EventArchiveCreate
) -> archives_schemas.EventArchive:
    """Archive or drop the events of past days.

    At once, figures that look at days before the date have no value (`not_retained`), for every `as_of`, and facts of
    those days are `rejected`; the events themselves leave the ledger bit by bit, while everything else goes on. Read
    the archive again to see how far it is. This cannot be undone.
    """
    return await archives.request_archive(session, who, new)


@router.get("")
async def list_event_archives(
    session: Session, who: Archivist, query: Annotated[PageQuery, Query()]
) -> archives_schemas.EventArchivePage:
    """List what was archived or dropped, the earliest days first."""
    return await archives.list_archives(session, who.org_id, query)


@router.get("/{archive_id}", responses=problems(archives.EventArchiveNotFound))
async def get_event_archive(
    session: Session, who: Archivist, archive_id: UUID, response: Response
) -> archives_schemas.EventArchive:
    """Read how far an archive is, and what it holds."""
    found, version = await archives.get_archive(session, who.org_id, archive_id)
    etags.tag(response, version)
    return found


@router.get(
    "/{archive_id}/events",
    response_class=StreamingResponse,
    responses=_LINES | problems(archives.EventArchiveNotFound, archives.EventArchiveNotReadable),
)
async def download_archived_events(
    session: Session,
    who: Archivist,
    archive_id: UUID,
    request: Request,
    query: Annotated[archives_schemas.ArchivedEventsQuery, Query()],
) -> StreamingResponse:
    """Download archived events.

    Every revision with its credits, as it stood when it left the ledger; one JSON document a line, by month. To post
    one again elsewhere, send the fields that `POST /v1/events` takes.
    """
    await archives.require_readable(session, who.org_id, archive_id)
    lines = archives.archived_lines(request.app.state.database.aside, who.org_id, archive_id, query.month)
    return StreamingResponse(lines, media_type=LINES, headers={"Cache-Control": "no-store"})
