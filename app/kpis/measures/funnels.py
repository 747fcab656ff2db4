"""Funnels: how far the things went that took a first step (S17)."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, or_, select

from app.kpis.definition import Aggregate, FunnelMeasure
from app.kpis.measures.facts import fact
from app.kpis.measures.ledger import Ledger
from app.kpis.measures.scope import ENTERS
from app.kpis.measures.threads import events_of_things, first_of, follows, of_beginnings, own, row_at, with_beginning


def funnel_facts(ledger: Ledger, measure: FunnelMeasure) -> Select[Any]:
    """The first events of the first step; they enter with the base, with value 1 if they reached the step asked for."""
    events = events_of_things(ledger, measure.match, measure.steps, role=measure.role, within=measure.within)
    rows = _with_steps(with_beginning(events), measure)
    if ledger.tells:
        rows = select(rows, _step_rows(rows, measure).label("related")).subquery("told")
    has_reached = _has_reached(rows, measure, measure.reached)
    has_entered = (
        _has_reached(rows, measure, measure.base) if measure.aggregate is Aggregate.CONVERSION else has_reached
    )
    is_young = None
    if measure.within is not None:
        is_young = ledger.scope.now - rows.c.begin_at < literal(measure.within)
    facts = fact(
        own(rows),
        state=case((has_entered, ENTERS)),
        value=case((has_reached, 1), else_=0),
        young=is_young,
        related=func.jsonb_build_object("steps", rows.c.related) if ledger.tells else None,
    )
    return of_beginnings(ledger, rows, facts)


def _with_steps(rows: Subquery, measure: FunnelMeasure) -> Subquery:
    """For each later step its first event after the first step, or (strict) after the step before."""
    later = range(1, len(measure.steps))
    if measure.skipped == "strict":
        for number in later:
            before = "begin" if number == 1 else f"step_{number - 1}"
            comes_after = and_(rows.c[f"is_{number}"], follows(rows, before, measure.steps[number - 1]))
            rows = select(rows, *first_of(rows, f"step_{number}", comes_after)).subquery(f"with_{number}")
        return rows
    comes_after = follows(rows, "begin", measure.steps[0])
    found = [told for n in later for told in first_of(rows, f"step_{n}", and_(rows.c[f"is_{n}"], comes_after))]
    return select(rows, *found).subquery("with_steps")


def _has_reached(rows: Subquery, measure: FunnelMeasure, number: int) -> ColumnElement[bool]:
    """Whether the thing came to a step within the limit: whoever reached a later one did, unless it is strict."""
    if number == 0:
        return literal(True)
    steps = [number] if measure.skipped == "strict" else range(number, len(measure.steps))
    return or_(*[_in_time(rows, measure, step) for step in steps])


def _in_time(rows: Subquery, measure: FunnelMeasure, step: int) -> ColumnElement[bool]:
    came_at = rows.c[f"step_{step}_at"]
    if measure.within is None:
        return came_at.is_not(None)
    return func.coalesce(came_at - rows.c.begin_at <= literal(measure.within), False)


def _step_rows(rows: Subquery, measure: FunnelMeasure) -> ColumnElement[Any]:
    """For each step after the first the row by which it was reached in time, or null."""
    at = [row_at(rows, rows.c[f"step_{step}_place"]) for step in range(1, len(measure.steps))]
    return func.jsonb_build_array(*[case((_in_time(rows, measure, step), row)) for step, row in enumerate(at, start=1)])
