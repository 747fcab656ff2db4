"""Random goals out as a file and in again: nothing changes but what is edited, whatever saved the file."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from tests.goals.facts import define
from tests.imports.posting import imported, table
from tests.support import Api, World

PERIODS = ("2026-07", "2026-Q3", "2026", "2026-07-06..2026-07-19", "2026-W29", "2026-08")
NUMBERS = st.decimals(min_value="0.000001", max_value=10**17, places=6).map(lambda number: f"{number.normalize():f}")
WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x1F6FF, exclude_categories=("Cs", "Cn", "Co", "Cc")),
    min_size=1,
    max_size=20,
).filter(lambda text: text == text.strip() and text.isprintable())


@st.composite
def goals(draw: st.DrawFn) -> dict[str, Any]:
    """A goal as it is posted, of the organization."""
    kpi = draw(st.sampled_from(["calls_made", "deals_lost", "revenue_won", "talk_share"]))
    made: dict[str, Any] = {
        "name": draw(WORDS),
        "description": draw(st.one_of(st.just(""), WORDS)),
        "owner": {"type": "organization"},
        "kpi": kpi,
        "period": draw(st.sampled_from(PERIODS)),
        "target": draw(_targets(kpi)),
        "weight": draw(st.decimals(min_value="0.01", max_value=100, places=2).map(str)),
        "expected": draw(st.sampled_from(["working_time", "seasonal", "linear", "auto"])),
        "state": draw(st.sampled_from(["open", "draft"])),
    }
    if kpi == "revenue_won" and draw(st.booleans()):
        made["currency"] = "PLN"
    if kpi != "talk_share":
        shares = st.decimals(min_value="0.01", max_value="0.99", places=4).map(str)
        made["milestones"] = [
            {"name": draw(WORDS), "share": draw(shares)} for _ in range(draw(st.integers(min_value=0, max_value=3)))
        ]
    return made


def _targets(kpi: str) -> st.SearchStrategy[dict[str, str]]:
    if kpi == "talk_share":
        edges = st.lists(st.decimals("0.01", 1, places=4), min_size=2, max_size=2, unique=True)
        return edges.map(lambda two: {"low": str(min(two)), "high": str(max(two))})
    return NUMBERS.map(lambda value: {"value": value})


EDITS: dict[str, tuple[str, st.SearchStrategy[str]]] = {
    "name": ("name", WORDS),
    "description": ("description", WORDS),
    "weight": ("weight", st.integers(min_value=101, max_value=999).map(str)),
    "expected": ("expected", st.sampled_from(["working_time", "seasonal", "linear", "auto"])),
    "amount": ("target", st.integers(min_value=1, max_value=10**9).map(str)),
}
"""Cells that may be edited, by the field of the goal that they are."""


@given(st.lists(goals(), min_size=1, max_size=5), st.data())
@settings(
    max_examples=max(settings().max_examples // 3, 1),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_what_is_exported_changes_nothing_but_by_what_is_edited(
    world: World, made: list[dict[str, Any]], data: st.DataObject
) -> None:
    api = await _organization(world)
    for body in made:
        await api.post("/goals", body, expect=201)
    before = (await api.get("/goals", limit=200))["items"]
    with_progress = data.draw(st.booleans())
    rows = _rows(await _exported(api, "csv", with_progress=with_progress))
    for content in (_csv(rows, data), _saved(await _exported(api, "xlsx", with_progress=with_progress), data)):
        rehearsed = await imported(api, content, "targets", dry_run="true")
        assert rehearsed["problems"] == []
        assert rehearsed["counts"] == {"unchanged": len(before)}
    await _edit(api, rows, before, data)


async def _edit(api: Api, rows: list[dict[str, str]], before: list[dict[str, Any]], data: st.DataObject) -> None:
    place = data.draw(st.integers(min_value=0, max_value=len(rows) - 1))
    column = data.draw(st.sampled_from([name for name in EDITS if rows[place][name] or name == "description"]))
    field, values = EDITS[column]
    rows[place][column] = cell = data.draw(values)
    rows[place]["reason"] = "Edited."
    told = await imported(api, _csv(rows, data), "targets")
    after = (await api.get("/goals", limit=200))["items"]
    assert told["problems"] == []
    for n, (old, new) in enumerate(zip(before, after, strict=True)):
        changed = {name for name in new if new[name] != old[name]}
        assert changed <= ({field, "version"} if n == place else set())
    value = after[place][field]
    if column in {"amount", "weight"}:
        assert Decimal(value["value"] if column == "amount" else value) == Decimal(cell)
    else:
        assert value == cell


async def _organization(world: World) -> Api:
    api = await world.organization()
    await define(api, "calls_made", "deals_lost", "revenue_won")
    await define(api, "win_rate", key="talk_share", direction="maintain", unit={"kind": "ratio"})
    return api


async def _exported(api: Api, file_format: str, *, with_progress: bool) -> bytes:
    params = {"format": file_format, "with_progress": with_progress}
    return (await api.call("GET", "/goals/export", expect=200, params=params)).content


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def _csv(rows: list[dict[str, str]], data: st.DataObject) -> str:
    """The rows as a program might save them: columns in another order, header in other case, empty rows at the end."""
    columns = data.draw(st.permutations(list(rows[0])))
    heads = [data.draw(st.sampled_from([name, name.upper(), name.title()])) for name in columns]
    lines = [heads, *[[row[name] for name in columns] for row in rows]]
    delimiter = data.draw(st.sampled_from([",", ";", "\t"]))
    return table([*lines, *[[""] * len(heads)] * data.draw(st.integers(min_value=0, max_value=2))], delimiter)


def _saved(content: bytes, data: st.DataObject) -> bytes:
    """The workbook as another program might save it: floats for numbers, dates with a time, other formats of cells."""
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    lines = [list(line) for line in sheet.iter_rows(values_only=True)]
    order = data.draw(st.permutations(range(len(lines[0]))))
    book = Workbook()
    for line in lines:
        book.active.append([_as_saved(line[place]) for place in order])
    for row in book.active.iter_rows(min_row=2):
        for cell in row:
            if isinstance(cell.value, float):
                cell.number_format = data.draw(st.sampled_from(["General", "0.00%", "#,##0", "0"]))
    for _ in range(data.draw(st.integers(min_value=0, max_value=3))):
        book.active.append([None] * len(order))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _as_saved(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # wall clocks have no zone
    return value
