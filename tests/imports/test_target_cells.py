"""A sales manager's sheet of targets: what people write in cells, and what a refusal tells them to write instead."""

from typing import Any

import pytest

from tests.goals.facts import define
from tests.imports.posting import imported, rejected, table, workbook
from tests.support import Api

HEAD = ["member", "kpi", "period", "amount", "name", "weight", "state", "reason"]


@pytest.fixture
async def sales(api: Api) -> Api:
    """An organization with a member and KPIs."""
    await define(api, "calls_made", "revenue_won", "win_rate")
    await api.post("/members", {"name": "Ada", "email": "ada@example.com"}, expect=201)
    return api


def line(**cells: Any) -> list[Any]:
    """A row with these cells."""
    row = {"member": "ada@example.com", "kpi": "calls_made", "period": "2026-07", "amount": "100"} | cells
    return [row.get(name, "") for name in HEAD]


@pytest.mark.parametrize(
    ("cells", "column", "tells"),
    [
        ({"amount": "120k"}, "amount", "write 120000"),
        ({"amount": "1.5M"}, "amount", "write 1500000"),
        ({"amount": "100 EUR"}, "amount", "write the number alone"),
        ({"amount": "10%"}, "amount", "write 0.1"),
        ({"amount": "=1+1"}, "amount", "is no number"),
        ({"amount": "-5"}, "amount", "above 0"),
        ({"amount": "0"}, "amount", "above 0"),
        ({"amount": "1e40"}, "amount", "no more than 24 digits"),
        ({"amount": "9" * 40}, "amount", "no more than 24 digits"),
        ({"amount": "1e400"}, "amount", "is no number"),
        ({"amount": "NaN"}, "amount", "is no number"),
        ({"amount": "#REF!"}, "amount", "spreadsheet's error"),
        ({"amount": ""}, "amount", "write an amount"),
        ({"weight": "0"}, "weight", "greater than 0"),
        ({"period": "2026-13"}, "period", "write 1 to 12"),
        ({"period": "July"}, "period", "July"),
        ({"kpi": "calls_maid"}, "kpi", "calls_maid"),
        ({"member": "bo@example.com"}, "member", "no member"),
        ({"state": "won"}, "state", "draft"),
        ({"kpi": ""}, "kpi", "must not be empty"),
    ],
)
async def test_a_cell_that_cannot_be_taken_is_told_with_its_place(
    sales: Api, cells: dict[str, Any], column: str, tells: str
) -> None:
    body = table([HEAD, line(), line(period="2026-08", **cells) if "period" not in cells else line(**cells)])
    rehearsed = await imported(sales, body, "targets", dry_run="true")
    told = await imported(sales, body, "targets")
    assert told["counts"] == rehearsed["counts"] == {"created": 1, "rejected": 1}
    row = (await rejected(sales, told["id"]))[0]
    assert (row["problem_row"], row["problem_column"]) == ("3", column)
    assert tells in row["problem"]


@pytest.mark.parametrize("cell", ["1 200", "1'200", "1\u00a0200", "1,200", "1200.00", "+1200", "1.2e3"])
async def test_thousands_are_read_as_people_write_them(sales: Api, cell: str) -> None:
    told = await imported(sales, table([HEAD, line(amount=cell)]), "targets")
    assert told["problems"] == []
    assert (await sales.get("/goals"))["items"][0]["target"]["value"] == "1200"


async def test_a_sheet_of_percents_and_floats(sales: Api) -> None:
    lines = [HEAD, line(kpi="win_rate", amount=0.425), line(amount=100.0), [None] * len(HEAD)]
    told = await imported(sales, workbook(lines), "targets")
    assert told["counts"] == {"created": 2}
    values = {each["kpi"]: each["target"]["value"] for each in (await sales.get("/goals"))["items"]}
    assert values == {"win_rate": "0.425", "calls_made": "100"}


async def test_decimal_commas_hold_for_the_whole_sheet(sales: Api) -> None:
    lines = [HEAD, line(amount="12,5"), line(period="2026-08", amount="1.250,75")]
    told = await imported(sales, table(lines, ";"), "targets")
    assert told["problems"] == []
    values = [each["target"]["value"] for each in (await sales.get("/goals"))["items"]]
    assert values == ["12.5", "1250.75"]


async def test_what_nobody_may_change_is_told_with_what_to_do(sales: Api) -> None:
    made = await imported(sales, table([HEAD, line(), line(period="2026-06"), line(period="2026-08")]), "targets")
    assert made["counts"] == {"created": 3}
    goals = (await sales.get("/goals"))["items"]
    await sales.post(f"/goals/{goals[0]['id']}/lock", {"reason": "Agreed with Ada."})
    await sales.post(f"/goals/{goals[1]['id']}/close")
    await sales.delete(f"/goals/{goals[2]['id']}")
    head = ["goal", *HEAD]
    other = await sales.world.organization()
    body = table([head, *[[goal["id"], *line(period="", amount="120")] for goal in goals]])
    told = await imported(sales, body, "targets")
    assert told["counts"] == {"rejected": 3}
    problems = [row["problem"] for row in await rejected(sales, told["id"])]
    assert "unlock" in problems[0]
    assert "closed" in problems[1]
    assert "cancelled" in problems[2]
    assert {row["problem_row"] for row in await rejected(sales, told["id"])} == {"2", "3", "4"}
    foreign = await imported(other, body, "targets")
    assert foreign["counts"] == {"rejected": 3}
    assert {each["column"] for each in foreign["problems"]} == {"goal"}


async def test_200_targets_in_one_sheet_with_some_bad_rows(sales: Api) -> None:
    lines = [
        line(period=f"2026-07-{n % 28 + 1:02}..2026-08-{n // 28 + 1:02}", amount="120k" if n % 50 == 7 else str(n + 1))
        for n in range(200)
    ]
    told = await imported(sales, table([HEAD, *lines]), "targets")
    assert told["counts"] == {"created": 196, "rejected": 4}
    bad = await rejected(sales, told["id"])
    assert [row["problem_row"] for row in bad] == ["9", "59", "109", "159"]
    mended = table([list(bad[0]), *[[*({**row, "amount": "120"}).values()] for row in bad]])
    assert (await imported(sales, mended, "targets"))["counts"] == {"created": 4}
    again = await imported(sales, table([HEAD, *lines]), "targets")
    assert again["counts"] == {"unchanged": 196, "rejected": 4}
