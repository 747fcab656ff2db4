"""What filters and formulas may say: names, types, units, additivity."""

import pytest

from app.core.units import COUNT, DURATION, MONEY, NUMBER, RATIO, Unit
from app.kpis.expressions.checker import (
    check_filter,
    infer,
    is_additive,
    parse_filter,
    read_filter,
    refuse_zero_divisors,
)
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, named_kpis, references, to_text

UNITS = {
    "won": COUNT,
    "deals_won": COUNT,
    "lost": COUNT,
    "revenue": MONEY,
    "talk": DURATION,
    "share": RATIO,
    "points": NUMBER,
}
KPIS = {"revenue": MONEY, "win_rate": RATIO}
ADDS_UP = {"won": True, "lost": True, "revenue": True, "median_wait": False}


def filter_error(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_filter(text)
    return caught.value


def formula_error(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        infer(parse(text), UNITS)
    return caught.value


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        ("amount > 1000", "amount > 1000"),
        ("type in ('call.made', 'call.received')", "type in ['call.made', 'call.received']"),
        ("deal == 'D-7' or has(customer)", "about.deal == 'D-7' or has(about.customer)"),
        ("about.vehicle != 'x'", "about.vehicle != 'x'"),
        ("nth(customer) == 1", "nth(about.customer) == 1"),
        ("has(amount) and not has(properties['utm source'])", "has(amount) and not has(properties['utm source'])"),
        ("amount / quantity >= -2.5 * properties.factor", "amount / quantity >= -2.5 * properties.factor"),
        ("properties.vip == true", "properties.vip == true"),
        ("properties.score in [-1, 0, 1]", "properties.score in [-1, 0, 1]"),
        ("not (properties.automated == true)", "not (properties.automated == true)"),
    ],
)
def test_a_filter_is_a_condition_with_names_in_full(text: str, checked: str) -> None:
    tree = parse_filter(text)
    assert tree == parse(checked)
    assert parse_filter(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("text", "position", "suggestion"),
    [
        ("properties.vip", 0, "properties.vip == true"),
        ("properties.vip and amount > 1", 0, "properties.vip == true"),
        ("not properties.vip", 4, "properties.vip == true"),
        ("amount", 0, None),
        ("1 + 2", 0, None),
        ("true", 0, None),
        ("amont > 1", 0, "amount"),
        ("Amount > 1", 0, "amount"),
        ("channel == 'partner'", 0, "properties.channel"),
        ("amount.value > 1", 0, "amount"),
        ("properties.a.b == 1", 0, "properties['a.b']"),
        ("properties == 1", 0, None),
        ("properties[''] == 1", 0, None),
        ("about['a b'] == 'x'", 0, None),
        ("amount > 'x'", 0, None),
        ("amount == true", 0, None),
        ("currency == 5", 0, None),
        ("currency in [5]", 0, None),
        ("properties.x in [1, 'a']", 20, None),
        ("properties.x in [amount]", 17, None),
        ("properties.x < true", 0, "=="),
        ("currency + 1 > 1", 0, None),
        ("(amount > 1) == true", 0, None),
        ("nth(amount) == 1", 4, None),
        ("nth() == 1", 0, None),
        ("nth(customer)", 0, None),
        ("has(amount, currency)", 0, None),
        ("has(1)", 0, None),
        ("haz(amount)", 0, "has"),
        ("[1]", 0, None),
    ],
)
def test_a_filter_that_says_nothing_true_or_false_is_refused(text: str, position: int, suggestion: str | None) -> None:
    error = filter_error(text)
    assert (error.position, error.suggestion) == (position, suggestion)


@pytest.mark.parametrize(
    ("formula", "unit"),
    [
        ("won / (won + lost)", RATIO),
        ("won + 1", COUNT),
        ("2 * won", COUNT),
        ("revenue / won", Unit.of("money", "count")),
        ("talk / won", Unit.of("duration", "count")),
        ("revenue * share", MONEY),
        ("1 - share", RATIO),
        ("100 * won / lost", RATIO),
        ("revenue + points", MONEY),
        ("5", NUMBER),
        ("previous(won) - won", COUNT),
        ("coalesce(revenue, 0)", MONEY),
        ("max(won, lost, 3)", COUNT),
        ("round(abs(-revenue) / won, 2)", Unit.of("money", "count")),
        ("won / talk", Unit.of("count", "duration")),
    ],
)
def test_units_follow_the_arithmetic(formula: str, unit: Unit) -> None:
    assert infer(parse(formula), UNITS) == unit


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("deals_won + revenue", "Deals won is a count and revenue is money: they cannot be added."),
        ("talk - won", "Talk is a duration and won is a count: they cannot be subtracted."),
        ("won / lost + won", "`won / lost` is a ratio and won is a count: they cannot be added."),
        (
            "coalesce(revenue, won)",
            "Revenue is money and won is a count: they cannot stand in for one another.",
        ),
        ("max(1, won, revenue)", "Won is a count and revenue is money: they cannot be compared."),
        ("revenue / won + revenue", "`revenue / won` is money per count and revenue is money: they cannot be added."),
    ],
)
def test_units_that_do_not_go_together_are_refused_in_plain_words(formula: str, sentence: str) -> None:
    assert formula_error(formula).message == sentence


@pytest.mark.parametrize(
    ("formula", "position", "suggestion"),
    [
        ("wonn / lost", 0, "won"),
        ("won / (won + losst)", 13, "lost"),
        ("absolute(won)", 0, None),
        ("rond(won, 1)", 0, "round"),
        ("won.x", 0, "won"),
        ("won == 1", 0, None),
        ("won and lost", 0, None),
        ("'text'", 0, None),
        ("round(won, 1.5)", 11, None),
        ("round(won, lost)", 11, None),
        ("round(won)", 0, None),
        ("abs()", 0, None),
        ("min(won)", 0, None),
        ("previous(won - previous(won))", 0, None),
        ("nth(customer)", 0, None),
    ],
)
def test_a_formula_that_is_no_arithmetic_over_its_measures_is_refused(
    formula: str, position: int, suggestion: str | None
) -> None:
    error = formula_error(formula)
    assert (error.position, error.suggestion) == (position, suggestion)


@pytest.mark.parametrize(
    ("formula", "unit"),
    [
        ("kpi.revenue", MONEY),
        ("kpi['win_rate']", RATIO),
        ("kpi.revenue / target(kpi.revenue)", RATIO),
        ("revenue - target(kpi.revenue)", MONEY),
        ("same_period_last_year(won)", COUNT),
        ("previous(same_period_last_year(kpi.revenue))", MONEY),
        ("same_period_last_year(previous(won) + 1)", COUNT),
        ("talk / working_hours()", RATIO),
        ("revenue / headcount()", Unit.of("money", "count")),
        ("won / fte()", RATIO),
        ("previous(target(kpi.revenue))", MONEY),
    ],
)
def test_other_kpis_targets_people_and_other_windows_have_units(formula: str, unit: Unit) -> None:
    assert infer(parse(formula), UNITS, KPIS) == unit


@pytest.mark.parametrize(
    ("formula", "position", "suggestion"),
    [
        ("won + kpi.revenu", 6, "kpi.revenue"),
        ("kpi.zzz", 0, None),
        ("kpi", 0, None),
        ("kpi.revenue.x", 0, None),
        ("kpi.revenue + won", 0, None),
        ("target(won)", 7, None),
        ("target(kpi.revenue + 1)", 7, None),
        ("target(kpi)", 7, None),
        ("target(kpi.revenu)", 7, "kpi.revenue"),
        ("target()", 0, None),
        ("working_hours(won)", 0, None),
        ("working_hours", 0, "working_hours("),
        ("headcount + 1", 0, "headcount("),
        ("previous(won + same_period_last_year(previous(won)))", 0, None),
        ("same_period_last_year(same_period_last_year(won))", 0, None),
        ("has(won)", 0, None),
    ],
)
def test_what_refers_to_nothing_is_told_at_its_place(formula: str, position: int, suggestion: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        infer(parse(formula), UNITS, KPIS)
    assert (caught.value.position, caught.value.suggestion) == (position, suggestion)


def test_the_kpis_that_a_formula_refers_to_are_named_once() -> None:
    formula = parse("kpi.b / target(kpi.a) - previous(kpi['b'])")
    assert references(formula) == {"a", "b"}
    assert [name.start for name in named_kpis(formula)] == [0, 15, 33]
    assert references(parse("won / (won + lost)")) == frozenset()


@pytest.mark.parametrize(
    ("text", "position"),
    [("won / 0", 6), ("won / (1 - 1)", 6), ("won / -0.00", 6), ("1 + won / (2 * (3 - 3))", 10), ("won / lost / 0", 13)],
)
def test_a_divisor_that_is_always_0_is_found(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        refuse_zero_divisors(parse(text))
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["won / 1", "won / (1.000000000000000000000000000000001 - 1)", "won / (1 / 0)"])
def test_other_divisors_are_let_pass(text: str) -> None:
    tree = parse(text)
    if "1 / 0" not in text:
        refuse_zero_divisors(tree)
        return
    with pytest.raises(ExpressionError) as caught:
        refuse_zero_divisors(tree)
    assert caught.value.position == 11


def test_a_filter_divides_by_no_constant_0_either_but_stored_ones_are_read() -> None:
    assert filter_error("amount / 0 > 1").position == 9
    assert read_filter("amount / 0 > 1") == check_filter(parse("amount / 0 > 1"))


@pytest.mark.parametrize(
    ("formula", "additive"),
    [
        ("kpi.revenue + revenue", True),
        ("2 * kpi.revenue", True),
        ("kpi.win_rate", False),
        ("kpi.unknown", False),
        ("target(kpi.revenue)", False),
        ("won / headcount()", False),
        ("same_period_last_year(kpi.revenue)", False),
    ],
)
def test_another_kpi_counts_like_a_measure_that_adds_up_if_it_is_additive(formula: str, additive: bool) -> None:
    """S24."""
    assert is_additive(parse(formula), ADDS_UP, {"revenue": True, "win_rate": False}) is additive


@pytest.mark.parametrize(
    ("formula", "additive"),
    [
        ("won", True),
        ("won + 2 * lost - revenue / 4", True),
        ("-(won + lost) * (3 - 1)", True),
        ("won + 1", False),
        ("won * lost", False),
        ("won / lost", False),
        ("2 / won", False),
        ("median_wait", False),
        ("won + median_wait", False),
        ("previous(won)", False),
        ("won - previous(won)", False),
        ("coalesce(won, 0)", False),
        ("round(won, 1)", False),
        ("5", False),
    ],
)
def test_a_kpi_is_additive_if_its_formula_is_linear_in_counts_and_sums(formula: str, additive: bool) -> None:
    """S24."""
    assert is_additive(parse(formula), ADDS_UP) is additive
