"""The versions of a KPI as the engine needs them: plain values, and which version a day uses (S24)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.kpis.definition import Definition, EventMeasure, Measure, adds_up
from app.kpis.expressions import checker
from app.kpis.expressions.syntax import Call, Node, references, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiVersionFacts:
    """One version; `unit` as it was declared, `valid_from` null for all days."""

    number: int
    valid_from: date | None
    recorded_at: datetime
    definition: Definition
    unit: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiHistory:
    """A KPI with the versions recorded by an instant, by number; none where it had not been recorded by then.

    `display` (`decimals`, `as_percent`) and `thresholds` (`good`, `poor`) are hints for front ends, as they are now.
    """

    id: UUID
    key: str
    name: str
    state: str
    recorded_at: datetime
    display: dict[str, Any]  # JSON of the schemas' Display
    thresholds: dict[str, Any]  # JSON of the schemas' Thresholds
    versions: tuple[KpiVersionFacts, ...]

    def version_on(self, day: date) -> KpiVersionFacts:
        """The version that a local day uses; raises `LookupError` where none was recorded."""
        return version_on(self.versions, day)

    def numbered(self, number: int) -> KpiVersionFacts | None:
        """The version with a number."""
        return next((version for version in self.versions if version.number == number), None)


def version_on(versions: Sequence[KpiVersionFacts], day: date) -> KpiVersionFacts:
    """The highest-numbered version that is valid on a local day (S24); raises `LookupError` where there is none."""
    valid = [version for version in versions if version.valid_from is None or version.valid_from <= day]
    if not valid:
        raise LookupError(f"no version is valid on {day}")
    return max(valid, key=lambda version: version.number)


def additive_kpis(histories: Mapping[str, KpiHistory]) -> dict[str, bool]:
    """Which of the KPIs are additive in all of their versions (S24).

    `histories` hold every KPI that another of them refers to; references go in no circle.
    """
    known: dict[str, bool] = {}
    for key in histories:
        _learn(key, histories, known)
    return known


def is_additive(definition: Definition, kpis: Mapping[str, bool]) -> bool:
    """Whether values of parts add up to the whole's (S24); `kpis` tells it of those that the formula refers to."""
    measures = {name: adds_up(measure) for name, measure in definition.measures.items()}
    return checker.is_additive(definition.formula, measures, kpis)


def is_latest_additive(history: KpiHistory, kpis: Mapping[str, bool], named: int | None = None) -> bool:
    """Whether the KPI adds up, by its latest version or the one named; `kpis` as for `is_additive`."""
    latest = max(history.versions, key=lambda each: each.number, default=None)
    version = (history.numbered(named) if named else None) or latest
    return version is not None and is_additive(version.definition, kpis)


def looking_back(histories: Mapping[str, KpiHistory]) -> frozenset[str]:
    """The KPIs whose figures events before a window decide, however old those are, or those of KPIs they refer to."""
    found = {key for key, history in histories.items() if any(map(looks_back, _measures(history)))}
    while more := {key for key, history in histories.items() if key not in found and _referred(history) & found}:
        found |= more
    return frozenset(found)


def looks_back(measure: Measure) -> bool:
    """Whether events before the days that a measure is read over may change its value: pairs, first ones, what is open.

    Only what was there before tells which of several starts is the first, or what is still open (S13a, S14, S18a).
    """
    return not isinstance(measure, EventMeasure) or counts_places(measure.where)


def counts_places(condition: Node | None) -> bool:
    """Whether a filter asks for the place of an event among all of its kind (S13a)."""
    nodes = () if condition is None else walk(condition)
    return any(isinstance(node, Call) and node.function == "nth" for node in nodes)


def _measures(history: KpiHistory) -> list[Measure]:
    return [measure for version in history.versions for measure in version.definition.measures.values()]


def _referred(history: KpiHistory) -> set[str]:
    return {key for version in history.versions for key in references(version.definition.formula)}


def _learn(key: str, histories: Mapping[str, KpiHistory], known: dict[str, bool]) -> None:
    if key in known or key not in histories:
        return
    versions = histories[key].versions
    for version in versions:
        for other in references(version.definition.formula):
            _learn(other, histories, known)
    known[key] = bool(versions) and all(is_additive(version.definition, known) for version in versions)
