"""What was done about each thing after its anchor: touches, and the steps of a cadence (S18)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, null, or_, select

from app.kpis.definition import Aggregate, CadenceMeasure, CadenceStep, TouchesMeasure
from app.kpis.measures.facts import fact
from app.kpis.measures.ledger import Ledger
from app.kpis.measures.scope import ENTERS, PENDING
from app.kpis.measures.threads import (
    events_of_things,
    first_of,
    follows,
    of_beginnings,
    over_thing,
    own,
    row_at,
    rows_where,
    with_beginning,
)


def touch_facts(ledger: Ledger, measure: TouchesMeasure) -> Select[Any]:
    """The anchors, with how many touches each had; no touch counts as 0."""
    selections = [measure.anchor, measure.touches, *([measure.until] if measure.until else [])]
    rows = with_beginning(events_of_things(ledger, measure.match, selections, role=measure.role))
    comes_after = follows(rows, "begin", measure.anchor)
    if measure.until is not None:
        rows = select(rows, *first_of(rows, "until", and_(rows.c.is_2, comes_after))).subquery("bounded")
        comes_after = follows(rows, "begin", measure.anchor)
    counts = and_(rows.c.is_1, comes_after, *_bounds(rows, measure))
    told = [_told(rows, measure, counts).label("related")] if ledger.tells else []
    touches = over_thing(rows, func.count(), counts)
    rows = select(rows, touches.label("touches"), *told).subquery("touched")
    value: ColumnElement[Any] = rows.c.touches
    if measure.aggregate is Aggregate.SHARE_AT_LEAST:
        value = case((value >= measure.at_least, 1), else_=0)
    facts = fact(
        own(rows),
        state=case((_has_entered(ledger, rows, measure), ENTERS), else_=PENDING),
        value=value,
        related=rows.c.related if ledger.tells else None,
    )
    return of_beginnings(ledger, rows, facts)


def _bounds(rows: Subquery, measure: TouchesMeasure) -> list[ColumnElement[bool]]:
    """What ends the counting: the limit, which still counts, or the `until` event, whichever comes first."""
    bounds: list[ColumnElement[bool]] = []
    if measure.within is not None:
        bounds.append(rows.c.occurred_at - rows.c.begin_at <= literal(measure.within))
    if measure.until is not None:
        bounds.append(or_(rows.c.until_place.is_(None), rows.c.place < rows.c.until_place))
    return bounds


def _has_entered(ledger: Ledger, rows: Subquery, measure: TouchesMeasure) -> ColumnElement[bool]:
    ended: list[ColumnElement[bool]] = []
    if measure.within is not None:
        ended.append(ledger.scope.now - rows.c.begin_at >= literal(measure.within))
    if measure.until is not None:
        ended.append(rows.c.until_place.is_not(None))
    return or_(*ended)


def _told(rows: Subquery, measure: TouchesMeasure, counts: ColumnElement[bool]) -> ColumnElement[Any]:
    until = row_at(rows, rows.c.until_place) if measure.until is not None else null()
    return func.jsonb_build_object("touches", rows_where(rows, counts), "until", until)


# ------------------------------------------------------------------------------------------------------- cadences


def cadence_facts(ledger: Ledger, measure: CadenceMeasure) -> Select[Any]:
    """The anchors, with how many of the steps were done in time."""
    numbers = range(len(measure.steps))
    selections = [measure.anchor, *[step.selection for step in measure.steps]]
    longest = max(step.by for step in measure.steps)
    rows = with_beginning(events_of_things(ledger, measure.match, selections, role=measure.role, within=longest))
    in_time = [_in_time(rows, measure, number) for number in numbers]
    # Of events in order, the k-th is in time when at least k are.
    done = [over_thing(rows, func.count(), counts) >= _needed(measure, n) for n, counts in enumerate(in_time)]
    told = [rows_where(rows, counts).label(f"rows_{n}") for n, counts in enumerate(in_time)] if ledger.tells else []
    rows = select(rows, *[is_done.label(f"done_{n}") for n, is_done in enumerate(done)], *told).subquery("stepped")
    is_over = ledger.scope.now - rows.c.begin_at >= literal(longest)
    facts = fact(
        own(rows),
        state=case((is_over, ENTERS), else_=PENDING),
        value=func.num_nonnulls(*[case((rows.c[f"done_{number}"], 1)) for number in numbers]),
        related=_steps_told(rows, measure) if ledger.tells else None,
    )
    return of_beginnings(ledger, rows, facts)


def _in_time(rows: Subquery, measure: CadenceMeasure, number: int) -> ColumnElement[bool]:
    """Whether an event is one of the step's that comes after the anchor and not too late."""
    by = literal(measure.steps[number].by)
    is_early = rows.c.occurred_at - rows.c.begin_at <= by
    return and_(rows.c[f"is_{number + 1}"], follows(rows, "begin", measure.anchor), is_early)


def _needed(measure: CadenceMeasure, number: int) -> int:
    """Of steps with equal selections the k-th needs the k-th such event."""
    wanted = measure.steps[number].selection
    return sum(step.selection == wanted for step in measure.steps[: number + 1])


def _steps_told(rows: Subquery, measure: CadenceMeasure) -> ColumnElement[Any]:
    """The rows by which steps were done (or null), and the first that was not, by when it was due."""
    numbers = range(len(measure.steps))
    done = [case((rows.c[f"done_{n}"], rows.c[f"rows_{n}"].op("->")(_needed(measure, n) - 1))) for n in numbers]
    in_order = sorted(numbers, key=lambda number: measure.steps[number].by)
    missed = [(rows.c[f"done_{n}"].is_(False), literal(_step_text(measure.steps[n]))) for n in in_order]
    return func.jsonb_build_object("done", func.jsonb_build_array(*done), "deviation", case(*missed))


def _step_text(step: CadenceStep) -> str:
    """A step as it is told: `call.made by P2D`."""
    return f"{' or '.join(step.selection.events)} by {_duration_text(step.by)}"


def _duration_text(length: timedelta) -> str:
    """A length of time as ISO 8601, in days to seconds."""
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{length.days}D" if length.days else ""
    times = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    return f"P{days}{'T' if times else ''}{times}"
