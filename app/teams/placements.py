"""Where teams stand in the tree, and since when."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock
from app.core.db import OrganizationId
from app.core.pagination import PageQuery, paginate
from app.core.problems import Conflict, constraint_problem
from app.teams import queries, schemas
from app.teams.dated import note, replace, store
from app.teams.facts import Placement
from app.teams.lookups import get_team, named_team
from app.teams.models import Team, TeamPlacement
from app.teams.tree import Cycle, find_cycle


class TeamCycle(Conflict):
    """A team cannot stand below itself, on any day."""

    code, title = "team-cycle", "Team below itself"


class PlacementsOverlap(Conflict):
    """A team has one place in the tree at a time."""

    code, title = "placements-overlap", "Places overlap"


constraint_problem("ex_team_placement_overlap", PlacementsOverlap)


async def list_placements(
    session: AsyncSession, org_id: OrganizationId, team_id: UUID, query: PageQuery
) -> schemas.TeamPlacementPage:
    """A team's places, in time order."""
    await get_team(session, org_id, team_id)
    wanted = select(TeamPlacement).where(
        TeamPlacement.org_id == org_id, TeamPlacement.team_id == team_id, TeamPlacement.superseded_at.is_(None)
    )
    rows, following = await paginate(session, wanted, queries.in_time_order(TeamPlacement), query)
    items = [schemas.TeamPlacement.model_validate(row) for row in rows]
    return schemas.TeamPlacementPage(items=items, next_cursor=following)


async def move_team(
    session: AsyncSession, who: Principal, team_id: UUID, new: schemas.TeamPlacementCreate
) -> schemas.TeamPlacement:
    """Put a team under another from a day on, until the next move that is recorded already."""
    at = await clock.tick(session, who.org_id)
    team = await get_team(session, who.org_id, team_id)
    if new.parent_id is not None:
        await named_team(session, who.org_id, new.parent_id, "/parent_id")
    row = await place(session, team, new.parent_id, new.valid_from, at)
    note(session, who, "move", "team", team_id, changes=new.model_dump(mode="json"))
    return schemas.TeamPlacement.model_validate(row)


async def place(
    session: AsyncSession, team: Team, parent_id: UUID | None, start: date | None, at: datetime
) -> TeamPlacement:
    """Write the place; the one before ends where it starts. The caller holds the clock. Raises `TeamCycle`."""
    if parent_id == team.id:
        raise TeamCycle(f"{team.name} cannot stand under itself.")
    row = await _cut_in(session, team, parent_id, start, at)
    await _refuse_cycle(session, team)
    return row


async def _cut_in(
    session: AsyncSession, team: Team, parent_id: UUID | None, start: date | None, at: datetime
) -> TeamPlacement:
    first = start or date.min
    later: list[date] = []
    for row in await _current(session, team.org_id, team.id):
        begins = row.valid_from or date.min
        if begins > first:
            later.append(begins)
        elif begins == first:
            return await replace(session, row, at, {"parent_id": parent_id}, PlacementsOverlap, "team_id")
        elif row.valid_to is None or row.valid_to > first:
            await replace(session, row, at, {"valid_to": start}, PlacementsOverlap, "team_id")
    placement = TeamPlacement(
        org_id=team.org_id,
        team_id=team.id,
        parent_id=parent_id,
        valid_from=start,
        valid_to=min(later, default=None),
        recorded_at=at,
    )
    return await store(session, placement, PlacementsOverlap, "team_id")


async def _current(session: AsyncSession, org_id: OrganizationId, team_id: UUID | None = None) -> list[TeamPlacement]:
    wanted = select(TeamPlacement).where(TeamPlacement.org_id == org_id, TeamPlacement.superseded_at.is_(None))
    if team_id is not None:
        wanted = wanted.where(TeamPlacement.team_id == team_id)
    return list((await session.execute(wanted)).scalars())


async def _refuse_cycle(session: AsyncSession, team: Team) -> None:
    rows = await _current(session, team.org_id)
    cycle = find_cycle([Placement(row.team_id, row.parent_id, row.valid_from, row.valid_to) for row in rows], team.id)
    if cycle is not None:
        raise TeamCycle(await _sentence(session, team.org_id, cycle))


async def _sentence(session: AsyncSession, org_id: OrganizationId, cycle: Cycle) -> str:
    found = await session.execute(select(Team.id, Team.name).where(Team.org_id == org_id, Team.id.in_(cycle.path)))
    names = {row.id: row.name for row in found}
    since = "" if cycle.day == date.min else f" from {cycle.day}"
    return f"The team would be below itself{since}: {' under '.join(names[team_id] for team_id in cycle.path)}."
