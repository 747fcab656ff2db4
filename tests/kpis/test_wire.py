"""Definitions as they are posted and stored."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.units import COUNT, MONEY, RATIO
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    TouchesMeasure,
    adds_up,
    unit_of,
)
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name, references
from app.kpis.history import is_additive
from app.kpis.schemas import KpiValidate
from app.kpis.wire import (
    DefinitionWire,
    Finding,
    MeasureWire,
    Other,
    UnitWire,
    examine,
    parse_duration,
    parse_over,
    read_definition,
)

OTHERS = {
    "calls": Other(unit=COUNT),
    "revenue": Other(unit=MONEY),
    "old": Other(unit=COUNT, refusal="it is archived."),
}
WON: MeasureWire = {"aggregate": "count", "events": ["deal.won"]}
REVENUE: MeasureWire = {"aggregate": "sum", "value": "amount", "events": ["deal.won"]}
RESPONSE: MeasureWire = {
    "aggregate": "median",
    "elapsed": {
        "from": {"events": ["lead.created"], "where": "properties.kind == 'inbound'"},
        "to": {"events": ["call.made", "email.sent"], "where": "not (properties.automated == true)"},
        "match": "lead",
        "repeat": "first",
        "dated_by": "start",
        "credited_to": "end",
        "clock": "wall",
    },
}


def wire(formula: str, kind: str, **measures: MeasureWire) -> DefinitionWire:
    unit: UnitWire = {"kind": kind}
    return {"measures": measures, "formula": formula, "unit": unit, "direction": "increase"}


def measure_of(measure: MeasureWire) -> Measure:
    return read_definition({"measures": {"m": measure}, "formula": "m", "direction": "increase"}).measures["m"]


def findings(definition: DefinitionWire) -> dict[str, Finding]:
    reading = examine(definition, OTHERS)
    assert reading.definition is None
    assert reading.findings
    return {finding.pointer: finding for finding in reading.findings}


def test_a_win_rate_is_read() -> None:
    lost: MeasureWire = {"aggregate": "count", "events": ["deal.lost"], "where": "amount > 0", "credit": "full"}
    definition = read_definition(wire("won / (won + lost)", "ratio", won=WON, lost=lost))
    assert definition.unit == RATIO
    assert not is_additive(definition, {})
    assert definition.measures["lost"] == EventMeasure(
        aggregate=Aggregate.COUNT, events=("deal.lost",), where=parse_filter("amount > 0"), credit="full"
    )


def test_an_average_deal_size_is_money_and_revenue_adds_up() -> None:
    size = read_definition(wire("revenue / won", "money", won=WON, revenue=REVENUE))
    assert size.unit == MONEY
    assert is_additive(read_definition(wire("revenue", "money", revenue=REVENUE)), {})


def test_a_response_time_is_read() -> None:
    measure = read_definition(wire("t", "duration", t=RESPONSE)).measures["t"]
    assert isinstance(measure, ElapsedMeasure)
    assert measure.start.events == ("lead.created",)
    assert measure.end.where == parse_filter("not (properties.automated == true)")
    assert (measure.match, measure.repeat, measure.within) == ("lead", "first", None)


def test_a_share_within_five_minutes_is_read() -> None:
    share: MeasureWire = {**RESPONSE, "aggregate": "share_within", "within": "PT5M"}
    measure = read_definition(wire("s", "ratio", s=share)).measures["s"]
    assert isinstance(measure, ElapsedMeasure)
    assert measure.within == timedelta(minutes=5)


def test_distinct_things_properties_and_percentiles_are_read() -> None:
    definition = read_definition(
        wire(
            "customers + products",
            "count",
            customers={"aggregate": "count_distinct", "of": "customer", "events": ["deal.won"]},
            products={"aggregate": "count_distinct", "of": "properties['the product']", "events": ["deal.won"]},
            size={"aggregate": "percentile", "p": 0.9, "value": "properties.size", "events": ["deal.won"]},
        )
    )
    customers, products, size = definition.measures.values()
    assert isinstance(customers, EventMeasure)
    assert isinstance(products, EventMeasure)
    assert isinstance(size, EventMeasure)
    assert customers.of == Name(("about", "customer"))
    assert products.of == Name(("properties", "the product"))
    assert (size.value, size.p) == (Name(("properties", "size")), Decimal("0.9"))


@pytest.mark.parametrize(
    ("measure", "pointer"),
    [
        ({"aggregate": "count"}, "/measures/m/events"),
        ({"aggregate": "count", "events": ["deal.won"], "value": "amount"}, "/measures/m/value"),
        ({"aggregate": "sum", "events": ["deal.won"]}, "/measures/m/value"),
        ({"aggregate": "sum", "events": ["deal.won"], "value": "amonut"}, "/measures/m/value"),
        ({"aggregate": "sum", "events": ["deal.won"], "value": "deal"}, "/measures/m/value"),
        ({"aggregate": "sum", "events": ["deal.won"], "value": "amount * 2"}, "/measures/m/value"),
        ({"aggregate": "sum", "events": ["deal.won"], "value": "amount", "of": "deal"}, "/measures/m/of"),
        ({"aggregate": "count_distinct", "events": ["deal.won"]}, "/measures/m/of"),
        ({"aggregate": "count_distinct", "events": ["deal.won"], "of": "amount"}, "/measures/m/of"),
        ({"aggregate": "percentile", "events": ["deal.won"], "value": "amount"}, "/measures/m/p"),
        ({"aggregate": "percentile", "events": ["deal.won"], "value": "amount", "p": 1}, "/measures/m/p"),
        ({"aggregate": "count", "events": ["deal.won"], "p": "0.5"}, "/measures/m/p"),
        ({"aggregate": "count", "events": ["deal.won"], "within": "PT5M"}, "/measures/m/within"),
        ({"aggregate": "share_within", "events": ["deal.won"]}, "/measures/m/aggregate"),
        ({"aggregate": "count", "events": ["deal.won"], "where": "amonut > 1"}, "/measures/m/where"),
        ({**RESPONSE, "aggregate": "sum"}, "/measures/m/aggregate"),
        ({**RESPONSE, "events": ["deal.won"]}, "/measures/m/events"),
        ({**RESPONSE, "aggregate": "share_within"}, "/measures/m/within"),
        ({**RESPONSE, "aggregate": "share_within", "within": "P1Y"}, "/measures/m/within"),
    ],
)
def test_what_does_not_belong_together_is_found_at_its_place(measure: MeasureWire, pointer: str) -> None:
    assert pointer in findings(wire("m", "count", m=measure))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"match": "properties.x"}, "/measures/m/elapsed/match"),
        ({"match": "amount"}, "/measures/m/elapsed/match"),
        ({"to": {"events": ["call.made"], "where": "1 +"}}, "/measures/m/elapsed/to/where"),
    ],
)
def test_a_pair_that_cannot_be_formed_is_found_at_its_place(change: dict[str, object], pointer: str) -> None:
    elapsed = RESPONSE["elapsed"]
    assert elapsed
    measure: MeasureWire = {"aggregate": "median", "elapsed": {**elapsed, **change}}  # type: ignore[typeddict-item]
    assert pointer in findings(wire("m", "duration", m=measure))


def test_a_share_within_a_limit_is_dated_by_its_start() -> None:
    elapsed = RESPONSE["elapsed"]
    assert elapsed
    measure: MeasureWire = {"aggregate": "share_within", "within": "PT5M", "elapsed": {**elapsed, "dated_by": "end"}}
    assert "/measures/m/elapsed/dated_by" in findings(wire("m", "ratio", m=measure))


def test_time_can_be_counted_by_the_working_calendar_and_looked_back_at() -> None:
    elapsed = RESPONSE["elapsed"]
    assert elapsed
    measure = measure_of({**RESPONSE, "elapsed": {**elapsed, "clock": "working_hours"}, "over": "P12M"})
    assert isinstance(measure, ElapsedMeasure)
    assert (measure.clock, measure.over) == ("working_hours", Over(months=12))


CONVERSION: MeasureWire = {
    "aggregate": "conversion",
    "within": "P90D",
    "conversion": {"from": {"events": ["deal.won"]}, "to": {"events": ["deal.won"]}, "match": "customer"},
}
FUNNEL: MeasureWire = {
    "aggregate": "conversion",
    "funnel": {
        "match": "lead",
        "steps": [
            {"name": "made", "events": ["lead.created"]},
            {"name": "qualified", "events": ["lead.qualified"], "where": "amount > 1"},
            {"name": "won", "events": ["deal.won"]},
        ],
    },
}
TOUCHES: MeasureWire = {
    "aggregate": "share_at_least",
    "at_least": 5,
    "within": "P14D",
    "touches": {
        "anchor": {"events": ["meeting.held"]},
        "events": {"events": ["call.made", "email.sent"], "where": "not (properties.automated == true)"},
        "match": "lead",
        "until": {"events": ["deal.won", "deal.lost"]},
    },
}
CADENCE: MeasureWire = {
    "aggregate": "share_done",
    "cadence": {
        "anchor": {"events": ["lead.created"]},
        "match": "lead",
        "steps": [
            {"events": ["call.made"], "by": "P1D"},
            {"events": ["email.sent"], "by": "P3D", "where": "has(deal)"},
        ],
    },
}
OPEN: MeasureWire = {
    "aggregate": "sum",
    "value": "amount",
    "open_at": {"from": {"events": ["deal.created"]}, "to": {"events": ["deal.won", "deal.lost"]}, "match": "deal"},
}


def test_a_conversion_is_a_funnel_of_two_steps() -> None:
    """S17."""
    won = EventSelection(events=("deal.won",))
    assert measure_of(CONVERSION) == FunnelMeasure(
        aggregate=Aggregate.CONVERSION,
        steps=(won, won),
        names=("from", "to"),
        match="customer",
        reached=1,
        base=0,
        within=timedelta(days=90),
    )
    assert measure_of({**CONVERSION, "aggregate": "count", "within": None}) == FunnelMeasure(
        aggregate=Aggregate.COUNT, steps=(won, won), names=("from", "to"), match="customer", reached=1
    )


def test_a_funnel_names_the_steps_that_it_relates() -> None:
    """S17."""
    funnel = FUNNEL["funnel"]
    assert funnel
    whole = measure_of(FUNNEL)
    assert isinstance(whole, FunnelMeasure)
    assert (whole.names, whole.reached, whole.base, whole.skipped, whole.within) == (
        ("made", "qualified", "won"), 2, 0, "counts_as_passed", None
    )  # fmt: skip
    part = measure_of({**FUNNEL, "funnel": {**funnel, "reached": "won", "base": "qualified", "skipped": "strict"}})
    assert isinstance(part, FunnelMeasure)
    assert (part.reached, part.base, part.skipped) == (2, 1, "strict")
    assert part.steps[1].where == parse_filter("amount > 1")


def test_touches_end_by_time_or_by_an_event() -> None:
    """S18."""
    touches = TOUCHES["touches"]
    assert touches
    measure = measure_of(TOUCHES)
    assert isinstance(measure, TouchesMeasure)
    assert (measure.at_least, measure.within, measure.match) == (5, timedelta(days=14), "lead")
    assert measure.until == EventSelection(events=("deal.won", "deal.lost"))
    assert measure.touches.where == parse_filter("not (properties.automated == true)")
    median = measure_of({"aggregate": "median", "touches": {**touches, "until": None}, "within": "P1W"})
    assert isinstance(median, TouchesMeasure)
    assert median.until is None
    assert unit_of(median) == COUNT


def test_a_cadence_has_steps_each_with_its_time() -> None:
    """S18."""
    measure = measure_of(CADENCE)
    assert isinstance(measure, CadenceMeasure)
    assert [step.by for step in measure.steps] == [timedelta(days=1), timedelta(days=3)]
    assert measure.steps[1].selection == EventSelection(events=("email.sent",), where=parse_filter("has(deal)"))


def test_what_is_open_is_counted_or_added_up() -> None:
    """S18a."""
    opened = OPEN["open_at"]
    assert opened
    measure = measure_of(OPEN)
    assert isinstance(measure, OpenMeasure)
    assert (measure.value, measure.at, measure.repeat) == (Name(("amount",)), "end", "first")
    counted = measure_of({"aggregate": "count", "open_at": {**opened, "at": "start", "repeat": "each"}})
    assert isinstance(counted, OpenMeasure)
    assert (counted.value, counted.at, counted.repeat) == (None, "start", "each")


def changed(measure: MeasureWire, part: str, **change: object) -> Any:
    whole: dict[str, Any] = dict(measure)
    return {**whole, part: {**whole[part], **change}}


@pytest.mark.parametrize(
    ("measure", "pointer"),
    [
        ({**CONVERSION, "aggregate": "median"}, "/measures/m/aggregate"),
        ({**CONVERSION, "where": "amount > 1"}, "/measures/m/where"),
        ({**CONVERSION, "within": "soon"}, "/measures/m/within"),
        ({**CONVERSION, "p": "0.5"}, "/measures/m/p"),
        ({**CONVERSION, "elapsed": RESPONSE["elapsed"]}, "/measures/m/elapsed"),
        (changed(CONVERSION, "conversion", match="amount"), "/measures/m/conversion/match"),
        ({"aggregate": "conversion", "events": ["deal.won"]}, "/measures/m/aggregate"),
        ({"aggregate": "conversion"}, "/measures/m/conversion"),
        ({"aggregate": "share_at_least"}, "/measures/m/touches"),
        ({"aggregate": "share_done"}, "/measures/m/cadence"),
        ({"aggregate": "share_within"}, "/measures/m/elapsed"),
        (changed(FUNNEL, "funnel", reached="wom"), "/measures/m/funnel/reached"),
        (changed(FUNNEL, "funnel", base="lost"), "/measures/m/funnel/base"),
        (changed(FUNNEL, "funnel", reached="qualified", base="won"), "/measures/m/funnel/base"),
        (
            changed(FUNNEL, "funnel", steps=[{"name": "a", "events": ["x.y"]}, {"name": "a", "events": ["x.z"]}]),
            "/measures/m/funnel/steps/1/name",
        ),
        (
            changed(
                FUNNEL, "funnel", steps=[{"name": "a", "events": ["x.y"]}, {"name": "b", "events": [], "where": "("}]
            ),
            "/measures/m/funnel/steps/1/where",
        ),
        ({**FUNNEL, "at_least": 3}, "/measures/m/at_least"),
        ({**TOUCHES, "at_least": None}, "/measures/m/at_least"),
        ({**TOUCHES, "aggregate": "avg"}, "/measures/m/at_least"),
        ({**changed(TOUCHES, "touches", until=None), "within": None}, "/measures/m/within"),
        (changed(TOUCHES, "touches", until={"events": ["deal.won"], "where": "1"}), "/measures/m/touches/until/where"),
        ({**TOUCHES, "aggregate": "percentile", "at_least": None}, "/measures/m/p"),
        ({**TOUCHES, "value": "amount"}, "/measures/m/value"),
        ({**CADENCE, "aggregate": "count"}, "/measures/m/aggregate"),
        ({**CADENCE, "within": "P1D"}, "/measures/m/within"),
        (
            changed(CADENCE, "cadence", steps=[{"events": ["call.made"], "by": "PT0S"}]),
            "/measures/m/cadence/steps/0/by",
        ),
        ({**OPEN, "over": "P90D"}, "/measures/m/over"),
        ({**OPEN, "within": "P90D"}, "/measures/m/within"),
        ({**OPEN, "value": None}, "/measures/m/value"),
        ({**OPEN, "aggregate": "count"}, "/measures/m/value"),
        ({**OPEN, "aggregate": "avg"}, "/measures/m/aggregate"),
        (
            changed(OPEN, "open_at", to={"events": ["deal.lost", "deal.created"]}),
            "/measures/m/open_at/to/events/1",
        ),
        ({**WON, "over": "P0D"}, "/measures/m/over"),
        ({**WON, "at_least": 2}, "/measures/m/at_least"),
    ],
)
def test_what_a_kind_of_measure_does_not_take_is_found_at_its_place(measure: MeasureWire, pointer: str) -> None:
    found = findings(wire("m", "number", m=measure))
    assert list(found) == [pointer]
    assert found[pointer].message.endswith(".") or found[pointer].position is not None


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("P90D", Over(days=90)),
        ("P12W", Over(days=84)),
        ("P1W3D", Over(days=10)),
        ("P12M", Over(months=12)),
        ("P1Y", Over(months=12)),
        ("P1Y6M", Over(months=18)),
        ("week_to_date", Over(since="week")),
        ("month_to_date", Over(since="month")),
        ("quarter_to_date", Over(since="quarter")),
        ("year_to_date", Over(since="year")),
        ("fiscal_quarter_to_date", Over(since="fiscal_quarter")),
        ("fiscal_year_to_date", Over(since="fiscal_year")),
    ],
)
def test_other_days_than_the_windows_own_are_read(text: str, over: Over) -> None:
    measure = measure_of({**WON, "over": text})
    assert isinstance(measure, EventMeasure)
    assert measure.over == over
    assert not adds_up(measure)


@pytest.mark.parametrize(
    "text",
    ["", "P", "P0D", "P0M", "P1M1D", "P1YT1H", "PT5M", "P3661D", "P11Y", "P121M", "p90d", "P90D ", "day_to_date"],
)
def test_what_are_no_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length such as P90D"):
        parse_over(text)


def test_a_formula_refers_to_other_kpis_by_their_units() -> None:
    reading = examine(wire("won / kpi.calls", "ratio", won=WON), OTHERS)
    assert reading.definition
    assert references(reading.definition.formula) == {"calls"}
    found = findings(wire("won + kpi.revenue", "count", won=WON))
    assert found["/formula"].message == "Won is a count and `kpi.revenue` is money: they cannot be added."
    found = findings(wire("won + kpi.cals", "count", won=WON))
    assert (found["/formula"].position, found["/formula"].suggestion) == (6, "kpi.calls")
    found = findings(wire("won + kpi.old", "count", won=WON))
    assert found["/formula"].message == "`kpi.old` cannot be used here: it is archived."
    assert (found["/formula"].position, found["/formula"].length) == (6, 7)


def test_a_stored_definition_is_read_without_the_kpis_that_it_refers_to() -> None:
    definition = read_definition(wire("won / kpi.gone", "money", won=WON))
    assert references(definition.formula) == {"gone"}


def test_a_constant_divisor_of_0_is_refused_but_a_stored_one_is_read() -> None:
    where: MeasureWire = {**WON, "where": "amount / 0 > 1"}
    definition = wire("won / 0", "count", won=where)
    found = findings(definition)
    assert (found["/formula"].position, found["/measures/won/where"].position) == (6, 9)
    assert read_definition(definition).measures


def test_everything_that_is_wrong_is_found_at_once() -> None:
    broken: MeasureWire = {"aggregate": "count", "events": ["deal.won"], "where": "nope == 1"}
    found = findings(wire("a + typo", "count", a=broken, min=WON, Won=WON))
    assert set(found) == {"/measures/a/where", "/measures/min", "/measures/Won", "/formula"}
    assert (found["/formula"].position, found["/formula"].length) == (4, 4)


def test_a_formula_that_gives_another_unit_than_declared_is_refused() -> None:
    found = findings(wire("won", "money", won=WON))
    assert found["/unit"].message == "The formula gives a count, and money is declared."


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT5M", 300), ("PT1H30M", 5400), ("P2D", 172800), ("P1W", 604800), ("P1DT1S", 86401)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "PT0S", "P1Y", "P1M", "5m", "-PT5M", "P1DT", "PT٣M", "P9999D", "PT5M\n", "PT0.5S", "P" + "9" * 99],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


SIDES = st.fixed_dictionaries(
    {"events": st.lists(st.sampled_from(["deal.won", "lead.created"]), min_size=1, max_size=2)},
    optional={"where": st.sampled_from(["amount > 1", "amount", "1 / 0 > 1", "(", "has(deal)"]) | st.none()},
)
MATCH = st.sampled_from(["deal", "amount", "properties.x", "1", "about['x y']"])
TIMES = st.sampled_from(["P1D", "PT0S", "soon", "P1Y", "P90D", "year_to_date"])
STEP_NAMES = st.sampled_from(["a", "b", "c"])


def steps_with(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    step = st.tuples(SIDES, st.fixed_dictionaries(parts)).map(lambda pair: pair[0] | pair[1])
    return st.lists(step, min_size=2, max_size=3)


PAIR = {"from": SIDES, "to": SIDES, "match": MATCH}
ANY_MEASURE = st.fixed_dictionaries(
    {"aggregate": st.sampled_from([str(each) for each in Aggregate])},
    optional={
        "events": SIDES.map(lambda side: side["events"]),
        "elapsed": st.fixed_dictionaries(PAIR, optional={"dated_by": st.sampled_from(["start", "end"])}),
        "conversion": st.fixed_dictionaries(PAIR),
        "funnel": st.fixed_dictionaries(
            {"steps": steps_with(name=STEP_NAMES), "match": MATCH}, optional={"reached": STEP_NAMES, "base": STEP_NAMES}
        ),
        "touches": st.fixed_dictionaries(
            {"anchor": SIDES, "events": SIDES, "match": MATCH}, optional={"until": SIDES | st.none()}
        ),
        "cadence": st.fixed_dictionaries({"anchor": SIDES, "match": MATCH, "steps": steps_with(by=TIMES)}),
        "open_at": st.fixed_dictionaries(PAIR),
        "value": st.sampled_from(["amount", "deal", "properties.x", "+"]),
        "of": st.sampled_from(["customer", "amount", "properties.x"]),
        "p": st.sampled_from(["0.5", "0.00000001"]),
        "where": st.sampled_from(["amount > 1", "amount"]),
        "within": TIMES,
        "over": TIMES,
        "at_least": st.integers(1, 9),
    },
)


@given(ANY_MEASURE, st.sampled_from(["m", "m / 0", "m + kpi.revenue", "previous(m)", "n"]))
def test_whatever_the_shapes_let_pass_is_read_or_told_with_its_places(measure: Any, formula: str) -> None:
    body = KpiValidate.model_validate({"measures": {"m": measure}, "formula": formula})
    reading = examine(body.wire(), OTHERS)
    assert (reading.definition is None) is bool(reading.findings)
    for finding in reading.findings:
        assert finding.pointer.startswith(("/measures/m", "/formula", "/unit"))
        assert finding.message
    places = [finding.pointer for finding in reading.findings if finding.position is None]
    assert len(places) == len(set(places))
    if reading.definition is not None:
        stored = body.wire()
        if "kpi." in formula:
            stored["unit"] = {"kind": "money"}
        assert read_definition(stored).measures == reading.definition.measures
