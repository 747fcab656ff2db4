"""Which part of a window each kept figure belongs to. Pure.

Days are numbers here: how many days after 1 January 2000. The windows of a query are cut into *segments* at
all of their edges, so that each window is a run of neighboring segments and figures are added up once, however many
windows hold them.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from app.kpis.attribution import Days
from app.kpis.measures import CurrencyFactors
from app.rates.conversion import Factor


class Run(NamedTuple):
    """Neighboring days of one segment and one factor; None: amounts are not converted there."""

    start: int
    end: int
    segment: int
    factor: Factor | None = None


Place = tuple[int, Factor | None]

BEGINNING = date(2000, 1, 1)  # the database takes the first day of the calendar for one before all others
_FIRST = BEGINNING.toordinal()


def number_of(day: date) -> int:
    """How many days after the first of all numbered days, which is 0."""
    return day.toordinal() - _FIRST


@lru_cache(maxsize=10_000)
def day_of(number: int) -> date:
    """The day with this number."""
    return date.fromordinal(number + _FIRST)


class Segments:
    """The windows of a query, cut at all of their edges; `spans` are the first and the next segment of each window."""

    def __init__(self, windows: Sequence[Days]) -> None:
        numbered = [(number_of(days.start), number_of(days.end)) for days in windows]
        self.edges = sorted({edge for days in numbered for edge in days})
        places = {edge: place for place, edge in enumerate(self.edges)}
        self.spans = [(places[start], places[end]) for start, end in numbered]
        self.count = len(self.edges) - 1
        self.runs = self._covered()

    @property
    def first(self) -> int:
        """The first day of all windows."""
        return self.edges[0]

    @property
    def end(self) -> int:
        """The day after the last of all windows."""
        return self.edges[-1]

    def _covered(self) -> list[Run]:
        """The segments that are in any window."""
        changes = [0] * len(self.edges)
        for start, end in self.spans:
            changes[start] += 1
            changes[end] -= 1
        return [
            Run(self.edges[place], self.edges[place + 1], place)
            for place, held in enumerate(accumulate(changes[:-1]))
            if held
        ]

    def converted(self, factors: CurrencyFactors) -> list[Run]:
        """The same days, cut where the factor of a currency changes too."""
        found: list[Run] = []
        spans = [
            (number_of(first), number_of(following), Factor(multiply, divide))
            for first, following, multiply, divide in factors.spans
        ]
        starts = [first for first, _, _ in spans]
        for run in self.runs:
            at = run.start
            for first, following, factor in spans[max(bisect_right(starts, at) - 1, 0) : bisect_left(starts, run.end)]:
                start, end = max(first, at), min(following, run.end)
                if start < end:
                    if at < start:
                        found.append(Run(at, start, run.segment))
                    found.append(Run(start, end, run.segment, factor))
                    at = end
            if at < run.end:
                found.append(Run(at, run.end, run.segment))
        return found


@dataclass(frozen=True)
class Layout:
    """Where the kept figures of an identity belong: by month as a whole, or else by each day of a month.

    Months are named by the number of their first day; days that are not wanted are None.
    """

    whole: dict[int, Place]
    cut: dict[int, list[Place | None]]


def layout(runs: Sequence[Run], first: int, end: int, before: int, stale: Sequence[int]) -> Layout:
    """The days `[first, end)` of an identity whose kept figures hold days before `before`, but for the stale ones."""
    pieces: dict[int, list[Run]] = defaultdict(list)
    end = min(end, before)
    for run in runs:
        start, stop = max(run.start, first), min(run.end, end)
        while start < stop:
            month = month_of(start)
            until = min(stop, next_month(month))
            pieces[month].append(Run(start, until, run.segment, run.factor))
            start = until
    whole: dict[int, Place] = {}
    cut: dict[int, list[Place | None]] = {}
    for month, parts in pieces.items():
        until = next_month(month)
        old = [day for day in stale if month <= day < until]
        if len(parts) == 1 and parts[0][:2] == (month, min(until, before)) and not old:
            whole[month] = parts[0][2:]
        else:
            cut[month] = _by_day(month, parts, old)
    return Layout(whole, cut)


def _by_day(month: int, parts: Sequence[Run], stale: Sequence[int]) -> list[Place | None]:
    days: list[Place | None] = [None] * 31
    for part in parts:
        days[part.start - month : part.end - month] = [part[2:]] * (part.end - part.start)
    for day in stale:
        days[day - month] = None
    return days


@lru_cache(maxsize=50_000)
def month_of(day: int) -> int:
    """The first day of a day's month."""
    return number_of(day_of(day).replace(day=1))


@lru_cache(maxsize=5_000)
def next_month(month: int) -> int:
    """The first day of the month after."""
    return month_of(month + 31)
