"""Random filters and definitions, of a grammar whose units fit."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from app.core.units import RATIO
from app.kpis.definition import Aggregate, Definition, ElapsedMeasure, EventMeasure, EventSelection, Measure, unit_of
from app.kpis.expressions.syntax import Binary, Call, Choices, Name, Node, Number, Text, Unary
from tests.reference.definitions import constant, first_for, is_, name, op

KPIS = ("kpi_a", "kpi_b", "kpi_c")
EVENTS = (
    ("call.made",),
    ("deal.won",),
    ("deal.won", "deal.lost"),
    ("call.made", "lead.created"),
    ("call.made", "lead.created", "deal.created", "deal.won", "deal.lost"),
)


# ----------------------------------------------------------------------------------------------------- filters


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


@st.composite
def _event_measures(draw: DrawFn) -> EventMeasure:
    aggregate = draw(
        st.sampled_from(["count"] * 5 + ["sum"] * 3 + ["count_distinct", "avg", "min", "max", "median", "percentile"])
    )
    is_valued = aggregate not in {"count", "count_distinct"}
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
        role=draw(st.sampled_from(["owner", "owner", "owner", "sourcer"])),
        credit=draw(st.sampled_from(["split", "split", "full"])),
    )


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
    aggregate = draw(
        st.sampled_from(["avg", "min", "max", "median", "percentile", "count", "share_within", "share_within"])
    )
    is_share = aggregate == "share_within"
    return ElapsedMeasure(
        aggregate=Aggregate(aggregate),
        start=EventSelection(events=start, where=draw(st.one_of(st.none(), st.none(), filters()))),
        end=EventSelection(events=end, where=draw(st.one_of(st.none(), st.none(), filters()))),
        match=match,
        repeat=draw(st.sampled_from(["first", "each"])),
        dated_by="start" if is_share else draw(st.sampled_from(["start", "start", "end"])),
        credited_to=draw(st.sampled_from(["start", "end"])),
        within=draw(st.sampled_from([timedelta(hours=12), timedelta(days=2), timedelta(days=20)]))
        if is_share
        else None,
        p=Decimal("0.75") if aggregate == "percentile" else None,
        role=draw(st.sampled_from(["owner", "owner", "owner", "sourcer"])),
        credit=draw(st.sampled_from(["split", "split", "full"])),
    )


@st.composite
def _others(draw: DrawFn, measure: Measure) -> Measure:
    """Another measure of the same unit."""
    role = draw(st.sampled_from(["owner", "owner", "sourcer"]))
    if isinstance(measure, ElapsedMeasure):
        return replace(measure, role=role, repeat="first")
    return replace(
        measure, events=draw(st.sampled_from(EVENTS)), role=role, where=draw(st.one_of(st.none(), st.none(), filters()))
    )


# ------------------------------------------------------------------------------------------------- definitions


@st.composite
def definitions(draw: DrawFn) -> Definition:
    """A definition that the API takes: every measure is used, and the declared unit is that of the formula."""
    x = draw(st.one_of(_event_measures(), _event_measures(), _elapsed_measures()))
    formula, is_ratio = draw(st.sampled_from(_FORMULAS))
    measures = {"x": x}
    if _mentions_y(formula):
        measures["y"] = draw(_others(x))
    return Definition(
        measures=measures,
        formula=formula,
        unit=RATIO if is_ratio else unit_of(x),
        direction=draw(st.sampled_from(["increase", "decrease"])),
    )


_X, _Y, _TWO, _ZERO = Name(("x",)), Name(("y",)), Number(Decimal(2)), constant(Decimal(0))
_PREVIOUS = Call("previous", (_X,))
# A formula, and whether it gives a ratio whatever the unit of its measures.
_FORMULAS: list[tuple[Node, bool]] = [
    *[(_X, False)] * 8,
    (op(_X, "+", _Y), False),
    (op(op(_TWO, "*", _X), "-", op(_Y, "/", _TWO)), False),
    (Unary("-", _X), False),
    (_PREVIOUS, False),
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


def _mentions_y(formula: Node) -> bool:
    match formula:
        case Name():
            return formula == _Y
        case Unary(operand=operand):
            return _mentions_y(operand)
        case Binary(left=left, right=right):
            return _mentions_y(left) or _mentions_y(right)
        case Call(arguments=arguments):
            return any(map(_mentions_y, arguments))
    return False
