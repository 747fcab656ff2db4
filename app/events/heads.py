"""Heads of events: made where absent, locked in key order, and stored as what a batch made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.ids import new_id
from app.events.bulk import among, insert_rows
from app.events.decide import State
from app.events.models import EventHead


@dataclass
class Head:
    """The head of an event while a batch acts on it; `state` is None and `revision` 0 until it is first seen."""

    external_id: str
    event_id: UUID
    state: State | None
    revision: int


async def lock_heads(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, external_ids: Iterable[str]
) -> dict[str, Head]:
    """The heads of these events, made where they are absent, locked in the order of their keys."""
    keys = sorted(set(external_ids))
    if not keys:
        return {}
    unseen = {"org_id": org_id, "source_id": source_id, "version": 0, "content_hash": b"", "revision": 0}
    absent = [{**unseen, "external_id": key, "event_id": new_id(), "retracted": False} for key in keys]
    await session.execute(insert_rows(EventHead, absent).on_conflict_do_nothing())
    locked = await session.execute(
        select(*_COLUMNS)
        .where(EventHead.org_id == org_id, EventHead.source_id == source_id, among(EventHead.external_id, keys))
        .order_by(EventHead.external_id)
        .with_for_update()
    )
    return {row.external_id: _head(row) for row in locked}


async def heads_under(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, prefixes: Iterable[str]
) -> dict[str, Head]:
    """The heads whose external id begins with one of the prefixes, by ranges of the key."""
    found: dict[str, Head] = {}
    ordered = sorted(prefixes)
    for first in range(0, len(ordered), _RANGES):
        ranges = [
            and_(EventHead.external_id >= low, EventHead.external_id < _after(low))
            for low in ordered[first : first + _RANGES]
        ]
        rows = await session.execute(
            select(*_COLUMNS).where(EventHead.org_id == org_id, EventHead.source_id == source_id, or_(*ranges))
        )
        found |= {row.external_id: _head(row) for row in rows}
    return found


async def store_heads(session: AsyncSession, org_id: OrganizationId, source_id: UUID, heads: Iterable[Head]) -> None:
    """Write what the heads have become."""
    rows = [
        {
            "org_id": org_id,
            "source_id": source_id,
            "external_id": head.external_id,
            "event_id": head.event_id,
            "version": head.state.version,
            "content_hash": head.state.content,
            "retracted": head.state.retracted,
            "revision": head.revision,
        }
        for head in heads
        if head.state is not None
    ]
    if not rows:
        return
    # Every row is there already. An UPDATE … FROM unnest(…) would say so more plainly, but is planned as a nested
    # loop over the whole table while that has no statistics: 40 s of 55 in a first load of 48,000 facts.
    stored = insert_rows(EventHead, rows)
    changed = {name: stored.excluded[name] for name in ("version", "content_hash", "retracted", "revision")}
    keys = [EventHead.org_id, EventHead.source_id, EventHead.external_id]
    await session.execute(stored.on_conflict_do_update(index_elements=keys, set_=changed))


_RANGES = 200
_COLUMNS: Sequence[Any] = (  # Any: columns of several types
    EventHead.external_id,
    EventHead.event_id,
    EventHead.version,
    EventHead.content_hash,
    EventHead.retracted,
    EventHead.revision,
)


def _head(row: Any) -> Head:  # Any: a row of the columns above
    state = State(row.version, row.content_hash, row.retracted) if row.revision else None
    return Head(row.external_id, row.event_id, state, row.revision)


def _after(prefix: str) -> str:
    """The first text by code point that is beyond all that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
