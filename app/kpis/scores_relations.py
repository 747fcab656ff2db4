"""Who stands how to whom on a day: what decides who may give a score about whom (K12)."""

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.db import OrganizationId
from app.kpis.schemas import Giver
from app.teams.dated import holds_on
from app.teams.models import Member, MemberAssignment, Membership

WORDS: Mapping[Giver, str] = {
    "manager": "their manager",
    "team_lead": "who leads their team",
    "peers": "the members of their team",
    "direct_reports": "those whom they manage",
    "self": "themselves",
    "anyone": "every other member",
}


async def related(session: AsyncSession, org_id: OrganizationId, giver_id: UUID, day: date) -> dict[Giver, set[UUID]]:
    """To whom the giver is a manager, a team lead, a peer … on a day; `anyone` is everybody but oneself."""
    everybody = await session.execute(select(Member.id).where(Member.org_id == org_id, Member.archived_at.is_(None)))
    others = set(everybody.scalars()) - {giver_id}
    managed, managers = await _managed(session, org_id, giver_id, day)
    led, peers = await _in_teams(session, org_id, giver_id, day)
    return {
        "manager": managed,
        "team_lead": led,
        "peers": peers,
        "direct_reports": managers,
        "self": {giver_id},
        "anyone": others,
    }


async def _managed(
    session: AsyncSession, org_id: OrganizationId, giver_id: UUID, day: date
) -> tuple[set[UUID], set[UUID]]:
    """Whom the giver manages by their assignments of the day, and who manages the giver."""
    row = MemberAssignment
    concerned = or_(row.manager_id == giver_id, row.member_id == giver_id)
    found = await session.execute(
        select(row.member_id, row.manager_id).where(row.org_id == org_id, holds_on(row, day), concerned)
    )
    pairs = found.all()
    managed = {member for member, manager in pairs if manager == giver_id}
    return managed, {manager for member, manager in pairs if member == giver_id and manager is not None}


async def _in_teams(
    session: AsyncSession, org_id: OrganizationId, giver_id: UUID, day: date
) -> tuple[set[UUID], set[UUID]]:
    """Who is in a team that the giver leads on the day, and who is in a team of the giver's, whoever leads it."""
    mine, theirs = aliased(Membership), aliased(Membership)
    found = await session.execute(
        select(theirs.member_id, mine.kind)
        .join(mine, and_(mine.org_id == theirs.org_id, mine.team_id == theirs.team_id))
        .where(theirs.org_id == org_id, mine.org_id == org_id, mine.member_id == giver_id)
        .where(theirs.member_id != giver_id, holds_on(mine, day), holds_on(theirs, day))
    )
    pairs = found.all()
    return {member for member, kind in pairs if kind == "lead"}, {member for member, _ in pairs}


def first_of(givers: Iterable[Giver], to: Mapping[Giver, set[UUID]], member_id: UUID) -> Giver | None:
    """As what the giver may score the member: the first kind of the KPI's givers that they are."""
    return next((giver for giver in givers if member_id in to[giver]), None)


def in_words(givers: Iterable[Giver]) -> str:
    """The kinds of givers, as one says them."""
    *first, last = [WORDS[giver] for giver in givers]
    return f"{', '.join(first)} or {last}" if first else last
