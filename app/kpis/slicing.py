"""Groups by an attribute of the credited member on the day: role, country, manager or team.

Pure: a slice is some members on some days; a subject's part in it are the credits that it gets from them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.ids import NIL
from app.employment.facts import Staff
from app.kpis.attribution import ALL_TIME, Attributor, Days, Span, Subject, complement, days_between, intersect, union
from app.kpis.questions import Attribute, Group
from app.teams.facts import Structure

MemberDays = Mapping[UUID, Sequence[Days]]


@dataclass(frozen=True, eq=False)
class Slice:
    """The members on the days that are named, or with `is_inverted` all others, and whoever is no member at all."""

    days: MemberDays
    is_inverted: bool = False

    def clipped(self, member: UUID, runs: Sequence[Days]) -> list[Days]:
        """The part of a member's days that lies in the slice."""
        named = self.days.get(member, ())
        return intersect(runs, complement(named) if self.is_inverted else named)


class Slices:
    """All values of an attribute, with the members and days that have each."""

    def __init__(self, structure: Structure, staff: Staff, attributor: Attributor, attribute: Attribute) -> None:
        self._structure = structure
        self._attributor = attributor
        self._names = self._labels(attribute)
        self._days: dict[str, dict[UUID, list[Days]]] = {}
        if attribute == "team":
            self._days = {str(team): attributor.days_directly_in(team) for team in structure.teams}
        else:
            self._days = _by_terms(staff, attribute)

    def _labels(self, attribute: Attribute) -> dict[str, str]:
        if attribute == "team":
            return {str(team.id): team.name for team in self._structure.teams.values()}
        if attribute == "manager":
            return {str(member.id): member.name for member in self._structure.members.values()}
        return {}

    def groups(self) -> list[Group]:
        """Every value that somebody ever has, by code point, and the group of all without one."""
        return [*(Group("value", value, self._names.get(value)) for value in sorted(self._days)), Group("none")]

    def of(self, group: Group) -> Slice:
        """The slice of a single group."""
        if group.kind == "none":
            return Slice(self._together(self._days), is_inverted=True)
        return Slice(self._days.get(str(group.value), {}))

    def rest(self, kept: Sequence[Group]) -> Slice:
        """What is in none of the groups."""
        shown = self._together(str(group.value) for group in kept if group.kind == "value")
        if all(group.kind == "value" for group in kept):
            return Slice(shown, is_inverted=True)
        every = self._together(self._days)
        return Slice({member: intersect(runs, complement(shown.get(member, []))) for member, runs in every.items()})

    def _together(self, values: Iterable[str]) -> dict[UUID, list[Days]]:
        found: dict[UUID, list[Days]] = defaultdict(list)
        for value in values:
            for member, runs in self._days.get(value, {}).items():
                found[member] += runs
        return {member: union(runs) for member, runs in found.items()}

    def spans(self, subject: Subject, part: Slice) -> list[Span]:
        """The identities and days whose credits the subject gets in the slice."""
        named: dict[UUID, list[Days]] = defaultdict(list)
        for member, runs in part.days.items():
            for span in self._attributor.mapped_to(member):
                named[span.identity_id] += intersect([span.days], runs)
        clips = {identity: union(runs) for identity, runs in named.items()}
        found = []
        for span in self._everything() if subject.kind == "organization" else self._attributor.spans(subject):
            runs = clips.get(span.identity_id, [])
            within = intersect([span.days], complement(runs) if part.is_inverted else runs)
            found += [Span(span.identity_id, days) for days in within]
        return found

    def _everything(self) -> list[Span]:
        return [Span(identity, ALL_TIME) for identity in (*self._structure.identities, NIL)]


def _by_terms(staff: Staff, attribute: Attribute) -> dict[str, dict[UUID, list[Days]]]:
    found: dict[str, dict[UUID, list[Days]]] = defaultdict(lambda: defaultdict(list))
    for member, spells in staff.terms.items():
        for terms in spells:
            value = {"revenue_role": terms.revenue_role, "country": terms.country, "manager": terms.manager_id}[
                attribute
            ]
            if value is not None:
                found[str(value)][member].append(days_between(terms.start, terms.end))
    return {value: {member: union(runs) for member, runs in members.items()} for value, members in found.items()}
