"""The links around records, as translations need them: through merges, two hops far."""

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.integrations.folding import Key, LinkChange, Network
from app.integrations.histories import batches, by_keys
from app.integrations.models import CrmRecord, RecordLink

PARTIES = frozenset({"company", "contact", "deal", "lead"})


@dataclass
class Neighborhood:
    """Collects, hop by hop, the links of some records of one source, and what was merged, made or deleted."""

    session: AsyncSession
    org_id: OrganizationId
    source_id: UUID
    links: set[LinkChange] = field(default_factory=set)
    merged: dict[Key, Key] = field(default_factory=dict)
    created: dict[Key, datetime] = field(default_factory=dict)
    deleted: set[Key] = field(default_factory=set)
    _asked: set[Key] = field(default_factory=set)

    def network(self) -> Network:
        """What has been collected."""
        return Network(self.links, merged=self.merged, created=self.created, deleted=self.deleted)

    async def expand(self, keys: Iterable[Key]) -> set[Key]:
        """The keys with all that was merged into them and all that they were merged into."""
        found: set[Key] = set()
        grown = set(keys)
        while grown != found:
            found = grown
            unknown = found - self._asked
            self._asked |= unknown
            for some in batches(sorted(unknown)):
                await self._ask(some)
            grown = found | self._aliases(found)
        return found

    async def _ask(self, keys: Sequence[Key]) -> None:
        columns = (
            CrmRecord.object,
            CrmRecord.external_id,
            CrmRecord.merged_into,
            CrmRecord.source_created_at,
            CrmRecord.is_deleted,
        )
        mine = and_(CrmRecord.org_id == self.org_id, CrmRecord.source_id == self.source_id)
        itself = by_keys(columns, (CrmRecord.object, CrmRecord.external_id), keys, mine)
        went_in = and_(mine, CrmRecord.merged_into.is_not(None))  # as the partial index says
        merged = by_keys(columns, (CrmRecord.object, CrmRecord.merged_into), keys, went_in)
        rows = await self.session.execute(union_all(itself, merged))
        for object_, external_id, into, created, is_deleted in rows:
            key = (object_, external_id)
            if into is not None:
                self.merged[key] = (object_, into)
            if created is not None:
                self.created[key] = created
            if is_deleted:
                self.deleted.add(key)

    def _aliases(self, keys: set[Key]) -> set[Key]:
        near = {key: into for key, into in self.merged.items() if key in keys or into in keys}
        return set(near) | set(near.values())

    async def hop(self, keys: Collection[Key], kinds: Collection[str]) -> set[Key]:
        """Collect the links from the keys (through merges) to objects of some kinds; gives those objects."""
        wanted = await self.expand(keys)
        reached: set[Key] = set()
        link = RecordLink
        columns = (
            link.from_object,
            link.from_id,
            link.to_object,
            link.to_id,
            link.at,
            link.tie,
            link.removed,
            link.is_primary,
        )
        for some in batches(sorted(wanted)):
            for own, other in (
                ((link.from_object, link.from_id), link.to_object),
                ((link.to_object, link.to_id), link.from_object),
            ):
                where = and_(link.org_id == self.org_id, link.source_id == self.source_id, other.in_(sorted(kinds)))
                rows = await self.session.execute(by_keys(columns, own, some, where))
                found = [LinkChange(*row) for row in rows]
                self.links.update(found)
                reached |= {end for link in found for end in link.ends if end[0] in kinds}
        return await self.expand(reached)


async def around(session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Collection[Key]) -> Network:
    """All that the translations of these records need of others: parties, and the parties of these."""
    near = Neighborhood(session, org_id, source_id)
    parties = await near.hop(keys, PARTIES)
    further = await near.hop([key for key in parties if key[0] != "company"], PARTIES)
    leads = [key for key in parties | further if key[0] == "lead" and key in near.deleted]
    if leads:
        await near.hop(leads, {"deal"})
    return near.network()


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was not known before: of which records, which of these were made, deleted or merged, and whose links.

    `merged` holds the survivors of before too, which lose what was merged into others after all.
    """

    records: AbstractSet[Key]
    whole: AbstractSet[Key]
    merged: AbstractSet[Key]
    pairs: AbstractSet[tuple[Key, Key]]


async def dependents(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, learnt: Learnt, activities: Collection[str]
) -> set[Key]:
    """Other records whose events may change by what was learnt: what hangs on these through links and merges."""
    near = Neighborhood(session, org_id, source_id)
    found = await near.expand({end for pair in learnt.pairs for end in pair} | learnt.records | learnt.merged)
    hubs = {end for pair in learnt.pairs for end in _hubs(pair)}
    # A lead that was made, deleted or merged: the activities of its contacts may be about it, or no longer.
    # So may they be about a deleted lead that turns out to have become a deal.
    leads = {key for key in learnt.whole if key[0] == "lead"} | {end for pair in learnt.pairs for end in _became(pair)}
    contacts = await near.hop(leads, {"contact"}) if leads else set()
    # A deal that was made or deleted: the lead that it came from was converted, or not.
    deals = {key for key in learnt.whole if key[0] == "deal"}
    found |= await near.hop(deals, {"lead"}) if deals else set()
    # What is linked to a merged object is linked to the survivor; so are the activities of these deals and leads.
    moved = await near.hop(learnt.merged, {*PARTIES, *activities}) if learnt.merged else set()
    hubs |= contacts | leads | {key for key in moved | learnt.merged if key[0] in {"deal", "lead", "contact"}}
    return found | moved | (await near.hop(hubs, activities) if hubs else set())


def _hubs(pair: tuple[Key, Key]) -> Iterable[Key]:
    """Of a link between two parties the ends through which activities reach the other one."""
    kinds = {key[0] for key in pair}
    if kinds <= PARTIES:
        return [key for key in pair if key[0] in {"deal", "lead"} or (key[0] == "contact" and "lead" in kinds)]
    return []


def _became(pair: tuple[Key, Key]) -> Iterable[Key]:
    """Of a link between a deal and a lead the lead."""
    return [key for key in pair if key[0] == "lead"] if {key[0] for key in pair} == {"deal", "lead"} else []
