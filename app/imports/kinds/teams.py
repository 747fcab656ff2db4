"""Rows that are teams, their places in the tree, and who is in them."""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.imports.kinds.base import Row, RowRefusedError, Task, needed, placed
from app.imports.kinds.people import find_team, named_member, named_team
from app.imports.kinds.rehearsed import Rehearsed
from app.teams import memberships, placements, service
from app.teams.models import Membership, TeamPlacement
from app.teams.schemas import MembershipCreate, MembershipUpdate, TeamCreate, TeamPlacementCreate

_PLACED = {"parent_id": "parent", "placed_from": "parent_from", "valid_from": "parent_from", "name": "team"}
_IN_TEAM = {"member_id": "member", "kind": "membership", "valid_from": "member_from", "valid_to": "member_to"}


class Teams(Rehearsed):
    """A team is known by its name; a row may also put a member into it."""

    def keys(self, row: Row) -> set[str]:
        """Of the team, its parent, and the membership."""
        named = {f"team:{row.values[name]}" for name in ("team", "parent") if name in row.values}
        return named | ({_membership(row)} if "member" in row.values else set())

    async def apply(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, set[str]]:
        """Make the team, or move it; then put the member into it."""
        name = needed(row, "team")
        team = await find_team(session, task.who.org_id, name, "team")
        parent = await self._parent(session, task, row)
        if team is None:
            with placed(_PLACED, "team"):
                new = TeamCreate.model_validate(
                    {"name": name} | ({"parent_id": parent, "placed_from": _text(row, "parent_from")} if parent else {})
                )
                team_id = (await service.create_team(session, task.who, new)).id
            changed = True
        else:
            team_id = team.id
            changed = parent is not None and await _move(session, task, team_id, parent, row)
        joined = await _join(session, task, team_id, row)
        wrote = ({f"team:{name}"} if changed else set()) | ({_membership(row)} if joined else set())
        return "created" if team is None or joined == "created" else "updated" if wrote else "unchanged", wrote

    async def _parent(self, session: AsyncSession, task: Task, row: Row) -> UUID | None:
        if "parent" in row.values:
            return await named_team(session, task.who.org_id, row.values["parent"], "parent")
        if "parent_from" in row.values:
            raise RowRefusedError("parent_from", "says since when the team stands under its parent: name that too")
        return None


def _membership(row: Row) -> str:
    return f"membership:{row.values.get('member')}:{row.values.get('team')}"


def _text(row: Row, name: str) -> str | None:
    value = row.values.get(name)
    return None if value is None else str(value)


async def _move(session: AsyncSession, task: Task, team_id: UUID, parent_id: UUID, row: Row) -> bool:
    """Put the team under its parent from the day on, unless it stands there already."""
    start = _text(row, "parent_from")
    found = await session.execute(
        select(TeamPlacement.parent_id, TeamPlacement.valid_from, TeamPlacement.valid_to).where(
            TeamPlacement.org_id == task.who.org_id,
            TeamPlacement.team_id == team_id,
            TeamPlacement.superseded_at.is_(None),
        )
    )
    places = found.all()
    if start is None:  # since ever or not, if only it stands there now
        stands = any(place.parent_id == parent_id and place.valid_to is None for place in places)
    else:
        day = date.fromisoformat(start)
        stands = any(
            place.parent_id == parent_id
            and (place.valid_from is None or place.valid_from <= day)
            and (place.valid_to is None or place.valid_to > day)
            for place in places
        )
    if stands:
        return False
    with placed(_PLACED, "parent"):
        new = TeamPlacementCreate.model_validate({"parent_id": parent_id, "valid_from": start})
        await placements.move_team(session, task.who, team_id, new)
    return True


async def _join(session: AsyncSession, task: Task, team_id: UUID, row: Row) -> str | None:
    """Put the member into the team; what that was (`created`, `updated`), or None where nothing changed."""
    if "member" not in row.values:
        if alone := [name for name in ("membership", "member_from", "member_to") if name in row.values]:
            raise RowRefusedError(alone[0], "speaks of a member: write their address too")
        return None
    member_id = await named_member(session, task.who.org_id, row.values["member"], "member")
    start, end, kind = _text(row, "member_from"), _text(row, "member_to"), row.values.get("membership", "").lower()
    found = await session.execute(
        select(Membership).where(
            Membership.org_id == task.who.org_id,
            Membership.team_id == team_id,
            Membership.member_id == member_id,
            Membership.superseded_at.is_(None),
        )
    )
    same = next((each for each in found.scalars() if (each.valid_from and str(each.valid_from)) == start), None)
    told = ({"valid_to": end} if end else {}) | ({"kind": kind} if kind else {})
    with placed(_IN_TEAM, "member"):
        if same is None:
            new = MembershipCreate.model_validate({"member_id": member_id, "valid_from": start, **told})
            await memberships.add_membership(session, task.who, team_id, new)
            return "created"
        change = MembershipUpdate.model_validate(told)
        if all(getattr(same, name) == value for name, value in change.model_dump(exclude_unset=True).items()):
            return None
        await memberships.update_membership(session, task.who, team_id, same.id, change)
    return "updated"
