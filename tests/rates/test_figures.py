"""What rates do to figures: conversion, corrections, and what is told where there is no rate (S5, S12, S26, S27)."""

from typing import Any

import pytest

from app.core.db import OrganizationId
from app.events.sources import add_source
from tests.rates.test_rates import DAILY, PLAN, RATE, YEAR
from tests.support import Api, World

REVENUE = {
    "key": "revenue",
    "name": "Revenue",
    "category": "sales_results",
    "indicator": "lagging",
    "direction": "increase",
    "unit": {"kind": "money"},
    "measures": {"won": {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}},
    "formula": "won",
}


@pytest.fixture
async def api(api: Api) -> Api:
    """An organization in euros with a daily and a fixed set, and a KPI of revenue."""
    for new in (DAILY, PLAN):
        await api.post("/exchange-rates/sets", new, expect=201)
    await api.post("/kpis", REVENUE, expect=201)
    return api


async def win(api: Api, day: str, amount: dict[str, str], source: str = "api") -> None:
    event = {
        "external_id": f"{source}-{day}",
        "source": source,
        "type": "deal.won",
        "occurred_at": f"{day}T10:00:00Z",
        "amount": amount,
    }
    await api.post("/events", event, expect=201)


async def total(api: Api, **more: Any) -> dict[str, Any]:
    question = {"kpis": ["revenue"], "subjects": [{"organization": True}], "period": "2026-07", **more}
    answer = await api.post("/kpi-results/query", question, expect=200)
    found: dict[str, Any] = answer["series"][0]["total"]
    return found


async def test_golden_10_dollars_of_a_sunday_are_euros_by_fridays_rate(api: Api) -> None:
    await api.post("/exchange-rates", RATE, expect=201)
    await win(api, "2026-07-12", {"value": "100", "currency": "USD"})
    assert (await total(api))["value"] == 90.9090909090909
    assert (await total(api, currency="USD"))["value"] == 100


async def test_an_amount_without_a_rate_is_left_out_and_told(api: Api) -> None:
    """S12."""
    await api.post("/exchange-rates", RATE, expect=201)
    await win(api, "2026-07-09", {"value": "7", "currency": "USD"})
    await win(api, "2026-07-10", {"value": "11", "currency": "USD"})
    found = await total(api)
    assert (found["value"], found["status"]) == (10, "partial")
    assert found["details"]["left_out"] == 1


async def test_a_query_may_name_another_set(api: Api) -> None:
    await api.post("/exchange-rates", RATE, expect=201)
    await api.post("/exchange-rates", YEAR | {"rate": "1.25"}, expect=201)
    await win(api, "2026-07-12", {"value": "100", "currency": "USD"})
    assert (await total(api, rate_set="plan-2026"))["value"] == 80
    question = {
        "kpis": ["revenue"],
        "subjects": [{"organization": True}],
        "period": "2026-07",
        "rate_set": "plan-2027",
    }
    refused = await api.post("/kpi-results/query", question, expect=422)
    assert refused["errors"][0]["pointer"] == "/rate_set"


async def test_a_corrected_rate_moves_figures_at_once_but_not_those_as_of_before(api: Api) -> None:
    """S5."""
    await api.post("/exchange-rates", RATE, expect=201)
    await win(api, "2026-07-12", {"value": "100", "currency": "USD"})
    await api.set_clock("2026-07-20T08:00:00Z")
    await api.post("/exchange-rates", RATE | {"rate": "1.25"}, expect=201)
    assert (await total(api))["value"] == 80
    assert (await total(api, known_at="2026-07-19T08:00:00Z"))["value"] == 90.9090909090909


async def test_two_foreign_currencies_meet_in_the_organizations(api: Api) -> None:
    await api.post("/exchange-rates", RATE, expect=201)
    await api.post("/exchange-rates", RATE | {"base": "GBP", "quote": "EUR", "rate": "1.20"}, expect=201)
    await win(api, "2026-07-12", {"value": "100", "currency": "GBP"})
    assert (await total(api, currency="USD"))["value"] == 132


async def test_an_amount_without_a_currency_is_converted_from_its_sources(api: Api, world: World) -> None:
    """S27."""
    await api.post("/exchange-rates", RATE, expect=201)
    async with world.database.write(OrganizationId(api.org_id)) as session:
        await add_source(session, OrganizationId(api.org_id), key="shop", name="Shop", system="api", currency="USD")
    await win(api, "2026-07-12", {"value": "100"}, source="shop")
    await win(api, "2026-07-11", {"value": "50"})
    found = await total(api)
    assert (found["value"], found["status"]) == (90.9090909090909, "partial")
