"""Paths of notes on goals."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.access import Session
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.goals import notes
from app.goals.notes_schemas import Note, NoteCreate, NoteFilters, NotePage
from app.goals.problems import GoalNotFound, NoteNotFound, NoteNotYours
from app.goals.router import Reader, Writer

router = APIRouter(prefix="/goals/{goal_id}/notes", route_class=TransactionalRoute, tags=["goals"])


@router.get("", responses=problems(GoalNotFound))
async def list_goal_notes(
    session: Session, who: Reader, goal_id: UUID, query: Annotated[NoteFilters, Query()]
) -> NotePage:
    """List the notes on a goal, newest first or by the day that they are about."""
    return await notes.list_notes(session, who.org_id, goal_id, query)


@router.post("", status_code=201, responses=problems(GoalNotFound))
async def add_goal_note(session: Session, who: Writer, goal_id: UUID, new: NoteCreate) -> Note:
    """Note something of a goal or of a day of its period.

    Whoever may write goals may, members too, in whatever state the goal is. Notes stand beside the goal's progress.
    """
    return await notes.add_note(session, who, goal_id, new)


@router.delete("/{note_id}", status_code=204, responses=problems(GoalNotFound, NoteNotFound, NoteNotYours))
async def delete_goal_note(session: Session, who: Writer, goal_id: UUID, note_id: UUID) -> None:
    """Delete a note: its author may, and who may set the goal."""
    await notes.delete_note(session, who, goal_id, note_id)
