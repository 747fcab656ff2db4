"""Threads: what happened to each thing, in the order of S11, found in one pass over the ledger.

A measure that relates several selections of events sees each event once, with a flag for each selection that it
belongs to. The rest is window functions over the events of a thing: joins would compare all of them with each other,
and of all things wherever the planner has no statistics yet.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, cast, func, literal, or_, select
from sqlalchemy import Text as SqlText

from app.kpis.compiler import things_counted
from app.kpis.definition import EventSelection
from app.kpis.expressions.syntax import Name
from app.kpis.measures.bound import is_one_of
from app.kpis.measures.facts import CREDITED, Columns
from app.kpis.measures.ledger import ORDER, Ledger, Look


def events_of_things(
    ledger: Ledger,
    match: str,
    selections: Sequence[EventSelection],
    value: Name | None = None,
    *,
    role: str,
    begun_in_days: bool = True,
    within: timedelta | None = None,
) -> Subquery:
    """A row for each event, with its `place` among its thing's, and `is_0`, `is_1` … for the selections.

    With `value` also that of the event and whether there is any: `value` and `has_value`. Missing may be things of
    which nobody who is asked about has an event of the first selection, and unless `begun_in_days` is false what makes
    no difference to those that begin in the ledger's days: they are told through `within` after their beginning.
    """
    types = sorted({kind for selection in selections for kind in selection.events})
    conditions = [ledger.scope.where, *[selection.where for selection in selections]]
    own = Look(selections[0].events, ledger.days if begun_in_days else None)
    of = ledger.things_of(match, [own], role, conditions)
    is_whole = not begun_in_days or things_counted(*conditions)
    looks = [Look(types)] if is_whole else _looks(ledger, selections, within)
    view, filters = ledger.related(looks, *conditions, of=of)
    thing = filters.about(match)
    flags = [
        and_(
            is_one_of(view.c.type, each.events),
            *[filters.condition(where) for where in (each.where,) if where is not None],
        )
        for each in selections
    ]
    valued = [filters.number(value).label("value"), filters.presence(value).label("has_value")] if value else []
    return (
        select(
            *[view.c[name] for name in (*CREDITED, "type", "occurred_at")],
            thing.label("thing"),
            ledger.group(filters).label("group"),
            ledger.is_selected(filters).label("is_selected"),
            *[flag.label(f"is_{number}") for number, flag in enumerate(flags)],
            *valued,
            func.row_number().over(partition_by=thing, order_by=[view.c[name] for name in ORDER]).label("place"),
        )
        .where(thing.is_not(None), or_(*flags))
        .subquery("thread")
    )


def _looks(ledger: Ledger, selections: Sequence[EventSelection], within: timedelta | None) -> list[Look]:
    """The events that make a difference to what begins in the ledger's days.

    No later beginning does, and nothing else that came before or, with `within`, so much later.
    """
    first, *others = [set(selection.events) for selection in selections]
    later = set().union(*others)
    reach = ledger.reach(sorted(first))
    until = None if within is None else reach.latest + literal(within)
    looks = [
        Look(sorted(first - later), until=reach.latest),
        Look(sorted(first & later), until=until),
        Look(sorted(later - first), since=reach.earliest, until=until),
    ]
    return [look for look in looks if look.types]


def over_thing(rows: Subquery, aggregate: Any, condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """An aggregate over those events of the row's thing that meet a condition."""
    found: ColumnElement[Any] = aggregate.filter(condition).over(partition_by=rows.c.thing)
    return found


def first_of(rows: Subquery, name: str, condition: ColumnElement[bool]) -> list[ColumnElement[Any]]:
    """The place and the instant of the thing's first such event, as `<name>_place` and `<name>_at`."""
    return [
        over_thing(rows, func.min(rows.c.place), condition).label(f"{name}_place"),
        over_thing(rows, func.min(rows.c.occurred_at), condition).label(f"{name}_at"),
    ]


def with_beginning(rows: Subquery) -> Subquery:
    """The events with the first of the thing's first selection: `begin_place` and `begin_at`."""
    return select(rows, *first_of(rows, "begin", rows.c.is_0)).subquery("begun")


def follows(rows: Subquery, name: str, before: EventSelection) -> ColumnElement[bool]:
    """Whether a row comes after the event at `<name>_place`, which is one of `before` (S14).

    Later, or at the same instant; among the types of `before` in the order of S11, so that no event follows itself.
    """
    return case(
        (is_one_of(rows.c.type, before.events), rows.c.place > rows.c[f"{name}_place"]),
        else_=rows.c.occurred_at >= rows.c[f"{name}_at"],
    )


def row_at(rows: Subquery, place: ColumnElement[Any]) -> ColumnElement[Any]:
    """The row, as text, of the thing's event at a place."""
    return over_thing(rows, func.min(cast(rows.c.row_id, SqlText())), rows.c.place == place)


def rows_where(rows: Subquery, condition: ColumnElement[bool]) -> ColumnElement[Any]:
    """The rows of the thing's events that meet a condition, as JSON, in the order of S11."""
    found = func.jsonb_agg(rows.c.row_id).filter(condition)
    in_order = found.over(partition_by=rows.c.thing, order_by=rows.c.place, rows=(None, None))
    return func.coalesce(in_order, func.jsonb_build_array())


def of_beginnings(ledger: Ledger, rows: Subquery, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """These columns of the events that begin threads, where the query's days and filter have them."""
    days = ledger.days
    return select(*columns).where(
        rows.c.place == rows.c.begin_place, rows.c.is_selected, rows.c.day >= days.start, rows.c.day < days.end
    )


def own(rows: Subquery) -> Columns:
    """What a fact is told of its own event."""
    return {name: rows.c[name] for name in (*CREDITED, "group")}
