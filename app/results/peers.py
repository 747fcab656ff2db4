"""Who is compared with whom on a day: the people of a team, and those who hold the same revenue role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.core.db import OrganizationId, known_by
from app.results.asking import Moment
from app.teams.models import Dated, Member, MemberAssignment, Membership, Team


@dataclass(frozen=True, slots=True)
class Group:
    """People who have a team or a role in common, by id, in the order of their names."""

    team_id: UUID | None
    team_name: str | None
    revenue_role: str | None
    people: tuple[UUID, ...]


def day_of(period: DayRange, today: date) -> date:
    """The day whose teams and roles count: the last of the period, or today where it still runs or is to come."""
    return min(period.end - timedelta(days=1), today)


async def groups_of(
    session: AsyncSession, org_id: OrganizationId, member: UUID, day: date, seen: Moment
) -> list[Group]:
    """The member's teams on the day, then their role, each with everybody in it, the member too (S5).

    Leaders of a team are not its peers: who only leads it is left out, unless it is the member.
    """
    return [
        *await _teams(session, org_id, member, day, seen),
        *await _role(session, org_id, member, day, seen),
    ]


async def _teams(session: AsyncSession, org_id: OrganizationId, member: UUID, day: date, seen: Moment) -> list[Group]:
    holds = _holds(Membership, org_id, day, seen)
    own = await session.execute(
        select(Team.id, Team.name)
        .join(Membership, and_(Membership.org_id == Team.org_id, Membership.team_id == Team.id))
        .where(Team.org_id == org_id, holds, Membership.member_id == member)
        .order_by(Team.name, Team.id)
    )
    teams = own.all()
    people = await session.execute(
        select(Membership.team_id, Member.id)
        .join(Member, and_(Member.org_id == Membership.org_id, Member.id == Membership.member_id))
        .where(Member.org_id == org_id, holds, Membership.team_id.in_([id_ for id_, _ in teams]))
        .where(or_(Membership.kind == "member", Member.id == member))
        .order_by(Member.name, Member.id)
    )
    rows = people.all()
    return [Group(id_, name, None, tuple(person for team, person in rows if team == id_)) for id_, name in teams]


async def _role(session: AsyncSession, org_id: OrganizationId, member: UUID, day: date, seen: Moment) -> list[Group]:
    found = await session.execute(
        select(MemberAssignment.revenue_role, Member.id)
        .join(Member, and_(Member.org_id == MemberAssignment.org_id, Member.id == MemberAssignment.member_id))
        .where(Member.org_id == org_id, _holds(MemberAssignment, org_id, day, seen))
        .where(MemberAssignment.revenue_role.is_not(None))
        .order_by(Member.name, Member.id)
    )
    rows = found.all()
    role = next((role for role, person in rows if person == member), None)
    return [Group(None, None, role, _same(rows, role))] if role else []


def _same(rows: Sequence[Row[str | None, UUID]], role: str) -> tuple[UUID, ...]:
    return tuple(person for held, person in rows if held == role)


def _holds(table: type[Dated], org_id: OrganizationId, day: date, seen: Moment) -> ColumnElement[bool]:
    return and_(
        table.org_id == org_id,
        known_by(table, seen.known_at),
        or_(table.valid_from.is_(None), table.valid_from <= day),
        or_(table.valid_to.is_(None), table.valid_to > day),
    )
