"""Local days, periods, windows and the ones before them, counted out day by day (S1, S2, S3, S21)."""

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from app.kpis.definition import Over

Grain = Literal["day", "week", "month", "quarter", "year", "total"]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Local days `[start, end)`, and the kind of window that they are: 'custom' where clipped or cut at will."""

    start: date
    end: date
    kind: Literal["day", "week", "month", "quarter", "year", "custom"] = "custom"
    label: str = ""
    is_partial: bool = False

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def days(self) -> list[date]:
        """Each of the days."""
        return [self.start + n * DAY for n in range((self.end - self.start).days)]


def local_day(occurred_at: datetime, occurred_on: date | None, zone: str) -> date:
    """The local day of an event (S1)."""
    return occurred_on or occurred_at.astimezone(ZoneInfo(zone)).date()


def first_instant(day: date, zone: str) -> datetime:
    """The first instant whose local date is this day or, where the day is left out, a later one (S1)."""
    return instant_of(day, time(), zone)


@cache
def instant_of(day: date, clock: time, zone: str) -> datetime:
    """The first instant at which local clocks show this time of this day, or a later one (S4).

    Found by looking at every minute (offsets of our time are whole minutes) from the earliest that it can be.
    """
    wall = datetime.combine(day, clock)
    around = [datetime.combine(day + n * DAY, clock, ZoneInfo(zone)).utcoffset() or timedelta() for n in (-2, 2)]
    instant = wall.replace(tzinfo=UTC) - max(around)
    while instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall:
        instant += timedelta(minutes=1)
    return instant


# ------------------------------------------------------------------------------------------------------- tiles


def tile(day: date, grain: Grain, week_start: int) -> Window:
    """The whole day, week, month, quarter or year that a day lies in."""
    start = day
    while not _begins_a_tile(start, grain, week_start):
        start -= DAY
    end = day + DAY
    while not _begins_a_tile(end, grain, week_start):
        end += DAY
    if grain == "total":
        raise ValueError("A total has no tiles.")
    return Window(start, end, grain, _label(start, grain))


def _begins_a_tile(day: date, grain: Grain, week_start: int) -> bool:
    match grain:
        case "week":
            return day.weekday() == week_start
        case "month":
            return day.day == 1
        case "quarter":
            return day.day == 1 and day.month in {1, 4, 7, 10}
        case "year":
            return day.day == 1 and day.month == 1
    return True


def _label(start: date, grain: Grain) -> str:
    match grain:
        case "week":
            year, week, _ = start.isocalendar()
            return f"{year:04}-W{week:02}" if start.weekday() == 0 else f"{start}/P7D"
        case "month":
            return f"{start:%Y-%m}"
        case "quarter":
            return f"{start.year:04}-Q{(start.month + 2) // 3}"
        case "year":
            return f"{start.year:04}"
    return start.isoformat()


# ----------------------------------------------------------------------------------------- periods and windows


def period(text: str, today: date, week_start: int) -> Window:
    """The period that a question names, relative ones from the local day of its instant (S3)."""
    if ".." in text:
        first, last = (date.fromisoformat(part) for part in text.split(".."))
        return _as_kind(Window(first, last + DAY, label=text))
    if text.startswith("last_") and text.endswith("_days"):
        return _as_kind(Window(today - int(text[5:-5]) * DAY, today))
    if text.startswith(("this_", "last_")):
        grain = _grain(text[5:])
        this = tile(today, grain, week_start)
        return this if text.startswith("this_") else tile(this.start - DAY, grain, week_start)
    if "W" in text:
        monday = date.fromisocalendar(int(text[:4]), int(text[6:]), 1)
        return Window(monday, monday + 7 * DAY, label=text)
    if "Q" in text:
        return tile(date(int(text[:4]), 3 * int(text[6:]) - 2, 1), "quarter", week_start)
    if len(text) == len("2026-07-14"):
        return tile(date.fromisoformat(text), "day", week_start)
    if len(text) == len("2026-07"):
        return tile(date.fromisoformat(f"{text}-01"), "month", week_start)
    return tile(date(int(text), 1, 1), "year", week_start)


def _grain(word: str) -> Grain:
    for grain in ("day", "week", "month", "quarter", "year"):
        if grain == word:
            return grain
    raise ValueError(word)


def _as_kind(run: Window) -> Window:
    """A run of days that happens to be a whole month, quarter or year is one."""
    for grain in ("month", "quarter", "year"):
        whole = tile(run.start, _grain(grain), 0)
        if (whole.start, whole.end) == (run.start, run.end):
            return whole
    return run


def windows(whole: Window, grain: Grain, week_start: int) -> list[Window]:
    """The tiles of a grain over a period, the first and the last clipped to it (S2)."""
    if grain == "total":
        return [whole]
    result: list[Window] = []
    for day in whole.days():
        if result and day in result[-1]:
            continue
        full = tile(day, grain, week_start)
        clipped = Window(max(full.start, whole.start), min(full.end, whole.end), "custom", full.label, is_partial=True)
        result.append(full if (full.start, full.end) == (clipped.start, clipped.end) else clipped)
    return result


def before(window: Window, week_start: int) -> Window:
    """The window before of the same kind; before a clipped or custom one as many days (S21)."""
    if window.kind == "custom":
        start = window.start - (window.end - window.start)
        is_week = "-W" in window.label and not window.is_partial
        return Window(start, window.start, label=_label(start, "week") if is_week else "")
    return tile(window.start - DAY, window.kind, week_start)


def a_year_before(window: Window) -> Window | None:
    """The window of the same label a year earlier; None where there is none (S21).

    A single day lies 364 days earlier. Other runs of days are the same dates, the 29th of February being the 28th.
    """
    if window.kind == "day" or (window.end - window.start == DAY and not window.is_partial):
        return Window(window.start - 364 * DAY, window.end - 364 * DAY, "day")
    if "-W" in window.label or window.label.endswith("/P7D"):
        return _week_a_year_before(window)
    if window.kind in {"month", "quarter", "year"}:
        return tile(_date_a_year_before(window.start), window.kind, 0)
    last = window.end - DAY
    return Window(_date_a_year_before(window.start), _date_a_year_before(last) + DAY)


def _week_a_year_before(window: Window) -> Window | None:
    """The week of the same number, or the same part of it; not all years have 53."""
    if "-W" in window.label:
        year, number = int(window.label[:4]), int(window.label[6:8])
        first = date.fromisocalendar(year, number, 1)
        then = [day for day in _days_of(year - 1) if day.isocalendar()[:2] == (year - 1, number)]
    else:
        first = date.fromisoformat(window.label[:10])
        this_year, last_year = (
            [day for day in _days_of(year) if day.weekday() == first.weekday() and day.year == year]
            for year in (first.year, first.year - 1)
        )
        then = last_year[this_year.index(first) :]
    if not then:
        return None
    back = first - then[0]
    return Window(window.start - back, window.end - back, window.kind)


def _days_of(year: int) -> list[date]:
    """All days of a year, and a week around it."""
    return [date(year, 1, 1) + n * DAY for n in range(-7, 373)]


def _date_a_year_before(day: date) -> date:
    """The same date; the 28th for a 29th of February."""
    return date(day.year - 1, day.month, min(day.day, monthrange(day.year - 1, day.month)[1]))


def reach(over: Over, window: Window, today: date, week_start: int) -> Window:
    """The days that a measure over other days looks at, for a window: up to its end, or to T's day in it."""
    end = today + DAY if today in window else window.end
    if over.days is not None:
        return Window(end - over.days * DAY, end)
    if over.months is not None:
        return Window(_months_before(end, over.months), end)
    assert over.since in {"week", "month", "quarter", "year"}
    return Window(tile(end - DAY, _grain(over.since), week_start).start, end)


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def is_complete(window: Window, at: datetime, zone: str) -> bool:
    """Whether the window's end lies at or before the instant of the answer (S3)."""
    return first_instant(window.end, zone) <= at


def cut_at_working_day(window: Window, count: int, working_days: Collection[date]) -> Window:
    """The window up to the end of its `count`-th working day; whole where it has fewer (S21).

    A part of the window, also where that is a single day: a year earlier lies the part of the same dates.
    """
    past = [day for day in window.days() if day in working_days][:count]
    return Window(window.start, past[-1] + DAY if len(past) == count else window.end, is_partial=True)


def working_days_past(window: Window, at: datetime, zone: str, working_days: Collection[date]) -> int:
    """How many working days of the window have ended by an instant."""
    return sum(day in working_days and first_instant(day + DAY, zone) <= at for day in window.days())
