"""What a reader of a chart should know beside its values."""

from collections.abc import Sequence
from itertools import pairwise

from app.kpis.ports import TargetChange
from app.kpis.questions import Answer, Series
from app.results.schemas import Note


class Notes:
    """The notes on the series of an answer."""

    def __init__(self, answer: Answer) -> None:
        self._windows = answer.windows
        self._retained_from = answer.retained_from
        self._looking_back = {key for key, face in answer.kpis.items() if face.looks_back}
        self._holidays = _holidays(answer)
        self._says_nothing = len(self._windows) < 2 and self._retained_from is None and not self._holidays

    def of(self, series: Series, changes: Sequence[TargetChange]) -> list[Note]:
        """Changes of the definition and of the target, and holidays where the windows are days; in time order."""
        if self._says_nothing and not changes:
            return []
        notes = [*self._definitions(series), *_targets(changes), *self._retention(series), *self._holidays]
        return sorted(notes, key=lambda note: (str(note.on), note.code)) if notes else notes

    def _definitions(self, series: Series) -> list[Note]:
        """Where the definition changes between windows, a reader must not take it for a change of the figure."""
        versions = [cell.kpi_version for cell in series.cells]
        if len(set(versions)) < 2:
            return []
        used = [
            (window.start, version)
            for window, version in zip(self._windows, versions, strict=True)
            if version is not None
        ]
        return [
            Note(code="definition_changed", on=start, text=f"From {start} on by version {version}.")
            for (_, before), (start, version) in pairwise(used)
            if version != before
        ]

    def _retention(self, series: Series) -> list[Note]:
        """Where events that decide figures are not kept any more."""
        first = self._retained_from
        if first is None:
            return []
        notes = []
        compared = [cell for each in series.comparisons.values() for cell in (*each.cells, each.total)]
        if any(cell.status == "not_retained" for cell in (*series.cells, series.total, *compared)):
            text = (
                f"The events of days before {first} were archived or dropped: figures that look at them have no value."
            )
            notes.append(Note(code="not_retained", on=first, text=text))
        if series.kpi in self._looking_back:
            text = (
                f"Events before a window decide these figures, and those before {first} are gone: computed from what "
                "is left."
            )
            notes.append(Note(code="computed_from_kept", on=first, text=text))
        return notes


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
