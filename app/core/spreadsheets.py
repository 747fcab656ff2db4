"""Tables for spreadsheets: text that none of them computes, CSV, and XLSX in constant memory."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from types import TracebackType
from typing import BinaryIO, Self

import xlsxwriter

Cell = str | Decimal | date | int | None
BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_SIGNED = re.compile(r"[+-]\d[\d.,]*%?", re.ASCII)
_DIGITS_OF_A_SHEET = 15


def harmless(cell: str) -> str:
    """A cell of a CSV: one that a spreadsheet would compute gets an apostrophe, which `plain` takes away again."""
    is_computed = cell.lstrip("'").startswith(_FORMULA_STARTS) and _SIGNED.fullmatch(cell) is None
    return f"'{cell}" if is_computed else cell


def plain(cell: str) -> str:
    """What the cell was before `harmless`."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS) else cell


def csv_text(lines: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """Lines of a CSV (RFC 4180), as they are."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    return text.getvalue()


class CsvTable:
    """Rows of a CSV in UTF-8: decimals and dates as exact text, other text harmless."""

    def __init__(self, file: BinaryIO, *, has_byte_order_mark: bool) -> None:
        self._file = file
        if has_byte_order_mark:
            file.write(BYTE_ORDER_MARK.encode())

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows."""
        self._file.write(csv_text([[_written(cell) for cell in row] for row in rows]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held back."""


class SheetTable:
    """Rows of the one sheet of an XLSX, its first one frozen and bold; complete when the block ends.

    A number that a spreadsheet would round (it keeps 15 digits) is text. Nothing is a formula or a link.
    """

    def __init__(self, file: BinaryIO, name: str, widths: Sequence[int]) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(file, options | {"strings_to_numbers": False})
        self._sheet = self._book.add_worksheet(name)
        self._bold = self._book.add_format({"bold": True})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._sheet.freeze_panes(1, 0)
        for place, width in enumerate(widths):
            self._sheet.set_column(place, place, width)
        self._row = 0

    def write(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows."""
        for row in rows:
            for place, cell in enumerate(row):
                self._write(place, cell)
            self._row += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Write the file, also one that nobody will read: its rows are in a temporary one until then."""
        self._book.close()

    def _write(self, place: int, cell: Cell) -> None:
        match cell:
            case None | "":
                return
            case date():
                self._sheet.write_datetime(self._row, place, cell, self._day)
            case int() | Decimal() if _fits(number := Decimal(cell)):
                self._sheet.write_number(self._row, place, int(number) if number == int(number) else float(number))
            case _:
                self._sheet.write_string(
                    self._row, place, _unmarked(_text(cell)), self._bold if not self._row else None
                )


def _fits(number: Decimal) -> bool:
    """Whether a spreadsheet keeps all of its digits."""
    digits = number.normalize().as_tuple().digits
    return len(digits) <= _DIGITS_OF_A_SHEET and abs(number.adjusted()) < _DIGITS_OF_A_SHEET


def _unmarked(text: str) -> str:
    # XlsxWriter takes such text for the XML of a formatted one; readers of cells leave the space out.
    return f" {text}" if text.startswith("<r>") and text.endswith("</r>") else text


def _written(cell: Cell) -> str:
    return harmless(cell) if isinstance(cell, str) else _text(cell)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case Decimal():
            return format(cell.normalize(), "f")
        case date():
            return cell.isoformat()
    return str(cell)
