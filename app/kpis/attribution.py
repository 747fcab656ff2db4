"""Who gets what (S8): for each subject of a query, the identities whose credits it gets, and on which days.

Pure: from people and teams as known at an instant to spans, which the engine hands to the database.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

from app.core.ids import NIL
from app.teams.facts import Structure

Attribution = Literal["at_event", "current"]
Kind = Literal["organization", "unassigned", "member", "team"]


class Days(NamedTuple):
    """A half-open run of local days; `date.min` and `date.max` are 'without bound'."""

    start: date
    end: date


ALL_TIME = Days(date.min, date.max)


class Subject(NamedTuple):
    """Whom a series is about. A member `within` a team is that person's part of the team's figure."""

    kind: Kind
    id: UUID | None = None
    within: UUID | None = None


class Span(NamedTuple):
    """The credits of an identity on these days; the nil identity stands for 'nobody is credited'."""

    identity_id: UUID
    days: Days


def days_between(start: date | None, end: date | None) -> Days:
    """A stored range, with its open ends made explicit."""
    return Days(start or date.min, end or date.max)


def intersect(one: Iterable[Days], other: Iterable[Days]) -> list[Days]:
    """The days that are in both."""
    others = list(other)
    met = [Days(max(a.start, b.start), min(a.end, b.end)) for a in one for b in others]
    return union(days for days in met if days.start < days.end)


def union(runs: Iterable[Days]) -> list[Days]:
    """The days that are in any, as disjoint runs in order."""
    merged: list[Days] = []
    for days in sorted(runs):
        if merged and days.start <= merged[-1].end:
            merged[-1] = Days(merged[-1].start, max(merged[-1].end, days.end))
        else:
            merged.append(days)
    return merged


def complement(runs: Sequence[Days]) -> list[Days]:
    """The days that are in none of these disjoint, ordered runs."""
    edges = [date.min, *(edge for days in runs for edge in days), date.max]
    gaps = (Days(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True))
    return [gap for gap in gaps if gap.start < gap.end]


class Attributor:
    """Answers for one snapshot of the structure, one way of attributing, and one 'today' (T's local day)."""

    def __init__(self, structure: Structure, attribution: Attribution, today: date) -> None:
        self._structure = structure
        self._is_current = attribution == "current"
        self._today = today
        self._children: dict[UUID, list[tuple[UUID, Days]]] = defaultdict(list)
        for place in structure.placements:
            if place.parent_id is not None:
                self._children[place.parent_id].append((place.team_id, days_between(place.start, place.end)))
        self._members: dict[UUID, list[tuple[UUID, Days]]] = defaultdict(list)
        for row in structure.memberships:
            self._members[row.team_id].append((row.member_id, days_between(row.start, row.end)))
        self._mapped: dict[UUID, list[Span]] = defaultdict(list)
        for mapping in structure.mappings:
            span = Span(mapping.identity_id, days_between(mapping.start, mapping.end))
            self._mapped[mapping.member_id].append(span)
        self._within: dict[UUID, dict[UUID, list[Days]]] = {}

    def people_of(self, team_id: UUID, during: Days, *, whole_person: bool) -> dict[Subject, tuple[Subject, ...]]:
        """A subject for everybody who ever was in the team or below it, by name; and their part of the team's figure.

        Of those who were there in these days that is left out: they are shown whatever they did. Somebody who was
        there before may have contributed all the same, by an answer that is dated by a later question. With
        `whole_person` each is all that the person did, else their part.
        """
        days_in = self.days_within(team_id)
        names = self._structure.members
        people = sorted(days_in, key=lambda member: (names[member].name, str(member)))
        return {
            Subject("member", member, None if whole_person else team_id): (
                () if intersect(days_in[member], [during]) else (Subject("member", member, team_id),)
            )
            for member in people
        }

    def spans(self, subject: Subject) -> list[Span]:
        """The identities and days whose credits the subject gets; the organization gets all, without spans."""
        match subject.kind:
            case "member" if subject.id is not None:
                if subject.within is None:
                    return self._mapped[subject.id]
                return self._clipped(subject.id, self.days_within(subject.within).get(subject.id, []))
            case "team" if subject.id is not None:
                within = self.days_within(subject.id)
                return [span for member, runs in within.items() for span in self._clipped(member, runs)]
            case "unassigned":
                return self._unassigned()
        return []

    def members_in(self, subject: Subject) -> dict[UUID, list[Days]]:
        """The members in scope of a subject, with the days on which they are (S23); all of them for the organization.

        Of the unassigned the members who are in no team.
        """
        match subject.kind:
            case "member" if subject.id is not None:
                days = [ALL_TIME]
                if subject.within is not None:
                    days = self.days_within(subject.within).get(subject.id, [])
                return {subject.id: days}
            case "team" if subject.id is not None:
                return self.days_within(subject.id)
            case "unassigned":
                placed = self._days_in_teams()
                return {member: complement(placed.get(member, [])) for member in self._structure.members}
        return {member: [ALL_TIME] for member in self._structure.members}

    def days_directly_in(self, team_id: UUID) -> dict[UUID, list[Days]]:
        """For each member of the team itself, without the teams below it, the days on which what they did counts."""
        collected: dict[UUID, list[Days]] = defaultdict(list)
        for member, days in self._members[team_id]:
            collected[member].append(days)
        return self._as_attributed(collected)

    def mapped_to(self, member_id: UUID) -> list[Span]:
        """The identities of a member, with the days."""
        return self._mapped[member_id]

    def reach(self, subject: Subject) -> set[UUID]:
        """The identities whose credits the subject would get on some day, perhaps not on the one asked about."""
        people = [subject.id] if subject.kind == "member" else self.days_within(subject.id) if subject.id else []
        return {span.identity_id for member in people if member for span in self._mapped[member]}

    def mapped(self) -> list[Span]:
        """Every identity that is somebody, with the days."""
        return [span for spans in self._mapped.values() for span in spans]

    def days_within(self, team_id: UUID) -> dict[UUID, list[Days]]:
        """For each member, the days on which what they did counts for the team.

        At the event: the days on which they were in the team or in one then below it. Current: all days
        for those who are there today.
        """
        if team_id not in self._within:
            collected: dict[UUID, list[Days]] = defaultdict(list)
            for team, when in self._subtree(team_id, [ALL_TIME]):
                for member, days in self._members[team]:
                    collected[member] += intersect([days], when)
            self._within[team_id] = self._as_attributed(collected)
        return self._within[team_id]

    def _as_attributed(self, collected: dict[UUID, list[Days]]) -> dict[UUID, list[Days]]:
        runs = {member: union(days) for member, days in collected.items()}
        if not self._is_current:
            return {member: days for member, days in runs.items() if days}
        return {member: [ALL_TIME] for member, days in runs.items() if _holds(days, self._today)}

    def _subtree(
        self, team_id: UUID, when: list[Days], above: frozenset[UUID] = frozenset()
    ) -> list[tuple[UUID, list[Days]]]:
        """The team and all below it, each with the days on which it was there."""
        found = [(team_id, when)]
        for child, days in self._children[team_id]:
            there = intersect(when, [days])
            if there and child not in above:
                found += self._subtree(child, there, above | {team_id})
        return found

    def _clipped(self, member_id: UUID, runs: Sequence[Days]) -> list[Span]:
        return [
            Span(span.identity_id, days) for span in self._mapped[member_id] for days in intersect([span.days], runs)
        ]

    def _unassigned(self) -> list[Span]:
        """What no member gets, or only members in no team at all on that day (`current`: today)."""
        assigned: dict[UUID, list[Days]] = defaultdict(list)
        for member, runs in self._days_in_teams().items():
            for span in self._clipped(member, runs):
                assigned[span.identity_id].append(span.days)
        loose = [
            Span(identity, days)
            for identity in self._structure.identities
            for days in complement(union(assigned[identity]))
        ]
        return [*loose, Span(NIL, ALL_TIME)]

    def _days_in_teams(self) -> dict[UUID, list[Days]]:
        """For each member who ever was in a team, the days on which that holds."""
        in_a_team: dict[UUID, list[Days]] = defaultdict(list)
        for rows in self._members.values():
            for member, days in rows:
                in_a_team[member].append(days)
        return self._as_attributed(in_a_team)


def _holds(runs: Iterable[Days], day: date) -> bool:
    return any(days.start <= day < days.end for days in runs)
