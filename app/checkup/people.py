"""Who is there today, and in which teams."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.employment.facts import Staff
from app.teams.facts import Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Members employed today by id, teams by id, and who is directly in which team today."""

    members: Mapping[UUID, str]
    teams: Mapping[UUID, str]
    in_team: Mapping[UUID, frozenset[UUID]]

    @property
    def staffed_teams(self) -> dict[UUID, str]:
        """The teams with anybody in them."""
        return {team: name for team, name in self.teams.items() if self.in_team.get(team)}


@dataclass(frozen=True)
class Mapped:
    """Which member an identity stands for on a day."""

    spells: Mapping[UUID, list[tuple[date | None, date | None, UUID]]]

    @classmethod
    def of(cls, structure: Structure) -> "Mapped":
        """All mappings, by identity."""
        spells: dict[UUID, list[tuple[date | None, date | None, UUID]]] = {}
        for mapping in structure.mappings:
            spells.setdefault(mapping.identity_id, []).append((mapping.start, mapping.end, mapping.member_id))
        return cls(spells)

    def member(self, identity_id: UUID | None, day: date) -> UUID | None:
        """The member, if the identity is mapped on that day."""
        if identity_id is None:
            return None
        found = (who for start, end, who in self.spells.get(identity_id, ()) if _holds(start, end, day))
        return next(found, None)


def people_on(
    day: date, structure: Structure, staff: Staff, archived: Iterable[UUID], closed_teams: Iterable[UUID]
) -> People:
    """Everybody who is employed on a day and not archived, with the teams that are not."""
    gone, closed = frozenset(archived), frozenset(closed_teams)
    members = {
        member.id: member.name
        for member in structure.members.values()
        if member.id not in gone and staff.is_employed(member.id, day)
    }
    inside: dict[UUID, set[UUID]] = {}
    for membership in structure.memberships:
        if membership.member_id in members and _holds(membership.start, membership.end, day):
            inside.setdefault(membership.team_id, set()).add(membership.member_id)
    return People(
        members=members,
        teams={team.id: team.name for team in structure.teams.values() if team.id not in closed},
        in_team={team: frozenset(who) for team, who in inside.items()},
    )


def _holds(start: date | None, end: date | None, day: date) -> bool:
    return (start is None or start <= day) and (end is None or day < end)
