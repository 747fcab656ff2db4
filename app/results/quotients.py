"""KPIs taken apart: into what adds up, or into two parts of a ratio that do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.kpis.definition import Aggregate, Definition, EventMeasure, FunnelMeasure, Measure, adds_up
from app.kpis.expressions.checker import is_additive
from app.kpis.expressions.syntax import Binary, Call, Name, Node, Number, references
from app.kpis.history import KpiHistory, KpiVersionFacts
from app.results.dependencies import measures_of

NUMERATOR, DENOMINATOR = "-numerator", "-denominator"
"""Keys of what a ratio is taken apart into; no KPI can have them."""

_FIELDS = frozenset({"amount", "quantity", "duration_seconds"})


@dataclass(frozen=True)
class Quotient:
    """Two formulas that add up, whose quotient is the KPI, with the measures that they read."""

    numerator: Definition
    denominator: Definition


def taken_apart(
    history: KpiHistory, histories: Mapping[str, KpiHistory], *, among_people: bool
) -> tuple[Literal["sum"], None] | tuple[Literal["ratio"], Mapping[str, KpiHistory]] | None:
    """How differences of a KPI can be split into parts: as a sum, as a ratio of two sums, or not at all.

    `histories` has the KPI with all that it refers to. All versions must be of one form. Among people what
    is credited in full does not add up (S9).
    """
    if among_people and any(measure.credit == "full" for measure in measures_of(histories)):
        return None
    if all(_adds_up(version.definition, histories) for version in history.versions):
        return "sum", None
    quotients = [_quotient(version.definition, histories) for version in history.versions]
    found = [each for each in quotients if each is not None]
    if len(found) < len(quotients):
        return None
    return "ratio", {
        NUMERATOR: _as_kpi(history, NUMERATOR, [each.numerator for each in found]),
        DENOMINATOR: _as_kpi(history, DENOMINATOR, [each.denominator for each in found]),
    }


def _as_kpi(history: KpiHistory, key: str, definitions: list[Definition]) -> KpiHistory:
    versions = zip(history.versions, definitions, strict=True)
    return replace(history, key=key, versions=tuple(_with(version, definition) for version, definition in versions))


def _with(version: KpiVersionFacts, definition: Definition) -> KpiVersionFacts:
    return replace(version, definition=definition)


def _adds_up(definition: Definition, histories: Mapping[str, KpiHistory]) -> bool:
    return _is_sum(definition.formula, definition.measures, histories)


def _is_sum(formula: Node, measures: Mapping[str, Measure], histories: Mapping[str, KpiHistory]) -> bool:
    kpis = {
        key: all(_adds_up(version.definition, histories) for version in other.versions)
        for key, other in histories.items()
        if key in references(formula)
    }
    split = {name: adds_up(measure) for name, measure in measures.items()}
    return is_additive(formula, split, kpis)


def _quotient(definition: Definition, histories: Mapping[str, KpiHistory]) -> Quotient | None:
    match _scaled(definition.formula):
        case Binary(operator="/", left=left, right=right):
            if all(_is_sum(part, definition.measures, histories) for part in (left, right)):
                return Quotient(replace(definition, formula=left), replace(definition, formula=right))
        case Name(path=(name,)):
            return _of_measure(definition, name)
    return None


def _scaled(formula: Node) -> Node:
    """`a / b * 100` and `100 * (a / b)` as `a * 100 / b`."""
    match formula:
        case Binary(operator="*", left=Binary(operator="/", left=a, right=b), right=Number() as factor):
            return Binary("/", Binary("*", a, factor), b)
        case Binary(operator="*", left=Number() as factor, right=Binary(operator="/", left=a, right=b)):
            return Binary("/", Binary("*", factor, a), b)
    return formula


def _of_measure(definition: Definition, name: str) -> Quotient | None:
    """An average as its sum over its number, a conversion as those who came over those who could."""
    match definition.measures[name]:
        case EventMeasure(aggregate=Aggregate.AVG, value=Name(path=(field,)), over=None) as measure if field in _FIELDS:
            has_value = Call("has", (measure.value,)) if measure.value else None
            both = Binary("and", measure.where, has_value) if measure.where and has_value else has_value
            counted = replace(measure, aggregate=Aggregate.COUNT, value=None, where=both)
            return _pair(definition, name, replace(measure, aggregate=Aggregate.SUM), counted)
        case FunnelMeasure(aggregate=Aggregate.CONVERSION, over=None) as measure:
            came = replace(measure, aggregate=Aggregate.COUNT)
            return _pair(definition, name, came, replace(came, reached=measure.base))
    return None


def _pair(definition: Definition, name: str, numerator: Measure, denominator: Measure) -> Quotient:
    return Quotient(replace(definition, measures={name: numerator}), replace(definition, measures={name: denominator}))
