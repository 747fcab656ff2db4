"""Use cases of posting: read items of one or more sources, write them, and tell what became of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.problems import ErrorItem, Problem, ValidationFailed
from app.events import queries, schemas
from app.events.decide import Outcome, Verdict
from app.events.models import CloudEventSource
from app.events.service import record_events
from app.events.wire import Told, Unreadable


class SourceNotYours(Problem):
    """Only its own adapter writes the events of a connected CRM: post to a source of the system `api`."""

    status, code, title = 403, "source-not-yours", "Source is written by its adapter"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the items of a batch, in their order; on the wire `schemas.BatchOutcome`."""

    items: list[Outcome]
    counts: dict[Verdict, int]

    def to_json(self) -> bytes:
        """As it is answered: thousands of items, written without a model of each."""
        return _OUTCOMES.dump_json(self)


_OUTCOMES = TypeAdapter(Outcomes)


class _Refused(Exception):  # noqa: N818  # control flow: an item that cannot be written, and why
    def __init__(self, error: ErrorItem) -> None:
        super().__init__(error.message)
        self.error = error


async def post_one(session: AsyncSession, who: Principal, item: Told | Unreadable) -> schemas.EventOutcome:
    """Write one item. Raises `ValidationFailed` or `SourceNotYours` for what a batch would list as rejected."""
    if isinstance(item, Unreadable):
        raise _invalid(item.errors)
    try:
        source_id = _source_of(item, await _sources(session, who, [item]))
    except _Refused as refused:
        if refused.error.code == SourceNotYours.code:
            raise SourceNotYours(refused.error.message) from None
        raise _invalid([refused.error]) from None
    outcome = (await _record(session, who, source_id, [item]))[0]
    if outcome.outcome == "rejected":
        raise ValidationFailed.at(outcome.field or "", outcome.reason or "")
    return schemas.EventOutcome.model_validate(outcome)


async def post_many(session: AsyncSession, who: Principal, items: Sequence[Told | Unreadable]) -> Outcomes:
    """Write a batch: each item has its outcome, and a bad one never keeps the others back."""
    outcomes: dict[int, Outcome] = {}
    by_source: dict[UUID, list[tuple[int, Told]]] = {}
    sources = await _sources(session, who, [item for item in items if isinstance(item, Told)])
    for place, item in enumerate(items):
        if isinstance(item, Unreadable):
            outcomes[place] = _rejected(item.external_id, item.errors[0])
            continue
        try:
            by_source.setdefault(_source_of(item, sources), []).append((place, item))
        except _Refused as refused:
            outcomes[place] = _rejected(item.facts.external_id, refused.error)
    for source_id, placed in sorted(by_source.items()):
        made = await _record(session, who, source_id, [item for _, item in placed])
        for (place, _), outcome in zip(placed, made, strict=True):
            outcomes[place] = outcome
    told = [outcomes[place] for place in range(len(items))]
    return Outcomes(told, dict(Counter(outcome.outcome for outcome in told)))


async def _record(session: AsyncSession, who: Principal, source_id: UUID, items: Sequence[Told]) -> list[Outcome]:
    facts = [item.facts for item in items]
    origin = {"via": "cloudevents" if items[0].is_cloud_event else "api", "key_id": str(who.key_id)}
    outcomes = await record_events(session, org_id=who.org_id, source_id=source_id, facts=facts, origin=origin)
    return [
        outcome
        if outcome.field is None
        else Outcome(
            outcome.external_id, outcome.outcome, outcome.event_id, item.pointer(outcome.field), outcome.reason
        )
        for item, outcome in zip(items, outcomes, strict=True)
    ]


async def _sources(session: AsyncSession, who: Principal, items: Sequence[Told]) -> dict[str, tuple[UUID, str]]:
    """Id and system of every source that is named, by key or by URI."""
    names = {item.source for item in items}
    if items and items[0].is_cloud_event:
        statement = (
            queries.cloud_event_sources(who.org_id)
            .where(CloudEventSource.uri.in_(sorted(names)))
            .with_only_columns(CloudEventSource.uri, CloudEventSource.source_id)
        )
        return {uri: (source_id, "api") for uri, source_id in await session.execute(statement)}
    found = await session.execute(queries.sources_by_key(who.org_id, names))
    return {key: (source_id, system) for key, source_id, system in found}


def _source_of(item: Told, sources: dict[str, tuple[UUID, str]]) -> UUID:
    name = item.source[:200]
    if item.source not in sources:
        hint = f"no source has the URI {name}: PUT it to /v1/cloud-event-sources" if item.is_cloud_event else None
        message = hint or f"no source has the key {name}"
        raise _Refused(ErrorItem(pointer="/source", message=message, code="source_unknown"))
    source_id, system = sources[item.source]
    if system != "api":
        message = f"Only the adapter of {name} writes its events."
        raise _Refused(ErrorItem(pointer="/source", message=message, code=SourceNotYours.code))
    return source_id


def _rejected(external_id: str | None, error: ErrorItem) -> Outcome:
    return Outcome(external_id, "rejected", None, error.pointer, error.message)


def _invalid(errors: Sequence[ErrorItem]) -> ValidationFailed:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return ValidationFailed(f"{first.pointer or 'The event'}: {first.message}{more}.", errors)
