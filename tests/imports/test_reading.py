"""Files as people and spreadsheets write them: delimiters, encodings, numbers and dates."""

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from app.core.spreadsheets import harmless
from app.imports.cells import CellError, Reading, decimal_mark, read_instant, read_number, value_of
from app.imports.columns import HeaderError, headings
from app.imports.tables import Inspected, Wanted, inspect, rows
from tests.imports.posting import table

WARSAW = ZoneInfo("Europe/Warsaw")
LINES = [["external_id", "type", "occurred_at", "amount"], ["a", "deal.won", "2026-07-10", "1250,50"]]


def inspected(body: bytes, **wanted: Any) -> Inspected:
    return inspect(io.BytesIO(body), Wanted(**{"kind": "events", "format": "csv", **wanted}))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_delimiter_and_encoding_are_found_out(delimiter: str, encoding: str) -> None:
    body = table([[*LINES[0], "properties.miasto"], [*LINES[1], "Łódź"]], delimiter).encode(encoding)
    found = inspected(body)
    assert found.layout.delimiter == delimiter
    [_, (number, cells)] = rows(io.BytesIO(body), found.layout)
    assert (number, cells) == (2, [*LINES[1], "Łódź"])
    assert found.layout.decimal == ","


def test_what_excel_says_of_its_delimiter_is_taken() -> None:
    body = ("sep=;\r\n" + table(LINES, ";")).encode()
    found = inspected(body)
    assert (found.layout.delimiter, found.total) == (";", 1)
    assert [number for number, _ in rows(io.BytesIO(body), found.layout)] == [2, 3]


def test_another_encoding_can_be_said() -> None:
    body = table([[*LINES[0], "properties.miasto"], [*LINES[1], "Łódź"]]).encode("windows-1250")
    found = inspected(body, encoding="windows-1250")
    assert list(rows(io.BytesIO(body), found.layout))[1][1][-1] == "Łódź"


def test_old_ends_of_lines_and_cells_of_several_lines() -> None:
    body = b'external_id,type,occurred_at\ra,"call\rmade",x\r\r\nb,c,d\n'
    found = inspected(body)
    assert [cells[:2] for _, cells in rows(io.BytesIO(body), found.layout)][1:] == [["a", "call\rmade"], ["b", "c"]]


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1250.5", ".", "1250.5"),
        ("1,250.50", ".", "1250.50"),
        ("1.250,50", ",", "1250.50"),
        ("1.250", ",", "1250"),
        ("1,250", ".", "1250"),
        ("1,250", ",", "1.250"),
        ("1 250 000,5", ",", "1250000.5"),
        ("1\u00a0250,5", ",", "1250.5"),
        ("1'250.5", ".", "1250.5"),
        ("-3", ".", "-3"),
        ("\u22123", ".", "-3"),
        ("+3", ".", "3"),
    ],
)
def test_numbers_are_read_exactly(cell: str, mark: Any, value: str) -> None:
    assert read_number(cell, Reading(WARSAW, mark)) == Decimal(value)


@pytest.mark.parametrize(
    "cell", ["1.250,50", "1,2,3", "12,50", "1.2.3", "EUR 5", "NaN", "Infinity", "١٢", "0x1", "--1"]
)
def test_what_is_no_such_number_is_refused(cell: str) -> None:
    with pytest.raises(CellError):
        read_number(cell, Reading(WARSAW, "."))


@pytest.mark.parametrize(
    ("cell", "mark"),
    [("1.250,5", ","), ("1,250.5", "."), ("12,5", ","), ("12.5", "."), ("1,250", None), ("1.250", None), ("x", None)],
)
def test_a_mark_is_only_learnt_where_there_is_no_other_way(cell: str, mark: str | None) -> None:
    assert decimal_mark(cell) == mark


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("2026-07-14T09:31:05Z", "2026-07-14T09:31:05Z"),
        ("2026-07-14T09:31:05+05:30", "2026-07-14T04:01:05Z"),
        ("2026-07-14T09:31:05.250Z", "2026-07-14T09:31:05.250000Z"),
        ("2026-07-14 09:31", "2026-07-14T07:31:00Z"),
        ("14.07.2026 09:31", "2026-07-14T07:31:00Z"),
        ("2026/07/14 9:31 PM", "2026-07-14T19:31:00Z"),
        ("2025-10-26 02:30", "2025-10-26T00:30:00Z"),
        ("2025-10-26 02:30+01:00", "2025-10-26T01:30:00Z"),
    ],
)
def test_instants(cell: str, instant: str) -> None:
    assert read_instant(cell, Reading(WARSAW))[:2] == (instant, None)


def test_a_day_alone_begins_at_its_first_instant() -> None:
    assert read_instant("2026-07-14", Reading(WARSAW))[:2] == ("2026-07-13T22:00:00Z", date(2026, 7, 14))
    cairo = Reading(ZoneInfo("Africa/Cairo"))  # midnight of 24 April 2026 does not exist there
    assert read_instant("2026-04-24", cairo)[:2] == ("2026-04-23T22:00:00Z", date(2026, 4, 24))


@pytest.mark.parametrize(
    "cell",
    ["2026-03-29 02:30", "07/04/2026", "2026-02-30", "26-07-14", "2026-07-14 25:00", "1783933505", "0001-01-01 00:00"],
)
def test_what_is_no_instant_is_refused(cell: str) -> None:
    with pytest.raises(CellError):
        read_instant(cell, Reading(WARSAW))


def test_what_the_clocks_showed_twice_is_told() -> None:
    doubled = {"2025-10-26 02:30": True, "2025-10-26 03:00": False, "2025-10-26 02:30+02:00": False}
    assert {cell: read_instant(cell, Reading(WARSAW)).is_doubled for cell in doubled} == doubled


def test_slashes_are_read_as_said() -> None:
    for order, day in (("dmy", date(2026, 4, 7)), ("mdy", date(2026, 7, 4))):
        assert read_instant("07/04/2026", Reading(WARSAW, ".", order))[1] == day  # type: ignore[arg-type]


def test_properties_are_what_they_plainly_are() -> None:
    told = {"12.50": Decimal("12.50"), "007": "007", "true": True, "north": "north", "1e5": "1e5", "-3": Decimal(-3)}
    assert {cell: value_of("any", cell, Reading(WARSAW)) for cell in told} == told
    assert value_of("any", "12,5", Reading(WARSAW, ",")) == Decimal("12.5")
    assert value_of("any", "1.5", Reading(WARSAW, ",")) == "1.5"


def test_an_id_that_a_spreadsheet_rounded_is_refused() -> None:
    with pytest.raises(CellError, match="rounded"):
        value_of("id", "9.00719925474099E+15", Reading(WARSAW))
    assert value_of("id", "9007199254740993", Reading(WARSAW)) == "9007199254740993"


def test_headers_are_known_however_they_are_written() -> None:
    found = headings("events", ["External ID", " TYPE ", "Occurred-At", "properties.Zip:text", "About.Deal", "problem"])
    names = ["external_id", "type", "occurred_at", "properties.Zip", "about.deal", None]
    assert [each.name for each in found] == names
    assert found[3].value == "text"
    with pytest.raises(HeaderError, match="did you mean 'amount'"):
        headings("events", ["external_id", "ammount"])


def test_a_report_is_harmless_and_read_as_it_was() -> None:
    cells = ["=1+1", "+48 600", "-5", "@x", "'=1", "plain", "-1+cmd|' /C calc'!A0"]
    body = table([["external_id"] * 7, [harmless(cell) for cell in cells]]).encode()
    assert not any(cell.startswith(("=", "@")) for cell in map(harmless, cells))
    layout = inspected(table(LINES).encode()).layout
    assert list(rows(io.BytesIO(body), layout))[1][1] == cells


# ---------------------------------------------------------------------------------------------------------- workbooks


def saved(book: Workbook) -> bytes:
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def cells_of(body: bytes, **wanted: Any) -> list[list[str]]:
    found = inspected(body, format="xlsx", **wanted)
    return [cells for _, cells in rows(io.BytesIO(body), found.layout)][1:]


@pytest.mark.parametrize("epoch", [None, CALENDAR_MAC_1904])
def test_cells_of_a_workbook_are_the_text_that_they_show(epoch: datetime | None) -> None:
    book = Workbook()
    if epoch:
        book.epoch = epoch
    book.active.append(["external_id", "type", "occurred_at", *[f"properties.p{n}" for n in range(9)]])
    line = ["a", "b", datetime(2026, 7, 14, 9, 31, 5, 250_000), date(2026, 7, 14), 1250.1, 42, 1e-7, True, None]
    book.active.append([*line, 123456789012345678, " padded ", "Łódź\n2"])
    [cells] = cells_of(saved(book))
    assert cells[2:4] == ["2026-07-14T09:31:05.250000", "2026-07-14"]
    assert cells[4:9] == ["1250.1", "42", "0.0000001", "true", ""]
    assert cells[9] == "1.23456789012346E+17"
    assert cells[10:] == ["padded", "Łódź\n2"]


def test_formulas_are_not_computed() -> None:
    book = Workbook()
    book.active.append(["external_id", "type", "amount"])
    book.active.append(["a", "b", "=1+1"])
    assert cells_of(saved(book)) == [["a", "b"]]


def test_merged_cells_have_their_value_once_and_empty_rows_are_left_out() -> None:
    book = Workbook()
    for line in [[], ["external_id", "type"], ["a", "call.made"], [], ["b", None]]:
        book.active.append(line)
    book.active.merge_cells("B3:B5")
    found = inspected(saved(book), format="xlsx")
    assert [number for number, _ in rows(io.BytesIO(saved(book)), found.layout)] == [2, 3, 5]
    assert cells_of(saved(book)) == [["a", "call.made"], ["b"]]


def test_the_first_sheet_that_is_shown_or_the_one_that_is_named() -> None:
    book = Workbook()
    book.active.sheet_state = "hidden"
    for name in ("Shown", "Other"):
        book.create_sheet(name).append(["external_id"])
        book[name].append([name])
    book.active = 1
    assert cells_of(saved(book)) == [["Shown"]]
    assert cells_of(saved(book), sheet="Other") == [["Other"]]


def test_serial_numbers_in_columns_of_dates() -> None:
    reading = Reading(WARSAW, epoch=1900)
    assert read_instant("46217", reading)[1] == date(2026, 7, 14)
    assert read_instant("46217.5", reading)[0] == "2026-07-14T10:00:00Z"
    assert value_of("date", "46217", Reading(WARSAW, epoch=1904)) == "2030-07-15"
    with pytest.raises(CellError):
        read_instant("46217", Reading(WARSAW))
