"""Definitions as they are posted and stored."""

from datetime import timedelta
from decimal import Decimal

import pytest

from app.core.units import MONEY, RATIO
from app.kpis.definition import Aggregate, ElapsedMeasure, EventMeasure
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.wire import (
    DefinitionError,
    DefinitionWire,
    Finding,
    MeasureWire,
    UnitWire,
    parse_duration,
    read_definition,
)

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


def findings(definition: DefinitionWire) -> dict[str, Finding]:
    with pytest.raises(DefinitionError) as caught:
        read_definition(definition)
    return {finding.pointer: finding for finding in caught.value.findings}


def test_a_win_rate_is_read() -> None:
    lost: MeasureWire = {"aggregate": "count", "events": ["deal.lost"], "where": "amount > 0", "credit": "full"}
    definition = read_definition(wire("won / (won + lost)", "ratio", won=WON, lost=lost))
    assert definition.unit == RATIO
    assert not definition.is_additive
    assert definition.measures["lost"] == EventMeasure(
        aggregate=Aggregate.COUNT, events=("deal.lost",), where=parse_filter("amount > 0"), credit="full"
    )


def test_an_average_deal_size_is_money_and_revenue_adds_up() -> None:
    size = read_definition(wire("revenue / won", "money", won=WON, revenue=REVENUE))
    assert size.unit == MONEY
    assert read_definition(wire("revenue", "money", revenue=REVENUE)).is_additive


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
        ({"clock": "working_hours"}, "/measures/m/elapsed/clock"),
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
