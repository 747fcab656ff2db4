"""From stored deliveries to events: fold what they say into records, and settle what follows from these."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.service import get_organization
from app.core import clock, jobs
from app.core.db import OrganizationId, Ready, plan_as_tables_grow
from app.core.sealing import keyring_of
from app.core.telemetry import log
from app.events.bulk import Amendment, among
from app.events.decide import Outcome
from app.events.facts import EventFacts, fault_of
from app.events.service import settle_derived
from app.events.sources import Source
from app.integrations import histories, queries, sealed, to_fetch
from app.integrations.adapters import ADAPTERS
from app.integrations.adapters.base import Adapter, Item, Json, RawRequest, Unparseable
from app.integrations.folding import CONTINUES, ERASED, FieldChange, Key, LinkChange
from app.integrations.histories import NOTHING_KNOWN, Known
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.mapping import changed, mapping_of
from app.integrations.models import Delivery, SourceConnection
from app.integrations.neighborhood import Learnt, around, dependents

TRANSLATE = "translate-delivery"
FORGET = "forget-in-deliveries"
# What hangs on deals, leads and contacts, and is translated again with them.
ACTIVITIES = frozenset({"activity", "call", "email", "feedback", "meeting", "quote"})

# The first of these that any message of a delivery has is the delivery's.
_RANK = ("failed", "translated", "foreign_account", "unparseable", "ignored")


@dataclass(frozen=True, slots=True)
class Connected:
    """A source as translations need it; `version` grows with every change of its mapping.

    `secrets` opens those that are active: encrypted bodies that are read again need them. `may_fetch`: there are
    credentials by which the system can be asked.
    """

    org_id: OrganizationId
    id: UUID
    key: str
    account_id: str
    adapter: Adapter
    mapping: SourceMapping
    secrets: Callable[[], Sequence[str]]
    may_fetch: bool
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
    wanted: set[Key] = field(default_factory=set)
    judged: list[Judged] = field(default_factory=list)

    def mentioned(self) -> frozenset[Key]:
        """The objects that something is said about."""
        told = {(change.object, change.id) for change in self.fields}
        return frozenset(told | {end for link in self.links for end in link.ends})

    def posted(self) -> frozenset[Key]:
        """Those that the system posted something about: what it was asked for would not be more complete again."""
        items = (item for each in self.judged if each.delivery.origin == "webhook" for item in each.items)
        return frozenset(key for _, keys in items for key in keys)


async def connected(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, trying: Mapping[str, Any] | None = None
) -> Connected:
    """The source with its mapping as it is now, or as it would be with what is tried."""
    found = await session.execute(
        select(
            Source,
            SourceConnection,
            queries.secrets_in_use(org_id, source_id),
            queries.credentials_there(org_id, source_id),
        )
        .join(
            SourceConnection,
            and_(SourceConnection.org_id == Source.org_id, SourceConnection.source_id == Source.id),
        )
        .where(Source.org_id == org_id, Source.id == source_id, SourceConnection.org_id == org_id)
        .execution_options(populate_existing=True)
    )
    source, connection, secrets, may_fetch = found.one()
    organization = await get_organization(session, org_id)
    adapter = ADAPTERS[source.system]
    configured = changed(connection.mapping, trying or {})
    mapping = mapping_of(configured, adapter.defaults, organization.time_zone)
    account_id, version = connection.account_id, connection.version
    # Opened only where they are needed, which is seldom.
    secret = partial(sealed.opened, keyring_of(session), org_id, source_id, sealed.SECRET, secrets or ())
    return Connected(org_id, source_id, source.key, account_id, adapter, mapping, secret, may_fetch, version)


async def translate(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Translate the deliveries of these jobs, source by source."""
    await plan_as_tables_grow(session, len(works))
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
    _, settled = await apply(session, source, read, at)
    await judge(session, org_id, read, settled.refused, at)
    await to_fetch.note(
        session,
        org_id,
        source_id,
        told=read.wanted,
        mentioned=read.posted(),
        may_fetch=source.may_fetch,
        at=at,
    )


async def apply(session: AsyncSession, source: Connected, read: Read, at: datetime) -> tuple[Learnt, "Settled"]:
    """Learn what was read, and settle what follows; the ledger's lock must be held."""
    learnt = await learn(session, source, read, at)
    touched = (
        await dependents(session, source.org_id, source.id, learnt, ACTIVITIES, source.adapter.lent_owner)
        if learnt.records or learnt.pairs
        else set()
    )
    # What was mentioned is settled even if nothing new was learnt: an adapter that was mended may see more in it.
    return learnt, await settle(session, source, touched | read.mentioned(), at, learnt.known)


async def read_locked(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, deliveries: Sequence[Delivery]
) -> tuple[Connected, Read, datetime]:
    """Read everything first; then the ledger's lock; then what decides anything (`design.md` section 3)."""
    source = await connected(session, org_id, source_id)
    read = read_deliveries(source, deliveries)
    at = await clock.tick(session, org_id, only_events=True)
    now = await _VERSION.row(session, org_id=org_id, source_id=source_id)
    if now is None or now["version"] != source.version:
        source = await connected(session, org_id, source_id)
        read = read_deliveries(source, deliveries)
    return source, read, at


_VERSION = Ready(
    select(SourceConnection.version).where(
        SourceConnection.org_id == bindparam("org_id"), SourceConnection.source_id == bindparam("source_id")
    )
)


def read_deliveries(source: Connected, deliveries: Iterable[Delivery]) -> Read:
    """What the deliveries say, message by message."""
    read = Read()
    for delivery in deliveries:
        try:
            body = delivery.body if delivery.raw is None else _read_again(source, delivery)
        except Unparseable as problem:
            read.judged.append(Judged(delivery, [], None, str(problem)))
            continue
        items = [_read_item(source, item, read) for item in source.adapter.split(body)]
        read.judged.append(Judged(delivery, items, body))
    return read


def _read_again(source: Connected, delivery: Delivery) -> Json:
    """The body of a delivery that could not be read when it came, by the adapter of today."""
    request = RawRequest("POST", "", delivery.headers, delivery.raw or b"")
    return source.adapter.redact(request, source.secrets(), source.mapping)


def _read_item(source: Connected, item: Item, read: Read) -> tuple[dict[str, Any], frozenset[Key]]:
    """One message: a bad one has its own verdict, and never fails the rest."""
    verdict, problem = "ignored", item.problem
    said = Read()
    if problem is None and not source.adapter.is_of_account(item.account_id, source.account_id):
        verdict = "foreign_account"
    elif problem is None:
        try:
            fields, links, wanted = source.adapter.fold(item, source.mapping)
        except Unparseable as told:
            problem = str(told)
        else:
            said = Read(list(fields), list(links), set(wanted))
            verdict = "translated" if fields or links or wanted else "ignored"
    if problem is not None:
        verdict = "unparseable"
    read.fields.extend(said.fields)
    read.links.extend(said.links)
    read.wanted |= said.wanted
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
    # What continues an erased record was loaded with what is forgotten now.
    return Learnt(records, whole, merged | left, pairs, NOTHING_KNOWN if erased else known)


def _keep(judged: Judged, adapter: Adapter, erased: Collection[Key]) -> None:
    """Keep what could be read of a raw body, and of erased objects no values, however late they come."""
    delivery = judged.delivery
    if judged.body is not None and (delivery.raw is not None or erased):
        delivery.body, delivery.raw = adapter.forget(judged.body, erased), None


async def judge(
    session: AsyncSession, org_id: OrganizationId, read: Read, refused: Mapping[Key, str], at: datetime
) -> None:
    """Tell on the deliveries what became of them; `refused` are the records whose events could not be written."""
    told = [verdicts_of(judged, refused) for judged in read.judged]
    columns: dict[str, list[Any]] = {  # Any: values of columns
        "items": [each.items for each in told],
        "verdict": [each.verdict for each in told],
        "error": [each.error for each in told],
    }
    await _JUDGED.run(session, org_id, [judged.delivery.id for judged in read.judged], columns, at)


_JUDGED = Amendment(Delivery, "id", ("items", "verdict", "error"), same="processed_at")


class Verdicts(NamedTuple):
    """What became of each message of a delivery, and of the whole."""

    items: list[dict[str, Any]]  # Any: as they are stored
    verdict: str
    error: str | None


def verdicts_of(judged: Judged, refused: Mapping[Key, str]) -> Verdicts:
    """What became of a delivery; `refused` are the records whose events could not be written."""
    items = [_told(item, keys, refused) for item, keys in judged.items]
    return Verdicts(items, _verdict(judged, items), _error(judged, items))


def _verdict(judged: Judged, items: Sequence[Mapping[str, Any]]) -> str:
    if judged.error is not None:
        return "unparseable"
    verdicts = {item["verdict"] for item in items}
    return next((each for each in _RANK if each in verdicts), "ignored")


def _error(judged: Judged, items: Sequence[Mapping[str, Any]]) -> str | None:
    return judged.error or next((item["problem"] for item in items if item["verdict"] == "failed"), None)


def _told(item: dict[str, Any], keys: AbstractSet[Key], refused: Mapping[Key, str]) -> dict[str, Any]:
    problem = next((refused[key] for key in sorted(keys) if key in refused), None)
    return item if problem is None else {**item, "verdict": "failed", "problem": problem}


class Settled(NamedTuple):
    """What became of records: what was written of their events, and the reason for each whose events were refused."""

    refused: Mapping[Key, str]
    written: Sequence[Outcome]


async def settle(
    session: AsyncSession, source: Connected, keys: Collection[Key], at: datetime, known: Known = NOTHING_KNOWN
) -> Settled:
    """Make the events of these records what follows from them now; what is `known` of them is not loaded again.

    Where the ledger would refuse a record's events, what stands of it stays.
    """
    org_id = source.org_id
    unknown = {key for key in keys if key[0] != "company"} - known.records.keys()
    known = known.joined(await histories.load(session, org_id, source.id, unknown))
    telling = {key: record for key, record in known.records.items() if key[0] != "company"}
    continuing = [key for key, record in telling.items() if record.text(CONTINUES)]
    await histories.store_states(session, org_id, known, continuing, source.adapter, source.mapping, at)
    network = await around(session, org_id, source.id, telling, source.adapter.lent_owner)
    events = {
        key: source.adapter.translate(record, network, source.mapping, source.key) for key, record in telling.items()
    }
    refused = {key: reason for key, facts in events.items() if (reason := _refusal(facts))}
    for reason in refused.values():
        log.warning("record-refused", org_id=str(org_id), source_id=str(source.id), reason=reason)
    desired = {f"{key[0]}:{key[1]}:": facts for key, facts in events.items() if key not in refused}
    if not desired:
        return Settled(refused, [])
    return Settled(refused, await settle_derived(session, org_id=org_id, source_id=source.id, desired=desired))


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
