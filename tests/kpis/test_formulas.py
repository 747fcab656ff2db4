"""Formulas as functions of what they read, and the last step of each aggregate (S9, S11, S19)."""

from decimal import Decimal

import pytest

from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.expressions.parser import parse
from app.kpis.formulas import Use, compiled, finishing

D = Decimal


def value(formula: str, **values: str | None) -> Decimal | None:
    """The formula over these measures."""
    function = compiled(parse(formula))
    named = {name: None if text is None else D(text) for name, text in values.items()}
    return function.value([named[use.name] for use in function.uses])


def test_a_formula_names_what_it_reads_once_each_and_with_its_shifts() -> None:
    formula = compiled(parse("won / (won + previous(won)) + kpi.calls + target(kpi.calls) * headcount()"))
    assert formula.uses == (
        Use("measure", "won", ()),
        Use("measure", "won", ("previous",)),
        Use("kpi", "calls", ()),
        Use("target", "calls", ()),
        Use("staff", "headcount", ()),
    )
    assert formula.value([D(3), D(1), D(10), D(20), D(2)]) == D("50.75")


def test_a_measure_alone_is_itself() -> None:
    assert compiled(parse("won")).is_use
    assert not compiled(parse("-won")).is_use
    assert value("won", won="2.50") == D("2.50")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("a + b * 2", "11"),
        ("a - b", "-1"),
        ("-(a - b)", "1"),
        ("a / b", "0.75"),
        ("a / (b - 4)", None),
        ("coalesce(a / (b - 4), 7)", "7"),
        ("coalesce(nothing, a)", "3"),
        ("a + nothing", None),
        ("max(a, nothing)", None),
        ("min(a, b, 5)", "3"),
        ("max(a, b, 5)", "5"),
        ("abs(a - b)", "1"),
        ("round(a / 8, 2)", "0.38"),
        ("round(-a / 8, 2)", "-0.38"),
        ("round(nothing, 2)", None),
    ],
)
def test_values_are_computed_as_in_the_specification(formula: str, expected: str | None) -> None:
    found = value(formula, a="3", b="4", nothing=None)
    assert found == (None if expected is None else D(expected))


def test_divisions_keep_34_digits_and_round_half_to_even() -> None:
    assert str(value("a / 3", a="2")) == "0.6666666666666666666666666666666667"
    assert str(value("round(a, 0)", a="2.5")) == "2"


def test_a_very_large_value_is_rounded_to_itself() -> None:
    assert value("round(a * a, 2)", a="1E+120") == D("1E+240")


@pytest.mark.parametrize(
    ("aggregate", "numbers", "expected"),
    [
        (Aggregate.COUNT, ("3", None, None), "3"),
        (Aggregate.COUNT, (None, None, None), "0"),
        (Aggregate.SUM, (None, None, None), "0"),
        (Aggregate.COUNT_DISTINCT, (None, None, None), "0"),
        (Aggregate.MAX, ("3", None, None), "3"),
        (Aggregate.MAX, (None, None, None), None),
        (Aggregate.AVG, ("3", "4", None), "0.75"),
        (Aggregate.AVG, ("3", "0", None), None),
        (Aggregate.AVG, (None, None, None), None),
        (Aggregate.MEDIAN, ("3", "4", "2"), "3.5"),
        (Aggregate.MEDIAN, ("3", None, "1"), "3"),
        (Aggregate.MEDIAN, (None, None, None), None),
        (Aggregate.PERCENTILE, ("3", "4", "2"), "3.9"),
    ],
)
def test_the_last_step_of_each_aggregate(
    aggregate: Aggregate, numbers: tuple[str | None, ...], expected: str | None
) -> None:
    measure = EventMeasure(aggregate=aggregate, events=("call.made",), p=D("0.9") if "percent" in aggregate else None)
    a, b, c = (None if text is None else D(text) for text in numbers)
    assert finishing(measure)(a, b, c) == (None if expected is None else D(expected))
