"""Paths of the caller, its organization and its API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.accounts import schemas, service
from app.accounts.access import Caller, Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import clock, etags
from app.core.pagination import PageQuery
from app.core.problems import PermissionMissing, PreconditionFailed, problems
from app.core.routing import TransactionalRoute, returns_secrets

router = APIRouter(route_class=TransactionalRoute, tags=["accounts"])

OrganizationReader = Annotated[Principal, requires(Permission.ORGANIZATION_READ)]
OrganizationWriter = Annotated[Principal, requires(Permission.ORGANIZATION_WRITE)]
KeyWriter = Annotated[Principal, requires(Permission.API_KEYS_WRITE)]


@router.get("/me")
async def get_me(session: Session, who: Caller) -> schemas.Me:
    """Who am I?

    Tells the organization, the role and the permissions of the key that asks.
    """
    return schemas.Me(
        organization_id=who.org_id,
        key_id=who.key_id,
        key_name=who.key_name,
        role=who.role,
        permissions=sorted(who.permissions),
        member_id=who.member_id,
        now=await clock.now(session, who.org_id),
    )


@router.get("/organization")
async def get_organization(session: Session, who: OrganizationReader, response: Response) -> schemas.Organization:
    """Read the organization and its settings."""
    found = await service.get_organization(session, who.org_id)
    etags.tag(response, found.version)
    return found


@router.patch("/organization", responses=problems(PreconditionFailed))
async def update_organization(
    session: Session,
    who: OrganizationWriter,
    change: schemas.OrganizationUpdate,
    response: Response,
    if_match: etags.IfMatch = None,
) -> schemas.Organization:
    """Change the organization or its settings.

    A change of zone, week or currency changes all answers at once; answers as of an earlier instant keep
    the settings of that time.
    """
    changed = await service.update_organization(session, who, change, if_match)
    etags.tag(response, changed.version)
    return changed


@router.get("/organization/clock")
async def get_organization_clock(session: Session, who: OrganizationReader) -> schemas.Clock:
    """Read what time it is for the organization."""
    return await service.get_clock(session, who.org_id)


@router.put("/organization/clock", responses=problems(service.ManualClockOff))
async def set_organization_clock(
    session: Session, who: OrganizationWriter, new: schemas.ClockSet, request: Request
) -> schemas.Clock:
    """Set the organization's own clock, for tests and demonstrations.

    Only where the server's setting `manual_clock` allows it. Ledger, windows and the age of signatures read it.
    Set first of all, it takes the organization's beginning back with it.
    What is recorded keeps its order: set before the last recorded instant, the clock decides `as_of`, while
    new facts are recorded just after those that are there.
    """
    return await service.set_clock(session, who, new.now, allowed=request.app.state.settings.manual_clock)


@router.post("/api-keys", status_code=201, responses=problems(PermissionMissing))
@returns_secrets("token")
async def create_api_key(
    session: Session, who: KeyWriter, new: schemas.ApiKeyCreate, request: Request
) -> schemas.ApiKeyCreated:
    """Make an API key.

    It can do what is both in its scopes and in its role, and no more than its maker. The token is shown once.
    """
    return await service.create_api_key(request.app.state.database, session, who, new)


@router.get("/api-keys")
async def list_api_keys(session: Session, who: KeyWriter, query: Annotated[PageQuery, Query()]) -> schemas.ApiKeyPage:
    """List the API keys, without secrets."""
    return await service.list_api_keys(session, who.org_id, query)


@router.delete("/api-keys/{key_id}", status_code=204, responses=problems(service.ApiKeyNotFound))
async def revoke_api_key(session: Session, who: KeyWriter, key_id: UUID) -> None:
    """Revoke an API key, at once."""
    await service.revoke_api_key(session, who, key_id)
