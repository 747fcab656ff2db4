"""Cells computed from the ledger: what the events of some identities and days add up to, by shape.

The one statement by which cells are kept and by which those that are not kept yet are answered. It finds events by
identity and day, never by a look through history, and reads them once for all shapes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Interval,
    Numeric,
    Select,
    Subquery,
    and_,
    any_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from app.core.db import OrganizationId
from app.core.ids import NIL
from app.events.facts import OWNER
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.events.sharding import EVERYBODY
from app.kpis.compiler import FilterCompiler
from app.kpis.expressions.syntax import Name
from app.kpis.measures.bound import bound_table
from app.kpis.partials.shapes import AMOUNT, Part, Shape

_TEXT = SqlText(collation="C")
MEASURES = "measures"
"""Where `days` has this column, each run is about some of the shapes."""
_RAW_AMOUNT = Name(("amount_original",))
# Where clocks are set back at midnight, PostgreSQL takes the second of two midnights: the day began before.
_SLACK = timedelta(hours=3)
_LOOKED_AT = (
    "type", "source_id", "about", "amount", "currency", "quantity", "duration_seconds", "properties",
)  # fmt: skip

# Any below: values or bound parameters of an organization, a time zone and an instant.


def fresh_cells(
    org_id: OrganizationId | Any,
    zone: str | Any,
    shapes: Sequence[Shape],
    days: FromClause,
    at: datetime | Any,
    *,
    nobody: bool = True,
    everybody: bool = True,
) -> Select[Any]:
    """A row for each shape (`measure`, its place), identity, `is_shared`, day and currency that has any event.

    `days` has the columns identity_id, first_day and next_day; an identity's runs have no day in common. The nil UUID
    asks for what nobody is credited with, EVERYBODY for all shared events; say so where `days` has neither of them, the
    statement is planned faster. Events after `at` do not count yet (S3). Where `days` has the columns types and
    measures as well, arrays, a run is about these shapes (their places) alone, which look at no other types.
    The columns are those of `Partial`: measure, identity_id, is_shared, day, currency, n, left_out, weight, total,
    whole, low, high.
    """
    types = sorted({kind for shape in shapes for kind in shape.types})
    finder = _Finder(org_id, zone, types, days, at)
    looked_at = _looked_at(org_id, shapes, _found(finder, nobody=nobody, everybody=everybody))
    row = looked_at.c
    is_shared = row.is_shared
    return select(
        row.measure,
        row.identity_id,
        row.is_shared,
        row.day,
        row.currency,
        cast(func.count().filter(row.enters), Integer()).label("n"),
        cast(func.count().filter(row.is_left_out), Integer()).label("left_out"),
        func.sum(row.share).filter(row.enters, is_shared).label("weight"),
        func.sum(row.part).filter(row.enters).label("total"),
        func.sum(row.added).filter(row.enters, is_shared).label("whole"),
        func.min(row.ranged).filter(row.enters).label("low"),
        func.max(row.ranged).filter(row.enters).label("high"),
    ).group_by(row.measure, row.identity_id, row.is_shared, row.day, row.currency)


# --------------------------------------------------------------------------------------------------------- events


def _found(finder: "_Finder", *, nobody: bool, everybody: bool) -> Subquery:
    """The events of the identities' days, once for each identity that has a part, with the identity's share."""
    asked = [finder.own, finder.shares]
    asked += [finder.nobodys] if nobody else []
    asked += [finder.everybodys] if everybody else []
    return union_all(*[each(is_dated=is_dated) for each in asked for is_dated in (False, True)]).subquery("found")


class _Finder:
    """Finds events of identities and days: by the instant where that decides the day, else by the day (S1)."""

    def __init__(self, org_id: Any, zone: Any, types: Sequence[str], days: FromClause, at: Any) -> None:
        self._org_id = org_id
        self._zone = zone
        self._types = days.c.types if MEASURES in days.c else literal(list(types), ARRAY(_TEXT))
        self._days = days
        self._at = at

    def own(self, *, is_dated: bool) -> Select[Any]:
        """Events with one owner, of that owner."""
        is_theirs = Event.identity_id == self._days.c.identity_id
        return self._events(is_theirs, is_shared=false(), is_dated=is_dated)

    def nobodys(self, *, is_dated: bool) -> Select[Any]:
        """Events that nobody is credited with; nobody owns one whose credits are all of other roles."""
        is_owned = exists().where(
            EventCredit.org_id == self._org_id, EventCredit.row_id == Event.row_id, EventCredit.role == OWNER
        )
        is_nobodys = and_(
            self._days.c.identity_id == literal(NIL, UUID()),
            Event.identity_id.is_(None),
            or_(not_(Event.is_shared), not_(is_owned)),
        )
        return self._events(is_nobodys, is_shared=Event.is_shared.expression, is_dated=is_dated)

    def everybodys(self, *, is_dated: bool) -> Select[Any]:
        """Every shared event, whole."""
        is_asked = and_(
            self._days.c.identity_id == literal(EVERYBODY, UUID()), Event.identity_id.is_(None), Event.is_shared
        )
        return self._events(is_asked, is_shared=true(), is_dated=is_dated)

    def shares(self, *, is_dated: bool) -> Select[Any]:
        """Shared events, once for each identity that owns a part, with all of its part."""
        parts = (
            select(EventCredit.row_id, func.sum(EventCredit.share).label("share"))
            .where(
                EventCredit.org_id == self._org_id,
                EventCredit.identity_id == self._days.c.identity_id,
                EventCredit.role == OWNER,
                EventCredit.occurred_at <= self._at,
                self._is_in_days(EventCredit, is_dated=is_dated),
            )
            .group_by(EventCredit.row_id)
            .correlate(self._days)
            .offset(0)
            .lateral("parts")
        )
        counting = self._counting(Event.row_id == parts.c.row_id, is_shared=true(), is_dated=is_dated)
        found = counting.correlate(parts, self._days).offset(0).lateral("found")
        return self._columns(found, parts.c.share).select_from(self._days.join(parts, true()).join(found, true()))

    def _events(self, is_asked: ColumnElement[bool], *, is_shared: ColumnElement[bool], is_dated: bool) -> Select[Any]:
        is_there = and_(is_asked, self._is_in_days(Event, is_dated=is_dated))
        counting = self._counting(is_there, is_shared=is_shared, is_dated=is_dated)
        found = counting.correlate(self._days).offset(0).lateral("found")
        return self._columns(found, cast(literal(1), Numeric())).select_from(self._days.join(found, true()))

    def _columns(self, found: FromClause, share: ColumnElement[Any]) -> Select[Any]:
        narrowed = [self._days.c[MEASURES]] if MEASURES in self._days.c else []
        return select(self._days.c.identity_id, share.label("share"), *narrowed, *found.c)

    def _counting(
        self, is_asked: ColumnElement[bool], *, is_shared: ColumnElement[bool], is_dated: bool
    ) -> Select[Any]:
        """Those that count at all, whatever their source says: current, not in the future (S3, S10).

        Asked of each run of days by itself (OFFSET 0): the planner takes a day of 500 people for a third of all
        history and would read that instead.
        """
        return select(
            is_shared.label("is_shared"),
            self._day(Event, is_dated=is_dated).label("day"),
            *[getattr(Event, name) for name in _LOOKED_AT],
        ).where(
            is_asked,
            Event.org_id == self._org_id,
            Event.type == any_(self._types),
            Event.superseded_at.is_(None),
            Event.retracted.is_(False),
            Event.occurred_at <= self._at,
        )

    def _day(self, table: type[Event | EventCredit], *, is_dated: bool) -> ColumnElement[Any]:
        if is_dated:
            return table.occurred_on.expression
        return cast(func.timezone(self._zone, table.occurred_at), Date())

    def _is_in_days(self, table: type[Event | EventCredit], *, is_dated: bool) -> ColumnElement[bool]:
        first, following = self._days.c.first_day, self._days.c.next_day
        day = self._day(table, is_dated=is_dated)
        is_so = and_(day >= first, day < following)
        if is_dated:
            return and_(table.occurred_on.is_not(None), is_so)
        # Said once more by instants, for the index.
        begins = func.timezone(self._zone, cast(first, TIMESTAMP())) - literal(_SLACK, Interval())
        ends = func.timezone(self._zone, cast(following, TIMESTAMP()))
        return and_(table.occurred_on.is_(None), table.occurred_at >= begins, table.occurred_at < ends, is_so)


# --------------------------------------------------------------------------------------------------------- shapes


def _looked_at(org_id: Any, shapes: Sequence[Shape], found: Subquery) -> Subquery:
    """Each event for each shape that looks at it, with what became of it and the value in it."""
    view = _of_sources(org_id, found)
    pairs = [(kind, place) for place, shape in enumerate(shapes) for kind in shape.types]
    wanted = bound_table(
        "wanted", {"type": (_TEXT, [kind for kind, _ in pairs]), "measure": (Integer(), [place for _, place in pairs])}
    )
    looks = [_Look(view, FilterCompiler(view, {}), shape) for shape in shapes]

    def chosen(of: Callable[[_Look], ColumnElement[Any] | None], otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
        """What it is for the shape that a row is about."""
        given = [(literal(place, Integer()), of(look)) for place, look in enumerate(looks)]
        cases = {place: value for place, value in given if value is not None}
        return case(cases, value=wanted.c.measure, else_=otherwise) if cases else otherwise

    nothing = cast(null(), Numeric())
    added = chosen(lambda look: look.value if look.shape.keeps == "total" else None, nothing)
    share = view.c.share
    looked_at = (
        select(
            wanted.c.measure,
            view.c.identity_id,
            view.c.is_shared,
            view.c.day,
            chosen(_Look.currency, literal("", _TEXT)).label("currency"),
            share,
            chosen(_Look.enters, true()).label("enters"),
            chosen(_Look.is_left_out, false()).label("is_left_out"),
            added.label("added"),
            case((view.c.is_shared, share * added), else_=added).label("part"),
            chosen(lambda look: look.value if look.shape.keeps == "range" else None, nothing).label("ranged"),
        )
        .select_from(view.join(wanted, and_(*_is_wanted(view, wanted))))
        .offset(0)  # kept apart, so that nothing is computed again in each of the aggregates
        .subquery("looked_at")
    )
    return select(looked_at).where(or_(looked_at.c.enters, looked_at.c.is_left_out)).subquery("counted")


def _is_wanted(view: Subquery, wanted: Any) -> list[ColumnElement[bool]]:
    is_looked_at = [wanted.c.type == view.c.type]
    return [*is_looked_at, wanted.c.measure == any_(view.c[MEASURES])] if MEASURES in view.c else is_looked_at


def _of_sources(org_id: Any, found: Subquery) -> Subquery:
    """The events whose source is authoritative for their type (S10), with its key."""
    return (
        select(found, Source.key.label("source_key"))
        .join(Source, Source.id == found.c.source_id)
        .join(SourceCounts, and_(SourceCounts.org_id == Source.org_id, SourceCounts.source_id == Source.id))
        .where(
            Source.org_id == org_id,
            SourceCounts.org_id == org_id,
            SourceCounts.superseded_at.is_(None),
            or_(SourceCounts.counts.is_(None), found.c.type == any_(SourceCounts.counts)),
        )
        .subquery("view")
    )


class _Look:
    """What a shape makes of an event in view."""

    def __init__(self, view: Subquery, filters: FilterCompiler, shape: Shape) -> None:
        self.shape = shape
        self._view = view
        self._filters = filters

    @property
    def value(self) -> ColumnElement[Any] | None:
        """The number that is added up or ranged; only of a single part."""
        return self._value_of(self.shape.parts[0])

    def currency(self) -> ColumnElement[Any] | None:
        """The event's own currency, for money."""
        return func.coalesce(self._view.c.currency, literal("", _TEXT)) if self.shape.is_money else None

    def enters(self) -> ColumnElement[bool] | None:
        """Whether it counts; None: it does."""
        parts = [self._enters(part) for part in self.shape.parts]
        told = [part for part in parts if part is not None]
        return or_(*told) if len(told) == len(parts) else None

    def is_left_out(self) -> ColumnElement[bool] | None:
        """Whether a value was expected and cannot be used (S11); of money the currency decides, when one asks."""
        valued = [part for part in self.shape.parts if part.value is not None and part.value != AMOUNT]
        return or_(*[and_(*self._passes(part), *self._is_unusable(part)) for part in valued]) if valued else None

    def _enters(self, part: Part) -> ColumnElement[bool] | None:
        conditions = self._passes(part)
        if (value := self._value_of(part)) is not None:
            conditions.append(value.is_not(None))
        return and_(*conditions) if conditions else None

    def _passes(self, part: Part) -> list[ColumnElement[bool]]:
        passes = []
        if len(self.shape.parts) > 1:
            passes.append(self._view.c.type == any_(literal(list(part.events), ARRAY(_TEXT))))
        if part.where is not None:
            passes.append(self._filters.condition(part.where))
        return passes

    def _is_unusable(self, part: Part) -> list[ColumnElement[bool]]:
        assert part.value is not None  # noqa: S101 - asked of parts with a value only
        return [self._filters.number(part.value).is_(None), self._filters.presence(part.value)]

    def _value_of(self, part: Part) -> ColumnElement[Any] | None:
        if part.value is None:
            return None
        return self._filters.number(_RAW_AMOUNT if part.value == AMOUNT else part.value)
