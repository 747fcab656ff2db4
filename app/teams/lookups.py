"""Finding members and teams that a path or a body names."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.problems import NotFound, ValidationFailed
from app.teams.models import Identity, Member, Team

Found = TypeVar("Found", Member, Team, Identity)


class MemberNotFound(NotFound):
    """There is no such member in this organization."""

    code, title = "member-not-found", "Member not found"


class TeamNotFound(NotFound):
    """There is no such team in this organization."""

    code, title = "team-not-found", "Team not found"


class IdentityNotFound(NotFound):
    """There is no such identity in this organization."""

    code, title = "identity-not-found", "Identity not found"


async def get_member(session: AsyncSession, org_id: OrganizationId, member_id: UUID, *, lock: bool = False) -> Member:
    """The member of a path. Raises `MemberNotFound`."""
    if (found := await _find(session, Member, org_id, member_id, lock=lock)) is None:
        raise MemberNotFound(f"No member {member_id}.")
    return found


async def get_team(session: AsyncSession, org_id: OrganizationId, team_id: UUID, *, lock: bool = False) -> Team:
    """The team of a path. Raises `TeamNotFound`."""
    if (found := await _find(session, Team, org_id, team_id, lock=lock)) is None:
        raise TeamNotFound(f"No team {team_id}.")
    return found


async def get_identity(session: AsyncSession, org_id: OrganizationId, identity_id: UUID) -> Identity:
    """The identity of a path. Raises `IdentityNotFound`."""
    if (found := await _find(session, Identity, org_id, identity_id)) is None:
        raise IdentityNotFound(f"No identity {identity_id}.")
    return found


async def named_member(session: AsyncSession, org_id: OrganizationId, member_id: UUID, pointer: str) -> Member:
    """The member that a body names at `pointer`. Raises `ValidationFailed` there."""
    if (found := await _find(session, Member, org_id, member_id)) is None:
        raise ValidationFailed.at(pointer, f"There is no member {member_id} in this organization.", "member_unknown")
    return found


async def named_team(session: AsyncSession, org_id: OrganizationId, team_id: UUID, pointer: str) -> Team:
    """The team that a body names at `pointer`. Raises `ValidationFailed` there."""
    if (found := await _find(session, Team, org_id, team_id)) is None:
        raise ValidationFailed.at(pointer, f"There is no team {team_id} in this organization.", "team_unknown")
    return found


async def _find(
    session: AsyncSession, table: type[Found], org_id: OrganizationId, row_id: UUID, *, lock: bool = False
) -> Found | None:
    wanted = select(table).where(table.org_id == org_id, table.id == row_id)
    return (await session.execute(wanted.with_for_update() if lock else wanted)).scalar_one_or_none()
