"""Paths of working calendars."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.calendars import schemas, service
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute

router = APIRouter(prefix="/calendars", route_class=TransactionalRoute, tags=["calendars"])

Reader = Annotated[Principal, requires(Permission.CALENDARS_READ)]
Writer = Annotated[Principal, requires(Permission.CALENDARS_WRITE)]


@router.get("")
async def list_calendars(session: Session, who: Reader, query: Annotated[PageQuery, Query()]) -> schemas.CalendarPage:
    """List the working calendars.

    Where none is the default, the organization works Monday to Friday, 9 to 17, without holidays.
    """
    return await service.list_calendars(session, who.org_id, query)


@router.post("", status_code=201)
async def create_calendar(
    session: Session, who: Writer, new: schemas.CalendarCreate, response: Response
) -> schemas.Calendar:
    """Make a working calendar.

    The public holidays of its country are read now and kept: answers stay the same when the table of holidays is
    renewed, until the calendar is changed.
    """
    row = await service.create_calendar(session, who, new)
    etags.tag(response, row.version)
    return schemas.Calendar.model_validate(row)


@router.get("/{calendar_id}", responses=problems(service.CalendarNotFound))
async def get_calendar(session: Session, who: Reader, calendar_id: UUID, response: Response) -> schemas.Calendar:
    """Read a working calendar."""
    row = await service.get_calendar(session, who.org_id, calendar_id)
    etags.tag(response, row.version)
    return schemas.Calendar.model_validate(row)


@router.patch("/{calendar_id}", responses=problems(service.CalendarNotFound, PreconditionFailed))
async def update_calendar(
    session: Session,
    who: Writer,
    calendar_id: UUID,
    change: schemas.CalendarUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Calendar:
    """Change a working calendar.

    What is expected of goals by now follows at once; answers as of an earlier instant keep the old calendar.
    """
    row = await service.update_calendar(session, who, calendar_id, change, if_match)
    etags.tag(response, row.version)
    return schemas.Calendar.model_validate(row)


@router.delete("/{calendar_id}", status_code=204, responses=problems(service.CalendarNotFound, PreconditionFailed))
async def delete_calendar(session: Session, who: Writer, calendar_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Delete a working calendar; answers as of an earlier instant keep it."""
    await service.delete_calendar(session, who, calendar_id, if_match)
