"""Which KPIs a formula may refer to, and who refers to whom, as the database has it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.units import NUMBER, Unit
from app.kpis import queries
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import references
from app.kpis.models import KpiRow
from app.kpis.references import Graph, all_from, reversed_graph, way
from app.kpis.wire import Other

_ITSELF = "a KPI cannot be computed from itself."
_MOST_RELATED = 50


async def others(
    session: AsyncSession, org_id: OrganizationId, key: str | None, named: AbstractSet[str]
) -> dict[str, Other]:
    """All KPIs of the organization, to which the formula of `key` would like to refer; nothing if it refers to none."""
    if not named:
        return {}
    graph = await graph_of(session, org_id)
    found = {}
    for row, latest in (await session.execute(queries.kpis(org_id))).all():
        refusal = _refusal(graph, row, key) if row.key in named else None
        found[row.key] = Other(unit=unit_of_wire(latest.definition["unit"]), refusal=refusal)
    if key is not None and key not in found:
        found[key] = Other(unit=NUMBER, refusal=_ITSELF)
    return found


async def referable(session: AsyncSession, org_id: OrganizationId, key: str | None) -> dict[str, str]:
    """The names of the KPIs that the formula of a KPI may refer to, by key."""
    graph = await graph_of(session, org_id)
    rows = [row for row, _ in (await session.execute(queries.kpis(org_id).order_by(KpiRow.key))).all()]
    return {row.key: row.name for row in rows if _refusal(graph, row, key) is None}


async def graph_of(session: AsyncSession, org_id: OrganizationId) -> Graph:
    """Which KPIs any version of each KPI refers to."""
    graph: dict[str, set[str]] = {}
    for key, formula in (await session.execute(queries.referring(org_id))).all():
        graph.setdefault(key, set()).update(references(parse(formula)))
    return graph


def unit_of_wire(wire: Mapping[str, Any]) -> Unit:
    """A declared unit as it is stored."""
    return Unit.of(wire["kind"], wire.get("per"))


def _refusal(graph: Graph, row: KpiRow, key: str | None) -> str | None:
    if row.key == key:
        return _ITSELF
    if row.state == "archived":
        return "it is archived."
    circle = way(graph, row.key, key) if key is not None else None
    if key is not None and circle is not None:
        return f"that would go in a circle, {' → '.join([key, *circle])}."
    above = all_from(reversed_graph(graph), key) if key is not None else frozenset()
    if len(above | all_from(graph, row.key)) - 1 > _MOST_RELATED:
        return f"a KPI may be computed from, and be used by, {_MOST_RELATED} others at most."
    return None
