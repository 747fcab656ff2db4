"""What is open at a moment (S18a)."""

from datetime import date
from decimal import Decimal

from app.kpis.definition import EventSelection, OpenMeasure
from tests.reference.measures.entry import Entry, State, comes_after, firsts, selected
from tests.reference.measures.events import valued
from tests.reference.snapshot import ZERO, Fact, Snapshot


def standing_entries(measure: OpenMeasure, snapshot: Snapshot, moment: date) -> list[Entry]:
    """An entry for each thing that is open when a day begins, by the start that opened it."""
    result = []
    for thing in firsts(measure.start, measure.match, snapshot):
        opened = _opened_by(measure, snapshot, thing, moment)
        if opened is not None:
            state, value = _value(measure, snapshot, thing, moment)
            result.append(Entry(opened, opened.day, opened, state, value))
    return result


def _opened_by(measure: OpenMeasure, snapshot: Snapshot, thing: str, moment: date) -> Fact | None:
    """The start by which the thing is open; None where it is not.

    Of what happened by then. `first`: the first start, which no end has followed. `each`: the first of the starts that
    no end has followed.
    """
    starts = _by_then(measure.start, measure, snapshot, thing, moment)
    ends = _by_then(measure.end, measure, snapshot, thing, moment)
    for start in starts[:1] if measure.repeat == "first" else starts:
        if not any(comes_after(end, start, measure.start) for end in ends):
            return start
    return None


def _by_then(
    selection: EventSelection, measure: OpenMeasure, snapshot: Snapshot, thing: str, moment: date
) -> list[Fact]:
    """The events of a selection about a thing whose days lie before a moment."""
    found = selected(selection, snapshot)
    return [fact for fact in found if fact.content.about.get(measure.match) == thing and fact.day < moment]


def _value(measure: OpenMeasure, snapshot: Snapshot, thing: str, moment: date) -> tuple[State, Decimal]:
    """The latest value among the start events that the thing has had by then; it may be one that cannot be used."""
    if measure.value is None:
        return "enters", ZERO
    state: State = "skipped"
    value = ZERO
    for fact in _by_then(measure.start, measure, snapshot, thing, moment):
        found, number = valued(measure.value, snapshot, fact)
        if found != "skipped":
            state, value = found, number
    return state, value
