"""What a KPI's formula adds up over days: its measures, and other KPIs that add up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from app.goals.forecasting.reasons import Unknown
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    ElapsedMeasure,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
    adds_up,
)
from app.kpis.expressions.syntax import references
from app.kpis.formulas import Compiled, Use, compiled, finishing
from app.kpis.history import KpiHistory

SOON = timedelta(days=2)
"""What is settled so soon after its day counts as settled on it."""
_QUOTIENTS = frozenset(
    {Aggregate.AVG, Aggregate.SHARE_WITHIN, Aggregate.CONVERSION, Aggregate.SHARE_AT_LEAST, Aggregate.SHARE_DONE}
)


@dataclass(frozen=True)
class Column:
    """One thing that is added up: a measure's dividend (`a`) or divisor (`b`), or another KPI's figure."""

    kpi: str | None = None
    measure: Measure | None = None
    is_divisor: bool = False


@dataclass
class Parts:
    """A formula over sums of days; `columns` in the order in which `value` takes them."""

    columns: list[Column] = field(default_factory=list)
    value: Callable[[Sequence[float]], Decimal | None] = lambda _: None

    def figure(self, sums: Sequence[float]) -> float | None:
        """The formula of the sums."""
        found = self.value(sums)
        return None if found is None else float(found)


def parts_of(key: str, histories: Mapping[str, KpiHistory], additive: Mapping[str, bool], day: date) -> Parts:
    """What the KPI adds up, by the versions valid on a day. Raises `Unknown` where days cannot be put together."""
    parts = Parts()
    parts.value = _value(key, histories, additive, day, parts.columns)
    return parts


def require_settled(key: str, histories: Mapping[str, KpiHistory]) -> None:
    """Raises `Unknown` where a measure's figure of a day changes long after it: pairs that begin on the day."""
    for measure in measures_of(key, histories):
        if not settles(measure):
            raise Unknown("settles_later")


def measures_of(key: str, histories: Mapping[str, KpiHistory]) -> Iterator[Measure]:
    """What any version of the KPI measures, with what it refers to."""
    return _measures(key, histories, set())


def settles(measure: Measure) -> bool:
    """Whether what a measure says of a day stays so a little later."""
    match measure:
        case ElapsedMeasure(aggregate=Aggregate.SHARE_WITHIN, within=within):
            return within is not None and within <= SOON
        case ElapsedMeasure(dated_by=dated_by):
            return dated_by == "end"
        case FunnelMeasure(within=within) | TouchesMeasure(within=within):
            return within is not None and within <= SOON
        case CadenceMeasure(steps=steps):
            return max(step.by for step in steps) <= SOON
    return not isinstance(measure, OpenMeasure)


def _measures(key: str, histories: Mapping[str, KpiHistory], seen: set[str]) -> Iterator[Measure]:
    if key in seen:
        return
    seen.add(key)
    for version in histories[key].versions:
        yield from version.definition.measures.values()
        for other in references(version.definition.formula):
            yield from _measures(other, histories, seen)


def _value(
    key: str, histories: Mapping[str, KpiHistory], additive: Mapping[str, bool], day: date, columns: list[Column]
) -> Callable[[Sequence[float]], Decimal | None]:
    version = histories[key].version_on(day)
    formula: Compiled = compiled(version.definition.formula)

    def operand(use: Use) -> Callable[[Sequence[float]], Decimal | None]:
        if use.shift or use.kind in {"target", "staff"}:
            raise Unknown("depends_on_other_figures")
        if use.kind == "measure":
            return _measured(version.definition.measures[use.name], columns)
        if additive.get(use.name):
            place = _place(Column(kpi=use.name), columns)
            return lambda sums: Decimal(sums[place])
        return _value(use.name, histories, additive, day, columns)

    operands = [operand(use) for use in formula.uses]
    return lambda sums: formula.value([each(sums) for each in operands])


def _measured(measure: Measure, columns: list[Column]) -> Callable[[Sequence[float]], Decimal | None]:
    is_quotient = measure.aggregate in _QUOTIENTS and not isinstance(measure, OpenMeasure)
    if not is_quotient and not adds_up(measure):
        raise Unknown("not_of_days")
    if getattr(measure, "over", None) is not None:
        raise Unknown("not_of_days")
    finish, place = finishing(measure), _place(Column(measure=measure), columns)
    if not is_quotient:
        return lambda sums: finish(Decimal(sums[place]), None, None)
    divisor = _place(Column(measure=measure, is_divisor=True), columns)
    return lambda sums: finish(Decimal(sums[place]), Decimal(sums[divisor]), None)


def _place(column: Column, columns: list[Column]) -> int:
    if column not in columns:
        columns.append(column)
    return columns.index(column)
