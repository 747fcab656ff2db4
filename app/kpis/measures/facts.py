"""What every kind of measure makes of the ledger: facts, a row for each event that it is about."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Date, Numeric, cast, extract, literal, null
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import JSONB

CREDITED = ("row_id", "identity_id", "is_shared", "day")
"""What must be known of an event to tell who is credited with it."""
KEPT = ("row_id", "credited_id", "group", "day", "until_day", "state", "value", "thing", "place", "young", "related")
"""What is kept of a fact for each subject that is credited with it."""

Columns = Mapping[str, ColumnElement[Any]]


def fact(
    own: Columns,
    *,
    state: ColumnElement[Any],
    value: ColumnElement[Any] | None = None,
    credited: Columns | None = None,
    day: ColumnElement[Any] | None = None,
    until_day: ColumnElement[Any] | None = None,
    thing: ColumnElement[Any] | None = None,
    place: ColumnElement[Any] | None = None,
    young: ColumnElement[bool] | None = None,
    related: ColumnElement[Any] | None = None,
) -> list[ColumnElement[Any]]:
    """The columns of a fact; `own` is the event that it is about, with the columns of `CREDITED` and `group`.

    `day` decides the window (a fact with `until_day` holds from `day` on, until before that). The credits are those of
    `credited` on its own day (S8, S14). `state` is one of STATES, or NULL where the fact takes no part. `thing` is what
    count_distinct counts, `place` the order for first and last, `young` a judgement that may change (S17), `related`
    the rows of the events that it was judged by.
    """
    credited = credited or own
    return [
        own["row_id"].label("row_id"),
        own["group"].label("group"),
        credited["row_id"].label("credited_id"),
        credited["identity_id"].label("identity_id"),
        credited["is_shared"].label("is_shared"),
        credited["day"].label("credited_day"),
        (own["day"] if day is None else day).label("day"),
        _or_null(until_day, Date()).label("until_day"),
        state.label("state"),
        _or_null(value, Numeric()).label("value"),
        _or_null(thing, SqlText(collation="C")).label("thing"),
        _or_null(place, BigInteger()).label("place"),
        (literal(False, Boolean()) if young is None else young).label("young"),
        _or_null(related, JSONB()).label("related"),
    ]


def _or_null(value: ColumnElement[Any] | None, kind: Any) -> ColumnElement[Any]:
    return cast(null(), kind) if value is None else value


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time from one instant to the other, in exact seconds."""
    return cast(extract("epoch", end - start), Numeric())


_MICROSECOND = timedelta(microseconds=1)


def in_seconds(length: timedelta) -> ColumnElement[Any]:
    """A length of time as a bound number of seconds."""
    return literal(Decimal(length // _MICROSECOND) / 1_000_000, Numeric())
