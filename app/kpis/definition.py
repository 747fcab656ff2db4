"""A KPI's definition as plain values: named measures over events and one formula over the measures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO, Unit
from app.kpis.expressions.checker import is_additive
from app.kpis.expressions.syntax import Name, Node, property_keys

MAX_MEASURES = 20


class Aggregate(StrEnum):
    """What a measure does with its events, or with the times elapsed between pairs of them."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MEDIAN = "median"
    PERCENTILE = "percentile"
    SHARE_WITHIN = "share_within"


EVENT_AGGREGATES = frozenset(set(Aggregate) - {Aggregate.SHARE_WITHIN})
ELAPSED_AGGREGATES = frozenset(set(Aggregate) - {Aggregate.COUNT_DISTINCT, Aggregate.SUM})
ADDITIVE_AGGREGATES = frozenset({Aggregate.COUNT, Aggregate.SUM})

Credit = Literal["split", "full"]
Direction = Literal["increase", "decrease", "maintain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSelection:
    """Events of the given types that a filter lets pass."""

    events: tuple[str, ...]
    where: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMeasure:
    """One aggregate over events (S9, S11).

    `value` (sum, avg, min, max, median, percentile) is a name: `("amount",)`, `("quantity",)`,
    `("duration_seconds",)` or `("properties", key)`. `of` (count_distinct) is `("about", thing)` or
    `("properties", key)`. `p` (percentile) lies in (0, 1).
    """

    aggregate: Aggregate
    events: tuple[str, ...]
    value: Name | None = None
    of: Name | None = None
    p: Decimal | None = None
    where: Node | None = None
    role: str = "owner"
    credit: Credit = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedMeasure:
    """One aggregate over the times from start events to their end events about the same thing (S14, S15).

    `match` names the thing (`lead` is `about.lead`). `count` counts the pairs; the others but `share_within` are in
    seconds. `within` belongs to `share_within`, `p` in (0, 1) to `percentile`.
    """

    aggregate: Aggregate
    start: EventSelection
    end: EventSelection
    match: str
    repeat: Literal["first", "each"] = "first"
    dated_by: Literal["start", "end"] = "start"
    credited_to: Literal["start", "end"] = "end"
    clock: Literal["wall"] = "wall"
    within: timedelta | None = None
    p: Decimal | None = None
    role: str = "owner"
    credit: Credit = "split"


Measure = EventMeasure | ElapsedMeasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The measures, the formula over their names, the unit that was declared, and where the figure should go."""

    measures: Mapping[str, Measure]
    formula: Node
    unit: Unit
    direction: Direction

    @property
    def is_additive(self) -> bool:
        """Whether values of parts add up to the value of the whole (S24)."""
        return is_additive(self.formula, {name: adds_up(measure) for name, measure in self.measures.items()})


def unit_of(measure: Measure) -> Unit:
    """The unit of a measure's value; a property's is unknown and mixes like a bare number."""
    if measure.aggregate in {Aggregate.COUNT, Aggregate.COUNT_DISTINCT}:
        return COUNT
    if isinstance(measure, ElapsedMeasure):
        return RATIO if measure.aggregate is Aggregate.SHARE_WITHIN else DURATION
    by_field = {"amount": MONEY, "quantity": COUNT, "duration_seconds": DURATION}
    return by_field.get(measure.value.path[0], NUMBER) if measure.value else NUMBER


def adds_up(measure: Measure) -> bool:
    """Whether the measure is a count or a sum (S24)."""
    return measure.aggregate in ADDITIVE_AGGREGATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The events that a part of a measure looks at, and the properties it needs of them; `place` is `/elapsed/to`."""

    place: str
    events: tuple[str, ...]
    properties: tuple[str, ...]


def looks(measure: Measure) -> tuple[Look, ...]:
    """What a measure looks at: one kind of events, or both sides of its pairs."""
    if isinstance(measure, EventMeasure):
        named = {name.path[1] for name in (measure.value, measure.of) if name and name.path[0] == "properties"}
        return (_look("", EventSelection(events=measure.events, where=measure.where), named),)
    return _look("/elapsed/from", measure.start), _look("/elapsed/to", measure.end)


def _look(place: str, selection: EventSelection, named: Iterable[str] = ()) -> Look:
    filtered = property_keys(selection.where) if selection.where is not None else frozenset()
    return Look(place=place, events=selection.events, properties=tuple(sorted(filtered.union(named))))
