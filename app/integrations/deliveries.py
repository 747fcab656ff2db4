"""Use cases of deliveries: taking them in, reading them, translating them again."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, jobs
from app.core.db import OrganizationId, Ready, to_json
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
    hook = await queries.HOOK.row(session, org_id=org_id, source_id=source_id)
    if hook is None:
        return REJECTED
    adapter, mapping = ADAPTERS[hook["system"]], _mapping(hook["mapping"])
    now: datetime = hook["now"].astimezone(UTC)
    address = hook["signed_url"] or hook_url(base_url, source_id)
    signed = RawRequest(request.method, address, request.headers, request.body)
    try:
        adapter.authenticate(signed, hook["secrets"] or [], now, mapping)
    except NotAuthentic:
        DELIVERIES.labels(hook["system"], "rejected").inc()
        return adapter.reject(signed)
    delivery_id = new_id()
    told = _told(adapter, mapping, request, now)
    await _STORE.rows(session, org_id_=org_id, id_=delivery_id, source_id_=source_id, received_at_=now, **told)
    if told["verdict_"] == "received":
        await jobs.enqueue(session, org_id, TRANSLATE, [{"delivery_id": str(delivery_id)}])
    DELIVERIES.labels(hook["system"], told["verdict_"]).inc()
    return adapter.acknowledge(signed)


_STORE = Ready(insert(Delivery).values({column.name: bindparam(f"{column.name}_") for column in Delivery.__table__.c}))


@lru_cache(maxsize=256)
def _mapping(configured: str) -> SourceMapping:
    """By the text of its configuration: read once, and not with each call."""
    return mapping_of(json.loads(configured), "UTC")


def _told(adapter: Adapter, mapping: SourceMapping, request: RawRequest, now: datetime) -> dict[str, Any]:
    """The columns of a delivery that come from the call, as parameters of `_STORE`."""
    told: dict[str, Any] = {
        "headers_": to_json(_kept(request.headers)),
        "digest_": hashlib.sha256(request.body).digest(),
        "size_": len(request.body),
        "items_": "[]",
    }
    try:
        redacted = adapter.redact(request.body, mapping)
    except Unparseable as problem:
        unread = {"body_": None, "raw_": request.body, "verdict_": "unparseable", "error_": str(problem)}
        return told | unread | {"processed_at_": now}
    body = None if redacted is None else to_json(redacted)
    return told | {"body_": body, "raw_": None, "verdict_": "received", "error_": None, "processed_at_": None}


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
