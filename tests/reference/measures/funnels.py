"""How many things came from a first step to later ones (S17)."""

from app.kpis.definition import FunnelMeasure
from tests.reference.measures.entry import Entry, State, age, between, firsts, followers
from tests.reference.snapshot import ONE, ZERO, Fact, Snapshot


def funnel_entries(measure: FunnelMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each thing that took the first step; what enters is counted, or what the rest is divided by."""
    result = []
    for first in firsts(measure.steps[0], measure.match, snapshot).values():
        taken = _steps_taken(measure, snapshot, first)
        counted = measure.reached if measure.aggregate == "count" else measure.base
        state: State = "enters" if counted in taken else "skipped"
        is_young = measure.within is not None and age(first, snapshot) < measure.within
        value = ONE if measure.reached in taken else ZERO
        result.append(Entry(first, first.day, first, state, value, is_young=is_young))
    return result


def _steps_taken(measure: FunnelMeasure, snapshot: Snapshot, first: Fact) -> set[int]:
    """The steps that a thing reached: in order, or any with those before it (S17)."""
    if measure.skipped == "strict":
        taken, last = 0, first
        for number in range(1, len(measure.steps)):
            reached = _in_time(measure, snapshot, first, number, last, number - 1)
            if not reached:
                break
            taken, last = number, reached[0]
        return set(range(taken + 1))
    later = range(1, len(measure.steps))
    furthest = max((number for number in later if _in_time(measure, snapshot, first, number, first, 0)), default=0)
    return set(range(furthest + 1))


def _in_time(
    measure: FunnelMeasure, snapshot: Snapshot, first: Fact, number: int, after: Fact, after_step: int
) -> list[Fact]:
    """The events of a step after that of another one, as far as the limit from the first step allows."""
    found = followers(after, measure.steps[after_step], measure.steps[number], measure.match, snapshot)
    return [fact for fact in found if measure.within is None or between(first, fact) <= measure.within]
