"""Questions and answers of the reference, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from app.kpis.expressions.syntax import Name, Node
from tests.reference.days import Grain, Window
from tests.reference.groups import Group
from tests.reference.snapshot import Attribution, Subject

Status = Literal["not_recorded_yet", "mixed_versions", "no_data", "partial", "immature", "ok"]
Compare = Literal["previous_period", "same_period_last_year"]


@dataclass(frozen=True, kw_only=True)
class GroupBy:
    """By what figures are grouped: a name of the event, or an attribute of who is credited; `top` and the rest."""

    event: Name | None = None
    attribute: Literal["revenue_role", "country"] | None = None
    top: int | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question as the API takes it; `versions` names the version of a KPI for all windows (S24)."""

    kpis: tuple[str, ...]
    subjects: tuple[Subject, ...] = (Subject("organization"),)
    period: str
    grain: Grain = "total"
    attribution: Attribution = "at_event"
    where: Node | None = None
    group_by: GroupBy | None = None
    compare: tuple[Compare, ...] = ()
    currency: str | None = None
    rate_set: str | None = None
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
    young: int = 0


NO_DATA = Cell(None, "no_data")


@dataclass(frozen=True)
class ToDate:
    """Both sides of a comparison after the same number of working days (S21)."""

    working_days: int
    current: Cell
    previous: Cell


@dataclass(frozen=True)
class Comparison:
    """Another period, its windows paired with those of the question.

    `to_date` is of the total, where that is incomplete (S21).
    """

    cells: tuple[Cell, ...]
    total: Cell
    to_date: ToDate | None
    to_date_by_window: tuple[ToDate | None, ...]


@dataclass(frozen=True)
class Series:
    """A KPI of a subject over the windows, or of a group of what is the subject's."""

    kpi: str
    subject: Subject
    group: Group | None
    cells: tuple[Cell, ...]
    total: Cell
    comparisons: Mapping[Compare, Comparison]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found for any of its figures; for a group: in its total, where groups are found."""
        cells = (self.total,) if self.group else (*self.cells, self.total)
        return not any(cell.sample or cell.left_out or cell.open or cell.pending or cell.young for cell in cells)


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

    def of(self, kpi: str, subject: Subject, group: Group | None = None) -> Series:
        """The series of a KPI and a subject."""
        found = (each for each in self.series if (each.kpi, each.subject, each.group) == (kpi, subject, group))
        return next(found)
