"""Use cases of notes on goals: write, list, delete."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import ValidationFailed
from app.goals import telling
from app.goals.deciding import rights_of
from app.goals.models import GoalNote
from app.goals.notes_schemas import Note, NoteCreate, NoteFilters, NotePage
from app.goals.problems import NoteNotFound, NoteNotYours
from app.goals.service import find_goal

_NEWEST = [Key(GoalNote.created_at, descending=True), Key(GoalNote.id, descending=True)]
_BY_DAY = [Key(GoalNote.on_day, is_nullable=True), Key(GoalNote.created_at), Key(GoalNote.id)]


async def notes_of(
    session: AsyncSession, org_id: OrganizationId, goal_id: UUID, known_at: datetime | None = None
) -> Sequence[GoalNote]:
    """The notes on a goal, in the order in which they were written; as written by an instant (S5)."""
    wanted = _notes(org_id, goal_id).order_by(GoalNote.created_at, GoalNote.id)
    if known_at is not None:
        wanted = wanted.where(GoalNote.created_at <= known_at)
    return (await session.execute(wanted)).scalars().all()


async def list_notes(session: AsyncSession, org_id: OrganizationId, goal_id: UUID, query: NoteFilters) -> NotePage:
    """A page of the notes on a goal. Raises `GoalNotFound`."""
    await find_goal(session, org_id, goal_id)
    wanted = _notes(org_id, goal_id)
    if query.on_day is not None:
        wanted = wanted.where(GoalNote.on_day == query.on_day)
    rows, following = await paginate(session, wanted, _BY_DAY if query.sort == "on_day" else _NEWEST, query)
    return NotePage(items=[Note.model_validate(row) for row in rows], next_cursor=following)


async def add_note(session: AsyncSession, who: Principal, goal_id: UUID, new: NoteCreate) -> Note:
    """Note something of a goal, in whatever state it is: of all who may write goals, anybody may."""
    # The clock tells in which order things were said; a note decides no figure.
    at = await clock.tick(session, who.org_id, only_events=True)
    goal, _ = await find_goal(session, who.org_id, goal_id)
    if new.on_day is not None and not goal.start_on <= new.on_day <= goal.last_day:
        message = f"The goal runs from {goal.start_on} to {goal.last_day}: {new.on_day} is not one of its days."
        raise ValidationFailed.at("/on_day", message, "day_outside_period")
    note = GoalNote(
        org_id=who.org_id,
        goal_id=goal_id,
        text=new.text,
        on_day=new.on_day,
        written_by=who.label,
        member_id=who.member_id,
        created_at=at,
    )
    session.add(note)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "create", "goal_note", note.id, {"goal_id": str(goal_id)})
    telling.publish(session, goal, "goal.note_added", {"note_id": str(note.id)}, at)
    return Note.model_validate(note)


async def delete_note(session: AsyncSession, who: Principal, goal_id: UUID, note_id: UUID) -> None:
    """Delete a note, as its author or as somebody who may set the goal."""
    goal, _ = await find_goal(session, who.org_id, goal_id)
    wanted = _notes(who.org_id, goal_id).where(GoalNote.id == note_id).with_for_update()
    note = (await session.execute(wanted)).scalar_one_or_none()
    if note is None:
        raise NoteNotFound(f"No note {note_id} of this goal.")
    if not _is_author(who, note) and "set" not in (await rights_of(session, who)).over_row(goal):
        raise NoteNotYours("Its author may delete this note, and who may set the goal.")
    await session.delete(note)
    audit.record(session, who.org_id, who.label, "delete", "goal_note", note_id, {"goal_id": str(goal_id)})


def _notes(org_id: OrganizationId, goal_id: UUID) -> Select[GoalNote]:
    return select(GoalNote).where(GoalNote.org_id == org_id, GoalNote.goal_id == goal_id)


def _is_author(who: Principal, note: GoalNote) -> bool:
    """Any key of the member; a key that stands for nobody knows its own."""
    return note.written_by == who.label or (who.member_id is not None and note.member_id == who.member_id)
