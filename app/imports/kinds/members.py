"""Rows that are members, with what they do and since when they are employed."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.employment import employments
from app.employment.models import Employment
from app.employment.schemas import EmploymentCreate, EmploymentUpdate
from app.imports.kinds.base import Row, RowRefusedError, Task, needed, placed
from app.imports.kinds.people import find_member, named_member
from app.imports.kinds.rehearsed import Rehearsed
from app.teams import assignments, service
from app.teams.models import Dated, MemberAssignment
from app.teams.schemas import AssignmentCreate, AssignmentUpdate, MemberCreate, MemberUpdate

_ASSIGNMENT = {"role": "revenue_role", "manager": "manager_id", "country": "country", "fte": "fte"}
_PLACES = {field: name for name, field in _ASSIGNMENT.items()} | {
    "valid_from": "assigned_from",
    "valid_to": "assigned_from",
}
_EMPLOYED = {"valid_from": "employed_from", "valid_to": "employed_to"}


class Members(Rehearsed):
    """A member is known by their address; cells that are empty leave things as they are."""

    def keys(self, row: Row) -> set[str]:
        """Of the member and of who manages them."""
        return {f"member:{row.values[name]}" for name in ("email", "manager") if name in row.values}

    async def apply(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, set[str]]:
        """Make or change the member, then the assignment, then the employment."""
        address = needed(row, "email")
        member = await find_member(session, task.who.org_id, address, "email")
        is_new = member is None
        if member is None:
            with placed({"name": "name", "email": "email"}):
                new = MemberCreate(name=needed(row, "name"), email=address)
                member_id = (await service.create_member(session, task.who, new)).id
        else:
            member_id = member.id
        changes = [
            member is not None and await _rename(session, task, member_id, member.name, row),
            await _assign(session, task, member_id, row),
            await _employ(session, task, member_id, row),
        ]
        outcome = "created" if is_new else "updated" if any(changes) else "unchanged"
        return outcome, set() if outcome == "unchanged" else {f"member:{address}"}


async def _rename(session: AsyncSession, task: Task, member_id: UUID, present: str, row: Row) -> bool:
    name = row.values.get("name", present)
    if name == present:
        return False
    with placed({"name": "name"}):
        await service.update_member(session, task.who, member_id, MemberUpdate(name=name), None)
    return True


async def _assign(session: AsyncSession, task: Task, member_id: UUID, row: Row) -> bool:
    """Role, manager, country and part time from a day on; what held before ends there."""
    told: dict[str, Any] = {field: row.values[name] for name, field in _ASSIGNMENT.items() if name in row.values}
    if not told:
        if "assigned_from" in row.values:
            raise RowRefusedError("assigned_from", "says since when a role, manager, country or fte holds: write one")
        return False
    if "manager" in row.values:
        told["manager_id"] = await named_member(session, task.who.org_id, row.values["manager"], "manager")
    start = _day(row, "assigned_from")
    present = await _present(session, task, MemberAssignment, member_id)
    same = next((each for each in present if each.valid_from == start), None)
    covering = next((each for each in present if _holds(each, start)), None)
    with placed(_PLACES):
        if (kept := same or covering) is not None and all(getattr(kept, name) == told[name] for name in told):
            return False
        if same is not None:
            change = AssignmentUpdate.model_validate(told)
            await assignments.update_assignment(session, task.who, member_id, same.id, change)
            return True
        later = min((each.valid_from for each in present if each.valid_from and _after(each, start)), default=None)
        end = later
        if covering is not None:
            end = covering.valid_to
            told = {field: getattr(covering, field) for field in (*_ASSIGNMENT.values(), "calendar_id")} | told
            until = AssignmentUpdate.model_validate({"valid_to": str(start)})
            await assignments.update_assignment(session, task.who, member_id, covering.id, until)
        days = {"valid_from": start and str(start), "valid_to": end and str(end)}
        new = AssignmentCreate.model_validate({**told, **days})
        await assignments.add_assignment(session, task.who, member_id, new)
    return True


async def _employ(session: AsyncSession, task: Task, member_id: UUID, row: Row) -> bool:
    start, end = _day(row, "employed_from"), _day(row, "employed_to")
    if start is None and end is None:
        return False
    present = await _present(session, task, Employment, member_id)
    same = next((each for each in present if each.valid_from == start), None)
    if same is None and start is None:  # they left: the employment that runs, or the one that ended so
        same = next((each for each in present if each.valid_to in {None, end}), None)
    with placed(_EMPLOYED):
        if same is None:
            days = {"valid_from": start and str(start), "valid_to": end and str(end)}
            await employments.add_employment(session, task.who, member_id, EmploymentCreate.model_validate(days))
            return True
        if end is None or same.valid_to == end:
            return False
        change = EmploymentUpdate.model_validate({"valid_to": str(end)})
        await employments.update_employment(session, task.who, member_id, same.id, change, None)
    return True


async def _present(
    session: AsyncSession, task: Task, table: type[MemberAssignment] | type[Employment], member_id: UUID
) -> list[Any]:  # Any: rows of either table
    wanted = select(table).where(
        table.org_id == task.who.org_id, table.member_id == member_id, table.superseded_at.is_(None)
    )
    return list((await session.execute(wanted)).scalars())


def _day(row: Row, name: str) -> date | None:
    told = row.values.get(name)
    return None if told is None else date.fromisoformat(told)


def _holds(each: Dated, day: date | None) -> bool:
    """Whether it began before the day and holds on it; None is the beginning of time, before which nothing began."""
    begun = day is not None and (each.valid_from is None or each.valid_from < day)
    return begun and (each.valid_to is None or (day is not None and each.valid_to > day))


def _after(each: Dated, day: date | None) -> bool:
    return each.valid_from is not None and (day is None or each.valid_from > day)
