"""The events that count at all, from one point of view, with what may be asked of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Numeric,
    Select,
    Subquery,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY

from app.core.db import known_by
from app.events.models import Event, Source, SourceCounts
from app.kpis.attribution import Days
from app.kpis.compiler import DIVISION_SCALE, FilterCompiler, things_counted
from app.kpis.expressions.syntax import Node
from app.kpis.measures.bound import bound_array, bucket
from app.kpis.measures.scope import REST, CurrencyFactors, Scope

_TEXT = SqlText(collation="C")
ORDER = ("occurred_at", "source_key", "external_id")
"""The order of events (S11), by columns of a view."""


@dataclass(frozen=True)
class Factors:
    """The factors of a currency as arrays, one element for each span of days."""

    currency: str
    first_days: Any
    next_days: Any
    multiply: Any
    divide: Any

    @classmethod
    def bound(cls, factors: CurrencyFactors) -> "Factors":
        """The spans, turned into columns."""
        first, following, multiply, divide = zip(*factors.spans, strict=True)
        numbers = [bound_array(each, Numeric()) for each in (multiply, divide)]
        return cls(factors.currency, bound_array(first, Date()), bound_array(following, Date()), *numbers)

    def converted(self, amount: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[Any]:
        """The amount by the factors of its day; NULL on a day without."""
        place = bucket(day, self.first_days)
        product = amount * self.multiply[place] + literal(DIVISION_SCALE, Numeric())
        return case((day < self.next_days[place], product / self.divide[place]))


class Ledger:
    """The ledger from a point of view, over days that enclose every window.

    `tells` asks facts to name their related events too, which only somebody who opens a figure wants to know.
    """

    def __init__(self, scope: Scope, days: Days, *, tells: bool = False) -> None:
        self.scope = scope
        self.days = days
        self.tells = tells
        self._factors = [Factors.bound(each) for each in scope.factors if each.spans]

    def view(self, types: Sequence[str], *conditions: Node | None) -> tuple[Subquery, FilterCompiler]:
        """The events of these types that count at all: current, authoritative, not in the future (S3, S5, S10)."""
        org_id, known_at = self.scope.org_id, self.scope.known_at
        things = {thing: f"nth_{n}" for n, thing in enumerate(sorted(things_counted(*conditions)))}
        local = cast(func.timezone(self.scope.time_zone, Event.occurred_at), Date())
        day = func.coalesce(Event.occurred_on, local)
        found = (
            select(
                Event.row_id,
                Event.type,
                Event.external_id,
                Event.occurred_at,
                Event.identity_id,
                Event.is_shared,
                Event.about,
                Event.amount,
                Event.currency,
                Event.quantity,
                Event.duration_seconds,
                Event.properties,
                Source.key.label("source_key"),
                day.label("day"),
                self._converted(day).label("converted"),
                *[_nth(thing).label(label) for thing, label in things.items()],
            )
            .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
            .join(SourceCounts, and_(SourceCounts.org_id == Event.org_id, SourceCounts.source_id == Event.source_id))
            .where(
                Event.org_id == org_id,
                Source.org_id == org_id,
                SourceCounts.org_id == org_id,
                Event.type == any_(literal(list(types), ARRAY(_TEXT))),
                known_by(Event, known_at),
                Event.retracted.is_(False),
                Event.occurred_at <= self.scope.at,
                known_by(SourceCounts, known_at),
                or_(SourceCounts.counts.is_(None), Event.type == any_(SourceCounts.counts)),
            )
            .subquery()
        )
        return found, FilterCompiler(found, things)

    def selected(self, view: Subquery, filters: FilterCompiler, *conditions: Node | None) -> Select[Any]:
        """The events in view that pass all of these conditions, without columns yet."""
        wanted = [filters.condition(condition) for condition in conditions if condition is not None]
        return select().select_from(view).where(*wanted)

    def is_selected(self, filters: FilterCompiler) -> ColumnElement[bool]:
        """Whether an event passes the filter on top of the query."""
        return filters.condition(self.scope.where) if self.scope.where is not None else literal(True)

    def group(self, filters: FilterCompiler) -> ColumnElement[Any]:
        """The group that an event belongs to, as `Row.group`."""
        grouping = self.scope.grouping
        if grouping is None:
            return cast(null(), _TEXT)
        told = filters.json_text(grouping.by)
        if grouping.kept is None:
            return told
        return case((told == any_(literal(list(grouping.kept), ARRAY(_TEXT))), told), else_=literal(REST, _TEXT))

    def _converted(self, day: ColumnElement[Any]) -> ColumnElement[Any]:
        """The amount in the query's currency; NULL where that cannot be told (S26, S27)."""
        amount: ColumnElement[Any] = type_coerce(Event.amount, Numeric())
        own = (Event.currency == self.scope.currency, amount)
        return case(own, *[(Event.currency == each.currency, each.converted(amount, day)) for each in self._factors])


def _nth(thing: str) -> ColumnElement[Any]:
    """The event's place among those of its type about the same thing, over all time and before any filter (S13a)."""
    about = Event.about.op("->>")(literal(thing, SqlText())).cast(_TEXT)
    order = (Event.occurred_at, Source.key, Event.external_id)
    return case((about.is_not(None), func.row_number().over(partition_by=(Event.type, about), order_by=order)))
