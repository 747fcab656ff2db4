"""The computing that an organization's queries may take."""

import asyncio
from uuid import uuid4

import pytest

from app.core import budget as budgets
from app.core.budget import QueryBudget, QueryBudgetExceeded
from app.core.db import OrganizationId
from tests.results.test_query import COUNT, define
from tests.results.test_results import ORGANIZATION, query
from tests.support import Api, World

ACME, BOLT = OrganizationId(uuid4()), OrganizationId(uuid4())


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def spend(budget: QueryBudget, watch: Watch, org_id: OrganizationId, seconds: float) -> None:
    async with budget.admitted(org_id) as spending:
        with spending.computing():
            watch.seconds += seconds


async def test_what_is_spent_flows_back_within_a_minute() -> None:
    watch = Watch()
    budget = QueryBudget(6, 2, watch)
    await spend(budget, watch, ACME, 4)
    await spend(budget, watch, ACME, 5)
    with pytest.raises(QueryBudgetExceeded) as refused:
        await spend(budget, watch, ACME, 1)
    assert refused.value.headers == {"Retry-After": "22"}  # 2.2 seconds too many by then, a tenth comes back a second
    await spend(budget, watch, BOLT, 1)
    watch.seconds += 24
    await spend(budget, watch, ACME, 1)


async def test_without_a_limit_only_the_number_at_once_is_bounded() -> None:
    watch = Watch()
    budget = QueryBudget(0, 2, watch)
    await spend(budget, watch, ACME, 1000)
    await spend(budget, watch, ACME, 1000)


async def test_others_wait_for_a_place_and_then_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "PATIENCE_SECONDS", 0.05)
    budget = QueryBudget(60, 1)
    async with budget.admitted(ACME):
        async with budget.admitted(BOLT):
            pass
        with pytest.raises(QueryBudgetExceeded):
            async with budget.admitted(ACME):
                pass
        waiting = asyncio.create_task(spend(budget, Watch(), ACME, 0))
        await asyncio.sleep(0.01)
    await waiting


async def test_a_query_over_the_budget_is_told_when_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, other = await world.organization(), await world.organization()
    await define(api, COUNT)
    await define(other, COUNT)
    monkeypatch.setitem(world.app.state._state, "query_budget", QueryBudget(0.001, 4))
    await query(api)
    body = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07"}
    refused = await api.call("POST", "/kpi-results/query", body, expect=429)
    assert refused.json()["type"] == "/problems/query-budget-exceeded"
    assert int(refused.headers["retry-after"]) >= 1
    await query(other)
    await api.call("POST", "/kpi-results/query", body, expect=429, headers={"Accept": "text/csv"})


async def test_a_refused_query_gives_its_place_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setitem(api.world.app.state._state, "query_budget", QueryBudget(60, 1))
    body = {"kpis": ["no_such"], "subjects": [ORGANIZATION], "period": "2026-07"}
    for accept in ("application/json", "text/csv", "application/json"):
        await api.call("POST", "/kpi-results/query", body, expect=422, headers={"Accept": accept})


async def test_who_waits_for_a_place_holds_no_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many questions of one organization as there are connections must not keep the others out."""
    api, other = await world.organization(), await world.organization()
    await define(api, COUNT)
    budget = QueryBudget(60, 1)
    monkeypatch.setattr(budgets, "PATIENCE_SECONDS", 60)
    monkeypatch.setitem(world.app.state._state, "query_budget", budget)
    flood = world.app.state.settings.pool_size + 2
    async with budget.admitted(api.org_id):
        asking = [asyncio.create_task(query(api)) for _ in range(flood)]
        while budget._accounts[api.org_id].users <= flood:  # noqa: ASYNC110  # the budget tells nobody
            await asyncio.sleep(0.01)
        await asyncio.wait_for(other.get("/organization"), 15)
    answers = await asyncio.gather(*asking)
    assert all(answer["series"] == answers[0]["series"] for answer in answers)
