"""Fetching back: the errand that asks a source's system for what is wanted, and stores the answers as deliveries."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, jobs
from app.core.clock import database_now
from app.core.db import Database, OrganizationId, to_json
from app.core.errands import Errand, Later
from app.core.ids import new_id
from app.core.jobs import Work
from app.core.telemetry import DELIVERIES
from app.integrations import credentials, to_fetch
from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Unparseable
from app.integrations.clients.base import Client, ClientError, NotUnderstood, Overloaded, Refused
from app.integrations.clients.http import Outside
from app.integrations.models import Delivery
from app.integrations.to_fetch import Wanted
from app.integrations.translation import TRANSLATE, connected

LONGEST_SECONDS = 3600.0


def errand(outside: Outside) -> Errand:
    """The errand of kind `to_fetch.FETCH`: one for each source, as long as something is to be fetched."""
    return Errand(partial(fetch_wanted, outside), remains=_remains)


async def _remains(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
    return await to_fetch.next_try(session, org_id, UUID(work.payload["source_id"]))


async def fetch_wanted(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    """Fetch what is due of a source. Raises `Later` where the system asks to wait, and what keeps all from being asked.

    What one object fails by is told with it, and keeps no other from being fetched.
    """
    source_id = UUID(work.payload["source_id"])
    async with database.write(org_id) as session:
        await to_fetch.reclaim(session, org_id, source_id)
        at = await to_fetch.next_try(session, org_id, source_id)
        if at is None or at > await database_now(session):
            return
        version = (await connected(session, org_id, source_id)).version
    try:
        async with credentials.asking(database, outside, org_id, source_id) as client:
            while taken := await _claim(database, org_id, source_id, client, version):
                await _fetch(database, org_id, source_id, client, taken)
    except Overloaded as error:
        raise Later(timedelta(seconds=min(error.wait, LONGEST_SECONDS))) from None


async def _claim(
    database: Database, org_id: OrganizationId, source_id: UUID, client: Client, version: int
) -> list[Wanted]:
    """What is to be asked for next. Raises `Later` where the mapping, by which the client asks, is another by now."""
    async with database.write(org_id) as session:
        if (await connected(session, org_id, source_id)).version != version:
            raise Later(timedelta())
        taken = await to_fetch.claim(session, org_id, source_id, client.most)
        strange = [each for each in taken if not client.offers(each.object) or wire.id_or_none(each.id) is None]
        await to_fetch.forgotten(session, org_id, source_id, strange)
    return taken


async def _fetch(
    database: Database, org_id: OrganizationId, source_id: UUID, client: Client, taken: Sequence[Wanted]
) -> None:
    asked = [each for each in taken if client.offers(each.object) and wire.id_or_none(each.id) is not None]
    if not asked:
        return
    try:
        fetched = await client.fetch(asked[0].object, [each.id for each in asked])
    except (Refused, NotUnderstood) as error:
        await _fetch_parts(database, org_id, source_id, client, asked, error)
    except ClientError as error:
        async with database.write(org_id) as session:
            if isinstance(error, Overloaded):
                await to_fetch.given_back(session, org_id, source_id, asked)
            else:
                await to_fetch.failed(session, org_id, source_id, asked, str(error))
        raise
    else:
        await _store(database, org_id, source_id, asked, fetched)


async def _fetch_parts(
    database: Database,
    org_id: OrganizationId,
    source_id: UUID,
    client: Client,
    asked: Sequence[Wanted],
    error: ClientError,
) -> None:
    """Find out which of them the system refuses."""
    if len(asked) > 1:
        middle = len(asked) // 2
        for part in (asked[:middle], asked[middle:]):
            await _fetch(database, org_id, source_id, client, part)
        return
    async with database.write(org_id) as session:
        await to_fetch.failed(session, org_id, source_id, asked, str(error))


async def _store(
    database: Database, org_id: OrganizationId, source_id: UUID, asked: Sequence[Wanted], fetched: Fetched
) -> None:
    """The answer and the end of the need are one transaction: nothing is lost, and nothing asked for in vain."""
    async with database.write(org_id) as session:
        try:
            await store_fetched(session, org_id, source_id, fetched, "fetch")
        except Unparseable as problem:
            await to_fetch.failed(session, org_id, source_id, asked, f"The answer cannot be read: {problem}")
        else:
            await to_fetch.answered(session, org_id, source_id, asked)


async def store_fetched(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    fetched: Fetched,
    origin: Literal["fetch", "backfill"],
) -> UUID | None:
    """Store what a system answered as a delivery, redacted, to be translated; gives its id, None where it is empty.

    Raises `Unparseable`; nothing is stored then.
    """
    if not fetched.items and not fetched.gone:
        return None
    source = await connected(session, org_id, source_id)
    body = source.adapter.redact_fetched(fetched, source.mapping)
    raw = to_json(body).encode()
    delivery_id = new_id()
    await session.execute(
        insert(Delivery).values(
            org_id=org_id,
            id=delivery_id,
            source_id=source_id,
            received_at=await clock.now(session, org_id),
            origin=origin,
            headers={},
            body=body,
            raw=None,
            digest=hashlib.sha256(raw).digest(),
            size=len(raw),
            verdict="received",
            error=None,
            items=[],
            processed_at=None,
        )
    )
    await jobs.enqueue(session, org_id, TRANSLATE, [{"delivery_id": str(delivery_id)}])
    DELIVERIES.labels(source.adapter.system, origin).inc()
    return delivery_id
