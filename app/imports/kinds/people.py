"""Finding the members and teams that rows name: by address, by name, and by id."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.imports.kinds.base import RowRefusedError
from app.teams.models import Member, Team


async def find_member(session: AsyncSession, org_id: OrganizationId, address: str, column: str) -> Member | None:
    """The member with this address. Raises `RowRefusedError` where there are several, or is archived."""
    lowered = func.lower(Member.email.collate("pg_unicode_fast"))
    found = (await session.execute(select(Member).where(Member.org_id == org_id, lowered == address))).scalars().all()
    present = [member for member in found if member.archived_at is None]
    if len(present) > 1:
        raise RowRefusedError(column, f"{len(present)} members have the address {address}: give each their own")
    if found and not present:
        raise RowRefusedError(column, f"the member with the address {address} is archived: bring them back first")
    return present[0] if present else None


async def named_member(session: AsyncSession, org_id: OrganizationId, address: str, column: str) -> UUID:
    """The same, who must be there."""
    found = await find_member(session, org_id, address, column)
    if found is None:
        raise RowRefusedError(column, f"there is no member with the address {address}: import them first")
    return found.id


async def find_team(session: AsyncSession, org_id: OrganizationId, name: str, column: str) -> Team | None:
    """The team that is called so. Raises `RowRefusedError` where there are several."""
    wanted = select(Team).where(Team.org_id == org_id, Team.name == name, Team.archived_at.is_(None))
    found = (await session.execute(wanted)).scalars().all()
    if len(found) > 1:
        raise RowRefusedError(column, f"{len(found)} teams are called {name[:100]!r}: give each its own name")
    return found[0] if found else None


async def named_team(session: AsyncSession, org_id: OrganizationId, name: str, column: str) -> UUID:
    """The same, which must be there."""
    found = await find_team(session, org_id, name, column)
    if found is None:
        raise RowRefusedError(column, f"there is no team {name[:100]!r}: its own row must come first")
    return found.id


async def member_called(session: AsyncSession, org_id: OrganizationId, cell: str, column: str) -> UUID:
    """The one member with this id, address or name. Raises `RowRefusedError`."""
    if (member_id := uuid_of(cell)) is None and "@" in cell:
        return await named_member(session, org_id, cell.lower(), column)
    same = Member.name == cell if member_id is None else Member.id == member_id
    found = await session.execute(select(Member.id, Member.archived_at).where(Member.org_id == org_id, same))
    return _only(found.all(), f"member {cell[:100]!r}", column, "write their address, or their id")


async def team_called(session: AsyncSession, org_id: OrganizationId, cell: str, column: str) -> UUID:
    """The one team with this id or name. Raises `RowRefusedError`."""
    team_id = uuid_of(cell)
    same = Team.name == cell if team_id is None else Team.id == team_id
    found = await session.execute(select(Team.id, Team.archived_at).where(Team.org_id == org_id, same))
    return _only(found.all(), f"team {cell[:100]!r}", column, "write its id")


def uuid_of(cell: str) -> UUID | None:
    """The id that a cell is; None where it is something else."""
    try:
        return UUID(cell)
    except ValueError:
        return None


def _only(found: Sequence[Row[UUID, datetime | None]], what: str, column: str, instead: str) -> UUID:
    present = [id_ for id_, archived_at in found if archived_at is None]
    if len(present) > 1:
        raise RowRefusedError(column, f"there is more than one {what}: {instead}")
    if found and not present:
        raise RowRefusedError(column, f"the {what} is archived: bring it back first")
    if not present:
        raise RowRefusedError(column, f"there is no {what}")
    return UUID(str(present[0]))
