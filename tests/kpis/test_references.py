"""KPIs that are computed from other KPIs."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from app.kpis import service
from app.kpis.references import all_from, dependants, reversed_graph, way
from tests.support import Api, World

REVENUE = {"revenue": {"aggregate": "sum", "value": "amount", "events": ["deal.won"]}}
CALLS = {"calls": {"aggregate": "count", "events": ["call.made"]}}


def kpi(key: str, formula: str, kind: str = "money", measures: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "key": key,
        "name": key,
        "category": "sales_results",
        "indicator": "lagging",
        "measures": REVENUE if measures is None else measures,
        "formula": formula,
        "unit": {"kind": kind},
        "direction": "increase",
    }


def version(formula: str, kind: str = "money") -> dict[str, Any]:
    return {name: kpi("x", formula, kind)[name] for name in ("measures", "formula", "unit", "direction")}


@pytest.fixture
async def api(world: World) -> Api:
    caller = await world.organization()
    await caller.post("/kpis", kpi("revenue", "revenue"), expect=201)
    await caller.post("/kpis", kpi("calls", "calls", "count", CALLS), expect=201)
    return caller


async def refused(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    problem = await api.post(path, body, expect=422)
    assert problem["type"] == "/problems/kpi-definition-invalid"
    error: dict[str, Any] = problem["errors"][0]
    return error


def test_ways_through_references_are_found() -> None:
    graph = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": {"e"}}
    assert way(graph, "a", "e") == ["a", "b", "d", "e"]
    assert way(graph, "e", "a") is None
    assert way(graph, "a", "a") == ["a"]
    assert all_from(graph, "b") == {"b", "d", "e"}
    assert dependants(graph, "d") == ["b", "c"]
    assert all_from(reversed_graph(graph), "d") == {"a", "b", "c", "d"}


async def test_a_kpi_tells_what_it_is_computed_from_and_whether_it_adds_up(api: Api) -> None:
    """S24."""
    double = await api.post("/kpis", kpi("double", "kpi.revenue + revenue"), expect=201)
    assert (double["references"], double["is_additive"]) == (["revenue"], True)
    per_call = await api.post("/kpis", kpi("per_call", "kpi.double / kpi.calls"), expect=201)
    assert (per_call["references"], per_call["is_additive"]) == (["calls", "double"], False)
    listed = {item["key"]: item["is_additive"] for item in (await api.get("/kpis"))["items"]}
    assert listed == {"calls": True, "double": True, "per_call": False, "revenue": True}
    assert (await api.get("/kpis/double/versions"))["items"][0]["references"] == ["revenue"]
    told = await api.post("/kpis/validate", {"measures": REVENUE, "formula": "2 * kpi.double"}, expect=200)
    assert (told["ok"], told["unit"], told["is_additive"], told["references"]) == (True, "money", True, ["double"])


async def test_a_kpi_that_does_not_exist_is_told_with_the_nearest_key(api: Api) -> None:
    error = await refused(api, "/kpis", kpi("x", "revenue + kpi.revenu"))
    assert (error["position"], error["length"], error["suggestion"]) == (10, 10, "kpi.revenue")
    stranger = await api.world.organization()
    await refused(stranger, "/kpis", kpi("x", "kpi.revenue"))


async def test_units_of_other_kpis_are_checked(api: Api) -> None:
    error = await refused(api, "/kpis", kpi("x", "kpi.revenue + kpi.calls"))
    assert error["message"] == "`kpi.revenue` is money and `kpi.calls` is a count: they cannot be added."
    error = await refused(api, "/kpis", kpi("x", "kpi.revenue / target(kpi.revenue)"))
    assert error["pointer"] == "/unit"


async def test_a_kpi_is_never_computed_from_itself(api: Api) -> None:
    error = await refused(api, "/kpis", kpi("x", "revenue + kpi.x"))
    assert error["message"].startswith("`kpi.x` cannot be used here: a KPI cannot be computed from itself.")
    assert error["position"] == 10
    await api.post("/kpis", kpi("a", "kpi.revenue"), expect=201)
    await api.post("/kpis", kpi("b", "kpi.a"), expect=201)
    error = await refused(api, "/kpis/revenue/versions", version("revenue + kpi.b"))
    assert "revenue → b → a → revenue" in error["message"]
    error = await refused(api, "/kpis/revenue/versions", version("target(kpi.revenue)"))
    assert (error["position"], error["length"]) == (7, 11)
    told = await api.post("/kpis/validate", {"key": "revenue", **version("kpi.b")}, expect=200)
    assert told["ok"] is False
    assert "circle" in told["errors"][0]["message"]


async def test_versions_that_no_longer_hold_count_for_circles_too(api: Api) -> None:
    await api.post("/kpis", kpi("a", "kpi.revenue"), expect=201)
    await api.post("/kpis/a/versions", {**version("revenue"), "valid_from": None}, expect=201)
    await refused(api, "/kpis/revenue/versions", version("kpi.a"))


async def test_two_writers_cannot_close_a_circle_together(api: Api) -> None:
    for key in ("a", "b"):
        await api.post("/kpis", kpi(key, "revenue"), expect=201)
    made = await asyncio.gather(
        api.call("POST", "/kpis/a/versions", version("kpi.b")), api.call("POST", "/kpis/b/versions", version("kpi.a"))
    )
    assert sorted(answer.status_code for answer in made) == [201, 422]


async def test_an_archived_kpi_is_not_referred_to_anew(api: Api) -> None:
    await api.post("/kpis", kpi("a", "kpi.revenue"), expect=201)
    await api.delete("/kpis/revenue")
    error = await refused(api, "/kpis", kpi("b", "kpi.revenue"))
    assert "archived" in error["message"]
    assert (await api.get("/kpis/a"))["references"] == ["revenue"]


async def test_the_unit_of_a_kpi_stays_while_others_are_computed_from_it(api: Api) -> None:
    for key in ("b", "a"):
        await api.post("/kpis", kpi(key, "kpi.revenue"), expect=201)
    error = await refused(api, "/kpis/revenue/versions", version("1 / 2", "number"))
    assert error["pointer"] == "/unit"
    assert error["message"].startswith(
        "Other KPIs are computed from this one, which is money, and it cannot become a number: a, b."
    )
    await api.post("/kpis/revenue/versions", version("revenue * 2"), expect=201)


async def test_a_tower_of_kpis_ends_somewhere(api: Api) -> None:
    below = "revenue"
    for number in range(50):
        await api.post("/kpis", kpi(f"k{number}", f"kpi.{below}"), expect=201)
        below = f"k{number}"
    error = await refused(api, "/kpis", kpi("last", f"kpi.{below}"))
    assert "50 others" in error["message"]
    error = await refused(api, "/kpis/revenue/versions", version("kpi.calls + revenue"))
    assert "50 others" in error["message"]


async def test_kpis_are_loaded_with_all_that_they_are_computed_from(api: Api) -> None:
    await api.post("/kpis", kpi("a", "kpi.revenue"), expect=201)
    await api.post("/kpis", kpi("b", "kpi.a + kpi.revenue"), expect=201)
    async with api.world.database.read(api.org_id) as session:
        known_at = datetime.fromisoformat("2026-08-01T00:00:00Z")
        known = await service.load_kpis_with_references(session, api.org_id, ["calls", "b"], known_at)
        with pytest.raises(service.UnknownKpi):
            await service.load_kpis_with_references(session, api.org_id, ["b", "nope"], known_at)
    assert list(known) == ["calls", "b", "a", "revenue"]
