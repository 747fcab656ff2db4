"""Measures: what they are over, and what their aggregates make of it (S9, S11, S14–S18a)."""

from datetime import date

from app.kpis.definition import (
    CadenceMeasure,
    ElapsedMeasure,
    EventMeasure,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import Node
from tests.reference.measures.aggregates import aggregate
from tests.reference.measures.covered import covered_entries
from tests.reference.measures.entry import Entry, State
from tests.reference.measures.events import event_entries
from tests.reference.measures.funnels import funnel_entries
from tests.reference.measures.pairs import pair_entries
from tests.reference.measures.standing import standing_entries
from tests.reference.measures.touches import cadence_entries, touches_entries
from tests.reference.snapshot import Snapshot

__all__ = ["Entry", "State", "aggregate", "entries", "entries_at"]


def entries(measure: Measure, snapshot: Snapshot, on_top: Node | None) -> list[Entry]:
    """All entries of a measure over the whole organization and all time, after the filter on top of the query.

    Pairs and things are found over everything first; the filter on top asks about the event they begin with (S14).
    """
    match measure:
        case EventMeasure(aggregate="covered"):
            found = covered_entries(measure, snapshot)
        case EventMeasure():
            found = event_entries(measure, snapshot)
        case ElapsedMeasure():
            found = pair_entries(measure, snapshot)
        case FunnelMeasure():
            found = funnel_entries(measure, snapshot)
        case TouchesMeasure():
            found = touches_entries(measure, snapshot)
        case CadenceMeasure():
            found = cadence_entries(measure, snapshot)
        case OpenMeasure():
            raise ValueError("What is open depends on the moment.")
    return [entry for entry in found if snapshot.passes(entry.fact, on_top)]


def entries_at(measure: OpenMeasure, snapshot: Snapshot, on_top: Node | None, moment: date) -> list[Entry]:
    """The things that are open at the beginning of a day, or at T where that is earlier (S18a)."""
    return [entry for entry in standing_entries(measure, snapshot, moment) if snapshot.passes(entry.fact, on_top)]
