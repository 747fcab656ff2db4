"""From sums by segment to the rows that the statement over the ledger would have given. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, repeat
from typing import Any

from app.kpis.cells import RowFields
from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.partials.merging import Sums

Spans = Sequence[tuple[int, int]]
"""Of each window the first and the next segment."""


@dataclass(frozen=True, slots=True)
class Part:
    """What some of the events contribute to a measure's rows, window by window."""

    enters: Sequence[int]
    left_out: Sequence[int]
    a: Sequence[Decimal | int | None]
    b: Sequence[Decimal | int] | None = None

    def joined(self, other: "Part", aggregate: Aggregate) -> "Part":
        """Both parts together; no event is in both."""
        chosen = {Aggregate.MIN: min, Aggregate.MAX: max}.get(aggregate)
        b = None
        if self.b is not None and other.b is not None:
            b = [one + another for one, another in zip(self.b, other.b, strict=True)]
        return Part(
            [one + another for one, another in zip(self.enters, other.enters, strict=True)],
            [one + another for one, another in zip(self.left_out, other.left_out, strict=True)],
            [_both(one, another, chosen) for one, another in zip(self.a, other.a, strict=True)],
            b,
        )


def _both(one: Any, other: Any, chosen: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return one + other if chosen is None else chosen(one, other)


def part_of(measure: EventMeasure, sums: Sums, spans: Spans) -> Part:
    """What the events that were added up contribute, by the measure's aggregate and credit (S9, S11)."""
    is_split = measure.credit == "split"
    enters, left_out = counts_of(sums, spans)
    weight = _over(sums.weight, spans) if is_split and sums.weight is not None else enters
    match measure.aggregate:
        case Aggregate.COUNT:
            return Part(enters, left_out, weight)
        case Aggregate.MIN | Aggregate.MAX:
            least = measure.aggregate is Aggregate.MIN
            return Part(enters, left_out, _extremes(sums.low if least else sums.high, spans, min if least else max))
    total = _over(sums.total if is_split or sums.whole is None else sums.whole, spans)
    return Part(enters, left_out, total, weight if measure.aggregate is Aggregate.AVG else None)


def counts_of(sums: Sums, spans: Spans) -> tuple[Sequence[int], Sequence[int]]:
    """How many events entered and were left out, window by window."""
    return _over(sums.n, spans), _over(sums.left_out, spans) if any(sums.left_out) else [0] * len(spans)


def _over(values: Sequence[Any] | None, spans: Spans) -> list[Any]:
    """The sum of each window."""
    if values is None:
        return [0] * len(spans)
    if len(spans) == 1:
        [(start, end)] = spans
        return [sum(values[start:end])]
    before = [0, *accumulate(values)]
    return [before[end] - before[start] for start, end in spans]


def _extremes(values: Sequence[Decimal | None] | None, spans: Spans, chosen: Any) -> list[Decimal | None]:
    if values is None:
        return [None] * len(spans)
    return [chosen((value for value in values[start:end] if value is not None), default=None) for start, end in spans]


def part_of_ledger(rows: Mapping[int, RowFields], windows: Sequence[int]) -> Part:
    """What the ledger's rows of these windows contribute."""
    found = [rows.get(window) for window in windows]
    return Part(
        [0 if row is None else row[8] for row in found],
        [0 if row is None else row[9] for row in found],
        [None if row is None else row[5] for row in found],
        [0 if row is None else row[6] or 0 for row in found],
    )


def measure_rows(number: int, subject: int, windows: Sequence[int], part: Part) -> Iterable[RowFields]:
    """The rows of a measure for a subject, where any event took part."""
    a = [None if value is None else Decimal(value) for value in part.a]
    b = repeat(None) if part.b is None else [Decimal(value) for value in part.b]
    rows = zip(
        repeat("measure"), repeat(number), repeat(subject), windows, repeat(None), a, b, repeat(None),
        part.enters, part.left_out, repeat(0), repeat(0), repeat(0),
    )  # fmt: skip
    if all(part.enters):
        return rows
    return (row if row[8] else (*row[:5], None, None, *row[7:]) for row in rows if row[8] or row[9])


def union_row(number: int, subject: int, enters: int, left_out: int) -> RowFields:
    """The row of a union that any event is in."""
    return "union", 0, subject, number, None, None, None, None, enters, left_out, 0, 0, 0
