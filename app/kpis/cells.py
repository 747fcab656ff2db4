"""What a cell of an answer needs, whosever it is: the rows of the statement, and its value as a function of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Protocol

from app.calendars.periods import (
    CalendarSettings,
    Grain,
    Window,
    previous_window,
    same_window_last_year,
)
from app.kpis.attribution import Days
from app.kpis.formulas import FORMULA, Compiled, Finish, StaffFunction, Step, as_figure
from app.kpis.history import KpiVersionFacts
from app.kpis.questions import Compare, Status


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


Reads = frozenset[tuple[int, Days]]
"""Measures, by number, each over a run of days."""


RowFields = tuple[
    str, int, int, int, str | None, Decimal | None, Decimal | None, Decimal | None, int, int, int, int, int
]
"""The fields of a `Row`: rows are read by the thousands, and need no names for it."""
NO_EVENTS: RowFields = ("", 0, 0, 0, None, None, None, None, 0, 0, 0, 0, 0)
"""Stands where the statement has no row."""


class Standing(Protocol):
    """Where a formula reads its values: the figures of one subject and group."""

    @property
    def rows(self) -> Sequence[RowFields]:
        """What the statement said of the subject, by the positions that the plan gave to rows."""

    def value(self, plan: "CellPlan") -> Decimal | None:
        """The figure of another KPI."""

    def target(self, key: str, days: Days) -> Decimal | None:
        """What was aimed at (S22)."""

    def staff(self, function: StaffFunction, days: Days) -> Decimal | None:
        """Working time in seconds, or members (S23)."""


Operand = Callable[[Standing], Decimal | None]
"""Something that a formula reads at one place; None is no data."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part of a cell reads: its formula, and the operands for the formula's uses, in their order."""

    part: Part
    formula: Compiled
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CellPlan:
    """What a cell needs, whosever it is; `refused` where it has no figure whatever the events say.

    `entering` are the positions of the rows that count the events of the cell itself; `losing` of those that count them
    and the ones of windows that it looks back at.
    """

    refused: Status | None
    value: Operand
    readings: tuple[Reading, ...]
    version: int | None
    entering: tuple[int, ...]
    losing: tuple[int, ...]
    reads: Reads
    all_reads: Reads
    row: int | None
    """The only row that counts events, where it is one alone."""


@dataclass(frozen=True, slots=True)
class ComparedCells:
    """The cells of a KPI at the places that its own are compared with; cuts with the total first."""

    windows: tuple[CellPlan | None, ...]
    total: CellPlan | None
    cuts: tuple[tuple[int, CellPlan, CellPlan] | None, ...]
    """The working days that are past, and both cells cut after them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The cells of a KPI that an answer shows."""

    tiles: tuple[CellPlan, ...]
    total: CellPlan
    compared: Mapping[Compare, ComparedCells]


def no_data(_: Standing) -> None:
    """There is no such window (S21)."""


def row_value(position: int, finish: Finish) -> Operand:
    """The value of a measure from the row at a position."""

    def value(at: Standing) -> Decimal | None:
        row = at.rows[position]
        return finish(row[5], row[6], row[7])

    return value


def computed(reading: Reading) -> Operand:
    """The formula's value. Most formulas are a measure alone."""
    evaluate, operands = reading.formula.value, reading.operands
    if reading.formula.is_use:
        return operands[0]
    return lambda at: evaluate([operand(at) for operand in operands])


def added_up(parts: Sequence[Operand]) -> Operand:
    """The sum of what the parts of a cell are; no data counts nothing beside others (S24)."""
    if len(parts) == 1:
        return parts[0]

    def value(at: Standing) -> Decimal | None:
        values = [as_figure(part(at)) for part in parts]
        return reduce(FORMULA.add, [value for value in values if value is not None], Decimal(0))

    return value


def refused(status: Status) -> CellPlan:
    """A cell that has no figure, whatever the events say."""
    return CellPlan(status, no_data, (), None, (), (), frozenset(), frozenset(), None)
