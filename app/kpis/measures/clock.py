"""Elapsed time on working hours (S16), as a difference of two sums: W(end) - W(start).

W(t) is the working time of a calendar up to t. All calendars lie one after the other on one axis of microseconds,
so that a single bisection finds the interval, whatever calendar it is in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Subquery,
    and_,
    bindparam,
    cast,
    extract,
    func,
    literal,
)
from sqlalchemy.dialects.postgresql import UUID

from app.kpis.measures.bound import bucket, named_array, named_table
from app.kpis.measures.scope import WorkingClock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS = Decimal("0.000001")
_AXIS = ("axis_starts", "axis_ends", "axis_offsets")
_SPANS = {
    "calendar_identity": UUID(),
    "calendar_first_day": Date(),
    "calendar_next_day": Date(),
    "calendar": Integer(),
}


class _Interval(NamedTuple):
    """A working interval on the common axis, and how much work lies before it, less its start."""

    start: int
    end: int
    offset: int


class Clock:
    """The calendars of a query, and which holds for whom, bound by names to `values`."""

    def __init__(self, clock: WorkingClock) -> None:
        edges = [_microseconds(edge) for calendar in clock.calendars for interval in calendar for edge in interval]
        self._origin = min(edges, default=0)
        self._width = max(edges, default=0) - self._origin + 1
        placed = [part for number, of in enumerate(clock.calendars) for part in self._placed(number, of)]
        axis: dict[str, Any] = dict(zip(_AXIS, zip(*placed, strict=True), strict=True))
        place = {"axis_origin": self._origin, "axis_width": self._width}
        spans = dict(zip(_SPANS, zip(*clock.spans, strict=True) if clock.spans else [()] * len(_SPANS), strict=True))
        self.values: dict[str, Any] = {**axis, **place, **spans}
        self._starts, self._ends, self._offsets = (named_array(name, axis[name], BigInteger()) for name in _AXIS)
        self._placing = [bindparam(name, value, BigInteger()) for name, value in place.items()]
        self.spans = named_table("calendar_spans", {name: (kind, spans[name]) for name, kind in _SPANS.items()})

    def _placed(self, number: int, intervals: Sequence[tuple[datetime, datetime]]) -> list[_Interval]:
        """A calendar's intervals; an empty one stands at its beginning, lest an instant before fall into another's."""
        begin = number * self._width
        found = [_Interval(begin, begin, -begin)]
        before = 0
        for start, end in intervals:
            first, last = (begin + _microseconds(edge) - self._origin for edge in (start, end))
            found.append(_Interval(first, last, before - first))
            before += last - first
        return found

    def holds(self, identity_id: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a span says which calendar an identity has on a day."""
        spans = self.spans.c
        return and_(
            spans.calendar_identity == identity_id, day >= spans.calendar_first_day, day < spans.calendar_next_day
        )

    def at(self, number: ColumnElement[Any], instant: ColumnElement[Any]) -> ColumnElement[Any]:
        """An instant as its place on the axis, in the part of the calendar of that number."""
        microseconds = cast(extract("epoch", instant) * 1_000_000, BigInteger())
        origin, width = self._placing
        return number * width + func.least(func.greatest(microseconds - origin, 0), width - 1)

    def worked(self, rows: Subquery, name: str) -> ColumnElement[Any]:
        """W at the place that stands in column `name`, in microseconds."""
        place = bucket(rows.c[name], self._starts)
        worked: ColumnElement[Any] = func.least(rows.c[name], self._ends[place]) + self._offsets[place]
        return worked


def as_seconds(microseconds: ColumnElement[Any]) -> ColumnElement[Any]:
    """Microseconds as exact seconds."""
    return cast(microseconds, Numeric()) * literal(_SECONDS, Numeric())


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
