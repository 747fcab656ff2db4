"""Answers to queries: for each KPI, subject and window, ask of every event whether it counts there (S5–S25)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from app.kpis.definition import Definition
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary, walk
from tests.reference import days
from tests.reference.days import Grain, Window
from tests.reference.evaluate import arithmetic, call, coefficients, shown
from tests.reference.measures import Entry, State, aggregate, entries
from tests.reference.snapshot import ZERO, Attribution, Snapshot, Subject
from tests.reference.world import KpiVersion, World

Status = Literal["not_recorded_yet", "mixed_versions", "no_data", "partial", "ok"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question as the API takes it; `versions` names the version of a KPI for all windows (S24)."""

    kpis: tuple[str, ...]
    subjects: tuple[Subject, ...] = (Subject("organization"),)
    period: str
    grain: Grain = "total"
    attribution: Attribution = "at_event"
    where: Node | None = None
    compare_previous: bool = False
    currency: str | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    whole_person: bool = False
    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class Cell:
    """One figure: `value` has 15 significant digits; the counts are of distinct events or starts."""

    value: Decimal | None
    status: Status
    sample: int = 0
    kpi_version: int | None = None
    left_out: int = 0
    open: int = 0
    pending: int = 0


@dataclass(frozen=True)
class ToDate:
    """Both sides of a comparison after the same number of working days (S21)."""

    working_days: int
    current: Cell
    previous: Cell


@dataclass(frozen=True)
class Comparison:
    """The period before, its windows paired by position; `to_date` is of the total, where that is incomplete (S21)."""

    cells: tuple[Cell, ...]
    total: Cell
    to_date: ToDate | None
    to_date_by_window: tuple[ToDate | None, ...]


@dataclass(frozen=True)
class Series:
    """A KPI of a subject over the windows."""

    kpi: str
    subject: Subject
    cells: tuple[Cell, ...]
    total: Cell
    previous_period: Comparison | None


@dataclass(frozen=True)
class Answer:
    """What the API answers; `is_complete` and `starts_at` of a window come from `days`."""

    as_of: datetime
    known_at: datetime
    time_zone: str
    currency: str
    windows: tuple[Window, ...]
    is_complete: tuple[bool, ...]
    series: tuple[Series, ...]

    def of(self, kpi: str, subject: Subject) -> Series:
        """The series of a KPI and a subject."""
        return next(series for series in self.series if (series.kpi, series.subject) == (kpi, subject))


def compute(world: World, query: Query, now: datetime) -> Answer:
    """The answer to a query that is asked at `now` (S5)."""
    at = query.as_of or now
    known_at = query.known_at or query.as_of or world.last_recorded_at
    snapshot = Snapshot(world, known_at=known_at, at=at, currency=query.currency, attribution=query.attribution)
    period = days.period(query.period, snapshot.today, snapshot.settings.week_start)
    windows = days.windows(period, query.grain, snapshot.settings.week_start)
    series: list[Series] = []
    for kpi in query.kpis:
        figures = Figures(snapshot, query, kpi)
        for subject in query.subjects:
            parts = _parts(figures, subject, period) if subject.kind == "members_of" else [subject]
            series += [_series(figures, part, period, windows) for part in parts]
    return Answer(
        at,
        known_at,
        snapshot.zone,
        snapshot.currency,
        tuple(windows),
        tuple(days.is_complete(window, at, snapshot.zone) for window in windows),
        tuple(series),
    )


def _parts(figures: "Figures", subject: Subject, period: Window) -> list[Subject]:
    """A subject for each person of a team: who was in it in the period, or contributed to it (S8).

    With `whole_person` each row is all that the person did.
    """
    snapshot = figures.snapshot
    team_days = period.days() if figures.query.attribution == "at_event" else [snapshot.today]
    people = []
    for member in snapshot.members:
        part = Subject("member_in_team", member, subject.key)
        was_in = any(subject.key in snapshot.teams_of(member, day) for day in team_days)
        if was_in or figures.contributes(part, period):
            people.append(Subject("member", member) if figures.query.whole_person else part)
    return people


def _series(figures: "Figures", subject: Subject, period: Window, windows: Sequence[Window]) -> Series:
    cells = tuple(figures.cell(subject, window) for window in windows)
    comparison = _comparison(figures, subject, period, windows) if figures.query.compare_previous else None
    return Series(figures.kpi, subject, cells, figures.cell(subject, period), comparison)


def _comparison(figures: "Figures", subject: Subject, period: Window, windows: Sequence[Window]) -> Comparison:
    """The whole period is shifted, then cut into windows of its own (S21)."""
    week_start = figures.snapshot.settings.week_start
    shifted = days.before(period, week_start)
    earlier: list[Window | None] = list(days.windows(shifted, figures.query.grain, week_start))
    paired = [earlier[place] if place < len(earlier) else None for place in range(len(windows))]
    return Comparison(
        tuple(Cell(None, "no_data") if window is None else figures.cell(subject, window) for window in paired),
        figures.cell(subject, shifted),
        _to_date(figures, subject, period, shifted),
        tuple(
            None if before is None else _to_date(figures, subject, window, before)
            for window, before in zip(windows, paired, strict=True)
        ),
    )


def _to_date(figures: "Figures", subject: Subject, window: Window, before: Window) -> ToDate | None:
    """Like for like; nothing for a complete window, or before its first working day is past (S21)."""
    snapshot = figures.snapshot
    count = days.working_days_past(window, snapshot.at, snapshot.zone, snapshot.working_days)
    if days.is_complete(window, snapshot.at, snapshot.zone) or count == 0:
        return None
    current = days.cut_at_working_day(window, count, snapshot.working_days)
    previous = days.cut_at_working_day(before, count, snapshot.working_days)
    return ToDate(count, figures.cell(subject, current), figures.cell(subject, previous))


# ------------------------------------------------------------------------------------------------------- cells


@dataclass
class Seen:
    """The events that a cell has met on the way to its value, each once, by what became of them."""

    by_state: dict[State, set[tuple[str, str]]] = field(default_factory=dict)

    def note(self, entry: Entry) -> None:
        self.by_state.setdefault(entry.state, set()).add(entry.fact.key)

    def count(self, state: State) -> int:
        return len(self.by_state.get(state, ()))


class Figures:
    """The figures of one KPI in one query."""

    def __init__(self, snapshot: Snapshot, query: Query, kpi: str) -> None:
        self.snapshot = snapshot
        self.query = query
        self.kpi = kpi
        self.versions = sorted((v for v in snapshot.kpis if v.kpi == kpi), key=lambda version: version.number)
        if kpi in query.versions:
            self.versions = [v for v in self.versions if v.number == query.versions[kpi]]
        self.entries = {
            (version.number, name): entries(measure, snapshot, query.where)
            for version in self.versions
            for name, measure in version.definition.measures.items()
        }

    def version_on(self, day: date) -> KpiVersion:
        """The version valid on a day: of those that hold by then, the last one made; or the one named (S24)."""
        if self.kpi in self.query.versions:
            return self.versions[0]
        return [v for v in self.versions if v.number == 1 or v.valid_from is None or v.valid_from <= day][-1]

    def cell(self, subject: Subject, window: Window) -> Cell:
        """The first status that applies, and the value (S12)."""
        if not self.versions or not self.snapshot.is_recorded(subject):
            return Cell(None, "not_recorded_yet")
        used = {version.number: version for version in map(self.version_on, window.days())}
        number = next(iter(used)) if len(used) == 1 else None
        if len(used) > 1 and not all(_is_additive(version.definition) for version in used.values()):
            return Cell(None, "mixed_versions")
        seen = Seen()
        parts = [self._value(version, subject, window, seen) for version in used.values()]
        value = parts[0] if len(parts) == 1 else sum((part for part in parts if part is not None), ZERO)
        left_out = seen.count("left_out")
        status: Status = "no_data" if value is None else "partial" if left_out else "ok"
        return Cell(
            shown(value), status, seen.count("enters"), number, left_out, seen.count("open"), seen.count("pending")
        )

    def contributes(self, subject: Subject, window: Window) -> bool:
        """Whether a subject has any entry in a window."""
        return any(
            self.weighted(version, name, subject, window, only_own_days=True)
            for version in self.versions
            for name in version.definition.measures
        )

    def _value(self, version: KpiVersion, subject: Subject, window: Window, seen: Seen) -> Decimal | None:
        """The formula of a version over the days of a window on which it is valid."""
        return self._evaluate(version.definition.formula, version, subject, window, seen, only_own_days=True)

    def _evaluate(
        self, node: Node, version: KpiVersion, subject: Subject, window: Window, seen: Seen, *, only_own_days: bool
    ) -> Decimal | None:
        """A formula on the aggregates of a cell; None is no data (S19).

        `previous` takes the same version to the window before. What was left out there makes the cell partial, too,
        but what entered there is no sample of this cell (S21, S25).
        """

        def of(inner: Node) -> Decimal | None:
            return self._evaluate(inner, version, subject, window, seen, only_own_days=only_own_days)

        match node:
            case Number(value=number):
                return number
            case Name(path=path):
                return self._measured(path[-1], version, subject, window, seen, only_own_days=only_own_days)
            case Unary(operator="-", operand=operand):
                value = of(operand)
                return None if value is None else -value
            case Binary(operator=operator, left=left, right=right):
                one, other = of(left), of(right)
                return None if one is None or other is None else arithmetic(operator, one, other)
            case Call(function="previous", arguments=(argument,)):
                earlier = days.before(window, self.snapshot.settings.week_start)
                there = Seen()
                value = self._evaluate(argument, version, subject, earlier, there, only_own_days=False)
                seen.by_state.setdefault("left_out", set()).update(there.by_state.get("left_out", set()))
                return value
            case Call(function=function, arguments=arguments):
                return call(function, [of(argument) for argument in arguments])
        raise AssertionError(node)

    def _measured(
        self, name: str, version: KpiVersion, subject: Subject, window: Window, seen: Seen, *, only_own_days: bool
    ) -> Decimal | None:
        weighted = self.weighted(version, name, subject, window, only_own_days=only_own_days)
        for _, entry in weighted:
            seen.note(entry)
        entering = [(weight, entry) for weight, entry in weighted if entry.state == "enters"]
        return aggregate(version.definition.measures[name], entering)

    def weighted(
        self, version: KpiVersion, name: str, subject: Subject, window: Window, *, only_own_days: bool
    ) -> list[tuple[Decimal, Entry]]:
        """The entries of a measure that are of the window and of the subject, with their weights (S9)."""
        measure = version.definition.measures[name]
        result = []
        for entry in self.entries[version.number, name]:
            is_in = entry.day in window and (not only_own_days or self.version_on(entry.day) == version)
            weight = self.snapshot.weight(subject, entry.credited, measure.role, measure.credit) if is_in else None
            if weight is not None:
                result.append((weight, entry))
        return result


def _is_additive(definition: Definition) -> bool:
    """Linear, without a constant, in counts and sums (S24)."""
    linear = coefficients(definition.formula)
    names = [node.path[-1] for node in walk(definition.formula) if isinstance(node, Name)]
    return (
        linear is not None
        and linear[1] == 0
        and all(definition.measures[name].aggregate in {"count", "sum"} for name in names)
    )
