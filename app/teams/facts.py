"""What the figures need to know of people and teams, as plain values.

Dates are half-open `[start, end)`; None is unbounded.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True)
class Person:
    """Somebody as a source names them; `external_id` is exact text, unique in its source."""

    external_id: str
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class MemberRow:
    """A member, archived ones too; before `recorded_at` nobody knew of them."""

    id: UUID
    name: str
    recorded_at: datetime


@dataclass(frozen=True)
class TeamRow:
    """A team, archived ones too; before `recorded_at` nobody knew of it."""

    id: UUID
    name: str
    recorded_at: datetime


@dataclass(frozen=True)
class Placement:
    """A team's place in the tree during a span; `parent_id` None, or no placement on a day: at the top."""

    team_id: UUID
    parent_id: UUID | None
    start: date | None
    end: date | None


@dataclass(frozen=True)
class MembershipRow:
    """A member's time in a team, whether as a member or leading it."""

    team_id: UUID
    member_id: UUID
    start: date | None
    end: date | None


@dataclass(frozen=True)
class Mapping:
    """The member whom an identity's credits of these days belong to (S8)."""

    identity_id: UUID
    member_id: UUID
    start: date | None
    end: date | None


@dataclass(frozen=True)
class Structure:
    """People and teams as known at an instant; members and teams recorded later are here too, with when."""

    members: dict[UUID, MemberRow]
    teams: dict[UUID, TeamRow]
    placements: list[Placement]
    memberships: list[MembershipRow]
    mappings: list[Mapping]
    identities: frozenset[UUID]
