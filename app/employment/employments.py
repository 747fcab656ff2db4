"""Use cases of employments: since when a member is with the organization, and until when."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock, etags
from app.core.db import OrganizationId
from app.core.pagination import PageQuery, paginate
from app.core.problems import Conflict, NotFound, constraint_problem
from app.employment import schemas, telling
from app.employment.models import Employment
from app.teams.dated import current, note, replace, store, withdraw
from app.teams.lookups import get_member
from app.teams.queries import in_time_order


class EmploymentNotFound(NotFound):
    """There is no such employment of this member."""

    code, title = "employment-not-found", "Employment not found"


class EmploymentsOverlap(Conflict):
    """A member is employed only once at a time."""

    code, title = "employments-overlap", "Employments overlap"


constraint_problem("ex_employment_overlap", EmploymentsOverlap)


async def list_employments(
    session: AsyncSession, org_id: OrganizationId, member_id: UUID, query: PageQuery
) -> schemas.EmploymentPage:
    """The member's employments, in time order."""
    await get_member(session, org_id, member_id)
    wanted = select(Employment).where(
        Employment.org_id == org_id, Employment.member_id == member_id, Employment.superseded_at.is_(None)
    )
    rows, following = await paginate(session, wanted, in_time_order(Employment), query)
    return schemas.EmploymentPage(items=[schemas.Employment.model_validate(row) for row in rows], next_cursor=following)


async def add_employment(
    session: AsyncSession, who: Principal, member_id: UUID, new: schemas.EmploymentCreate
) -> schemas.Employment:
    """Record that a member is with the organization, and tell the ledger. Raises `EmploymentsOverlap`."""
    at = await clock.tick(session, who.org_id)
    await get_member(session, who.org_id, member_id)
    row = Employment(org_id=who.org_id, member_id=member_id, recorded_at=at, version=1, **new.model_dump())
    await store(session, row, EmploymentsOverlap, "member_id")
    await telling.tell(session, who.org_id, row)
    changes = {"member_id": str(member_id)} | new.model_dump(mode="json")
    note(session, who, "create", "employment", row.id, changes=changes)
    return schemas.Employment.model_validate(row)


async def update_employment(
    session: AsyncSession,
    who: Principal,
    member_id: UUID,
    employment_id: UUID,
    change: schemas.EmploymentUpdate,
    if_match: str | None,
) -> schemas.Employment:
    """Change the days of an employment, and what it told. Raises `EmploymentsOverlap`."""
    at = await clock.tick(session, who.org_id)
    old = await _get(session, who.org_id, member_id, employment_id)
    etags.check(if_match, old.version)
    wanted = change.model_dump(exclude_unset=True)
    if all(getattr(old, field) == value for field, value in wanted.items()):
        return schemas.Employment.model_validate(old)
    row = await replace(session, old, at, {**wanted, "version": old.version + 1}, EmploymentsOverlap, "member_id")
    await telling.tell(session, who.org_id, row)
    changes = change.model_dump(mode="json", exclude_unset=True)
    note(session, who, "update", "employment", row.id, changes=changes)
    return schemas.Employment.model_validate(row)


async def delete_employment(
    session: AsyncSession, who: Principal, member_id: UUID, employment_id: UUID, if_match: str | None
) -> None:
    """Take back an employment and what it told; answers as of an earlier instant keep both."""
    at = await clock.tick(session, who.org_id)
    row = await _get(session, who.org_id, member_id, employment_id)
    etags.check(if_match, row.version)
    await withdraw(session, row, at)
    await telling.take_back(session, who.org_id, row.id)
    note(session, who, "delete", "employment", row.id, changes={"member_id": str(member_id)})


async def _get(session: AsyncSession, org_id: OrganizationId, member_id: UUID, employment_id: UUID) -> Employment:
    await get_member(session, org_id, member_id)
    if (row := await current(session, Employment, org_id, employment_id, member_id=member_id)) is None:
        raise EmploymentNotFound(f"No employment {employment_id} of this member.")
    return row
