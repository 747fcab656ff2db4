"""Measures over single events (S9, S11)."""

from decimal import Decimal

from app.kpis.definition import EventMeasure, EventSelection
from app.kpis.expressions.syntax import Name
from tests.reference.measures.entry import Entry, State, selected
from tests.reference.snapshot import ZERO, Fact, Snapshot


def event_entries(measure: EventMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each event that is meant."""
    meant = selected(EventSelection(events=measure.events, where=measure.where), snapshot)
    return [_event_entry(measure, snapshot, fact) for fact in meant]


def _event_entry(measure: EventMeasure, snapshot: Snapshot, fact: Fact) -> Entry:
    if measure.value is not None:
        state, value = valued(measure.value, snapshot, fact)
        return Entry(fact, fact.day, fact, state, value)
    if measure.of is not None:
        thing = snapshot.field(fact, measure.of.path)
        if thing is None:
            return Entry(fact, fact.day, fact, "skipped")
        return Entry(fact, fact.day, fact, "enters", thing=(type(thing).__name__, thing))
    return Entry(fact, fact.day, fact, "enters")


def valued(value: Name, snapshot: Snapshot, fact: Fact) -> tuple[State, Decimal]:
    """The event's value: skipped without one, left out with one that cannot be used (S11)."""
    number = snapshot.field(fact, value.path)
    if isinstance(number, Decimal):
        return "enters", number
    is_unconverted = value.path == ("amount",) and fact.content.amount is not None
    return "skipped" if number is None and not is_unconverted else "left_out", ZERO
