"""Opens a figure: its formula with the numbers put in, its measures, its events and what is not in it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import first_instant, local_day
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.events.models import Event
from app.events.queries import visible_to
from app.goals.targets import target_values
from app.kpis import evidence, formulas
from app.kpis.attribution import Subject
from app.kpis.cells import Part, Reading
from app.kpis.engine import Prepared, audience_of, name_of, prepare
from app.kpis.evidence import Opened, Reach
from app.kpis.expressions import syntax
from app.kpis.expressions.syntax import Call, Name, Node, Number, Unary
from app.kpis.formulas import Shift, Use
from app.kpis.planning import Context
from app.kpis.questions import MembersOf, Query
from app.rates.conversion import RateBook
from app.rates.service import load_rates
from app.results import explanation_schemas as schemas
from app.results.addresses import Address, addresses
from app.results.asking import pointing
from app.results.schemas import Window
from app.results.service import figures_out, filter_of, subject_of, subject_out


class _Page(PageQuery):
    """The position in a list of events, bound to the question."""

    question: str


async def explain(snapshots: Snapshots, who: Principal, query: schemas.ExplainQuery) -> schemas.Explanation:
    """The figure, opened, in one snapshot."""
    subject = _subject(query)
    question = Query(
        kpis=[query.kpi],
        subjects=[subject],
        period=query.period,
        attribution=query.attribution,
        where=filter_of(query.where),
        currency=query.currency,
        rate_set=query.rate_set,
        versions={query.kpi: query.version} if query.version else {},
        as_of=query.as_of,
        known_at=query.known_at,
    )
    places = {"/kpis/0": "/kpi", "/subjects/0": "/subject", f"/versions/{query.kpi}": "/version"}
    async with snapshots.at(query.as_of, query.known_at) as session:
        with pointing(places):
            prepared = await prepare(session, snapshots.org_id, question, targets=target_values)
        return await _explained(session, prepared, who, query, subject)


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
    session: AsyncSession, prepared: Prepared, who: Principal, query: schemas.ExplainQuery, subject: Subject
) -> schemas.Explanation:
    history, context, total = prepared.histories[0], prepared.context, prepared.plan.total
    cell = prepared.plan.cell(history, total)
    readings = cell.readings
    parts = [reading.part for reading in readings]
    measure = None if cell.refused == "not_retained" else _measure(query, parts)
    rows, following = await _events(session, prepared, who, query, subject, parts, measure)
    zone, window = context.cut.zone, total.window
    return schemas.Explanation(
        as_of=context.at,
        known_at=context.known_at,
        retained_from=context.retained_from,
        kpi=history.key,
        subject=subject_out(subject, name_of(subject, context.structure)),
        window=Window(
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
        with_numbers=[_with_numbers(prepared, reading, subject) for reading in readings],
        measures=[each for reading in readings for each in _measures(prepared, reading, subject)],
        operands=[each for reading in readings for each in _operands(prepared, reading, subject)],
        measure=measure or "",
        events=await _shown(session, prepared, who, rows),
        next_cursor=following,
    )


def _measure(query: schemas.ExplainQuery, parts: Sequence[Part]) -> str | None:
    """The measure whose events are shown. Raises `ValidationFailed` for a name that the formula does not read."""
    names = [
        use.name for part in parts for use in formulas.uses(part.version.definition.formula) if use.kind == "measure"
    ]
    if query.measure is None:
        return names[0] if names else None
    if query.measure not in names:
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise ValidationFailed.at("/measure", f"the formula reads no measure of that name; it reads {known}")
    return query.measure


async def _events(
    session: AsyncSession,
    prepared: Prepared,
    who: Principal,
    query: schemas.ExplainQuery,
    subject: Subject,
    parts: Sequence[Part],
    measure: str | None,
) -> tuple[list[Any], str | None]:
    opened = [
        Opened(found, prepared.plan.days_read(found, part.place))
        for part in parts
        if measure is not None and (found := part.version.definition.measures.get(measure)) is not None
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
    return await paginate(session, statement.where(*visible_to(who)), [Key(Event.occurred_at), Key(Event.row_id)], page)


def _measures(prepared: Prepared, reading: Reading, subject: Subject) -> list[schemas.ExplainedMeasure]:
    part = reading.part
    operands = prepared.figures.view(subject).operands(reading) if prepared.context.is_recorded else {}
    found = []
    for use in reading.formula.uses:
        if use.kind == "measure" and not use.shift:
            measure = part.version.definition.measures[use.name]
            days = prepared.plan.days_read(measure, part.place)
            found.append(
                schemas.ExplainedMeasure(
                    name=use.name,
                    aggregate=measure.aggregate,
                    value=operands.get(use),
                    kpi_version=part.version.number,
                    start=days.start,
                    end=days.end,
                )
            )
    return found


def _operands(prepared: Prepared, reading: Reading, subject: Subject) -> list[schemas.ExplainedOperand]:
    """What the formula reads besides measures of the window itself: other KPIs, targets, staff, other windows."""
    if not prepared.context.is_recorded:
        return []
    operands = prepared.figures.view(subject).operands(reading)
    return [
        schemas.ExplainedOperand(text=_text_of(use), kind=use.kind, name=use.name, shift=list(use.shift), value=value)
        for use, value in operands.items()
        if use.kind != "measure" or use.shift
    ]


def _text_of(use: Use) -> str:
    """The use as it is written in the formula, each shift around it."""
    named: Node = Name(("kpi", use.name)) if use.kind in {"kpi", "target"} else Name((use.name,))
    if use.kind == "target":
        named = Call("target", (named,))
    if use.kind == "staff":
        named = Call(use.name, ())
    for step in reversed(use.shift):
        named = Call(step, (named,))
    return syntax.to_text(named)


def _with_numbers(prepared: Prepared, reading: Reading, subject: Subject) -> str:
    """The formula as text, each name replaced by its value there."""
    operands = prepared.figures.view(subject).operands(reading) if prepared.context.is_recorded else {}

    def put_in(node: Node, shift: Shift = ()) -> Node:
        match node:
            case Name() | Call(function="target" | "working_hours" | "headcount" | "fte"):
                (use,) = formulas.uses(node, shift)
                return _as_node(operands.get(use))
            case Call(function=("previous" | "same_period_last_year") as step, arguments=(argument,)):
                return Call(step, (put_in(argument, (*shift, step)),))
            case Call(function=function, arguments=arguments):
                return Call(function, tuple(put_in(argument, shift) for argument in arguments))
            case Unary(operator=operator, operand=operand):
                return Unary(operator, put_in(operand, shift))
            case syntax.Binary(operator=operator, left=left, right=right):
                return syntax.Binary(operator, put_in(left, shift), put_in(right, shift))
        return node

    return syntax.to_text(put_in(reading.part.version.definition.formula))


def _as_node(value: Decimal | None) -> Node:
    if value is None:
        return Name(("no_data",))
    shown = Decimal(f"{abs(value):.15g}")
    return Unary("-", Number(shown)) if value < 0 else Number(shown)


async def _shown(
    session: AsyncSession, prepared: Prepared, who: Principal, rows: Sequence[Any]
) -> list[schemas.ExplainedEvent]:
    context = prepared.context
    known_by = await addresses(session, context.org_id, [(row[0], row[1]) for row in rows])
    related = await _related(session, who, [row[-1] for row in rows])
    book = await load_rates(session, context.org_id, prepared.query.rate_set, context.known_at)
    return [
        _event(row, address, related, _rates(*_priced(row, related, context), book, context))
        for row, address in zip(rows, known_by, strict=True)
    ]


def _priced(row: Any, related: Mapping[str, Event], context: Context) -> tuple[Event | None, date | None]:
    """The event whose amount is looked at, with the day of its rate: of an open thing the start that said it last."""
    event, day, told = row[0], row[2], row[-1] or {}
    if "value" not in told:
        return event, day
    said = related.get(told["value"] or "")
    if said is None or said.occurred_at is None:
        return None, None
    return said, said.occurred_on or local_day(said.occurred_at, context.cut.zone)


def _rates(event: Event | None, day: date | None, book: RateBook, context: Context) -> list[str]:
    """By which rates the event's amount became money of the answer; none where it is that already, or could not."""
    if event is None or day is None:
        return []
    if event.amount is None or event.currency is None or event.currency == context.currency:
        return []
    factor = book.factor(event.currency, context.currency, day, context.home_currency)
    return list(factor.path) if factor else []


async def _related(session: AsyncSession, who: Principal, told: Sequence[Any]) -> Mapping[str, Event]:
    """The events by which the rows were judged, by row; without those that the caller may not see."""
    ids = {UUID(row_id) for each in told for _, row_id in _places(each) if row_id}
    if not ids:
        return {}
    wanted = select(Event).where(Event.org_id == who.org_id, Event.row_id.in_(sorted(ids)), *visible_to(who))
    events = await session.execute(wanted)
    return {str(event.row_id): event for event in events.scalars()}


def _places(told: Mapping[str, Any] | None) -> Iterator[tuple[str, str | None]]:
    """What the rows that are named are to the event: `end`, `step 2`, `touch 1`, `done 3`, `until`, `value`."""
    words = {"steps": ("step", 2), "touches": ("touch", 1), "done": ("done", 1)}
    for key, rows in (told or {}).items():
        if key in words:
            word, first = words[key]
            yield from ((f"{word} {place}", row) for place, row in enumerate(rows or (), first))
        elif key in {"end", "until", "value"}:
            yield key, rows


def _related_event(place: str, event: Event | None) -> schemas.RelatedEvent:
    return schemas.RelatedEvent(
        place=place,
        event_id=event.event_id if event else None,
        external_id=event.external_id if event else None,
        type=event.type if event else None,
        occurred_at=event.occurred_at if event else None,
        amount=event.amount if event else None,
        currency=event.currency if event else None,
    )


def _event(row: Any, address: Address, related: Mapping[str, Event], rates: list[str]) -> schemas.ExplainedEvent:
    event, source, day, weight, value, reason, told = row
    return schemas.ExplainedEvent(
        event_id=event.event_id,
        source=source,
        external_id=event.external_id,
        type=event.type,
        occurred_at=event.occurred_at,
        day=day,
        about=event.about,
        label=address.label,
        url=address.url,
        weight=weight,
        value=value,
        amount=event.amount,
        currency=event.currency,
        rates=rates,
        related=[_related_event(place, related.get(row_id) if row_id else None) for place, row_id in _places(told)],
        deviation=(told or {}).get("deviation"),
        reason=reason,
    )
