"""Paths of named periods. They come before those of calendars, whose ids their word would be taken for."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.calendars import naming, schemas
from app.calendars.models import NamedPeriod
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute

router = APIRouter(prefix="/calendars/periods", route_class=TransactionalRoute, tags=["calendars"])

Reader = Annotated[Principal, requires(Permission.CALENDARS_READ)]
Writer = Annotated[Principal, requires(Permission.CALENDARS_WRITE)]


@router.get("")
async def list_named_periods(
    session: Session, who: Reader, query: Annotated[PageQuery, Query()]
) -> schemas.NamedPeriodPage:
    """List the organization's named periods, in time order."""
    return await naming.list_named_periods(session, who.org_id, query)


@router.post("", status_code=201, responses=problems(naming.PeriodKeyTaken))
async def create_named_period(
    session: Session, who: Writer, new: schemas.NamedPeriodCreate, response: Response
) -> schemas.NamedPeriod:
    """Give days a name, such as those of a campaign or a school term.

    Its key can be written wherever a `period` is asked for. Answers name the days that it stands for.
    """
    return _tagged(response, await naming.create_named_period(session, who, new))


@router.get("/{period_id}", responses=problems(naming.NamedPeriodNotFound))
async def get_named_period(session: Session, who: Reader, period_id: UUID, response: Response) -> schemas.NamedPeriod:
    """Read a named period."""
    return _tagged(response, await naming.get_named_period(session, who.org_id, period_id))


@router.patch("/{period_id}", responses=problems(naming.NamedPeriodNotFound, PreconditionFailed))
async def update_named_period(
    session: Session,
    who: Writer,
    period_id: UUID,
    change: schemas.NamedPeriodUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.NamedPeriod:
    """Change the name or the days of a named period.

    Questions follow at once; answers as of an earlier instant keep the old days, and so do goals and reviews.
    """
    return _tagged(response, await naming.update_named_period(session, who, period_id, change, if_match))


@router.delete("/{period_id}", status_code=204, responses=problems(naming.NamedPeriodNotFound, PreconditionFailed))
async def delete_named_period(session: Session, who: Writer, period_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Delete a named period; answers as of an earlier instant know it still."""
    await naming.delete_named_period(session, who, period_id, if_match)


def _tagged(response: Response, row: NamedPeriod) -> schemas.NamedPeriod:
    etags.tag(response, row.version)
    return schemas.NamedPeriod.model_validate(row)
