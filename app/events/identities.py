"""Identities with the number of events that credit them: whoever is not mapped yet, and how much hangs on it."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Uuid, and_, any_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.schemas import Page
from app.events.models import Event, EventCredit
from app.teams import schemas
from app.teams.lookups import get_identity
from app.teams.models import Identity, IdentityMapping


class CountedIdentity(schemas.Identity):
    """A person as a source knows them, and how many events credit them."""

    is_mapped: bool = Field(description="Whether it stands for a member on any day.")
    event_count: int = Field(description="Events in the ledger that credit it, in any role.", examples=[42])


class CountedIdentityPage(Page[CountedIdentity]):
    """A page of identities, in the order in which Paceline first saw them."""


class IdentitiesQuery(PageQuery):
    """Which identities."""

    mapped: bool | None = Field(default=None, description="False: only those that stand for no member on any day.")
    source_id: UUID | None = Field(default=None, description="Only those of this source.")
    kind: schemas.IdentityKind | None = Field(default=None, description="Only people, queues or teams.")


async def list_identities(session: AsyncSession, org_id: OrganizationId, query: IdentitiesQuery) -> CountedIdentityPage:
    """The identities that a query asks for, each with its number of events."""
    wanted = select(Identity).where(Identity.org_id == org_id)
    if query.source_id is not None:
        wanted = wanted.where(Identity.source_id == query.source_id)
    if query.mapped is not None:
        wanted = wanted.where(_is_mapped(org_id) if query.mapped else ~_is_mapped(org_id))
    if query.kind is not None:
        wanted = wanted.where(Identity.kind == query.kind)
    rows, following = await paginate(session, wanted, [Key(Identity.recorded_at), Key(Identity.id)], query)
    return CountedIdentityPage(items=await _counted(session, org_id, rows), next_cursor=following)


async def show_identity(session: AsyncSession, org_id: OrganizationId, identity_id: UUID) -> CountedIdentity:
    """One identity with its number of events. Raises `IdentityNotFound`."""
    [shown] = await _counted(session, org_id, [await get_identity(session, org_id, identity_id)])
    return shown


async def event_counts(
    session: AsyncSession, org_id: OrganizationId, identities: Sequence[UUID]
) -> Counter[UUID | None]:
    """How many events, as they are now and not retracted, credit each of the identities."""
    ids = any_(literal(list(identities), ARRAY(Uuid())))
    stands = and_(Event.org_id == org_id, Event.superseded_at.is_(None), Event.retracted.is_(False))
    single = select(Event.identity_id, func.count()).where(stands, Event.identity_id == ids)
    shared = (
        select(EventCredit.identity_id, func.count(EventCredit.row_id.distinct()))
        .join(Event, and_(Event.org_id == EventCredit.org_id, Event.row_id == EventCredit.row_id))
        .where(stands, Event.is_shared, EventCredit.org_id == org_id, EventCredit.identity_id == ids)
    )
    counts: Counter[UUID | None] = Counter()
    for identity_id, count in await session.execute(single.group_by(Event.identity_id)):
        counts[identity_id] += count
    for identity_id, count in await session.execute(shared.group_by(EventCredit.identity_id)):
        counts[identity_id] += count
    return counts


async def _counted(session: AsyncSession, org_id: OrganizationId, rows: Sequence[Identity]) -> list[CountedIdentity]:
    ids = [row.id for row in rows]
    counts = await event_counts(session, org_id, ids)
    found = await session.execute(
        select(Identity.id).where(Identity.org_id == org_id, Identity.id.in_(ids), _is_mapped(org_id))
    )
    mapped = set(found.scalars())
    return [
        CountedIdentity(
            **schemas.Identity.model_validate(row).model_dump(), is_mapped=row.id in mapped, event_count=counts[row.id]
        )
        for row in rows
    ]


def _is_mapped(org_id: OrganizationId) -> ColumnElement[bool]:
    return exists().where(
        IdentityMapping.org_id == org_id,
        IdentityMapping.identity_id == Identity.id,
        IdentityMapping.superseded_at.is_(None),
    )
