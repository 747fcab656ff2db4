"""Heads of events: locked in key order where they are there, and stored as what a batch made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, any_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId, Ready
from app.core.ids import new_id
from app.events.bulk import Insertion
from app.events.decide import State
from app.events.models import EventHead

_COLUMNS: Sequence[Any] = (  # Any: columns of several types
    EventHead.external_id,
    EventHead.event_id,
    EventHead.version,
    EventHead.content_hash,
    EventHead.retracted,
    EventHead.revision,
)
_LOCKED = Ready(
    select(*_COLUMNS)
    .where(
        EventHead.org_id == bindparam("org_id"),
        EventHead.source_id == bindparam("source_id"),
        EventHead.external_id == any_(bindparam("external_ids", type_=ARRAY(Text()))),
    )
    .order_by(EventHead.external_id)
    .with_for_update()
)


def _or_change(insertion: Insert) -> Insert:
    """Also what is there already. An UPDATE … FROM unnest(…) would be planned as a nested loop over the whole table
    while that has no statistics: 40 s of 55 in a first load of 48,000 facts."""
    changed = {name: insertion.excluded[name] for name in ("version", "content_hash", "retracted", "revision")}
    keys = [EventHead.org_id, EventHead.source_id, EventHead.external_id]
    return insertion.on_conflict_do_update(index_elements=keys, set_=changed)


_STORED = Insertion(
    EventHead, same=("org_id", "source_id"), mostly=("version", "retracted", "revision"), but=_or_change
)


@dataclass(slots=True)
class Head:
    """The head of an event while a batch acts on it; `state` is None and `revision` 0 until it is first seen."""

    external_id: str
    event_id: UUID
    state: State | None
    revision: int


async def lock_heads(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, external_ids: Iterable[str]
) -> dict[str, Head]:
    """The heads of these events, locked in the order of their keys; those that are absent are made, not yet stored.

    The ledger's lock must be held (`clock.tick`): so nobody else makes the same head meanwhile.
    """
    keys = sorted(set(external_ids))
    if not keys:
        return {}
    stored = await _LOCKED.rows(session, org_id=org_id, source_id=source_id, external_ids=keys)
    heads = {row["external_id"]: _head(row) for row in stored}
    return {key: heads.get(key) or Head(key, new_id(), None, 0) for key in keys}


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
    told = [(head, head.state) for head in heads if head.state is not None]
    columns: dict[str, list[Any]] = {  # Any: values of columns
        "external_id": [head.external_id for head, _ in told],
        "event_id": [head.event_id for head, _ in told],
        "version": [state.version for _, state in told],
        "content_hash": [state.content for _, state in told],
        "retracted": [state.retracted for _, state in told],
        "revision": [head.revision for head, _ in told],
    }
    await _STORED.run(session, columns, org_id=org_id, source_id=source_id)


_RANGES = 200


def _head(row: Any) -> Head:  # Any: a row of the columns above
    external_id, event_id, version, content_hash, retracted, revision = row
    state = State(version, content_hash, retracted) if revision else None
    return Head(external_id, event_id, state, revision)


def _after(prefix: str) -> str:
    """The first text by code point that is beyond all that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
