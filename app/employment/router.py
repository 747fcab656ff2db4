"""Paths of members' employments and absences."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.employment import absences, employments, schemas
from app.teams.lookups import MemberNotFound

router = APIRouter(prefix="/members/{member_id}", route_class=TransactionalRoute, tags=["teams"])

Reader = Annotated[Principal, requires(Permission.TEAMS_READ)]
Writer = Annotated[Principal, requires(Permission.TEAMS_WRITE)]
Shown = TypeVar("Shown", schemas.Employment, schemas.Absence)

_EMPLOYMENT = problems(MemberNotFound, employments.EmploymentNotFound, PreconditionFailed)
_ABSENCE = problems(MemberNotFound, absences.AbsenceNotFound, PreconditionFailed)


@router.get("/employments", responses=problems(MemberNotFound))
async def list_employments(
    session: Session, who: Reader, member_id: UUID, query: Annotated[PageQuery, Query()]
) -> schemas.EmploymentPage:
    """List when a member was with the organization, in time order.

    A member without any counts as employed on all days.
    """
    return await employments.list_employments(session, who.org_id, member_id, query)


@router.post("/employments", status_code=201, responses=problems(MemberNotFound, employments.EmploymentsOverlap))
async def create_employment(
    session: Session, who: Writer, member_id: UUID, new: schemas.EmploymentCreate, response: Response
) -> schemas.Employment:
    """Record since when a member is with the organization, or from when to when.

    Head count, turnover and working hours follow. Paceline writes the events `member.joined` and `member.left` itself,
    on these days, about and credited to the member. Before the first employment of a member and after the last they
    are not employed.
    """
    return _tagged(response, await employments.add_employment(session, who, member_id, new))


@router.patch("/employments/{employment_id}", responses=_EMPLOYMENT | problems(employments.EmploymentsOverlap))
async def update_employment(
    session: Session,
    who: Writer,
    member_id: UUID,
    employment_id: UUID,
    change: schemas.EmploymentUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Employment:
    """Change an employment: who leaves has a `valid_to`.

    Its events are corrected with it; answers as of an earlier instant keep what was known then.
    """
    changed = await employments.update_employment(session, who, member_id, employment_id, change, if_match)
    return _tagged(response, changed)


@router.delete("/employments/{employment_id}", status_code=204, responses=_EMPLOYMENT)
async def delete_employment(
    session: Session, who: Writer, member_id: UUID, employment_id: UUID, if_match: etags.IfMatch = None
) -> None:
    """Take back an employment that should never have been, with its events; who leaves has a `valid_to`."""
    await employments.delete_employment(session, who, member_id, employment_id, if_match)


@router.get("/absences", responses=problems(MemberNotFound))
async def list_absences(
    session: Session, who: Reader, member_id: UUID, query: Annotated[schemas.AbsencesQuery, Query()]
) -> schemas.AbsencePage:
    """List a member's absences, in time order."""
    return await absences.list_absences(session, who.org_id, member_id, query)


@router.post("/absences", status_code=201, responses=problems(MemberNotFound, absences.AbsencesOverlap))
async def create_absence(
    session: Session, who: Writer, member_id: UUID, new: schemas.AbsenceCreate, response: Response
) -> schemas.Absence:
    """Record days on which a member does not work.

    They are no working time. What that does to the member's targets is said by `effect` (S31). Public holidays and
    weekends are known by the work calendar and need no absence.
    """
    return _tagged(response, await absences.add_absence(session, who, member_id, new))


@router.patch("/absences/{absence_id}", responses=_ABSENCE | problems(absences.AbsencesOverlap))
async def update_absence(
    session: Session,
    who: Writer,
    member_id: UUID,
    absence_id: UUID,
    change: schemas.AbsenceUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Absence:
    """Change an absence; answers as of an earlier instant keep what it was."""
    return _tagged(response, await absences.update_absence(session, who, member_id, absence_id, change, if_match))


@router.delete("/absences/{absence_id}", status_code=204, responses=_ABSENCE)
async def delete_absence(
    session: Session, who: Writer, member_id: UUID, absence_id: UUID, if_match: etags.IfMatch = None
) -> None:
    """Take back an absence; answers as of an earlier instant keep it."""
    await absences.delete_absence(session, who, member_id, absence_id, if_match)


def _tagged(response: Response, shown: Shown) -> Shown:
    etags.tag(response, shown.version)
    return shown
