"""From stored deliveries to events: fold what they say into records, and settle what follows from these."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.service import get_organization
from app.core import clock, jobs
from app.core.db import OrganizationId
from app.events.bulk import among
from app.events.facts import EventFacts
from app.events.service import settle_derived
from app.events.sources import Source
from app.integrations import histories
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import Adapter, Item, Json, Unparseable
from app.integrations.folding import CONTINUES, FieldChange, Key, LinkChange
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.mapping import mapping_of
from app.integrations.models import CrmRecord, Delivery, SourceConnection
from app.integrations.neighborhood import Learnt, around, dependents

TRANSLATE = "translate-delivery"
REFOLD = "refold-records"
REFOLD_ALL = "refold-sources"
REFOLD_ROWS = 500
ACTIVITIES = frozenset({"call", "meeting", "email", "activity"})

# The first of these that any message of a delivery has is the delivery's.
_RANK = ("translated", "foreign_account", "unparseable", "ignored")


@dataclass(frozen=True, slots=True)
class Connected:
    """A source as translations need it; `version` grows with every change of its mapping."""

    org_id: OrganizationId
    id: UUID
    key: str
    account_id: str
    adapter: Adapter
    mapping: SourceMapping
    version: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a delivery; `body` is what could be read of one that was kept raw."""

    delivery: Delivery
    verdict: str
    error: str | None
    items: list[dict[str, Any]]
    body: Json


@dataclass
class Read:
    """What some deliveries say, before anything is locked."""

    fields: list[FieldChange] = field(default_factory=list)
    links: list[LinkChange] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)

    def mentioned(self) -> set[Key]:
        """The objects that something is said about."""
        told = {(change.object, change.id) for change in self.fields}
        return told | {end for link in self.links for end in link.ends}


async def connected(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> Connected:
    """The source with its mapping as it is now."""
    found = await session.execute(
        select(Source, SourceConnection)
        .join(
            SourceConnection,
            and_(SourceConnection.org_id == Source.org_id, SourceConnection.source_id == Source.id),
        )
        .where(Source.org_id == org_id, Source.id == source_id, SourceConnection.org_id == org_id)
        .execution_options(populate_existing=True)
    )
    source, connection = found.one()
    organization = await get_organization(session, org_id)
    mapping = mapping_of(connection.mapping, organization.time_zone)
    adapter = ADAPTERS[source.system]
    return Connected(org_id, source_id, source.key, connection.account_id, adapter, mapping, connection.version)


async def translate(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate the deliveries of these jobs, source by source."""
    ids = [UUID(work.payload["delivery_id"]) for work in works]
    rows = await session.execute(
        select(Delivery).where(Delivery.org_id == org_id, among(Delivery.id, ids)).order_by(Delivery.id)
    )
    of_source: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in rows.scalars():
        of_source[delivery.source_id].append(delivery)
    for source_id in sorted(of_source):
        await _translate(session, org_id, source_id, of_source[source_id])


async def _translate(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, deliveries: Sequence[Delivery]
) -> None:
    """Read everything first; then the ledger's lock; then what decides anything (`design.md` section 3)."""
    source = await connected(session, org_id, source_id)
    read = _read(source, deliveries)
    at = await clock.tick(session, org_id)
    now = await connected(session, org_id, source_id)
    if now.version != source.version:
        source, read = now, _read(now, deliveries)
    records = await histories.learn_fields(session, org_id, source_id, read.fields, at)
    pairs = await histories.learn_links(session, org_id, source_id, read.links, at)
    await _fold(session, source, records, pairs, read.mentioned(), at)
    for judged in read.judged:
        _judge(judged, at)


def _read(source: Connected, deliveries: Iterable[Delivery]) -> Read:
    read = Read()
    for delivery in deliveries:
        try:
            body = delivery.body if delivery.raw is None else source.adapter.redact(delivery.raw, source.mapping)
        except Unparseable as problem:
            read.judged.append(Judged(delivery, "unparseable", str(problem), [], None))
            continue
        items = [_read_item(source, item, read) for item in source.adapter.split(body)]
        verdict = next((each for each in _RANK if any(item["verdict"] == each for item in items)), "ignored")
        read.judged.append(Judged(delivery, verdict, None, items, body))
    return read


def _judge(judged: Judged, at: datetime) -> None:
    delivery = judged.delivery
    delivery.verdict, delivery.error, delivery.items = judged.verdict, judged.error, judged.items
    delivery.processed_at = at
    if delivery.raw is not None and judged.body is not None:
        delivery.body, delivery.raw = judged.body, None


def _read_item(source: Connected, item: Item, read: Read) -> dict[str, Any]:
    """One message: a bad one has its own verdict, and never fails the rest."""
    verdict, problem = "ignored", item.problem
    if problem is None and item.account_id != source.account_id:
        verdict = "foreign_account"
    elif problem is None:
        try:
            fields, links = source.adapter.fold(item, source.mapping)
        except Unparseable as told:
            problem = str(told)
        else:
            read.fields.extend(fields)
            read.links.extend(links)
            verdict = "translated" if fields or links else "ignored"
    if problem is not None:
        verdict = "unparseable"
    return {"kind": item.kind, "verdict": verdict, "key": item.dedupe_key, "problem": problem}


async def _fold(
    session: AsyncSession,
    source: Connected,
    records: AbstractSet[Key],
    pairs: AbstractSet[tuple[Key, Key]],
    mentioned: AbstractSet[Key],
    at: datetime,
) -> None:
    """Bring the states of what changed up to date, then settle all that was mentioned or depends on it.

    What was mentioned is settled even if nothing new was learnt: an adapter that was mended may see more in it.
    """
    known = await histories.load(session, source.org_id, source.id, records)
    await histories.erase(session, source.org_id, known)
    whole = known.changed() & records
    merged = {key for key in whole if known.stored[key][0] != known.records[key].merged_into}
    left = {(key[0], into) for key in merged if (into := known.stored[key][0])}
    await histories.store_states(session, source.org_id, known, records, source.adapter, source.mapping, at)
    learnt = Learnt(records, whole, merged | left, pairs)
    touched = await dependents(session, source.org_id, source.id, learnt, ACTIVITIES) if records or pairs else set()
    await settle(session, source, touched | mentioned, at)


async def settle(session: AsyncSession, source: Connected, keys: Collection[Key], at: datetime) -> int:
    """Make the events of these records what follows from them now; gives how many revisions that took."""
    telling = {key for key in keys if key[0] != "company"}
    known = await histories.load(session, source.org_id, source.id, telling)
    continuing = [key for key, record in known.records.items() if record.text(CONTINUES)]
    await histories.store_states(session, source.org_id, known, continuing, source.adapter, source.mapping, at)
    network = await around(session, source.org_id, source.id, known.records)
    desired: Mapping[str, Sequence[EventFacts]] = {
        f"{object_}:{external_id}:": source.adapter.translate(record, network, source.mapping, source.key)
        for (object_, external_id), record in known.records.items()
    }
    if not desired:
        return 0
    return await settle_derived(session, org_id=source.org_id, source_id=source.id, desired=desired)


async def failed(session: AsyncSession, org_id: OrganizationId, work: jobs.Work, error: str) -> None:
    """Tell on the delivery that its translation failed, and with which kind of error."""
    await session.execute(
        update(Delivery)
        .where(Delivery.org_id == org_id, Delivery.id == UUID(work.payload["delivery_id"]))
        .values(verdict="failed", error=error)
    )


async def refold(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate a source's records again, some at a time; the job hands the rest over to its successor."""
    for work in works:
        source_id = UUID(work.payload["source_id"])
        at = await clock.tick(session, org_id)
        source = await connected(session, org_id, source_id)
        keys, last = await _records_after(session, source, work.payload.get("after"))
        if not keys:
            continue
        known = await histories.load(session, org_id, source_id, keys)
        await histories.store_states(session, org_id, known, keys, source.adapter, source.mapping, at)
        await settle(session, source, keys, at)
        await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id), "after": str(last)}])


async def _records_after(session: AsyncSession, source: Connected, after: str | None) -> tuple[list[Key], UUID | None]:
    wanted = select(CrmRecord.id, CrmRecord.object, CrmRecord.external_id).where(
        CrmRecord.org_id == source.org_id, CrmRecord.source_id == source.id
    )
    if after is not None:
        wanted = wanted.where(CrmRecord.id > UUID(after))
    rows = (await session.execute(wanted.order_by(CrmRecord.id).limit(REFOLD_ROWS))).all()
    return [(row.object, row.external_id) for row in rows], rows[-1].id if rows else None


async def refold_all(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate the records of every source again: the organization's zone moved, and with it local days."""
    found = await session.execute(select(SourceConnection.source_id).where(SourceConnection.org_id == org_id))
    await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id)} for source_id in found.scalars()])
