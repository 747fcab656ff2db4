"""What members do, for whom and how much, and since when."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars import queries as calendar_queries
from app.core import clock
from app.core.db import OrganizationId
from app.core.pagination import PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed, constraint_problem
from app.teams import queries, schemas
from app.teams.dated import current, note, replace, store, withdraw
from app.teams.lookups import get_member, named_member
from app.teams.models import MemberAssignment


class AssignmentNotFound(NotFound):
    """There is no such assignment of this member."""

    code, title = "assignment-not-found", "Assignment not found"


class AssignmentsOverlap(Conflict):
    """A member has one assignment at a time."""

    code, title = "assignments-overlap", "Assignments overlap"


constraint_problem("ex_member_assignment_overlap", AssignmentsOverlap)


async def list_assignments(
    session: AsyncSession, org_id: OrganizationId, member_id: UUID, query: PageQuery
) -> schemas.AssignmentPage:
    """The member's assignments, in time order."""
    await get_member(session, org_id, member_id)
    wanted = select(MemberAssignment).where(
        MemberAssignment.org_id == org_id,
        MemberAssignment.member_id == member_id,
        MemberAssignment.superseded_at.is_(None),
    )
    rows, following = await paginate(session, wanted, queries.in_time_order(MemberAssignment), query)
    return schemas.AssignmentPage(items=[schemas.Assignment.model_validate(row) for row in rows], next_cursor=following)


async def add_assignment(
    session: AsyncSession, who: Principal, member_id: UUID, new: schemas.AssignmentCreate
) -> schemas.Assignment:
    """Assign a member for some days. Raises `AssignmentsOverlap`."""
    at = await clock.tick(session, who.org_id)
    await get_member(session, who.org_id, member_id)
    await _check(session, who.org_id, member_id, new.model_dump())
    row = MemberAssignment(org_id=who.org_id, member_id=member_id, recorded_at=at, **new.model_dump())
    await store(session, row, AssignmentsOverlap, "member_id")
    changes = {"member_id": str(member_id)} | new.model_dump(mode="json")
    note(session, who, "create", "member-assignment", row.id, changes=changes)
    return schemas.Assignment.model_validate(row)


async def update_assignment(
    session: AsyncSession, who: Principal, member_id: UUID, assignment_id: UUID, change: schemas.AssignmentUpdate
) -> schemas.Assignment:
    """Change an assignment. Raises `AssignmentsOverlap`."""
    at = await clock.tick(session, who.org_id)
    old = await _get(session, who.org_id, member_id, assignment_id)
    wanted = change.model_dump(exclude_unset=True)
    await _check(session, who.org_id, member_id, wanted)
    row = await replace(session, old, at, wanted, AssignmentsOverlap, "member_id")
    if row is not old:
        note(
            session,
            who,
            "update",
            "member-assignment",
            row.id,
            changes=change.model_dump(mode="json", exclude_unset=True),
        )
    return schemas.Assignment.model_validate(row)


async def delete_assignment(session: AsyncSession, who: Principal, member_id: UUID, assignment_id: UUID) -> None:
    """Take back an assignment; answers as of an earlier instant keep it."""
    at = await clock.tick(session, who.org_id)
    row = await _get(session, who.org_id, member_id, assignment_id)
    await withdraw(session, row, at)
    note(session, who, "delete", "member-assignment", row.id, changes={"member_id": str(member_id)})


async def _get(session: AsyncSession, org_id: OrganizationId, member_id: UUID, assignment_id: UUID) -> MemberAssignment:
    await get_member(session, org_id, member_id)
    if (row := await current(session, MemberAssignment, org_id, assignment_id, member_id=member_id)) is None:
        raise AssignmentNotFound(f"No assignment {assignment_id} of this member.")
    return row


async def _check(session: AsyncSession, org_id: OrganizationId, member_id: UUID, wanted: dict[str, Any]) -> None:
    """Refuse what an assignment names and is not there."""
    manager_id, calendar_id = wanted.get("manager_id"), wanted.get("calendar_id")
    if manager_id == member_id:
        raise ValidationFailed.at("/manager_id", "Nobody manages themselves.", "own_manager")
    if manager_id is not None:
        await named_member(session, org_id, manager_id, "/manager_id")
    if calendar_id is None:
        return
    if (await session.execute(calendar_queries.current_calendar(org_id, calendar_id))).first() is None:
        message = f"There is no calendar {calendar_id} in this organization."
        raise ValidationFailed.at("/calendar_id", message, "calendar_unknown")
