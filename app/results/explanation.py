"""Opens a figure: its formula with the numbers put in, its measures, its events and what is not in it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import first_instant
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.events.models import Event
from app.kpis import evidence, formulas
from app.kpis.attribution import Subject
from app.kpis.engine import Prepared, audience_of, name_of, prepare
from app.kpis.evidence import Opened, Reach
from app.kpis.expressions import syntax
from app.kpis.expressions.syntax import Call, Name, Node, Number, Unary
from app.kpis.planning import Part
from app.kpis.questions import MembersOf, Query
from app.results import schemas
from app.results.service import figures_out, filter_of, subject_of, subject_out


class _Page(PageQuery):
    """The position in a list of events, bound to the question."""

    question: str


async def explain(snapshots: Snapshots, query: schemas.ExplainQuery) -> schemas.Explanation:
    """The figure, opened, in one snapshot."""
    subject = _subject(query)
    question = Query(
        kpis=[query.kpi],
        subjects=[subject],
        period=query.period,
        attribution=query.attribution,
        where=filter_of(query.where),
        currency=query.currency,
        versions={query.kpi: query.version} if query.version else {},
        as_of=query.as_of,
        known_at=query.known_at,
    )
    async with snapshots.at(query.as_of) as session:
        prepared = await prepare(session, snapshots.org_id, question)
        return await _explained(session, prepared, query, subject)


def _subject(query: schemas.ExplainQuery) -> Subject:
    subject = subject_of(query.subject)
    if isinstance(subject, MembersOf):
        raise ValidationFailed.at("/subject", "name one person: member with within_team is a part of members_of")
    if query.within_team is not None:
        if subject.kind != "member":
            raise ValidationFailed.at("/within_team", "belongs to a member")
        return Subject("member", subject.id, query.within_team)
    return subject


async def _explained(
    session: AsyncSession, prepared: Prepared, query: schemas.ExplainQuery, subject: Subject
) -> schemas.Explanation:
    history, context, total = prepared.histories[0], prepared.context, prepared.plan.total
    parts = prepared.plan.parts(history, total) or []
    measure = _measure(query, parts)
    rows, following = await _events(session, prepared, query, subject, parts, measure)
    zone, window = context.cut.zone, total.window
    return schemas.Explanation(
        as_of=context.at,
        known_at=context.known_at,
        kpi=history.key,
        subject=subject_out(subject, name_of(subject, context.structure)),
        window=schemas.Window(
            label=window.label,
            start=window.start,
            end=window.end,
            starts_at=first_instant(window.start, zone),
            ends_at=first_instant(window.end, zone),
            is_complete=prepared.plan.is_complete(window),
            is_partial=window.is_partial,
        ),
        result=figures_out(prepared.figures.cell(history, subject, total)),
        formula=[syntax.to_text(part.version.definition.formula) for part in parts],
        with_numbers=[_with_numbers(prepared, part, subject) for part in parts],
        measures=[each for part in parts for each in _measures(prepared, part, subject)],
        measure=measure or "",
        events=[_event(row) for row in rows],
        next_cursor=following,
    )


def _measure(query: schemas.ExplainQuery, parts: Sequence[Part]) -> str | None:
    """The measure whose events are shown. Raises `ValidationFailed` for a name that the formula does not read."""
    names = [use.measure for part in parts for use in formulas.uses(part.version.definition.formula)]
    if query.measure is None:
        return names[0] if names else None
    if query.measure not in names:
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise ValidationFailed.at("/measure", f"the formula reads no measure of that name; it reads {known}")
    return query.measure


async def _events(
    session: AsyncSession,
    prepared: Prepared,
    query: schemas.ExplainQuery,
    subject: Subject,
    parts: Sequence[Part],
    measure: str | None,
) -> tuple[list[Any], str | None]:
    opened = [
        Opened(part.version.definition.measures[measure], part.place.days)
        for part in parts
        if measure is not None and measure in part.version.definition.measures
    ]
    if not opened or not prepared.context.is_recorded:
        return [], None
    context, scope = prepared.context, prepared.plan.scope
    audience = audience_of(context, [subject])
    if query.show == "used":
        statement = evidence.used(scope, audience, opened)
    else:
        attributor = context.attributor
        reach = Reach(subject, sorted(attributor.reach(subject)), attributor.mapped())
        statement = evidence.left_out(scope, audience, opened, reach)
    page = _Page(limit=query.limit, cursor=query.cursor, question=query.model_dump_json(exclude={"limit", "cursor"}))
    return await paginate(session, statement, [Key(Event.occurred_at), Key(Event.row_id)], page)


def _measures(prepared: Prepared, part: Part, subject: Subject) -> list[schemas.ExplainedMeasure]:
    definition = part.version.definition
    names = dict.fromkeys(use.measure for use in formulas.uses(definition.formula) if not use.windows_back)
    return [
        schemas.ExplainedMeasure(
            name=name,
            aggregate=definition.measures[name].aggregate,
            value=prepared.figures.measured(part, subject, name) if prepared.context.is_recorded else None,
            kpi_version=part.version.number,
            start=part.place.days.start,
            end=part.place.days.end,
        )
        for name in names
    ]


def _with_numbers(prepared: Prepared, part: Part, subject: Subject) -> str:
    """The formula as text, each measure replaced by its value there."""

    def put_in(node: Node, back: int) -> Node:
        match node:
            case Name(path=path):
                return _as_node(prepared.figures.measured(part, subject, path[-1], back))
            case Call(function="previous", arguments=(argument,)):
                return Call("previous", (put_in(argument, back + 1),))
            case Call(function=function, arguments=arguments):
                return Call(function, tuple(put_in(argument, back) for argument in arguments))
            case Unary(operator=operator, operand=operand):
                return Unary(operator, put_in(operand, back))
            case syntax.Binary(operator=operator, left=left, right=right):
                return syntax.Binary(operator, put_in(left, back), put_in(right, back))
        return node

    return syntax.to_text(put_in(part.version.definition.formula, 0))


def _as_node(value: Decimal | None) -> Node:
    if value is None:
        return Name(("no_data",))
    shown = Decimal(f"{abs(value):.15g}")
    return Unary("-", Number(shown)) if value < 0 else Number(shown)


def _event(row: Any) -> schemas.ExplainedEvent:
    event, source, day, weight, value, reason = row
    return schemas.ExplainedEvent(
        event_id=event.event_id,
        source=source,
        external_id=event.external_id,
        type=event.type,
        occurred_at=event.occurred_at,
        day=day,
        about=event.about,
        weight=weight,
        value=value,
        reason=reason,
    )
