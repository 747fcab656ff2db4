"""The data of the library: complete, valid, and what the requirements name."""

import re

import pytest

from app.core.units import Unit
from app.events.catalogue import CATALOGUE
from app.kpis.definition import looks
from app.kpis.library import needs
from app.kpis.library.catalogue import LIBRARY, refers_to, with_references
from app.kpis.library.entries import Entry
from app.kpis.library.service import definition_of, wire_of
from app.kpis.wire import Other, examine

OTHERS = {key: Other(unit=Unit.of(entry.unit["kind"], entry.unit.get("per"))) for key, entry in LIBRARY.items()}
# What K1 to K13 call by name.
NAMED = [
    "calls_made",
    "meetings_held",
    "leads_generated",
    "lead_value_generated",
    "revenue_won",
    "new_customers",
    "revenue_existing_customers",
    "revenue_growth",
    "quota_attainment",
    "win_rate_closed",
    "average_deal_size",
    "lead_conversion_rate",
    "customer_acquisition_rate",
    "customer_retention_rate",
    "customer_churn_rate",
    "repeat_customers",
    "repurchase_rate",
    "opportunity_win_rate",
    "opportunity_win_rate_cohort",
    "lead_response_time",
    "lead_response_time_working_hours",
    "lead_response_within_5_minutes",
    "lead_response_within_30_minutes",
    "lead_response_within_5_minutes_working_hours",
    "lead_response_within_30_minutes_working_hours",
    "selling_time_share",
    "customer_acquisition_cost",
    "customer_lifetime_value",
    "customer_lifetime_value_trend",
    "touches_per_lead",
    "touches_per_deal",
    "persistent_after_meeting",
    "calls_to_reach_buyer",
    "leads_dropped_after_one_touch",
    "cadence_kept",
    "funnel_lead_to_qualified",
    "funnel_drop_out_before_won",
    "engagement_to_won_rate",
    "customer_satisfaction",
    "net_promoter_score",
    "customer_loyalty_rate",
    "pipeline_value",
    "pipeline_coverage",
    "sales_cycle",
    "team_growth",
    "team_turnover",
    "revenue_per_head",
    "team_engagement",
    "morale",
    "leadership",
    "communication",
    "training_time_per_head",
    "coaching_sessions",
    "new_customer_goal_attainment",
]


@pytest.mark.parametrize("key", NAMED)
def test_the_library_has_what_the_requirements_name(key: str) -> None:
    assert key in LIBRARY


@pytest.mark.parametrize("entry", LIBRARY.values(), ids=LIBRARY)
def test_each_definition_can_be_read_and_its_unit_fits(entry: Entry) -> None:
    reading = examine(wire_of(entry), OTHERS)
    assert reading.findings == ()
    assert reading.definition is not None
    types = {
        kind for measure in reading.definition.measures.values() for look in looks(measure) for kind in look.events
    }
    assert types <= set(CATALOGUE)


@pytest.mark.parametrize("entry", LIBRARY.values(), ids=LIBRARY)
def test_each_entry_says_what_it_is_for_where_it_comes_from_and_what_proves_it(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,49}", entry.key)
    assert entry.description.endswith(".")
    assert entry.method.endswith(".")
    assert entry.if_missing.endswith(".")
    assert any(re.fullmatch(r"[KVGP]\d+", source) for source in entry.sources)
    assert any(source.startswith("guide") for source in entry.sources)
    assert entry.roles
    assert entry.examples
    assert (entry.nature == "qualitative") == (entry.scoring is not None)
    for example in entry.examples:
        assert (example.value is None) == (example.status == "no_data")
        ids = [event["external_id"] for event in example.events]
        assert len(ids) == len(set(ids))


def test_every_area_nature_kind_of_indicator_and_role_is_served() -> None:
    entries = LIBRARY.values()
    areas = {"sales_results", "team_performance", "coaching", "customer_satisfaction", "planning"}
    assert {entry.category for entry in entries} == areas
    assert {entry.indicator for entry in entries} == {"leading", "lagging"}
    assert {entry.nature for entry in entries} == {"quantitative", "qualitative"}
    roles = {role for entry in entries for role in entry.roles}
    assert roles == {"prospecting", "qualifying", "closing", "customer_success", "team_leader"}


def test_what_a_kpi_is_computed_from_comes_before_it() -> None:
    assert with_references(["selling_time_share", "quota_attainment", "revenue_won"]) == [
        "selling_time",
        "selling_time_share",
        "revenue_won",
        "quota_attainment",
    ]
    for key in LIBRARY:
        assert set(refers_to(LIBRARY[key])) <= set(LIBRARY)


def test_names_of_the_library_are_each_their_own() -> None:
    names = [entry.name for entry in LIBRARY.values()]
    assert len(names) == len(set(names))


def test_needs_are_read_off_the_definition() -> None:
    cost = needs.needs_of(definition_of(LIBRARY["customer_acquisition_cost"]))
    assert [(need.events, need.carrying) for need in cost] == [
        (("cost.recorded",), ("amount",)),
        (("deal.won",), ("customer",)),
    ]
    answered = needs.needs_of(definition_of(LIBRARY["lead_response_time"]))
    # that a call is not a machine's need not be said
    assert answered[1].carrying == ("lead",)
    quota = definition_of(LIBRARY["quota_attainment"]).formula
    assert needs.targets_of(quota) == ("revenue_won",)
    assert needs.staffing_of(definition_of(LIBRARY["team_growth"]).formula) == ("headcount",)


@pytest.mark.parametrize(
    ("events", "carrying", "expected"),
    [(0, 0, "missing"), (10, 10, "ready"), (10, 5, "ready"), (10, 4, "partly"), (10, 0, "missing")],
)
def test_readiness_follows_from_how_many_events_carry_what_is_needed(events: int, carrying: int, expected: str) -> None:
    need = needs.Need(events=("deal.won",), carrying=("amount",))
    found = needs.compare(need, {"deal.won": needs.Seen(events=events, carrying={"amount": carrying})})
    assert found.readiness == expected


def test_that_no_customer_left_is_no_gap() -> None:
    need = needs.Need(events=("customer.churned",), carrying=("customer",))
    assert needs.compare(need, {}).readiness == "partly"
