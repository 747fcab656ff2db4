"""Times from start events to their end events about the same thing (S14, S15, S16)."""

from datetime import datetime, timedelta
from decimal import Decimal

from app.kpis.definition import ElapsedMeasure
from tests.reference.measures.entry import Entry, State, firsts, followers, seconds, selected
from tests.reference.snapshot import ONE, ZERO, Fact, Snapshot


def pair_entries(measure: ElapsedMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each start; with `dated_by: end` for each pair."""
    result = []
    for start in _starts(measure, snapshot):
        ends = followers(start, measure.start, measure.end, measure.match, snapshot)
        end = ends[0] if ends else None
        dated = start if measure.dated_by == "start" else end
        if dated is not None:
            credited = end if measure.credited_to == "end" and end is not None else start
            state, value = _answered(measure, snapshot, start, end, credited)
            result.append(Entry(start, dated.day, credited, state, value))
    return result


def _starts(measure: ElapsedMeasure, snapshot: Snapshot) -> list[Fact]:
    """The start events: of several about one thing the first only, or each (S14)."""
    if measure.repeat == "first":
        return list(firsts(measure.start, measure.match, snapshot).values())
    return [start for start in selected(measure.start, snapshot) if measure.match in start.content.about]


def _answered(
    measure: ElapsedMeasure, snapshot: Snapshot, start: Fact, end: Fact | None, credited: Fact
) -> tuple[State, Decimal]:
    """What a start counts as: for a share 1 in time and 0 too late, else the seconds to its end (S15)."""

    def passed(until: datetime) -> Decimal:
        since = start.content.occurred_at
        if measure.clock == "wall":
            return seconds(until - since)
        return snapshot.calendar_of_credited(credited, measure.role).working_seconds(since, until)

    elapsed = None if end is None else passed(end.content.occurred_at)
    if measure.aggregate == "share_within":
        limit = seconds(measure.within or timedelta())
        if passed(snapshot.at) < limit:
            return "pending", ZERO
        return "enters", ONE if elapsed is not None and elapsed <= limit else ZERO
    return ("open", ZERO) if elapsed is None else ("enters", elapsed)
