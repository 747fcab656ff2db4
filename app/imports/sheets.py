"""Sheets of XLSX files, row by row in constant memory: whatever is in the file, little of it is ever held.

openpyxl reads such files through trees of their documents, which a hostile file makes as large as it likes; here the
parser of XML is asked for cells alone, and of openpyxl only what the formats of numbers mean. Formulas are never
computed: what the spreadsheet last showed is the value.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from posixpath import join, normpath
from typing import BinaryIO
from xml.parsers import expat

from app.imports.cells import CellError, Mark, moment_of
from app.imports.columns import MAX_CELL, MAX_COLUMNS

MAX_ENTRIES = 10_000
MAX_UNPACKED = 4_000_000_000
MAX_RATIO, SMALL = 200, 20_000_000
"""How many times a part may grow when it is unpacked, unless it stays small."""
MAX_STRINGS = 64_000_000
MAX_PART = 8_000_000
MAX_DEPTH = 32
MAX_ROW = 1_048_576
_BLOCK = 65_536
_FIFTEEN = Context(prec=15)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class FileRefusedError(ValueError):
    """The file cannot be read, or is larger than what is read: a sentence that says where, or names the limit."""


_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, KeyError)


@dataclass
class Sheet:
    """One sheet of an open file. `epoch` is the year from which its days count (1900 or 1904)."""

    archive: zipfile.ZipFile
    name: str
    part: str
    epoch: int
    _strings: Sequence[str] = field(repr=False, default=())
    _dates: frozenset[int] = frozenset()

    def rows(self, mark: Mark = ".") -> Generator[tuple[int, list[str]], None, None]:
        """Number and cells of each row that has any, as text; numbers are written with this decimal mark."""
        reader = _Rows(self._strings, self._dates, self.epoch, mark)
        for _ in _parsed(self.archive, self.part, reader):
            yield from reader.taken()


def open_sheet(file: BinaryIO, wanted: str | None = None) -> Sheet:
    """The sheet of this name, else the first that is not hidden. Raises `FileRefusedError`."""
    try:
        archive = zipfile.ZipFile(file)
        _refuse_bombs(archive)
        book = _Book()
        _all(archive, "xl/workbook.xml", book)
        targets = _Targets()
        _all(archive, "xl/_rels/workbook.xml.rels", targets)
    except _BROKEN:
        raise FileRefusedError("The file is no XLSX file that can be read; save it anew as XLSX or CSV.") from None
    name, relation = _chosen(book.sheets, wanted)
    part = normpath(join("xl", targets.by_id.get(relation, ""))).lstrip("/")
    if part not in archive.namelist():
        raise FileRefusedError(f"The sheet {name[:100]!r} is not in the file; save it anew as XLSX or CSV.")
    strings, styles = _Strings(), _Styles()
    for kind, handler in (("/sharedStrings", strings), ("/styles", styles)):
        if found := targets.by_kind.get(kind):
            _all(archive, normpath(join("xl", found)).lstrip("/"), handler)
    return Sheet(archive, name, part, book.epoch, strings.found, styles.dates())


def _chosen(sheets: Sequence[tuple[str, str, bool]], wanted: str | None) -> tuple[str, str]:
    for name, relation, is_hidden in sheets:
        if name == wanted or (wanted is None and not is_hidden):
            return name, relation
    names = ", ".join(repr(name[:50]) for name, _, _ in sheets[:10]) or "none"
    raise FileRefusedError(f"There is no sheet {wanted!r}; sheets are {names}.")


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    """By what the archive declares: no more than that is ever unpacked of an entry."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise FileRefusedError(f"The file has {len(entries)} parts; at most {MAX_ENTRIES} are read.")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise FileRefusedError(f"The file is larger than {MAX_UNPACKED} bytes when it is unpacked; send it in parts.")
    for entry in entries:
        if entry.file_size > SMALL and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            sentence = f"A part of the file grows more than {MAX_RATIO} times when it is unpacked"
            raise FileRefusedError(f"{sentence}: {entry.filename[:100]!r}; save it as CSV.")
        if _is_strings(entry.filename) and entry.file_size > MAX_STRINGS:
            raise FileRefusedError(f"The texts of the file take more than {MAX_STRINGS} bytes; save it as CSV.")


def _is_strings(part: str) -> bool:
    return part.lower().endswith("sharedstrings.xml")


class _Handler:
    """What is told of a document: elements by their local names, and the text inside those that are asked for."""

    texts: frozenset[str] = frozenset()

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, name: str, text: str) -> None:
        """An element ends; with its text if that was asked for."""


def _all(archive: zipfile.ZipFile, part: str, handler: _Handler) -> None:
    if archive.getinfo(part).file_size > (MAX_STRINGS if _is_strings(part) else MAX_PART):
        raise FileRefusedError(f"The part {part[:100]!r} of the file is larger than {MAX_PART} bytes; save it as CSV.")
    for _ in _parsed(archive, part, handler):
        pass


def _parsed(archive: zipfile.ZipFile, part: str, handler: _Handler) -> Iterator[None]:
    """Feed a part to its handler, block by block; after each the caller may take what was found."""
    parser = _parser(handler)
    try:
        with archive.open(part) as source:
            while block := source.read(_BLOCK):
                parser.Parse(block, False)
                yield
            parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        raise FileRefusedError(f"The part {part[:100]!r} of the file is broken: {error}.") from None
    except _BROKEN:
        raise FileRefusedError(f"The part {part[:100]!r} of the file cannot be unpacked.") from None


def _parser(handler: _Handler) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    depth, length = 0, 0
    collected: list[str] | None = None

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, collected, length
        depth += 1
        if depth > MAX_DEPTH:
            raise FileRefusedError(f"The file is nested deeper than {MAX_DEPTH} levels.")
        local = name[name.rfind(" ") + 1 :]
        if local in handler.texts:
            collected, length = [], 0
        handler.start(local, attributes)

    def end(name: str) -> None:
        nonlocal depth, collected
        depth -= 1
        local = name[name.rfind(" ") + 1 :]
        handler.end(local, "".join(collected) if collected is not None and local in handler.texts else "")
        if local in handler.texts:
            collected = None

    def text(data: str) -> None:
        nonlocal length
        if collected is not None:
            length += len(data)
            if length > MAX_CELL:
                raise FileRefusedError(f"A cell has more than {MAX_CELL} characters.")
            collected.append(data)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = _refuse_dtd
    return parser


def _refuse_dtd(*_: object) -> None:
    raise FileRefusedError("The file declares a document type (DTD), which no spreadsheet does.")


class _Book(_Handler):
    """The workbook: its sheets (name, relation, whether hidden), and from which year its days count."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.epoch = 1900

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            self.epoch = 1904
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            self.sheets.append((attributes.get("name", ""), relation, attributes.get("state", "visible") != "visible"))


class _Targets(_Handler):
    """Where the parts of the workbook are: by id, and by the end of their kind."""

    def __init__(self) -> None:
        self.by_id: dict[str, str] = {}
        self.by_kind: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            kind = attributes.get("Type", "")
            self.by_id[attributes.get("Id", "")] = target
            self.by_kind["/" + kind.rpartition("/")[2]] = target


class _Styles(_Handler):
    """Which styles of cells show dates."""

    def __init__(self) -> None:
        self._formats: dict[int, str] = {}
        self._used: list[int] = []
        self._is_inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "cellXfs":
            self._is_inside = True
        elif name == "numFmt":
            self._formats[_whole(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "xf" and self._is_inside:
            self._used.append(_whole(attributes.get("numFmtId")))

    def end(self, name: str, text: str) -> None:
        if name == "cellXfs":
            self._is_inside = False

    def dates(self) -> frozenset[int]:
        """Their numbers."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format  # takes a third of a second

        formats = BUILTIN_FORMATS | self._formats
        return frozenset(n for n, used in enumerate(self._used) if is_date_format(formats.get(used, "General")))


class _Strings(_Handler):
    """The texts that cells share; what tells how to pronounce them is left out."""

    texts = frozenset({"t"})

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._is_spoken = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._is_spoken = True

    def end(self, name: str, text: str) -> None:
        if name == "t" and not self._is_spoken:
            self._parts.append(text)
        elif name == "rPh":
            self._is_spoken = False
        elif name == "si":
            self.found.append(_unescaped("".join(self._parts)))


class _Rows(_Handler):
    """The cells of a sheet, row by row."""

    texts = frozenset({"v", "t"})

    def __init__(self, strings: Sequence[str], dates: frozenset[int], epoch: int, mark: Mark) -> None:
        self._strings, self._dates, self._epoch, self._mark = strings, dates, epoch, mark
        self._done: list[tuple[int, list[str]]] = []
        self._row, self._column = 0, 0
        self._cells: dict[int, str] = {}
        self._kind, self._style, self._text = "n", 0, ""
        self._is_spoken = False
        self._makers: Mapping[str, Callable[[str], str]] = {
            "s": self._shared,
            "b": lambda text: {"1": "true", "0": "false"}.get(text, text),
            "n": self._number,
        }

    def taken(self) -> list[tuple[int, list[str]]]:
        """The rows that have ended since it was last asked."""
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c":
            self._column = _column_of(attributes["r"]) if "r" in attributes else self._column + 1
            self._kind, self._style, self._text = attributes.get("t", "n"), _whole(attributes.get("s", "0")), ""
        elif name == "row":
            number = _whole(attributes["r"]) if "r" in attributes else self._row + 1
            if not self._row < number <= MAX_ROW:
                raise FileRefusedError(f"The rows of the sheet are not numbered from 1 to {MAX_ROW} in their order.")
            self._row, self._column, self._cells = number, 0, {}
        elif name == "rPh":
            self._is_spoken = True

    def end(self, name: str, text: str) -> None:
        if name == "v" or (name == "t" and not self._is_spoken):
            self._text += text
        elif name == "rPh":
            self._is_spoken = False
        elif name == "c":
            self._end_cell()
        elif name == "row" and self._cells:
            width = max(self._cells)
            self._done.append((self._row, [self._cells.get(place, "") for place in range(1, width + 1)]))

    def _end_cell(self) -> None:
        make = self._makers.get(self._kind, _unescaped)
        value = make(self._text).strip() if self._text else ""
        if not value:
            return
        if not 1 <= self._column <= MAX_COLUMNS:
            raise FileRefusedError(f"Row {self._row} has more than {MAX_COLUMNS} columns, which is the most.")
        self._cells[self._column] = value

    def _shared(self, text: str) -> str:
        place = _whole(text)
        if not 0 <= place < len(self._strings):
            raise FileRefusedError(f"Row {self._row} names a text that is not in the file; save it anew.")
        return self._strings[place]

    def _number(self, text: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            return text
        if not number.is_finite():
            return text
        if self._style in self._dates:
            return self._moment(number)
        return written(number).replace(".", self._mark)

    def _moment(self, serial: Decimal) -> str:
        try:
            moment = moment_of(serial, self._epoch)
        except CellError:
            return written(serial)
        return moment.date().isoformat() if serial % 1 == 0 else moment.isoformat(timespec="auto")


def written(number: Decimal) -> str:
    """A number of a spreadsheet as text: it has 15 digits, and what had more is written so that one sees it."""
    rounded = _FIFTEEN.plus(number)
    if rounded.adjusted() >= 15:
        return f"{rounded.normalize():E}"
    return format(rounded.normalize(), "f") if rounded.adjusted() > -20 else "0"


def _unescaped(text: str) -> str:
    """What a spreadsheet wrote as `_x000D_`; text that could not be stored stays as it is."""
    if "_x" not in text:
        return text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text if "\x00" in plain or (not plain.isprintable() and _has_surrogate(plain)) else plain


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _whole(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 9 else -1


def _column_of(reference: str) -> int:
    """The number of the column of a cell such as `AB12`."""
    number = 0
    for letter in reference[:4]:
        if not "A" <= letter <= "Z":
            break
        number = number * 26 + ord(letter) - 64
    return number
