"""Passes over the stored deliveries of a source, some at a time: to learn more from them, or to forget."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.db import OrganizationId
from app.events.bulk import among
from app.integrations import translation
from app.integrations.models import Delivery
from app.integrations.translation import FORGET, REFOLD, TRANSLATE

RETELL = "retell-deliveries"
# Of one transaction: so many deliveries, or as many as came in so many bytes.
DELIVERIES, BYTES = 500, 4_000_000


async def retell(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Learn from deliveries what a mapping reads that read less when they came; then translate all records.

    The job hands the rest over to its successor, and the last one to `REFOLD`, so that every event is
    revised once, by all that is known. Deliveries that wait to be translated are left to their own jobs.
    """
    for work in works:
        source_id = UUID(work.payload["source_id"])
        deliveries = await _following(session, org_id, work.payload)
        if not deliveries:
            await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id)}])
            continue
        failed = [each for each in deliveries if each.processed_at is not None and each.verdict == "failed"]
        await jobs.enqueue(session, org_id, TRANSLATE, [{"delivery_id": str(each.id)} for each in failed])
        translated = [each for each in deliveries if each.processed_at is not None and each.verdict != "failed"]
        source, read, at = await translation.read_locked(session, org_id, source_id, translated)
        await translation.learn(session, source, read, at)
        translation.judge(read, {}, at)
        await _hand_on(session, org_id, RETELL, work, deliveries)


async def forget(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Take the values of objects that were erased for privacy out of stored bodies; verdicts stay."""
    for work in works:
        deliveries = await _following(session, org_id, work.payload)
        if not deliveries:
            continue
        source = await translation.connected(session, org_id, UUID(work.payload["source_id"]))
        erased = {(object_, external_id) for object_, external_id in work.payload["objects"]}
        for delivery in deliveries:
            delivery.body = source.adapter.forget(delivery.body, erased)
        await _hand_on(session, org_id, FORGET, work, deliveries)


async def _hand_on(
    session: AsyncSession, org_id: OrganizationId, kind: str, work: jobs.Work, done: Sequence[Delivery]
) -> None:
    await jobs.enqueue(session, org_id, kind, [{**work.payload, "after": str(done[-1].id)}])


# Any: the payload of a job.
async def _following(session: AsyncSession, org_id: OrganizationId, payload: dict[str, Any]) -> Sequence[Delivery]:
    """The next deliveries of the source, the oldest first."""
    mine = (Delivery.org_id == org_id, Delivery.source_id == UUID(payload["source_id"]))
    wanted = select(Delivery.id, Delivery.size).where(*mine)
    if (after := payload.get("after")) is not None:
        wanted = wanted.where(Delivery.id > UUID(after))
    ids: list[UUID] = []
    left = BYTES
    for row in await session.execute(wanted.order_by(Delivery.id).limit(DELIVERIES)):
        if ids and row.size > left:
            break
        ids.append(row.id)
        left -= row.size
    found = await session.execute(select(Delivery).where(*mine, among(Delivery.id, ids)).order_by(Delivery.id))
    return found.scalars().all()
