"""What the figures of a query need: which measures, over which days, by which versions of the KPIs.

A plan numbers measures, windows and groups of measures for the one statement that the engine asks, and says of each
cell what it reads, once for all subjects.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Grain,
    Window,
    first_instant,
    local_day,
    parse_period,
    previous_period,
    previous_window,
    same_period_last_year,
    same_window_last_year,
    windows,
)
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.kpis import formulas, measures
from app.kpis.attribution import Attributor, Days, days_between
from app.kpis.definition import Definition, Measure, OpenMeasure, Over
from app.kpis.formulas import Shift, Step
from app.kpis.history import KpiHistory, KpiVersionFacts, additive_kpis, is_additive, version_on
from app.kpis.measures import CurrencyFactors, Grouping, Scope, WorkingClock
from app.kpis.questions import Compare, Query, Status
from app.teams.facts import Structure

_DAY = timedelta(days=1)


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
    home_currency: str
    calendar: WorkCalendar
    structure: Structure
    attributor: Attributor

    @property
    def today(self) -> date:
        """T's local day."""
        return local_day(self.at, self.cut.zone)


@dataclass(frozen=True)
class Place:
    """Days of which a figure is asked, and the kind of window they are (what lies before depends on it, S21)."""

    window: Window
    grain: Grain

    @property
    def days(self) -> Days:
        """The days alone."""
        return Days(self.window.start, self.window.end)

    def stepped(self, step: Step, cut: CalendarSettings) -> "Place | None":
        """The window before, or the one a year before; None where that year has none."""
        if step == "previous":
            return Place(previous_window(self.window, self.grain, cut), self.grain)
        found = same_window_last_year(self.window, self.grain, cut)
        return None if found is None else Place(found, self.grain)


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


@dataclass(frozen=True)
class Compared:
    """What the total and each window are compared with, and both cut to date; cuts with the total first."""

    total: Place | None
    windows: tuple[Place | None, ...]
    cuts: tuple[Cut | None, ...]


Reads = frozenset[tuple[int, Days]]
"""Measures, by number, each over a run of days."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The row of a statement that counts events: of a measure in a window, or of a union in the window's place."""

    kind: str
    number: int
    window: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part of a cell reads: where each value of its formula stands. None: there is no such window (S21)."""

    part: Part
    measures: Mapping[tuple[str, Shift], Counted | None]
    kpis: Mapping[tuple[str, Shift], "Place | None"]
    days: Mapping[Shift, Days | None]


@dataclass(frozen=True, slots=True)
class CellPlan:
    """What a cell needs, whosever it is; `refused` where it has no figure whatever the events say.

    `entering` count the events of the cell itself; `losing` those and the ones of windows that it looks back at.
    """

    refused: Status | None
    readings: tuple[Reading, ...]
    version: int | None
    entering: tuple[Counted, ...]
    losing: tuple[Counted, ...]
    reads: Reads
    all_reads: Reads


class Plan:
    """Which measures are needed over which days; numbers them for the statement."""

    def __init__(
        self,
        context: Context,
        query: Query,
        period: DayRange,
        histories: Mapping[str, KpiHistory],
        *,
        only_total: bool = False,
    ) -> None:
        self.context = context
        self.query = query
        self.histories = histories
        self.period = Window(period.label, period.start, period.end)
        self.total = Place(self.period, "total")
        self.tiles: list[Place] = []
        self.compared: dict[Compare, Compared] = {}
        if not only_total:
            self.tiles = [Place(window, query.grain) for window in windows(period, query.grain, context.cut)]
            self.compared = {kind: self._compared(kind, period) for kind in query.compare}
        self.measures: dict[Measure, int] = {}
        self.windows: dict[Days, int] = {}
        self.unions: dict[measures.Union, int] = {}
        self.targets: dict[str, set[Days]] = defaultdict(set)
        self.staff_days: set[Days] = set()
        self.factors: Sequence[CurrencyFactors] = ()
        self.clock: WorkingClock | None = None
        self.grouping: Grouping | None = None
        self.additive = additive_kpis(histories)
        self._numbered: list[Measure] = []
        self._parts: dict[tuple[str, Place], list[Part] | None] = {}
        self._cells: dict[tuple[str, Place], CellPlan] = {}
        self._shifted: dict[tuple[Place, Shift], Place | None] = {}
        self._sharing: dict[tuple[int, int], tuple[bool, bool]] = {}

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
            factors=self.factors,
            clock=self.clock,
            grouping=self.grouping,
            persons=self._persons(),
        )

    def _persons(self) -> list[tuple[UUID, date, date, UUID]]:
        """Who an identity is on which days, where overlapping times of one person are to count once."""
        if not any(measures.is_covered(measure) for measure in self._numbered):
            return []
        mappings = self.context.structure.mappings
        return [(each.identity_id, *days_between(each.start, each.end), each.member_id) for each in mappings]

    # ------------------------------------------------------------------------------------------------ comparisons

    def _compared(self, kind: Compare, period: DayRange) -> Compared:
        total, earlier = self._shift(period) if kind == "previous_period" else self._a_year_back(period)
        pairs = [(self.total, total), *zip(self.tiles, earlier, strict=True)]
        return Compared(total, tuple(earlier), tuple(self._to_date(now, then) for now, then in pairs))

    def _shift(self, period: DayRange) -> tuple[Place | None, list[Place | None]]:
        """The whole period is shifted, then cut into windows of its own, which are paired by position (S21)."""
        cut, grain = self.context.cut, self.query.grain
        shifted = previous_period(period, cut)
        earlier = [Place(window, grain) for window in windows(shifted, grain, cut)]
        paired = [earlier[n] if n < len(earlier) else None for n in range(len(self.tiles))]
        return Place(Window(shifted.label, shifted.start, shifted.end), "total"), paired

    def _a_year_back(self, period: DayRange) -> tuple[Place | None, list[Place | None]]:
        """The period and each window with its own counterpart, so that weekdays meet weekdays (S21)."""
        found = same_period_last_year(period, self.context.cut)
        total = None if found is None else Place(Window(found.label, found.start, found.end), "total")
        return total, [tile.stepped("same_period_last_year", self.context.cut) for tile in self.tiles]

    def _to_date(self, now: Place, then: Place | None) -> Cut | None:
        """Both places cut after the working days that are past; None where there is nothing to cut (S21)."""
        if then is None or self.is_complete(now.window):
            return None
        count = self._working_days_past(now)
        return Cut(count, self._cut(now, count), self._cut(then, count)) if count else None

    def _working_days_past(self, place: Place) -> int:
        """How many working days of the organization's calendar in this place have ended by T."""
        past = DayRange(place.window.start, place.window.end).until(self.context.today)
        return self.context.calendar.working_days(past)

    def _cut(self, place: Place, count: int) -> Place:
        end = self.context.calendar.cut_after(DayRange(place.window.start, place.window.end), count)
        return Place(Window("", place.window.start, end, is_partial=True), "day")

    def places(self) -> list[Place]:
        """Every place of which a figure is shown."""
        shown: list[Place | None] = [self.total, *self.tiles]
        for compared in self.compared.values():
            shown += [compared.total, *compared.windows]
            shown += [place for cut in compared.cuts if cut for place in (cut.current, cut.previous)]
        return [place for place in shown if place is not None]

    def is_complete(self, window: Window) -> bool:
        """Whether the window's end lies at or before T (S3)."""
        return first_instant(window.end, self.context.cut.zone) <= self.context.at

    # ------------------------------------------------------------------------------------------------------ cells

    def add(self, history: KpiHistory) -> None:
        """Note what the figures of this KPI need."""
        for place in self.places():
            self.cell(history, place)

    def cell(self, history: KpiHistory, place: Place) -> CellPlan:
        """What the KPI's cell of a place needs."""
        key = (history.key, place)
        if key not in self._cells:
            self._cells[key] = self._planned(history, place)
        return self._cells[key]

    def _planned(self, history: KpiHistory, place: Place) -> CellPlan:
        parts = self.parts(history, place)
        if not parts:
            return _refused("mixed_versions" if parts is None else "not_recorded_yet")
        reads: set[tuple[int, Days]] = set()
        all_reads: set[tuple[int, Days]] = set()
        refused: set[Status | None] = set()
        readings = []
        for part in parts:
            reading = self._reading(part, reads, all_reads)
            readings.append(reading)
            for (key, shift), there in reading.kpis.items():
                if there is None:
                    continue
                referred = self.cell(self.histories[key], there)
                refused.add(referred.refused)
                reads |= set() if shift else referred.reads
                all_reads |= referred.all_reads
        numbers = {part.version.number for part in parts}
        return CellPlan(
            refused=next((status for status in ("not_recorded_yet", "mixed_versions") if status in refused), None),
            readings=tuple(readings),
            version=parts[0].version.number if len(numbers) == 1 else None,
            entering=self._counts(reads),
            losing=self._counts(all_reads),
            reads=frozenset(reads),
            all_reads=frozenset(all_reads),
        )

    def _reading(self, part: Part, reads: set[tuple[int, Days]], all_reads: set[tuple[int, Days]]) -> Reading:
        """Where the values of a part's formula stand; the measures that it reads itself are added to the reads."""
        measured: dict[tuple[str, Shift], Counted | None] = {}
        kpis: dict[tuple[str, Shift], Place | None] = {}
        days: dict[Shift, Days | None] = {}
        for use in formulas.uses(part.version.definition.formula):
            place = self.shifted(part.place, use.shift)
            there = days[use.shift] = None if place is None else place.days
            if use.kind == "kpi":
                kpis[use.name, use.shift] = place
            elif use.kind == "target" and there is not None:
                self.targets[use.name].add(there)
            elif use.kind == "staff" and there is not None:
                self.staff_days.add(there)
            elif use.kind == "measure":
                measure = part.version.definition.measures[use.name]
                found = measured[use.name, use.shift] = self._measured(measure, place)
                if found is not None and place is not None:
                    read = (found.number, self.days_read(measure, place))
                    all_reads.add(read)
                    reads |= set() if use.shift else {read}
        return Reading(part, measured, kpis, days)

    def _measured(self, measure: Measure, place: Place | None) -> Counted | None:
        if place is None:
            return None
        number = self.measures.setdefault(measure, len(self.measures))
        if number == len(self._numbered):
            self._numbered.append(measure)
        return Counted("measure", number, self._window(self.days_read(measure, place)))

    def _window(self, days: Days) -> int:
        return self.windows.setdefault(days, len(self.windows))

    def parts(self, history: KpiHistory, place: Place) -> list[Part] | None:
        """The place by the versions that are valid in it; None where they do not add up (`mixed_versions`, S24)."""
        key = (history.key, place)
        if key not in self._parts:
            self._parts[key] = self._by_version(history, place, self.query.versions.get(history.key))
        return self._parts[key]

    def _by_version(self, history: KpiHistory, place: Place, named: int | None) -> list[Part] | None:
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
        if not all(self.is_additive(version.definition) for version, _ in valid):
            return None
        return [Part(version, Place(Window("", *days, is_partial=True), "day")) for version, days in valid]

    def is_additive(self, definition: Definition) -> bool:
        """Whether values of parts add up (S24): a KPI that is referred to has to, by each of its versions."""
        return is_additive(definition, self.additive)

    def shifted(self, place: Place, shift: Shift) -> Place | None:
        """The place that a formula shifts to, step by step."""
        key = (place, shift)
        if key not in self._shifted:
            moved: Place | None = place
            for step in shift:
                moved = None if moved is None else moved.stepped(step, self.context.cut)
            self._shifted[key] = moved
        return self._shifted[key]

    def days_read(self, measure: Measure, place: Place) -> Days:
        """The days over which a measure is read for a place: its own, or those that `over` says."""
        if isinstance(measure, OpenMeasure) or measure.over is None:
            return place.days
        return _days_over(measure.over, place.days, self.context)

    # ----------------------------------------------------------------------------------------------------- counts

    def _counts(self, reads: Iterable[tuple[int, Days]]) -> tuple[Counted, ...]:
        """The rows that together count each event once (S25): of reads that may meet the same event, one."""
        found = []
        for union in self._apart(reads):
            if len(union) > 1:
                found.append(Counted("union", 0, self.unions.setdefault(union, len(self.unions))))
            else:
                [(number, days)] = union
                found.append(Counted("measure", number, self._window(days)))
        return tuple(found)

    def _apart(self, reads: Iterable[tuple[int, Days]]) -> list[measures.Union]:
        """The reads in as many parts as have no event in common."""
        parts: list[set[tuple[int, Days]]] = []
        for read in reads:
            met = [part for part in parts if any(self._may_meet(read, other) for other in part)]
            parts = [part for part in parts if part not in met] + [{read}.union(*met)]
        return sorted(tuple(sorted(part)) for part in parts)

    def _may_meet(self, one: tuple[int, Days], other: tuple[int, Days]) -> bool:
        """Whether an event may be in both."""
        pair = one[0], other[0]
        if pair not in self._sharing:
            found = [self._numbered[number] for number in pair]
            self._sharing[pair] = measures.may_share_events(*found), measures.may_share_across_days(*found)
        shares, shares_across_days = self._sharing[pair]
        return shares_across_days or (shares and _overlap(one[1], other[1]))


def _refused(status: Status) -> CellPlan:
    return CellPlan(status, (), None, (), (), frozenset(), frozenset())


def _days_over(over: Over, window: Days, context: Context) -> Days:
    """The trailing days, or those since the beginning of a period; up to T's local day while T lies in the window."""
    start, end = window
    if start <= context.today < end:
        end = context.today + _DAY
    if over.days is not None:
        return Days(end - min(over.days, (end - date.min).days) * _DAY, end)
    if over.months is not None:
        return Days(_months_before(end, over.months), end)
    return Days(parse_period(f"this_{over.since}", end - _DAY, context.cut).start, end)


def _months_before(day: date, months: int) -> date:
    """The same date so many months earlier, or the last of the month where that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    if year < date.min.year:
        return date.min
    last = (date(year, month + 1, 28) + 4 * _DAY).replace(day=1) - _DAY
    return date(year, month + 1, min(day.day, last.day))


def _overlap(one: Days, other: Days) -> bool:
    return one.start < other.end and other.start < one.end
