"""Everything that is stored of an organization, to see that something left it as it was."""

import hashlib
from typing import Any

from sqlalchemy import func, select, text

from app.core.jobs import Job
from app.models import metadata
from tests.support import Api

UNRELATED = frozenset({"idempotency", "api_key", "job"})
"""What each request may write beside what it is about; and work that a worker may be doing."""


async def everything(api: Api) -> dict[str, Any]:
    """A digest of each table's rows of the organization."""
    stored = {}
    async with api.world.database.read(api.org_id) as session:
        for table in metadata.sorted_tables:
            if "org_id" in table.c and table.name not in UNRELATED:
                mine = table.alias("t")
                rows = await session.execute(
                    select(text("t::text")).select_from(mine).where(mine.c.org_id == api.org_id)
                )
                stored[table.name] = hashlib.sha256("\n".join(sorted(rows.scalars())).encode()).hexdigest()
    return stored


async def jobs_of(api: Api) -> int:
    """How many jobs wait."""
    async with api.world.database.read(api.org_id) as session:
        found = await session.execute(select(func.count()).select_from(Job).where(Job.org_id == api.org_id))
        return found.scalar_one()
