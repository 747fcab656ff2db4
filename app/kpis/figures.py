"""Cells, evaluated from the rows that came back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from app.kpis import formulas
from app.kpis.attribution import Days, Subject
from app.kpis.formulas import Shift, StaffFunction
from app.kpis.history import KpiHistory
from app.kpis.measures import REST, Row
from app.kpis.planning import CellPlan, Compared, Counted, Cut, Part, Place, Plan, Reading
from app.kpis.questions import Cell, Compare, Comparison, Group, Series, Status, ToDate
from app.kpis.slicing import Slice
from app.kpis.staffing import Roster

NOT_RECORDED = Cell(None, "not_recorded_yet")
NOT_COMPARABLE = Cell(None, "no_data")


@dataclass(frozen=True)
class Grouped:
    """A group as the statement knows it: by the JSON text in its rows, or as a slice of people."""

    group: Group
    text: str | None = None
    part: Slice | None = None


Whom = tuple[Subject, Grouped | None]
TargetValues = Mapping[tuple[str, Subject, Days], Decimal]
RosterOf = Callable[[Subject, Grouped | None], Roster]


class Figures:
    """What is known of some subjects after the statement was asked."""

    def __init__(
        self,
        plan: Plan,
        numbers: Mapping[Whom, int],
        rows: Iterable[Row],
        roster_of: RosterOf,
        targets: TargetValues,
    ) -> None:
        self.plan = plan
        self._numbers = numbers
        self.rows = {(row.kind, row.number, row.subject, row.window, row.group): row for row in rows}
        self._roster_of = roster_of
        self.targets = targets
        self._rosters: dict[Whom, Roster] = {}

    def subjects_with_any(self, histories: Sequence[KpiHistory]) -> set[Subject]:
        """For whom any event of the period counts, or would but for its value."""
        cells = (self.plan.cell(history, self.plan.total) for history in histories)
        counted = {(each.kind, each.number, each.window) for cell in cells for each in cell.entering}
        subjects = {number: subject for (subject, _), number in self._numbers.items()}
        return {subjects[number] for kind, of, number, window, _ in self.rows if (kind, of, window) in counted}

    def has_rest(self) -> bool:
        """Whether anything is in the rest of the groups."""
        rest = {number for (_, grouped), number in self._numbers.items() if grouped and grouped.group.kind == "rest"}
        return any(row.subject in rest or row.group == REST for row in self.rows.values() if row.has_any)

    def series(self, history: KpiHistory, subject: Subject, grouped: Grouped | None = None) -> Series:
        """The KPI of a subject over all windows, with its comparisons."""
        view = self.view(subject, grouped)
        return Series(
            kpi=history.key,
            subject=subject,
            cells=tuple(view.cell(history, place) for place in self.plan.tiles),
            total=view.cell(history, self.plan.total),
            comparisons={kind: view.comparison(history, what) for kind, what in self._compared()},
            group=grouped.group if grouped else None,
        )

    def _compared(self) -> Iterable[tuple[Compare, Compared]]:
        return self.plan.compared.items()

    def view(self, subject: Subject, grouped: Grouped | None = None) -> "View":
        """The cells of one subject and group."""
        text = grouped.text if grouped else None
        number = self._numbers[subject, grouped if grouped and grouped.part else None]
        return View(self, subject, grouped, number, text)

    def cell(self, history: KpiHistory, subject: Subject, place: Place, grouped: Grouped | None = None) -> Cell:
        """One figure."""
        return self.view(subject, grouped).cell(history, place)

    def measured(self, part: Part, subject: Subject, name: str, shift: Shift = ()) -> Decimal | None:
        """The value of one measure of the KPI, in the part's days or where a formula shifts to."""
        view = self.view(subject)
        place = self.plan.shifted(part.place, shift)
        return None if place is None else view.value_of(part, name, place)

    def reader(self, reading: Reading, subject: Subject) -> formulas.Reader:
        """The values that a part's formula reads for a subject."""
        return _Values(self.view(subject), reading)

    def roster(self, subject: Subject, grouped: Grouped | None) -> Roster:
        """The members in scope: of a group of events all of the subject's."""
        whom = (subject, grouped if grouped and grouped.part else None)
        if whom not in self._rosters:
            self._rosters[whom] = self._roster_of(*whom)
        return self._rosters[whom]


@dataclass(frozen=True, slots=True)
class View:
    """The figures of one subject and group."""

    figures: Figures
    subject: Subject
    grouped: Grouped | None
    number: int
    text: str | None

    def cell(self, history: KpiHistory, place: Place) -> Cell:
        """One figure, with the first status that applies (S12)."""
        plan = self.figures.plan.cell(history, place)
        if plan.refused == "not_recorded_yet" or not self._is_recorded():
            return NOT_RECORDED
        if plan.refused is not None:
            return Cell(None, plan.refused)
        value = self._value(plan)
        enters = still_open = pending = left_out = young = 0
        for row in self._rows(plan.entering):
            enters += row.enters
            still_open += row.open
            pending += row.pending
        for row in self._rows(plan.losing):
            left_out += row.left_out
            young += row.young
        status: Status = "no_data" if value is None else "partial" if left_out else "immature" if young else "ok"
        return Cell(value, status, enters, plan.version, left_out, still_open, pending, young)

    def _value(self, plan: CellPlan) -> Decimal | None:
        values = [
            formulas.as_figure(formulas.evaluate(reading.part.version.definition.formula, _Values(self, reading)))
            for reading in plan.readings
        ]
        if len(values) == 1:
            return values[0]
        present = [value for value in values if value is not None]
        return formulas.as_figure(reduce(formulas.FORMULA.add, present, Decimal(0)))

    def _is_recorded(self) -> bool:
        context = self.figures.plan.context
        if not context.is_recorded:
            return False
        structure, subject = context.structure, self.subject
        known = [structure.teams[subject.within].recorded_at] if subject.within else []
        if subject.kind == "team" and subject.id:
            known.append(structure.teams[subject.id].recorded_at)
        if subject.kind == "member" and subject.id:
            known.append(structure.members[subject.id].recorded_at)
        return all(recorded_at <= context.known_at for recorded_at in known)

    def _rows(self, counted: Iterable[Counted]) -> list[Row]:
        found = (self.row(each) for each in counted)
        return [row for row in found if row is not None]

    def row(self, counted: Counted) -> Row | None:
        """What the statement said of this."""
        key = (counted.kind, counted.number, self.number, counted.window, self.text)
        return self.figures.rows.get(key)

    def value_of(self, part: Part, name: str, place: Place) -> Decimal | None:
        """The value of a measure over the days that it is read in at a place."""
        plan, measure = self.figures.plan, part.version.definition.measures[name]
        window = plan.windows[plan.days_read(measure, place)]
        return self.aggregated(part, name, Counted("measure", plan.measures[measure], window))

    def aggregated(self, part: Part, name: str, counted: Counted) -> Decimal | None:
        """The value of a measure from its row."""
        measure, row = part.version.definition.measures[name], self.row(counted)
        return formulas.aggregated(measure, row.a, row.b, row.c) if row else formulas.aggregated(measure, None)

    def comparison(self, history: KpiHistory, compared: Compared) -> Comparison:
        """The figures that the total and each window are compared with."""
        to_dates = [self._to_date(history, cut) for cut in compared.cuts]
        return Comparison(
            windows=tuple(place.window if place else None for place in compared.windows),
            cells=tuple(self.cell(history, place) if place else NOT_COMPARABLE for place in compared.windows),
            total=self.cell(history, compared.total) if compared.total else NOT_COMPARABLE,
            to_date=to_dates[0],
            to_date_by_window=tuple(to_dates[1:]),
        )

    def _to_date(self, history: KpiHistory, cut: Cut | None) -> ToDate | None:
        if cut is None:
            return None
        current, previous = (self.cell(history, place) for place in (cut.current, cut.previous))
        return ToDate(cut.working_days, current, previous)


@dataclass(frozen=True, slots=True)
class _Values:
    """What a formula reads at one place (`formulas.Reader`)."""

    view: View
    reading: Reading

    def measure(self, name: str, shift: Shift) -> Decimal | None:
        """The value of a measure."""
        counted = self.reading.measures[name, shift]
        return None if counted is None else self.view.aggregated(self.reading.part, name, counted)

    def kpi(self, key: str, shift: Shift) -> Decimal | None:
        """The cell of another KPI of the same subject and group."""
        place = self.reading.kpis[key, shift]
        return None if place is None else self.view.cell(self.view.figures.plan.histories[key], place).value

    def target(self, key: str, shift: Shift) -> Decimal | None:
        """What the subject aims at; nobody aims at a group's figure."""
        days = self.reading.days[shift]
        if days is None or self.view.grouped is not None:
            return None
        return self.view.figures.targets.get((key, self.view.subject, days))

    def staff(self, function: StaffFunction, shift: Shift) -> Decimal | None:
        """Working time or members in scope (S23)."""
        days = self.reading.days[shift]
        if days is None:
            return None
        return self.view.figures.roster(self.view.subject, self.view.grouped).value(function, days)
