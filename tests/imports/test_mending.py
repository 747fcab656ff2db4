"""However many rows are wrong at first: mended and sent again, all stands as if the file had been right at once."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.imports.posting import download, imported, rejected, rows_of, table, workbook
from tests.support import Api, World

COLUMNS = ["external_id", "version", "type", "occurred_at", "actor_id", "amount", "currency", "properties.size"]
# What is wrong, in which column, and only there.
WRONG = {
    "external_id": "",
    "version": "first",
    "type": "Call Made",
    "occurred_at": "2026-03-29 02:30",
    "amount": "1,2,3",
    "currency": "EURO",
}
RIGHT = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["", "1", "2"]),
        "type": st.sampled_from(["call.made", "deal.won"]),
        "occurred_at": st.sampled_from(["2026-07-10 09:30", "2026-07-11T09:30:00Z", "12.07.2026", "2026-07-12"]),
        "actor_id": st.sampled_from(["", "7421", "007"]),
        "amount": st.sampled_from(["1250.50", "1", "12,500.25"]),
        "currency": st.sampled_from(["", "EUR", "PLN"]),
        "properties.size": st.sampled_from(["", "3", "007", "true", "=x", "'y", 'a,b;\n"c"']),
    }
)
ROWS = st.lists(st.tuples(RIGHT, st.none() | st.sampled_from(sorted(WRONG))), min_size=1, max_size=12)


async def test_rejected_rows_can_be_mended_until_all_is_right(world: World) -> None:
    running = asyncio.get_running_loop()

    def attempt(rows: list[tuple[dict[str, str], str | None]], as_workbook: bool) -> None:
        asyncio.run_coroutine_threadsafe(_attempt(world, rows, as_workbook), running).result(120)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(rows=ROWS, as_workbook=st.booleans())
    def search(rows: list[tuple[dict[str, str], str | None]], as_workbook: bool) -> None:
        attempt(rows, as_workbook)

    await asyncio.to_thread(search)


async def _attempt(world: World, rows: list[tuple[dict[str, str], str | None]], as_workbook: bool) -> None:
    right = [{"external_id": f"e{n}", **row} for n, (row, _) in enumerate(rows)]
    wrong = [{**row, spoilt: WRONG[spoilt]} if spoilt else row for row, (_, spoilt) in zip(right, rows, strict=True)]
    write = workbook if as_workbook else table
    mended, whole = await world.organization(), await world.organization()
    assert (await imported(whole, write(_lines(right)), "events"))["counts"] == {"accepted": len(rows)}
    first = await imported(mended, write(_lines(wrong)), "events")
    assert first["counts"].get("rejected", 0) == sum(spoilt is not None for _, spoilt in rows)
    if "rejected" in first["counts"]:
        report = rows_of((await download(mended, first["id"])).decode("utf-8-sig"))
        for row in report:
            spoilt = row["problem_column"]
            row[spoilt] = right[int(row["problem_row"]) - 2][spoilt]
        again = table([list(report[0]), *[list(row.values()) for row in report]])
        assert (await imported(mended, again, "events"))["counts"] == {"accepted": len(report)}
    assert await _state(mended) == await _state(whole)


def _lines(rows: list[dict[str, str]]) -> list[list[Any]]:
    return [COLUMNS, *[[row[name] for name in COLUMNS] for row in rows]]


async def _state(api: Api) -> list[Any]:
    """Everything that events say."""
    found = (await api.get("/events", limit=200, sort="occurred_at"))["items"]
    for each in found:
        for name in ("id", "recorded_at", "origin"):
            del each[name]
        if each["actor"]:
            del each["actor"]["identity_id"]
        for credit in each["credits"]:
            del credit["actor"]["identity_id"]
    return sorted(found, key=lambda each: str(each["external_id"]))


async def test_members_and_teams_are_mended_alike(world: World) -> None:
    head = ["email", "name", "manager", "assigned_from", "employed_from"]
    right = [
        head,
        ["max@example.com", "Max", "", "2026-01-01", "2020-01-01"],
        ["ada@example.com", "Ada", "max@example.com", "2026-01-01", "2024-01-01"],
        ["bo@example.com", "Bo", "ada@example.com", "", "2025-01-01"],
    ]
    wrong = [head, ["max@example.com", "", "", "", "2020-01-01"], *right[2:]]
    right[1][3] = ""
    mended, whole = await world.organization(), await world.organization()
    await imported(whole, table(right), "members")
    first = await imported(mended, table(wrong), "members")
    assert first["counts"] == {"rejected": 3}  # nobody is there whom the others name
    report = await rejected(mended, first["id"])
    report[0]["name"] = "Max"
    again = table([list(report[0]), *[list(row.values()) for row in report]])
    assert (await imported(mended, again, "members"))["counts"] == {"created": 3}
    assert await _people(mended) == await _people(whole)


async def _people(api: Api) -> list[Any]:
    members = (await api.get("/members"))["items"]
    names = {each["id"]: each["name"] for each in members}
    told = []
    for each in members:
        dated = [(await api.get(f"/members/{each['id']}/{what}"))["items"] for what in ("assignments", "employments")]
        told.append(
            (
                each["email"],
                each["name"],
                [(names.get(one["manager_id"]), one["valid_from"], one["fte"]) for one in dated[0]],
                [(one["valid_from"], one["valid_to"]) for one in dated[1]],
            )
        )
    return told
