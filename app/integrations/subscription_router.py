"""Paths of subscriptions: what a CRM posts because it was asked to by its API."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.pagination import PageQuery
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.core.sealing import EncryptionKeysMissing
from app.integrations import backfills, credentials, service, subscriptions
from app.integrations import subscription_schemas as shapes
from app.progress import schemas as job_schemas

SourceReader = Annotated[Principal, requires(Permission.SOURCES_READ)]
SourceWriter = Annotated[Principal, requires(Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}/subscriptions", route_class=TransactionalRoute, tags=["integrations"])
_REFUSED = (
    service.SourceNotFound,
    backfills.SourceArchived,
    credentials.SystemNotAsked,
    credentials.CredentialsMissing,
    subscriptions.SubscriptionsNotOffered,
    subscriptions.SubscriptionsChanging,
)


@router.post("", status_code=202, responses=problems(*_REFUSED, service.TooManySecrets, EncryptionKeysMissing))
async def create_source_subscriptions(
    session: Session, who: SourceWriter, source_id: UUID, request: Request
) -> job_schemas.Job:
    """Have the CRM post its changes, as a job: its webhooks are made through its API.

    They are proved by a secret made for them, which is added to the source's. Those that the CRM ends after a while are
    renewed. Made again, what is there stays.
    """
    base_url = str(request.app.state.settings.public_base_url)
    return await subscriptions.subscribe(session, who, source_id, base_url)


@router.get("", responses=problems(service.SourceNotFound))
async def list_source_subscriptions(
    session: Session, who: SourceReader, source_id: UUID, query: Annotated[PageQuery, Query()]
) -> shapes.SubscriptionPage:
    """List what the CRM posts because it was asked to, and whether it could be renewed."""
    return await subscriptions.list_subscriptions(session, who.org_id, source_id, query)


@router.delete("", status_code=202, responses=problems(*_REFUSED))
async def end_source_subscriptions(session: Session, who: SourceWriter, source_id: UUID) -> job_schemas.Job:
    """End what the CRM posts because it was asked to, as a job; the secrets made for it are retired."""
    return await subscriptions.unsubscribe(session, who, source_id)
