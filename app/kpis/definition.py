"""A KPI's definition as plain values: named measures over events, and one formula over measures and other KPIs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO, Unit
from app.kpis.expressions.syntax import Name, Node, property_keys

MAX_MEASURES = 20


class Aggregate(StrEnum):
    """What a measure does with its events, or with the pairs, things and times that it finds in them."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MEDIAN = "median"
    PERCENTILE = "percentile"
    FIRST = "first"
    LAST = "last"
    SHARE_WITHIN = "share_within"
    CONVERSION = "conversion"
    SHARE_AT_LEAST = "share_at_least"
    SHARE_DONE = "share_done"
    COVERED = "covered"


_ORDER = frozenset({Aggregate.MIN, Aggregate.MAX, Aggregate.MEDIAN, Aggregate.PERCENTILE})
EVENT_AGGREGATES = _ORDER | {
    Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.SUM, Aggregate.AVG, Aggregate.FIRST, Aggregate.LAST,
    Aggregate.COVERED,
}  # fmt: skip
ELAPSED_AGGREGATES = _ORDER | {Aggregate.COUNT, Aggregate.AVG, Aggregate.SHARE_WITHIN}
FUNNEL_AGGREGATES = frozenset({Aggregate.COUNT, Aggregate.CONVERSION})
TOUCHES_AGGREGATES = _ORDER | {Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG, Aggregate.SHARE_AT_LEAST}
CADENCE_AGGREGATES = frozenset({Aggregate.SHARE_DONE})
OPEN_AGGREGATES = frozenset({Aggregate.COUNT, Aggregate.SUM})
ADDITIVE_AGGREGATES = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.COVERED})

Credit = Literal["split", "full"]
Direction = Literal["increase", "decrease", "maintain"]
Clock = Literal["wall", "working_hours"]
Repeat = Literal["first", "each"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """Other days than the window's own, up to its end: exactly one of the fields.

    `days` or `months` long (trailing; months are calendar months back from the end), or `since` the beginning of the
    week, month … that the window's last day lies in (period to date). While T lies in the window they end with T's
    local day.
    """

    days: int | None = None
    months: int | None = None
    since: Literal["week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSelection:
    """Events of the given types that a filter lets pass."""

    events: tuple[str, ...]
    where: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMeasure:
    """One aggregate over events (S9, S11).

    `value` (sum, avg, min, max, median, percentile, first, last) is a name: `("amount",)`, `("quantity",)`,
    `("duration_seconds",)` or `("properties", key)`. `of` (count_distinct) is `("about", thing)` or
    `("properties", key)`. `p` (percentile) lies in (0, 1).

    `covered` is the time that the events with a duration cover, in seconds: of one person overlapping ones count once,
    of several persons each one's time counts, shared events whole for everybody credited. Cut at local midnights and
    at T; each piece is of its own local day.
    """

    aggregate: Aggregate
    events: tuple[str, ...]
    value: Name | None = None
    of: Name | None = None
    p: Decimal | None = None
    where: Node | None = None
    role: str = "owner"
    credit: Credit = "split"
    over: Over | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedMeasure:
    """One aggregate over the times from start events to their end events about the same thing (S14–S16).

    `match` names the thing (`lead` is `about.lead`). `count` counts the pairs; the others but `share_within` are in
    seconds. `within` belongs to `share_within`, `p` in (0, 1) to `percentile`.
    """

    aggregate: Aggregate
    start: EventSelection
    end: EventSelection
    match: str
    repeat: Repeat = "first"
    dated_by: Literal["start", "end"] = "start"
    credited_to: Literal["start", "end"] = "end"
    clock: Clock = "wall"
    within: timedelta | None = None
    p: Decimal | None = None
    role: str = "owner"
    credit: Credit = "split"
    over: Over | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelMeasure:
    """How many things that took the first step came to a later one (S17); a conversion is a funnel of two steps.

    The cohort are the things whose first event of the first step lies in the window, credited to that event's
    credits. `count` counts those of them that reached step `reached` (an index), `conversion` divides them by those
    that reached step `base`. `within` is measured from the first step; None: no limit, and never `immature`.
    With `strict` each step must come after the one before; else whoever reached a later step passed those before.
    """

    aggregate: Aggregate
    steps: tuple[EventSelection, ...]
    names: tuple[str, ...]
    match: str
    reached: int
    base: int = 0
    skipped: Literal["counts_as_passed", "strict"] = "counts_as_passed"
    within: timedelta | None = None
    role: str = "owner"
    credit: Credit = "split"
    over: Over | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchesMeasure:
    """A statistic over things of how many touches each had after its anchor (S18).

    The things are those whose first anchor event lies in the window, credited to its credits. Touches are events of
    `touches` after it (S14), at most `within` later and before the first `until` event that follows the anchor: at
    least one of the two is given. A thing enters once `within` has passed or `until` came; others are pending.
    `count` counts the things that entered, `sum` their touches, `share_at_least` those with `at_least` touches.
    """

    aggregate: Aggregate
    anchor: EventSelection
    touches: EventSelection
    match: str
    until: EventSelection | None = None
    within: timedelta | None = None
    at_least: int | None = None
    p: Decimal | None = None
    role: str = "owner"
    credit: Credit = "split"
    over: Over | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceStep:
    """Something to be done about the thing at most `by` after the anchor."""

    selection: EventSelection
    by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceMeasure:
    """The share of agreed steps that were done in time, over all steps of all things that entered (S18).

    The things are those whose first anchor event lies in the window, credited to its credits; one enters when the
    longest `by` has passed, others are pending. Of steps with equal selections the k-th needs the k-th such event.
    """

    aggregate: Aggregate
    anchor: EventSelection
    steps: tuple[CadenceStep, ...]
    match: str
    role: str = "owner"
    credit: Credit = "split"
    over: Over | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMeasure:
    """How much is open at a moment: things with a start event and no end event by then (S18a).

    The moment is the window's start or end, by local days, or T where that is earlier. `repeat: first`: a thing is
    open from its first start event until the first end event that is later (S14), then never again. `each`: it is
    open again from a later start on. Credited to the start that opened it. `sum` adds the latest `value` of the
    start events that the thing has had by then, while open.
    """

    aggregate: Aggregate
    start: EventSelection
    end: EventSelection
    match: str
    at: Literal["start", "end"] = "end"
    repeat: Repeat = "first"
    value: Name | None = None
    role: str = "owner"
    credit: Credit = "split"


Measure = EventMeasure | ElapsedMeasure | FunnelMeasure | TouchesMeasure | CadenceMeasure | OpenMeasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The measures, the formula over their names, the unit that was declared, and where the figure should go."""

    measures: Mapping[str, Measure]
    formula: Node
    unit: Unit
    direction: Direction


def unit_of(measure: Measure) -> Unit:
    """The unit of a measure's value; a property's is unknown and mixes like a bare number."""
    match measure.aggregate:
        case Aggregate.COUNT | Aggregate.COUNT_DISTINCT:
            return COUNT
        case Aggregate.COVERED:
            return DURATION
        case Aggregate.SHARE_WITHIN | Aggregate.CONVERSION | Aggregate.SHARE_AT_LEAST | Aggregate.SHARE_DONE:
            return RATIO
    match measure:
        case ElapsedMeasure():
            return DURATION
        case TouchesMeasure():
            return COUNT
        case EventMeasure(value=Name(path=(field, *_))) | OpenMeasure(value=Name(path=(field, *_))):
            return {"amount": MONEY, "quantity": COUNT, "duration_seconds": DURATION}.get(field, NUMBER)
    return NUMBER


def adds_up(measure: Measure) -> bool:
    """Whether the measure is a count or a sum of what lies in the window itself (S24)."""
    return measure.aggregate in ADDITIVE_AGGREGATES and not isinstance(measure, OpenMeasure) and measure.over is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The events that a part of a measure looks at, and the properties it needs of them; `place` is `/elapsed/to`."""

    place: str
    events: tuple[str, ...]
    where: Node | None
    properties: tuple[str, ...]


def looks(measure: Measure) -> tuple[Look, ...]:
    """What a measure looks at: one kind of events, or each of the kinds that it relates."""
    match measure:
        case EventMeasure():
            named = {name.path[1] for name in (measure.value, measure.of) if name and name.path[0] == "properties"}
            return (_look("", EventSelection(events=measure.events, where=measure.where), named),)
        case ElapsedMeasure():
            return _look("/elapsed/from", measure.start), _look("/elapsed/to", measure.end)
        case OpenMeasure():
            valued = {measure.value.path[1]} if measure.value and measure.value.path[0] == "properties" else set()
            return _look("/open_at/from", measure.start, valued), _look("/open_at/to", measure.end)
        case FunnelMeasure():
            return tuple(_look(f"/funnel/steps/{n}", step) for n, step in enumerate(measure.steps))
        case TouchesMeasure():
            until = (_look("/touches/until", measure.until),) if measure.until else ()
            return _look("/touches/anchor", measure.anchor), _look("/touches/events", measure.touches), *until
        case CadenceMeasure():
            steps = (_look(f"/cadence/steps/{n}", step.selection) for n, step in enumerate(measure.steps))
            return _look("/cadence/anchor", measure.anchor), *steps


def _look(place: str, selection: EventSelection, named: Iterable[str] = ()) -> Look:
    filtered = property_keys(selection.where) if selection.where is not None else frozenset()
    return Look(
        place=place, events=selection.events, where=selection.where, properties=tuple(sorted(filtered.union(named)))
    )
