"""Whatever bytes are sent: a file is read, or refused by a sentence; nothing else ever comes of it."""

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports.cells import CellError, Reading, canonical, value_of
from app.imports.columns import COLUMNS, HeaderError, Kind, Value
from app.imports.sheets import FileRefusedError
from app.imports.tables import Wanted, inspect, rows
from tests.imports.posting import workbook
from tests.imports.test_reading import WARSAW

GOOD = workbook([["external_id", "type", "occurred_at"], *[[f"e{n}", "call.made", n / 7] for n in range(30)]])
KINDS: list[Kind] = list(COLUMNS)
VALUES: list[Value] = ["text", "id", "email", "instant", "date", "number", "integer", "boolean", "json", "any"]


def read(body: bytes, **wanted: Any) -> None:
    """Read the whole file, as far as it goes."""
    with suppress(FileRefusedError, HeaderError):
        found = inspect(io.BytesIO(body), Wanted(**wanted))
        for _, cells in rows(io.BytesIO(body), found.layout):
            "".join(cells).encode()
            assert not any("\x00" in cell for cell in cells)


@given(body=st.binary(max_size=300), kind=st.sampled_from(KINDS))
def test_any_bytes_as_csv(body: bytes, kind: Kind) -> None:
    read(b"external_id,type,occurred_at\n" + body, kind=kind, format="csv")
    read(body, kind=kind, format="csv", ignore_unknown=True)


@given(text=st.text(max_size=200), encoding=st.sampled_from(["utf-8", "utf-16", "gb18030"]))
def test_any_text_as_csv(text: str, encoding: str) -> None:
    body = f"object,id,updated_at\n{text}\n".encode(encoding, "replace")
    read(body, kind="records", format="csv", encoding=encoding)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_workbook_with_some_bytes_changed(changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(GOOD)
    for place, byte in changes:
        spoilt[place] = byte
    read(bytes(spoilt), kind="events", format="xlsx")


@given(st.integers(0, len(GOOD)))
def test_a_workbook_that_is_cut_off(length: int) -> None:
    read(GOOD[:length], kind="events", format="xlsx")


CELLS = st.text(max_size=40) | st.from_regex(r"[0-9+\-.,:/TZ eE#]{0,24}", fullmatch=True)


@given(cell=CELLS, epoch=st.sampled_from([None, 1900, 1904]), mark=st.sampled_from([".", ","]))
@pytest.mark.parametrize("kind", VALUES)
def test_any_cell_is_read_or_refused(kind: Value, cell: str, epoch: int | None, mark: Any) -> None:
    reading = Reading(WARSAW, mark, "dmy", epoch)
    if cell.strip():
        canonical(kind, cell.strip(), reading)
        with suppress(CellError):
            value_of(kind, cell.strip(), reading)
