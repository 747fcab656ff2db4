"""Measures over pairs: the times from start events to their end events about the same thing (S14 to S16)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import UUID

from app.events.models import EventCredit
from app.kpis.compiler import things_counted
from app.kpis.definition import ElapsedMeasure, EventSelection
from app.kpis.following import OF_PAIR, Following
from app.kpis.measures.bound import is_one_of
from app.kpis.measures.clock import Clock, as_seconds
from app.kpis.measures.facts import CREDITED, Columns, fact, in_seconds, seconds_between
from app.kpis.measures.ledger import ORDER, Ledger, Look, Things
from app.kpis.measures.scope import ENTERS, OPEN, PENDING


def pair_facts(ledger: Ledger, name: str, measure: ElapsedMeasure) -> Select[Any]:
    """Starts with their ends, paired over the whole organization and all history before anything selects."""
    rows = _in_days(ledger, measure, _pairs(ledger, name, measure)).subquery("dated")
    has_end = rows.c.end_row_id.is_not(None)
    if measure.clock == "working_hours":
        rows, elapsed, age = _on_working_hours(ledger, measure, rows)
        has_end = rows.c.end_row_id.is_not(None)
    else:
        elapsed = seconds_between(rows.c.start_occurred_at, rows.c.end_occurred_at)
        age = seconds_between(rows.c.start_occurred_at, ledger.scope.now)
    if measure.within is None:
        state, value = case((has_end, ENTERS), else_=OPEN), elapsed
    else:
        limit = in_seconds(measure.within)
        state = case((age >= limit, ENTERS), else_=PENDING)
        value = case((and_(has_end, elapsed <= limit), 1), else_=0)
    own = {field: rows.c[f"start_{field}"] for field in (*CREDITED, "group")}
    related = func.jsonb_build_object("end", rows.c.end_row_id) if ledger.tells else None
    return select(*fact(own, credited=_credited(rows), day=rows.c.dated_day, state=state, value=value, related=related))


def _in_days(ledger: Ledger, measure: ElapsedMeasure, pairs: CTE) -> Select[Any]:
    """The pairs that a window may hold, with the event that is credited: without an end, the start (S14)."""
    has_end = pairs.c.end_row_id.is_not(None)
    day = pairs.c.start_day if measure.dated_by == "start" else pairs.c.end_day

    def of_credited(field: str) -> ColumnElement[Any]:
        start = pairs.c[f"start_{field}"]
        return case((has_end, pairs.c[f"end_{field}"]), else_=start) if measure.credited_to == "end" else start

    return select(
        pairs, day.label("dated_day"), *[of_credited(field).label(f"credited_{field}") for field in CREDITED]
    ).where(pairs.c.is_selected, day >= ledger.days.start, day < ledger.days.end)


def _credited(rows: Subquery) -> Columns:
    return {field: rows.c[f"credited_{field}"] for field in CREDITED}


# ------------------------------------------------------------------------------------------------- working hours


def _on_working_hours(
    ledger: Ledger, measure: ElapsedMeasure, rows: Subquery
) -> tuple[Subquery, ColumnElement[Any], ColumnElement[Any]]:
    """The pairs, their elapsed time and the age of their starts by the calendar of the credited member (S16)."""
    if ledger.scope.clock is None:
        raise ValueError("a measure on working hours needs the scope's clock")
    clock = Clock(ledger.scope.clock)
    whose = select(rows, _responsible(ledger, measure.role, rows).label("responsible_id")).subquery("whose")
    number = func.coalesce(clock.spans.c.calendar, 0)
    placed = (
        select(
            whose,
            clock.at(number, whose.c.start_occurred_at).label("start_at"),
            clock.at(number, whose.c.end_occurred_at).label("end_at"),
            clock.at(number, ledger.scope.now).label("now_at"),
        )
        .select_from(whose.outerjoin(clock.spans, clock.holds(whose.c.responsible_id, whose.c.credited_day)))
        # Kept apart: merged into the outer query, each place would be computed again wherever it is used.
        .offset(0)
        .subquery("placed")
    )
    since = clock.worked(placed, "start_at")
    # The clip of an instant that is missing would be none: least and greatest ignore NULL.
    elapsed = case((placed.c.end_row_id.is_not(None), as_seconds(clock.worked(placed, "end_at") - since)))
    return placed, elapsed, as_seconds(clock.worked(placed, "now_at") - since)


def _responsible(ledger: Ledger, role: str, rows: Subquery) -> ColumnElement[Any]:
    """Whose credit it is in the role: of several the largest share's, then the first listed; NULL for nobody."""
    largest = (
        select(EventCredit.identity_id)
        .where(
            EventCredit.org_id == ledger.scope.organization,
            EventCredit.row_id == rows.c.credited_row_id,
            EventCredit.role == role,
        )
        .order_by(EventCredit.share.desc(), EventCredit.position)
        .limit(1)
        .scalar_subquery()
    )
    only = rows.c.credited_identity_id if role == "owner" else cast(null(), UUID())
    return case((rows.c.credited_is_shared, largest), else_=only)


# -------------------------------------------------------------------------------------------------------- pairing


def _pairs(ledger: Ledger, name: str, measure: ElapsedMeasure) -> CTE:
    """A row for each start, with the first other end that is later (S14) or without one.

    By window functions over starts and ends together: a join would compare each start with all ends
    of its thing, and of all things wherever the planner has no statistics yet.
    """
    looks = _looks(ledger, measure)
    of = _things(ledger, measure, looks)
    starts = _candidates(ledger, measure.start, looks["start"], measure.match, of, is_start=True).subquery("starts")
    ends = _candidates(ledger, measure.end, looks["end"], measure.match, of, is_start=False).subquery("ends")
    chosen = select(starts) if measure.repeat == "each" else select(starts).where(starts.c.place == 1)
    both = union_all(chosen, select(ends)).subquery("both")
    kinds = [Following("pure", not_(is_one_of(both.c.type, measure.start.events)))]
    if set(measure.start.events) & set(measure.end.events):
        kinds.append(Following("mixed", is_one_of(both.c.type, measure.start.events)))
    counted = select(both, *[kind.count(both) for kind in kinds]).subquery("counted")
    found = select(counted, *[told for kind in kinds for told in kind.first(counted)]).subquery("found")
    is_first = kinds[0].is_before(kinds[-1], found) if len(kinds) > 1 else literal(True)
    ends_of = {
        field: case((is_first, found.c[f"pure_{field}"]), else_=found.c[f"{kinds[-1].name}_{field}"])
        for field in OF_PAIR
    }
    return (
        select(
            *[found.c[field].label(f"start_{field}") for field in (*OF_PAIR, "group")],
            *[end.label(f"end_{field}") for field, end in ends_of.items()],
            found.c.is_selected,
        )
        .where(found.c.is_start)
        .cte(f"{name}_pairs")
    )


def _looks(ledger: Ledger, measure: ElapsedMeasure) -> dict[str, Look]:
    """The starts and ends that can make a difference to pairs that a window may hold.

    Nothing after the last event by which they are dated does; where those are the starts, no end before the first.
    """
    start, end = measure.start.events, measure.end.events
    if things_counted(measure.start.where, measure.end.where, ledger.scope.where):
        return {"start": Look(start), "end": Look(end)}
    reach = ledger.reach(start if measure.dated_by == "start" else end)
    if measure.dated_by == "end":
        return {"start": Look(start, until=reach.latest), "end": Look(end, until=reach.latest)}
    return {"start": Look(start, until=reach.latest), "end": Look(end, since=reach.earliest)}


def _things(ledger: Ledger, measure: ElapsedMeasure, looks: Mapping[str, Look]) -> dict[str, Things] | None:
    """The things with an event that may be credited to somebody who is asked about; None: all things."""
    own = {**looks, measure.dated_by: Look(looks[measure.dated_by].types, ledger.days)}
    conditions = [measure.start.where, measure.end.where, ledger.scope.where]
    looked_at = [own["start"], own["end"]] if measure.credited_to == "end" else [own["start"]]
    return ledger.things_of(measure.match, looked_at, measure.role, conditions)


def _candidates(
    ledger: Ledger, selection: EventSelection, look: Look, match: str, of: dict[str, Things] | None, *, is_start: bool
) -> Select[Any]:
    """Events that can begin or end a pair, numbered for each thing in the order of S11."""
    on_top = ledger.scope.where if is_start else None
    view, filters = ledger.related([look], selection.where, on_top, of=of)
    thing = filters.about(match)
    order = [view.c[name] for name in ORDER]
    is_selected = ledger.is_selected(filters) if is_start else literal(True, Boolean())
    return (
        ledger.selected(view, filters, selection.where)
        .add_columns(
            *[view.c[name] for name in (*OF_PAIR, "type")],
            thing.label("thing"),
            literal(is_start).label("is_start"),
            is_selected.label("is_selected"),
            ledger.group(filters).label("group"),
            func.row_number().over(partition_by=thing, order_by=order).label("place"),
        )
        .where(thing.is_not(None))
    )
