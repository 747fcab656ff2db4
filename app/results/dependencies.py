"""What KPIs look at: their measures and functions, with those of the KPIs that they refer to."""

from collections.abc import Mapping

from app.kpis.definition import Measure
from app.kpis.expressions.syntax import Call, walk
from app.kpis.history import KpiHistory


def measures_of(histories: Mapping[str, KpiHistory]) -> list[Measure]:
    """Every measure of every version."""
    versions = [version for history in histories.values() for version in history.versions]
    return [measure for version in versions for measure in version.definition.measures.values()]


def functions_of(histories: Mapping[str, KpiHistory]) -> set[str]:
    """The functions that any version calls."""
    formulas = [version.definition.formula for history in histories.values() for version in history.versions]
    return {node.function for formula in formulas for node in walk(formula) if isinstance(node, Call)}
