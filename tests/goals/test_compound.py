"""Compound goals over HTTP: made at once, and whether the parts yield the whole (G6)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.goals.facts import happened, post_events
from tests.support import Api, World

WON = {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}
SHAPE = {"category": "sales_results", "indicator": "lagging", "direction": "increase", "state": "official"}
KPIS: dict[str, dict[str, Any]] = {
    "revenue_won": {"unit": {"kind": "money"}, "measures": {"m": WON}},
    "deals_won": {"unit": {"kind": "count"}, "measures": {"m": {"aggregate": "count", "events": ["deal.won"]}}},
    "new_customers": {
        "unit": {"kind": "count"},
        "measures": {"m": {"aggregate": "count", "events": ["deal.won"], "where": "nth(customer) == 1"}},
    },
    "average_deal_size": {"unit": {"kind": "money"}, "measures": {"m": WON | {"aggregate": "avg"}}},
    "calls_made": {"unit": {"kind": "count"}, "measures": {"m": {"aggregate": "count", "events": ["call.made"]}}},
}
FORMULA = "kpi.new_customers * kpi.average_deal_size"
WHOLE = {
    "name": "Revenue in Q3",
    "owner": {"type": "organization"},
    "kpi": "revenue_won",
    "period": "2026-Q3",
    "target": {"change": {"by": "0.10", "on": "previous_period"}},
    "yields": FORMULA,
}
PARTS = [
    {"name": "20 new customers", "kpi": "new_customers", "target": {"value": "20"}},
    {"name": "Larger deals", "kpi": "average_deal_size", "target": {"change": {"by": "0.15"}}},
]


@pytest.fixture
async def selling(api: Api) -> Api:
    """In Q2 20 new customers of 1,000 EUR each; in Q3 4 so far of 1,500 EUR."""
    for key, content in KPIS.items():
        await api.post("/kpis", {"key": key, "name": key, "formula": "m", **SHAPE, **content}, expect=201)
    events = []
    for number in range(24):
        at, amount = ("2026-05-12T08:00:00Z", "1000") if number < 20 else ("2026-07-06T08:00:00Z", "1500")
        amount_of = {"value": amount, "currency": "EUR"}
        events += happened("deal.won", at, about={"customer": f"C{number}"}, amount=amount_of, name=f"won-{number}")
    await post_events(api, events)
    return api


async def made(api: Api, **changes: Any) -> Any:
    return await api.post("/goals/compound", {"goal": WHOLE | changes, "parts": PARTS}, expect=201)


async def checked(api: Api, goal: Any, **params: Any) -> Any:
    return await api.get(f"/goals/{goal['id']}/compound", **params)


def factor(answer: Any, key: str) -> Any:
    return next(each for each in answer["factors"] if each["kpi"] == key)


async def test_ten_per_cent_more_by_20_customers_and_15_per_cent_larger_deals(selling: Api) -> None:
    """G6: 20 × 1,150 = 23,000 EUR are more than 22,000 EUR."""
    answer = await made(selling)
    whole, parts = answer["goal"], answer["parts"]
    assert whole["target"]["value"] == "22000"
    assert [(part["parent_id"], part["target"]["value"], part["period"]) for part in parts] == [
        (whole["id"], "20", "2026-Q3"),
        (whole["id"], "1150", "2026-Q3"),
    ]
    told = await checked(selling, whole)
    assert (told["formula"], told["source"], told["problem"]) == (FORMULA, "given", None)
    assert told["yields"] == {"target": 22000, "value": 23000, "gap": 0, "surplus": 1000, "is_sufficient": True}
    assert (told["explains"]["value"], told["explains"]["actual"], told["explains"]["verdict"]) == (
        20000,
        20000,
        "good",
    )
    assert (told["so_far"]["value"], told["so_far"]["actual"]) == (6000, 6000)
    size = factor(told, "average_deal_size")
    assert (size["baseline"], size["target"], size["change"], size["actual"]) == (1000, 1150, 0.15, 1500)
    assert (told["baseline_start"], told["baseline_end"]) == ("2026-04-01", "2026-07-01")
    assert all(each["needed"] is None for each in told["factors"])


async def test_a_gap_says_how_large_each_part_alone_would_have_to_be(selling: Api) -> None:
    whole = (await made(selling, target={"value": "30000"}))["goal"]
    told = await checked(selling, whole)
    assert told["yields"] == {"target": 30000, "value": 23000, "gap": 7000, "surplus": 0, "is_sufficient": False}
    assert factor(told, "new_customers")["needed"] == "27"  # 26.09 × 1,150
    assert factor(told, "average_deal_size")["needed"] == "1500"


async def test_kpis_without_a_part_are_taken_as_they_were(selling: Api) -> None:
    whole = await selling.post("/goals", WHOLE, expect=201)
    part = {"name": "More", "kpi": "new_customers", "target": {"value": "22"}, "parent_id": whole["id"]}
    await selling.post("/goals", {**WHOLE, "yields": None, **part}, expect=201)
    told = await checked(selling, whole)
    assert [(each["kpi"], each["source"]) for each in told["factors"]] == [
        ("new_customers", "parts"),
        ("average_deal_size", "baseline"),
    ]
    assert told["yields"]["value"] == 22000
    assert told["yields"]["is_sufficient"] is True


async def test_a_formula_is_suggested_where_the_library_knows_the_factors(selling: Api) -> None:
    body = {
        "goal": WHOLE | {"yields": None},
        "parts": [{"name": "Deals", "kpi": "deals_won", "target": {"value": "25"}}, PARTS[1]],
    }
    whole = (await selling.post("/goals/compound", body, expect=201))["goal"]
    told = await checked(selling, whole)
    assert (told["formula"], told["source"]) == ("kpi.deals_won * kpi.average_deal_size", "suggested")
    assert told["yields"]["value"] == 28750
    lone = await selling.post("/goals", WHOLE | {"yields": None}, expect=201)
    assert (await checked(selling, lone))["source"] == "none"


async def test_a_formula_that_leaves_something_out_does_not_explain_the_past(selling: Api) -> None:
    whole = (await made(selling, yields="kpi.new_customers * kpi.average_deal_size / 2"))["goal"]
    explains = (await checked(selling, whole))["explains"]
    assert (explains["error"], explains["verdict"]) == (-0.5, "poor")


@pytest.mark.parametrize(
    ("formula", "suggestion"),
    [
        ("kpi.new_custmers * 2", "kpi.new_customers"),
        ("new_customers * 2", "kpi.new_customers"),
        ("kpi.new_customers * kpi.deals_won", None),
        ("kpi.calls_made", None),
        ("kpi.revenue_won * 1.1", "baseline(kpi.revenue_won)"),
        ("previous(kpi.new_customers)", None),
        ("kpi.new_customers >", None),
        ("kpi.new_customers > 1", None),
        ("baseline(kpi.a.b)", None),
        ("1 + 1", None),
        ("", None),
        ("(" * 500, None),
        ("kpi.average_deal_size / 0", None),
    ],
)
async def test_a_formula_that_cannot_be_is_refused_with_its_place(
    selling: Api, formula: str, suggestion: str | None
) -> None:
    problem = await selling.post("/goals/compound", {"goal": WHOLE | {"yields": formula}, "parts": PARTS}, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/goal/yields"]
    assert problem["errors"][0]["position"] is not None
    assert problem["errors"][0].get("suggestion") == suggestion
    assert (await selling.get("/goals"))["items"] == []
    problem = await selling.post("/goals", WHOLE | {"yields": formula}, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/yields"]


@pytest.mark.parametrize(
    ("part", "pointer"),
    [
        ({"kpi": "nothing"}, "/parts/1/kpi"),
        ({"target": {"value": "0"}}, "/parts/1/target"),
        ({"target": {"change": {"by": "-0.5"}}}, "/parts/1/target/change/by"),
        ({"period": "2027", "target": {"value": "5"}}, "/parts/1/parent_id"),
        ({"owner": {"type": "team", "id": str(uuid4())}}, "/parts/1/owner/id"),
        ({"colour": "red"}, "/parts/1/colour"),
        ({"weight": "-1"}, "/parts/1/weight"),
    ],
)
async def test_all_goals_are_made_or_none(selling: Api, part: dict[str, Any], pointer: str) -> None:
    body = {"goal": WHOLE, "parts": [PARTS[0], PARTS[1] | part]}
    problem = await selling.post("/goals/compound", body, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await selling.get("/goals"))["items"] == []


async def test_a_compound_goal_answers_as_of_an_instant(selling: Api) -> None:
    whole, *_ = (await made(selling)).values()
    await selling.set_clock("2026-07-20T10:00:00Z")
    await selling.post(f"/goals/{whole['id']}/targets", {"target": {"value": "50000"}, "reason": "More."}, expect=201)
    assert (await checked(selling, whole))["yields"]["is_sufficient"] is False
    then = await checked(selling, whole, as_of="2026-07-20T09:00:00Z")
    assert then["yields"]["is_sufficient"] is True
    await selling.get(f"/goals/{whole['id']}/compound", expect=404, as_of="2026-07-13T09:00:00Z")


async def test_drafts_are_checked_too(selling: Api) -> None:
    whole = (await made(selling, state="draft"))["goal"]
    assert whole["state"] == "draft"
    assert (await checked(selling, whole))["yields"]["value"] == 23000


async def test_compound_goals_of_others_are_not_found(selling: Api, world: World) -> None:
    whole = (await made(selling))["goal"]
    stranger = await world.organization()
    await stranger.get(f"/goals/{whole['id']}/compound", expect=404)
    await selling.get("/goals/nonsense/compound", expect=422)
