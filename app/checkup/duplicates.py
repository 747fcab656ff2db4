"""Facts that two sources tell, and that count twice."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.checkup.checks import Check, Finding, Step, number

NEAR = timedelta(minutes=2)
_SHOWN = 3
_NEIGHBORS = 50  # a machine that makes thousands of calls a minute must not make the check slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A recent event of a type for which several sources count; `person` is the member, else who the source says."""

    event_id: str
    source: str
    type: str
    at: datetime
    person: str
    about: Mapping[str, str]
    phone: str | None
    money: tuple[Decimal, str | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A source, and the types that it counts for."""

    id: str
    types: Sequence[str]


Pair = tuple[Told, Told]


def suspected(events: Sequence[Told]) -> list[Pair]:
    """Pairs of different sources, of the same type and person, at most two minutes apart, and about the same.

    About the same: something that both say is equal (a thing, the phone, the amount), and neither phone nor amount
    differs. Each event is in one pair at most: a call told twice is one duplicate, not two.
    """
    by_person: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for event in sorted(events, key=lambda told: (told.at, told.source, told.event_id)):
        by_person[event.type, event.person].append(event)
    return [pair for told in by_person.values() for pair in _pairs(told)]


def _pairs(events: Sequence[Told]) -> Iterator[Pair]:
    taken: set[str] = set()
    for place, first in enumerate(events):
        if first.event_id in taken:
            continue
        for second in events[place + 1 : place + 1 + _NEIGHBORS]:
            if second.at - first.at > NEAR:
                break
            if second.event_id not in taken and second.source != first.source and _alike(first, second):
                taken |= {first.event_id, second.event_id}
                yield first, second
                break


def _alike(first: Told, second: Told) -> bool:
    if first.phone and second.phone and first.phone != second.phone:
        return False
    if first.money and second.money and first.money != second.money:
        return False
    same_thing = any(second.about.get(thing) == value for thing, value in first.about.items())
    return same_thing or (bool(first.phone) and first.phone == second.phone) or _same_money(first, second)


def _same_money(first: Told, second: Told) -> bool:
    return first.money is not None and first.money == second.money


def counted_once(pairs: Sequence[Pair], types: Sequence[str], looked_at: int, sources: Mapping[str, Counted]) -> Check:
    """Suspected duplicates across sources that both count, with examples."""
    groups: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for first, second in pairs:
        one, other = sorted((first.source, second.source))
        groups[first.type, one, other].append((first, second))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    if pairs:
        sentence = f"{number(len(pairs), 'event')} may be counted twice, because two sources tell the same."
    elif types:
        sentence = f"{number(len(types), 'type')} of events come from several sources; none looks told twice."
    else:
        sentence = "No type of events comes from two sources."
    return Check(
        check="counted_once",
        mistake="The same counted twice",
        verdict="problem" if pairs else "ok",
        sentence=sentence,
        figures={
            "suspected_duplicates": len(pairs),
            "types_of_several_sources": len(types),
            "events_looked_at": looked_at,
        },
        findings=[_finding(*key, found) for key, found in ordered],
        steps=[_step(*key, sources) for key, _ in ordered[:5]],
    )


def _finding(kind: str, one: str, other: str, found: Sequence[Pair]) -> Finding:
    return Finding(
        kind="suspected_duplicates",
        id=kind,
        name=f"{one}, {other}",
        detail=f"{number(len(found), 'pair')} of {kind} by the same person, at most 2 minutes apart.",
        examples=[(first.event_id, second.event_id) for first, second in found[:_SHOWN]],
    )


def _step(kind: str, one: str, other: str, sources: Mapping[str, Counted]) -> Step:
    return Step(
        sentence=f"Let only one of {one} and {other} count {kind}: this takes it from {other}, whose events are kept.",
        method="PATCH",
        path=f"/v1/sources/{sources[other].id}",
        body={"counts": [each for each in sources[other].types if each != kind]},
    )
