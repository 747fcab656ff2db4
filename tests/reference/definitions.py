"""Short ways to write definitions of KPIs and their expressions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from app.core.units import COUNT, NUMBER, RATIO, Unit
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    Clock,
    Definition,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    Repeat,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import (
    Binary,
    BinaryOperator,
    Boolean,
    Call,
    Name,
    Node,
    Number,
    Text,
)


def count(*events: str, where: Node | None = None, role: str = "owner", full: bool = False) -> EventMeasure:
    """How many events of the types."""
    return EventMeasure(
        aggregate=Aggregate.COUNT, events=events, where=where, role=role, credit="full" if full else "split"
    )


def over(aggregate: str, value: str, *events: str, p: str | None = None) -> EventMeasure:
    """An aggregate over a value, such as `over("sum", "amount", "deal.won")`."""
    path = tuple(value.split("."))
    percent = None if p is None else Decimal(p)
    return EventMeasure(aggregate=Aggregate(aggregate), events=events, value=Name(path), p=percent)


def of_types(*events: str, where: Node | None = None) -> EventSelection:
    """Events of the types."""
    return EventSelection(events=events, where=where)


def response_time(aggregate: str, *, within: timedelta | None = None, clock: Clock = "wall") -> ElapsedMeasure:
    """From the creation of a lead to the first call about it."""
    return ElapsedMeasure(
        aggregate=Aggregate(aggregate),
        start=EventSelection(events=("lead.created",)),
        end=EventSelection(events=("call.made",)),
        match="lead",
        within=within,
        clock=clock,
    )


def conversion(start: str, end: str, match: str, within: timedelta | None = None) -> FunnelMeasure:
    """The share of things with a start event that had an end event after it."""
    return FunnelMeasure(
        aggregate=Aggregate.CONVERSION,
        steps=(of_types(start), of_types(end)),
        names=("from", "to"),
        match=match,
        reached=1,
        within=within,
    )


def funnel(aggregate: str, *types: str, reached: int, base: int = 0, is_strict: bool = False) -> FunnelMeasure:
    """Steps of one event type each, about a lead."""
    return FunnelMeasure(
        aggregate=Aggregate(aggregate),
        steps=tuple(of_types(each) for each in types),
        names=tuple(f"step_{number}" for number in range(len(types))),
        match="lead",
        reached=reached,
        base=base,
        skipped="strict" if is_strict else "counts_as_passed",
    )


def touches(
    aggregate: str, within: timedelta | None, *, until: str | None = None, at_least: int | None = None
) -> TouchesMeasure:
    """Calls about a lead after its creation."""
    return TouchesMeasure(
        aggregate=Aggregate(aggregate),
        anchor=of_types("lead.created"),
        touches=of_types("call.made"),
        match="lead",
        within=within,
        until=None if until is None else of_types(until),
        at_least=at_least,
    )


def cadence(*steps: tuple[str, timedelta]) -> CadenceMeasure:
    """What is to be done about a lead, how soon after its creation."""
    return CadenceMeasure(
        aggregate=Aggregate.SHARE_DONE,
        anchor=of_types("lead.created"),
        steps=tuple(CadenceStep(selection=of_types(kind), by=by) for kind, by in steps),
        match="lead",
    )


def open_deals(aggregate: str = "count", *, is_at_start: bool = False, repeat: Repeat = "first") -> OpenMeasure:
    """Deals that were created and neither won nor lost."""
    return OpenMeasure(
        aggregate=Aggregate(aggregate),
        start=of_types("deal.created"),
        end=of_types("deal.won", "deal.lost"),
        match="deal",
        at="start" if is_at_start else "end",
        repeat=repeat,
        value=Name(("amount",)) if aggregate == "sum" else None,
    )


def trailing(measure: EventMeasure, days: int) -> EventMeasure:
    """The measure over the days before the window's end."""
    return replace(measure, over=Over(days=days))


def to_date(measure: EventMeasure, since: Literal["week", "month", "quarter", "year"]) -> EventMeasure:
    """The measure from the beginning of the week, month … on."""
    return replace(measure, over=Over(since=since))


def kpi(formula: Node, unit: Unit = NUMBER, **measures: Measure) -> Definition:
    """A definition."""
    return Definition(measures=measures, formula=formula, unit=unit, direction="increase")


def single(measure: Measure, unit: Unit = NUMBER) -> Definition:
    """A KPI that is one measure."""
    return kpi(Name(("x",)), unit, x=measure)


def win_rate() -> Definition:
    """Won by closed deals."""
    won, lost = Name(("won",)), Name(("lost",))
    return kpi(op(won, "/", op(won, "+", lost)), RATIO, won=count("deal.won"), lost=count("deal.lost"))


def counted(*events: str, where: Node | None = None) -> Definition:
    """A KPI that counts events."""
    return single(count(*events, where=where), COUNT)


# ------------------------------------------------------------------------------------------------- expressions


def op(left: Node, operator: BinaryOperator, right: Node) -> Binary:
    """`left operator right`."""
    return Binary(operator, left, right)


def name(path: str) -> Name:
    """A name, by its path with dots."""
    return Name(tuple(path.split(".")))


def constant(value: str | bool | Decimal) -> Node:
    """A constant of a filter or formula."""
    match value:
        case bool():
            return Boolean(value)
        case str():
            return Text(value)
    return Number(value)


def ref(key: str) -> Name:
    """`kpi.key`: another KPI."""
    return Name(("kpi", key))


def previous(node: Node) -> Call:
    """`previous(x)`."""
    return Call("previous", (node,))


def last_year(node: Node) -> Call:
    """`same_period_last_year(x)`."""
    return Call("same_period_last_year", (node,))


def target_of(key: str) -> Call:
    """`target(kpi.key)`."""
    return Call("target", (ref(key),))


def staff(function: Literal["working_hours", "headcount", "fte"]) -> Call:
    """`working_hours()`, `headcount()` or `fte()`."""
    return Call(function, ())


def is_(path: str, value: str | bool | Decimal) -> Binary:
    """`path == value`."""
    return Binary("==", name(path), constant(value))


def first_for(thing: str) -> Binary:
    """`nth(thing) == 1`."""
    return Binary("==", Call("nth", (Name(("about", thing)),)), Number(Decimal(1)))
