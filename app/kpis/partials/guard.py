"""The guard row of a shard: who holds it may change the shard's figures, and it says what they are worth."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ScalarSelect, Text, cast, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.accounts.models import OrganizationSettings
from app.core.db import OrganizationId
from app.events.models import SourceCounts
from app.events.sharding import SHARDS
from app.kpis.partials.models import PartialGuard

_NOTHING = b""


@dataclass(frozen=True)
class State:
    """A shard as its guard row says, with the basis that holds now."""

    shard: int
    basis: bytes
    now_basis: bytes
    zone: str
    before: date | None
    computed_at: datetime | None


def basis(org_id: OrganizationId | Any) -> ScalarSelect[Any]:
    """What beside events decides the figures of a day, as 32 bytes: the time zone, and what sources count for.

    By the revisions of what sources count for and not by what they say: there and back is not as if nothing had been.
    A source that always counted for everything adds nothing, so that a new one makes no other basis.
    """
    earlier = aliased(SourceCounts)
    has_changed = exists().where(
        earlier.org_id == org_id,
        earlier.source_id == SourceCounts.source_id,
        earlier.superseded_at.is_not(None),
    )
    counted = cast(SourceCounts.row_id, Text())
    counts = (
        select(func.string_agg(counted, aggregate_order_by(literal(",", Text()), counted)))
        .where(
            SourceCounts.org_id == org_id,
            SourceCounts.superseded_at.is_(None),
            or_(SourceCounts.counts.is_not(None), has_changed),
        )
        .scalar_subquery()
    )
    told = func.concat(zone_of(org_id), literal(";", Text()), counts)
    return select(func.sha256(func.convert_to(told, literal("UTF8", Text())))).scalar_subquery()


def zone_of(org_id: OrganizationId | Any) -> ScalarSelect[Any]:
    """The organization's time zone."""
    return (
        select(OrganizationSettings.time_zone)
        .where(OrganizationSettings.org_id == org_id, OrganizationSettings.superseded_at.is_(None))
        .scalar_subquery()
    )


async def ensure_guards(session: AsyncSession, org_id: OrganizationId) -> None:
    """Make the guard rows of an organization that has none yet."""
    rows = [{"org_id": org_id, "shard": shard, "basis": _NOTHING} for shard in range(SHARDS)]
    await session.execute(insert(PartialGuard).values(rows).on_conflict_do_nothing())


async def lock(session: AsyncSession, org_id: OrganizationId, shard: int) -> State | None:
    """Hold the shard until the transaction ends; None where another does, or there is no such organization any more.

    What the figures depend on is read in a statement of its own, after the lock was got.
    """
    row = (
        await session.execute(
            select(PartialGuard.basis, PartialGuard.before, PartialGuard.computed_at)
            .where(PartialGuard.org_id == org_id, PartialGuard.shard == shard)
            .with_for_update(skip_locked=True)
        )
    ).one_or_none()
    if row is None:
        return None
    now = (await session.execute(select(basis(org_id), zone_of(org_id)))).one()
    if now[1] is None:
        return None
    return State(shard, row.basis, now[0], now[1], row.before, row.computed_at)


async def save(
    session: AsyncSession, org_id: OrganizationId, state: State, *, before: date, computed_at: datetime
) -> None:
    """Say what the shard's figures are worth from now on."""
    await session.execute(
        update(PartialGuard)
        .where(PartialGuard.org_id == org_id, PartialGuard.shard == state.shard)
        .values(basis=state.now_basis, before=before, computed_at=computed_at)
    )


def is_in_shard(identity: Any, shard: int) -> Any:
    """Whether an identity is of the shard; as `shard_of`, for the database."""
    last = func.get_byte(func.uuid_send(identity), 15)
    return last % SHARDS == shard
