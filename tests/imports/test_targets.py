"""Files of targets: all terms of goals in columns, each row by the rules that hold for one goal."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, post_events
from tests.goals.test_export import exported
from tests.goals.test_export import rows_of as rows_exported
from tests.imports.posting import download, imported, rows_of, table
from tests.support import Api

HEAD = ["kpi", "period", "member", "amount", "name", "parent", "state"]


def lines_of(rows: list[dict[str, str]]) -> str:
    """The rows as a CSV."""
    return table([list(rows[0]), *[list(row.values()) for row in rows]])


@pytest.fixture
async def with_calls(api: Api) -> Api:
    """An organization that counts calls."""
    await define(api, "calls_made", "revenue_won")
    return api


async def test_a_sales_manager_edits_the_exported_sheet(with_calls: Api) -> None:
    """40 goals are raised by 5 %, one of them to what cannot be; told dry, mended, imported, and in each history."""
    api = with_calls
    manager = await api.key("manager", ["goals:read", "goals:write", "organization:read"])
    for n in range(40):
        member = await api.post("/members", {"name": f"Rep {n}", "email": f"rep{n}@example.com"}, expect=201)
        body = {"owner": {"type": "member", "id": member["id"]}, "kpi": "calls_made", "period": "2026-07"}
        await api.post("/goals", body | {"name": f"Calls {n}", "target": {"value": str(100 + 20 * n)}}, expect=201)
    rows = await rows_exported(manager, owner_type="member")
    wanted = {row["goal"]: str(int(row["amount"]) * 105 // 100) for row in rows}
    for row in rows:
        row |= {"amount": wanted[row["goal"]], "reason": "Five percent more for all."}
    rows[7]["amount"] = "-5"
    rehearsed = await imported(manager, lines_of(rows), "targets", dry_run="true")
    assert rehearsed["counts"] == {"updated": 39, "rejected": 1}
    assert [(each["row"], each["column"]) for each in rehearsed["problems"]] == [(9, "amount")]
    assert {each["version"] for each in (await api.get("/goals", limit=200))["items"]} == {1}
    first = await imported(manager, lines_of(rows), "targets")
    assert first["counts"] == rehearsed["counts"]
    report = rows_of((await download(manager, first["id"])).decode("utf-8-sig"))
    report[0]["amount"] = wanted[rows[7]["goal"]]
    assert (await imported(manager, lines_of(report), "targets"))["counts"] == {"updated": 1}
    assert (await imported(manager, lines_of(report), "targets"))["counts"] == {"unchanged": 1}
    for goal_id, value in wanted.items():
        before, after = (await api.get(f"/goals/{goal_id}/targets"))["items"]
        assert (after["reason"], after["new"]["value"]) == ("Five percent more for all.", value)
        assert (after["old"]["value"], before["new"]["value"]) == (before["new"]["value"],) * 2
        assert after["changed_by"].startswith("key:")
        assert after["changed_by"] != before["changed_by"]
        assert after["recorded_at"] == before["superseded_at"]


async def test_all_terms_of_new_goals_are_columns(with_calls: Api) -> None:
    api = with_calls
    await post_events(api, happened("call.made", "2026-06-10T10:00:00Z", 40))
    await api.post("/members", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    head = ["kpi", "period", "member", "amount", "stretch", "currency", "weight", "parent", "expected", "milestones"]
    head += ["name", "description", "state", "reason", "change_by", "change_on", "change_stretch", "counts"]
    blank = dict.fromkeys(head, "")
    whole = {"kpi": "calls_made", "period": "2026-Q3", "amount": "1000", "name": "Whole", "counts": "parts"}
    part = {"kpi": "calls_made", "period": "2026-07", "member": "Ada", "amount": "100", "stretch": "120"}
    part |= {"weight": "2", "parent": "Whole", "expected": "linear", "milestones": "Half way=50%@2026-07-15; Last=90"}
    part |= {"name": "Part", "description": "Why not.", "state": "draft", "reason": "First."}
    money = {"kpi": "revenue_won", "period": "2026-07", "amount": "1 250.50", "currency": "PLN", "state": "Active"}
    more = {"kpi": "calls_made", "period": "2026-07", "name": "More", "change_by": "10%", "change_stretch": "20%"}
    lines = [blank | row for row in (whole, part, money, more)]
    lines[3]["change_on"] = "2026-06"
    rehearsed = await imported(api, lines_of(lines), "targets", dry_run="true")
    assert rehearsed["problems"] == []
    assert (await imported(api, lines_of(lines), "targets"))["counts"] == rehearsed["counts"] == {"created": 4}
    goals = {each["name"]: each for each in (await api.get("/goals"))["items"]}
    made = goals["Part"]
    assert (made["weight"], made["parent_id"], made["expected"], made["state"]) == (
        "2",
        goals["Whole"]["id"],
        "linear",
        "draft",
    )
    assert [each["key"] for each in made["milestones"]] == ["m1", "m2"]
    assert goals["Whole"]["counts"] == "parts"
    assert (goals["revenue_won 2026-07"]["currency"], goals["revenue_won 2026-07"]["state"]) == ("PLN", "active")
    assert (goals["More"]["target"]["value"], goals["More"]["target"]["stretch"]) == ("44", "48")
    assert (await imported(api, lines_of(lines), "targets"))["counts"] == {"unchanged": 4}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"goal": "x"}, "goal"),
        ({"goal": "01985e2c-7a52-7cc1-8a5e-6d2f3b9c4e10"}, "goal"),
        ({"kpi": "revenue_won"}, "kpi"),
        ({"period": "2026-08"}, "period"),
        ({"period": "Jul-26"}, "period"),
        ({"first_day": "2026-07-02"}, "first_day"),
        ({"last_day": "2026-08-01"}, "last_day"),
        ({"member": "ada@example.com"}, "member"),
        ({"currency": "EUR"}, "currency"),
        ({"rate_set": "daily"}, "rate_set"),
        ({"amount": "many"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "1e30"}, "amount"),
        ({"stretch": "50"}, "stretch"),
        ({"low": "1", "high": "2"}, "amount"),
        ({"weight": "0"}, "weight"),
        ({"parent": "Nothing"}, "parent"),
        ({"counts": "some"}, "counts"),
        ({"expected": "never"}, "expected"),
        ({"ramp": "Slow"}, "ramp"),
        ({"milestones": "Half way"}, "milestones"),
        ({"milestones": "Half way=50%@2026-09-15"}, "milestones"),
        ({"yields": "kpi.("}, "yields"),
        ({"state": "closed"}, "state"),
        ({"state": "proposed"}, "state"),
        ({"version": "7", "amount": "120"}, "version"),
        ({"change_by": "10%", "amount": "120"}, "amount"),
        ({"change_by": "10%", "change_on": "2031"}, "change_on"),
        ({"change_on": "2026-06"}, "change_by"),
        ({"name": "x" * 201}, "name"),
    ],
)
async def test_each_cell_that_cannot_be_is_told_by_its_column(
    with_calls: Api, cells: dict[str, str], column: str
) -> None:
    api = with_calls
    await api.post("/members", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    body = {"name": "Calls", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-07"}
    goal = await api.post("/goals", body | {"target": {"value": "100"}}, expect=201)
    rows = await rows_exported(api)
    told = await imported(api, lines_of([rows[0] | cells]), "targets")
    assert (told["counts"], [each["column"] for each in told["problems"]]) == ({"rejected": 1}, [column]), told[
        "problems"
    ]
    assert await api.get(f"/goals/{goal['id']}") == goal


async def test_whoever_imports_may_do_what_their_key_may(with_calls: Api) -> None:
    api = with_calls
    ada = await api.post("/members", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    await api.post("/members", {"name": "Bo", "email": "bo@example.com"}, expect=201)
    key = await api.key("member", ["goals:read", "goals:write", "organization:read"], ada["id"])
    lines = [
        HEAD,
        *[["calls_made", "2026-07", who, "100", who, "", ""] for who in ("ada@example.com", "bo@example.com")],
    ]
    told = await imported(key, table(lines), "targets")
    assert told["counts"] == {"created": 1, "rejected": 1}
    assert [(each["row"], each["column"]) for each in told["problems"]] == [(3, None)]
    goals = (await api.get("/goals"))["items"]
    assert [(each["name"], each["state"], each["proposer_id"]) for each in goals] == [
        ("ada@example.com", "proposed", ada["id"])
    ]


async def test_locked_goals_stay_as_they_are(with_calls: Api) -> None:
    api = with_calls
    lines = [HEAD, ["calls_made", "2026-07", "", "100", "Calls", "", ""]]
    await imported(api, table(lines), "targets")
    goal = (await api.get("/goals"))["items"][0]
    await api.post(f"/goals/{goal['id']}/lock", {"reason": "Agreed."})
    assert (await imported(api, table(lines), "targets"))["counts"] == {"unchanged": 1}
    lines[1][3] = "90"
    assert (await imported(api, table(lines), "targets"))["counts"] == {"rejected": 1}


async def test_proposals_are_decided_by_their_state(with_calls: Api) -> None:
    api = with_calls
    lines = [HEAD, ["calls_made", "2026-07", "", "100", "Calls", "", "draft"]]
    await imported(api, table(lines), "targets")
    states = []
    for state in ("proposed", "draft", "proposed", "open", "active"):
        lines[1][-1] = state
        counts = (await imported(api, table(lines), "targets"))["counts"]
        states.append((*counts, (await api.get("/goals"))["items"][0]["state"]))
    moved = [("updated", state) for state in ("proposed", "draft", "proposed", "active")]
    assert states == [*moved, ("unchanged", "active")]


async def test_parents_may_stand_in_the_same_file(with_calls: Api) -> None:
    lines: list[list[Any]] = [HEAD, ["calls_made", "2026-Q3", "", "1000", "Whole", "", ""]]
    lines += [["calls_made", f"2026-07-01..2026-07-{n:02}", "", "1", f"Part {n}", "Whole", ""] for n in range(2, 31)]
    lines += [
        ["calls_made", f"2026-08-01..2026-08-{n:02}", "", "1", f"Part {n + 30}", "Whole", ""] for n in range(2, 31)
    ]
    rehearsed = await imported(with_calls, table(lines), "targets", dry_run="true")
    told = await imported(with_calls, table(lines), "targets")
    assert rehearsed["counts"] == told["counts"] == {"created": 59}
    content = await exported(with_calls)
    assert (await imported(with_calls, content, "targets"))["counts"] == {"unchanged": 59}


async def test_a_file_of_ids_needs_no_other_columns(with_calls: Api) -> None:
    await imported(with_calls, table([HEAD, ["calls_made", "2026-07", "", "100", "Calls", "", ""]]), "targets")
    goal = (await with_calls.get("/goals"))["items"][0]
    told = await imported(with_calls, table([["goal", "amount"], [goal["id"], "120"]]), "targets")
    assert told["counts"] == {"updated": 1}
    assert (await with_calls.get(f"/goals/{goal['id']}"))["target"]["value"] == "120"
