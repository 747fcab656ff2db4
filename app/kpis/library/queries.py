"""What recent events carry, of many types at once, and the library as a list that is paged."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, any_, column, func, literal, not_, or_, select, true
from sqlalchemy import values as sql_values
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer

from app.core.db import OrganizationId
from app.events.models import Event, SourceCounts

SAMPLE = 2_000
"""The newest events of each type that are looked at: enough to tell, and no more for a large organization."""

_NUMBERS = ("amount", "quantity", "duration_seconds")
_TEXT = Text(collation="C")


def carried(
    org_id: OrganizationId, types: Sequence[str], wanted: Sequence[str], since: datetime, until: datetime
) -> Select[*tuple[Any, ...]]:
    """For each type: how many of its newest events since then count, and how many of them carry each thing.

    Events of a source that is not authoritative for their type are in no figure (S10), and are not counted here.
    """
    kinds = func.unnest(literal(list(types), ARRAY(_TEXT))).table_valued(column("type", _TEXT), name="kinds")
    kinds = kinds.render_derived()
    recent = (
        select(Event.source_id, Event.about, Event.properties, Event.amount, Event.quantity, Event.duration_seconds)
        .where(
            Event.org_id == org_id,
            Event.type == kinds.c.type,
            Event.superseded_at.is_(None),
            not_(Event.retracted),
            Event.occurred_at >= since,
            Event.occurred_at <= until,
        )
        .order_by(Event.occurred_at.desc())
        .limit(SAMPLE)
        .lateral("recent")
    )
    counting = and_(
        SourceCounts.org_id == org_id,
        SourceCounts.source_id == recent.c.source_id,
        SourceCounts.superseded_at.is_(None),
        or_(SourceCounts.counts.is_(None), kinds.c.type == any_(SourceCounts.counts)),
    )
    counts = [func.count().filter(_carries(recent, what)) for what in wanted]
    events = kinds.join(recent, true()).join(SourceCounts, counting)
    return select(kinds.c.type, func.count(), *counts).select_from(events).group_by(kinds.c.type)


def in_order(keys: Sequence[str]) -> tuple[Select[str], ColumnElement[int]]:
    """Keys as rows, with their place: a list of ours that is paged like all others."""
    listed = sql_values(column("key", _TEXT), column("place", Integer()), name="listed").data(
        [(key, place) for place, key in enumerate(keys)]
    )
    return select(listed.c.key), listed.c.place


def _carries(recent: Any, what: str) -> ColumnElement[bool]:
    if what in _NUMBERS:
        is_there: ColumnElement[bool] = recent.c[what].is_not(None)
        return is_there
    head, _, key = what.partition(".")
    has: ColumnElement[bool] = (
        recent.c.properties.has_key(key) if head == "properties" else recent.c.about.has_key(what)
    )
    return has
