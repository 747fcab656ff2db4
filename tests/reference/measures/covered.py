"""The time that events cover: of one person overlapping ones count once, of several each one's time counts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from app.kpis.definition import EventMeasure, EventSelection
from tests.reference.days import DAY, first_instant, local_day
from tests.reference.measures.entry import Entry, seconds, selected
from tests.reference.snapshot import ONE, Fact, Snapshot
from tests.reference.world import Credit

DATED_BY_END = {"meeting.held"}


def covered_entries(measure: EventMeasure, snapshot: Snapshot) -> list[Entry]:
    """An entry for each piece of an event's time, cut at midnights and at T, and each person it is credited to."""
    result = []
    for fact in selected(EventSelection(events=measure.events, where=measure.where), snapshot):
        duration = fact.content.duration_seconds
        if duration is not None:
            length = timedelta(microseconds=int(duration * 1_000_000))
            for day, start, end in _pieces(fact, length, snapshot):
                result += [_entry(fact, part, start, end, snapshot) for part in _parts(fact, day, measure.role)]
    return result


def _pieces(fact: Fact, length: timedelta, snapshot: Snapshot) -> Iterator[tuple[date, datetime, datetime]]:
    """The local days of an event's time, each with its part of it."""
    at = fact.content.occurred_at
    start, end = (at - length, at) if fact.content.type in DATED_BY_END else (at, min(at + length, snapshot.at))
    day = local_day(start, None, snapshot.zone)
    while True:
        following = first_instant(day + DAY, snapshot.zone)
        yield day, start, min(end, following)
        if following >= end:
            return
        day, start = day + DAY, following


def _parts(fact: Fact, day: date, role: str) -> list[Fact]:
    """The event as it is on that day for each person alone who is credited with it in the role."""
    of_role = [credit for credit in fact.content.all_credits if credit.role == role]
    alone: list[tuple[Credit, ...]] = [(Credit(role, credit.identity, ONE),) for credit in of_role] or [()]
    return [replace(fact, day=day, content=replace(fact.content, actor=None, credits=each)) for each in alone]


def _entry(fact: Fact, part: Fact, start: datetime, end: datetime, snapshot: Snapshot) -> Entry:
    return Entry(fact, part.day, part, "enters", thing=("person", _person(part, snapshot)), span=(start, end))


def _person(part: Fact, snapshot: Snapshot) -> str:
    """The member, else the identity, else nobody: of each event another."""
    if not part.content.credits:
        return f"nobody of {part.key}"
    identity = part.content.credits[0].identity
    member = snapshot.member_behind(identity, part.day)
    return f"member {member}" if member is not None else f"identity {identity}"


def covered_seconds(found: Sequence[Entry]) -> Decimal:
    """For each person and day the time that is in any of their spans."""
    spans: dict[object, list[tuple[datetime, datetime]]] = {}
    for entry in found:
        assert entry.span is not None
        spans.setdefault((entry.thing, entry.day), []).append(entry.span)
    return sum((_length_of_union(of_one) for of_one in spans.values()), Decimal(0))


def _length_of_union(spans: Sequence[tuple[datetime, datetime]]) -> Decimal:
    """Between each two edges that follow each other: covered or not."""
    edges = sorted({edge for span in spans for edge in span})
    covered = (
        end - start for start, end in pairwise(edges) if any(since <= start and end <= until for since, until in spans)
    )
    return seconds(sum(covered, timedelta()))
