"""Local days, periods, windows and the ones before them, counted out day by day (S1, S2, S3, S21)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

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


@cache
def first_instant(day: date, zone: str) -> datetime:
    """The first instant whose local date is this day or, where the day is left out, a later one (S1).

    Found by looking at every minute: offsets of our time are whole minutes.
    """
    instant = datetime.combine(day, time(), UTC) - timedelta(hours=15)
    while instant.astimezone(ZoneInfo(zone)).date() < day:
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
        return Window(window.start - (window.end - window.start), window.start)
    return tile(window.start - DAY, window.kind, week_start)


def is_complete(window: Window, at: datetime, zone: str) -> bool:
    """Whether the window's end lies at or before the instant of the answer (S3)."""
    return first_instant(window.end, zone) <= at


def cut_at_working_day(window: Window, count: int, working_days: Collection[date]) -> Window:
    """The window up to the end of its `count`-th working day; whole where it has fewer (S21)."""
    past = [day for day in window.days() if day in working_days][:count]
    return Window(window.start, past[-1] + DAY if len(past) == count else window.end)


def working_days_past(window: Window, at: datetime, zone: str, working_days: Collection[date]) -> int:
    """How many working days of the window have ended by an instant."""
    return sum(day in working_days and first_instant(day + DAY, zone) <= at for day in window.days())
