"""Answers too large for one document: the same figures as rows, computed and sent some subjects at a time.

All parts come from one snapshot: the stream keeps its own transaction open, since the request's ends with its handler.
"""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any, Literal, Protocol

from sqlalchemy.exc import DBAPIError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.problems import Problem, from_database
from app.core.snapshots import Snapshots
from app.core.spreadsheets import csv_text, harmless
from app.kpis.cells import Place
from app.kpis.engine import Prepared, stream
from app.kpis.figures import View
from app.kpis.history import KpiHistory
from app.kpis.ports import Targets
from app.kpis.questions import Cell, Query
from app.results.service import group_out, subject_out, windows_out
from app.results.writing import number

Format = Literal["application/x-ndjson", "text/csv"]
Row = dict[str, Any]

_BLOCK = 65_536
_WHOLE_BELOW = 10**15
COLUMNS = (
    "kpi", "kpi_name", "unit", "subject_type", "subject_id", "subject_name", "within_team", "group_kind", "group_value",
    "group_label", "window", "start", "end", "is_total", "value", "status", "sample", "kpi_version", "left_out", "open",
    "pending", "immature",
)  # fmt: skip


class RowStream(StreamingResponse):
    """A streamed answer whose transaction ends with it, also where the client goes away."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], media_type: Format) -> None:
        async def whole() -> AsyncGenerator[bytes, None]:
            yield first
            async for block in rest:
                yield block

        super().__init__(whole(), media_type=media_type, headers={"Vary": "Accept", "Cache-Control": "no-store"})
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and close what it was read from whatever happens."""
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


async def stream_results(
    snapshots: Snapshots, query: Query, *, media_type: Format, max_cells: int, targets: Targets
) -> RowStream:
    """The answer as a stream; whatever is wrong with the query is raised before it begins."""
    rows = _blocks(snapshots, query, media_type, max_cells, targets)
    try:
        return RowStream(await anext(rows), rows, media_type)
    except BaseException:
        await rows.aclose()
        raise


async def _blocks(
    snapshots: Snapshots, query: Query, media_type: Format, max_cells: int, targets: Targets
) -> AsyncGenerator[bytes, None]:
    """The encoded rows, in blocks; between them others are served.

    What goes wrong once some are on their way can have no status any more: lines end with the problem, and a table is
    broken off, so that its reader does not take it for the whole.
    """
    writer: _Writer = _Lines() if media_type == "application/x-ndjson" else _Table(query)
    has_begun = False
    try:
        async with aclosing(_written(snapshots, query, writer, max_cells, targets)) as blocks:
            async for block in blocks:
                yield block.encode()
                has_begun = True
    except DBAPIError as error:
        if not has_begun or (last := writer.broken_off(from_database(error))) is None:
            raise
        yield last.encode()


async def _written(
    snapshots: Snapshots, query: Query, writer: "_Writer", max_cells: int, targets: Targets
) -> AsyncGenerator[str, None]:
    async with snapshots.by_part(query.as_of, query.known_at) as (session, spending):
        parts = stream(session, snapshots.org_id, query, max_cells=max_cells, targets=targets)
        count, block, is_first = 0, io.StringIO(), True
        while True:
            with spending.computing():
                part = await anext(parts, None)
            if part is None:
                break
            if is_first:
                block.write(writer.head(part))
                is_first = False
            for rows in _rows_of(part):
                with spending.computing():
                    for row in rows:
                        block.write(writer.row(row))
                        count += 1
                if block.tell() >= _BLOCK:
                    yield block.getvalue()
                    block = io.StringIO()
                await asyncio.sleep(0)
        yield block.getvalue() + writer.tail(count)


# ----------------------------------------------------------------------------------------------------------- rows


def _rows_of(part: Prepared) -> Iterator[Iterator[Row]]:
    """The rows of each series: one for each window and one for the total."""
    for history, view in part.each():
        yield _series(part, history, view)


def _series(part: Prepared, history: KpiHistory, view: View) -> Iterator[Row]:
    plan, subject, grouped = part.plan, view.subject, view.grouped
    cells = view.shown(history)
    shown = subject_out(subject, part.name_of(subject)).model_dump(mode="json")
    group = group_out(grouped.group if grouped else None)
    common = {"kpi": history.key, "subject": shown, "group": group.model_dump(mode="json") if group else None}
    for n, (place, own) in enumerate(zip([*plan.tiles, plan.total], [*cells.tiles, cells.total], strict=True)):
        is_total = n == len(plan.tiles)
        row = common | _window(place, is_total=is_total) | _figures(view.cell(own))
        for kind, compared in cells.compared.items():
            cell = view.compared(compared.total if is_total else compared.windows[n])
            row[kind] = {"value": _number(cell.value), "status": cell.status}
        yield row


def _window(place: Place, *, is_total: bool) -> Row:
    window = place.window
    return {
        "window": window.label,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "is_total": is_total,
    }


def _figures(cell: Cell) -> Row:
    return {
        "value": _number(cell.value),
        "status": cell.status,
        "sample": cell.sample,
        "kpi_version": cell.kpi_version,
        "left_out": cell.left_out,
        "open": cell.open,
        "pending": cell.pending,
        "immature": cell.young,
    }


def _number(value: Decimal | None) -> int | float | None:
    """A figure as documents show it, a whole one without decimals."""
    shown = number(value)
    return int(shown) if shown is not None and abs(shown) < _WHOLE_BELOW and shown.is_integer() else shown


# -------------------------------------------------------------------------------------------------------- writing


class _Writer(Protocol):
    """Turns rows into text."""

    def head(self, part: Prepared) -> str:
        """What stands before the rows."""

    def row(self, row: Row) -> str:
        """One row."""

    def tail(self, count: int) -> str:
        """What stands after them."""

    def broken_off(self, problem: Problem) -> str | None:
        """What stands where they end too early; None: nothing can."""


class _Lines:
    """A JSON document a line; the last says how many rows there are, or why no more: what was cut off is noticed."""

    def head(self, part: Prepared) -> str:
        """What holds for all rows."""
        answer = part.answer([])
        head = {
            "as_of": answer.as_of.isoformat().replace("+00:00", "Z"),
            "known_at": answer.known_at.isoformat().replace("+00:00", "Z"),
            "earliest_as_of": answer.earliest_as_of.isoformat().replace("+00:00", "Z"),
            "retained_from": answer.retained_from.isoformat() if answer.retained_from else None,
            "time_zone": answer.time_zone,
            "currency": answer.currency,
            "rate_set": answer.rate_set,
            "calendar": answer.calendar,
            "windows": [window.model_dump(mode="json") for window in windows_out(answer)],
            "kpis": [
                {"kpi": face.key, "name": face.name, "unit": face.unit, "is_additive": face.is_additive}
                for face in answer.kpis.values()
            ],
        }
        return self.row(head)

    def row(self, row: Row) -> str:
        """One document."""
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"

    def tail(self, count: int) -> str:
        """How many rows there were."""
        return self.row({"rows": count})

    def broken_off(self, problem: Problem) -> str:
        """Why there are no more."""
        return self.row({"problem": problem.body()})


class _Table:
    """CSV with a header (RFC 4180). Text that a spreadsheet would take for a formula is preceded by an apostrophe."""

    def __init__(self, query: Query) -> None:
        self._compared = query.compare
        self._names: dict[str, tuple[str, str]] = {}

    def head(self, part: Prepared) -> str:
        """The names of the columns."""
        faces = part.answer([]).kpis
        self._names = {key: (face.name, face.unit.get("kind", "")) for key, face in faces.items()}
        return _line([*COLUMNS, *(name for kind in self._compared for name in (kind, f"{kind}_status"))])

    def row(self, row: Row) -> str:
        """One line."""
        subject, group = row["subject"], row["group"] or {"kind": None, "value": None, "label": None}
        name, unit = self._names[row["kpi"]]
        who = (subject["type"], subject["id"], subject["name"], subject["within_team"])
        rest = [row[column] for column in COLUMNS[10:]]
        compared = [row[kind][field] for kind in self._compared for field in ("value", "status")]
        return _line([row["kpi"], name, unit, *who, group["kind"], group["value"], group["label"], *rest, *compared])

    def tail(self, count: int) -> str:
        """Nothing: a table is its rows."""
        return ""

    def broken_off(self, problem: Problem) -> None:
        """Nothing that a reader would not take for a row."""


def _line(cells: list[Any]) -> str:
    return csv_text([[_cell(cell) for cell in cells]])


def _cell(value: Any) -> Any:  # whatever stands in a row
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else value
