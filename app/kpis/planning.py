"""What the figures of a query need: which measures, over which days, by which versions of the KPIs.

A plan numbers measures, windows and groups of measures for the one statement that the engine asks, and says of each
cell what it reads, once for all subjects.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Window,
    first_instant,
    local_day,
    parse_period,
    previous_period,
    same_period_last_year,
    windows,
)
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.kpis import measures
from app.kpis.attribution import Attributor, Days, days_between
from app.kpis.cells import (
    CellPlan,
    ComparedCells,
    Operand,
    Part,
    Place,
    Reading,
    Shown,
    added_up,
    computed,
    no_data,
    refused,
    row_value,
)
from app.kpis.definition import Definition, Measure, OpenMeasure, Over
from app.kpis.formulas import Compiled, Finish, Shift, StaffFunction, Use, compiled, finishing
from app.kpis.history import KpiHistory, KpiVersionFacts, additive_kpis, is_additive, version_on
from app.kpis.measures import CurrencyFactors, Grouping, Scope, WorkingClock
from app.kpis.questions import Compare, Query, Status
from app.teams.facts import Structure

_T = TypeVar("_T")
_DAY = timedelta(days=1)
_REFUSALS: tuple[Status, ...] = ("not_recorded_yet", "not_retained", "mixed_versions")


@dataclass(frozen=True)
class Context:
    """Everything but events that decides an answer, as known at one instant (S5).

    `retained_from` is the first day whose events are still kept, at whatever instant they are asked about.
    """

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
    retained_from: date | None = None

    @property
    def today(self) -> date:
        """T's local day."""
        return local_day(self.at, self.cut.zone)


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


def planned_as(query: Query, context: Context) -> Hashable:
    """What of a question and the moment it is asked at decides its plan, by one configuration: not whom it is about."""
    # Where clocks are set back at midnight, a day has begun before the clocks show it for good.
    has_begun = first_instant(context.today + _DAY, context.cut.zone) <= context.at
    versions = tuple(sorted(query.versions.items()))
    return (
        tuple(query.kpis), query.period, query.grain, query.running, query.compare, versions, context.today, has_begun
    )  # fmt: skip


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
            tiles = windows(period, query.grain, context.cut)
            self.tiles = [Place(_to_date(tile, period) if query.running else tile, query.grain) for tile in tiles]
            self.compared = {kind: self._compared(kind, period) for kind in query.compare}
        self.measures: dict[Measure, int] = {}
        self.windows: dict[Days, int] = {}
        self.unions: dict[measures.Union, int] = {}
        self.rows: dict[tuple[str, int, int], int] = {}
        """The rows of the statement that are read, by kind, number and window: each has a position."""
        self.targets: dict[str, set[Days]] = defaultdict(set)
        self.staff_days: set[Days] = set()
        self.factors: Sequence[CurrencyFactors] = ()
        self.clock: WorkingClock | None = None
        self.grouping: Grouping | None = None
        self.additive = additive_kpis(histories)
        self._numbered: list[Measure] = []
        self._formulas: dict[tuple[str, int], Compiled] = {}
        self._finishing: dict[tuple[str, int, str], tuple[int, Finish]] = {}
        self._cells: dict[tuple[str, Place], CellPlan] = {}
        self._shown: dict[str, Shown] = {}
        self._shifted: dict[tuple[Place, Shift], Place | None] = {}
        self._sharing: dict[tuple[int, int], tuple[bool, bool]] = {}
        self._derived: dict[str, Any] = {}

    def seen(self, context: Context, query: Query) -> "Plan":
        """The plan for another question that is `planned_as` this one; what is loaded for it is its own."""
        plan = copy(self)
        plan.context, plan.query = context, query
        return plan

    def derived(self, name: str, derive: Callable[["Plan"], _T]) -> _T:
        """What follows from the plan alone, whoever asks it and when: derived once, when all is added."""
        if name not in self._derived:
            self._derived[name] = derive(self)
        found: _T = self._derived[name]
        return found

    @property
    def weight(self) -> int:
        """How much is planned: about as many rows of a table take as much memory."""
        return 8 * len(self._cells) + len(self.rows) + len(self.windows)

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
            kept_from=context.retained_from,
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
        self.shown(history)

    def shown(self, history: KpiHistory) -> Shown:
        """The cells of the KPI at every place of which a figure is shown."""
        if history.key not in self._shown:
            self._shown[history.key] = Shown(
                tiles=tuple(self.cell(history, place) for place in self.tiles),
                total=self.cell(history, self.total),
                compared={kind: self._compared_cells(history, what) for kind, what in self.compared.items()},
            )
        return self._shown[history.key]

    def _compared_cells(self, history: KpiHistory, compared: Compared) -> ComparedCells:
        return ComparedCells(
            windows=tuple(self.cell(history, place) if place else None for place in compared.windows),
            total=self.cell(history, compared.total) if compared.total else None,
            cuts=tuple(
                (cut.working_days, self.cell(history, cut.current), self.cell(history, cut.previous)) if cut else None
                for cut in compared.cuts
            ),
        )

    def cell(self, history: KpiHistory, place: Place) -> CellPlan:
        """What the KPI's cell of a place needs."""
        key = (history.key, place)
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = self._planned(history, place)
        return found

    def _planned(self, history: KpiHistory, place: Place) -> CellPlan:
        parts = self._parts(history, place)
        if parts is not None and not parts:
            return refused("not_recorded_yet")
        if self._is_gone(place.days):
            return refused("not_retained")
        if parts is None:
            return refused("mixed_versions")
        gathered = _Gathered()
        readings = tuple(self._reading(history, part, gathered) for part in parts)
        if any(self._is_gone(days) for _, days in gathered.all_reads):
            return refused("not_recorded_yet" if "not_recorded_yet" in gathered.refused else "not_retained")
        numbers = {part.version.number for part in parts}
        entering = self._counts(gathered.reads)
        is_alike = gathered.reads == gathered.all_reads
        return CellPlan(
            refused=next((each for each in _REFUSALS if each in gathered.refused), None),
            value=added_up([computed(reading) for reading in readings]),
            readings=readings,
            version=parts[0].version.number if len(numbers) == 1 else None,
            entering=entering,
            losing=entering if is_alike else self._counts(gathered.all_reads),
            reads=frozenset(gathered.reads),
            all_reads=frozenset(gathered.all_reads),
            row=entering[0] if is_alike and len(entering) == 1 else None,
        )

    def _is_gone(self, days: Days) -> bool:
        """Whether events of these days were archived or dropped."""
        return self.context.retained_from is not None and days.start < self.context.retained_from

    def _reading(self, history: KpiHistory, part: Part, gathered: "_Gathered") -> Reading:
        """Where the values of a part's formula stand; what it reads is gathered."""
        version = part.version
        formula = self._formulas.get((history.key, version.number))
        if formula is None:
            formula = self._formulas[history.key, version.number] = compiled(version.definition.formula)
        operands = tuple(self._operand(history, part, use, gathered) for use in formula.uses)
        return Reading(part, formula, operands)

    def _operand(self, history: KpiHistory, part: Part, use: Use, gathered: "_Gathered") -> Operand:
        place = self.shifted(part.place, use.shift) if use.shift else part.place
        if place is None:
            return no_data
        match use.kind:
            case "measure":
                return self._measured(history, part.version, use, place, gathered)
            case "kpi":
                cell = self.cell(self.histories[use.name], place)
                gathered.refer_to(cell, is_shifted=bool(use.shift))
                return lambda at: at.value(cell)
        days = place.days
        if use.kind == "target":
            self.targets[use.name].add(days)
            return lambda at: at.target(use.name, days)
        self.staff_days.add(days)
        function = cast("StaffFunction", use.name)
        return lambda at: at.staff(function, days)

    def _measured(
        self, history: KpiHistory, version: KpiVersionFacts, use: Use, place: Place, gathered: "_Gathered"
    ) -> Operand:
        measure = version.definition.measures[use.name]
        key = (history.key, version.number, use.name)
        known = self._finishing.get(key)
        if known is None:
            number = self.measures.setdefault(measure, len(self.measures))
            if number == len(self._numbered):
                self._numbered.append(measure)
            known = self._finishing[key] = (number, finishing(measure))
        number, finish = known
        days = self.days_read(measure, place)
        gathered.read((number, days), is_shifted=bool(use.shift))
        return row_value(self._position("measure", number, self._window(days)), finish)

    def _window(self, days: Days) -> int:
        return self.windows.setdefault(days, len(self.windows))

    def _position(self, kind: str, number: int, window: int) -> int:
        """The position of a row among those that are read of a subject."""
        return self.rows.setdefault((kind, number, window), len(self.rows))

    def _parts(self, history: KpiHistory, place: Place) -> list[Part] | None:
        """The place by the versions that are valid in it; None where they do not add up (`mixed_versions`, S24)."""
        return self._by_version(history, place, self.query.versions.get(history.key))

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

    def _counts(self, reads: Set[tuple[int, Days]]) -> tuple[int, ...]:
        """The rows that together count each event once (S25): of reads that may meet the same event, one."""
        found = []
        for union in self._apart(reads):
            if len(union) > 1:
                found.append(self._position("union", 0, self.unions.setdefault(union, len(self.unions))))
            else:
                [(number, days)] = union
                found.append(self._position("measure", number, self._window(days)))
        return tuple(found)

    def _apart(self, reads: Set[tuple[int, Days]]) -> list[measures.Union]:
        """The reads in as many parts as have no event in common."""
        if len(reads) < 2:
            return [tuple(reads)] if reads else []
        return sorted(tuple(sorted(part)) for part in measures.connected(reads, self._may_meet))

    def _may_meet(self, one: tuple[int, Days], other: tuple[int, Days]) -> bool:
        """Whether an event may be in both."""
        pair = one[0], other[0]
        if pair not in self._sharing:
            found = [self._numbered[number] for number in pair]
            self._sharing[pair] = measures.may_share_events(*found), measures.may_share_across_days(*found)
        shares, shares_across_days = self._sharing[pair]
        return shares_across_days or (shares and _overlap(one[1], other[1]))


class _Gathered:
    """What a cell turns out to read, by the formulas of its versions."""

    def __init__(self) -> None:
        self.reads: set[tuple[int, Days]] = set()
        self.all_reads: set[tuple[int, Days]] = set()
        self.refused: set[Status | None] = set()

    def read(self, read: tuple[int, Days], *, is_shifted: bool) -> None:
        """A measure over some days: of the cell's own window, or of one that it looks back at."""
        self.all_reads.add(read)
        if not is_shifted:
            self.reads.add(read)

    def refer_to(self, cell: CellPlan, *, is_shifted: bool) -> None:
        """All that another KPI reads; what refuses its figure refuses this one."""
        self.refused.add(cell.refused)
        self.all_reads |= cell.all_reads
        if not is_shifted:
            self.reads |= cell.reads


def _to_date(tile: Window, period: DayRange) -> Window:
    """The period up to the end of a tile."""
    return Window("", period.start, tile.end, is_partial=tile.start > period.start or tile.is_partial)


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
