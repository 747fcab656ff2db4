"""Paths of the credentials with which a source's system is asked."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Request

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import problems
from app.core.routing import TransactionalRoute, read_only
from app.core.sealing import EncryptionKeysMissing
from app.integrations import credential_schemas as schemas
from app.integrations import credentials, service

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourceWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}/credentials", route_class=TransactionalRoute, tags=["integrations"])


@router.put("", responses=problems(service.SourceNotFound, credentials.SystemNotAsked, EncryptionKeysMissing))
async def put_source_credentials(
    session: Session, who: SourceWriter, source_id: UUID, given: Annotated[schemas.AnyCredentials, Body()]
) -> schemas.Credentials:
    """Give the credentials with which the source's system is asked.

    They replace those there were, are kept encrypted and never shown. What messages only named, and records that are
    incomplete, are fetched by them from now on. Ask `…/credentials/check` whether they hold.
    """
    return await credentials.put(session, who, source_id, given)


@router.get("", responses=problems(service.SourceNotFound))
async def get_source_credentials(session: Session, who: SourceReader, source_id: UUID) -> schemas.Credentials:
    """Read which credentials there are, and whether they work; never themselves."""
    return await credentials.get(session, who.org_id, source_id)


@router.delete("", status_code=204, responses=problems(service.SourceNotFound))
async def delete_source_credentials(session: Session, who: SourceWriter, source_id: UUID) -> None:
    """Forget the credentials: nothing is fetched any more."""
    await credentials.remove(session, who, source_id)


@router.post(
    "/check",
    responses=problems(service.SourceNotFound, credentials.SystemNotAsked),
)
@read_only
async def check_source_credentials(request: Request, who: SourceWriter, source_id: UUID) -> schemas.CredentialsCheck:
    """Try the credentials.

    The system is asked something harmless, for 20 seconds at most; what is wrong is told in words.
    """
    await request.state.transaction.end()  # none is open while others are asked
    state = request.app.state
    return await credentials.check(state.database, state.outside, who.org_id, source_id)
