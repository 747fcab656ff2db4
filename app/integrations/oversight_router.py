"""Paths by which people look after a source: what a change of its mapping would change, and how it is."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import ValidationFailed, problems
from app.core.routing import TransactionalRoute
from app.integrations import health, health_schemas, preview_schemas, previewing, service
from app.progress.schemas import Job

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
Previewer = Annotated[Principal, requires(Permission.EVENTS_READ, Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}", route_class=TransactionalRoute, tags=["integrations"])


@router.post("/mapping/preview", status_code=202, responses=problems(service.SourceNotFound, ValidationFailed))
async def start_mapping_preview(
    session: Session, who: Previewer, source_id: UUID, tried: preview_schemas.MappingPreviewCreate
) -> Job:
    """Preview a change of the mapping, as a job.

    All records are translated by it, and nothing of that is stored. The job's `counts` tell how many events would be
    created, corrected and retracted; which ones is read at `…/mapping/previews/{preview_id}`, with the id of the job.
    """
    return await previewing.ask(session, who, source_id, tried)


@router.get("/mapping/previews/{preview_id}", responses=problems(previewing.PreviewNotFound))
async def get_mapping_preview(
    session: Session, who: Previewer, source_id: UUID, preview_id: UUID
) -> preview_schemas.MappingPreview:
    """Read what a change of the mapping would change, by type of event and with examples."""
    return await previewing.get(session, who, source_id, preview_id)


@router.get("/health", responses=problems(service.SourceNotFound))
async def get_source_health(session: Session, who: SourceReader, source_id: UUID) -> health_schemas.Health:
    """Read how a source is.

    When it was last heard of and for how long it is usually silent, calls that failed their proof, could not be read or
    not be translated, what cannot be fetched, and whether its credentials work. What is wrong is told by notifications,
    too: `source.silent`, `source.signatures_failing`, `source.credentials_failing`, and `source.recovered`.
    """
    return await health.get_health(session, who.org_id, source_id)
