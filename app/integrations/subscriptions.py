"""Use cases of subscriptions: having a CRM post by its API, ending that, and reading how it stands."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import audit, errands
from app.core.clock import database_now
from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict
from app.events.sources import Source
from app.integrations import credentials, queries, schemas, service
from app.integrations import subscription_schemas as shapes
from app.integrations.backfills import SourceArchived
from app.integrations.clients import CLIENTS
from app.integrations.clients.base import Client
from app.integrations.models import SourceSubscription
from app.progress import schemas as job_schemas
from app.progress import service as long_jobs
from app.progress.models import LongJob

SUBSCRIBE, UNSUBSCRIBE, RENEW = "subscribe", "unsubscribe", "renew-subscriptions"


class SubscriptionsNotOffered(Conflict):
    """The CRM lets nobody subscribe by its API: make the webhook in the CRM itself, as its guide says."""

    code, title = "subscriptions-not-offered", "Subscriptions not offered"


class SubscriptionsChanging(Conflict):
    """The source's subscriptions are being made or ended already: wait for that job's end."""

    code, title = "subscriptions-changing", "Subscriptions changing"


def is_offered(system: str) -> bool:
    """Whether subscriptions can be made by the system's API."""
    return system in CLIENTS and CLIENTS[system].subscribe is not Client.subscribe


async def subscribe(session: AsyncSession, who: Principal, source_id: UUID, base_url: str) -> job_schemas.Job:
    """Have the CRM post all that is kept to the source's address, proved by a secret made for it, as a job.

    Raises `SourceArchived`, `SystemNotAsked`, `SubscriptionsNotOffered`, `CredentialsMissing`,
    `SubscriptionsChanging`, `TooManySecrets`.
    """
    source = await _require(session, who, source_id)
    _, connection, _ = await service.find_source(session, who.org_id, source_id)
    url = (connection.signed_url if connection else None) or service.hook_url(base_url, source_id)
    secret_id = await _secret(session, who, source)
    return await _begin(session, who, source, SUBSCRIBE, {"url": url, "secret_id": str(secret_id)})


async def unsubscribe(session: AsyncSession, who: Principal, source_id: UUID) -> job_schemas.Job:
    """End all that was subscribed to, and retire the secrets made for it, as a job. Raises as `subscribe`."""
    return await _begin(session, who, await _require(session, who, source_id), UNSUBSCRIBE, {})


async def _require(session: AsyncSession, who: Principal, source_id: UUID) -> Source:
    source, _, _ = await service.find_source(session, who.org_id, source_id, lock=True)
    if source.archived_at is not None:
        raise SourceArchived(f"The source {source.key} is archived.")
    if source.system in CLIENTS and not is_offered(source.system):
        raise SubscriptionsNotOffered(
            f"{source.system} lets nobody subscribe by its API: make the webhook in {source.system} itself, give it "
            "the source's webhook_url, and add its secret to the source. The guide of the system says how."
        )
    await credentials.require(session, who.org_id, source_id)
    job = LongJob
    found = await session.execute(
        select(job.id).where(
            job.org_id == who.org_id,
            job.kind.in_((SUBSCRIBE, UNSUBSCRIBE)),
            job.state.not_in(sorted(long_jobs.ENDED)),
            job.subject["id"].astext == str(source_id),
        )
    )
    if (running := found.scalars().first()) is not None:
        raise SubscriptionsChanging(f"The job {running} is at it already.")
    return source


async def _secret(session: AsyncSession, who: Principal, source: Source) -> UUID:
    """The secret of the subscriptions there are, else a new one."""
    active = (await session.execute(queries.active_secrets(who.org_id, [source.id]))).scalars().all()
    used = {row.secret_id for row in await of_source(session, who.org_id, source.id)}
    usable: list[UUID] = [secret.id for secret in active if secret.id in used]
    if usable:
        return usable[0]
    new = schemas.SourceSecretCreate(secret=CLIENTS[source.system].new_secret())
    return (await service.add_secret(session, who, source.id, new)).id


async def _begin(
    session: AsyncSession, who: Principal, source: Source, kind: str, payload: dict[str, str]
) -> job_schemas.Job:
    job_id = await long_jobs.begin(
        session,
        who.org_id,
        kind=kind,
        subject={"type": "source", "id": str(source.id), "name": source.name},
        permission=Permission.SOURCES_WRITE,
        created_by=who.label,
    )
    await errands.want(
        session, who.org_id, kind, job_id, {"source_id": str(source.id), "job_id": str(job_id), **payload}
    )
    audit.record(session, who.org_id, who.label, kind, "source", source.id, {})
    return await long_jobs.get_job(session, who, job_id)


async def list_subscriptions(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, query: PageQuery
) -> shapes.SubscriptionPage:
    """What the CRM posts because it was asked to. Raises `SourceNotFound`."""
    await service.find_source(session, org_id, source_id)
    row = SourceSubscription
    wanted = select(row).where(row.org_id == org_id, row.source_id == source_id)
    rows, following = await paginate(session, wanted, [Key(row.external_id)], query)
    now = await database_now(session)
    return shapes.SubscriptionPage(items=[_shown(each, now) for each in rows], next_cursor=following)


def _shown(row: SourceSubscription, now: datetime) -> shapes.Subscription:
    names = ("about", "ends_at", "created_at", "renewed_at", "try_at", "last_error")
    told = {name: getattr(row, name) for name in names}
    return shapes.Subscription(id=row.external_id, state=state_at(row, now), **told)


def state_at(row: SourceSubscription, now: datetime) -> str:
    """How it stands; its end needs nobody to note it."""
    return "expired" if row.ends_at is not None and row.ends_at <= now else row.state


async def of_source(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, *, lock: bool = False
) -> Sequence[SourceSubscription]:
    """All subscriptions of a source, in order."""
    row = SourceSubscription
    wanted = select(row).where(row.org_id == org_id, row.source_id == source_id).order_by(row.external_id)
    found = await session.execute(wanted.with_for_update() if lock else wanted)
    return found.scalars().all()


async def states(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> list[str]:
    """How each subscription of a source stands."""
    now = await database_now(session)
    return [state_at(row, now) for row in await of_source(session, org_id, source_id)]
