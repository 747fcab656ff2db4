"""Measures: which events (or pairs) they are over, and what their aggregates make of them (S9, S11, S14, S15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Literal

from app.kpis.definition import ElapsedMeasure, EventMeasure, Measure
from app.kpis.expressions.syntax import Node
from tests.reference.evaluate import EXACT, FORMULA
from tests.reference.snapshot import ONE, ZERO, Fact, Snapshot
from tests.reference.world import PropertyValue

State = Literal["enters", "skipped", "left_out", "open", "pending"]


@dataclass(frozen=True)
class Entry:
    """An event, or the start of a pair, that a measure looks at.

    `day` decides the window, the credits of `credited` decide the subjects. Only what 'enters' has to do with the
    value: `value` is the number that is aggregated, `thing` what is counted once by count_distinct.
    """

    fact: Fact
    day: date
    credited: Fact
    state: State
    value: Decimal = ZERO
    thing: tuple[str, PropertyValue] | None = None


def entries(measure: Measure, snapshot: Snapshot, on_top: Node | None) -> list[Entry]:
    """All entries of a measure over the whole organization and all time, after the filter on top of the query."""
    if isinstance(measure, EventMeasure):
        return _event_entries(measure, snapshot, on_top)
    return _pair_entries(measure, snapshot, on_top)


# ------------------------------------------------------------------------------------------------------ events


def _event_entries(measure: EventMeasure, snapshot: Snapshot, on_top: Node | None) -> list[Entry]:
    result = []
    for fact in snapshot.facts:
        is_meant = fact.content.type in measure.events and snapshot.passes(fact, measure.where)
        if is_meant and snapshot.passes(fact, on_top):
            result.append(_event_entry(measure, snapshot, fact))
    return result


def _event_entry(measure: EventMeasure, snapshot: Snapshot, fact: Fact) -> Entry:
    """The event with its value: skipped without one, left out with one that cannot be used (S11)."""
    if measure.value is not None:
        path = measure.value.path
        value = snapshot.field(fact, path)
        if isinstance(value, Decimal):
            return Entry(fact, fact.day, fact, "enters", value)
        is_unconverted = path == ("amount",) and fact.content.amount is not None
        return Entry(fact, fact.day, fact, "skipped" if value is None and not is_unconverted else "left_out")
    if measure.of is not None:
        thing = snapshot.field(fact, measure.of.path)
        if thing is None:
            return Entry(fact, fact.day, fact, "skipped")
        return Entry(fact, fact.day, fact, "enters", thing=(type(thing).__name__, thing))
    return Entry(fact, fact.day, fact, "enters")


# ------------------------------------------------------------------------------------------------------- pairs


def _pair_entries(measure: ElapsedMeasure, snapshot: Snapshot, on_top: Node | None) -> list[Entry]:
    """Pairs first, over everything; the filter on top asks about the start (S14)."""
    result = []
    for start in _starts(measure, snapshot):
        end = _end_of(start, measure, snapshot)
        dated = start if measure.dated_by == "start" else end
        if dated is not None and snapshot.passes(start, on_top):
            credited = end if measure.credited_to == "end" and end is not None else start
            state, value = _answered(measure, snapshot, start, end)
            result.append(Entry(start, dated.day, credited, state, value))
    return result


def _starts(measure: ElapsedMeasure, snapshot: Snapshot) -> list[Fact]:
    """The start events: of several about one thing the first only, or each (S14)."""
    starts: list[Fact] = []
    for fact in snapshot.facts:
        is_start = fact.content.type in measure.start.events and snapshot.passes(fact, measure.start.where)
        thing = fact.content.about.get(measure.match)
        if not is_start or thing is None:
            continue
        has_started = any(start.content.about[measure.match] == thing for start in starts)
        if measure.repeat == "each" or not has_started:
            starts.append(fact)
    return starts


def _end_of(start: Fact, measure: ElapsedMeasure, snapshot: Snapshot) -> Fact | None:
    """The first other end event about the same thing that is later, or at the same instant (S14)."""
    for fact in snapshot.facts:
        is_end = fact.content.type in measure.end.events and snapshot.passes(fact, measure.end.where)
        is_same_thing = fact.content.about.get(measure.match) == start.content.about[measure.match]
        if is_end and is_same_thing and fact != start and _comes_after(fact, start, measure):
            return fact
    return None


def _comes_after(end: Fact, start: Fact, measure: ElapsedMeasure) -> bool:
    if end.content.occurred_at != start.content.occurred_at:
        return end.content.occurred_at > start.content.occurred_at
    return end.content.type not in measure.start.events or end.order > start.order


def _answered(measure: ElapsedMeasure, snapshot: Snapshot, start: Fact, end: Fact | None) -> tuple[State, Decimal]:
    """What a start counts as: for a share 1 in time and 0 too late, else the seconds to its end (S15)."""
    elapsed = None if end is None else end.content.occurred_at - start.content.occurred_at
    if measure.aggregate == "share_within":
        assert measure.within is not None
        if snapshot.at - start.content.occurred_at < measure.within:
            return "pending", ZERO
        return "enters", ONE if elapsed is not None and elapsed <= measure.within else ZERO
    return ("open", ZERO) if elapsed is None else ("enters", seconds(elapsed))


def seconds(span: timedelta) -> Decimal:
    """A span of time in seconds, exactly."""
    return EXACT.divide(Decimal(span // timedelta(microseconds=1)), Decimal(1_000_000))


# -------------------------------------------------------------------------------------------------- aggregates


def aggregate(measure: Measure, weighted: Sequence[tuple[Decimal, Entry]]) -> Decimal | None:  # noqa: C901 - a case each
    """The value over the entries that enter, with their weights; None is no data (S9, S11, S12)."""
    weights = [weight for weight, _ in weighted]
    values = [entry.value for _, entry in weighted]
    with localcontext(EXACT):
        match str(measure.aggregate):
            case "count":
                return sum(weights, ZERO)
            case "count_distinct":
                return Decimal(len({entry.thing for _, entry in weighted}))
            case "sum":
                return sum((weight * entry.value for weight, entry in weighted), ZERO)
    if not weighted:
        return None
    match str(measure.aggregate):
        case "avg":
            with localcontext(EXACT):
                total, weight = sum((weight * entry.value for weight, entry in weighted), ZERO), sum(weights, ZERO)
            return FORMULA.divide(total, weight)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "median":
            return percentile(values, Decimal("0.5"))
        case "percentile":
            assert measure.p is not None
            return percentile(values, measure.p)
        case "share_within":
            return FORMULA.divide(sum(values, ZERO), Decimal(len(values)))
    raise AssertionError(measure)


def percentile(values: Sequence[Decimal], p: Decimal) -> Decimal:
    """The value at position 1 + (n − 1) p of the ordered values, linearly between two (S11)."""
    ordered = sorted(values)
    with localcontext(EXACT):
        offset = (len(ordered) - 1) * p
        below = int(offset)
        if below == offset:
            return ordered[below]
        return ordered[below] + (ordered[below + 1] - ordered[below]) * (offset - below)
