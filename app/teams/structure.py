"""People and teams as known at an instant, for whoever computes figures."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Executable, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.configuration import remembered
from app.core.db import OrganizationId, known_by
from app.teams.facts import Mapping, MemberRow, MembershipRow, Placement, Structure, TeamRow
from app.teams.models import Dated, Identity, IdentityMapping, Member, Membership, Team, TeamPlacement


async def load_structure(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Structure:
    """Everything that says whose credits are whose and which team is where, as recorded by `known_at` (S5).

    Members and teams recorded later are included: their `recorded_at` tells. One query for each kind.
    """
    return await remembered(session, org_id, known_at, "structure", partial(_load, session, org_id, known_at))


async def _load(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Structure:
    members = await _rows(session, select(Member.id, Member.name, Member.recorded_at).where(Member.org_id == org_id))
    teams = await _rows(session, select(Team.id, Team.name, Team.recorded_at).where(Team.org_id == org_id))
    placements = await _rows(session, _known(TeamPlacement, org_id, known_at, "team_id", "parent_id"))
    memberships = await _rows(session, _known(Membership, org_id, known_at, "team_id", "member_id"))
    mappings = await _rows(session, _known(IdentityMapping, org_id, known_at, "identity_id", "member_id"))
    identities = await _rows(
        session, select(Identity.id).where(Identity.org_id == org_id, Identity.recorded_at <= known_at)
    )
    return Structure(
        members={row.id: MemberRow(*row) for row in members},
        teams={row.id: TeamRow(*row) for row in teams},
        placements=[Placement(*row) for row in placements],
        memberships=[MembershipRow(*row) for row in memberships],
        mappings=[Mapping(*row) for row in mappings],
        identities=frozenset(row.id for row in identities),
    )


def _known(table: type[Dated], org_id: OrganizationId, known_at: datetime, *columns: str) -> Select[Any]:
    wanted = [getattr(table, column) for column in (*columns, "valid_from", "valid_to")]
    return select(*wanted).where(table.org_id == org_id, known_by(table, known_at)).order_by(table.id)


async def _rows(session: AsyncSession, statement: Executable) -> Sequence[Any]:
    return (await session.execute(statement)).all()
