"""From cells to values: what people and spreadsheets write, read exactly or refused with what to write instead."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from app.calendars.periods import SkippedTimeError, first_instant, resolve_local
from app.goals.sheet import NONE
from app.imports.columns import Value

Order = Literal["ymd", "dmy", "mdy"]
Mark = Literal[".", ","]

# Excel counts days since the last day of 1899 and takes 1900 for a leap year; files made on old Macs count from 1904.
EPOCHS = {1900: datetime(1899, 12, 30), 1904: datetime(1904, 1, 1)}  # noqa: DTZ001  # wall clocks have no zone
_SERIALS = range(25_569, 109_575)  # the years 1970 to 2199
ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!"})

_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_SLASHED = re.compile(r"(\d{1,4})[/](\d{1,2})[/](\d{1,4})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*([AaPp][Mm])?", re.ASCII)
_OFFSET = re.compile(r"(Z|z|[+-]\d{2}:?\d{2})$", re.ASCII)
_SERIAL = re.compile(r"\d{5,6}([.,]\d+)?", re.ASCII)
_PLAIN = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?", re.ASCII)
_ROUNDED = re.compile(r"-?\d(?:[.,]\d+)?E\+\d+", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


class CellError(ValueError):
    """A cell cannot be read: what is wrong, and what to write instead."""


@dataclass(frozen=True)
class Reading:
    """How the cells of a file are read."""

    zone: ZoneInfo
    decimal: Mark = "."
    dates: Order = "ymd"
    epoch: int | None = None
    """Of a spreadsheet: the year from which its serial numbers of days count; None where text is text."""


def value_of(kind: Value, cell: str, reading: Reading) -> Any:  # Any: what JSON has, by the column's kind
    """The value of a cell that is not empty, as JSON would have it. Raises `CellError`."""
    if cell in ERRORS:
        raise CellError(f"the cell shows the spreadsheet's error {cell}: write the value itself")
    return _READERS[kind](cell, reading)


class Moment(NamedTuple):
    """An instant as it was told: in UTC (RFC 3339), the day where only that was told, and whether it could be two."""

    instant: str
    day: date | None = None
    is_doubled: bool = False


def read_instant(cell: str, reading: Reading) -> Moment:
    """The instant. Raises `CellError`.

    A local time in a gap is refused, of a doubled one the first is meant (S4); a day alone begins at its first instant.
    """
    offset = _OFFSET.search(cell) if ":" in cell else None
    day, clock = _moment(cell[: offset.start()] if offset else cell, reading)
    if clock is None:
        return Moment(_written(first_instant(day, reading.zone)), day)
    try:
        if offset:
            return Moment(_written(datetime.combine(day, clock, _zone_of(offset[1])).astimezone(UTC)))
        instant = resolve_local(day, clock, reading.zone)
    except (SkippedTimeError, OverflowError) as error:
        raise CellError(f"{error} Write another time, or an offset as in 2026-07-14T09:31:05+02:00.") from None
    later = datetime.combine(day, clock.replace(fold=1), reading.zone).astimezone(UTC)
    return Moment(_written(instant), None, later != instant)


def read_date(cell: str, reading: Reading) -> str:
    """The date. Raises `CellError` for what has a time of day."""
    day, clock = _moment(cell, reading)
    if clock not in {None, time(0)}:
        raise CellError("must be a date without a time of day, such as 2026-07-14")
    return day.isoformat()


def read_number(cell: str, reading: Reading) -> Decimal:
    """The exact decimal, without what groups its thousands (`.` or `,`, a space, an apostrophe). Raises `CellError`."""
    mark, other = reading.decimal, "," if reading.decimal == "." else "."
    plain = cell.replace("\u2212", "-")
    if (found := _pattern(mark, other).fullmatch(plain)) is None:
        raise CellError(
            f"{cell[:60]!r} is no number as this file writes them, such as 1250{mark}50: {_instead(plain, reading)}"
        )
    whole = re.sub(r"[^\d]", "", found["whole"])
    return Decimal(f"{found['sign']}{whole}.{found['part'] or '0'}{found['exponent'] or ''}")


def _instead(cell: str, reading: Reading) -> str:
    """What to write instead of a cell that is no number."""
    shortened = _SHORTENED.fullmatch(cell)
    if shortened is not None and decimal_mark(shortened["number"]) in {None, reading.decimal}:
        try:
            number = read_number(shortened["number"], reading).scaleb(_ZEROS[shortened["unit"].lower()])
        except CellError:
            return "write it in full"
        return f"write {number.normalize():f}".replace(".", reading.decimal)
    other = "," if reading.decimal == "." else "."
    if _pattern(other, reading.decimal).fullmatch(cell) is not None:
        return f"mend it, or say `decimal={other}`"
    return "write the number alone"


_SHORTENED = re.compile(r"(?P<number>.*\d)\s*(?P<unit>k|m|mn|bn|%)", re.IGNORECASE)
_ZEROS = {"k": 3, "m": 6, "mn": 6, "bn": 9, "%": -2}


def decimal_mark(cell: str) -> Mark | None:
    """Which mark a number can only have been written with; None where it could be either, or is no number."""
    kept = re.sub(r"[\s\u00a0\u202f']", "", cell).lstrip("+-\u2212")
    if not re.fullmatch(r"[\d.,]+", kept):
        return None
    if "." in kept and "," in kept:
        return "." if kept.rfind(".") > kept.rfind(",") else ","
    for mark, other in ((".", ","), (",", ".")):
        if kept.count(mark) > 1:
            return other  # type: ignore[return-value]  # of the two
        if kept.count(mark) == 1 and len(kept.partition(mark)[2]) != 3:
            return mark  # type: ignore[return-value]  # of the two
    return None


def canonical(kind: Value, cell: str, reading: Reading) -> str:
    """A cell as any file may have it: moments as ISO 8601, without which a report would be read otherwise."""
    if kind not in {"instant", "date"}:
        return cell
    try:
        day, clock = _moment(cell, reading)
    except CellError:
        return cell
    return day.isoformat() if clock is None else f"{day.isoformat()}T{clock.isoformat()}"


def _number_or_none(cell: str, reading: Reading) -> Decimal | None:
    return None if cell.lower() == NONE else read_number(cell, reading)


def _share(cell: str, reading: Reading) -> Decimal:
    """A share as a number, or as a percentage."""
    if not cell.endswith("%"):
        return read_number(cell, reading)
    return read_number(cell[:-1].strip(), reading).scaleb(-2)


def _text(cell: str, _: Reading) -> str:
    return cell


def _id(cell: str, _: Reading) -> str:
    """Ids are text: what a spreadsheet made a number of has lost its digits beyond the fifteenth."""
    if _ROUNDED.fullmatch(cell):
        raise CellError(f"{cell} was rounded by a spreadsheet: give the column the format Text and write the id again")
    return cell


def _email(cell: str, _: Reading) -> str:
    address = cell.lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address) or len(address) > 320:
        raise CellError(f"{cell[:60]!r} is no e-mail address")
    return address


def _instant(cell: str, reading: Reading) -> str:
    return read_instant(cell, reading).instant


def _integer(cell: str, reading: Reading) -> int:
    number = read_number(cell, reading)
    if number != number.to_integral_value() or abs(number) > 2**63:
        raise CellError(f"{cell[:60]!r} is no whole number")
    return int(number)


def _boolean(cell: str, _: Reading) -> bool:
    if cell.lower() in _TRUE:
        return True
    if cell.lower() in _FALSE:
        return False
    raise CellError(f"{cell[:60]!r} must be true or false")


def _any(cell: str, reading: Reading) -> Decimal | bool | str:
    """What is plainly a number, true or false is that; all else is text, also a number that begins with 0."""
    plain = cell.replace(",", ".") if reading.decimal == "," and "." not in cell else cell
    if _PLAIN.fullmatch(plain) and not (reading.decimal == "," and "." in cell):
        return Decimal(plain)
    return {"true": True, "false": False}.get(cell.lower(), cell)


_READERS: Mapping[Value, Callable[[str, Reading], Any]] = {
    "text": _text,
    "id": _id,
    "email": _email,
    "instant": _instant,
    "date": read_date,
    "number": read_number,
    "number_or_none": _number_or_none,
    "share": _share,
    "integer": _integer,
    "boolean": _boolean,
    "json": _text,
    "any": _any,
}


def _pattern(mark: str, other: str) -> re.Pattern[str]:
    return _PATTERNS[mark, other]


_PATTERNS = {
    (mark, other): re.compile(
        rf"(?P<sign>[+-]?)(?P<whole>\d{{1,3}}(?:[{re.escape(other)} '\u00a0\u202f\u2019]\d{{3}})+|\d{{1,40}})"
        rf"(?:{re.escape(mark)}(?P<part>\d{{1,40}}))?(?P<exponent>[eE][+-]?\d{{1,2}})?",
        re.ASCII,
    )
    for mark, other in ((".", ","), (",", "."))
}


def _moment(cell: str, reading: Reading) -> tuple[date, time | None]:
    """The wall clock that a cell shows; no time where it shows a date alone."""
    if reading.epoch is not None and _SERIAL.fullmatch(cell):
        return _serial(cell, reading.epoch)
    day_text, _, rest = cell.replace("T", " ", 1).partition(" ")
    day = _day(day_text, reading)
    return day, _clock(rest.strip()) if rest.strip() else None


def moment_of(serial: Decimal, epoch: int) -> datetime:
    """The wall clock of a spreadsheet's serial number, to the millisecond. Raises `CellError` for other years."""
    if int(serial) not in _SERIALS:
        raise CellError(f"{serial} is no date: write for example 2026-07-14")
    return EPOCHS[epoch] + timedelta(milliseconds=round(serial * 86_400_000))


def _serial(cell: str, epoch: int) -> tuple[date, time | None]:
    moment = moment_of(Decimal(cell.replace(",", ".")), epoch)
    return moment.date(), moment.time() if moment.time() != time(0) else None


def _day(text: str, reading: Reading) -> date:
    if found := _ISO_DATE.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _DOTTED.fullmatch(text):
        day, month, year = map(int, found.groups())
    elif found := _SLASHED.fullmatch(text):
        year, month, day = _ordered(text, list(map(int, found.groups())), reading.dates)
    else:
        raise CellError(f"{text[:60]!r} is no date: write for example 2026-07-14")
    try:
        return date(year, month, day)
    except ValueError:
        raise CellError(f"there is no day {text}") from None


def _ordered(text: str, parts: list[int], order: Order) -> tuple[int, int, int]:
    if len(text.partition("/")[0]) == 4:
        return parts[0], parts[1], parts[2]
    if order == "ymd":
        raise CellError(f"{text} can be read in two ways: write 2026-07-14, or say `dates=dmy` or `dates=mdy`")
    day, month = (parts[0], parts[1]) if order == "dmy" else (parts[1], parts[0])
    return parts[2], month, day


def _clock(text: str) -> time:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise CellError(f"{text[:60]!r} is no time of day: write for example 09:31:05")
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[5]:
        if not 1 <= hour <= 12:
            raise CellError(f"there is no time {text}")
        hour = hour % 12 + (12 if found[5].lower() == "pm" else 0)
    try:
        return time(hour, minute, second, int((found[4] or "0").ljust(6, "0")))
    except ValueError:
        raise CellError(f"there is no time {text}") from None


def _zone_of(offset: str) -> tzinfo | None:
    return UTC if offset in {"Z", "z"} else datetime.strptime(offset, "%z").tzinfo


def _written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
