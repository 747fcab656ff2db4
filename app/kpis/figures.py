"""Cells, evaluated from the rows that came back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from app.kpis.attribution import Days, Subject
from app.kpis.cells import NO_EVENTS, CellPlan, ComparedCells, Place, Reading, RowFields, Shown
from app.kpis.formulas import StaffFunction, Use, as_figure
from app.kpis.history import KpiHistory
from app.kpis.measures import REST
from app.kpis.planning import Plan
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
SubjectRows = list[RowFields]


class Figures:
    """What is known of some subjects after the statement was asked.

    `rows` are those of the statement; any tuples with the fields of a `Row` in their order.
    """

    def __init__(
        self,
        plan: Plan,
        numbers: Mapping[Whom, int],
        rows: Iterable[RowFields],
        roster_of: RosterOf,
        targets: TargetValues,
    ) -> None:
        self.plan = plan
        self.targets = targets
        self._numbers = numbers
        self._roster_of = roster_of
        self._rosters: dict[Whom, Roster] = {}
        self._nothing: SubjectRows = [NO_EVENTS] * len(plan.rows)
        self._rows: dict[tuple[int, str | None], SubjectRows] = {}
        self._place(rows)

    def _place(self, rows: Iterable[RowFields]) -> None:
        """Lay each row at its position among those of its subject and group."""
        positions, found = self.plan.rows, self._rows
        for row in rows:
            position = positions.get((row[0], row[1], row[3]))
            if position is not None:
                whose = (row[2], row[4])
                if whose not in found:
                    found[whose] = self._nothing.copy()
                found[whose][position] = row

    @cached_property
    def _told(self) -> set[tuple[int, str | None]]:
        """The subjects and groups, by number and text, of which any event takes part or would but for its value."""
        return {whose for whose, rows in self._rows.items() if any(map(has_any, rows))}

    def subjects_with_any(self, histories: Sequence[KpiHistory]) -> set[Subject]:
        """For whom any event of the period or of a window counts, or would but for its value.

        Of both, since a window may look at days that the period as a whole does not (`over`).
        """
        shown = [self.plan.shown(history) for history in histories]
        counted = {each for cells in shown for cell in (cells.total, *cells.tiles) for each in cell.entering}
        subjects = {number: subject for (subject, _), number in self._numbers.items()}
        return {
            subjects[number]
            for (number, _), rows in self._rows.items()
            if any(has_any(rows[position]) for position in counted)
        }

    def groups_with_any(self) -> set[str]:
        """The groups of events, by their JSON text, in which any takes part or would but for its value."""
        return {group for _, group in self._told if group}

    @cached_property
    def has_rest(self) -> bool:
        """Whether anything is in the rest of the groups."""
        rest = {number for (_, grouped), number in self._numbers.items() if grouped and grouped.group.kind == "rest"}
        return any(number in rest or group == REST for number, group in self._told)

    def view(self, subject: Subject, grouped: Grouped | None = None) -> "View":
        """The cells of one subject and group."""
        text = grouped.text if grouped else None
        number = self._numbers[subject, grouped if grouped and grouped.part else None]
        return View(self, subject, grouped, self._rows.get((number, text), self._nothing))

    def cell(self, history: KpiHistory, subject: Subject, place: Place, grouped: Grouped | None = None) -> Cell:
        """One figure."""
        return self.view(subject, grouped).cell(self.plan.cell(history, place))

    def roster(self, subject: Subject, grouped: Grouped | None) -> Roster:
        """The members in scope: of a group of events all of the subject's."""
        whom = (subject, grouped if grouped and grouped.part else None)
        if whom not in self._rosters:
            self._rosters[whom] = self._roster_of(*whom)
        return self._rosters[whom]


class View:
    """The figures of one subject and group."""

    __slots__ = ("_figures", "_is_recorded", "_values", "grouped", "rows", "subject")

    def __init__(self, figures: Figures, subject: Subject, grouped: Grouped | None, rows: SubjectRows) -> None:
        self.subject = subject
        self.grouped = grouped
        self.rows = rows
        self._figures = figures
        self._is_recorded = _is_recorded(figures.plan, subject)
        self._values: dict[CellPlan, Decimal | None] = {}

    def series(self, history: KpiHistory) -> Series:
        """The KPI over all windows, with its comparisons."""
        shown = self.shown(history)
        return Series(
            kpi=history.key,
            subject=self.subject,
            cells=tuple([self.cell(each) for each in shown.tiles]),
            total=self.cell(shown.total),
            comparisons={kind: self._comparison(kind, cells) for kind, cells in shown.compared.items()},
            group=self.grouped.group if self.grouped else None,
        )

    def shown(self, history: KpiHistory) -> Shown:
        """The cells of the KPI that are shown."""
        return self._figures.plan.shown(history)

    def cell(self, plan: CellPlan) -> Cell:
        """One figure, with the first status that applies (S12)."""
        if plan.refused == "not_recorded_yet" or not self._is_recorded:
            return NOT_RECORDED
        if plan.refused is not None:
            return Cell(None, plan.refused)
        value = as_figure(plan.value(self))
        enters, left_out, still_open, pending, young = self._counts(plan)
        status: Status = "no_data" if value is None else "partial" if left_out else "immature" if young else "ok"
        # Answers have thousands of cells: a cell by its name would take three times as long to make.
        return tuple.__new__(Cell, (value, status, enters, plan.version, left_out, still_open, pending, young))

    def _counts(self, plan: CellPlan) -> tuple[int, int, int, int, int]:
        """How many events entered, were left out, are open, pending and young; most cells are of a single row."""
        rows = self.rows
        if plan.row is not None:
            row = rows[plan.row]
            return row[8], row[9], row[10], row[11], row[12]
        enters = left_out = still_open = pending = young = 0
        for position in plan.entering:
            row = rows[position]
            enters += row[8]
            still_open += row[10]
            pending += row[11]
        for position in plan.losing:
            row = rows[position]
            left_out += row[9]
            young += row[12]
        return enters, left_out, still_open, pending, young

    def operands(self, reading: Reading) -> dict[Use, Decimal | None]:
        """What each use of a part's formula is."""
        return {use: each(self) for use, each in zip(reading.formula.uses, reading.operands, strict=True)}

    def _comparison(self, kind: Compare, cells: ComparedCells) -> Comparison:
        """The figures that the total and each window are compared with."""
        to_dates = [self._to_date(cut) for cut in cells.cuts]
        return Comparison(
            windows=tuple(place.window if place else None for place in self._figures.plan.compared[kind].windows),
            cells=tuple([self.compared(each) for each in cells.windows]),
            total=self.compared(cells.total),
            to_date=to_dates[0],
            to_date_by_window=tuple(to_dates[1:]),
        )

    def compared(self, plan: CellPlan | None) -> Cell:
        """A figure to compare with; no data where there is no such window."""
        return NOT_COMPARABLE if plan is None else self.cell(plan)

    def _to_date(self, cut: tuple[int, CellPlan, CellPlan] | None) -> ToDate | None:
        if cut is None:
            return None
        working_days, current, previous = cut
        return ToDate(working_days, self.cell(current), self.cell(previous))

    # ------------------------------------------------------------------------------------ what formulas read

    def value(self, plan: CellPlan) -> Decimal | None:
        """The figure of another KPI; computed once, since formulas may refer to it by many ways."""
        if plan not in self._values:
            self._values[plan] = self.cell(plan).value
        return self._values[plan]

    def target(self, key: str, days: Days) -> Decimal | None:
        """What the subject aims at; nobody aims at a group's figure."""
        return None if self.grouped is not None else self._figures.targets.get((key, self.subject, days))

    def staff(self, function: StaffFunction, days: Days) -> Decimal | None:
        """Working time or members in scope (S23)."""
        return self._figures.roster(self.subject, self.grouped).value(function, days)


def has_any(row: RowFields) -> bool:
    """Whether any event took part, or would have but for its value."""
    return bool(row[8] or row[9] or row[10] or row[11])


def _is_recorded(plan: Plan, subject: Subject) -> bool:
    """Whether the organization and the subject had been recorded by then (S5)."""
    context = plan.context
    if not context.is_recorded:
        return False
    kind, id_, within = subject
    structure, known_at = context.structure, context.known_at
    if within and structure.teams[within].recorded_at > known_at:
        return False
    if kind == "member" and id_:
        return structure.members[id_].recorded_at <= known_at
    return kind != "team" or not id_ or structure.teams[id_].recorded_at <= known_at
