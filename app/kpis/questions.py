"""A question about KPIs, and its answer, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from app.calendars.periods import Grain, Window
from app.kpis.attribution import Attribution, Subject
from app.kpis.expressions.syntax import Name, Node
from app.kpis.history import KpiHistory

Status = Literal["not_recorded_yet", "not_retained", "mixed_versions", "no_data", "partial", "immature", "ok"]
Compare = Literal["previous_period", "same_period_last_year"]
Attribute = Literal["revenue_role", "country", "manager", "team"]
GroupValue = str | Decimal | bool | None


@dataclass(frozen=True)
class MembersOf:
    """Each person of a team, a series each (S8)."""

    team_id: UUID


@dataclass(frozen=True, kw_only=True)
class GroupBy:
    """By what the events say (`event`), or by an attribute of the credited member on the day: exactly one of the two.

    `event` as in a checked filter: `("properties", key)`, `("about", thing)`, or `type`, `source`, `currency` alone.
    With `top` so many groups are kept and the others are one, the rest.
    """

    event: Name | None = None
    attribute: Attribute | None = None
    top: int | None = None


@dataclass(frozen=True)
class Group:
    """One group: a value, the events without one (`none`), or all groups that are not shown (`rest`)."""

    kind: Literal["value", "none", "rest"]
    value: GroupValue = None
    label: str | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which KPIs, of whom, when, and seen from where. `period` as in `calendars.periods`, or a window itself.

    `definitions` stand in for what is stored of these KPIs: previews of what is not saved yet. With `running` each
    window begins with the period: its value to date.
    """

    kpis: Sequence[str]
    subjects: Sequence[Subject | MembersOf]
    period: str
    grain: Grain = "total"
    running: bool = False
    compare: tuple[Compare, ...] = ()
    group_by: GroupBy | None = None
    attribution: Attribution = "at_event"
    where: Node | None = None
    currency: str | None = None
    rate_set: str | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    whole_person: bool = False
    as_of: datetime | None = None
    known_at: datetime | None = None
    definitions: Mapping[str, KpiHistory] = field(default_factory=dict)


class Cell(NamedTuple):
    """One figure. `value` is exact to 34 digits; the counts are of distinct events (S25).

    `young` are those that are in it and whose judgement may still change (S17).
    """

    value: Decimal | None
    status: Status
    sample: int = 0
    kpi_version: int | None = None
    left_out: int = 0
    open: int = 0
    pending: int = 0
    young: int = 0


@dataclass(frozen=True)
class ToDate:
    """Both sides of a comparison after the same number of working days (S21)."""

    working_days: int
    current: Cell
    previous: Cell


@dataclass(frozen=True)
class Comparison:
    """The period before (its windows paired by position), or a year before; None where that has no such window."""

    windows: tuple[Window | None, ...]
    cells: tuple[Cell, ...]
    total: Cell
    to_date: ToDate | None
    to_date_by_window: tuple[ToDate | None, ...]


@dataclass(frozen=True)
class Series:
    """A KPI of a subject (and of a group, where the query groups) over the windows."""

    kpi: str
    subject: Subject
    cells: tuple[Cell, ...]
    total: Cell
    comparisons: Mapping[Compare, Comparison] = field(default_factory=dict)
    group: Group | None = None


@dataclass(frozen=True)
class KpiFace:
    """How front ends show a KPI; `looks_back` where events before a window decide its figure, however old they are."""

    key: str
    name: str
    unit: Mapping[str, str]
    direction: str
    display: Mapping[str, object]
    thresholds: Mapping[str, object]
    is_additive: bool
    looks_back: bool = False


@dataclass(frozen=True)
class Answer:
    """All series, with what they were computed from."""

    as_of: datetime
    known_at: datetime
    earliest_as_of: datetime
    retained_from: date | None
    time_zone: str
    currency: str
    rate_set: str | None
    calendar: str
    holidays: frozenset[date]
    period: Window
    windows: tuple[Window, ...]
    instants: tuple[tuple[datetime, datetime], ...]
    is_complete: tuple[bool, ...]
    kpis: Mapping[str, KpiFace]
    names: Mapping[Subject, str | None]
    series: tuple[Series, ...]
