"""Has an organization's goals looked after (`jobs.py`)."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.service import TEND_GOALS
from app.core import errands
from app.core.db import OrganizationId

__all__ = ["TEND_GOALS", "begin"]


async def begin(session: AsyncSession, org_id: OrganizationId) -> None:
    """Look after the organization's goals from now on: asked for by whoever stores a new one."""
    await errands.want(session, org_id, TEND_GOALS, org_id, {})
