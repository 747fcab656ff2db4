"""Rates as CSV, read as spreadsheets write it, and written as they read it.

Commas, semicolons or tabs between the cells, with or without a byte order mark; whatever could be meant in two ways
is refused with its line.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

COLUMNS = ("set", "base", "quote", "valid_from", "valid_to", "rate")
OPTIONAL = frozenset({"valid_to"})
MAX_LINES = 10_000

_COMMA = re.compile(r"[0-9]*,[0-9]+")


class SheetError(ValueError):
    """Something in the text that cannot be read, and in which line."""

    def __init__(self, line: int, message: str, column: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """One line below the header: its number in the text, and its cells that are not empty, by column."""

    number: int
    cells: Mapping[str, str]


def read_sheet(content: bytes) -> list[Line]:
    """The lines of a CSV. Raises `SheetError`."""
    rows = _rows(_text(content))
    if not rows:
        raise SheetError(1, f"the text is empty: begin with the header {','.join(COLUMNS)}")
    (first, header), *rest = rows
    names = _names(first, header)
    if len(rest) > MAX_LINES:
        raise SheetError(rest[MAX_LINES][0], f"has more than {MAX_LINES:,} rates: send them in parts")
    lines = [_line(number, names, cells) for number, cells in rest]
    return _with_points(lines)


def write_sheet(rows: Iterable[Sequence[object]]) -> str:
    """Rows in the order of `COLUMNS` as CSV (RFC 4180); None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def _text(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SheetError(1, "is UTF-16: save it as CSV UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SheetError(line, f"is not UTF-8 (byte {error.start}): save it as CSV UTF-8") from None


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        split = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise SheetError(max(reader.line_num, 1), f"cannot be read as CSV: {error}") from None
    return [(number, cells) for number, cells in split if any(cells)]


def _delimiter(text: str) -> str:
    """What stands between the names of the header; the line is looked at without what people may have quoted."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    found = [mark for mark in ",;\t" if mark in header]
    if len(found) > 1:
        raise SheetError(1, "mixes commas, semicolons and tabs: use one of them between the names of the columns")
    return found[0] if found else ","


def _names(number: int, header: list[str]) -> list[str]:
    names = [name.lower() for name in header]
    for name in names:
        if name not in COLUMNS:
            raise SheetError(number, f"{name[:100]!r} is no column: the columns are {', '.join(COLUMNS)}")
        if names.count(name) > 1:
            raise SheetError(number, f"names the column {name} twice", name)
    if missing := [name for name in COLUMNS if name not in names and name not in OPTIONAL]:
        raise SheetError(number, f"lacks {', '.join(missing)}: the first line names the columns")
    return names


def _line(number: int, names: list[str], cells: list[str]) -> Line:
    if len(cells) != len(names):
        raise SheetError(number, f"has {len(cells)} cells, the header {len(names)}")
    return Line(number, {name: cell for name, cell in zip(names, cells, strict=True) if cell})


def _with_points(lines: list[Line]) -> list[Line]:
    """The lines with decimal points, also where the rates are written with decimal commas throughout."""
    commas = [line for line in lines if "," in line.cells.get("rate", "")]
    if not commas:
        return lines
    points = [line for line in lines if "." in line.cells.get("rate", "")]
    for line in commas:
        if points or not _COMMA.fullmatch(line.cells["rate"]):
            message = "a comma may be decimal or group thousands: write all rates with a decimal point"
            raise SheetError(line.number, message, "rate")
    return [
        Line(line.number, {**line.cells, "rate": line.cells["rate"].replace(",", ".")})
        if "rate" in line.cells
        else line
        for line in lines
    ]
