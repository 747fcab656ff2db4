"""Goals as files over HTTP: what is exported can be edited and imported again."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook

from app.core.spreadsheets import harmless, plain
from app.goals.sheet import COLUMNS, PROGRESS_COLUMNS, milestones_cell, read_milestones
from app.imports.columns import COLUMNS as READ
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.imports.posting import XLSX, imported, table, workbook
from tests.support import Api

AWKWARD = [
    "=1+1",
    "+1 more",
    "-5",
    "@home",
    "'=quoted",
    "'plain",
    "<r>bold</r>",
    'a,b;"c"',
    "_x0041_",
    "Żółć 🚀",
    "00123",
]


async def exported(api: Api, **params: Any) -> bytes:
    """The file as it comes."""
    response = await api.call("GET", "/goals/export", expect=200, params=params)
    return response.content


async def rows_of(api: Api, **params: Any) -> list[dict[str, str]]:
    """The rows of the CSV, read as any program reads it."""
    text = (await exported(api, **params)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def sheet_of(api: Api, **params: Any) -> list[list[Any]]:
    """The lines of the XLSX, as another library reads them."""
    book = load_workbook(io.BytesIO(await exported(api, format="xlsx", **params)))
    return [list(line) for line in book.active.iter_rows(values_only=True)]


@pytest.fixture
async def sales(api: Api) -> Api:
    """An organization with goals of all kinds."""
    await define(api, "calls_made", "deals_lost", "revenue_won")
    band = {"key": "talk_share", "direction": "maintain", "unit": {"kind": "ratio"}}
    await define(api, "win_rate", **band)
    await post_events(api, happened("call.made", "2026-06-10T10:00:00Z", 40))
    await post_events(api, happened("call.made", "2026-07-09T10:00:00Z", 7))
    ada = await api.post("/members", {"name": "Ada", "email": "Ada@example.com"}, expect=201)
    bo = await member_with_identity(api, "Bo", "7422")
    team = await api.post("/teams", {"name": "=North"}, expect=201)
    whole = await api.post("/goals", _goal("All", "calls_made", "2026-Q3", {"value": "1000"}), expect=201)
    more = {
        "weight": "2.5",
        "parent_id": whole["id"],
        "expected": "linear",
        "description": 'Line one\nline two, "quoted"\n',
        "milestones": [
            {"name": "Half way", "share": "0.5", "due_on": "2026-07-15"},
            {"name": "Last; one", "value": "90"},
        ],
    }
    owner = {"type": "member", "id": ada["id"]}
    await api.post(
        "/goals",
        _goal("Ada's", "calls_made", "2026-07", {"value": "100", "stretch": "120"}, owner=owner, **more),
        expect=201,
    )
    await api.post(
        "/goals", _goal("Bo's", "deals_lost", "2026-07", {"value": "3"}, owner={"type": "member", "id": bo}), expect=201
    )
    of_team = {"owner": {"type": "team", "id": team["id"]}}
    money = {"value": "123456789012345678.25"}
    await api.post("/goals", _goal("Team's", "revenue_won", "2026-07", money, currency="PLN", **of_team), expect=201)
    await api.post("/goals", _goal("Band", "talk_share", "2026-07", {"low": "0.3", "high": "0.45"}), expect=201)
    relative = {"change": {"by": "0.10", "on": "2026-06", "stretch": "0.2"}}
    await api.post("/goals", _goal("More", "calls_made", "2026-07", relative), expect=201)
    for n, name in enumerate(AWKWARD):
        await api.post(
            "/goals", _goal(name, "calls_made", f"2026-07-01..2026-07-{n + 2:02}", {"value": "1"}), expect=201
        )
    gone = await api.post("/goals", _goal("Gone", "calls_made", "2026-07", {"value": "1"}), expect=201)
    await api.delete(f"/goals/{gone['id']}")
    await api.post("/goals", _goal("Idea", "calls_made", "2026-08", {"value": "5"}, state="draft"), expect=201)
    return api


def _goal(name: str, kpi: str, period: str, target: dict[str, Any], **fields: Any) -> dict[str, Any]:
    owner = {"type": "organization"}
    return {"name": name, "owner": owner, "kpi": kpi, "period": period, "target": target, **fields}


@pytest.mark.parametrize("params", [{}, {"bom": True}, {"format": "xlsx"}, {"with_progress": True}])
async def test_a_file_that_was_not_edited_changes_nothing(sales: Api, params: dict[str, Any]) -> None:
    before = (await sales.get("/goals", limit=200))["items"]
    content = await exported(sales, **params)
    assert content.startswith(b"PK" if "format" in params else "\ufeff".encode() if "bom" in params else b"goal,")
    rehearsed = await imported(sales, content, "targets", dry_run="true")
    assert rehearsed["problems"] == []
    assert rehearsed["counts"] == {"unchanged": len(before)}
    assert (await imported(sales, content, "targets"))["counts"] == {"unchanged": len(before)}
    assert (await sales.get("/goals", limit=200))["items"] == before


async def test_numbers_dates_and_text_stand_as_they_are(sales: Api) -> None:
    rows = {row["name"].removeprefix("'"): row for row in await rows_of(sales)}
    assert list(rows["All"]) == list(COLUMNS)
    assert rows["Team's"]["amount"] == "123456789012345678.25"
    assert (rows["Team's"]["team"], rows["Team's"]["currency"]) == ("'=North", "PLN")
    assert (rows["Ada's"]["member"], rows["Ada's"]["stretch"], rows["Ada's"]["weight"]) == (
        "Ada@example.com",
        "120",
        "2.5",
    )
    assert (rows["Band"]["low"], rows["Band"]["high"], rows["Band"]["amount"]) == ("0.3", "0.45", "")
    assert (rows["More"]["amount"], rows["More"]["change_by"], rows["More"]["change_on"]) == ("44", "0.1", "2026-06")
    assert (rows["All"]["first_day"], rows["All"]["last_day"]) == ("2026-07-01", "2026-09-30")
    assert not any(cell.startswith(("=", "@")) for row in rows.values() for cell in row.values())
    head, *lines = await sheet_of(sales)
    sheet = {line[head.index("name")]: dict(zip(head, line, strict=True)) for line in lines}
    assert sheet["Team's"]["amount"] == "123456789012345678.25"
    assert sheet["All"]["amount"] == 1000
    assert sheet["All"]["first_day"].date().isoformat() == "2026-07-01"
    assert sheet["=1+1"]["name"] == "=1+1"
    assert sheet["00123"]["name"] == "00123"


async def test_the_lists_filters_hold_and_the_order_is_the_lists(sales: Api) -> None:
    listed = (await sales.get("/goals", kpi="calls_made", owner_type="organization", limit=200))["items"]
    rows = await rows_of(sales, kpi="calls_made", owner_type="organization")
    assert [row["goal"] for row in rows] == [each["id"] for each in listed]
    assert await rows_of(sales, kpi="unknown") == []
    assert (await sheet_of(sales, state="draft"))[1][2] == "Idea"
    await sales.get("/goals/export", expect=422, colour="blue")
    await sales.get("/goals/export", expect=422, format="pdf")
    await sales.get("/goals/export", expect=422, limit=5)


async def test_progress_stands_beside_the_goals(sales: Api) -> None:
    rows = {row["name"]: row for row in await rows_of(sales, with_progress=True, kpi="calls_made")}
    assert list(rows["More"]) == [*COLUMNS, *PROGRESS_COLUMNS]
    made = await sales.get(f"/goals/{rows['More']['goal']}/progress", include="none")
    assert Decimal(rows["More"]["actual"]) == 7 == made["actual"]
    assert float(rows["More"]["attainment"]) == made["attainment"]
    assert float(rows["More"]["pace"]) == made["pace"]
    assert rows["More"]["pace_verdict"] == made["pace_verdict"]
    assert len({row["as_of"] for row in rows.values()}) == 1


async def test_a_file_has_a_name_and_an_etag(sales: Api) -> None:
    response = await sales.call("GET", "/goals/export", expect=200, params={"format": "xlsx"})
    assert response.headers["content-disposition"] == 'attachment; filename="goals.xlsx"'
    assert response.headers["content-type"] == XLSX
    etag = response.headers["etag"]
    assert etag.startswith('W/"')
    fresh = await sales.call("GET", "/goals/export", params={"format": "xlsx"}, headers={"If-None-Match": etag})
    assert fresh.status_code == 304
    goal = (await sales.get("/goals"))["items"][0]
    await sales.patch(f"/goals/{goal['id']}", {"name": "Another"})
    changed = await sales.call("GET", "/goals/export", params={"format": "xlsx"}, headers={"If-None-Match": etag})
    assert changed.status_code == 200


async def test_edited_cells_are_the_changes(sales: Api) -> None:
    rows = await rows_of(sales)
    by_name = {row["name"].removeprefix("'"): row for row in rows}
    by_name["All"] |= {"amount": "1100", "reason": "A tenth more."}
    by_name["Ada's"] |= {"weight": "3", "milestones": "none", "stretch": "none", "parent": "none"}
    by_name["Bo's"] |= {"amount": "2", "stretch": "1"}
    by_name["Band"] |= {"high": "0.5"}
    by_name["More"] |= {"change_by": "50%", "change_stretch": "75%"}
    by_name["Idea"] |= {"state": "open", "name": "Plan"}
    told = await imported(sales, table([list(rows[0]), *[list(row.values()) for row in rows]]), "targets")
    assert told["problems"] == []
    assert told["counts"] == {"updated": 6, "unchanged": len(rows) - 6}
    goals = {each["name"]: each for each in (await sales.get("/goals", limit=200))["items"]}
    assert goals["All"]["target"]["value"] == "1100"
    assert (goals["Ada's"]["weight"], goals["Ada's"]["milestones"], goals["Ada's"]["parent_id"]) == ("3", [], None)
    assert (goals["Ada's"]["target"]["value"], goals["Ada's"]["target"]["stretch"]) == ("100", None)
    assert (goals["Bo's"]["target"]["value"], goals["Bo's"]["target"]["stretch"]) == ("2", "1")
    assert (goals["Band"]["target"]["low"], goals["Band"]["target"]["high"]) == ("0.3", "0.5")
    assert (goals["More"]["target"]["value"], goals["More"]["target"]["stretch"]) == ("60", "70")
    assert goals["Plan"]["state"] == "scheduled"
    history = (await sales.get(f"/goals/{goals['All']['id']}/targets"))["items"]
    assert [each["reason"] for each in history] == ["", "A tenth more."]
    adas = goals["Ada's"]["id"]
    assert len((await sales.get(f"/goals/{adas}/targets"))["items"]) == 2


async def test_a_sheet_that_is_out_of_date_is_refused_where_it_changes_something(sales: Api) -> None:
    rows = [row for row in await rows_of(sales) if row["name"] in {"All", "Bo's"}]
    for row in rows:
        await sales.patch(f"/goals/{row['goal']}", {"description": "Meanwhile."})
    rows[0]["amount"] = "1200"
    for row in rows:
        row["description"] = ""
    told = await imported(sales, table([list(rows[0]), *[list(row.values()) for row in rows]]), "targets")
    assert told["counts"] == {"rejected": 1, "unchanged": 1}
    assert told["problems"][0]["column"] == "version"


async def test_other_organizations_goals_are_not_there(sales: Api) -> None:
    other = await sales.world.organization()
    assert await rows_of(other) == []
    rows = await rows_of(sales, kpi="revenue_won")
    told = await imported(other, table([list(rows[0]), list(rows[0].values())]), "targets")
    assert (told["counts"], told["problems"][0]["column"]) == ({"rejected": 1}, "goal")


async def test_workbooks_are_edited_too(sales: Api) -> None:
    head, *lines = await sheet_of(sales)
    for line in lines:
        row = dict(zip(head, line, strict=True))
        if row["state"] != "cancelled" and isinstance(row["amount"], int | float):
            for name in ("amount", "stretch"):
                line[head.index(name)] = row[name] and row[name] * 2
    told = await imported(sales, workbook([head, *lines]), "targets", dry_run="true")
    assert told["problems"] == []
    assert told["counts"] == {"updated": len(AWKWARD) + 5, "unchanged": 3}


def test_an_export_has_the_columns_that_an_import_reads() -> None:
    assert set(COLUMNS) <= {column.name for column in READ["targets"]}


@pytest.mark.parametrize(
    "text", [*AWKWARD, "", "'", "''=x", "-5%", "- dash", "+48 123", "-1.5e3", "=cmd|' /C calc'!A0"]
)
def test_harmless_text_is_read_as_it_was(text: str) -> None:
    assert plain(harmless(text)) == text
    assert not harmless(text).startswith(("=", "@"))


def _milestone(key: str, name: str, **told: str) -> dict[str, Any]:
    return {"key": key, "name": name, "share": None, "value": None, "due_on": None} | told


@pytest.mark.parametrize(
    ("milestones", "cell"),
    [
        ([], ""),
        ([_milestone("m1", "Half way", share="0.5", due_on="2026-07-15")], "Half way=50%@2026-07-15"),
        ([_milestone("m1", "A", value="10"), _milestone("m2", "B", share="0.125")], "A=10; B=12.5%"),
    ],
)
def test_milestones_are_told_in_words(milestones: list[dict[str, Any]], cell: str) -> None:
    assert milestones_cell(milestones) == cell
    assert len(read_milestones(cell)) == len(milestones)


@pytest.mark.parametrize("cell", ["half", "A=", "A=1,5", "=5", "A=5@", "[1]", "[", "[" * 20_000, "{}", "A=5%%"])
def test_milestones_that_cannot_be_read_are_told(cell: str) -> None:
    with pytest.raises(ValueError, match="milestone"):
        read_milestones(cell)
