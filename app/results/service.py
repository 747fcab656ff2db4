"""Asks the engine, and puts what it answers beside targets and notes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.core.snapshots import Snapshots
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import ExpressionError, Node
from app.kpis.questions import Answer, Cell, Comparison, MembersOf, Query, Series, ToDate
from app.results import schemas
from app.results.ports import Targets


async def query_results(
    snapshots: Snapshots, query: schemas.ResultQuery, *, max_cells: int, targets: Targets | None = None
) -> schemas.ResultAnswer:
    """The answer to a query, from one snapshot."""
    question = _question(query)
    async with snapshots.at(query.as_of) as session:
        answer = await compute(session, snapshots.org_id, question, max_cells=max_cells)
        lines = await _target_lines(session, snapshots.org_id, answer, targets)
    return schemas.ResultAnswer(
        as_of=answer.as_of,
        known_at=answer.known_at,
        earliest_as_of=answer.earliest_as_of,
        time_zone=answer.time_zone,
        currency=answer.currency,
        calendar=answer.calendar,
        windows=windows_out(answer),
        series=[_series_out(series, answer, line) for series, line in zip(answer.series, lines, strict=True)],
    )


def _question(query: schemas.ResultQuery) -> Query:
    return Query(
        kpis=query.kpis,
        subjects=[subject_of(subject) for subject in query.subjects],
        period=query.period,
        grain=query.grain,
        compare_previous="previous_period" in query.compare,
        attribution=query.attribution,
        where=filter_of(query.where),
        currency=query.currency,
        versions=query.versions,
        whole_person=query.whole_person,
        as_of=query.as_of,
        known_at=query.known_at,
    )


def subject_of(asked: schemas.SubjectInput) -> Subject | MembersOf:
    """The subject that the wire names."""
    if asked.members_of is not None:
        return MembersOf(asked.members_of)
    if asked.team is not None:
        return Subject("team", asked.team)
    if asked.member is not None:
        return Subject("member", asked.member)
    return Subject("organization" if asked.organization else "unassigned")


def filter_of(text: str | None) -> Node | None:
    """The filter, parsed. Raises `ValidationFailed` at `/where`, with the position."""
    if text is None:
        return None
    try:
        return parse_filter(text)
    except ExpressionError as error:
        message = f"{error.message} (at {error.position})"
        item = ErrorItem(
            pointer="/where",
            message=message,
            code="expression_invalid",
            position=error.position,
            length=error.length,
            suggestion=error.suggestion,
        )
        raise ValidationFailed(message, [item]) from None


async def _target_lines(
    session: AsyncSession, org_id: OrganizationId, answer: Answer, targets: Targets | None
) -> Sequence[schemas.TargetLine | None]:
    if targets is None:
        return [None] * len(answer.series)
    lines: list[schemas.TargetLine | None] = []
    for series in answer.series:
        if series.subject.within is not None:  # goals are for all that a person does
            lines.append(None)
            continue
        found = await targets(
            session,
            org_id,
            kpi=series.kpi,
            is_additive=answer.kpis[series.kpi].is_additive,
            subject=series.subject,
            windows=[*answer.windows, answer.period],
            known_at=answer.known_at,
            currency=answer.currency,
        )
        lines.append(schemas.TargetLine(values=found[:-1], total=found[-1]) if found else None)
    return lines


def windows_out(answer: Answer) -> list[schemas.Window]:
    """The windows with their instants."""
    rows = zip(answer.windows, answer.instants, answer.is_complete, strict=True)
    return [
        schemas.Window(
            label=window.label,
            start=window.start,
            end=window.end,
            starts_at=starts_at,
            ends_at=ends_at,
            is_complete=is_complete,
            is_partial=window.is_partial,
        )
        for window, (starts_at, ends_at), is_complete in rows
    ]


def subject_out(subject: Subject, name: str | None) -> schemas.Subject:
    """The subject as the wire names it."""
    return schemas.Subject(type=subject.kind, id=subject.id, name=name, within_team=subject.within)


def figures_out(cell: Cell) -> schemas.Figures:
    """One value with everything about it."""
    return schemas.Figures(
        value=cell.value,
        status=cell.status,
        sample=cell.sample,
        kpi_version=cell.kpi_version,
        details=_detail(cell),
    )


def _detail(cell: Cell) -> schemas.Detail | None:
    if not (cell.left_out or cell.open or cell.pending):
        return None
    return schemas.Detail(left_out=cell.left_out, open=cell.open, pending=cell.pending)


def _series_out(series: Series, answer: Answer, targets: schemas.TargetLine | None) -> schemas.Series:
    face = answer.kpis[series.kpi]
    cells = series.cells
    return schemas.Series(
        kpi=series.kpi,
        name=face.name,
        unit=dict(face.unit),
        direction=face.direction,
        display=dict(face.display),
        thresholds=dict(face.thresholds),
        is_additive=face.is_additive,
        subject=subject_out(series.subject, answer.names[series.subject]),
        group=None,
        values=[cell.value for cell in cells],
        statuses=[cell.status for cell in cells],
        samples=[cell.sample for cell in cells],
        kpi_versions=[cell.kpi_version for cell in cells],
        details=[_detail(cell) for cell in cells],
        total=figures_out(series.total),
        comparisons={"previous_period": _comparison(series.previous_period)} if series.previous_period else {},
        targets=targets,
        notes=_notes(series, answer),
    )


def _comparison(compared: Comparison) -> schemas.Comparison:
    return schemas.Comparison(
        values=[cell.value for cell in compared.cells],
        statuses=[cell.status for cell in compared.cells],
        total=figures_out(compared.total),
        to_date=_to_date(compared.to_date),
        to_dates=[_to_date(each) for each in compared.to_date_by_window],
    )


def _to_date(both: ToDate | None) -> schemas.ToDate | None:
    if both is None:
        return None
    return schemas.ToDate(working_days=both.working_days, current=both.current.value, previous=both.previous.value)


def _notes(series: Series, answer: Answer) -> list[schemas.Note]:
    """Where the definition changes between windows, a reader must not take it for a change of the figure."""
    used: list[tuple[Any, int]] = [
        (window.start, cell.kpi_version)
        for window, cell in zip(answer.windows, series.cells, strict=True)
        if cell.kpi_version is not None
    ]
    return [
        schemas.Note(code="definition_changed", on=start, text=f"From {start} on by version {version}.")
        for (_, before), (start, version) in pairwise(used)
        if version != before
    ]
