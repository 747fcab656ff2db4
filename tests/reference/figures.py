"""The figures of one KPI in one query: for each cell, ask of every entry whether it counts there (S8–S25)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from app.kpis.definition import Measure, OpenMeasure
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, Unary, walk
from tests.reference import days
from tests.reference.days import Window
from tests.reference.evaluate import arithmetic, call, coefficients, shown
from tests.reference.groups import Group, members_among, value_of
from tests.reference.measures import Entry, State, aggregate, entries, entries_at
from tests.reference.questions import Cell, Query, Status
from tests.reference.snapshot import ZERO, Among, Snapshot, Subject
from tests.reference.staff import staff_figure
from tests.reference.targets import target
from tests.reference.world import KpiVersion

STAFF = {"working_hours", "headcount", "fte"}


@dataclass
class Seen:
    """The events that a cell has met on the way to its value, each once, by what became of them."""

    by_state: dict[State | str, set[tuple[str, str]]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def note(self, entry: Entry) -> None:
        """An entry was met."""
        self.entries.append(entry)
        self.by_state.setdefault(entry.state, set()).add(entry.fact.key)
        if entry.is_young:
            self.by_state.setdefault("young", set()).add(entry.fact.key)

    def note_elsewhere(self, there: "Seen") -> None:
        """What another window's figure met: nothing entered here, but it may be partial or change still (S21)."""
        for state in ("left_out", "young"):
            self.by_state.setdefault(state, set()).update(there.by_state.get(state, set()))
        self.entries += there.entries

    def count(self, state: State | str) -> int:
        """How many there were of a kind."""
        return len(self.by_state.get(state, ()))


class NoFigureError(Exception):
    """There cannot be a figure, for a reason that is told as a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status: Status = status


@dataclass(frozen=True)
class Place:
    """Whose figure, of when; `days` are some of the window's only (None: all)."""

    subject: Subject
    window: Window
    group: Group | None = None
    days: frozenset[date] | None = None

    def __contains__(self, day: date) -> bool:
        return day in self.window and (self.days is None or day in self.days)

    def all_days(self) -> list[date]:
        """Each of the days."""
        return [day for day in self.window.days() if day in self]


class Figures:
    """The figures of one KPI; `others` finds those of the KPIs that it refers to."""

    def __init__(self, snapshot: Snapshot, query: Query, kpi: str, others: Callable[[str], "Figures"]) -> None:
        self.snapshot = snapshot
        self.query = query
        self.kpi = kpi
        self.others = others
        self.versions = sorted((v for v in snapshot.kpis if v.kpi == kpi), key=lambda version: version.number)
        if kpi in query.versions and kpi in query.kpis:
            self.versions = [v for v in self.versions if v.number == query.versions[kpi]]
        self._entries: dict[tuple[object, ...], list[Entry]] = {}

    def version_on(self, day: date) -> KpiVersion:
        """The version valid on a day: of those that hold by then, the last one made; or the one named (S24)."""
        if self.kpi in self.query.versions and self.kpi in self.query.kpis:
            return self.versions[0]
        return [v for v in self.versions if v.number == 1 or v.valid_from is None or v.valid_from <= day][-1]

    def cell(self, place: Place) -> Cell:
        """The first status that applies, and the value (S12)."""
        seen = Seen()
        try:
            value, number = self.figure(place, seen)
        except NoFigureError as error:
            return Cell(None, error.status)
        left_out = seen.count("left_out")
        status: Status = "ok"
        if value is None:
            status = "no_data"
        elif left_out or seen.count("young"):
            status = "partial" if left_out else "immature"
        counts = (seen.count(state) for state in ("open", "pending", "young"))
        return Cell(shown(value), status, seen.count("enters"), number, left_out, *counts)

    def figure(self, place: Place, seen: Seen) -> tuple[Decimal | None, int | None]:
        """The value as it is computed, and the version where it is one."""
        if not self.versions or not self.snapshot.is_recorded(place.subject):
            raise NoFigureError("not_recorded_yet")
        days_of: dict[int, set[date]] = {}
        for day in place.all_days():
            days_of.setdefault(self.version_on(day).number, set()).add(day)
        used = [version for version in self.versions if version.number in days_of]
        if len(used) == 1:
            return self._evaluate(used[0].definition.formula, used[0], place, seen), used[0].number
        if not self.is_additive(place):
            raise NoFigureError("mixed_versions")
        parts = [
            self._evaluate(
                version.definition.formula, version, replace(place, days=frozenset(days_of[version.number])), seen
            )
            for version in used
        ]
        return sum((part for part in parts if part is not None), ZERO), None

    def is_additive(self, place: Place) -> bool:
        """Whether values of parts add up, by every version of the days (S24)."""
        used = {version.number: version for version in map(self.version_on, place.all_days())}
        return all(self._adds_up(version, place) for version in used.values())

    def _adds_up(self, version: KpiVersion, place: Place) -> bool:
        """Linear, without a constant, in counts and sums of what lies in the window, and in KPIs that are so."""
        linear = coefficients(version.definition.formula)
        names = [node.path for node in walk(version.definition.formula) if isinstance(node, Name)]
        return linear is not None and linear[1] == 0 and all(self._name_adds_up(path, version, place) for path in names)

    def _name_adds_up(self, path: tuple[str, ...], version: KpiVersion, place: Place) -> bool:
        if path[0] == "kpi" and len(path) > 1:
            other = self.others(path[1])
            return bool(other.versions) and other.is_additive(place)
        measure = version.definition.measures[path[0]]
        return (
            measure.aggregate in {"count", "sum", "covered"}
            and not isinstance(measure, OpenMeasure)
            and measure.over is None
        )

    # -------------------------------------------------------------------------------------------- formulas

    def _evaluate(self, node: Node, version: KpiVersion, place: Place, seen: Seen) -> Decimal | None:  # noqa: C901
        """A formula on the aggregates of a cell; None is no data (S19)."""

        def of(inner: Node) -> Decimal | None:
            return self._evaluate(inner, version, place, seen)

        match node:
            case Number(value=number):
                return number
            case Name(path=("kpi", kpi)):
                return self.others(kpi).figure(place, seen)[0]
            case Name(path=(name,)):
                return self._measured(name, version, place, seen)
            case Unary(operator="-", operand=operand):
                value = of(operand)
                return None if value is None else -value
            case Binary(operator=operator, left=left, right=right):
                one, other = of(left), of(right)
                return None if one is None or other is None else arithmetic(operator, one, other)
            case Call(function=("previous" | "same_period_last_year") as shift, arguments=(argument,)):
                return self._elsewhere(shift, argument, version, place, seen)
            case Call(function="target", arguments=(Name(path=("kpi", kpi)),)):
                return self._target(kpi, place)
            case Call(function=function, arguments=()) if function in STAFF:
                return staff_figure(function, self.snapshot, place.subject, place.window, self._among(place.group))
            case Call(function=function, arguments=arguments):
                return call(function, [of(argument) for argument in arguments])
        raise AssertionError(node)

    def _elsewhere(self, shift: str, node: Node, version: KpiVersion, place: Place, seen: Seen) -> Decimal | None:
        """By the same version in the window before, or a year before.

        What was left out there makes the cell partial, too, but what entered there is no sample of it (S21, S25).
        """
        window = shifted(shift, place.window, self.snapshot)
        if window is None:
            return None
        there = Seen()
        value = self._evaluate(node, version, replace(place, window=window, days=None), there)
        seen.note_elsewhere(there)
        return value

    def _target(self, kpi: str, place: Place) -> Decimal | None:
        other = self.others(kpi)
        if place.group is not None or not other.versions:
            return None
        is_additive = other.is_additive(place)
        return target(self.snapshot, kpi, place.subject, place.window, is_additive=is_additive)

    def _measured(self, name: str, version: KpiVersion, place: Place, seen: Seen) -> Decimal | None:
        weighted = self.weighted(version, name, place)
        for _, entry in weighted:
            seen.note(entry)
        entering = [(weight, entry) for weight, entry in weighted if entry.state == "enters"]
        return aggregate(version.definition.measures[name], entering)

    # --------------------------------------------------------------------------------------------- entries

    def weighted(self, version: KpiVersion, name: str, place: Place) -> list[tuple[Decimal, Entry]]:
        """The entries of a measure that are of a place, with their weights (S9)."""
        measure = version.definition.measures[name]
        result = []
        for entry in self._found(version, name, measure, place):
            weight = self.snapshot.weight(
                place.subject, entry.credited, measure.role, measure.credit, self._among(place.group)
            )
            if weight is not None and self._is_of_group(entry, place.group):
                result.append((weight, entry))
        return result

    def _found(self, version: KpiVersion, name: str, measure: Measure, place: Place) -> list[Entry]:
        """The entries of a window, whoever is credited: of its own days, of others up to its end, or of a moment."""
        if isinstance(measure, OpenMeasure):
            moment = place.window.start if measure.at == "start" else place.window.end
            key = (version.number, name, moment)
            if key not in self._entries:
                self._entries[key] = entries_at(measure, self.snapshot, self.query.where, moment)
            return self._entries[key]
        if (version.number, name) not in self._entries:
            self._entries[version.number, name] = entries(measure, self.snapshot, self.query.where)
        if measure.over is not None:
            snapshot = self.snapshot
            reach = days.reach(measure.over, place.window, snapshot.today, snapshot.settings.week_start)
            place = replace(place, window=reach, days=None)
        return [entry for entry in self._entries[version.number, name] if entry.day in place]

    def _is_of_group(self, entry: Entry, group: Group | None) -> bool:
        by = self.query.group_by
        if group is None or by is None or by.event is None:
            return True
        return group.holds(value_of(entry.fact, by.event, self.snapshot))

    def _among(self, group: Group | None) -> Among | None:
        by = self.query.group_by
        if group is None or by is None or by.attribute is None:
            return None
        return members_among(group, by.attribute, self.snapshot)

    def met(self, place: Place) -> list[Entry]:
        """All entries that the figure of a place looks at, wherever they lie."""
        seen = Seen()
        with suppress(NoFigureError):
            self.figure(place, seen)
        return seen.entries


def shifted(shift: str, window: Window, snapshot: Snapshot) -> Window | None:
    """The window before, or a year before; None where there is none (S21)."""
    if shift == "same_period_last_year":
        return days.a_year_before(window)
    return days.before(window, snapshot.settings.week_start)
