"""Reading of members, teams and what is dated about them."""

from datetime import date
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, and_, bindparam, collate, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import OrganizationId, Ready
from app.core.pagination import Key
from app.teams.dated import holds_on
from app.teams.models import Dated, Member, Membership, Team, TeamPlacement


def members(org_id: OrganizationId, *, is_archived: bool, prefix: str | None) -> Select[Member]:
    """The members, or the archived ones."""
    wanted = select(Member).where(Member.org_id == org_id)
    wanted = wanted.where(Member.archived_at.is_not(None) if is_archived else Member.archived_at.is_(None))
    return wanted if prefix is None else wanted.where(_begins(Member.name, prefix))


def in_team(org_id: OrganizationId, team_id: UUID, day: date) -> ColumnElement[bool]:
    """Of members: who is directly in the team on the day."""
    return Member.id.in_(
        select(Membership.member_id).where(
            Membership.org_id == org_id, Membership.team_id == team_id, holds_on(Membership, day)
        )
    )


def teams_of(org_id: OrganizationId, member_id: UUID, day: date) -> Select[UUID, str, str]:
    """The teams in which a member is on the day, with the kind of membership."""
    return (
        select(Team.id, Team.name, Membership.kind)
        .join(Membership, and_(Membership.org_id == Team.org_id, Membership.team_id == Team.id))
        .where(Team.org_id == org_id, Membership.org_id == org_id, Membership.member_id == member_id)
        .where(holds_on(Membership, day))
        .order_by(Team.name, Team.id)
    )


def placed_teams(org_id: OrganizationId, day: date | ColumnElement[date]) -> Select[*tuple[Any, ...]]:
    """All teams, each with its parent on the day."""
    placement = and_(
        TeamPlacement.org_id == Team.org_id,
        TeamPlacement.org_id == org_id,
        TeamPlacement.team_id == Team.id,
        holds_on(TeamPlacement, day),
    )
    return select(Team, TeamPlacement.parent_id).outerjoin(TeamPlacement, placement).where(Team.org_id == org_id)


PLACED_TEAM = Ready(
    placed_teams(cast(OrganizationId, bindparam("org_id")), bindparam("day", type_=Date()))
    .where(Team.id == bindparam("team_id"))
    .with_only_columns(Team.id, Team.name, Team.recorded_at, Team.archived_at, Team.version, TeamPlacement.parent_id)
)
"""A team with its parent on the day."""


def teams(
    org_id: OrganizationId, day: date, *, is_archived: bool, prefix: str | None, parent_id: UUID | None
) -> Select[*tuple[Any, ...]]:
    """The teams, or the archived ones, each with its parent on the day."""
    wanted = placed_teams(org_id, day)
    wanted = wanted.where(Team.archived_at.is_not(None) if is_archived else Team.archived_at.is_(None))
    if parent_id is not None:
        wanted = wanted.where(TeamPlacement.parent_id == parent_id)
    return wanted if prefix is None else wanted.where(_begins(Team.name, prefix))


def memberships(org_id: OrganizationId, team_id: UUID) -> Select[*tuple[Any, ...]]:
    """A team's memberships, each with the member's name."""
    return (
        select(Membership, Member.name)
        .join(Member, and_(Member.org_id == Membership.org_id, Member.id == Membership.member_id))
        .where(Membership.org_id == org_id, Member.org_id == org_id, Membership.team_id == team_id)
        .where(Membership.superseded_at.is_(None))
    )


def in_time_order(table: type[Dated]) -> list[Key]:
    """The order of dated things: those without a first day first."""
    return [Key(func.coalesce(table.valid_from, date.min)), Key(table.id)]


def _begins(column: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    # The database's own text is "C", whose lower() knows only ASCII: Łucja must be found by łu.
    lowered = func.lower(collate(column, "pg_unicode_fast"))
    return lowered.startswith(prefix.lower(), autoescape=True)
