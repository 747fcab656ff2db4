"""Who is in which team, and since when."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock
from app.core.db import OrganizationId
from app.core.pagination import paginate
from app.core.problems import Conflict, NotFound, constraint_problem
from app.teams import queries, schemas
from app.teams.dated import current, holds_on, note, replace, store, withdraw
from app.teams.lookups import get_member, get_team, named_member
from app.teams.models import Membership

_ONE_PER = ("team_id", "member_id")


class MembershipNotFound(NotFound):
    """There is no such membership of this team."""

    code, title = "membership-not-found", "Membership not found"


class MembershipsOverlap(Conflict):
    """A member is in the same team only once at a time."""

    code, title = "memberships-overlap", "Memberships overlap"


constraint_problem("ex_membership_overlap", MembershipsOverlap)


async def list_memberships(
    session: AsyncSession, org_id: OrganizationId, team_id: UUID, query: schemas.MembershipsQuery
) -> schemas.MembershipPage:
    """The team's memberships, in time order."""
    await get_team(session, org_id, team_id)
    wanted = queries.memberships(org_id, team_id)
    if query.on is not None:
        wanted = wanted.where(holds_on(Membership, query.on))
    if query.member_id is not None:
        wanted = wanted.where(Membership.member_id == query.member_id)
    rows, following = await paginate(session, wanted, queries.in_time_order(Membership), query)
    return schemas.MembershipPage(items=[_shown(*row) for row in rows], next_cursor=following)


async def add_membership(
    session: AsyncSession, who: Principal, team_id: UUID, new: schemas.MembershipCreate
) -> schemas.Membership:
    """Put a member into a team. Raises `MembershipsOverlap`."""
    at = await clock.tick(session, who.org_id)
    await get_team(session, who.org_id, team_id)
    member = await named_member(session, who.org_id, new.member_id, "/member_id")
    row = Membership(org_id=who.org_id, team_id=team_id, recorded_at=at, **new.model_dump())
    await store(session, row, MembershipsOverlap, *_ONE_PER)
    note(session, who, "create", "membership", row.id, changes={"team_id": str(team_id)} | new.model_dump(mode="json"))
    return _shown(row, member.name)


async def update_membership(
    session: AsyncSession, who: Principal, team_id: UUID, membership_id: UUID, change: schemas.MembershipUpdate
) -> schemas.Membership:
    """Change kind or days of a membership. Raises `MembershipsOverlap`."""
    at = await clock.tick(session, who.org_id)
    old = await _get(session, who.org_id, team_id, membership_id)
    member = await get_member(session, who.org_id, old.member_id)
    row = await replace(session, old, at, change.model_dump(exclude_unset=True), MembershipsOverlap, *_ONE_PER)
    if row is not old:
        note(session, who, "update", "membership", row.id, changes=change.model_dump(mode="json", exclude_unset=True))
    return _shown(row, member.name)


async def delete_membership(session: AsyncSession, who: Principal, team_id: UUID, membership_id: UUID) -> None:
    """Take back a membership that should never have been; answers as of an earlier instant keep it."""
    at = await clock.tick(session, who.org_id)
    row = await _get(session, who.org_id, team_id, membership_id)
    await withdraw(session, row, at)
    note(
        session, who, "delete", "membership", row.id, changes={"team_id": str(team_id), "member_id": str(row.member_id)}
    )


async def _get(session: AsyncSession, org_id: OrganizationId, team_id: UUID, membership_id: UUID) -> Membership:
    await get_team(session, org_id, team_id)
    if (row := await current(session, Membership, org_id, membership_id, team_id=team_id)) is None:
        raise MembershipNotFound(f"No membership {membership_id} of this team.")
    return row


def _shown(row: Membership, member_name: str) -> schemas.Membership:
    columns = ("id", "team_id", "member_id", "kind", "valid_from", "valid_to", "recorded_at")
    return schemas.Membership(member_name=member_name, **{name: getattr(row, name) for name in columns})
