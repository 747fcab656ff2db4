"""Files of rows, whatever their form: what they are, and their rows one after the other in constant memory."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

from app.core.spreadsheets import plain
from app.imports.cells import Mark, Order, Reading, decimal_mark
from app.imports.columns import MAX_CELL, MAX_COLUMNS, NUMERIC, HeaderError, Heading, Kind, headings, known_share
from app.imports.sheets import FileRefusedError, open_sheet

Format = Literal["csv", "xlsx"]
Encoding = Literal["utf-8", "utf-16", "windows-1250", "windows-1252", "gb18030"]
DELIMITERS = (",", ";", "\t", "|")
_MAX_LINE = 1_000_000
BEGINNING = 1_000
"""Rows that are looked at before a file is taken: from them its decimal mark is learnt."""

Row = tuple[int, list[str]]
"""Its number as spreadsheets count, and its cells, of which at the end some may be missing."""


@dataclass(frozen=True)
class Layout:
    """How a file is read, all of it decided; of CSV the encoding and delimiter, of XLSX the sheet and epoch."""

    format: Format
    decimal: Mark
    dates: Order
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    epoch: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    def reading(self, zone: ZoneInfo) -> Reading:
        """How its cells are read."""
        return Reading(zone, self.decimal, self.dates, self.epoch)


@dataclass(frozen=True)
class Wanted:
    """What whoever posts the file says of it; None: it is to be found out."""

    kind: Kind
    format: Format
    encoding: Encoding | None = None
    delimiter: str | None = None
    decimal: Mark | None = None
    dates: Order = "ymd"
    sheet: str | None = None
    ignore_unknown: bool = False


@dataclass(frozen=True)
class Inspected:
    """A file that can be imported: how it is read, and its columns.

    `total` is how many rows there are below the header; None for a long file, of which only the beginning was read.
    """

    layout: Layout
    columns: Sequence[Heading]
    total: int | None


def inspect(file: BinaryIO, wanted: Wanted) -> Inspected:
    """Read the beginning of a file, which is most often all of it. Raises `FileRefusedError` and `HeaderError`."""
    layout = _layout_of_csv(file, wanted) if wanted.format == "csv" else _layout_of_sheet(file, wanted)
    with closing(rows(file, layout)) as found:
        first = next(found, None)
        if first is None:
            raise HeaderError("The file is empty; its first row must name the columns.")
        columns = headings(wanted.kind, first[1], ignore_unknown=wanted.ignore_unknown)
        count = sum(1 for _ in islice(found, BEGINNING))
    if not count:
        raise HeaderError("The file has a header, but no rows below it.")
    return Inspected(layout, columns, count if count < BEGINNING else None)


def rows(file: BinaryIO, layout: Layout) -> Generator[Row, None, None]:
    """The rows that have a cell that is not empty, the header first. Raises `FileRefusedError` when it comes to it."""
    file.seek(0)
    found = _rows_of_csv(file, layout) if layout.format == "csv" else _rows_of_sheet(file, layout)
    with closing(found):
        for number, cells in found:
            if len(cells) > MAX_COLUMNS:
                raise FileRefusedError(f"Row {number} has {len(cells)} cells; at most {MAX_COLUMNS} are read.")
            if any(cells):
                yield number, cells


# ----------------------------------------------------------------------------------------------------------- sheets


def _layout_of_sheet(file: BinaryIO, wanted: Wanted) -> Layout:
    sheet = open_sheet(file, wanted.sheet)
    return Layout("xlsx", wanted.decimal or ".", wanted.dates, sheet=sheet.name, epoch=sheet.epoch)


def _rows_of_sheet(file: BinaryIO, layout: Layout) -> Generator[Row, None, None]:
    return open_sheet(file, layout.sheet).rows(layout.decimal)


# -------------------------------------------------------------------------------------------------------------- CSV


def _layout_of_csv(file: BinaryIO, wanted: Wanted) -> Layout:
    file.seek(0)
    encoding = _encoding(file.read(4_096), wanted.encoding)
    delimiter = wanted.delimiter or _delimiter(file, encoding, wanted.kind)
    undecided = Layout("csv", ".", wanted.dates, encoding, delimiter)
    decimal = wanted.decimal or _mark(file, undecided, wanted.kind)
    return Layout("csv", decimal, wanted.dates, encoding, delimiter)


def _encoding(head: bytes, told: str | None) -> str:
    """By its byte order mark; without one UTF-16 is known by the zeros of its Latin letters."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(b"PK\x03\x04"):
        raise FileRefusedError("The file is no CSV but a packed one; XLSX is sent with its own media type.")
    even, odd = head[::2].count(0), head[1::2].count(0)
    if told in {None, "utf-16"} and max(even, odd) * 4 > len(head):
        return "utf-16-le" if odd > even else "utf-16-be"
    return {None: "utf-8", "utf-8": "utf-8", "utf-16": "utf-16-le"}.get(told, told or "utf-8")


def _delimiter(file: BinaryIO, encoding: str, kind: Kind) -> str:
    """What `sep=` says, else what cuts the header into most names that are known."""
    with closing(_lines(file, encoding)) as lines:
        first = next(lines, "")
    if first[:4].lower() == "sep=" and len(first.rstrip("\r\n")) == 5:
        return first[4]

    def fit(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([first], delimiter=delimiter), [])
        return known_share(kind, names), len(names)

    return max(DELIMITERS, key=fit)


def _mark(file: BinaryIO, layout: Layout, kind: Kind) -> Mark:
    """The decimal mark that numbers of the first rows can only have; else as the delimiter has it in its countries."""
    with closing(rows(file, layout)) as found:
        header = next(found, (0, []))[1]
        try:
            columns = headings(kind, header, ignore_unknown=True)
        except HeaderError:
            columns = []
        numeric = [place for place, each in enumerate(columns) if each.value in NUMERIC and each.name]
        marks = Counter(
            mark
            for _, cells in islice(found, BEGINNING)
            for place in numeric
            if place < len(cells) and (mark := decimal_mark(cells[place]))
        )
    if marks:
        return max(marks, key=lambda mark: marks[mark])
    return "," if layout.delimiter == ";" else "."


def _rows_of_csv(file: BinaryIO, layout: Layout) -> Generator[Row, None, None]:
    number = 0
    try:
        with closing(_lines(file, layout.encoding or "utf-8")) as lines:
            for number, cells in enumerate(csv.reader(lines, delimiter=layout.delimiter or ","), 1):
                if number == 1 and len(cells) <= 2 and cells and cells[0].lower().startswith("sep="):
                    continue
                yield number, [_checked(cell, number) for cell in cells]
    except csv.Error:
        sentence = f"A cell near row {number + 1} does not end"
        reason = f"a quotation mark is open, or it has more than {MAX_CELL} characters"
        raise FileRefusedError(f"{sentence}: {reason}.") from None


def _lines(file: BinaryIO, encoding: str) -> Generator[str, None, None]:
    """The lines with their ends, none of them endless. Raises `FileRefusedError` for what is not in the encoding."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, errors="strict", newline="")
    number = 0
    try:
        while line := text.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE:
                raise FileRefusedError(f"Line {number} is longer than {_MAX_LINE} characters.")
            yield line
    except UnicodeError:
        sentence = f"Line {_undecodable(file, encoding)} of the file is not {encoding.upper()}"
        raise FileRefusedError(f"{sentence}: save it as CSV UTF-8, or say its `encoding`.") from None
    finally:
        with suppress(ValueError):  # a file that was closed is not read again
            text.detach()


def _undecodable(file: BinaryIO, encoding: str) -> int:
    """The first line that cannot be decoded; of encodings of two bytes only that the file has one."""
    number = 1
    file.seek(0)
    while not encoding.startswith("utf-16") and (line := file.readline(_MAX_LINE)):
        try:
            line.decode(encoding)
        except UnicodeError:
            return number
        number += 1
    return 1


def _checked(text: str, number: int) -> str:
    """A cell without what a report added. Raises `FileRefusedError` for what is in no spreadsheet."""
    cell = text.strip()
    if len(cell) > MAX_CELL:
        raise FileRefusedError(f"A cell of row {number} has more than {MAX_CELL} characters.")
    if "\x00" in cell:
        raise FileRefusedError(f"Row {number} has the character NUL, which no text has: is it a CSV file?")
    return plain(cell)
