"""Asks the engine, and puts what it answers beside targets and notes."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.core.snapshots import Snapshots
from app.kpis.attribution import Days, Subject
from app.kpis.engine import QueryTooLarge, compute
from app.kpis.expressions.checker import filter_name, parse_filter
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, Name, Node
from app.kpis.ports import Aims
from app.kpis.questions import Answer, Cell, Group, GroupBy, MembersOf, Query
from app.results import schemas
from app.results.writing import Document, Lines, document

_STREAM = "Or have it streamed: `Accept: application/x-ndjson` or `text/csv`."
_GROUPABLE = frozenset({"about", "currency", "properties", "source", "type"})


async def query_results(snapshots: Snapshots, query: schemas.ResultQuery, *, max_cells: int, aims: Aims) -> Document:
    """The answer to a query, from one snapshot."""
    question = question_of(query)
    async with snapshots.at(query.as_of, query.known_at) as session:
        try:
            answer = await compute(session, snapshots.org_id, question, max_cells=max_cells, targets=aims.targets)
        except QueryTooLarge as error:
            raise QueryTooLarge(f"{error.detail} {_STREAM}") from None
        lines = await _target_lines(session, snapshots.org_id, answer, aims)
    return document(answer, lines)


def question_of(query: schemas.ResultQuery) -> Query:
    """The engine's query. Raises `ValidationFailed` for a filter or group that cannot be read."""
    return Query(
        kpis=query.kpis,
        subjects=[subject_of(subject) for subject in query.subjects],
        period=query.period,
        grain=query.grain,
        compare=tuple(dict.fromkeys(query.compare)),
        group_by=group_by_of(query.group_by),
        attribution=query.attribution,
        where=filter_of(query.where),
        currency=query.currency,
        rate_set=query.rate_set,
        versions=query.versions,
        whole_person=query.whole_person,
        as_of=query.as_of,
        known_at=query.known_at,
    )


def group_by_of(asked: schemas.GroupByInput | None) -> GroupBy | None:
    """By what to group. Raises `ValidationFailed` at `/group_by`, with the nearest name."""
    if asked is None:
        return None
    if asked.property is None:
        return GroupBy(attribute=asked.subject, top=asked.top)
    try:
        return GroupBy(event=_groupable(asked.property), top=asked.top)
    except ExpressionError as error:
        raise _invalid("/group_by", error) from None


def _groupable(text: str) -> Name:
    node = parse(text)
    if not isinstance(node, Name):
        raise ExpressionError("Groups are made by a name alone.", node.start, max(node.end - node.start, 1))
    name = filter_name(node)
    if name.path[0] not in _GROUPABLE:
        shown = ", ".join(sorted(_GROUPABLE - {"properties", "about"}))
        message = f"`{text}` is no name to group by: write {shown}, properties.<key> or about.<thing>."
        raise ExpressionError(message, node.start, max(node.end - node.start, 1))
    return name


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
        raise _invalid("/where", error) from None


def _invalid(pointer: str, error: ExpressionError) -> ValidationFailed:
    message = f"{error.message} (at {error.position})"
    item = ErrorItem(
        pointer=pointer,
        message=message,
        code="expression_invalid",
        position=error.position,
        length=error.length,
        suggestion=error.suggestion,
    )
    return ValidationFailed(message, [item])


async def _target_lines(session: AsyncSession, org_id: OrganizationId, answer: Answer, aims: Aims) -> Lines:
    """Goals are for all that somebody does, not for groups or parts of a team."""
    whole = [subject for subject in answer.names if subject.within is None and subject.kind != "unassigned"]
    if not whole or any(series.group for series in answer.series):
        return Lines({}, {})
    windows = [Days(window.start, window.end) for window in (*answer.windows, answer.period)]
    values = await aims.targets(
        session,
        org_id,
        kpis={key: face.is_additive for key, face in answer.kpis.items()},
        subjects=whole,
        windows=list(dict.fromkeys(windows)),
        known_at=answer.known_at,
        currency=answer.currency,
    )
    changes = await aims.changes(
        session, org_id, kpis=list(answer.kpis), subjects=whole, during=windows[-1], known_at=answer.known_at
    )
    return Lines(values, changes)


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
        details=detail_out(cell),
    )


def detail_out(cell: Cell) -> schemas.Detail | None:
    """What is not in a value, where there is anything."""
    if not (cell.left_out or cell.open or cell.pending or cell.young):
        return None
    return schemas.Detail(left_out=cell.left_out, open=cell.open, pending=cell.pending, immature=cell.young)


def group_out(group: Group | None) -> schemas.Group | None:
    """The group as the wire names it."""
    return None if group is None else schemas.Group(kind=group.kind, value=group.value, label=group.label)
