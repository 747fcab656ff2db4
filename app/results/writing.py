"""The document of an answer, written straight from its columns.

`schemas.ResultAnswer` is the shape that is documented: building it for each of some ten thousand values, only to write
it as JSON, took longer than computing them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from pydantic_core import to_json

from app.kpis.attribution import Days, Subject
from app.kpis.ports import TargetChange
from app.kpis.questions import Answer, Cell, Comparison, Group, KpiFace, Series, ToDate
from app.results.notes import Notes

Json = dict[str, Any]  # whatever stands in a document
_SHOWN = Context(prec=15, rounding=ROUND_HALF_EVEN).plus
_COLUMNS = len(Cell._fields)


@dataclass(frozen=True)
class Lines:
    """What was aimed at beside each series, and when that was changed."""

    values: Mapping[tuple[str, Subject, Days], Decimal]
    changes: Mapping[tuple[str, Subject], Sequence[TargetChange]]


class Document(NamedTuple):
    """An answer as JSON, and the part of it that stays the same until something else is answered."""

    text: bytes
    lasting: bytes


def document(answer: Answer, lines: Lines) -> Document:
    """The answer as a document, of the shape of `schemas.ResultAnswer`."""
    lasting = to_json(
        {
            "earliest_as_of": answer.earliest_as_of,
            "retained_from": answer.retained_from,
            "time_zone": answer.time_zone,
            "currency": answer.currency,
            "rate_set": answer.rate_set,
            "calendar": answer.calendar,
            "windows": _windows(answer),
            "series": _Writer(answer, lines).series(),
        }
    )
    instants = to_json({"as_of": answer.as_of, "known_at": answer.known_at})
    return Document(instants[:-1] + b"," + lasting[1:], lasting)


def number(value: Decimal | None) -> float | None:
    """A figure of 15 significant digits (S19): the text of its double has them all. Never beyond 10^300."""
    # Zero has no sign in JSON documents of ours.
    return None if value is None else float(_SHOWN(value)) + 0.0


class _Writer:
    """Builds the series; what many of them have in common is built once."""

    def __init__(self, answer: Answer, lines: Lines) -> None:
        self._answer = answer
        self._lines = lines
        self._notes = Notes(answer)
        self._days = [Days(each.start, each.end) for each in (*answer.windows, answer.period)]
        self._faces = {key: _face(face) for key, face in answer.kpis.items()}
        self._subjects = {subject: _subject(subject, name) for subject, name in answer.names.items()}

    def series(self) -> list[Json]:
        """All series, in order."""
        return [self._series(each) for each in self._answer.series]

    def _series(self, series: Series) -> Json:
        values, statuses, samples, versions, *details = _columns(series.cells)
        whose = series.kpi, series.subject
        return {
            **self._faces[series.kpi],
            "subject": self._subjects[series.subject],
            "group": _group(series.group),
            "values": [number(value) for value in values],
            "statuses": statuses,
            "samples": samples,
            "kpi_versions": versions,
            "details": _details(details),
            "total": _figures(series.total),
            "comparisons": {kind: _comparison(compared) for kind, compared in series.comparisons.items()},
            "targets": self._targets(series),
            "notes": self._notes.of(series, self._lines.changes.get(whose, ())),
        }

    def _targets(self, series: Series) -> Json | None:
        """A target for each window; none altogether where nothing is aimed at."""
        known = self._lines.values
        if not known or series.group is not None:
            return None
        found = [number(known.get((series.kpi, series.subject, days))) for days in self._days]
        if all(value is None for value in found):
            return None
        return {"values": found[:-1], "total": found[-1]}


def _windows(answer: Answer) -> list[Json]:
    return [
        {
            "label": window.label,
            "start": window.start,
            "end": window.end,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "is_complete": is_complete,
            "is_partial": window.is_partial,
        }
        for window, (starts_at, ends_at), is_complete in zip(
            answer.windows, answer.instants, answer.is_complete, strict=True
        )
    ]


def _columns(cells: Sequence[Cell]) -> Iterable[Sequence[Any]]:
    """A column for each field of a cell."""
    return zip(*cells, strict=True) if cells else ((),) * _COLUMNS


def _face(face: KpiFace) -> Json:
    return {
        "kpi": face.key,
        "name": face.name,
        "unit": face.unit,
        "direction": face.direction,
        "display": face.display,
        "thresholds": face.thresholds,
        "is_additive": face.is_additive,
    }


def _subject(subject: Subject, name: str | None) -> Json:
    return {"type": subject.kind, "id": subject.id, "name": name, "within_team": subject.within}


def _group(group: Group | None) -> Json | None:
    if group is None:
        return None
    value = number(group.value) if isinstance(group.value, Decimal) else group.value
    return {"kind": group.kind, "value": value, "label": group.label}


def _figures(cell: Cell) -> Json:
    return {
        "value": number(cell.value),
        "status": cell.status,
        "sample": cell.sample,
        "kpi_version": cell.kpi_version,
        "details": _detail(*cell[4:]),
    }


def _details(columns: Sequence[Sequence[int]]) -> list[Json | None]:
    """What is not in each value; mostly there is nothing."""
    if not any(map(any, columns)):
        return [None] * len(columns[0])
    return [_detail(*each) for each in zip(*columns, strict=True)]


def _detail(left_out: int, still_open: int, pending: int, young: int) -> Json | None:
    if not (left_out or still_open or pending or young):
        return None
    return {"left_out": left_out, "open": still_open, "pending": pending, "immature": young}


def _comparison(compared: Comparison) -> Json:
    values, statuses, *_ = _columns(compared.cells)
    return {
        "windows": [window.label or None if window else None for window in compared.windows],
        "values": [number(value) for value in values],
        "statuses": statuses,
        "total": _figures(compared.total),
        "to_date": _to_date(compared.to_date),
        "to_dates": [_to_date(each) for each in compared.to_date_by_window],
    }


def _to_date(both: ToDate | None) -> Json | None:
    if both is None:
        return None
    current, previous = number(both.current.value), number(both.previous.value)
    return {"working_days": both.working_days, "current": current, "previous": previous}
