"""What a measure finds: an event, or the event that a pair or a thing begins with."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from app.kpis.definition import EventSelection
from tests.reference.evaluate import EXACT
from tests.reference.snapshot import ZERO, Fact, Snapshot
from tests.reference.world import PropertyValue

State = Literal["enters", "skipped", "left_out", "open", "pending"]


@dataclass(frozen=True)
class Entry:
    """An event, or the start of a pair, that a measure looks at.

    `day` decides the window, the credits of `credited` decide the subjects. Only what 'enters' has to do with the
    value: `value` is the number that is aggregated, `thing` what is counted once by count_distinct. Of a `young` one
    the limit has not passed yet (S17). `span` is the time that it covers.
    """

    fact: Fact
    day: date
    credited: Fact
    state: State
    value: Decimal = ZERO
    thing: tuple[str, PropertyValue] | None = None
    is_young: bool = False
    span: tuple[datetime, datetime] | None = None


def selected(selection: EventSelection, snapshot: Snapshot) -> list[Fact]:
    """The events that a selection means, in their order."""
    if selection not in snapshot.selections:
        of_type = [fact for fact in snapshot.facts if fact.content.type in selection.events]
        snapshot.selections[selection] = [fact for fact in of_type if snapshot.passes(fact, selection.where)]
    return snapshot.selections[selection]


def firsts(selection: EventSelection, match: str, snapshot: Snapshot) -> dict[str, Fact]:
    """The first event of a selection about each thing, by the thing."""
    found: dict[str, Fact] = {}
    for fact in selected(selection, snapshot):
        thing = fact.content.about.get(match)
        if thing is not None and thing not in found:
            found[thing] = fact
    return found


def followers(
    start: Fact, starts: EventSelection, selection: EventSelection, match: str, snapshot: Snapshot
) -> list[Fact]:
    """The other events of a selection about the same thing that come after a start of `starts`, in order (S14)."""
    about = start.content.about[match]
    return [
        fact
        for fact in selected(selection, snapshot)
        if fact.content.about.get(match) == about and fact != start and comes_after(fact, start, starts)
    ]


def comes_after(later: Fact, start: Fact, starts: EventSelection) -> bool:
    """Later, or at the same instant; where its type is one of the starts' too: later in the order of events (S14)."""
    if later.content.occurred_at != start.content.occurred_at:
        return later.content.occurred_at > start.content.occurred_at
    return later.content.type not in starts.events or later.order > start.order


def between(start: Fact, later: Fact) -> timedelta:
    """The time from one event to another."""
    return later.content.occurred_at - start.content.occurred_at


def age(start: Fact, snapshot: Snapshot) -> timedelta:
    """How old an event is at T."""
    return snapshot.at - start.content.occurred_at


def seconds(span: timedelta) -> Decimal:
    """A span of time in seconds, exactly."""
    return EXACT.divide(Decimal(span // timedelta(microseconds=1)), Decimal(1_000_000))
