"""What a statement is asked with, and the rows that it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from app.core.db import OrganizationId
from app.kpis.attribution import Span
from app.kpis.expressions.syntax import Name, Node

STATES = ENTERS, LEFT_OUT, OPEN, PENDING = "enters", "left_out", "open", "pending"
NO_GROUP = "null"
"""The group of events that have no value to be grouped by, as JSON text."""
REST = ""
"""The group of all values that are not shown by themselves."""


@dataclass(frozen=True)
class CurrencyFactors:
    """How amounts in `currency` become the query's: on the days of a span `amount * multiply / divide`.

    `spans` are (first day, next day, multiply, divide), disjoint and in order; on other days they are unconverted.
    """

    currency: str
    spans: Sequence[tuple[date, date, Decimal, Decimal]]


@dataclass(frozen=True)
class WorkingClock:
    """Whose working time counts when (S16).

    `calendars` are working intervals [start, end) in UTC, disjoint, in order, up to T; number 0 is the organization's.
    `spans` say which calendar holds for an identity: (identity, first day, next day, number); else number 0.
    """

    calendars: Sequence[Sequence[tuple[datetime, datetime]]]
    spans: Sequence[tuple[UUID, date, date, int]]


@dataclass(frozen=True)
class Grouping:
    """By what of the event figures are grouped; of a pair, a funnel … by the one that begins it.

    `by` is a name as in a checked filter. `kept` are the JSON texts of the groups that are shown by themselves, all
    others are the rest; None: every group is shown.
    """

    by: Name
    kept: Sequence[str] | None


@dataclass(frozen=True)
class Scope:
    """From which point of view the ledger is read: known by, at T, in which zone and currency, filtered by what.

    `clock` is given whenever a measure of the query is on working hours. `persons` are (identity, first day, next
    day, member), given whenever one asks for the time that is covered.
    """

    org_id: OrganizationId
    known_at: datetime
    at: datetime
    time_zone: str
    currency: str
    where: Node | None
    factors: Sequence[CurrencyFactors] = ()
    clock: WorkingClock | None = None
    grouping: Grouping | None = None
    persons: Sequence[tuple[UUID, date, date, UUID]] = ()


@dataclass(frozen=True)
class Audience:
    """Whom the figures are for, by number: some get every event whole, the others what their spans say."""

    everything: Sequence[int]
    spans: Sequence[tuple[int, Span]]


class Row(NamedTuple):
    """One row of the statement.

    What `a` to `c` are depends on the aggregate; the rest counts events by what became of them. `young` counts those
    whose judgement may still change (S17). `group` is None without grouping, else the JSON text of the value,
    'null' where the event has none and '' for the rest.
    """

    kind: str
    number: int
    subject: int
    window: int
    group: str | None
    a: Decimal | None
    b: Decimal | None
    c: Decimal | None
    enters: int
    left_out: int
    open: int
    pending: int
    young: int

    @property
    def has_any(self) -> bool:
        """Whether any event took part, or would have but for its value."""
        return bool(self.enters or self.left_out or self.open or self.pending)
