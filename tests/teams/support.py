"""What the tests of teams share."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core import clock
from app.core.db import OrganizationId
from app.events.sources import Source
from app.teams.facts import Structure
from app.teams.structure import load_structure
from tests.support import Api

NOBODY = "01985e2c-0000-7000-8000-000000000000"


async def member(api: Api, name: str = "Ada Nowak") -> str:
    """A new member's id."""
    made = await api.post("/members", {"name": name}, expect=201)
    return str(made["id"])


async def team(api: Api, name: str = "North", **place: Any) -> str:
    """A new team's id."""
    made = await api.post("/teams", {"name": name, **place}, expect=201)
    return str(made["id"])


async def structure(api: Api, known_at: datetime | None = None) -> Structure:
    """People and teams as known at an instant, or by now."""
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        return await load_structure(session, org_id, known_at or await clock.last_recorded(session, org_id))


async def last_recorded(api: Api) -> datetime:
    """The organization's last recorded instant."""
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        return await clock.last_recorded(session, org_id)


async def api_source(api: Api) -> UUID:
    """The source that every organization starts with."""
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        return (await session.execute(select(Source.id).where(Source.org_id == api.org_id))).scalar_one()
