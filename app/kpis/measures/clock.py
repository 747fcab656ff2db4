"""Elapsed time on working hours (S16), as a difference of two sums: W(end) - W(start).

W(t) is the working time of a calendar up to t. All calendars lie one after the other on one axis of microseconds,
so that a single bisection finds the interval, whatever calendar it is in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, Numeric, Subquery, and_, cast, extract, func, literal
from sqlalchemy.dialects.postgresql import UUID

from app.kpis.measures.bound import bound_array, bound_table, bucket
from app.kpis.measures.scope import WorkingClock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS = Decimal("0.000001")


class _Interval(NamedTuple):
    """A working interval on the common axis, and how much work lies before it, less its start."""

    start: int
    end: int
    offset: int


class Clock:
    """The calendars of a query, bound, and which holds for whom."""

    def __init__(self, clock: WorkingClock) -> None:
        edges = [_microseconds(edge) for calendar in clock.calendars for interval in calendar for edge in interval]
        self._origin = min(edges, default=0)
        self._width = max(edges, default=0) - self._origin + 1
        placed = [part for number, of in enumerate(clock.calendars) for part in self._placed(number, of)]
        self._starts, self._ends, self._offsets = (
            bound_array(each, BigInteger()) for each in zip(*placed, strict=True)
        )
        self.spans = bound_table(
            "calendar_spans",
            {
                "identity_id": (UUID(), [span[0] for span in clock.spans]),
                "first_day": (Date(), [span[1] for span in clock.spans]),
                "next_day": (Date(), [span[2] for span in clock.spans]),
                "number": (Integer(), [span[3] for span in clock.spans]),
            },
        )

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
        return and_(spans.identity_id == identity_id, day >= spans.first_day, day < spans.next_day)

    def at(self, number: ColumnElement[Any], instant: ColumnElement[Any]) -> ColumnElement[Any]:
        """An instant as its place on the axis, in the part of the calendar of that number."""
        microseconds = cast(extract("epoch", instant) * 1_000_000, BigInteger())
        origin, width, last = (literal(each, BigInteger()) for each in (self._origin, self._width, self._width - 1))
        return number * width + func.least(func.greatest(microseconds - origin, 0), last)

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
