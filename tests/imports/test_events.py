"""Files of events, posted over HTTP and worked on."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.imports.models import ImportSeen
from tests.imports.posting import imported, rejected, table, workbook
from tests.support import Api

HEADER = ["external_id", "type", "occurred_at", "actor_id", "about.deal", "amount", "currency", "properties.region"]


async def events(api: Api) -> dict[str, Any]:
    """The events that stand, by their ids in the source."""
    found = (await api.get("/events", limit=200))["items"]
    return {each["external_id"]: each for each in found}


async def test_a_file_of_events_is_as_if_they_were_posted(api: Api) -> None:
    lines = [
        HEADER,
        ["deal-1", "deal.won", "2026-07-10T09:31:05Z", "7421", "D-77", "1250.50", "EUR", "north"],
        ["call-1", "call.made", "2026-07-10T09:31:05+02:00", "7421", "", "", "", ""],
    ]
    told = await imported(api, table(lines), "events", name="july.csv")
    assert (told["state"], told["done"], told["total"]) == ("succeeded", 2, 2)
    assert told["counts"] == {"accepted": 2}
    assert told["name"] == "july.csv"
    found = await events(api)
    deal = found["deal-1"]
    assert deal["amount"] == {"value": "1250.5", "currency": "EUR"}
    assert deal["about"] == {"deal": "D-77"}
    assert deal["properties"] == {"region": "north"}
    assert deal["actor"]["id"] == "7421"
    assert deal["origin"] == {"via": "import", "import_id": told["id"]}
    assert found["call-1"]["occurred_at"] == "2026-07-10T07:31:05Z"


async def test_the_same_file_again_changes_nothing(api: Api) -> None:
    file = table([HEADER, ["call-1", "call.made", "2026-07-10T09:31:05Z", "7421", "", "", "", ""]])
    assert (await imported(api, file, "events"))["counts"] == {"accepted": 1}
    assert (await imported(api, file, "events"))["counts"] == {"duplicate": 1}


async def test_local_times_are_in_the_organizations_zone(api: Api) -> None:
    lines = [
        ["external_id", "type", "occurred_at"],
        ["summer", "call.made", "2026-07-10 09:31"],
        ["day", "call.made", "2026-07-10"],
        ["doubled", "call.made", "2025-10-26T02:30:00"],
        ["gap", "call.made", "2026-03-29T02:30:00"],
    ]
    told = await imported(api, table(lines), "events")
    assert told["counts"] == {"accepted": 3, "rejected": 1}
    assert told["doubled_times"] == 1
    found = await events(api)
    assert found["summer"]["occurred_at"] == "2026-07-10T07:31:00Z"
    assert (found["day"]["occurred_at"], found["day"]["occurred_on"]) == ("2026-07-09T22:00:00Z", "2026-07-10")
    assert found["doubled"]["occurred_at"] == "2025-10-26T00:30:00Z"
    [row] = await rejected(api, told["id"])
    assert row["external_id"] == "gap"
    assert (row["problem_row"], row["problem_column"]) == ("5", "occurred_at")
    assert "does not exist in Europe/Warsaw" in row["problem"]


async def test_bad_rows_are_reported_and_do_not_hold_others_up(api: Api) -> None:
    lines = [
        HEADER,
        ["good", "call.made", "2026-07-10T09:31:05Z", "", "", "", "", ""],
        ["", "call.made", "2026-07-10T09:31:05Z", "", "", "", "", ""],
        ["type", "Call Made", "2026-07-10T09:31:05Z", "", "", "", "", ""],
        ["when", "call.made", "yesterday", "", "", "", "", ""],
        ["money", "deal.won", "2026-07-10T09:31:05Z", "", "", "a lot", "EUR", ""],
        ["currency", "deal.won", "2026-07-10T09:31:05Z", "", "", "1", "EURO", ""],
        ["wide", "deal.won", "2026-07-10T09:31:05Z", "", "", "1", "EUR", "", "more"],
    ]
    told = await imported(api, table(lines), "events")
    assert told["counts"] == {"accepted": 1, "rejected": 6}
    rows = await rejected(api, told["id"])
    assert [row["problem_row"] for row in rows] == ["3", "4", "5", "6", "7", "8"]
    assert [row["problem_column"] for row in rows] == ["external_id", "type", "occurred_at", "amount", "currency", ""]
    assert {problem["row"] for problem in told["problems"]} == {3, 4, 5, 6, 7, 8}
    assert set(await events(api)) == {"good"}


async def test_a_conflict_is_counted_as_such_and_reported(api: Api) -> None:
    head = ["external_id", "type", "occurred_at", "version"]
    lines = [
        head,
        ["a", "call.made", "2026-07-10T09:00:00Z", "1"],
        ["a", "call.made", "2026-07-10T10:00:00Z", "1"],
        ["a", "call.made", "2026-07-10T11:00:00Z", "2"],
    ]
    told = await imported(api, table(lines), "events")
    assert told["counts"] == {"accepted": 1, "conflict": 1, "corrected": 1}
    [row] = await rejected(api, told["id"])
    assert "send a higher version" in row["problem"]


async def test_a_spreadsheet_with_its_own_types(api: Api) -> None:
    lines: list[list[Any]] = [
        HEADER,
        ["deal-1", "deal.won", datetime(2026, 7, 10, 9, 31, 5), 7421, "D-1", 1250.5, "EUR", "north"],
        ["long", "deal.won", datetime(2026, 7, 10), 9007199254740993, "D-1", 0.1, "EUR", "north"],
        [],
        ["day", "call.made", datetime(2026, 7, 10), None, "007", None, None, True],
    ]
    told = await imported(api, workbook(lines), "events")
    assert told["counts"] == {"accepted": 2, "rejected": 1}
    found = await events(api)
    assert found["deal-1"]["occurred_at"] == "2026-07-10T07:31:05Z"
    assert found["deal-1"]["actor"]["id"] == "7421"
    assert found["deal-1"]["amount"] == {"value": "1250.5", "currency": "EUR"}
    assert found["day"]["occurred_on"] == "2026-07-10"
    assert found["day"]["about"] == {"deal": "007"}
    assert found["day"]["properties"] == {"region": True}
    [row] = await rejected(api, told["id"])
    assert (row["problem_row"], row["problem_column"]) == ("3", "actor_id")
    assert "rounded by a spreadsheet" in row["problem"]


async def test_a_dry_run_gives_the_same_verdicts_and_stores_nothing(api: Api) -> None:
    lines = [
        ["external_id", "type", "occurred_at", "version"],
        *[[f"e{n % 7}", "call.made", f"2026-07-10T09:{n:02}:00Z", str(n % 3)] for n in range(40)],
        ["bad", "call.made", "never", "1"],
    ]
    rehearsed = await imported(api, table(lines), "events", dry_run="true")
    assert rehearsed["dry_run"]
    assert await events(api) == {}
    before = await rejected(api, rehearsed["id"])
    async with api.world.database.read(api.org_id) as session:
        assert (await session.execute(select(ImportSeen).where(ImportSeen.org_id == api.org_id))).first() is None
    told = await imported(api, table(lines), "events")
    assert rehearsed["counts"] == told["counts"]
    assert before == await rejected(api, told["id"])
    again = await imported(api, table(lines), "events", dry_run="true")
    assert again["counts"] == (await imported(api, table(lines), "events"))["counts"]
