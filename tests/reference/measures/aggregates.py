"""Aggregates over what enters (S9, S11, S12)."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

from app.kpis.definition import CadenceMeasure, FunnelMeasure, Measure, OpenMeasure, TouchesMeasure
from tests.reference.evaluate import EXACT, FORMULA
from tests.reference.measures.covered import covered_seconds
from tests.reference.measures.entry import Entry
from tests.reference.snapshot import ZERO

Weighted = Sequence[tuple[Decimal, Entry]]


def aggregate(measure: Measure, weighted: Weighted) -> Decimal | None:
    """The value over the entries that enter, with their weights; None is no data (S9, S11, S12)."""
    with localcontext(EXACT):
        match str(measure.aggregate):
            case "covered":
                return covered_seconds([entry for _, entry in weighted])
            case "count":
                return sum((weight for weight, _ in weighted), ZERO)
            case "count_distinct":
                return Decimal(len({entry.thing for _, entry in weighted}))
            case "sum":
                return sum((weight * entry.value for weight, entry in weighted), ZERO)
    return _of_some(measure, weighted) if weighted else None


def _of_some(measure: Measure, weighted: Weighted) -> Decimal:  # noqa: C901 - a case for each aggregate
    """The aggregates that have no value over nothing; all but the average take each entry once, unweighted (S9)."""
    values = [entry.value for _, entry in weighted]
    match str(measure.aggregate):
        case "avg":
            with localcontext(EXACT):
                total = sum((weight * entry.value for weight, entry in weighted), ZERO)
                weight = sum((weight for weight, _ in weighted), ZERO)
            return FORMULA.divide(total, weight)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "median":
            return percentile(values, Decimal("0.5"))
        case "percentile":
            assert not isinstance(measure, FunnelMeasure | CadenceMeasure | OpenMeasure)
            assert measure.p is not None
            return percentile(values, measure.p)
        case "first":
            return _in_order(weighted)[0].value
        case "last":
            return _in_order(weighted)[-1].value
        case "share_within" | "conversion":
            return FORMULA.divide(sum(values, ZERO), Decimal(len(values)))
        case "share_at_least":
            assert isinstance(measure, TouchesMeasure)
            assert measure.at_least is not None
            return FORMULA.divide(Decimal(sum(value >= measure.at_least for value in values)), Decimal(len(values)))
        case "share_done":
            assert isinstance(measure, CadenceMeasure)
            return FORMULA.divide(sum(values, ZERO), Decimal(len(values) * len(measure.steps)))
    raise AssertionError(measure)


def _in_order(weighted: Weighted) -> list[Entry]:
    return sorted((entry for _, entry in weighted), key=lambda entry: entry.fact.order)


def percentile(values: Sequence[Decimal], p: Decimal) -> Decimal:
    """The value at position 1 + (n − 1) p of the ordered values, linearly between two (S11)."""
    ordered = sorted(values)
    with localcontext(EXACT):
        offset = (len(ordered) - 1) * p
        below = int(offset)
        if below == offset:
            return ordered[below]
        return ordered[below] + (ordered[below + 1] - ordered[below]) * (offset - below)
