"""Finding the members and teams that rows name: by address and by name."""

from uuid import UUID

from sqlalchemy import func, select
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
