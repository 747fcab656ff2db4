"""Use cases of absences: when a member does not work, and what that does to their targets (S31)."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock, etags
from app.core.db import OrganizationId
from app.core.pagination import paginate
from app.core.problems import Conflict, NotFound, constraint_problem
from app.employment import schemas
from app.employment.models import Absence
from app.teams.dated import current, holds_on, note, replace, store, withdraw
from app.teams.lookups import get_member
from app.teams.queries import in_time_order


class AbsenceNotFound(NotFound):
    """There is no such absence of this member."""

    code, title = "absence-not-found", "Absence not found"


class AbsencesOverlap(Conflict):
    """A member has one absence at a time: two could disagree on what becomes of the target."""

    code, title = "absences-overlap", "Absences overlap"


constraint_problem("ex_absence_overlap", AbsencesOverlap)


async def list_absences(
    session: AsyncSession, org_id: OrganizationId, member_id: UUID, query: schemas.AbsencesQuery
) -> schemas.AbsencePage:
    """The member's absences, in time order."""
    await get_member(session, org_id, member_id)
    wanted = select(Absence).where(
        Absence.org_id == org_id, Absence.member_id == member_id, Absence.superseded_at.is_(None)
    )
    if query.on is not None:
        wanted = wanted.where(holds_on(Absence, query.on))
    rows, following = await paginate(session, wanted, in_time_order(Absence), query)
    return schemas.AbsencePage(items=[schemas.Absence.model_validate(row) for row in rows], next_cursor=following)


async def add_absence(
    session: AsyncSession, who: Principal, member_id: UUID, new: schemas.AbsenceCreate
) -> schemas.Absence:
    """Record days on which a member does not work. Raises `AbsencesOverlap`."""
    at = await clock.tick(session, who.org_id)
    await get_member(session, who.org_id, member_id)
    row = Absence(org_id=who.org_id, member_id=member_id, recorded_at=at, version=1, **new.model_dump())
    await store(session, row, AbsencesOverlap, "member_id")
    note(session, who, "create", "absence", row.id, changes=_told(member_id, row))
    return schemas.Absence.model_validate(row)


async def update_absence(
    session: AsyncSession,
    who: Principal,
    member_id: UUID,
    absence_id: UUID,
    change: schemas.AbsenceUpdate,
    if_match: str | None,
) -> schemas.Absence:
    """Change an absence. Raises `AbsencesOverlap`."""
    at = await clock.tick(session, who.org_id)
    old = await _get(session, who.org_id, member_id, absence_id)
    etags.check(if_match, old.version)
    wanted = change.model_dump(exclude_unset=True)
    if all(getattr(old, field) == value for field, value in wanted.items()):
        return schemas.Absence.model_validate(old)
    row = await replace(session, old, at, {**wanted, "version": old.version + 1}, AbsencesOverlap, "member_id")
    note(session, who, "update", "absence", row.id, changes=_told(member_id, row))
    return schemas.Absence.model_validate(row)


async def delete_absence(
    session: AsyncSession, who: Principal, member_id: UUID, absence_id: UUID, if_match: str | None
) -> None:
    """Take back an absence; answers as of an earlier instant keep it."""
    at = await clock.tick(session, who.org_id)
    row = await _get(session, who.org_id, member_id, absence_id)
    etags.check(if_match, row.version)
    await withdraw(session, row, at)
    note(session, who, "delete", "absence", row.id, changes={"member_id": str(member_id)})


def _told(member_id: UUID, row: Absence) -> dict[str, str]:
    """What the audit trail and the outbox are told. The reason is not: it may be a matter of health."""
    days = {"valid_from": str(row.valid_from), "valid_to": str(row.valid_to)}
    return {"member_id": str(member_id), **days, "effect": row.effect}


async def _get(session: AsyncSession, org_id: OrganizationId, member_id: UUID, absence_id: UUID) -> Absence:
    await get_member(session, org_id, member_id)
    if (row := await current(session, Absence, org_id, absence_id, member_id=member_id)) is None:
        raise AbsenceNotFound(f"No absence {absence_id} of this member.")
    return row
