"""People's work as known at an instant, for whoever computes figures."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.service import calendars_as_known
from app.core.configuration import remembered
from app.core.db import OrganizationId, known_by
from app.employment.facts import AbsenceDays, Days, Staff, Terms
from app.employment.models import Absence, Employment
from app.teams.models import Dated, MemberAssignment

_Spell = TypeVar("_Spell", bound=Days)


async def load_staff(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Staff:
    """Terms, employments, absences and calendars as recorded by `known_at` (S5). One query for each kind."""
    return await remembered(session, org_id, known_at, "staff", partial(_load, session, org_id, known_at))


async def _load(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Staff:
    terms = ("fte", "calendar_id", "revenue_role", "country", "manager_id")
    return Staff(
        terms=await _spells(session, org_id, known_at, MemberAssignment, Terms, *terms),
        employments=await _spells(session, org_id, known_at, Employment, Days),
        absences=await _spells(session, org_id, known_at, Absence, AbsenceDays, "effect"),
        calendars=await calendars_as_known(session, org_id, known_at),
    )


async def _spells(
    session: AsyncSession,
    org_id: OrganizationId,
    known_at: datetime,
    table: type[Dated],
    make: Callable[..., _Spell],
    *columns: str,
) -> dict[UUID, list[_Spell]]:
    wanted: list[Any] = [getattr(table, name) for name in ("member_id", "valid_from", "valid_to", *columns)]
    found = await session.execute(
        select(*wanted)
        .where(table.org_id == org_id, known_by(table, known_at))
        .order_by(table.valid_from.nulls_first(), table.id)
    )
    spells: dict[UUID, list[_Spell]] = defaultdict(list)
    for member_id, *content in found:
        spells[member_id].append(make(*content))
    return dict(spells)
