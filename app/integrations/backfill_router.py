"""Paths of backfills and what they found."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.pagination import PageQuery
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.integrations import backfill_schemas as schemas
from app.integrations import backfills, credentials, service
from app.progress import schemas as job_schemas

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourceWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}/backfills", route_class=TransactionalRoute, tags=["integrations"])


@router.post(
    "",
    status_code=202,
    responses=problems(
        service.SourceNotFound,
        credentials.SystemNotAsked,
        credentials.CredentialsMissing,
        backfills.SourceArchived,
        backfills.BackfillRunning,
    ),
)
async def start_backfill(
    session: Session, who: SourceWriter, source_id: UUID, new: schemas.BackfillCreate
) -> job_schemas.Job:
    """Read years of the CRM, or find out what its webhooks lost, as a job.

    What the CRM tells is compared with what is known, then taken in with the CRM's own times, as if its webhooks had
    come: what is known already changes nothing. One backfill of a source runs at a time.
    """
    return await backfills.start(session, who, source_id, new)


@router.get("", responses=problems(service.SourceNotFound))
async def list_backfills(
    session: Session, who: SourceReader, source_id: UUID, query: Annotated[PageQuery, Query()]
) -> schemas.BackfillPage:
    """List the backfills of a source, the newest first."""
    return await backfills.list_backfills(session, who.org_id, source_id, query)


@router.get("/{backfill_id}", responses=problems(backfills.BackfillNotFound))
async def get_backfill(session: Session, who: SourceReader, source_id: UUID, backfill_id: UUID) -> schemas.Backfill:
    """Read how far a backfill is, and how much it found, by kind of objects."""
    return await backfills.get_backfill(session, who.org_id, source_id, backfill_id)


@router.get("/{backfill_id}/differences", responses=problems(backfills.BackfillNotFound))
async def list_backfill_differences(
    session: Session,
    who: SourceReader,
    source_id: UUID,
    backfill_id: UUID,
    query: Annotated[schemas.DifferencesQuery, Query()],
) -> schemas.DifferencePage:
    """List what the CRM told otherwise than it was known: what webhooks lost, field by field."""
    return await backfills.list_differences(session, who.org_id, source_id, backfill_id, query)
