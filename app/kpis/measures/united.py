"""How many events several reads of measures have together, each once, by what became of them (S25).

Adding the rows of the reads would count an event twice that is in two of them. So the cells that read them are put in
a line, in which the days of each read only move forward: an event is then in a run of neighbors for each read, and in
their union for all. The cell where a run begins has one event more than the one before it, and the cell after its end
one less; adding these changes up counts all cells at once, however many of them hold an event.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FunctionElement,
    Integer,
    Select,
    Subquery,
    cast,
    column,
    func,
    literal,
    not_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import INT4MULTIRANGE, INT4RANGE, array
from sqlalchemy.types import TypeEngine

from app.kpis.attribution import Days
from app.kpis.definition import Measure
from app.kpis.measures.aggregates import COUNTED, cell_columns
from app.kpis.measures.bound import named_array
from app.kpis.measures.windows import Chain

Union = tuple[tuple[int, Days], ...]
"""Measures, by number, each over a run of days; in order."""


class Unions:
    """Unions in lines of the same measures, over days whose starts and ends only grow.

    `reads` are each line's measures, by number, and `values` what the days and positions are bound to.
    """

    def __init__(self, unions: Sequence[Union]) -> None:
        lines = _lines(unions)
        self.reads = tuple(tuple(number for number, _ in unions[line[0]]) for line in lines)
        self._chains = [
            [Chain(f"line_{n}_{place}", [unions[each][place][1] for each in line]) for place in range(len(reads))]
            for n, (line, reads) in enumerate(zip(lines, self.reads, strict=True))
        ]
        numbers = [number for line in lines for number in line]
        before = list(accumulate(map(len, lines), initial=0))[:-1]
        self.values: dict[str, Sequence[Any]] = {"union_numbers": numbers, "lines_before": before}
        for chain in (each for chains in self._chains for each in chains):
            self.values |= chain.values
        self.numbers, self._before = (
            named_array(key, self.values[key], Integer()) for key in ("union_numbers", "lines_before")
        )

    def runs(self, number: int, measure: Measure, entries: CTE) -> list[ColumnElement[Any]]:
        """The positions, one line's after the other's, at which a measure's entry is read: a run for each such read."""
        runs: list[ColumnElement[Any]] = []
        for n, (reads, chains) in enumerate(zip(self.reads, self._chains, strict=True), start=1):
            for read, chain in zip(reads, chains, strict=True):
                if read == number:
                    before, through = chain.holding(measure, entries)
                    first = self._before[n]
                    runs.append(func.int4range(first + before, first + through, type_=INT4RANGE()))
        return runs


def united(unions: Unions, parts: Sequence[tuple[Measure, CTE]]) -> Select[Any]:
    """A row for each union, subject and group that has any event; `parts` are all measures, by number."""
    placed = []
    for number, (measure, entries) in enumerate(parts):
        if runs := unions.runs(number, measure, entries):
            each = _table_of(func.unnest(array(runs)), "each", run=INT4RANGE())
            kept = [entries.c[name] for name in ("subject", "group", "row_id", "state", "young")]
            placed.append(select(*kept, each.c.run).select_from(entries.join(each, not_(func.isempty(each.c.run)))))
    held = _held(_changes(_merged(placed)))
    alike = _table_of(func.generate_series(held.c.position, held.c.following - 1), "alike", position=Integer())
    return (
        select(
            *cell_columns(("union", 0), held, unions.numbers[alike.c.position + 1], []),
            *[cast(held.c[name], Integer()).label(name) for name in COUNTED],
        )
        .select_from(held.join(alike, literal(True)))
        .where(held.c.events > 0)
    )


def _lines(unions: Sequence[Union]) -> list[list[int]]:
    """The unions, by number, in lines of the same measures, over days whose starts and ends only grow."""
    lines: list[list[int]] = []
    for number in sorted(range(len(unions)), key=lambda each: unions[each]):
        line = next((line for line in lines if _may_follow(unions[line[-1]], unions[number])), None)
        if line is None:
            lines.append([number])
        else:
            line.append(number)
    return lines


def _may_follow(one: Union, other: Union) -> bool:
    return [number for number, _ in one] == [number for number, _ in other] and all(
        days.start <= later.start and days.end <= later.end for (_, days), (_, later) in zip(one, other, strict=True)
    )


def _merged(placed: Sequence[Select[Any]]) -> Subquery:
    """How many events are in the same run of neighbors, by what became of them."""
    rows = union_all(*placed).subquery("placed")
    whose = (rows.c.subject, rows.c.group)
    runs = func.range_agg(rows.c.run, type_=INT4MULTIRANGE()).label("runs")
    became = (
        select(*whose, rows.c.state.label("became"), runs).group_by(*whose, rows.c.row_id, rows.c.state),
        select(*whose, literal("young"), runs).where(rows.c.young).group_by(*whose, rows.c.row_id),
    )
    once = union_all(*became).subquery("once")
    each = _table_of(func.unnest(once.c.runs), "each", run=INT4RANGE())
    merged = (once.c.subject, once.c.group, once.c.became, each.c.run)
    return (
        select(*merged, func.count().label("events"))
        .select_from(once.join(each, literal(True)))
        .group_by(*merged)
        .subquery("merged")
    )


def _changes(merged: Subquery) -> Subquery:
    """How many events more or less than the cell before each cell has that begins a run or comes after one."""
    ends = array([func.lower(merged.c.run), func.upper(merged.c.run)])
    edges = _table_of(func.unnest(ends, array([1, -1])), "edges", position=Integer(), sign=Integer())
    where = (merged.c.subject, merged.c.group, edges.c.position)
    change = func.sum(merged.c.events * edges.c.sign)
    by_state = [func.coalesce(change.filter(merged.c.became == name), 0).label(name) for name in COUNTED]
    return (
        select(*where, change.label("events"), *by_state)
        .select_from(merged.join(edges, literal(True)))
        .group_by(*where)
        .subquery("changes")
    )


def _held(changes: Subquery) -> Subquery:
    """How many events the cells have from each position on, until before the following one."""
    whose, position = (changes.c.subject, changes.c.group), changes.c.position
    names = ("events", *COUNTED)
    counts = [func.sum(changes.c[name]).over(partition_by=whose, order_by=position).label(name) for name in names]
    following = func.lead(position).over(partition_by=whose, order_by=position).label("following")
    return select(*whose, position, following, *counts).subquery("held")


def _table_of(function: FunctionElement[Any], name: str, **columns: TypeEngine[Any]) -> Any:
    """What a function gives for a row, as a table to be joined to the row."""
    named = [column(key, kind) for key, kind in columns.items()]
    return function.table_valued(*named, name=name).render_derived().lateral()
