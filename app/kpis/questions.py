"""A question about KPIs, and its answer, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from app.calendars.periods import Grain, Window
from app.kpis.attribution import Attribution, Subject
from app.kpis.expressions.syntax import Node

Status = Literal["not_recorded_yet", "mixed_versions", "no_data", "partial", "immature", "ok"]


@dataclass(frozen=True)
class MembersOf:
    """Each person of a team, a series each (S8)."""

    team_id: UUID


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which KPIs, of whom, when, and seen from where. `period` as in `calendars.periods`, or a window itself."""

    kpis: Sequence[str]
    subjects: Sequence[Subject | MembersOf]
    period: str
    grain: Grain = "total"
    compare_previous: bool = False
    attribution: Attribution = "at_event"
    where: Node | None = None
    currency: str | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    whole_person: bool = False
    as_of: datetime | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class Cell:
    """One figure. `value` is exact to 34 digits; the counts are of distinct events (S25)."""

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
    """The period before, its windows paired by position."""

    windows: tuple[Window | None, ...]
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
class KpiFace:
    """How front ends show a KPI."""

    key: str
    name: str
    unit: Mapping[str, str]
    direction: str
    display: Mapping[str, object]
    thresholds: Mapping[str, object]
    is_additive: bool


@dataclass(frozen=True)
class Answer:
    """All series, with what they were computed from."""

    as_of: datetime
    known_at: datetime
    earliest_as_of: datetime
    time_zone: str
    currency: str
    calendar: str
    period: Window
    windows: tuple[Window, ...]
    instants: tuple[tuple[datetime, datetime], ...]
    is_complete: tuple[bool, ...]
    kpis: Mapping[str, KpiFace]
    names: Mapping[Subject, str | None]
    series: tuple[Series, ...]
