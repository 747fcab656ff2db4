"""What a reader of a chart should know beside its values."""

from collections.abc import Sequence
from itertools import pairwise

from app.kpis.ports import TargetChange
from app.kpis.questions import Answer, Series
from app.results.schemas import Note


def notes_of(series: Series, answer: Answer, changes: Sequence[TargetChange]) -> list[Note]:
    """Changes of the definition and of the target, and holidays where the windows are days; in time order."""
    notes = [*_definitions(series, answer), *_targets(changes), *_holidays(answer)]
    return sorted(notes, key=lambda note: (str(note.on), note.code))


def _definitions(series: Series, answer: Answer) -> list[Note]:
    """Where the definition changes between windows, a reader must not take it for a change of the figure."""
    used = [
        (window.start, cell.kpi_version)
        for window, cell in zip(answer.windows, series.cells, strict=True)
        if cell.kpi_version is not None
    ]
    return [
        Note(code="definition_changed", on=start, text=f"From {start} on by version {version}.")
        for (_, before), (start, version) in pairwise(used)
        if version != before
    ]


def _targets(changes: Sequence[TargetChange]) -> list[Note]:
    return [
        Note(
            code="target_changed",
            on=change.on,
            text=f"On {change.on} the target of {change.goal} was changed from {change.before} to {change.after}.",
        )
        for change in changes
    ]


def _holidays(answer: Answer) -> list[Note]:
    days = [window.start for window in answer.windows if window.days.days == 1]
    return [
        Note(code="holiday", on=day, text=f"{day} is a holiday of the calendar {answer.calendar}.")
        for day in days
        if day in answer.holidays
    ]
