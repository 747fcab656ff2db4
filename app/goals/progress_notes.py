"""What a reader should know beside a goal's figures: what changed meanwhile, what is missing, what people noted."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from app.calendars.periods import local_day
from app.calendars.service import calendar_settings
from app.core.configuration import remembered
from app.goals import queries
from app.goals.models import GoalTarget
from app.goals.notes import notes_of
from app.goals.progress_schemas import ProgressNote
from app.goals.standing import Standing
from app.goals.targets import told
from app.kpis.service import load_kpis

_TERMS = {
    "stretch": "stretch target",
    "weight": "weight",
    "parent_id": "parent",
    "counts": "way of counting",
    "expected": "way of expecting",
    "ramp_id": "ramp",
    "milestones": "milestones",
}


async def all_notes(standing: Standing) -> list[ProgressNote]:
    """The notes, those of days in time order after those of the whole; all as known then."""
    session, goal, known_at = standing.asking.session, standing.goal, standing.answer.known_at
    load = partial(_of_terms, standing)
    of_terms = await remembered(session, goal.org_id, known_at, ("changes of terms", goal.id), load)
    found = [*_of_figures(standing), *of_terms, *await _of_definition(standing)]
    found += [
        ProgressNote(code="note", on=note.on_day, text=note.text, by=note.written_by)
        for note in await notes_of(session, goal.org_id, goal.id, known_at)
    ]
    return sorted(found, key=lambda note: (note.on is not None, str(note.on)))


def _of_figures(standing: Standing) -> Iterator[ProgressNote]:
    cell, due = standing.cell, standing.due
    if standing.terms is None:
        yield ProgressNote(code="not_made_yet", on=None, text="The goal had not been made by then.")
    if cell.left_out:
        text = f"{cell.left_out} events are left out: amounts that no rate converts, or texts where numbers belong."
        yield ProgressNote(code="left_out", on=None, text=text)
    if cell.status == "mixed_versions":
        text = "The KPI's definition changed within the period, and its values do not add up: the whole has none."
        yield ProgressNote(code="mixed_versions", on=None, text=text)
    if cell.status == "not_retained":
        text = "Events of the period were archived or dropped: it has no value any more."
        yield ProgressNote(code="not_retained", on=standing.answer.retained_from, text=text)
    if due is not None and due.because is not None:
        text = f"Expected follows working time. {due.because}"
        yield ProgressNote(code="expected_follows_working_time", on=None, text=text)
    if standing.aim is not None and standing.effective is None:
        text = "Absences or the ramp leave nothing of the target: nothing is judged."
        yield ProgressNote(code="waived", on=None, text=text)
    if standing.parts is not None:
        text = f"The goal counts the sum of its parts: {len(standing.parts.shares)}."
        yield ProgressNote(code="parts", on=None, text=text)


async def _of_terms(standing: Standing) -> list[ProgressNote]:
    """Who changed the target or other terms, and when."""
    session, goal, known_at = standing.asking.session, standing.goal, standing.answer.known_at
    every = queries.target_revisions(goal.org_id, goal.id).where(GoalTarget.recorded_at <= known_at)
    revisions: Sequence[GoalTarget] = (await session.execute(every.order_by(GoalTarget.recorded_at))).scalars().all()
    zone = (await calendar_settings(session, goal.org_id, known_at)).zone
    notes = []
    for before, after in pairwise(revisions):
        on, why = local_day(after.recorded_at, zone), f" {after.reason}" if after.reason else ""
        if told(before) != told(after):
            text = f"On {on} the target was changed from {told(before)} to {told(after)}.{why}"
            notes.append(ProgressNote(code="target_changed", on=on, text=text, by=after.changed_by))
        elif changed := [word for name, word in _TERMS.items() if getattr(before, name) != getattr(after, name)]:
            text = f"On {on} other terms were changed: {', '.join(changed)}.{why}"
            notes.append(ProgressNote(code="terms_changed", on=on, text=text, by=after.changed_by))
    return notes


async def _of_definition(standing: Standing) -> list[ProgressNote]:
    """From which days of the period on another version of the KPI holds (S24)."""
    goal, known_at = standing.goal, standing.answer.known_at
    history = (await load_kpis(standing.asking.session, goal.org_id, [goal.kpi_key], known_at))[goal.kpi_key]
    edges = sorted({each.valid_from for each in history.versions if each.valid_from})
    return [
        ProgressNote(
            code="definition_changed",
            on=day,
            text=f"From {day} on the KPI is computed by version {history.version_on(day).number}.",
        )
        for day in edges
        if goal.start_on < day < goal.end_on
    ]
