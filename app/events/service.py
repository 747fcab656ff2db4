"""Writing of the ledger: facts in, outcomes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.events import queries
from app.events.decide import WRITTEN, Outcome, State, decide, following, reason_of
from app.events.facts import EventFacts, Fault, content_digest, fault_of, normalized, retraction
from app.events.heads import Head, heads_under, lock_heads, store_heads
from app.events.retention import Kept, kept_days, look_for_gone
from app.events.writing import Changes
from app.teams.facts import Person
from app.teams.service import resolve_identities


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
    read = [fault_of(each) or _posting(each) for each in facts]
    at = await clock.tick(session, org_id, only_events=True)
    currency, kept = await _terms(session, org_id, source_id)
    postings = read if currency is None else [_in_currency(posting, currency) for posting in read]
    valid = [posting for posting in postings if isinstance(posting, _Posting)]
    heads = await lock_heads(session, org_id, source_id, (posting.facts.external_id for posting in valid))
    if kept is not None:
        await look_for_gone(session, org_id, kept, [posting.facts for posting in valid], heads)
    stored = {key: head.state for key, head in heads.items()}
    outcomes = [
        Outcome(each.external_id, "rejected", None, posting.field, posting.reason)
        if isinstance(posting, Fault)
        else _act(heads[each.external_id], posting, kept)
        for each, posting in zip(facts, postings, strict=True)
    ]
    written = [
        posting
        for posting, outcome in zip(postings, outcomes, strict=True)
        if isinstance(posting, _Posting) and outcome.outcome in WRITTEN
    ]
    if written:
        await _write(session, Changes(org_id, source_id, at), heads, written, origin or {})
    await store_heads(session, org_id, source_id, [head for key, head in heads.items() if head.state != stored[key]])
    return outcomes


async def _write(
    session: AsyncSession,
    changes: Changes,
    heads: Mapping[str, Head],
    written: Sequence[_Posting],
    origin: Mapping[str, str],
) -> None:
    changed = {posting.facts.external_id for posting in written}
    in_its_currency = {**origin, "currency": "source"}
    await changes.load_standing(session, [heads[key] for key in changed])
    people = await _identities(session, changes.org_id, changes.source_id, written)
    for posting in written:
        head = heads[posting.facts.external_id]
        if posting.facts.retracted:
            changes.take_back(head, posting.facts.version, origin)
        else:
            changes.tell(head, posting.facts, people, in_its_currency if posting.takes_currency else origin)
    await changes.write(session)


async def settle_derived(
    session: AsyncSession,
    *,
    org_id: OrganizationId,
    source_id: UUID,
    desired: Mapping[str, Sequence[EventFacts]],
) -> int:
    """Make the events of records exactly those desired; gives how many revisions that took.

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
        return 0
    origin = {"via": "record"}
    outcomes = await record_events(session, org_id=org_id, source_id=source_id, facts=changes, origin=origin)
    return sum(outcome.outcome in WRITTEN for outcome in outcomes)


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
    found = (await session.execute(queries.terms_of_source(org_id, source_id))).one()
    return found.currency, await kept_days(session, org_id, found.before, found.time_zone)


def _posting(facts: EventFacts) -> _Posting:
    ready = normalized(facts)
    return _Posting(ready, State(facts.version, content_digest(ready), facts.retracted), takes_currency=False)


def _in_currency(posting: _Posting | Fault, currency: str) -> _Posting | Fault:
    """The posting with the source's currency, if it has an amount without one."""
    if isinstance(posting, Fault) or posting.facts.amount is None or posting.facts.currency is not None:
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


async def _identities(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, written: Iterable[_Posting]
) -> Mapping[str, UUID]:
    """The identity of everybody who is named, made where it is new."""
    named = dict.fromkeys(
        person
        for posting in written
        if not posting.facts.retracted
        for person in (posting.facts.actor, *(credit.person for credit in posting.facts.credits))
        if person is not None
    )
    people = [Person(*person) for person in named]
    return await resolve_identities(session, org_id, source_id, people) if people else {}
