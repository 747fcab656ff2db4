"""Writing of the ledger: facts in, outcomes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId, Ready
from app.core.ids import new_id
from app.events.bulk import Encoded
from app.events.decide import WRITTEN, Outcome, State, decide, following, reason_of
from app.events.facts import EventFacts, Fault, content_digest, fault_of, normalized, retraction
from app.events.heads import Head, are_new, encoded, heads_under, lock_heads, store_heads
from app.events.retention import Kept, kept_days, latest_archive, look_for_gone
from app.events.sources import Source
from app.events.writing import Changes, Inserted
from app.teams.facts import Person
from app.teams.service import known_identities, resolve_identities


class InvalidFactsError(ValueError):
    """Derived facts that the ledger does not take: a defect of an adapter or a mapping, nothing was written."""

    def __init__(self, external_id: str, fault: Fault) -> None:
        super().__init__(f"{external_id}: {fault.field} {fault.reason}")
        self.external_id = external_id
        self.fault = fault


@dataclass(slots=True)
class _Posting:
    """Facts made ready to be compared; `takes_currency` where the source's currency was filled in (S27)."""

    facts: EventFacts
    state: State
    takes_currency: bool


@dataclass(slots=True)
class _Judged:
    """The items of a batch with their outcomes, and the heads as they become and as they were stored."""

    postings: list[_Posting | Fault]
    outcomes: list[Outcome]
    heads: dict[str, Head]
    stored: dict[str, State | None]


async def record_events(
    session: AsyncSession,
    *,
    org_id: OrganizationId,
    source_id: UUID,
    facts: Sequence[EventFacts],
    origin: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Write facts of one source into the ledger; gives the outcome of each, in their order.

    Invalid facts are `rejected` and never keep the others back; so are those of days that are not kept any more,
    unless they say nothing new. `origin` says how they came.
    """
    read = [_read(each) for each in facts]
    draft = await _drafted(session, org_id, source_id, read, origin or {})
    at = await clock.tick(session, org_id, only_events=True)
    if draft is not None and await _holds(session, org_id, source_id, draft):
        await draft.write(session, org_id, source_id, at)
        return draft.outcomes
    judged = await _judge(session, org_id, source_id, facts, read)
    written = [
        posting
        for posting, outcome in zip(judged.postings, judged.outcomes, strict=True)
        if isinstance(posting, _Posting) and outcome.outcome in WRITTEN
    ]
    if written:
        await _write(session, Changes(org_id, source_id, at), judged.heads, written, origin or {})
    changed = [head for key, head in judged.heads.items() if head.state != judged.stored[key]]
    await store_heads(session, org_id, source_id, changed)
    return judged.outcomes


async def foretell_events(
    session: AsyncSession,
    *,
    org_id: OrganizationId,
    source_id: UUID,
    facts: Sequence[EventFacts],
    before: Mapping[str, State],
) -> tuple[list[Outcome], dict[str, State]]:
    """What `record_events` would answer, and what would be stored of each event; nothing is written.

    `before` is what facts that were foretold earlier would have stored, by external id.
    """
    read = [_read(each) for each in facts]
    judged = await _judge(session, org_id, source_id, facts, read, before)
    return judged.outcomes, {key: head.state for key, head in judged.heads.items() if head.state is not None}


async def _judge(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    facts: Sequence[EventFacts],
    read: Sequence[_Posting | Fault],
    before: Mapping[str, State] = MappingProxyType({}),
) -> _Judged:
    """Decide each item; the heads are locked, and become what follows."""
    currency, kept = await _terms(session, org_id, source_id)
    postings = [
        posting if currency is None or isinstance(posting, Fault) else _in_currency(posting, currency)
        for posting in read
    ]
    valid = [posting for posting in postings if isinstance(posting, _Posting)]
    heads = await lock_heads(session, org_id, source_id, (posting.facts.external_id for posting in valid))
    for key in heads.keys() & before.keys():
        heads[key].state = before[key]
    if kept is not None:
        await look_for_gone(session, org_id, kept, [posting.facts for posting in valid], heads)
    stored = {key: head.state for key, head in heads.items()}
    outcomes = [
        Outcome(each.external_id, "rejected", None, posting.field, posting.reason)
        if isinstance(posting, Fault)
        else _act(heads[each.external_id], posting, kept)
        for each, posting in zip(facts, postings, strict=True)
    ]
    return _Judged(postings, outcomes, heads, stored)


async def _write(
    session: AsyncSession,
    changes: Changes,
    heads: Mapping[str, Head],
    written: Sequence[_Posting],
    origin: Mapping[str, str],
) -> None:
    changed = {posting.facts.external_id for posting in written}
    await changes.load_standing(session, [heads[key] for key in changed])
    people = _named(written)
    known = await resolve_identities(session, changes.org_id, changes.source_id, people) if people else {}
    _tell(changes, heads, written, known, origin)
    await changes.write(session)


def _tell(
    changes: Changes,
    heads: Mapping[str, Head],
    written: Sequence[_Posting],
    people: Mapping[str, UUID],
    origin: Mapping[str, str],
) -> None:
    in_its_currency = {**origin, "currency": "source"}
    for posting in written:
        head = heads[posting.facts.external_id]
        if posting.facts.retracted:
            changes.take_back(head, posting.facts.version, origin)
        else:
            changes.tell(head, posting.facts, people, in_its_currency if posting.takes_currency else origin)


# ---------------------------------------------------------------------------- what is ready before the clock is locked

WORTH_A_DRAFT = 20
"""Of fewer events the statements cost more than the rows."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a batch writes if the ledger knows none of its events, ready to be sent.

    All writers of an organization wait for its clock. Most batches tell of new events only: then all that is to be done
    while it is held is to see that this is so. A draft that does not hold is forgotten, and each item decided.
    """

    facts: Sequence[EventFacts]
    currency: str | None
    outcomes: list[Outcome]
    inserted: Inserted
    heads: Encoded

    async def write(self, session: AsyncSession, org_id: OrganizationId, source_id: UUID, at: datetime) -> None:
        await self.heads.insert(session, org_id=org_id, source_id=source_id)
        await self.inserted.insert(session, org_id, source_id, at)


async def _drafted(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    read: Sequence[_Posting | Fault],
    origin: Mapping[str, str],
) -> _Draft | None:
    """A draft of a batch that looks new; None where the clock is held already, or something has to be decided."""
    told = [posting for posting in read if isinstance(posting, _Posting) and not posting.facts.retracted]
    keys = {posting.facts.external_id for posting in told}
    if len(keys) < max(len(read), WORTH_A_DRAFT) or clock.is_locked(session):
        return None
    if not await are_new(session, org_id, source_id, [told[0].facts.external_id]):
        return None
    people = await known_identities(session, org_id, source_id, _named(told))
    if people is None:
        return None
    currency, _ = await _terms(session, org_id, source_id)
    postings = told if currency is None else [_in_currency(posting, currency) for posting in told]
    changes = Changes(org_id, source_id, None)
    heads = {key: Head(key, new_id(), None, 0) for key in sorted(keys)}
    _tell(changes, heads, postings, people, origin)
    for posting in postings:
        heads[posting.facts.external_id].state = posting.state
    outcomes = [Outcome(key, "accepted", heads[key].event_id) for key in (each.facts.external_id for each in told)]
    return _Draft([each.facts for each in postings], currency, outcomes, changes.encoded(), encoded(heads.values()))


async def _holds(session: AsyncSession, org_id: OrganizationId, source_id: UUID, draft: _Draft) -> bool:
    """Whether the draft is what is to be written, now that nobody else writes."""
    currency, kept = await _terms(session, org_id, source_id)
    return (
        currency == draft.currency
        and (kept is None or all(map(kept.keeps, draft.facts)))
        and await are_new(session, org_id, source_id, [each.external_id for each in draft.facts])
    )


async def settle_derived(
    session: AsyncSession,
    *,
    org_id: OrganizationId,
    source_id: UUID,
    desired: Mapping[str, Sequence[EventFacts]],
) -> list[Outcome]:
    """Make the events of records exactly those desired; gives what was written.

    A key is the prefix of a record's external ids, such as `deal:508:`; what stands under it and is not
    desired is retracted. Each difference is written as the head's version + 1; those of days that are not kept
    any more are left alone. Raises `InvalidFactsError` before anything is written.
    """
    await clock.tick(session, org_id, only_events=True)
    currency, _ = await _terms(session, org_id, source_id)
    heads = await heads_under(session, org_id, source_id, desired)
    changes: list[EventFacts] = []
    wanted: set[str] = set()
    for prefix, facts in desired.items():
        for each in facts:
            _insist(prefix, each, wanted)
            wanted.add(each.external_id)
            head = heads.get(each.external_id)
            if head is None or head.state is None or head.state.content != _content(each, currency):
                changes.append(replace(each, version=_next_version(head)))
    for external_id, head in heads.items():
        if external_id not in wanted and head.state is not None and not head.state.retracted:
            changes.append(retraction(external_id, _next_version(head)))
    if not changes:
        return []
    origin = {"via": "record"}
    outcomes = await record_events(session, org_id=org_id, source_id=source_id, facts=changes, origin=origin)
    return [outcome for outcome in outcomes if outcome.outcome in WRITTEN]


def _insist(prefix: str, facts: EventFacts, told: set[str]) -> None:
    if facts.external_id in told:
        raise InvalidFactsError(facts.external_id, Fault("/external_id", "is told twice"))
    if not facts.external_id.startswith(prefix):
        raise InvalidFactsError(facts.external_id, Fault("/external_id", f"does not begin with {prefix}"))
    if (fault := fault_of(facts)) is not None:
        raise InvalidFactsError(facts.external_id, fault)


def _next_version(head: Head | None) -> int:
    return head.state.version + 1 if head is not None and head.state is not None else 1


async def _terms(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> tuple[str | None, Kept | None]:
    """The currency of amounts without one, and the days of which facts are taken (None: of all)."""
    found = await _TERMS.row(session, org_id=org_id, source_id=source_id)
    assert found is not None, "facts are of a source that is there"  # noqa: S101
    return found["currency"], await kept_days(session, org_id, found["before"], found["time_zone"])


_ARCHIVE = latest_archive(bindparam("org_id", type_=Uuid())).subquery("archive")
_TERMS = Ready(
    select(Source.currency, _ARCHIVE.c.before, _ARCHIVE.c.time_zone)
    .outerjoin(_ARCHIVE, _ARCHIVE.c.org_id == Source.org_id)
    .where(Source.org_id == bindparam("org_id"), Source.id == bindparam("source_id"))
)


def _read(facts: EventFacts) -> _Posting | Fault:
    return fault_of(facts) or _posting(facts)


def _posting(facts: EventFacts) -> _Posting:
    ready = normalized(facts)
    return _Posting(ready, State(facts.version, content_digest(ready), facts.retracted), takes_currency=False)


def _in_currency(posting: _Posting, currency: str) -> _Posting:
    """The posting with the source's currency, if it has an amount without one."""
    if posting.facts.amount is None or posting.facts.currency is not None:
        return posting
    ready = replace(posting.facts, currency=currency)
    return _Posting(ready, replace(posting.state, content=content_digest(ready)), takes_currency=True)


def _content(facts: EventFacts, currency: str | None) -> bytes:
    """The digest by which the facts would be stored."""
    ready = normalized(facts)
    if ready.amount is not None and ready.currency is None:
        ready = replace(ready, currency=currency)
    return content_digest(ready)


def _act(head: Head, posting: _Posting, kept: Kept | None) -> Outcome:
    """Decide one item, and let its head be what follows."""
    verdict = decide(head.state, posting.state)
    if kept is not None and verdict in WRITTEN and (fault := kept.fault_of(posting.facts)) is not None:
        return Outcome(head.external_id, "rejected", None, fault.field, fault.reason)
    reason = reason_of(head.state, posting.state, verdict)
    head.state = following(head.state, posting.state, verdict)
    field = None if reason is None else "/version"
    return Outcome(head.external_id, verdict, head.event_id, field, reason)


def _named(postings: Iterable[_Posting]) -> list[Person]:
    """Everybody who is named."""
    named = dict.fromkeys(
        person
        for posting in postings
        if not posting.facts.retracted
        for person in (posting.facts.actor, *(credit.person for credit in posting.facts.credits))
        if person is not None
    )
    return [Person(*person) for person in named]
