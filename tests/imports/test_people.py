"""Files of members, teams and targets."""

from typing import Any

from tests.imports.posting import imported, rejected, table, workbook
from tests.support import Api

KPI = {
    "key": "calls_made",
    "name": "Calls made",
    "category": "team_performance",
    "indicator": "leading",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}
HEAD = ["email", "name", "role", "manager", "country", "fte", "assigned_from", "employed_from", "employed_to"]
MAX = ["max@example.com", "Max Berg", "team_leader", "", "PL", "", "2026-01-01", "2020-01-01", ""]
ADA = ["Ada@Example.com", "Ada Nowak", "sdr", "max@example.com", "PL", "0.8", "2026-01-01", "2024-05-01", ""]


async def members(api: Api) -> dict[str, Any]:
    """The members by their addresses."""
    return {each["email"]: each for each in (await api.get("/members", limit=200))["items"]}


async def of_member(api: Api, address: str, what: str) -> list[Any]:
    """What is dated about a member."""
    member = (await members(api))[address]
    found: list[Any] = (await api.get(f"/members/{member['id']}/{what}"))["items"]
    return found


async def test_members_with_what_they_do_and_since_when(api: Api) -> None:
    told = await imported(api, table([HEAD, MAX, ADA]), "members")
    assert told["counts"] == {"created": 2}
    known = await members(api)
    assert known["ada@example.com"]["name"] == "Ada Nowak"
    [assignment] = await of_member(api, "ada@example.com", "assignments")
    assert assignment["revenue_role"] == "sdr"
    assert assignment["manager_id"] == known["max@example.com"]["id"]
    assert (assignment["fte"], assignment["valid_from"]) == ("0.8", "2026-01-01")
    [employment] = await of_member(api, "ada@example.com", "employments")
    assert (employment["valid_from"], employment["valid_to"]) == ("2024-05-01", None)
    assert (await imported(api, table([HEAD, MAX, ADA]), "members"))["counts"] == {"unchanged": 2}


async def test_a_later_assignment_ends_the_one_before(api: Api) -> None:
    await imported(api, table([HEAD, MAX, ADA]), "members")
    promoted = [ADA[0], "", "account_executive", "", "", "", "2026-07-01", "", "2026-12-01"]
    assert (await imported(api, table([HEAD, promoted]), "members"))["counts"] == {"updated": 1}
    first, second = await of_member(api, "ada@example.com", "assignments")
    assert (first["revenue_role"], first["valid_to"]) == ("sdr", "2026-07-01")
    assert (second["revenue_role"], second["valid_from"], second["fte"]) == ("account_executive", "2026-07-01", "0.8")
    assert second["manager_id"] == first["manager_id"]
    [employment] = await of_member(api, "ada@example.com", "employments")
    assert employment["valid_to"] == "2026-12-01"


async def test_rows_that_cannot_be_are_reported_and_leave_nothing(api: Api) -> None:
    lines = [
        HEAD,
        ["nobody", "No Address", "", "", "", "", "", "", ""],
        ["bo@example.com", "", "", "", "", "", "", "", ""],
        ["cy@example.com", "Cy", "sdr", "ghost@example.com", "", "", "", "", ""],
        ["di@example.com", "Di", "sdr", "", "Poland", "", "", "", ""],
        ["ed@example.com", "Ed", "sdr", "", "", "2", "", "", ""],
        ["fo@example.com", "Fo", "", "", "", "", "", "2026-02-01", "2026-01-01"],
        ["gil@example.com", "Gil", "", "", "", "", "", "", ""],
    ]
    told = await imported(api, table(lines), "members")
    assert told["counts"] == {"rejected": 6, "created": 1}
    rows = await rejected(api, told["id"])
    columns = ["email", "name", "manager", "country", "fte", "employed_to"]
    assert [row["problem_column"] for row in rows] == columns
    assert set(await members(api)) == {"gil@example.com"}


async def test_a_dry_run_of_members_knows_the_rows_before(api: Api) -> None:
    crowd = [[f"m{n}@example.com", f"M {n}", "sdr", "max@example.com", "", "", "", "", ""] for n in range(150)]
    lines = [HEAD, MAX, *crowd, ADA, ["x@example.com", "X", "sdr", "ghost@example.com", "", "", "", "", ""], MAX]
    rehearsed = await imported(api, table(lines), "members", dry_run="true")
    assert rehearsed["counts"] == {"created": 152, "rejected": 1, "unchanged": 1}
    assert await members(api) == {}
    assert (await imported(api, table(lines), "members"))["counts"] == rehearsed["counts"]
    assert len(await members(api)) == 152


async def test_a_tree_of_teams_with_who_is_in_them(api: Api) -> None:
    await imported(api, table([HEAD, MAX, ADA]), "members")
    lines = [
        ["team", "parent", "member", "membership", "member_from"],
        ["Europe", "", "", "", ""],
        ["North", "Europe", "max@example.com", "lead", "2026-01-01"],
        ["North", "Europe", "ada@example.com", "", "2026-01-01"],
        ["South", "Asia", "", "", ""],
        ["Europe", "North", "", "", ""],
        ["North", "", "ghost@example.com", "", ""],
    ]
    rehearsed = await imported(api, workbook(lines), "teams", dry_run="true")
    told = await imported(api, workbook(lines), "teams")
    assert told["counts"] == rehearsed["counts"] == {"created": 3, "rejected": 3}
    teams = {each["name"]: each for each in (await api.get("/teams"))["items"]}
    assert set(teams) == {"Europe", "North"}
    assert teams["North"]["parent_id"] == teams["Europe"]["id"]
    found = (await api.get(f"/teams/{teams['North']['id']}/memberships"))["items"]
    assert {each["member_name"]: each["kind"] for each in found} == {"Max Berg": "lead", "Ada Nowak": "member"}
    rows = await rejected(api, told["id"])
    assert [row["problem_column"] for row in rows] == ["parent", "parent", "member"]
    again = [lines[0], *lines[1:4]]
    assert (await imported(api, table(again), "teams"))["counts"] == {"unchanged": 3}


async def test_targets_make_goals_and_revise_them(api: Api) -> None:
    await api.post("/kpis", KPI, expect=201)
    await imported(api, table([HEAD, MAX]), "members")
    await imported(api, table([["team"], ["North"]]), "teams")
    head = ["kpi", "period", "member", "team", "amount", "name"]
    lines = [
        head,
        ["calls_made", "2026-07", "max@example.com", "", "100", "Calls of Max"],
        ["calls_made", "2026-07", "", "North", "1 000", ""],
        ["calls_made", "2026-Q3", "", "", "5000", ""],
        ["calls", "2026-07", "", "", "1", ""],
        ["calls_made", "July", "", "", "1", ""],
        ["calls_made", "2026-07", "max@example.com", "North", "1", ""],
        ["calls_made", "2026-08", "", "", "-1", ""],
        ["calls_made", "2026-07", "max@example.com", "", "120", ""],
    ]
    rehearsed = await imported(api, table(lines), "targets", dry_run="true")
    told = await imported(api, table(lines), "targets")
    assert told["counts"] == rehearsed["counts"] == {"created": 3, "rejected": 4, "updated": 1}
    goals = {each["name"]: each for each in (await api.get("/goals"))["items"]}
    assert goals["Calls of Max"]["target"]["value"] == "120"
    history = f"/goals/{goals['Calls of Max']['id']}/targets"
    assert len((await api.get(history))["items"]) == 1  # nobody ever saw the 100 of the same file
    rows = await rejected(api, told["id"])
    assert [row["problem_column"] for row in rows] == ["kpi", "period", "team", "amount"]
    assert (await imported(api, table([head, lines[2]]), "targets"))["counts"] == {"unchanged": 1}
    later = ["calls_made", "2026-07", "max@example.com", "", "130", ""]
    assert (await imported(api, table([head, later]), "targets"))["counts"] == {"updated": 1}
    assert [each["new"]["value"] for each in (await api.get(history))["items"]] == ["120", "130"]
