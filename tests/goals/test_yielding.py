"""Formulas of compound goals by themselves: computed, and solved for one part (G6)."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.core.units import COUNT, MONEY, RATIO
from app.goals.yielding import IDENTITIES, Whole, check_yields, needed, read_yields, rounded_away, suggestion_for
from app.kpis.library.catalogue import LIBRARY
from app.kpis.library.service import definition_of

UNITS = {"deals": COUNT, "size": MONEY, "rate": RATIO, "old": MONEY, "revenue": MONEY}
_amount = st.decimals("1", "100000", places=2)


@given(_amount, _amount, _amount)
def test_what_is_needed_of_one_part_yields_the_whole(deals: Decimal, size: Decimal, wanted: Decimal) -> None:
    for text in ("kpi.deals * kpi.size", "kpi.deals * kpi.size * 2 + 1", "kpi.deals * kpi.deals * kpi.size"):
        formula = read_yields(text)
        found = needed(formula, {"deals": deals, "size": size}, {}, "deals", wanted)
        if found is None:
            continue
        made = formula.value({"deals": found, "size": size}, {})
        assert made is not None
        assert abs(made - wanted) <= wanted / 10**6


@given(_amount, _amount)
def test_a_divisor_has_to_shrink(part: Decimal, wanted: Decimal) -> None:
    formula = read_yields("baseline(kpi.old) / kpi.rate")
    found = needed(formula, {"rate": part}, {"old": Decimal(1000)}, "rate", wanted)
    assert found is not None
    assert abs(found - 1000 / wanted) <= found / 10**6


def test_what_no_value_reaches_is_not_told() -> None:
    formula = read_yields("min(kpi.deals, 10)")
    assert needed(formula, {"deals": Decimal(5)}, {}, "deals", Decimal(20)) is None
    assert needed(formula, {"deals": None}, {}, "deals", Decimal(20)) is None
    assert needed(formula, {"deals": Decimal(5)}, {}, "size", Decimal(7)) is None


def test_needed_values_are_rounded_to_the_far_side() -> None:
    assert rounded_away(Decimal("26.08"), Decimal(20), 0) == 27
    assert rounded_away(Decimal("26.08"), Decimal(30), 0) == 26
    assert rounded_away(Decimal("26.000000000000000000000000001"), Decimal(20), 0) == 26


def test_an_average_of_money_may_be_meant_per_item() -> None:
    whole = Whole("revenue", MONEY)
    for text in ("kpi.deals * kpi.size", "kpi.size + kpi.old", "kpi.deals * kpi.size * kpi.rate + kpi.old"):
        assert check_yields(text, UNITS, whole, {"size"}).text == text


def test_the_identities_of_the_library_have_its_units() -> None:
    units = {key: definition_of(entry).unit for key, entry in LIBRARY.items()}
    for key, formulas in IDENTITIES.items():
        for text in formulas:
            assert check_yields(text, units, Whole(key, units[key]), {"average_deal_size", "revenue_per_head"}).kpis


def test_the_suggested_formula_has_the_fewest_other_kpis() -> None:
    known = set(LIBRARY)
    assert suggestion_for("revenue_won", {"deals_won"}, known) == "kpi.deals_won * kpi.average_deal_size"
    both = suggestion_for("revenue_won", {"new_customers", "average_deal_size"}, known)
    assert both == "kpi.new_customers * kpi.average_deal_size + kpi.revenue_existing_customers"
    assert suggestion_for("revenue_won", {"calls_made"}, known) is None
    assert suggestion_for("revenue_won", set(), known) is None
    assert suggestion_for("revenue_won", {"deals_won"}, {"deals_won"}) is None
