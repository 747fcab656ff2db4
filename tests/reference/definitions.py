"""Short ways to write definitions of KPIs and their expressions."""

from datetime import timedelta
from decimal import Decimal

from app.core.units import COUNT, NUMBER, RATIO, Unit
from app.kpis.definition import Aggregate, Definition, ElapsedMeasure, EventMeasure, EventSelection, Measure
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


def response_time(aggregate: str, *, within: timedelta | None = None) -> ElapsedMeasure:
    """From the creation of a lead to the first call about it."""
    return ElapsedMeasure(
        aggregate=Aggregate(aggregate),
        start=EventSelection(events=("lead.created",)),
        end=EventSelection(events=("call.made",)),
        match="lead",
        within=within,
    )


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


def is_(path: str, value: str | bool | Decimal) -> Binary:
    """`path == value`."""
    return Binary("==", name(path), constant(value))


def first_for(thing: str) -> Binary:
    """`nth(thing) == 1`."""
    return Binary("==", Call("nth", (Name(("about", thing)),)), Number(Decimal(1)))
