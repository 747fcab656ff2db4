"""Paths of initiatives."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Session
from app.core import etags
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.goals import initiatives
from app.goals.decision_schemas import Reasoned, Remark
from app.goals.initiative_schemas import (
    Initiative,
    InitiativeCreate,
    InitiativeFilters,
    InitiativePage,
    InitiativeUpdate,
)
from app.goals.problems import InitiativeActionNotPossible, InitiativeNotFound, InitiativeNotYours
from app.goals.router import Reader, Writer

router = APIRouter(prefix="/initiatives", route_class=TransactionalRoute, tags=["initiatives"])

_CHANGE = problems(InitiativeNotFound, InitiativeNotYours, InitiativeActionNotPossible, PreconditionFailed)


@router.get("")
async def list_initiatives(
    session: Session, who: Reader, query: Annotated[InitiativeFilters, Query()]
) -> InitiativePage:
    """List initiatives, oldest first; those that serve a goal by `goal_id`."""
    return await initiatives.list_initiatives(session, who, query)


@router.post("", status_code=201, responses=problems(InitiativeNotYours))
async def create_initiative(session: Session, who: Writer, new: InitiativeCreate, response: Response) -> Initiative:
    """Propose or plan an initiative.

    A strategy, or a tactic that may belong to one; it serves goals. Anybody who may write goals proposes it to anybody;
    whoever may set the goals of its owner plans it at once.
    """
    made = await initiatives.create_initiative(session, who, new)
    etags.tag(response, made.version)
    return made


@router.get("/{initiative_id}", responses=problems(InitiativeNotFound))
async def get_initiative(session: Session, who: Reader, initiative_id: UUID, response: Response) -> Initiative:
    """Read an initiative; `available_actions` tells what the caller may do with it now."""
    found = await initiatives.get_initiative(session, who, initiative_id)
    etags.tag_shown(response, found.version, found.model_dump_json())
    return found


@router.patch("/{initiative_id}", responses=_CHANGE)
async def update_initiative(
    session: Session,
    who: Writer,
    initiative_id: UUID,
    change: InitiativeUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> Initiative:
    """Change an initiative and the goals that it serves; start, finish or drop it.

    Its author changes a proposal. Then it is for whoever may set the goals of its owner; the owner starts and finishes.
    """
    changed = await initiatives.update_initiative(session, who, initiative_id, change, if_match)
    etags.tag(response, changed.version)
    return changed


@router.delete("/{initiative_id}", status_code=204, responses=_CHANGE)
async def delete_initiative(session: Session, who: Writer, initiative_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Drop an initiative; it stays readable, with the goals that it was to serve."""
    await initiatives.decide_initiative(session, who, initiative_id, "drop", "", if_match)


@router.post("/{initiative_id}/accept", responses=_CHANGE)
async def accept_initiative(
    session: Session,
    who: Writer,
    initiative_id: UUID,
    response: Response,
    said: Remark | None = None,
    *,
    if_match: etags.IfMatch = None,
) -> Initiative:
    """Accept a proposed initiative: it is planned then."""
    reason = (said or Remark()).reason
    decided = await initiatives.decide_initiative(session, who, initiative_id, "accept", reason, if_match)
    etags.tag(response, decided.version)
    return decided


@router.post("/{initiative_id}/decline", responses=_CHANGE)
async def decline_initiative(
    session: Session,
    who: Writer,
    initiative_id: UUID,
    said: Reasoned,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> Initiative:
    """Decline a proposed initiative, with the reason: it is dropped then."""
    decided = await initiatives.decide_initiative(session, who, initiative_id, "decline", said.reason, if_match)
    etags.tag(response, decided.version)
    return decided
