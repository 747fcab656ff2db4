"""Heads of events: locked in key order where they are there, and stored as what a batch made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, any_, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY, Insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId, Ready
from app.core.ids import new_id
from app.events.bulk import Encoded, Insertion
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
_THESE = (
    EventHead.org_id == bindparam("org_id"),
    EventHead.source_id == bindparam("source_id"),
    EventHead.external_id == any_(bindparam("external_ids", type_=ARRAY(Text()))),
)
_LOCKED = Ready(select(*_COLUMNS).where(*_THESE).order_by(EventHead.external_id).with_for_update())
_THERE = Ready(select(EventHead.external_id).where(*_THESE))


_RANGES = (
    func.unnest(bindparam("lows", type_=ARRAY(Text())), bindparam("highs", type_=ARRAY(Text())))
    .table_valued("low", "high", name="ranges")
    .render_derived()
)
# Each range is looked for in the index by itself: of conditions joined by OR the index tells nothing, and all heads of
# the source were read and compared with each. OFFSET keeps the planner from making it a join again.
_IN_RANGE = (
    select(*_COLUMNS)
    .where(
        EventHead.org_id == bindparam("org_id"),
        EventHead.source_id == bindparam("source_id"),
        EventHead.external_id >= _RANGES.c.low,
        EventHead.external_id < _RANGES.c.high,
    )
    .offset(literal_column("0"))
    .lateral("head")
)
_UNDER = Ready(select(*_IN_RANGE.c).select_from(_RANGES.join(_IN_RANGE, true())))


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


async def are_new(session: AsyncSession, org_id: OrganizationId, source_id: UUID, external_ids: Sequence[str]) -> bool:
    """Whether none of these events has a head yet; nobody makes one while the ledger's lock is held.

    Locks nothing: who asks before that lock is held would make those wait who hold it.
    """
    return not await _THERE.rows(session, org_id=org_id, source_id=source_id, external_ids=external_ids)


async def heads_under(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, prefixes: Iterable[str]
) -> dict[str, Head]:
    """The heads whose external id begins with one of the prefixes, by ranges of the key."""
    lows = sorted(prefixes)
    if not lows:
        return {}
    highs = [_after(low) for low in lows]
    rows = await _UNDER.rows(session, org_id=org_id, source_id=source_id, lows=lows, highs=highs)
    return {row["external_id"]: _head(row) for row in rows}


async def store_heads(session: AsyncSession, org_id: OrganizationId, source_id: UUID, heads: Iterable[Head]) -> None:
    """Write what the heads have become."""
    await encoded(heads).insert(session, org_id=org_id, source_id=source_id)


def encoded(heads: Iterable[Head]) -> Encoded:
    """The rows of what the heads have become."""
    told = [(head, head.state) for head in heads if head.state is not None]
    return _STORED.encoded(
        {
            "external_id": [head.external_id for head, _ in told],
            "event_id": [head.event_id for head, _ in told],
            "version": [state.version for _, state in told],
            "content_hash": [state.content for _, state in told],
            "retracted": [state.retracted for _, state in told],
            "revision": [head.revision for head, _ in told],
        }
    )


def _head(row: Any) -> Head:  # Any: a row of the columns above
    external_id, event_id, version, content_hash, retracted, revision = row
    state = State(version, content_hash, retracted) if revision else None
    return Head(external_id, event_id, state, revision)


def _after(prefix: str) -> str:
    """The first text by code point that is beyond all that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
