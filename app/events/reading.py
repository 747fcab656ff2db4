"""Use cases of reading the ledger, its catalogue, and the sources of CloudEvents."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import NotFound, ValidationFailed
from app.events import queries, schemas
from app.events.bulk import among
from app.events.catalogue import CATALOGUE
from app.events.facts import OWNER, WHOLE
from app.events.models import CloudEventSource, Event, EventType, EventTypeTaken, Source
from app.events.retention import latest_archive
from app.teams.models import Identity


class EventNotFound(NotFound):
    """There is no such event in this organization; the detail says so where older ones were archived or dropped."""

    code, title = "event-not-found", "Event not found"


class CloudEventSourceNotFound(NotFound):
    """There is no such entry for CloudEvents in this organization."""

    code, title = "cloud-event-source-not-found", "CloudEvent source not found"


# Role, identity and share of each credit, by revision.
_Listed = dict[UUID, list[tuple[str, UUID, Decimal]]]


async def list_events(session: AsyncSession, who: Principal, query: schemas.EventsQuery) -> schemas.EventPage:
    """Events as they stand, by the time at which they happened."""
    wanted = queries.events(who).where(*_filters(who.org_id, query))
    descending = query.sort.startswith("-")
    keys = [Key(Event.occurred_at, descending, is_nullable=True), Key(Event.row_id, descending)]
    rows, following = await paginate(session, wanted, keys, query)
    return schemas.EventPage(items=await shown(session, who.org_id, rows), next_cursor=following)


def _filters(org_id: OrganizationId, query: schemas.EventsQuery) -> list[Any]:  # Any: conditions of SQLAlchemy
    conditions: list[Any] = queries.recorded(query.recorded_from, query.recorded_to)
    if not query.include_retracted:
        conditions.append(Event.retracted.is_(False))
    if query.type:
        conditions.append(Event.type.in_(query.type))
    if query.source is not None:
        conditions.append(Source.key == query.source)
    if query.external_id is not None:
        conditions.append(queries.named(org_id, query.external_id))
    if query.identity is not None:
        conditions.append(queries.concerns(org_id, query.identity))
    if query.about is not None:
        thing, _, name = query.about.partition(":")
        conditions.append(Event.about[thing].astext == name)
    if query.occurred_from is not None:
        conditions.append(Event.occurred_at >= query.occurred_from)
    if query.occurred_to is not None:
        conditions.append(Event.occurred_at < query.occurred_to)
    return conditions


async def get_event(session: AsyncSession, who: Principal, event_id: UUID) -> schemas.Event:
    """The event as it stands, also when it is retracted."""
    rows = (await session.execute(queries.events(who).where(Event.event_id == event_id))).all()
    if not rows:
        raise EventNotFound(await _absent(session, who.org_id, event_id))
    return (await shown(session, who.org_id, rows))[0]


async def list_revisions(session: AsyncSession, who: Principal, event_id: UUID, query: PageQuery) -> schemas.EventPage:
    """All revisions of an event, the first one first."""
    wanted = queries.revisions(who).where(Event.event_id == event_id)
    rows, following = await paginate(session, wanted, [Key(Event.revision)], query)
    if not rows and query.cursor is None:
        raise EventNotFound(await _absent(session, who.org_id, event_id))
    return schemas.EventPage(items=await shown(session, who.org_id, rows), next_cursor=following)


async def _absent(session: AsyncSession, org_id: OrganizationId, event_id: UUID) -> str:
    """That there is no such event; where some were archived or dropped it may have been one of them."""
    archived = (await session.execute(latest_archive(org_id))).one_or_none()
    gone = f" Events of days before {archived.before} were archived or dropped." if archived else ""
    return f"No event {event_id}.{gone}"


async def shown(
    session: AsyncSession,
    org_id: OrganizationId,
    rows: Sequence[Any],  # Any: rows of (Event, key of the source)
) -> list[schemas.Event]:
    """The revisions with the people in them, as they are shown."""
    credits_: _Listed = defaultdict(list)
    shared = [event.row_id for event, _ in rows if event.is_shared]
    for credit in (await session.execute(queries.credits_of(org_id, shared))).scalars() if shared else ():
        credits_[credit.row_id].append((credit.role, credit.identity_id, credit.share))
    for event, _ in rows:
        if event.identity_id is not None:
            credits_[event.row_id] = [(OWNER, event.identity_id, WHOLE)]
    people = await _people(session, org_id, rows, credits_)
    return [_event(event, key, credits_[event.row_id], people) for event, key in rows]


async def _people(
    session: AsyncSession, org_id: OrganizationId, rows: Sequence[Any], credits_: _Listed
) -> dict[UUID, schemas.Person]:
    wanted = {event.actor_id for event, _ in rows if event.actor_id is not None}
    wanted |= {identity_id for listed in credits_.values() for _, identity_id, _ in listed}
    if not wanted:
        return {}
    found = await session.execute(
        select(Identity.id, Identity.external_id).where(Identity.org_id == org_id, among(Identity.id, sorted(wanted)))
    )
    return {identity_id: schemas.Person(id=name, identity_id=identity_id) for identity_id, name in found}


def _event(
    event: Event, source: str, listed: list[tuple[str, UUID, Decimal]], people: dict[UUID, schemas.Person]
) -> schemas.Event:
    return schemas.Event(
        id=event.event_id,
        external_id=event.external_id,
        source=source,
        version=event.version,
        revision=event.revision,
        type=event.type,
        occurred_at=event.occurred_at,
        occurred_on=event.occurred_on,
        actor=people[event.actor_id] if event.actor_id else None,
        credits=[schemas.Credit(role=role, actor=people[who], share=share) for role, who, share in listed],
        about=event.about,
        amount=None if event.amount is None else schemas.Money(value=event.amount, currency=event.currency),
        quantity=event.quantity,
        duration_seconds=event.duration_seconds,
        properties=event.properties,
        origin=event.origin,
        retracted=event.retracted,
        recorded_at=event.recorded_at,
        superseded_at=event.superseded_at,
    )


async def list_event_types(session: AsyncSession, org_id: OrganizationId, query: PageQuery) -> schemas.EventTypePage:
    """The catalogue, the organization's own types and those that were only seen, by name."""
    wanted = queries.event_types(org_id)
    rows, following = await paginate(session, wanted, [Key(wanted.selected_columns[0])], query)
    items = [
        schemas.EventType(
            type=name,
            description=CATALOGUE.get(name, description),
            is_built_in=name in CATALOGUE,
            events=events,
            first_occurred_at=first_at,
            last_occurred_at=last_at,
        )
        for name, description, events, first_at, last_at in rows
    ]
    return schemas.EventTypePage(items=items, next_cursor=following)


async def add_event_type(session: AsyncSession, who: Principal, new: schemas.EventTypeCreate) -> schemas.EventType:
    """Add a type to the organization's catalogue. Raises `EventTypeTaken`."""
    if new.type in CATALOGUE:
        raise EventTypeTaken(f"{new.type} is in everybody's catalogue.")
    at = await clock.tick(session, who.org_id)
    session.add(EventType(org_id=who.org_id, type=new.type, description=new.description, created_at=at))
    audit.record(session, who.org_id, who.label, "create", "event-type", new.type, new.model_dump(mode="json"))
    await session.flush()  # a type that is there already is a 409 from here
    seen = await session.execute(queries.event_types(who.org_id))
    _, _, events, first_at, last_at = next(row for row in seen if row[0] == new.type)
    return schemas.EventType(
        type=new.type,
        description=new.description,
        is_built_in=False,
        events=events,
        first_occurred_at=first_at,
        last_occurred_at=last_at,
    )


async def list_cloud_event_sources(
    session: AsyncSession, org_id: OrganizationId, query: PageQuery
) -> schemas.CloudEventSourcePage:
    """The URIs of CloudEvents, by URI."""
    keys = [Key(CloudEventSource.uri)]
    rows, following = await paginate(session, queries.cloud_event_sources(org_id), keys, query)
    return schemas.CloudEventSourcePage(items=[_cloud_event_source(*row) for row in rows], next_cursor=following)


async def set_cloud_event_source(
    session: AsyncSession, who: Principal, new: schemas.CloudEventSourceSet
) -> schemas.CloudEventSource:
    """Lead a URI to a source, whether or not it led to one before."""
    found = (await session.execute(queries.sources_by_key(who.org_id, {new.source}))).one_or_none()
    if found is None or found.system != "api":
        raise ValidationFailed.at("/source", f"no source of the system api has the key {new.source}", "source_unknown")
    known = select(CloudEventSource).where(CloudEventSource.org_id == who.org_id, CloudEventSource.uri == new.uri)
    entry = (await session.execute(known.with_for_update())).scalar_one_or_none()
    if entry is None:
        entry = CloudEventSource(org_id=who.org_id, id=new_id(), uri=new.uri, source_id=found.id)
        session.add(entry)
    entry.source_id = found.id
    audit.record(session, who.org_id, who.label, "set", "cloud-event-source", entry.id, new.model_dump(mode="json"))
    return _cloud_event_source(entry, new.source)


async def remove_cloud_event_source(session: AsyncSession, who: Principal, entry_id: UUID) -> None:
    """Forget a URI; its events stay. Raises `CloudEventSourceNotFound`."""
    gone = await session.execute(
        delete(CloudEventSource)
        .where(CloudEventSource.org_id == who.org_id, CloudEventSource.id == entry_id)
        .returning(CloudEventSource.id)
    )
    if gone.scalar_one_or_none() is None:
        raise CloudEventSourceNotFound(f"No CloudEvent source {entry_id}.")
    audit.record(session, who.org_id, who.label, "delete", "cloud-event-source", entry_id)


def _cloud_event_source(entry: CloudEventSource, key: str) -> schemas.CloudEventSource:
    return schemas.CloudEventSource(id=entry.id, uri=entry.uri, source=key)
