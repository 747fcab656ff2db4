"""Paths of what a source's own settings tell: stages by name, and who owns records."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.integrations import checking, checklist_schemas, credentials, service, source_directory
from app.integrations import directory_schemas as schemas
from app.progress import schemas as job_schemas

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourceWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}", route_class=TransactionalRoute, tags=["integrations"])


@router.post(
    "/directory",
    status_code=202,
    responses=problems(service.SourceNotFound, credentials.SystemNotAsked, credentials.CredentialsMissing),
)
async def fetch_source_directory(session: Session, who: SourceWriter, source_id: UUID) -> job_schemas.Job:
    """Fetch owners, stages and currencies from the CRM, as a job.

    Owners become identities with names and addresses, queues and teams set apart; stages and currencies get their
    names. Then ask for identity suggestions, and for the checklist.
    """
    return await source_directory.fetch(session, who, source_id)


@router.get("/checklist", responses=problems(service.SourceNotFound))
async def get_source_checklist(session: Session, who: SourceReader, source_id: UUID) -> checklist_schemas.Checklist:
    """Read what is missing before the source's figures can be trusted.

    Secret, calls, credentials, people, stages, and what its latest events lack: owners, amounts, currencies, durations.
    """
    return await checking.check(session, who.org_id, source_id)


@router.get("/stages", responses=problems(service.SourceNotFound))
async def get_source_stages(session: Session, who: SourceReader, source_id: UUID) -> schemas.StageList:
    """Read the stages of a source by name, each with what the CRM takes it for and what it counts as."""
    return await source_directory.list_stages(session, who.org_id, source_id)


@router.put("/stages", responses=problems(service.SourceNotFound))
async def replace_source_stages(
    session: Session, who: SourceWriter, source_id: UUID, told: schemas.StagesReplace
) -> schemas.StageList:
    """Tell the stages of a source, where they cannot be fetched; they replace those there were."""
    return await source_directory.replace_stages(session, who, source_id, told)


@router.post("/people", responses=problems(service.SourceNotFound))
async def tell_source_people(
    session: Session, who: SourceWriter, source_id: UUID, told: schemas.PeopleTold
) -> schemas.PeopleKnown:
    """Tell who owns records in a source, where that cannot be fetched.

    Each becomes an identity, or gets the name, address and kind that are told.
    """
    return await source_directory.tell_people(session, who, source_id, told)
