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
from app.core.telemetry import log
from app.events.bulk import among
from app.events.facts import EventFacts, fault_of
from app.events.service import settle_derived
from app.events.sources import Source
from app.events.waking import wake
from app.integrations import histories
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import Adapter, Item, Json, Unparseable
from app.integrations.folding import CONTINUES, ERASED, FieldChange, Key, LinkChange
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.mapping import mapping_of
from app.integrations.models import CrmRecord, Delivery, SourceConnection
from app.integrations.neighborhood import Learnt, around, dependents

TRANSLATE = "translate-delivery"
FORGET = "forget-in-deliveries"
REFOLD = "refold-records"
REFOLD_ALL = "refold-sources"
REFOLD_ROWS = 500
ACTIVITIES = frozenset({"call", "meeting", "email", "activity"})

# The first of these that any message of a delivery has is the delivery's.
_RANK = ("failed", "translated", "foreign_account", "unparseable", "ignored")


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
    """What a delivery says: its messages with their verdicts, each with the objects that it concerns.

    `body` is what could be read of one that was kept raw; `error` says why nothing could.
    """

    delivery: Delivery
    items: list[tuple[dict[str, Any], frozenset[Key]]]
    body: Json
    error: str | None = None


@dataclass
class Read:
    """What some deliveries say, before anything is locked."""

    fields: list[FieldChange] = field(default_factory=list)
    links: list[LinkChange] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)

    def mentioned(self) -> frozenset[Key]:
        """The objects that something is said about."""
        told = {(change.object, change.id) for change in self.fields}
        return frozenset(told | {end for link in self.links for end in link.ends})


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
    source, read, at = await read_locked(session, org_id, source_id, deliveries)
    learnt = await learn(session, source, read, at)
    touched = (
        await dependents(session, org_id, source_id, learnt, ACTIVITIES) if learnt.records or learnt.pairs else set()
    )
    # What was mentioned is settled even if nothing new was learnt: an adapter that was mended may see more in it.
    judge(read, await settle(session, source, touched | read.mentioned(), at), at)


async def read_locked(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, deliveries: Sequence[Delivery]
) -> tuple[Connected, Read, datetime]:
    """Read everything first; then the ledger's lock; then what decides anything (`design.md` section 3)."""
    source = await connected(session, org_id, source_id)
    read = _read(source, deliveries)
    at = await clock.tick(session, org_id, only_events=True)
    now = await connected(session, org_id, source_id)
    if now.version != source.version:
        source, read = now, _read(now, deliveries)
    return source, read, at


def _read(source: Connected, deliveries: Iterable[Delivery]) -> Read:
    read = Read()
    for delivery in deliveries:
        try:
            body = delivery.body if delivery.raw is None else source.adapter.redact(delivery.raw, source.mapping)
        except Unparseable as problem:
            read.judged.append(Judged(delivery, [], None, str(problem)))
            continue
        items = [_read_item(source, item, read) for item in source.adapter.split(body)]
        read.judged.append(Judged(delivery, items, body))
    return read


def _read_item(source: Connected, item: Item, read: Read) -> tuple[dict[str, Any], frozenset[Key]]:
    """One message: a bad one has its own verdict, and never fails the rest."""
    verdict, problem = "ignored", item.problem
    said = Read()
    if problem is None and item.account_id != source.account_id:
        verdict = "foreign_account"
    elif problem is None:
        try:
            fields, links = source.adapter.fold(item, source.mapping)
        except Unparseable as told:
            problem = str(told)
        else:
            said = Read(list(fields), list(links))
            verdict = "translated" if fields or links else "ignored"
    if problem is not None:
        verdict = "unparseable"
    read.fields.extend(said.fields)
    read.links.extend(said.links)
    return {"kind": item.kind, "verdict": verdict, "key": item.dedupe_key, "problem": problem}, said.mentioned()


async def learn(session: AsyncSession, source: Connected, read: Read, at: datetime) -> Learnt:
    """Add what was read to the histories, and bring the states of what changed up to date."""
    org_id = source.org_id
    records = await histories.learn_fields(session, org_id, source.id, read.fields, at)
    pairs = await histories.learn_links(session, org_id, source.id, read.links, at)
    known = await histories.load(session, org_id, source.id, records)
    erased = await histories.erase(session, org_id, known)
    whole = known.changed() & records
    merged = {key for key in whole if known.stored[key][0] != known.records[key].merged_into}
    left = {(key[0], into) for key in merged if (into := known.stored[key][0])}
    await histories.store_states(session, org_id, known, records, source.adapter, source.mapping, at)
    for judged in read.judged:
        _keep(judged, source.adapter, erased)
    if told := sorted(erased & {(change.object, change.id) for change in read.fields if change.field == ERASED}):
        await jobs.enqueue(session, org_id, FORGET, [{"source_id": str(source.id), "objects": told}])
    return Learnt(records, whole, merged | left, pairs)


def _keep(judged: Judged, adapter: Adapter, erased: Collection[Key]) -> None:
    """Keep what could be read of a raw body, and of erased objects no values, however late they come."""
    delivery = judged.delivery
    if judged.body is not None and (delivery.raw is not None or erased):
        delivery.body, delivery.raw = adapter.forget(judged.body, erased), None


def judge(read: Read, refused: Mapping[Key, str], at: datetime) -> None:
    """Tell on the deliveries what became of them; `refused` are the records whose events could not be written."""
    for judged in read.judged:
        delivery = judged.delivery
        delivery.items = [_told(item, keys, refused) for item, keys in judged.items]
        verdicts = {item["verdict"] for item in delivery.items}
        found = next((each for each in _RANK if each in verdicts), "ignored")
        delivery.verdict = found if judged.error is None else "unparseable"
        problems = (item["problem"] for item in delivery.items if item["verdict"] == "failed")
        delivery.error = judged.error or next(problems, None)
        delivery.processed_at = at


def _told(item: dict[str, Any], keys: AbstractSet[Key], refused: Mapping[Key, str]) -> dict[str, Any]:
    problem = next((refused[key] for key in sorted(keys) if key in refused), None)
    return item if problem is None else {**item, "verdict": "failed", "problem": problem}


async def settle(session: AsyncSession, source: Connected, keys: Collection[Key], at: datetime) -> Mapping[Key, str]:
    """Make the events of these records what follows from them now.

    Gives the records whose events the ledger would refuse, each with the reason: what stands of these, stays.
    """
    telling = {key for key in keys if key[0] != "company"}
    known = await histories.load(session, source.org_id, source.id, telling)
    continuing = [key for key, record in known.records.items() if record.text(CONTINUES)]
    await histories.store_states(session, source.org_id, known, continuing, source.adapter, source.mapping, at)
    network = await around(session, source.org_id, source.id, known.records)
    events = {
        key: source.adapter.translate(record, network, source.mapping, source.key)
        for key, record in known.records.items()
    }
    refused = {key: reason for key, facts in events.items() if (reason := _refusal(facts))}
    for reason in refused.values():
        log.warning("record-refused", org_id=str(source.org_id), source_id=str(source.id), reason=reason)
    desired = {f"{key[0]}:{key[1]}:": facts for key, facts in events.items() if key not in refused}
    if desired:
        await settle_derived(session, org_id=source.org_id, source_id=source.id, desired=desired)
    return refused


def _refusal(facts: Iterable[EventFacts]) -> str | None:
    """Why the ledger would refuse one of these; it names the field, never the value."""
    faults = ((each.external_id, fault_of(each)) for each in facts)
    return next((f"{told}: {fault.field} {fault.reason}" for told, fault in faults if fault), None)


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
        at = await clock.tick(session, org_id, only_events=True)
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
    """Translate the records of every source again: the organization's zone moved, and with it local days.

    Figures kept ready are begun anew.
    """
    await wake(session, org_id)
    found = await session.execute(select(SourceConnection.source_id).where(SourceConnection.org_id == org_id))
    await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id)} for source_id in found.scalars()])
