"""Paceline as a source of its own: what it tells the ledger itself, and whom it credits with that."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.events.facts import PersonRef
from app.events.sources import Source, add_source
from app.teams.facts import Person
from app.teams.models import IdentityMapping
from app.teams.service import resolve_identities

PACELINE = "paceline"


async def own_source(session: AsyncSession, org_id: OrganizationId) -> UUID:
    """The source of what Paceline tells itself, made on first use; nobody can post to it."""
    await clock.tick(session, org_id)  # its lock: two would make two
    found = await session.execute(select(Source).where(Source.org_id == org_id))
    sources = found.scalars().all()
    if own := next((source for source in sources if source.system == PACELINE), None):
        return own.id
    is_taken = any(source.key == PACELINE for source in sources)
    key = f"{PACELINE}-{new_id().hex[-8:]}" if is_taken else PACELINE
    made = await add_source(session, org_id, key=key, name="Paceline", system=PACELINE)
    await session.flush()  # identities and events refer to it
    return made.id


async def own_identity(session: AsyncSession, org_id: OrganizationId, member_id: UUID) -> PersonRef:
    """A member as Paceline's own source knows them, mapped to the member for all time: who is credited."""
    source_id = await own_source(session, org_id)
    person = PersonRef(str(member_id))
    identity_id = (await resolve_identities(session, org_id, source_id, [Person(person.external_id)]))[
        person.external_id
    ]
    mapped = await session.execute(
        select(IdentityMapping.id).where(
            IdentityMapping.org_id == org_id,
            IdentityMapping.identity_id == identity_id,
            IdentityMapping.superseded_at.is_(None),
        )
    )
    if mapped.first() is None:
        at = await clock.tick(session, org_id)
        session.add(IdentityMapping(org_id=org_id, identity_id=identity_id, member_id=member_id, recorded_at=at))
        await session.flush()  # whoever asks next must find it
    return person
