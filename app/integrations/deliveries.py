"""Use cases of deliveries: taking them in, reading them, translating them again."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, jobs
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import NotFound
from app.core.telemetry import DELIVERIES
from app.integrations import queries, schemas
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import Adapter, NotAuthentic, RawRequest, Reply, Unparseable
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.mapping import mapping_of
from app.integrations.models import Delivery
from app.integrations.service import find_source, hook_url
from app.integrations.translation import TRANSLATE

# What may be kept of a call's headers: nothing that proves anything.
KEPT_HEADERS = ("content-type", "user-agent", "x-hubspot-request-timestamp", "x-hubspot-signature-version")
REJECTED = Reply(401)


class DeliveryNotFound(NotFound):
    """The source has no such delivery."""

    code, title = "delivery-not-found", "Delivery not found"


async def receive(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, request: RawRequest, base_url: str
) -> Reply:
    """Store an authentic call and the job that translates it; gives the answer to its sender.

    The address of the request is replaced by the one that the source's signatures cover. What is not
    authentic is counted and not kept.
    """
    hook = (await session.execute(queries.hook(org_id, source_id))).one_or_none()
    if hook is None:
        return REJECTED
    adapter, mapping = ADAPTERS[hook.system], mapping_of(hook.mapping, "UTC")
    now: datetime = hook.now.astimezone(UTC)
    address = hook.signed_url or hook_url(base_url, source_id)
    signed = RawRequest(request.method, address, request.headers, request.body)
    try:
        adapter.authenticate(signed, hook.secrets, now, mapping)
    except NotAuthentic:
        DELIVERIES.labels(hook.system, "rejected").inc()
        return adapter.reject(signed)
    delivery = _delivery(org_id, source_id, adapter, mapping, request)
    delivery.received_at = now
    session.add(delivery)
    if delivery.verdict == "received":
        await jobs.enqueue(session, org_id, TRANSLATE, [{"delivery_id": str(delivery.id)}])
    else:
        delivery.processed_at = now
    DELIVERIES.labels(hook.system, delivery.verdict).inc()
    return adapter.acknowledge(signed)


def _delivery(
    org_id: OrganizationId,
    source_id: UUID,
    adapter: Adapter,
    mapping: SourceMapping,
    request: RawRequest,
) -> Delivery:
    delivery = Delivery(
        org_id=org_id,
        id=new_id(),
        source_id=source_id,
        headers=_kept(request.headers),
        digest=hashlib.sha256(request.body).digest(),
        size=len(request.body),
        verdict="received",
        items=[],
    )
    try:
        delivery.body = adapter.redact(request.body, mapping)
    except Unparseable as problem:
        delivery.raw, delivery.verdict, delivery.error = request.body, "unparseable", str(problem)
    return delivery


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    told = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    return {name: value.encode("ascii", "replace").decode()[:200].replace("\x00", "?") for name, value in told.items()}


async def list_deliveries(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, query: schemas.DeliveryQuery
) -> schemas.DeliveryPage:
    """The deliveries of a source, the newest first."""
    await find_source(session, org_id, source_id)
    wanted = queries.deliveries(org_id, source_id)
    if query.verdict is not None:
        wanted = wanted.where(Delivery.verdict == query.verdict)
    rows, following = await paginate(session, wanted, [Key(Delivery.id, descending=True)], query)
    return schemas.DeliveryPage(items=[_shown(row) for row in rows], next_cursor=following)


def _shown(delivery: Delivery) -> schemas.Delivery:
    return schemas.Delivery(
        id=delivery.id,
        source_id=delivery.source_id,
        received_at=delivery.received_at,
        verdict=delivery.verdict,
        error=delivery.error,
        size=delivery.size,
        digest=delivery.digest.hex(),
        processed_at=delivery.processed_at,
    )


async def get_delivery(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, delivery_id: UUID
) -> schemas.DeliveryDetail:
    """One delivery with what became of each message. Raises `DeliveryNotFound`."""
    delivery = await _find(session, org_id, source_id, delivery_id)
    return schemas.DeliveryDetail(
        **_shown(delivery).model_dump(), headers=delivery.headers, body=delivery.body, items=delivery.items
    )


async def _find(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, delivery_id: UUID, *, lock: bool = False
) -> Delivery:
    wanted = queries.deliveries(org_id, source_id).where(Delivery.id == delivery_id)
    found = (await session.execute(wanted.with_for_update() if lock else wanted)).scalar_one_or_none()
    if found is None:
        raise DeliveryNotFound(f"No delivery {delivery_id} of this source.")
    delivery: Delivery = found
    return delivery


async def replay(session: AsyncSession, who: Principal, source_id: UUID, delivery_id: UUID) -> schemas.DeliveryDetail:
    """Translate a delivery again; what it says is known already, so nothing is counted twice."""
    delivery = await _find(session, who.org_id, source_id, delivery_id, lock=True)
    delivery.verdict, delivery.error, delivery.processed_at = "received", None, None
    await jobs.enqueue(session, who.org_id, TRANSLATE, [{"delivery_id": str(delivery_id)}])
    audit.record(session, who.org_id, who.label, "replay", "delivery", delivery_id)
    await session.flush()  # the answer shows the stored row
    return await get_delivery(session, who.org_id, source_id, delivery_id)
