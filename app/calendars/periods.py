"""Days, periods and windows: the words in which questions name time, and the instants they stand for (S1–S4, S21)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from app.calendars.fiscal import FiscalName, FiscalPattern, FiscalWeekRule, FiscalYears

Grain = Literal["day", "week", "month", "quarter", "year", "total"]
FIRST_YEAR, LAST_YEAR = 1970, 2200
LONGEST_RUN_OF_DAYS = 3660
_DAY = timedelta(days=1)
_MONTHS: dict[Grain, int] = {"month": 1, "quarter": 3, "year": 12}
_FISCAL_GRAINS: dict[str, Grain] = {"period": "month", "quarter": "quarter", "year": "year"}
_LISTED_NAMES = 10


class PeriodError(ValueError):
    """A period that cannot be understood; the message says what to write instead."""


class SkippedTimeError(ValueError):
    """A local clock time that no clock showed, because it was put forward over it (S4)."""


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """How an organization cuts time into days, weeks and fiscal years."""

    zone: ZoneInfo
    week_starts_on: int = 0
    """0 is Monday, 6 Sunday."""
    fiscal_year_starts: int = 1
    """The month, 1 to 12."""
    fiscal_year_named_after: FiscalName = "ends"
    fiscal_pattern: FiscalPattern = "months"
    fiscal_week_rule: FiscalWeekRule = "last"
    named: "Mapping[str, DayRange]" = field(default_factory=dict, hash=False)
    """The organization's own periods, by the word that means them."""

    @property
    def fiscal(self) -> FiscalYears:
        """How its fiscal years lie."""
        return FiscalYears(
            self.fiscal_year_starts,
            self.fiscal_year_named_after,
            self.fiscal_pattern,
            self.fiscal_week_rule,
            self.week_starts_on,
        )


@dataclass(frozen=True, slots=True)
class DayRange:
    """A half-open run of local days; `text` is how the period was written, with relative words already resolved."""

    start: date
    end: date
    text: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"{self.start} to {self.end} runs backwards.")

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day < self.end

    def __iter__(self) -> Iterator[date]:
        return (self.start + n * _DAY for n in range(self.days))

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def is_fiscal(self) -> bool:
        """Whether the period was written as a fiscal one: its windows and the period before it are fiscal, too."""
        return self.text.startswith("FY")

    @property
    def label(self) -> str:
        """As the period was written, else how it could be."""
        if self.text:
            return self.text
        return self.start.isoformat() if self.days == 1 else f"{self.start}..{self.end - _DAY}"

    def until(self, day: date) -> "DayRange":
        """The part of this run before `day`; empty where the run starts later."""
        return DayRange(self.start, min(self.end, max(self.start, day)))


@dataclass(frozen=True, slots=True)
class Window:
    """One tile of a period: local days `[start, end)`; `is_partial` where the period cuts the tile short (S2)."""

    label: str
    start: date
    end: date
    is_partial: bool = False

    @property
    def days(self) -> DayRange:
        return DayRange(self.start, self.end, self.label)


# ---------------------------------------------------------------------------------------------------- periods


def parse_period(text: str, today: date, settings: CalendarSettings) -> DayRange:
    """The days that a period stands for; `today` is the local day at the instant of the answer (S3).

    Weeks such as `2026-W31` are ISO weeks, from Monday, whatever the organization's weeks start with. `this_quarter`
    and `this_year` are those of the calendar. A named period is its days, and has windows of the calendar. Raises
    `PeriodError`.
    """
    for pattern, resolve in _FORMS:
        if found := pattern.fullmatch(text):
            return resolve(found, today, settings)
    if (named := settings.named.get(text)) is not None:
        return DayRange(named.start, named.end)
    raise PeriodError(_not_a_period(text, settings.named))


def is_form(text: str) -> bool:
    """Whether a text is written as a period that everybody has: an organization's own must have another name."""
    return any(pattern.fullmatch(text) for pattern, _ in _FORMS)


def _not_a_period(text: str, named: Mapping[str, DayRange]) -> str:
    """What to write instead, the nearest word first."""
    nearest = get_close_matches(text[:60], [*sorted(named), *_WORDS], n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    own = ", ".join(sorted(named)[:_LISTED_NAMES])
    return (
        f"{text[:60]!r} is not a period.{hint} Write 2026-07-14, 2026-07, 2026-Q3, 2026-W31, 2026-07-12/P7D, 2026, "
        "FY2026, FY2026-Q2, FY2026-P07, 2026-07-01..2026-08-15, last_30_days, today, yesterday, or this_ or last_ with "
        "week, month, quarter, year, fiscal_period, fiscal_quarter or fiscal_year"
        + (f", or a period of your own: {own}." if own else ".")
    )


def _of_day(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    day = _day(found[0])
    return DayRange(day, day + _DAY, found[0])


def _of_month(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    return _months(date(_year(found[1]), _within("month", found[2], 12), 1), 1, found[0])


def _of_quarter(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    return _months(date(_year(found[1]), 3 * _within("quarter", found[2], 4) - 2, 1), 3, found[0])


def _of_iso_week(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    year, week = _year(found[1]), int(found[2])
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        last = date(year, 12, 28).isocalendar().week
        raise PeriodError(f"{found[0]} does not exist: {year} has the ISO weeks W01 to W{last}.") from None
    return DayRange(monday, monday + 7 * _DAY, found[0])


def _of_other_week(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    start = _day(found[1])
    return DayRange(start, start + 7 * _DAY, found[0])


def _of_year(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    return _months(date(_year(found[0]), 1, 1), 12, found[0])


def _of_fiscal_period(found: re.Match[str], _today: date, settings: CalendarSettings) -> DayRange:
    year, part = _year(found[1]), found[2] or ""
    if part.startswith("Q"):
        return _fiscal_part(year, "quarter", _within("quarter", part[1:], 4) - 1, settings)
    if part.startswith("P"):
        return _fiscal_part(year, "month", _within("fiscal period", part[1:], 12) - 1, settings)
    return _fiscal_part(year, "year", 0, settings)


def _of_span(found: re.Match[str], _today: date, _settings: CalendarSettings) -> DayRange:
    first, last = _day(found[1]), _day(found[2])
    if last < first:
        raise PeriodError(f"{found[0]} runs backwards: write the earlier day first, {last}..{first}.")
    return DayRange(first, last + _DAY, found[0])


def _of_last_days(found: re.Match[str], today: date, _settings: CalendarSettings) -> DayRange:
    count = int(found[1])
    if not 1 <= count <= LONGEST_RUN_OF_DAYS:
        raise PeriodError(f"{found[0]} is out of range: write last_1_days to last_{LONGEST_RUN_OF_DAYS}_days.")
    return DayRange(today - count * _DAY, today)


def _of_word(found: re.Match[str], today: date, _settings: CalendarSettings) -> DayRange:
    day = today if found[0] == "today" else today - _DAY
    return DayRange(day, day + _DAY, day.isoformat())


def _of_relative(found: re.Match[str], today: date, settings: CalendarSettings) -> DayRange:
    is_fiscal = found[2] == "fiscal"
    grain: Grain = _FISCAL_GRAINS[found[3]] if is_fiscal else found[3]  # type: ignore[assignment]  # a grain's word
    tile = _tile(today, grain, settings, is_fiscal=is_fiscal)
    if found[1] == "last":
        tile = _tile(tile.start - _DAY, grain, settings, is_fiscal=is_fiscal)
    return tile


_Resolve = Callable[[re.Match[str], date, CalendarSettings], DayRange]
_FORMS: tuple[tuple[re.Pattern[str], _Resolve], ...] = tuple(
    (re.compile(pattern, re.ASCII), resolve)
    for pattern, resolve in (
        (r"\d{4}-\d\d-\d\d", _of_day),
        (r"(\d{4})-(\d\d)", _of_month),
        (r"(\d{4})-Q(\d)", _of_quarter),
        (r"(\d{4})-W(\d\d)", _of_iso_week),
        (r"(\d{4}-\d\d-\d\d)/P7D", _of_other_week),
        (r"\d{4}", _of_year),
        (r"FY(\d{4})(?:-(Q\d|P\d\d))?", _of_fiscal_period),
        (r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)", _of_span),
        (r"last_(\d{1,6})_days", _of_last_days),
        (r"today|yesterday", _of_word),
        (r"(this|last)_()(week|month|quarter|year)", _of_relative),
        (r"(this|last)_(fiscal)_(period|quarter|year)", _of_relative),
    )
)
_GRAIN_WORDS = ("week", "month", "quarter", "year", *(f"fiscal_{grain}" for grain in _FISCAL_GRAINS))
_WORDS = (
    "today",
    "yesterday",
    "last_30_days",
    *(f"{when}_{what}" for when in ("this", "last") for what in _GRAIN_WORDS),
)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PeriodError(f"{text} is not a day of the calendar: write a day such as 2026-07-14.") from None
    _year(text[:4])
    return day


def _year(text: str) -> int:
    if not FIRST_YEAR <= int(text) <= LAST_YEAR:
        raise PeriodError(f"The year {text} is out of range: write a year from {FIRST_YEAR} to {LAST_YEAR}.")
    return int(text)


def _within(what: str, text: str, last: int) -> int:
    if not 1 <= int(text) <= last:
        raise PeriodError(f"There is no {what} {text}: write 1 to {last}.")
    return int(text)


# ---------------------------------------------------------------------------------------------------- windows


def windows(period: DayRange, grain: Grain, settings: CalendarSettings) -> list[Window]:
    """The tiles of a grain over a period, without gaps, the first and last clipped to it (S2).

    Months, quarters and years are fiscal where the period was written as a fiscal one.
    """
    if grain == "total":
        return [Window(period.label, period.start, period.end)]
    tiles, day = [], period.start
    while day < period.end:
        tile = _tile(day, grain, settings, is_fiscal=period.is_fiscal)
        end = min(tile.end, period.end)
        tiles.append(Window(tile.text, day, end, is_partial=(day, end) != (tile.start, tile.end)))
        day = end
    return tiles


def previous_window(window: Window, grain: Grain, settings: CalendarSettings) -> Window:
    """The window before of the same kind; for a clipped or custom one as many days immediately before (S21)."""
    if grain == "total":
        before = previous_period(window.days, settings)
        return Window(before.label, before.start, before.end)
    if window.is_partial:
        before = _days_before(window.days)
        return Window(before.label, before.start, before.end, is_partial=True)
    tile = _tile(window.start - _DAY, grain, settings, is_fiscal=window.days.is_fiscal)
    return Window(tile.text, tile.start, tile.end)


def previous_period(period: DayRange, settings: CalendarSettings) -> DayRange:
    """The month, quarter or year before a whole one; else as many days immediately before (S21).

    A fiscal period is followed by its own kind, so that a year of 52 weeks may come after one of 53.
    """
    grain = _whole(period, settings)
    if grain is None:
        return _days_before(period)
    return _tile(period.start - _DAY, grain, settings, is_fiscal=period.is_fiscal)


def _whole(period: DayRange, settings: CalendarSettings) -> Grain | None:
    """Whether this is a whole month, quarter or year: of the calendar, or fiscal where written so."""
    for grain in _MONTHS:
        if _tile(period.start, grain, settings, is_fiscal=period.is_fiscal) == period:
            return grain
    return None


def _days_before(period: DayRange) -> DayRange:
    start = period.start - period.days * _DAY
    is_week = period.days == 7 and (start.weekday() == 0 or period.text.endswith("/P7D"))
    return DayRange(start, period.start, _week_label(start) if is_week else "")


def _tile(day: date, grain: Grain, settings: CalendarSettings, *, is_fiscal: bool) -> DayRange:
    if grain == "day":
        return DayRange(day, day + _DAY, day.isoformat())
    if grain == "week":
        return _week(day - (day.weekday() - settings.week_starts_on) % 7 * _DAY)
    if is_fiscal:
        year, place = settings.fiscal.place_of(day)
        return _fiscal_part(year, grain, place // _MONTHS[grain], settings)
    length = _MONTHS[grain]
    start = _shifted(day.replace(day=1), -((day.month - 1) % length))
    return _months(start, length, _calendar_label(start, grain))


def _week(start: date) -> DayRange:
    return DayRange(start, start + 7 * _DAY, _week_label(start))


def _fiscal_part(year: int, grain: Grain, place: int, settings: CalendarSettings) -> DayRange:
    """One of the periods (as "month") or quarters of a fiscal year, counted from 0, or the whole year."""
    bounds, length = settings.fiscal.bounds(year), _MONTHS[grain]
    part = {"month": f"-P{place + 1:02}", "quarter": f"-Q{place + 1}", "year": ""}[grain]
    return DayRange(bounds[place * length], bounds[(place + 1) * length], f"FY{year:04}{part}")


def _week_label(start: date) -> str:
    if start.weekday() != 0:
        return f"{start}/P7D"
    year, week, _ = start.isocalendar()
    return f"{year:04}-W{week:02}"


def _calendar_label(start: date, grain: Grain) -> str:
    if grain == "month":
        return f"{start:%Y-%m}"
    return f"{start.year:04}-Q{(start.month + 2) // 3}" if grain == "quarter" else f"{start.year:04}"


def _months(start: date, count: int, text: str) -> DayRange:
    return DayRange(start, _shifted(start, count), text)


def _shifted(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


# -------------------------------------------------------------------------------------------------- last year


def same_window_last_year(window: Window, grain: Grain, settings: CalendarSettings) -> Window | None:
    """The window one (fiscal) year earlier with the same label part; None where that year has none (S21).

    Of a clipped window the same part: the same dates, of a week or a fiscal period of weeks the same weekdays.
    """
    if grain == "total":
        found = same_period_last_year(window.days, settings)
        return None if found is None else Window(found.label, found.start, found.end)
    is_fiscal = window.days.is_fiscal
    whole = _tile(window.start, grain, settings, is_fiscal=is_fiscal)
    found = _last_year(whole, grain, settings, is_fiscal=is_fiscal)
    if found is None or not window.is_partial:
        return None if found is None else Window(found.text, found.start, found.end)
    if grain == "week" or (is_fiscal and settings.fiscal_pattern != "months"):
        clipped = _same_place(window.days, whole, found)
    else:
        clipped = _dates_last_year(window.days)
    return None if clipped.days == 0 else Window(clipped.label, clipped.start, clipped.end, is_partial=True)


def same_period_last_year(period: DayRange, settings: CalendarSettings) -> DayRange | None:
    """The day, week, month, quarter or year of the year before; of any other run the same dates (S21).

    A day is compared with the same weekday, 364 days earlier, and 29 February otherwise with the 28th.
    """
    grain = _whole(period, settings)
    if grain is None and period.days == 1:
        grain = "day"
    if grain is not None:
        return _last_year(period, grain, settings, is_fiscal=period.is_fiscal)
    return _week_last_year(period.start) if _is_week(period) else _dates_last_year(period)


def _last_year(tile: DayRange, grain: Grain, settings: CalendarSettings, *, is_fiscal: bool) -> DayRange | None:
    """The counterpart of a whole tile."""
    if grain == "day":
        return _tile(tile.start - 52 * 7 * _DAY, grain, settings, is_fiscal=False)
    if grain == "week":
        return _week_last_year(tile.start)
    if is_fiscal:
        year, place = settings.fiscal.place_of(tile.start)
        return _fiscal_part(year - 1, grain, place // _MONTHS[grain], settings)
    return _tile(_year_earlier(tile.start), grain, settings, is_fiscal=False)


def _week_last_year(start: date) -> DayRange | None:
    """The week of the same number: an ISO week from Monday, else counted by the weeks that start in the year."""
    if start.weekday() == 0:
        year, week, _ = start.isocalendar()
        last = date(year - 1, 12, 28).isocalendar().week
        return _week(date.fromisocalendar(year - 1, week, 1)) if week <= last else None
    number = (start.timetuple().tm_yday - 1) // 7
    new_year = date(start.year - 1, 1, 1)
    found = new_year + ((start.weekday() - new_year.weekday()) % 7 + 7 * number) * _DAY
    return _week(found) if found.year == new_year.year else None


def _is_week(period: DayRange) -> bool:
    """Whether a period was written as a week."""
    return period.text.endswith("/P7D") or "-W" in period.text


def _same_place(part: DayRange, whole: DayRange, other: DayRange) -> DayRange:
    """The days that lie in another run as `part` lies in its own; empty where that is shorter."""
    back = whole.start - other.start
    end = part.end - back
    if part.end <= whole.end:
        end = min(end, other.end)
    return DayRange(min(part.start - back, end), end)


def _dates_last_year(days: DayRange) -> DayRange:
    return DayRange(_year_earlier(days.start), _year_earlier(days.end - _DAY) + _DAY)


def _year_earlier(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if is_leap_day else day.day)


# ---------------------------------------------------------------------------------------------------- instants


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The date that the clocks of a zone show at an instant (S1)."""
    if instant.tzinfo is None:
        raise ValueError("An instant needs an offset.")
    return instant.astimezone(zone).date()


@lru_cache(maxsize=10_000)
def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, in UTC (S1).

    Where its midnight does not exist (clocks put forward at midnight, a day left out as in Samoa on 2011-12-30), the
    first instant after the gap, so that a day left out is empty; where it comes twice, the first.
    """
    return instant_at(day, time(), zone)


def instant_at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant of a local clock time, in UTC: the first of two; of one that no clock showed, the end of the gap."""
    wall = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    instant = _instant(wall, zone)
    if _shown(instant, zone) == wall:
        return instant
    return _first_at_or_after(wall, zone, _instant(wall.replace(fold=1), zone), instant)


def resolve_local(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant of a local clock time, in UTC: the first of two; raises `SkippedTimeError` in a gap (S4)."""
    wall = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    instant = _instant(wall, zone)
    if _shown(instant, zone) != wall:
        raise SkippedTimeError(f"{wall.isoformat(' ')} does not exist in {zone.key}: the clocks were put forward.")
    return instant


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _first_at_or_after(wall: datetime, zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The end of the gap that lies between two instants, which its offsets before and after give (PEP 495)."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (low, middle) if _shown(middle, zone) >= wall else (middle, high)
    return high
