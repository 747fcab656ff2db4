"""Random filters and definitions, of a grammar whose units fit."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Literal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO, Unit
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    Definition,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    TouchesMeasure,
    unit_of,
)
from app.kpis.expressions.syntax import Binary, Call, Choices, Name, Node, Number, Text, Unary, walk
from tests.reference.definitions import (
    constant,
    first_for,
    is_,
    last_year,
    name,
    op,
    previous,
    ref,
    staff,
    target_of,
)

KPIS = ("kpi_a", "kpi_b", "kpi_c")
# One that others refer to and that has goals, always a count, and one that refers to it.
AIMED, REFERRING = "kpi_aimed", "kpi_referring"
EVENTS = (
    ("call.made",),
    ("deal.won",),
    ("deal.won", "deal.lost"),
    ("call.made", "lead.created"),
    ("call.made", "lead.created", "deal.created", "deal.won", "deal.lost"),
)


# ----------------------------------------------------------------------------------------------------- filters


@cache
def filters() -> SearchStrategy[Node]:
    """A condition on events."""
    return st.recursive(_comparisons(), _compound, max_leaves=3)


def _comparisons() -> SearchStrategy[Node]:
    channel, score = name("properties.channel"), name("properties.score")
    three = Number(Decimal(3))
    simple: list[Node] = [
        is_("properties.channel", "partner"),
        Binary("!=", channel, Text("partner")),
        Binary("in", channel, Choices((Text("partner"), Text("web")))),
        Binary(">", channel, Text("Web")),
        Binary(">", score, three),
        Binary("<=", score, three),
        Binary("<", Unary("-", score), Number(Decimal(0))),
        Binary("!=", score, channel),
        Call("has", (channel,)),
        Call("has", (name("amount"),)),
        Call("has", (name("about.lead"),)),
        Binary(">=", name("amount"), Number(Decimal(100))),
        Binary("<", name("amount_original"), Number(Decimal(100))),
        is_("currency", "EUR"),
        is_("about.customer", "C1"),
        is_("type", "deal.won"),
        Binary("!=", name("source"), Text("phone")),
        Binary(">", op(name("quantity"), "*", Number(Decimal(2))), three),
        Binary(">", op(name("amount"), "+", name("quantity")), Number(Decimal(100))),
        Binary("==", name("duration_seconds"), Number(Decimal(340))),
        first_for("customer"),
        Binary(">", Call("nth", (name("about.lead"),)), Number(Decimal(1))),
    ]
    return st.sampled_from(simple)


def _compound(inner: SearchStrategy[Node]) -> SearchStrategy[Node]:
    return st.one_of(
        st.builds(lambda node: Unary("not", node), inner),
        st.builds(lambda one, other: Binary("and", one, other), inner, inner),
        st.builds(lambda one, other: Binary("or", one, other), inner, inner),
    )


# ---------------------------------------------------------------------------------------------------- measures

_ROLES = st.sampled_from(["owner", "owner", "owner", "sourcer"])
_CREDITS: SearchStrategy[Literal["split", "full"]] = st.sampled_from(["split", "split", "full"])
_LIMITS = st.sampled_from([timedelta(hours=12), timedelta(days=2), timedelta(days=20)])
_SHARES = st.sampled_from([Decimal("0.25"), Decimal("0.75")])
_OVERS = st.sampled_from(
    [None] * 6
    + [Over(days=3), Over(days=30), Over(months=1), Over(since="week"), Over(since="month"), Over(since="quarter")]
)
_EDGES: SearchStrategy[Literal["start", "end"]] = st.sampled_from(["start", "end"])
_STATISTICS = ("avg", "min", "max", "median", "percentile")


@st.composite
def _event_measures(draw: DrawFn, kind: str) -> EventMeasure:
    aggregate = draw(
        st.sampled_from(["count"] * 5 + ["sum"] * 3 + ["count_distinct", "avg", "min", "max", "median", "percentile"])
        if kind == "events"
        else st.sampled_from(["first", "last"] if kind == "order" else ["covered"])
    )
    is_valued = aggregate not in {"count", "count_distinct", "covered"}
    values = ["amount", "amount", "quantity", "duration_seconds", "properties.score"]
    return EventMeasure(
        aggregate=Aggregate(aggregate),
        events=draw(st.sampled_from(EVENTS)),
        value=name(draw(st.sampled_from(values))) if is_valued else None,
        of=name(draw(st.sampled_from(["about.customer", "properties.channel"])))
        if aggregate == "count_distinct"
        else None,
        p=draw(st.sampled_from([Decimal("0.1"), Decimal("0.9")])) if aggregate == "percentile" else None,
        where=draw(st.one_of(st.none(), st.none(), st.none(), filters())),
        role=draw(_ROLES),
        credit=draw(_CREDITS),
        over=draw(_OVERS),
    )


@cache
def _selections(*types: str) -> SearchStrategy[EventSelection]:
    """Events of these types, some of them under a condition."""
    conditions = st.one_of(st.none(), st.none(), filters())
    return st.builds(lambda where: EventSelection(events=types, where=where), conditions)


@st.composite
def _elapsed_measures(draw: DrawFn) -> ElapsedMeasure:
    start, end, match = draw(
        st.sampled_from(
            [
                (("lead.created",), ("call.made",), "lead"),
                (("deal.created",), ("deal.won", "deal.lost"), "deal"),
                (("call.made",), ("call.made",), "customer"),
                (("lead.created", "deal.created"), ("call.made", "deal.won", "deal.lost"), "lead"),
                (("call.made", "lead.created"), ("call.made", "deal.won"), "lead"),
            ]
        )
    )
    aggregate = draw(st.sampled_from([*_STATISTICS, "count", "share_within", "share_within"]))
    is_share = aggregate == "share_within"
    return ElapsedMeasure(
        aggregate=Aggregate(aggregate),
        start=draw(_selections(*start)),
        end=draw(_selections(*end)),
        match=match,
        repeat=draw(st.sampled_from(["first", "each"])),
        dated_by="start" if is_share else draw(st.sampled_from(["start", "start", "end"])),
        credited_to=draw(st.sampled_from(["start", "end"])),
        clock=draw(st.sampled_from(["wall", "working_hours"])),
        within=draw(_LIMITS) if is_share else None,
        p=draw(_SHARES) if aggregate == "percentile" else None,
        role=draw(_ROLES),
        credit=draw(_CREDITS),
        over=draw(_OVERS),
    )


@st.composite
def _funnel_measures(draw: DrawFn) -> FunnelMeasure:
    """Of two steps a conversion, which is written in another way; else of three or four."""
    types = [("lead.created",), ("call.made",), ("deal.created",), ("deal.won", "deal.lost"), ("call.made", "deal.won")]
    chosen = draw(st.lists(st.sampled_from(types), min_size=2, max_size=4))
    steps = tuple(draw(_selections(*each)) for each in chosen)
    is_conversion = len(steps) == 2
    reached = 1 if is_conversion else draw(st.integers(0, len(steps) - 1))
    return FunnelMeasure(
        aggregate=Aggregate.CONVERSION if is_conversion else Aggregate(draw(st.sampled_from(["count", "conversion"]))),
        steps=steps,
        names=("from", "to") if is_conversion else ("one", "two", "three", "four")[: len(steps)],
        match=draw(st.sampled_from(["lead", "customer"])),
        reached=reached,
        base=0 if is_conversion else draw(st.integers(0, reached)),
        skipped="counts_as_passed" if is_conversion else draw(st.sampled_from(["counts_as_passed", "strict"])),
        within=draw(st.one_of(st.none(), _LIMITS)),
        role=draw(_ROLES),
        credit=draw(_CREDITS),
        over=draw(_OVERS),
    )


@st.composite
def _touches_measures(draw: DrawFn) -> TouchesMeasure:
    aggregate = draw(st.sampled_from([*_STATISTICS, "count", "sum", "share_at_least"]))
    until = draw(st.one_of(st.none(), _selections("deal.won", "deal.lost"), _selections("call.made")))
    return TouchesMeasure(
        aggregate=Aggregate(aggregate),
        anchor=draw(st.one_of(_selections("lead.created"), _selections("lead.created", "call.made"))),
        touches=draw(st.one_of(_selections("call.made"), _selections("call.made", "deal.created", "deal.won"))),
        match=draw(st.sampled_from(["lead", "customer"])),
        until=until,
        within=draw(_LIMITS) if until is None else draw(st.one_of(st.none(), _LIMITS)),
        at_least=draw(st.integers(1, 3)) if aggregate == "share_at_least" else None,
        p=draw(_SHARES) if aggregate == "percentile" else None,
        role=draw(_ROLES),
        credit=draw(_CREDITS),
        over=draw(_OVERS),
    )


@st.composite
def _cadence_measures(draw: DrawFn) -> CadenceMeasure:
    """Often the same step twice."""
    selections = [draw(_selections("call.made")), draw(_selections("call.made", "deal.created"))]
    steps = draw(
        st.lists(st.builds(CadenceStep, selection=st.sampled_from(selections), by=_LIMITS), min_size=1, max_size=4)
    )
    return CadenceMeasure(
        aggregate=Aggregate.SHARE_DONE,
        anchor=draw(st.one_of(_selections("lead.created"), _selections("lead.created", "call.made"))),
        steps=tuple(steps),
        match=draw(st.sampled_from(["lead", "customer"])),
        role=draw(_ROLES),
        credit=draw(_CREDITS),
        over=draw(_OVERS),
    )


@st.composite
def _open_measures(draw: DrawFn) -> OpenMeasure:
    aggregate = draw(st.sampled_from(["count", "sum"]))
    values = ["amount", "amount", "quantity", "properties.score"]
    return OpenMeasure(
        aggregate=Aggregate(aggregate),
        start=draw(st.one_of(_selections("deal.created"), _selections("deal.created", "lead.created"))),
        end=draw(st.one_of(_selections("deal.won", "deal.lost"), _selections("call.made"))),
        match=draw(st.sampled_from(["deal", "lead", "customer"])),
        at=draw(st.sampled_from(["start", "end"])),
        repeat=draw(st.sampled_from(["first", "each"])),
        value=name(draw(st.sampled_from(values))) if aggregate == "sum" else None,
        role=draw(_ROLES),
        credit=draw(_CREDITS),
    )


Kind = Literal["events", "order", "covered", "elapsed", "funnel", "touches", "cadence", "open"]
KINDS: tuple[Kind, ...] = ("events", "order", "covered", "elapsed", "funnel", "touches", "cadence", "open")
_MEASURES: dict[Kind, SearchStrategy[Measure]] = {
    "events": _event_measures("events"),
    "order": _event_measures("order"),
    "covered": _event_measures("covered"),
    "elapsed": _elapsed_measures(),
    "funnel": _funnel_measures(),
    "touches": _touches_measures(),
    "cadence": _cadence_measures(),
    "open": _open_measures(),
}


@cache
def measures(kinds: tuple[Kind, ...] = KINDS) -> SearchStrategy[Measure]:
    """A measure of one of the kinds; half of them over single events, if those are among them."""
    often = [_MEASURES["events"]] * (len(kinds) - 1 if "events" in kinds else 0)
    return st.one_of(*often, *(_MEASURES[kind] for kind in kinds))


@st.composite
def _others(draw: DrawFn, measure: Measure) -> Measure:
    """Another measure of the same unit."""
    role = draw(st.sampled_from(["owner", "owner", "sourcer"]))
    if str(unit_of(measure)) in _VALUES and draw(st.booleans()):
        return replace(draw(_of_the_same_events(measure)), role=role)
    if not isinstance(measure, EventMeasure):
        return replace(measure, role=role)
    return replace(
        measure, events=draw(st.sampled_from(EVENTS)), role=role, where=draw(st.one_of(st.none(), st.none(), filters()))
    )


# The value whose sum has the unit; a count needs none.
_VALUES: dict[str, Name | None] = {
    str(COUNT): None,
    str(MONEY): name("amount"),
    str(DURATION): name("duration_seconds"),
    str(NUMBER): name("properties.score"),
}


@st.composite
def _of_the_same_events(draw: DrawFn, measure: Measure) -> Measure:
    """A measure of any kind that has the same unit and begins with the same types of events: they share events."""
    types, unit, value = _types(measure), unit_of(measure), _VALUES[str(unit_of(measure))]
    aggregate = Aggregate.COUNT if value is None else Aggregate.SUM
    found: list[Measure] = [EventMeasure(aggregate=aggregate, events=types, value=value, over=draw(_OVERS))]
    if unit == DURATION:
        found.append(EventMeasure(aggregate=Aggregate.COVERED, events=types, over=draw(_OVERS)))
    ends = tuple(kind for kind in EVENTS[-1] if kind not in types)
    if ends:
        start, end = draw(_selections(*types)), EventSelection(events=(draw(st.sampled_from(ends)),))
        match = draw(st.sampled_from(["deal", "lead", "customer"]))
        at = draw(_EDGES)
        found += [OpenMeasure(aggregate=aggregate, start=start, end=end, match=match, at=at, value=value)] * 2
        if unit in {COUNT, DURATION}:
            times = Aggregate.COUNT if unit == COUNT else Aggregate.AVG
            found.append(ElapsedMeasure(aggregate=times, start=start, end=end, match=match, dated_by=at))
    return draw(st.sampled_from(found))


def _types(measure: Measure) -> tuple[str, ...]:
    match measure:
        case EventMeasure(events=events):
            return events
        case FunnelMeasure(steps=(first, *_)):
            return first.events
        case TouchesMeasure(anchor=anchor) | CadenceMeasure(anchor=anchor):
            return anchor.events
        case ElapsedMeasure(start=start) | OpenMeasure(start=start):
            return start.events
    raise AssertionError(measure)


# ------------------------------------------------------------------------------------------------- definitions


@cache
@st.composite
def definitions(draw: DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Definition:
    """A definition that the API takes: every measure is used, and the declared unit is that of the formula."""
    x = draw(measures(kinds))
    formulas = [*_FORMULAS, *_STAFFED.get(str(unit_of(x)), [])]
    formula, is_ratio = draw(st.sampled_from(formulas))
    return _definition(draw, x, formula, is_ratio=is_ratio)


@cache
@st.composite
def counted_definitions(draw: DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Definition:
    """A definition whose unit is a count, whatever its version: others may refer to it."""
    x = draw(measures(kinds).filter(lambda measure: unit_of(measure) == COUNT))
    formulas: list[Node] = [_X, _X, _X, op(_X, "+", _Y), op(_X, "-", _Y), _PREVIOUS]
    formula = draw(st.sampled_from(formulas))
    return _definition(draw, x, formula, is_ratio=False)


@cache
@st.composite
def referring_definitions(draw: DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Definition:
    """A definition that takes another KPI's figures and targets."""
    x = draw(measures(kinds).filter(lambda measure: unit_of(measure) == COUNT))
    formula, is_ratio = draw(st.sampled_from(_REFERRING))
    return _definition(draw, x, formula, is_ratio=is_ratio, unit=COUNT)


def _definition(draw: DrawFn, x: Measure, formula: Node, *, is_ratio: bool, unit: Unit | None = None) -> Definition:
    named = {node.path[0] for node in walk(formula) if isinstance(node, Name)}
    return Definition(
        measures=({"x": x} if "x" in named else {}) | ({"y": draw(_others(x))} if "y" in named else {}),
        formula=formula,
        unit=RATIO if is_ratio else unit or unit_of(x),
        direction=draw(st.sampled_from(["increase", "decrease"])),
    )


_X, _Y, _TWO, _ZERO = Name(("x",)), Name(("y",)), Number(Decimal(2)), constant(Decimal(0))
_PREVIOUS, _LAST_YEAR = previous(_X), last_year(_X)
# A formula, and whether it gives a ratio whatever the unit of its measures.
_FORMULAS: list[tuple[Node, bool]] = [
    *[(_X, False)] * 8,
    (op(_X, "+", _Y), False),
    (op(op(_TWO, "*", _X), "-", op(_Y, "/", _TWO)), False),
    (Unary("-", _X), False),
    (_PREVIOUS, False),
    (_LAST_YEAR, False),
    (previous(_LAST_YEAR), False),
    (last_year(_PREVIOUS), False),
    (Call("abs", (op(_X, "-", _PREVIOUS),)), False),
    (Call("coalesce", (_X, _ZERO)), False),
    (Call("coalesce", (_X, _Y)), False),
    (Call("coalesce", (op(_X, "-", _PREVIOUS), _X)), False),
    (Call("min", (_X, _Y)), False),
    (Call("max", (_X, _Y, Number(Decimal(1)))), False),
    (op(_X, "/", _Y), True),
    (op(_X, "/", op(_X, "+", _Y)), True),
    (op(_X, "/", _PREVIOUS), True),
    (Call("round", (op(_X, "/", op(_X, "+", _Y)), _TWO)), True),
    (Call("coalesce", (op(_X, "/", _Y), _ZERO)), True),
]
# With people, by the unit of the measure.
_STAFFED: dict[str, list[tuple[Node, bool]]] = {
    str(COUNT): [
        (op(_X, "/", staff("headcount")), True),
        (op(_X, "+", staff("fte")), False),
        (op(_X, "-", previous(staff("headcount"))), False),
    ],
    str(DURATION): [
        (op(_X, "/", staff("working_hours")), True),
        (op(Call("coalesce", (_X, _ZERO)), "+", staff("working_hours")), False),
    ],
}
_OTHER = ref(AIMED)
_REFERRING: list[tuple[Node, bool]] = [
    (_OTHER, False),
    (op(_OTHER, "+", _X), False),
    (op(_OTHER, "/", op(_OTHER, "+", _X)), True),
    (op(_OTHER, "-", previous(_OTHER)), False),
    (last_year(_OTHER), False),
    (target_of(AIMED), False),
    (op(_OTHER, "/", target_of(AIMED)), True),
    (op(Call("coalesce", (target_of(AIMED), _ZERO)), "+", previous(target_of(AIMED))), False),
    (op(_OTHER, "/", Call("coalesce", (target_of(AIMED), staff("headcount")))), True),
]
