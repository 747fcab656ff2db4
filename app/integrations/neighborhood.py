"""The links around records, as translations need them: through merges, two hops far."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, any_, bindparam, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.integrations.folding import Key, LinkChange, Network
from app.integrations.histories import OF_SOURCE, Known, as_arrays, by_keys
from app.integrations.models import CrmRecord, RecordLink

PARTIES = frozenset({"company", "contact", "deal", "lead"})
# Quotes and feedback may have no owner of their own: then those of the deal or contact are theirs.
ANSWERS, LENDERS = frozenset({"feedback", "quote"}), frozenset({"contact", "deal"})


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
    owners: dict[Key, str] = field(default_factory=dict)
    asked: set[Key] = field(default_factory=set)

    def network(self) -> Network:
        """What has been collected."""
        return Network(self.links, merged=self.merged, created=self.created, deleted=self.deleted, owners=self.owners)

    async def expand(self, keys: Iterable[Key]) -> set[Key]:
        """The keys with all that was merged into them and all that they were merged into."""
        found: set[Key] = set()
        grown = set(keys)
        while grown != found:
            found = grown
            unknown = found - self.asked
            self.asked |= unknown
            if unknown:
                await self._ask(unknown)
            grown = found | self._aliases(found)
        return found

    async def _ask(self, keys: Collection[Key]) -> None:
        for asked in (_ITSELF, _WENT_IN):
            rows = await asked.rows(self.session, org_id=self.org_id, source_id=self.source_id, **as_arrays(keys))
            for object_, external_id, into, created, is_deleted in rows:
                key = (object_, external_id)
                if into is not None:
                    self.merged[key] = (object_, into)
                if created is not None:
                    self.created[key] = created
                if is_deleted:
                    self.deleted.add(key)

    async def learn_owners(self, keys: Collection[Key], owner_field: str) -> None:
        """Whose these records are now."""
        given = {"org_id": self.org_id, "source_id": self.source_id, "owner_field": owner_field, **as_arrays(keys)}
        for object_, external_id, owner in await _OWNERS.rows(self.session, **given):
            if owner:
                self.owners[object_, external_id] = owner

    def _aliases(self, keys: set[Key]) -> set[Key]:
        near = {key: into for key, into in self.merged.items() if key in keys or into in keys}
        return set(near) | set(near.values())

    async def hop(self, keys: Collection[Key], kinds: Collection[str]) -> set[Key]:
        """Collect the links from the keys (through merges) to objects of some kinds; gives those objects."""
        wanted = as_arrays(await self.expand(keys))
        reached: set[Key] = set()
        for asked in (_LINKED_FROM, _LINKED_TO):
            given = {"org_id": self.org_id, "source_id": self.source_id, "kinds": sorted(kinds), **wanted}
            found = [LinkChange(*row) for row in await asked.rows(self.session, **given)]
            self.links.update(found)
            reached |= {end for link in found for end in link.ends if end[0] in kinds}
        return await self.expand(reached)


_RECORD = (
    CrmRecord.object,
    CrmRecord.external_id,
    CrmRecord.merged_into,
    CrmRecord.source_created_at,
    CrmRecord.is_deleted,
)
_ITSELF = by_keys(_RECORD, (CrmRecord.object, CrmRecord.external_id), *OF_SOURCE)
_MERGED = CrmRecord.merged_into.is_not(None)  # as the partial index says
_WENT_IN = by_keys(_RECORD, (CrmRecord.object, CrmRecord.merged_into), *OF_SOURCE, _MERGED)

_OWNERS = by_keys(
    (
        CrmRecord.object,
        CrmRecord.external_id,
        func.jsonb_extract_path_text(CrmRecord.state, bindparam("owner_field", type_=Text())),
    ),
    (CrmRecord.object, CrmRecord.external_id),
    *OF_SOURCE,
)

_LINK = (
    RecordLink.from_object,
    RecordLink.from_id,
    RecordLink.to_object,
    RecordLink.to_id,
    RecordLink.at,
    RecordLink.tie,
    RecordLink.removed,
    RecordLink.is_primary,
)
_LINKS_OF_SOURCE = (RecordLink.org_id == bindparam("org_id"), RecordLink.source_id == bindparam("source_id"))
_KINDS = any_(bindparam("kinds", type_=ARRAY(Text())))
_LINKED_FROM = by_keys(
    _LINK, (RecordLink.from_object, RecordLink.from_id), *_LINKS_OF_SOURCE, RecordLink.to_object == _KINDS
)
_LINKED_TO = by_keys(
    _LINK, (RecordLink.to_object, RecordLink.to_id), *_LINKS_OF_SOURCE, RecordLink.from_object == _KINDS
)


async def around(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Collection[Key], lent_owner: str | None = None
) -> Network:
    """All that the translations of these records need of others: parties, and the parties of these.

    `lent_owner` is the field of a deal or contact by which quotes and feedback without an owner are credited.
    """
    near, parties = await _near(session, org_id, source_id, keys)
    if lent_owner is not None and any(key[0] in ANSWERS for key in keys):
        await near.learn_owners([key for key in parties if key[0] in LENDERS], lent_owner)
    return near.network()


async def reach(session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Collection[Key]) -> set[Key]:
    """These records and all of which their translations need anything."""
    near, _ = await _near(session, org_id, source_id, keys)
    return set(keys) | near.asked


async def _near(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Collection[Key]
) -> tuple[Neighborhood, set[Key]]:
    """What is around the records, and those of it that are parties next to them."""
    near = Neighborhood(session, org_id, source_id)
    parties = await near.hop(keys, PARTIES)
    further = await near.hop([key for key in parties if key[0] != "company"], PARTIES)
    leads = [key for key in parties | further if key[0] == "lead" and key in near.deleted]
    if leads:
        await near.hop(leads, {"deal"})
    return near, parties


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was not known before: of which records, which of these were made, deleted or merged, and whose links.

    `merged` holds the survivors of before too, which lose what was merged into others after all. `known` is what was
    loaded to learn it.
    """

    records: AbstractSet[Key]
    whole: AbstractSet[Key]
    merged: AbstractSet[Key]
    pairs: AbstractSet[tuple[Key, Key]]
    known: Known


async def dependents(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    learnt: Learnt,
    activities: Collection[str],
    lent_owner: str | None = None,
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
    if lent_owner is not None and (lenders := {key for key in learnt.records if key[0] in LENDERS}):
        found |= await near.hop(lenders, ANSWERS)
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
