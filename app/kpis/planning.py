"""What the figures of a query need: which measures, over which days, by which versions of the KPIs.

A plan numbers measures, windows and groups of measures for the one statement that the engine asks.
"""

from dataclasses import dataclass
from datetime import datetime

from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Grain,
    Window,
    first_instant,
    local_day,
    previous_period,
    previous_window,
    windows,
)
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.kpis import formulas, measures
from app.kpis.attribution import Attributor, Days
from app.kpis.definition import Measure
from app.kpis.history import KpiHistory, KpiVersionFacts, version_on
from app.kpis.measures import Scope
from app.kpis.questions import Query
from app.teams.facts import Structure


@dataclass(frozen=True)
class Context:
    """Everything but events that decides an answer, as known at one instant (S5)."""

    org_id: OrganizationId
    at: datetime
    known_at: datetime
    earliest_as_of: datetime
    is_recorded: bool
    cut: CalendarSettings
    currency: str
    calendar: WorkCalendar
    structure: Structure
    attributor: Attributor


@dataclass(frozen=True)
class Place:
    """Days of which a figure is asked, and the kind of window they are (what lies before depends on it, S21)."""

    window: Window
    grain: Grain

    @property
    def days(self) -> Days:
        """The days alone."""
        return Days(self.window.start, self.window.end)

    def back(self, count: int, cut: CalendarSettings) -> "Place":
        """The place so many windows before."""
        if count == 0:
            return self
        return Place(previous_window(self.window, self.grain, cut), self.grain).back(count - 1, cut)


@dataclass(frozen=True)
class Part:
    """Days of a cell on which one version of the KPI is valid (S24)."""

    version: KpiVersionFacts
    place: Place


@dataclass(frozen=True)
class Cut:
    """Two places to be compared like for like, each cut after as many working days (S21)."""

    working_days: int
    current: Place
    previous: Place


class Plan:
    """Which measures are needed over which days; numbers them for the statement."""

    def __init__(self, context: Context, query: Query, period: DayRange) -> None:
        self.context = context
        self.query = query
        self.period = Window(period.label, period.start, period.end)
        self.total = Place(self.period, "total")
        self.tiles = [Place(window, query.grain) for window in windows(period, query.grain, context.cut)]
        self.before_total: Place | None = None
        self.before: list[Place | None] = []
        if query.compare_previous:
            self._shift(period)
        self.measures: dict[Measure, int] = {}
        self.windows: dict[Days, int] = {}
        self.groups: dict[tuple[int, ...], int] = {}
        self._parts: dict[tuple[str, Place], list[Part] | None] = {}
        self.pairs = self._pairs()
        self.cuts = [self._to_date(now, then) for now, then in self.pairs]

    @property
    def scope(self) -> Scope:
        """From which point of view the ledger is read."""
        context = self.context
        return Scope(
            org_id=context.org_id,
            known_at=context.known_at,
            at=context.at,
            time_zone=context.cut.zone.key,
            currency=context.currency,
            where=self.query.where,
        )

    def _shift(self, period: DayRange) -> None:
        """The whole period is shifted, then cut into windows of its own (S21)."""
        shifted = previous_period(period)
        earlier = [Place(window, self.query.grain) for window in windows(shifted, self.query.grain, self.context.cut)]
        self.before_total = Place(Window(shifted.label, shifted.start, shifted.end), "total")
        self.before = [earlier[n] if n < len(earlier) else None for n in range(len(self.tiles))]

    def places(self) -> list[Place]:
        """Every place of which a figure is shown."""
        shown: list[Place | None] = [self.total, *self.tiles, self.before_total, *self.before]
        shown += [place for cut in self.cuts if cut for place in (cut.current, cut.previous)]
        return [place for place in shown if place is not None]

    def _pairs(self) -> list[tuple[Place, Place | None]]:
        """Each place with the one that it is compared with, the total first."""
        if self.before_total is None:
            return []
        return [(self.total, self.before_total), *zip(self.tiles, self.before, strict=True)]

    def _to_date(self, now: Place, then: Place | None) -> Cut | None:
        """Both places cut after the working days that are past; None where there is nothing to cut (S21)."""
        if then is None or self.is_complete(now.window):
            return None
        count = self._working_days_past(now)
        return Cut(count, self._cut(now, count), self._cut(then, count)) if count else None

    def _working_days_past(self, place: Place) -> int:
        """How many working days of the organization's calendar in this place have ended by T."""
        today = local_day(self.context.at, self.context.cut.zone)
        past = DayRange(place.window.start, place.window.end).until(today)
        return self.context.calendar.working_days(past)

    def _cut(self, place: Place, count: int) -> Place:
        end = self.context.calendar.cut_after(DayRange(place.window.start, place.window.end), count)
        return Place(Window("", place.window.start, end, is_partial=True), "day")

    def is_complete(self, window: Window) -> bool:
        """Whether the window's end lies at or before T (S3)."""
        return first_instant(window.end, self.context.cut.zone) <= self.context.at

    def add(self, history: KpiHistory) -> None:
        """Note what the figures of this KPI need."""
        for place in self.places():
            for part in self.parts(history, place) or []:
                for days, used in self.reads(part).items():
                    self._note(days, used)

    def parts(self, history: KpiHistory, place: Place) -> list[Part] | None:
        """The place by the versions that are valid in it; None where they do not add up (`mixed_versions`, S24)."""
        key = (history.key, place)
        if key not in self._parts:
            self._parts[key] = _by_version(history, place, self.query.versions.get(history.key))
        return self._parts[key]

    def reads(self, part: Part) -> dict[Days, tuple[int, ...]]:
        """The measures that a part's formula reads, by number, for each run of days that it reads them in."""
        definition = part.version.definition
        found: dict[Days, set[int]] = {}
        for use in formulas.uses(definition.formula):
            number = self.measures.setdefault(definition.measures[use.measure], len(self.measures))
            days = part.place.back(use.windows_back, self.context.cut).days
            found.setdefault(days, set()).add(number)
        return {days: tuple(sorted(numbers)) for days, numbers in found.items()}

    def _note(self, days: Days, used: tuple[int, ...]) -> None:
        self.windows.setdefault(days, len(self.windows))
        if self.shares_events(used):
            self.groups.setdefault(used, len(self.groups))

    def shares_events(self, used: tuple[int, ...]) -> bool:
        """Whether events must be counted over these measures together, for one may be in several."""
        numbered = list(self.measures)
        return measures.may_share_events([numbered[number] for number in used])


def _by_version(history: KpiHistory, place: Place, named: int | None) -> list[Part] | None:
    if not history.versions:
        return []
    if named is not None:
        version = history.numbered(named)
        return [Part(version, place)] if version else []
    start, end = place.days
    edges = sorted({v.valid_from for v in history.versions if v.valid_from and start < v.valid_from < end})
    runs = zip([start, *edges], [*edges, end], strict=True)
    valid = [(version_on(history.versions, first), Days(first, following)) for first, following in runs]
    if len({version.number for version, _ in valid}) == 1:
        return [Part(valid[0][0], place)]
    if not all(version.definition.is_additive for version, _ in valid):
        return None
    return [Part(version, Place(Window("", *days, is_partial=True), "day")) for version, days in valid]
