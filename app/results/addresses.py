"""By which name people know what an event is about, and where they find it in the CRM (D4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events.models import Event
from app.events.sources import Source
from app.integrations.adapters import ADAPTERS
from app.integrations.models import CrmRecord, SourceConnection

FIRST = ("deal", "lead")
LATER = ("company", "customer", "contact")


@dataclass(frozen=True, slots=True)
class Address:
    """A CRM's own name of a thing, and its page there; either may be unknown."""

    label: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a connected system."""

    source: str
    object: str
    id: str


async def addresses(session: AsyncSession, org_id: OrganizationId, rows: Sequence[tuple[Event, str]]) -> list[Address]:
    """The address of each event (given with its source's key): its deal's, else its lead's, its own, its customer's.

    Nothing is known of events whose things come from no connected CRM.
    """
    connected = {key: (system, account) for key, system, account in await session.execute(_connected(org_id))}
    named = [[thing for thing in _things(event, key) if thing.source in connected] for event, key in rows]
    labels = await _labels(session, org_id, {thing for things in named for thing in things})
    return [_address(things, labels, connected) for things in named]


def _address(
    things: Sequence[Thing], labels: Mapping[Thing, str | None], connected: Mapping[str, tuple[str, str]]
) -> Address:
    for thing in things:
        system, account = connected[thing.source]
        label, url = labels.get(thing), ADAPTERS[system].address(account, thing.object, thing.id)
        if label or url:
            return Address(label, url)
    return Address()


def _things(event: Event, source: str) -> Iterator[Thing]:
    """What an event may be known by, the best first; things of adapters are named `{source}:{object}:{id}`."""
    about = {kind: _of_adapter(text) for kind, text in event.about.items()}
    yield from (thing for kind in FIRST if (thing := about.get(kind)))
    object_, _, rest = event.external_id.partition(":")
    if rest:
        yield Thing(source, object_, rest.partition(":")[0])
    yield from (thing for kind in LATER if (thing := about.get(kind)))


def _of_adapter(text: str) -> Thing | None:
    parts = text.split(":", 2)
    return Thing(*parts) if len(parts) == 3 else None


async def _labels(session: AsyncSession, org_id: OrganizationId, things: set[Thing]) -> dict[Thing, str | None]:
    if not things:
        return {}
    found = await session.execute(_records(org_id, sorted((t.source, t.object, t.id) for t in things)))
    return {Thing(source, object_, id_): label for source, object_, id_, label in found}


def _connected(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    return (
        select(Source.key, Source.system, SourceConnection.account_id)
        .join(SourceConnection, and_(SourceConnection.org_id == Source.org_id, SourceConnection.source_id == Source.id))
        .where(Source.org_id == org_id, SourceConnection.org_id == org_id, Source.system.in_(sorted(ADAPTERS)))
    )


def _records(org_id: OrganizationId, keys: Sequence[tuple[str, str, str]]) -> Select[*tuple[Any, ...]]:
    return (
        select(Source.key, CrmRecord.object, CrmRecord.external_id, CrmRecord.label)
        .join(Source, and_(Source.org_id == CrmRecord.org_id, Source.id == CrmRecord.source_id))
        .where(CrmRecord.org_id == org_id, Source.org_id == org_id)
        .where(tuple_(Source.key, CrmRecord.object, CrmRecord.external_id).in_(keys))
    )
