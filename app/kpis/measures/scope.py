"""What a statement is asked with, and the rows that it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TIMESTAMP, Uuid, bindparam

from app.core.db import OrganizationId
from app.core.ids import NIL
from app.kpis.attribution import Span
from app.kpis.expressions.syntax import Name, Node

STATES = ENTERS, LEFT_OUT, OPEN, PENDING = "enters", "left_out", "open", "pending"
NO_GROUP = "null"
"""The group of events that have no value to be grouped by, as JSON text."""
_INSTANT = TIMESTAMP(timezone=True)
REST = ""
"""The group of all values that are not shown by themselves."""


@dataclass(frozen=True)
class CurrencyFactors:
    """How amounts in `currency` become the query's: on the days of a span `amount * multiply / divide`.

    `spans` are (first day, next day, multiply, divide), disjoint and in order; on other days they are unconverted.
    """

    currency: str
    spans: Sequence[tuple[date, date, Decimal, Decimal]]

    def values(self) -> dict[str, Sequence[Any]]:
        """What is bound by name: an array each of first days, next days, what multiplies and what divides."""
        names = [f"{self.currency}_{name}" for name in ("first_days", "next_days", "multiply", "divide")]
        return dict(zip(names, zip(*self.spans, strict=True), strict=True)) if self.spans else {}


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
    day, member), given whenever one asks for the time that is covered. With `only_shared` events with one credit or
    none do not count: for measures whose events are looked at one by one. Events of days before `kept_from` do not
    count: they are about to go, and an answer must not change with each of them.
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
    only_shared: bool = False
    kept_from: date | None = None

    # What differs from question to question though all else is the same has a name in the statement.

    @property
    def organization(self) -> Any:
        """`org_id`, bound."""
        return bindparam("org_id", self.org_id, Uuid())

    @property
    def known(self) -> Any:
        """`known_at`, bound."""
        return bindparam("known_at", self.known_at, _INSTANT)

    @property
    def now(self) -> Any:
        """`at`, bound."""
        return bindparam("at", self.at, _INSTANT)

    def values(self) -> dict[str, Any]:
        """What is bound by name for every measure."""
        found: dict[str, Any] = {"org_id": self.org_id, "known_at": self.known_at, "at": self.at}
        for each in self.factors:
            found |= each.values()
        if self.grouping is not None and self.grouping.kept is not None:
            found["groups"] = self.grouping.kept
        return found

    def values_of_persons(self) -> dict[str, Sequence[Any]]:
        """`persons` as arrays, to be bound by name."""
        names = ("person_identity", "person_first_day", "person_next_day", "person_member")
        columns = zip(*self.persons, strict=True) if self.persons else ((), (), (), ())
        return dict(zip(names, columns, strict=True))


@dataclass(frozen=True)
class Audience:
    """Whom the figures are for, by number: some get every event whole, the others what their spans say."""

    everything: Sequence[int]
    spans: Sequence[tuple[int, Span]]

    @property
    def asks_for_nobody(self) -> bool:
        """Whether events that nobody owns belong to any of them."""
        return any(span.identity_id == NIL for _, span in self.spans)

    def values(self) -> dict[str, Sequence[Any]]:
        """What is bound by name, an array each."""
        return {
            "whole": list(self.everything),
            "subject": [number for number, _ in self.spans],
            "identity_id": [span.identity_id for _, span in self.spans],
            "first_day": [span.days.start for _, span in self.spans],
            "next_day": [span.days.end for _, span in self.spans],
            "identities": self.identities() or [],
        }

    def identities(self) -> list[UUID] | None:
        """Whose credits alone are asked for; None where everybody's or nobody's events are."""
        found = {span.identity_id for _, span in self.spans}
        return None if self.everything or NIL in found else sorted(found)


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
