"""Use cases of deliveries: taking them in, reading them, translating them again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, jobs
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import NotFound
from app.core.sealing import CannotOpen, Keyring, keyring_of
from app.core.telemetry import DELIVERIES, log
from app.events.bulk import Insertion
from app.integrations import queries, schemas, sealed
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import REJECTED, Adapter, NotAuthentic, RawRequest, Reply, Unparseable
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.mapping import mapping_of
from app.integrations.models import Delivery
from app.integrations.rejections import Rejections
from app.integrations.rejections import write as write_rejections
from app.integrations.service import find_source, hook_url
from app.integrations.translation import TRANSLATE

# What may be kept of a call's headers, beside the adapter's own: nothing that proves anything.
KEPT_HEADERS = ("content-type", "user-agent")


class DeliveryNotFound(NotFound):
    """The source has no such delivery."""

    code, title = "delivery-not-found", "Delivery not found"


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook call as it came, and to which source."""

    source_id: UUID
    request: RawRequest


async def receive(
    session: AsyncSession, org_id: OrganizationId, calls: Sequence[Call], base_url: str, rejections: Rejections
) -> list[Reply]:
    """Store the authentic ones of these calls and the jobs that translate them; gives the answer to each sender.

    The address of a request is replaced by the one that the source's signatures cover. What is not
    authentic is counted and not kept.
    """
    sources = dict.fromkeys(call.source_id for call in calls)
    hooks = {each: await queries.HOOK.row(session, org_id=org_id, source_id=each) for each in sources}
    rows: list[dict[str, Any]] = []  # Any: values of columns
    keyring = keyring_of(session)
    replies = [_read(org_id, call, hooks[call.source_id], keyring, base_url, rows, rejections) for call in calls]
    at = next((hook["now"].astimezone(UTC) for hook in hooks.values() if hook is not None), None)
    if at is not None and (refused := rejections.take(org_id)):
        await write_rejections(session, org_id, refused, at)
    await _STORED.run(session, _STORED.columns(rows), org_id=org_id)
    received = [{"delivery_id": str(row["id"])} for row in rows if row["verdict"] == "received"]
    await jobs.enqueue(session, org_id, TRANSLATE, received)
    return replies


_STORED = Insertion(
    Delivery,
    same=("org_id",),
    mostly=("source_id", "received_at", "origin", "raw", "verdict", "error", "items", "processed_at"),
)


# Any: a row of the database, and rows for it.
def _read(
    org_id: OrganizationId,
    call: Call,
    hook: Any | None,
    keyring: Keyring,
    base_url: str,
    rows: list[dict[str, Any]],
    rejections: Rejections,
) -> Reply:
    """The answer to a call; one that is authentic is added to the rows to be stored, and others are counted."""
    if hook is None:
        return REJECTED
    secrets = _secrets(keyring, org_id, call.source_id, hook)
    if secrets is None:
        return Reply(503)  # and not 'rejected': the sender is to try again
    adapter, mapping = ADAPTERS[hook["system"]], _mapping(hook["system"], hook["mapping"])
    now: datetime = hook["now"].astimezone(UTC)
    signed = replace(call.request, url=hook["signed_url"] or hook_url(base_url, call.source_id))
    try:
        adapter.authenticate(signed, secrets, now, mapping)
    except NotAuthentic:
        DELIVERIES.labels(hook["system"], "rejected").inc()
        rejections.count(org_id, call.source_id)
        return adapter.reject(signed)
    row = {"id": new_id(), "source_id": call.source_id, "received_at": now}
    row |= columns_of(adapter, mapping, signed, secrets, now)
    rows.append(row)
    DELIVERIES.labels(hook["system"], row["verdict"]).inc()
    return adapter.acknowledge(signed, secrets, now)


async def answer_challenge(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, request: RawRequest
) -> Reply | None:
    """The answer to a GET or OPTIONS by which a system asks whether somebody is here; None where none is due."""
    hook = await queries.HOOK.row(session, org_id=org_id, source_id=source_id)
    if hook is None or (secrets := _secrets(keyring_of(session), org_id, source_id, hook)) is None:
        return None
    return ADAPTERS[hook["system"]].handshake(request, secrets)


def _secrets(keyring: Keyring, org_id: OrganizationId, source_id: UUID, hook: Any) -> Sequence[str] | None:
    """The active secrets; None where the server has lost the key for them."""
    try:
        return sealed.opened(keyring, org_id, source_id, sealed.SECRET, hook["secrets"] or ())
    except CannotOpen as error:
        log.error("secret-does-not-open", org_id=str(org_id), source_id=str(source_id), reason=str(error))
        return None


@lru_cache(maxsize=256)
def _mapping(system: str, configured: str) -> SourceMapping:
    """By the text of its configuration: read once, and not with each call."""
    return mapping_of(json.loads(configured), ADAPTERS[system].defaults, "UTC")


def columns_of(
    adapter: Adapter, mapping: SourceMapping, request: RawRequest, secrets: Sequence[str], now: datetime
) -> dict[str, Any]:
    """The columns of a delivery that come from a call."""
    told: dict[str, Any] = {
        "origin": "webhook",
        "headers": _kept(request.headers, adapter),
        "digest": hashlib.sha256(request.body).digest(),
        "size": len(request.body),
        "items": [],
    }
    try:
        body = adapter.redact(request, secrets, mapping)
    except Unparseable as problem:
        raw = adapter.scrub(request.body)
        unread = {"body": None, "raw": raw, "verdict": "unparseable", "error": str(problem)}
        return told | unread | {"processed_at": now}
    return told | {"body": body, "raw": None, "verdict": "received", "error": None, "processed_at": None}


def _kept(headers: Mapping[str, str], adapter: Adapter) -> dict[str, str]:
    told = {name: headers[name] for name in (*KEPT_HEADERS, *adapter.headers) if name in headers}
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
        origin=delivery.origin,
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
