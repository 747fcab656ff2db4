"""What properties the events of a type have, and with which values: for menus of filters, and for editors."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Label,
    Select,
    Subquery,
    Text,
    collate,
    distinct,
    func,
    literal,
    select,
    true,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import NotFound
from app.events import property_schemas as schemas
from app.events.catalogue import CATALOGUE
from app.events.models import Event, EventType
from app.events.queries import visible_to

MOST_RECENT = 10_000


class EventTypeNotFound(NotFound):
    """No event of this type was ever seen here, and it is not in the catalogue."""

    code, title = "event-type-not-found", "Event type not found"


class PropertyNotFound(NotFound):
    """None of the newest 10,000 events of this type has the property."""

    code, title = "property-not-found", "Property not found"


async def list_properties(
    session: AsyncSession, who: Principal, event_type: str, query: schemas.PropertiesQuery
) -> schemas.EventPropertyPage:
    """The properties of the newest events of a type, the most frequent first. Raises `EventTypeNotFound`."""
    await _require_type(session, who.org_id, event_type)
    counted = keys_of(who, [event_type]).subquery("counted")
    wanted = starting(select(counted), counted.c.key, query.q)
    rows, following = await paginate(
        session, wanted, [Key(counted.c.events, descending=True), Key(counted.c.key)], query
    )
    items = [schemas.EventProperty.of(key, events, types) for key, events, types in rows]
    return schemas.EventPropertyPage(items=items, next_cursor=following)


async def list_values(
    session: AsyncSession, who: Principal, event_type: str, key: str, query: schemas.PropertiesQuery
) -> schemas.PropertyValuePage:
    """The values of a property in the newest events of a type, the most frequent first.

    Raises `EventTypeNotFound`, `PropertyNotFound`.
    """
    await _require_type(session, who.org_id, event_type)
    counted = values_of(who, [event_type], key).subquery("counted")
    wanted = starting(select(counted.c.value, counted.c.events), counted.c.text, query.q)
    order = [Key(counted.c.events, descending=True), Key(counted.c.text), Key(counted.c.type)]
    rows, following = await paginate(session, wanted, order, query)
    if not rows and (await session.execute(select(counted.c.text).limit(1))).first() is None:
        raise PropertyNotFound(f"None of the newest events of {event_type} has the property {key!r}.")
    items = [schemas.PropertyValue.of(value, events) for value, events in rows]
    return schemas.PropertyValuePage(items=items, next_cursor=following)


def keys_of(who: Principal, event_types: Sequence[str] | None) -> Select[Any, Any, Any]:
    """Each `key`, in how many of the newest `events` of these types it is, and the `types` of its values.

    `event_types` None: of all types.
    """
    recent = _recent(who, event_types)
    pair = func.jsonb_each(recent.c.properties).table_valued("key", "value", name="pair")
    key: Label[str] = collate(type_coerce(pair.c.key, Text()), "C").label("key")
    kinds = func.array_agg(distinct(func.jsonb_typeof(pair.c.value)), type_=ARRAY(Text()))
    return select(key, func.count().label("events"), kinds.label("types")).select_from(
        recent.join(pair, true())
    ).group_by(key)  # fmt: skip


def values_of(who: Principal, event_types: Sequence[str] | None, key: str) -> Select[Any, Any, Any, Any]:
    """Each `value` of a property in the newest events of these types, its `text` and `type`, and how many have it."""
    recent = _recent(who, event_types)
    member = recent.c.properties[key]
    found = (
        select(member.label("value"), collate(member.astext, "C").label("text"))
        .where(recent.c.properties.has_key(key))
        .subquery("found")
    )
    kind = func.jsonb_typeof(found.c.value).label("type")
    # 1 and 1.0 are one value, and its text is one of the two.
    text, events = func.min(found.c.text).label("text"), func.count().label("events")
    return select(found.c.value, text, kind, events).group_by(found.c.value)


def _recent(who: Principal, event_types: Sequence[str] | None) -> Subquery:
    """The newest events that stand and that the caller may see: enough for full menus, and cheap to ask."""
    return (
        select(Event.properties)
        .where(
            Event.org_id == who.org_id,
            Event.superseded_at.is_(None),
            Event.retracted.is_(False),
            *([] if event_types is None else [Event.type.in_(event_types)]),
            *visible_to(who),
        )
        .order_by(Event.occurred_at.desc())
        .limit(MOST_RECENT)
        .subquery("recent")
    )


def starting(wanted: Select[Any], text: ColumnElement[str], beginning: str | None) -> Select[Any]:
    """Only what begins so; capitals and small letters are the same."""
    if beginning is None:
        return wanted
    lower = [func.lower(collate(each, "pg_c_utf8")) for each in (text, literal(beginning, Text()))]
    return wanted.where(func.starts_with(*lower))


async def _require_type(session: AsyncSession, org_id: OrganizationId, event_type: str) -> None:
    if event_type in CATALOGUE:
        return
    own = select(literal(1)).where(EventType.org_id == org_id, EventType.type == event_type)
    seen = select(literal(1)).where(Event.org_id == org_id, Event.type == event_type, Event.superseded_at.is_(None))
    for known in (own, seen.limit(1)):
        if (await session.execute(known)).first() is not None:
            return
    raise EventTypeNotFound(f"No event of the type {event_type} was ever seen.")
