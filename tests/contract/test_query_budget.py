"""Whatever computes figures is paid for by the organization that asks."""

from typing import Any

import pytest
from fastapi.dependencies.models import Dependant

from app.accounts.access import snapshots_of_caller
from app.core.budget import QueryBudget
from tests.contract.document import OF_KEYS, ROUTES, Operation, named
from tests.contract.organization import Furnished
from tests.contract.test_examples import send
from tests.support import World


def _computes(dependant: Dependant) -> bool:
    return dependant.call is snapshots_of_caller or any(_computes(each) for each in dependant.dependencies)


COMPUTING = [operation for operation in OF_KEYS if _computes(ROUTES[operation.id].dependant)]


# Goals need figures only where a target is a change against a baseline, which their first examples have not.
_CHANGE = {"target": {"change": {"by": "0.1", "on": "2026-07-02"}}}
_RELATIVE: dict[str, dict[str, Any]] = {
    "createGoal": _CHANGE,
    "changeGoalTarget": _CHANGE,
    "approveGoal": _CHANGE,
    "bulkEditGoals": {"change": {"set": _CHANGE}},
    "previewBulkEditOfGoals": {"change": {"set": _CHANGE}},
}


def test_everything_that_is_asked_of_results_is_computed_in_a_snapshot_that_is_charged() -> None:
    asked = {each.id for each in OF_KEYS if "/kpi-results/" in each.path or each.id.startswith("previewKpi")}
    others = {"checkSetup", "closeGoal", "getGoalProgress", "getReviewEvidence", "shareReview"}
    assert {each.id for each in COMPUTING} >= asked | others
    assert len(asked) >= 9


@pytest.mark.parametrize("operation", COMPUTING, ids=named)
async def test_every_computation_is_charged_to_its_organization_and_to_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    spent, fresh = Furnished(await world.organization()), Furnished(await world.organization())
    for furnished in (spent, fresh):
        await furnished.prepare(operation)
        await furnished.id("key")
        if operation.id in _RELATIVE:
            await furnished.id("goal_id")
            await furnished.id("event_id")
    monkeypatch.setitem(world.app.state._state, "query_budget", QueryBudget(1e-9, 4))
    [kind, body], *_ = operation.asked
    body = {**body, **_RELATIVE[operation.id]} if operation.id in _RELATIVE else body

    await _count(spent, expect=200)
    refused = await send(spent, operation, kind, body)
    assert refused.status_code == 429, f"{operation.id} is not refused: {refused.text[:500]}"
    assert refused.json()["type"] == "/problems/query-budget-exceeded"
    assert int(refused.headers["Retry-After"]) >= 1
    operation.check(refused)

    used = await send(fresh, operation, kind, body)
    assert used.is_success, used.text
    await _count(fresh, expect=429)


async def _count(furnished: Furnished, *, expect: int) -> None:
    body = {"kpis": [furnished.kpi], "subjects": [{"organization": True}], "period": "2026-07"}
    await furnished.api.post("/kpi-results/query", body, expect=expect)
