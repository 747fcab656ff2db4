"""Passes over the stored deliveries of a source, some at a time: to learn more from them, or to forget."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import jobs
from app.core.db import OrganizationId
from app.events.bulk import among
from app.integrations import differing, refolding, translation
from app.integrations.models import Delivery
from app.integrations.refolding import REFOLD, RETELL
from app.integrations.translation import FORGET, TRANSLATE

# Of one transaction: so many deliveries, or as many as came in so many bytes.
DELIVERIES, BYTES = 500, 4_000_000


async def retell(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Learn from deliveries what a mapping reads that read less when they came; then translate all records.

    The job hands the rest over to its successor, and the last one to `REFOLD`, so that every event is
    revised once, by all that is known. Deliveries that wait to be translated are left to their own jobs.
    """
    for work in works:
        if not await refolding.goes_on(session, org_id, RETELL, work.payload):
            continue
        source_id = UUID(work.payload["source_id"])
        deliveries = await following(session, org_id, source_id, work.payload.get("after"))
        if not deliveries:
            rest = {name: value for name, value in work.payload.items() if name != "after"}
            await jobs.enqueue(session, org_id, REFOLD, [rest])
            continue
        failed = [each for each in deliveries if each.processed_at is not None and each.verdict == "failed"]
        await jobs.enqueue(session, org_id, TRANSLATE, [{"delivery_id": str(each.id)} for each in failed])
        translated = [each for each in deliveries if each.processed_at is not None and each.verdict != "failed"]
        source, read, at = await translation.read_locked(session, org_id, source_id, translated)
        await translation.learn(session, source, read, at)
        await translation.judge(session, org_id, read, {}, at)
        await refolding.hand_on(session, org_id, RETELL, work.payload, deliveries[-1].id, len(deliveries), {})


async def forget(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Take the values of objects that were erased for privacy out of stored bodies and reports; verdicts stay."""
    for work in works:
        source_id = UUID(work.payload["source_id"])
        erased = {(object_, external_id) for object_, external_id in work.payload["objects"]}
        await differing.forget(session, org_id, source_id, erased)
        deliveries = await following(session, org_id, source_id, work.payload.get("after"))
        if not deliveries:
            continue
        source = await translation.connected(session, org_id, source_id)
        for delivery in deliveries:
            delivery.body = source.adapter.forget(delivery.body, erased)
        await jobs.enqueue(session, org_id, FORGET, [{**work.payload, "after": str(deliveries[-1].id)}])


async def following(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, after: str | UUID | None
) -> Sequence[Delivery]:
    """The next deliveries of the source, the oldest first."""
    mine = (Delivery.org_id == org_id, Delivery.source_id == source_id)
    wanted = select(Delivery.id, Delivery.size).where(*mine)
    if after is not None:
        wanted = wanted.where(Delivery.id > UUID(str(after)))
    ids: list[UUID] = []
    left = BYTES
    for row in await session.execute(wanted.order_by(Delivery.id).limit(DELIVERIES)):
        if ids and row.size > left:
            break
        ids.append(row.id)
        left -= row.size
    found = await session.execute(select(Delivery).where(*mine, among(Delivery.id, ids)).order_by(Delivery.id))
    return found.scalars().all()
