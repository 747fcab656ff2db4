"""Directories: to which organization a key or a source belongs, asked before the organization is known."""

import time
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import Database, OrganizationId


class Directory:
    """Finds the organization of an id in a reference table; remembers it for a while, since it never changes.

    `id_column` and `org_column` are of that table, which holds no secret.
    """

    def __init__(
        self,
        database: Database,
        ttl_seconds: float,
        id_column: InstrumentedAttribute[UUID],
        org_column: InstrumentedAttribute[UUID],
    ) -> None:
        self._database = database
        self._ttl = ttl_seconds
        self._id, self._org = id_column, org_column
        self._known: dict[UUID, tuple[float, OrganizationId]] = {}

    async def organization_of(self, id_: UUID) -> OrganizationId | None:
        """The organization, or None where there is no such id."""
        until, org_id = self._known.get(id_, (0.0, None))
        if org_id is not None and until > time.monotonic():
            return org_id
        async with self._database.directory() as session:
            found = (await session.execute(select(self._org).where(self._id == id_))).scalar_one_or_none()
        if found is None:
            return None
        self._known[id_] = (time.monotonic() + self._ttl, OrganizationId(found))
        return OrganizationId(found)
