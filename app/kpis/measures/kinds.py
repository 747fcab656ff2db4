"""What the kinds of measures have in common, each in its own way."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
)

_T = TypeVar("_T")


def beginning_of(measure: Measure) -> EventSelection:
    """The events that the measure's rows are about: of pairs, funnels … those that begin them."""
    match measure:
        case EventMeasure(events=events, where=where):
            return EventSelection(events=events, where=where)
        case FunnelMeasure(steps=(first, *_)):
            return first
        case TouchesMeasure(anchor=anchor) | CadenceMeasure(anchor=anchor):
            return anchor
        case ElapsedMeasure(start=start) | OpenMeasure(start=start):
            return start
    raise TypeError(f"a measure without a beginning: {measure}")


def match_of(measure: Measure) -> str | None:
    """The thing that related events have in common."""
    return None if isinstance(measure, EventMeasure) else measure.match


def has_own_day(measure: Measure) -> bool:
    """Whether a row lies in the windows of the day of the event that it is about, and is the only one of that event."""
    if isinstance(measure, ElapsedMeasure):
        return measure.dated_by == "start"
    return not isinstance(measure, OpenMeasure) and not is_covered(measure)


def is_covered(measure: Measure) -> bool:
    """Whether the measure is of the time that events cover: pieces of them, each with a day and a person of its own."""
    return measure.aggregate is Aggregate.COVERED


def may_share_events(one: Measure, other: Measure) -> bool:
    """Whether an event can be in both measures: only where they are over a common type."""
    return not set(beginning_of(one).events).isdisjoint(beginning_of(other).events)


def may_share_across_days(one: Measure, other: Measure) -> bool:
    """Whether an event can be in both, read over days that have none in common."""
    if one == other:
        return isinstance(one, OpenMeasure) or is_covered(one)
    return may_share_events(one, other) and not (has_own_day(one) and has_own_day(other))


def connected(items: Iterable[_T], may_meet: Callable[[_T, _T], bool]) -> list[list[_T]]:
    """The items, each once, in as many parts as have nothing in common, also by way of others."""
    parts: list[list[_T]] = []
    for item in items:
        met = [part for part in parts if any(may_meet(item, other) for other in part)]
        parts = [part for part in parts if part not in met] + [[item, *chain.from_iterable(met)]]
    return parts


def share_of(measure: Measure) -> Decimal:
    """Which percentile a measure takes; the median is the half."""
    p = measure.p if isinstance(measure, EventMeasure | ElapsedMeasure | TouchesMeasure) else None
    return Decimal("0.5") if p is None else p
