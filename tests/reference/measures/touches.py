"""How often a thing was touched after its anchor, and whether what was agreed was done in time (S18)."""

from decimal import Decimal

from app.kpis.definition import CadenceMeasure, TouchesMeasure
from tests.reference.measures.entry import Entry, State, age, between, firsts, followers
from tests.reference.snapshot import Fact, Snapshot


def touches_entries(measure: TouchesMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each thing with its number of touches; pending while that may still grow."""
    result = []
    for anchor in firsts(measure.anchor, measure.match, snapshot).values():
        until = _until(measure, snapshot, anchor)
        has_passed = measure.within is not None and age(anchor, snapshot) >= measure.within
        touches = _touches(measure, snapshot, anchor, until)
        state: State = "enters" if has_passed or until is not None else "pending"
        result.append(Entry(anchor, anchor.day, anchor, state, Decimal(len(touches))))
    return result


def _until(measure: TouchesMeasure, snapshot: Snapshot, anchor: Fact) -> Fact | None:
    if measure.until is None:
        return None
    found = followers(anchor, measure.anchor, measure.until, measure.match, snapshot)
    return found[0] if found else None


def _touches(measure: TouchesMeasure, snapshot: Snapshot, anchor: Fact, until: Fact | None) -> list[Fact]:
    """At most `within` later, and before the event that ends it, in the order of events (S11)."""
    return [
        touch
        for touch in followers(anchor, measure.anchor, measure.touches, measure.match, snapshot)
        if (measure.within is None or between(anchor, touch) <= measure.within)
        and (until is None or touch.order < until.order)
    ]


def cadence_entries(measure: CadenceMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each thing with its number of steps that were done in time."""
    result = []
    longest = max(step.by for step in measure.steps)
    for anchor in firsts(measure.anchor, measure.match, snapshot).values():
        done = sum(_is_done(measure, snapshot, anchor, number) for number in range(len(measure.steps)))
        state: State = "enters" if age(anchor, snapshot) >= longest else "pending"
        result.append(Entry(anchor, anchor.day, anchor, state, Decimal(done)))
    return result


def _is_done(measure: CadenceMeasure, snapshot: Snapshot, anchor: Fact, number: int) -> bool:
    """Of steps with equal selections the k-th needs the k-th such event."""
    step = measure.steps[number]
    place = sum(other.selection == step.selection for other in measure.steps[:number])
    found = followers(anchor, measure.anchor, step.selection, measure.match, snapshot)
    return place < len(found) and between(anchor, found[place]) <= step.by
