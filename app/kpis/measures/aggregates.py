"""From entries to figures: what the database contributes to each aggregate, for each subject, group and window.

Entries are added up by day first, and days by window: where windows overlap, a day is read for each of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    Subquery,
    cast,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    Measure,
)
from app.kpis.measures.kinds import share_of
from app.kpis.measures.scope import ENTERS, STATES
from app.kpis.measures.windows import Windows

COUNTED = (*STATES, "young")
_NOTHING = cast(null(), Numeric())
_NO_DAY = cast(null(), Date())


@dataclass(frozen=True)
class Number:
    """A number of a day's entries, and how those of several days make the window's."""

    of_day: ColumnElement[Any]
    merge: Callable[[ColumnElement[Any]], ColumnElement[Any]] = func.sum


def measured(windows: Windows, number: int, measure: Measure, entries: CTE) -> Select[Any]:
    """The aggregate's numbers for each subject, group and window, and how many events became what."""
    match measure.aggregate:
        case Aggregate.MEDIAN | Aggregate.PERCENTILE:
            return _ordered(windows, number, measure, entries)
        case Aggregate.COUNT_DISTINCT if windows.is_one:
            return _distinct(windows, number, measure, entries)
        case Aggregate.COUNT_DISTINCT:
            daily = union_all(_by_day(entries, [Number(_NOTHING)]), _newcomers(entries)).subquery("daily")
            return _by_window(windows, measure, daily, ("measure", number), [Number(_NOTHING, _sum_or_zero)])
        case Aggregate.COVERED:
            return _pieces(windows, number, measure, entries)
    numbers = _numbers(measure, entries)
    return _by_window(windows, measure, _by_day(entries, numbers).subquery("daily"), ("measure", number), numbers)


# ----------------------------------------------------------------------------------------------------------- days


def _numbers(measure: Measure, entries: CTE) -> list[Number]:
    """What is added up, over the entries that enter (S9, S11)."""
    value, weight, enters = entries.c.value, entries.c.weight, entries.c.state == ENTERS
    total, count = func.sum(weight * value).filter(enters), func.sum(weight).filter(enters)
    match measure:
        case CadenceMeasure():
            return [
                Number(func.sum(value).filter(enters)),
                Number(func.count().filter(enters) * literal(len(measure.steps), BigInteger())),
            ]
    match measure.aggregate:
        case Aggregate.COUNT:
            return [Number(count)]
        case Aggregate.SUM:
            return [Number(total)]
        case Aggregate.AVG:
            return [Number(total), Number(count)]
        case Aggregate.MIN:
            return [Number(func.min(value).filter(enters), func.min)]
        case Aggregate.MAX:
            return [Number(func.max(value).filter(enters), func.max)]
        case Aggregate.FIRST | Aggregate.LAST:
            chosen = func.min if measure.aggregate is Aggregate.FIRST else func.max
            placed = array([cast(entries.c.place, Numeric()), value])
            return [Number(chosen(placed).filter(enters), lambda each: type_coerce(chosen(each), ARRAY(Numeric()))[2])]
        case Aggregate.SHARE_WITHIN | Aggregate.CONVERSION | Aggregate.SHARE_AT_LEAST:
            return [Number(func.sum(value).filter(enters)), Number(func.count().filter(enters))]
    raise TypeError(f"not added up by days: {measure.aggregate}")


def _by_day(entries: CTE, numbers: Sequence[Number]) -> Select[Any]:
    """A row for each subject, group and day (of open things: run of days)."""
    return select(
        *_day(entries, entries.c.day, until_day=entries.c.until_day),
        *_states(entries),
        *[each.of_day.label(f"number_{place}") for place, each in enumerate(numbers)],
    ).group_by(entries.c.day, entries.c.until_day, entries.c.subject, entries.c.group)  # what differs most comes first


def _newcomers(entries: CTE) -> Select[Any]:
    """How many things each day has that were last there on which day: they are new to windows that begin later.

    So a window's distinct things are the sum of its newcomers, without comparing the things again for each window.
    """
    whose = (entries.c.thing, entries.c.subject, entries.c.group)
    there = select(*whose, entries.c.day).where(entries.c.state == ENTERS).distinct().subquery("there")
    before = func.lag(there.c.day).over(
        partition_by=(there.c.thing, there.c.subject, there.c.group), order_by=there.c.day
    )
    seen = select(there.c.subject, there.c.group, there.c.day, before.label("after")).subquery("seen")
    return select(
        *_day(seen, seen.c.day, after=seen.c.after),
        *[cast(literal(0), Integer()).label(name) for name in COUNTED],
        cast(func.count(), Numeric()).label("number_0"),
    ).group_by(seen.c.day, seen.c.after, seen.c.subject, seen.c.group)


def _day(
    rows: Any, day: ColumnElement[Any], *, until_day: ColumnElement[Any] = _NO_DAY, after: ColumnElement[Any] = _NO_DAY
) -> list[ColumnElement[Any]]:
    return [rows.c.subject, rows.c.group, day.label("day"), until_day.label("until_day"), after.label("after")]


def _states(rows: Any) -> list[ColumnElement[Any]]:
    """How many rows became what; as small numbers, which are added up three times as fast."""
    is_so = {name: rows.c.young if name == "young" else rows.c.state == name for name in COUNTED}
    return [cast(func.count().filter(is_so[name]), Integer()).label(name) for name in COUNTED]


# -------------------------------------------------------------------------------------------------------- windows


def _by_window(
    windows: Windows, measure: Measure, daily: Subquery, head: tuple[str, int], numbers: Sequence[Number]
) -> Select[Any]:
    held = windows.holding(measure, daily)
    merged = [each.merge(held.c[f"number_{place}"]) for place, each in enumerate(numbers)]
    counts = [func.sum(held.c[name]).label(name) for name in COUNTED]
    return select(*cell_columns(head, held, held.c.window, merged), *counts).group_by(*_cell(held))


def _cell(held: Subquery) -> tuple[ColumnElement[Any], ...]:
    return held.c.subject, held.c.group, held.c.window


def _ordered(windows: Windows, number: int, measure: Measure, entries: CTE) -> Select[Any]:
    """The values around a percentile, and how many there are (S11)."""
    held = windows.holding(measure, entries)
    enters = held.c.state == ENTERS
    # Sorted cell by cell, not together with the keys of the cells: that takes twice as long.
    values = func.array_agg(held.c.value, type_=ARRAY(Numeric())).filter(enters)
    cells = (
        select(
            *_cell(held),
            func.array_sort(values, type_=ARRAY(Numeric())).label("ordered"),
            func.count().filter(enters).label("count"),
            *_states(held),
        )
        .group_by(*_cell(held))
        .subquery("cells")
    )
    below = cast(func.floor((cells.c.count - 1) * share_of(measure)), Integer())
    numbers = [cells.c.ordered[below + 1], cells.c.ordered[below + 2], cells.c.count]
    columns = cell_columns(("measure", number), cells, cells.c.window, numbers)
    return select(*columns, *[cells.c[name] for name in COUNTED])


def _distinct(windows: Windows, number: int, measure: Measure, entries: CTE) -> Select[Any]:
    """How many things the only window has: no days to be told apart."""
    held = windows.holding(measure, entries)
    things = func.count(held.c.thing.distinct()).filter(held.c.state == ENTERS)
    columns = cell_columns(("measure", number), held, held.c.window, [things])
    return select(*columns, *_states(held)).group_by(*_cell(held))


def _pieces(windows: Windows, number: int, measure: Measure, entries: CTE) -> Select[Any]:
    """Pieces of events added up, and how many events they are of."""
    held = windows.holding(measure, entries)
    events = func.count(held.c.row_id.distinct())
    counts = [events.filter(held.c.young if name == "young" else held.c.state == name) for name in COUNTED]
    total = func.sum(held.c.value * held.c.weight).filter(held.c.state == ENTERS)
    return select(
        *cell_columns(("measure", number), held, held.c.window, [total]),
        *[count.label(name) for count, name in zip(counts, COUNTED, strict=True)],
    ).group_by(*_cell(held))


def cell_columns(
    head: tuple[str, int], rows: Any, window: ColumnElement[Any], numbers: Sequence[ColumnElement[Any]]
) -> list[ColumnElement[Any]]:
    """The columns of a `Row` before its counts."""
    kind, number = head
    filled = [*numbers, *[null()] * (3 - len(numbers))]
    return [
        literal(kind).label("kind"),
        literal(number).label("number"),
        rows.c.subject.label("subject"),
        window.label("window"),
        rows.c.group.label("group"),
        *[cast(value, Numeric()).label(name) for value, name in zip(filled, "abc", strict=True)],
    ]


def _sum_or_zero(numbers: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(numbers), 0)
