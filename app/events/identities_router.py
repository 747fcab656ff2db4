"""Paths that read identities with their number of events; `app.teams` has those that change them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.events import identities
from app.teams.lookups import IdentityNotFound

router = APIRouter(prefix="/identities", route_class=TransactionalRoute, tags=["teams"])

Reader = Annotated[Principal, requires(Permission.TEAMS_READ)]


@router.get("")
async def list_identities(
    session: Session, who: Reader, query: Annotated[identities.IdentitiesQuery, Query()]
) -> identities.CountedIdentityPage:
    """List identities, each with the number of events that credit it.

    With `mapped=false` those that stand for no member yet: their events are *unassigned* until they are mapped (S8).
    """
    return await identities.list_identities(session, who.org_id, query)


@router.get("/{identity_id}", responses=problems(IdentityNotFound))
async def get_identity(session: Session, who: Reader, identity_id: UUID) -> identities.CountedIdentity:
    """Read an identity, with the number of events that credit it."""
    return await identities.show_identity(session, who.org_id, identity_id)
