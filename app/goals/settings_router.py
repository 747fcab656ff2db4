"""Paths of how goals are judged and decided, and of ramps."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.goals import ramps, settings
from app.goals.models import GoalRamp
from app.goals.problems import GoalNotYours
from app.goals.settings_schemas import (
    GoalSettings,
    GoalSettingsInput,
    Ramp,
    RampCreate,
    RampFilters,
    RampPage,
    RampUpdate,
)

router = APIRouter(route_class=TransactionalRoute, tags=["goal-planning"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]
Writer = Annotated[Principal, requires(Permission.GOALS_WRITE)]
RuleMaker = Annotated[Principal, requires(Permission.ORGANIZATION_WRITE)]
_CHANGE = problems(ramps.RampNotFound, GoalNotYours, PreconditionFailed)


@router.get("/goal-settings")
async def get_goal_settings(session: Session, who: Reader, response: Response) -> GoalSettings:
    """Read how goals are judged and decided: thresholds of pace, days of grace, who may set whose goals."""
    return _tagged(response, await settings.get_settings(session, who.org_id))


@router.put("/goal-settings", responses=problems(PreconditionFailed))
async def set_goal_settings(
    session: Session,
    who: RuleMaker,
    new: GoalSettingsInput,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> GoalSettings:
    """Set how goals are judged and decided from now on; what is absent is set to its default.

    Answers as of an earlier instant keep what held then, and so do closed goals.
    """
    return _tagged(response, await settings.set_settings(session, who, new, if_match))


@router.get("/goal-ramps")
async def list_goal_ramps(session: Session, who: Reader, query: Annotated[RampFilters, Query()]) -> RampPage:
    """List the ramps of new members' targets, by name."""
    return await ramps.list_ramps(session, who.org_id, query)


@router.post("/goal-ramps", status_code=201, responses=problems(GoalNotYours))
async def create_goal_ramp(session: Session, who: Writer, new: RampCreate, response: Response) -> Ramp:
    """Make a ramp: which shares of the full target are asked of a new member month by month.

    Goals of members and teams on counts and sums may have one (`ramp_id`).
    """
    return _ramp(response, await ramps.create_ramp(session, who, new))


@router.get("/goal-ramps/{ramp_id}", responses=problems(ramps.RampNotFound))
async def get_goal_ramp(session: Session, who: Reader, ramp_id: UUID, response: Response) -> Ramp:
    """Read a ramp."""
    return _ramp(response, await ramps.get_ramp(session, who.org_id, ramp_id))


@router.patch("/goal-ramps/{ramp_id}", responses=_CHANGE)
async def update_goal_ramp(
    session: Session,
    who: Writer,
    ramp_id: UUID,
    change: RampUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> Ramp:
    """Change a ramp's name, archive it or bring it back; its shares never change."""
    return _ramp(response, await ramps.update_ramp(session, who, ramp_id, change, if_match))


@router.delete("/goal-ramps/{ramp_id}", status_code=204, responses=_CHANGE)
async def archive_goal_ramp(session: Session, who: Writer, ramp_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Archive a ramp; goals that have it keep it."""
    await ramps.archive_ramp(session, who, ramp_id, if_match)


def _tagged(response: Response, found: GoalSettings) -> GoalSettings:
    etags.tag(response, found.version)
    return found


def _ramp(response: Response, row: GoalRamp) -> Ramp:
    etags.tag(response, row.version)
    return Ramp.model_validate(row)
