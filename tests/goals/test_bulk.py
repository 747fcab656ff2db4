"""Many goals changed at once over HTTP: what changes, what is refused, and that nothing is half done."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from app.core.db import Database
from app.goals.scaling import scaled, scaled_together
from tests.goals.facts import define, happened, post_events
from tests.support import Api


async def goal(api: Api, value: Any = "100", **fields: Any) -> dict[str, Any]:
    """A goal of the organization on its calls in July, unless told otherwise."""
    body = {
        "name": "Calls",
        "owner": {"type": "organization"},
        "kpi": "calls_made",
        "period": "2026-07",
        "target": value if isinstance(value, dict) else {"value": str(value)},
    }
    made: dict[str, Any] = await api.post("/goals", body | fields, expect=201)
    return made


async def revisions(api: Api, goal_id: str) -> list[dict[str, Any]]:
    """The history of a goal's target."""
    found: list[dict[str, Any]] = (await api.get(f"/goals/{goal_id}/targets"))["items"]
    return found


@pytest.fixture
async def with_calls(api: Api) -> Api:
    """An organization that counts calls."""
    await define(api, "calls_made")
    return api


async def test_goals_are_changed_each_by_its_own_row(with_calls: Api) -> None:
    api = with_calls
    first, second, third = [await goal(api, 100 + n, name=f"Goal {n}") for n in range(3)]
    body = {
        "items": [
            {"id": first["id"], "version": 1, "target": {"value": "120", "stretch": "140"}, "weight": "2"},
            {"id": second["id"], "name": "Renamed", "description": "Twice June."},
            {"id": third["id"], "target": {"value": "102"}, "name": "Goal 2"},
        ],
        "reason": "Two new colleagues.",
    }
    shown = await api.post("/goals/bulk-edit/preview", body, expect=200)
    assert (await api.get(f"/goals/{first['id']}")) == first
    done = await api.post("/goals/bulk-edit", body, expect=200)
    assert [row["outcome"] for row in done["items"]] == ["changed", "changed", "unchanged"]
    assert done["counts"] == shown["counts"] == {"changed": 2, "unchanged": 1}
    assert done["items"] == shown["items"]
    assert done["items"][0]["old"]["value"] == "100"
    assert done["items"][0]["new"]["value"] == "120"
    history = await revisions(api, first["id"])
    assert len(history) == 2  # target and weight are one decision
    assert history[1]["reason"] == "Two new colleagues."
    assert (history[1]["old"]["weight"], history[1]["new"]["weight"]) == ("1", "2")
    assert history[1]["changed_by"].startswith("key:")
    assert (await api.get(f"/goals/{second['id']}"))["name"] == "Renamed"
    assert await api.get(f"/goals/{third['id']}") == third
    again = await api.post("/goals/bulk-edit", {**body, "items": body["items"][1:]}, expect=200)
    assert again["counts"] == {"unchanged": 2}


async def test_one_refused_row_refuses_all_and_each_is_told(with_calls: Api) -> None:
    api = with_calls
    goals = [await goal(api, 100, name=f"Goal {n}") for n in range(6)]
    await api.post(f"/goals/{goals[4]['id']}/lock", {"reason": "Agreed."})
    await api.delete(f"/goals/{goals[5]['id']}")
    items: list[dict[str, Any]] = [
        {"id": goals[0]["id"], "target": {"value": "120"}},
        {"id": goals[1]["id"], "target": {"value": "-1"}},
        {"id": goals[2]["id"], "version": 7, "target": {"value": "120"}},
        {"id": str(uuid4()), "name": "Nobody's"},
        {"id": goals[4]["id"], "target": {"value": "120"}},
        {"id": goals[5]["id"], "name": "Gone"},
        {"id": goals[3]["id"], "stretch": "90"},
        {"id": goals[3]["id"], "name": "Twice"},
    ]
    body = {"items": items, "reason": "More."}
    problem = await api.post("/goals/bulk-edit", body, expect=422)
    assert problem["type"] == "/problems/bulk-edit-refused"
    told = {error["pointer"]: error["code"] for error in problem["errors"]}
    assert told == {
        "/items/1/target": "target_out_of_range",
        "/items/2/version": "precondition-failed",
        "/items/3/id": "goal-not-found",
        "/items/4": "goal-locked",
        "/items/5": "goal-action-not-possible",
        "/items/6/id": "duplicate",
        "/items/7/id": "duplicate",
    }
    assert [len(await revisions(api, each["id"])) for each in goals] == [1] * 6
    each = await api.post("/goals/bulk-edit", {**body, "mode": "each"}, expect=200)
    assert each["counts"] == {"changed": 1, "refused": 7}
    assert [row["outcome"] for row in each["items"]][:2] == ["changed", "refused"]
    assert {row["problem"]["pointer"] for row in each["items"] if row["problem"]} == set(told)
    assert (await api.get(f"/goals/{goals[0]['id']}"))["target"]["value"] == "120"


async def test_a_target_needs_a_reason(with_calls: Api) -> None:
    made = await goal(with_calls)
    items = [{"id": made["id"], "target": {"value": "120"}}]
    problem = await with_calls.post("/goals/bulk-edit", {"items": items}, expect=422)
    assert problem["errors"][0]["pointer"] == "/items/0/reason"
    items[0]["reason"] = "More calls."
    await with_calls.post("/goals/bulk-edit", {"items": items}, expect=200)
    assert (await revisions(with_calls, made["id"]))[1]["reason"] == "More calls."


async def test_all_goals_that_are_found_are_raised(with_calls: Api) -> None:
    api = with_calls
    values = ["10", "15", "25"]
    july = [await goal(api, {"value": value, "stretch": "30"}, name=f"July {value}") for value in values]
    august = await goal(api, 100, period="2026-08")
    gone = await goal(api, 100)
    await api.delete(f"/goals/{gone['id']}")
    body = {"filter": {"kpi": "calls_made", "period": "2026-07"}, "change": {"scale": "1.1"}, "reason": "A tenth more."}
    done = await api.post("/goals/bulk-edit", body, expect=200)
    assert [row["id"] for row in done["items"]] == [each["id"] for each in july]
    assert [row["new"]["value"] for row in done["items"]] == ["11", "17", "28"]  # 16.5 and 27.5 upwards
    assert {row["new"]["stretch"] for row in done["items"]} == {"33"}
    assert (await api.get(f"/goals/{august['id']}"))["target"]["value"] == "100"
    set_all = {"filter": {"period": "2026-07"}, "change": {"set": {"expected": "linear"}}}
    assert (await api.post("/goals/bulk-edit", set_all, expect=200))["counts"] == {"changed": 3}
    assert (await api.post("/goals/bulk-edit", set_all, expect=200))["counts"] == {"unchanged": 3}
    nobody = {**body, "filter": {"kpi": "calls_made", "period": "2031"}}
    assert (await api.post("/goals/bulk-edit", nobody, expect=200)) == {"items": [], "counts": {}}


async def test_a_scaled_sum_is_kept_where_that_is_asked_for(with_calls: Api) -> None:
    for value in ("15", "15", "15"):
        await goal(with_calls, value)
    body = {"filter": {"kpi": "calls_made"}, "change": {"scale": "1.1", "keep_sum": True}, "reason": "More."}
    done = await with_calls.post("/goals/bulk-edit", body, expect=200)
    assert [row["new"]["value"] for row in done["items"]] == ["17", "17", "16"]  # 49.5, rounded to 50


async def test_what_a_filter_finds_is_refused_by_its_name(with_calls: Api) -> None:
    made = await goal(with_calls, 100, name="Locked one")
    await with_calls.post(f"/goals/{made['id']}/lock", {"reason": "Agreed."})
    body = {"filter": {"kpi": "calls_made"}, "change": {"scale": "2"}, "reason": "More."}
    problem = await with_calls.post("/goals/bulk-edit", body, expect=422)
    assert problem["errors"][0]["pointer"] == "/change"
    assert "Locked one" in problem["errors"][0]["message"]
    tiny = {**body, "change": {"scale": "0.001"}}
    await with_calls.post(f"/goals/{made['id']}/unlock", {"reason": "Anew."})
    problem = await with_calls.post("/goals/bulk-edit", tiny, expect=422)
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == ("/change/scale", "target_out_of_range")


async def test_relative_targets_of_many_have_each_its_baseline(with_calls: Api) -> None:
    api = with_calls
    await post_events(api, happened("call.made", "2026-06-10T10:00:00Z", 40))
    made = await goal(api, 100)
    lacking = await goal(api, 100, period="2026-01")
    target = {"change": {"by": "0.10", "on": "2026-06"}}
    items = [{"id": made["id"], "target": target}]
    done = await api.post("/goals/bulk-edit", {"items": items, "reason": "A tenth more."}, expect=200)
    assert (done["items"][0]["new"]["value"], done["items"][0]["new"]["baseline"]["value"]) == ("44", "40")
    problem = await api.post(
        "/goals/bulk-edit",
        {"items": [{"id": lacking["id"], "target": {"change": {"by": "0.10", "on": "2026-07"}}}], "reason": "More."},
        expect=422,
    )
    assert problem["errors"][0]["pointer"] == "/items/0/target/change/on"
    shown = await api.post("/goals/bulk-edit/preview", {"items": items, "reason": "Again."}, expect=200)
    assert shown["items"][0]["new"]["value"] == "44"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"items": []}, ""),
        ({"filter": {}, "change": {"scale": "1.1"}}, "/filter"),
        ({"filter": {"kpi": "calls_made"}}, ""),
        ({"change": {"scale": "1.1"}}, ""),
        ({"filter": {"kpi": "calls_made"}, "change": {}}, "/change"),
        ({"filter": {"kpi": "calls_made"}, "change": {"scale": "0"}}, "/change/scale"),
        ({"filter": {"kpi": "calls_made"}, "change": {"scale": "1e400"}}, "/change/scale"),
        ({"filter": {"kpi": "calls_made"}, "change": {"keep_sum": True}}, "/change"),
        ({"filter": {"kpi": "calls_made"}, "change": {"scale": "2", "set": {"stretch": "1"}}}, "/change"),
        ({"filter": {"period": "July"}, "change": {"scale": "1.1"}, "reason": "x"}, "/filter/period"),
        ({"items": [{"id": "x"}]}, "/items/0/id"),
        ({"items": [{"id": str(uuid4()), "target": {"value": "1e40"}}]}, "/items/0/target/value"),
        ({"items": [{"id": str(uuid4())}] * 501}, "/items"),
        ({"items": [{"id": str(uuid4())}], "mode": "some"}, "/mode"),
        ({"items": [{"id": str(uuid4())}], "reason": " "}, "/reason"),
    ],
)
async def test_what_makes_no_sense_is_told(with_calls: Api, body: dict[str, Any], pointer: str) -> None:
    for path in ("/goals/bulk-edit", "/goals/bulk-edit/preview"):
        problem = await with_calls.post(path, body, expect=422)
        assert problem["errors"][0]["pointer"] == pointer, problem


async def test_whoever_may_only_propose_changes_nothing_of_others(with_calls: Api) -> None:
    api = with_calls
    member = await api.post("/members", {"name": "Ana"}, expect=201)
    ana = await api.key("member", ["goals:read", "goals:write"], member["id"])
    made = await goal(api)
    body = {"items": [{"id": made["id"], "target": {"value": "1"}}], "reason": "Easier."}
    problem = await ana.post("/goals/bulk-edit", body, expect=422)
    assert problem["errors"][0]["code"] == "goal-not-yours"
    assert len(await revisions(api, made["id"])) == 1


async def test_500_goals_are_changed_in_one_request(with_calls: Api) -> None:
    api = with_calls
    ids = [(await goal(api, 100, name=f"Goal {n}"))["id"] for n in range(120)]
    items = [{"id": goal_id, "target": {"value": str(n + 101)}, "weight": "2"} for n, goal_id in enumerate(ids)]
    done = await api.post("/goals/bulk-edit", {"items": items, "reason": "More."}, expect=200)
    assert done["counts"] == {"changed": len(ids)}


@given(
    st.lists(st.decimals(min_value="0.01", max_value=10**9, places=2), min_size=1, max_size=20),
    st.decimals(min_value="0.001", max_value=100, places=3),
    st.integers(min_value=0, max_value=4),
)
def test_scaled_parts_add_up_to_the_scaled_sum(values: list[Decimal], factor: Decimal, decimals: int) -> None:
    unit = Decimal(1).scaleb(-decimals)
    parts = scaled_together(values, factor, unit)
    assert sum(parts) == scaled(sum(values, Decimal(0)), factor, unit)
    assert all(abs(part - value * factor) < unit for part, value in zip(parts, values, strict=True)) or len(values) > 1
    assert all(part % unit == 0 for part in parts)


def test_scaling_rounds_a_half_upwards() -> None:
    assert scaled(Decimal("0.4"), Decimal("1.1"), Decimal("0.001")) == Decimal("0.440")
    assert scaled(Decimal("0.5"), Decimal("1.1"), Decimal("0.1")) == Decimal("0.6")


async def test_a_row_that_is_refused_for_one_thing_changes_nothing_else(with_calls: Api) -> None:
    api = with_calls
    made, other = await goal(api), await goal(api, name="Other")
    items = [
        {"id": made["id"], "target": {"value": "120"}, "name": "New", "parent_id": str(uuid4())},
        {"id": other["id"], "target": {"value": "130"}, "parent_id": made["id"]},
    ]
    done = await api.post("/goals/bulk-edit", {"items": items, "reason": "More.", "mode": "each"}, expect=200)
    assert [row["outcome"] for row in done["items"]] == ["refused", "changed"]
    assert done["items"][0]["problem"]["pointer"] == "/items/0/parent_id"
    assert await api.get(f"/goals/{made['id']}") == made
    changed = await api.get(f"/goals/{other['id']}")
    assert (changed["version"], changed["target"]["value"], changed["parent_id"]) == (2, "130", made["id"])
    assert len(await revisions(api, other["id"])) == 2


async def test_rows_of_one_request_make_no_circle(with_calls: Api) -> None:
    api = with_calls
    one, two, three = [await goal(api, name=f"Goal {n}") for n in range(3)]
    items = [
        {"id": one["id"], "target": {"value": "120"}},
        {"id": two["id"], "parent_id": one["id"], "target": {"value": "110"}},
        {"id": three["id"], "parent_id": two["id"]},
        {"id": one["id"], "parent_id": three["id"]},
    ]
    asked = {"items": items[1:], "reason": "A tree.", "mode": "each"}
    for path in ("/goals/bulk-edit/preview", "/goals/bulk-edit"):
        done = await api.post(path, asked, expect=200)
        assert [row["outcome"] for row in done["items"]] == ["changed", "changed", "refused"], path
        assert done["items"][2]["problem"]["code"] == "parent_circular"


async def test_more_rows_are_not_more_statements(with_calls: Api) -> None:
    ids = [(await goal(with_calls, name=f"Goal {n}"))["id"] for n in range(30)]
    asked = [
        {"id": goal_id, "target": {"value": str(n + 110)}, "weight": "2", "name": f"New {n}"}
        for n, goal_id in enumerate(ids)
    ]
    counts = []
    for items in (asked[:3], asked[3:]):
        with statements(with_calls.world.database) as seen:
            await with_calls.post("/goals/bulk-edit", {"items": items, "reason": "More."}, expect=200)
        counts.append(len(seen))
    assert counts[0] == counts[1] < 25


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What SQLAlchemy sends meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
