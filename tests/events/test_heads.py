"""Heads are found by the beginnings of their external ids, exactly and not by what looks alike."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events.facts import EventFacts
from app.events.heads import heads_under
from app.events.service import record_events, settle_derived
from app.events.sources import Source
from tests.support import Api

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
IDS = ("deal:1:deal.won", "deal:1:deal.lost", "deal:10:deal.won", "deal:1", "deal:1;", "deal:2:deal.won", "call:1:x")


def won(external_id: str) -> EventFacts:
    return EventFacts(external_id=external_id, type="deal.won", occurred_at=AT, about={}, properties={})


async def test_heads_under_prefixes_are_those_that_begin_with_them(api: Api) -> None:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.write(org_id) as session:
        source_id = await _source(session, org_id)
        await record_events(session, org_id=org_id, source_id=source_id, facts=[won(each) for each in IDS])
    async with api.world.database.read(org_id) as session:
        for prefixes in ([], ["deal:1:"], ["deal:1:", "deal:10:", "deal:3:"], [f"deal:{n}:" for n in range(500)]):
            found = await heads_under(session, org_id, source_id, prefixes)
            assert set(found) == {each for each in IDS if each.startswith(tuple(prefixes))}


async def test_what_is_settled_twice_is_revised_once(api: Api) -> None:
    org_id = OrganizationId(api.org_id)
    desired = {f"deal:{n}:": [won(f"deal:{n}:deal.won")] for n in range(300)}
    for expected in (300, 0):
        async with api.world.database.write(org_id) as session:
            source_id = await _source(session, org_id)
            assert len(await settle_derived(session, org_id=org_id, source_id=source_id, desired=desired)) == expected


async def _source(session: AsyncSession, org_id: OrganizationId) -> UUID:
    found = await session.execute(select(Source.id).where(Source.org_id == org_id, Source.key == "api"))
    source_id: UUID = found.scalar_one()
    return source_id
