"""Which shapes are to be kept: of all mergeable measures of KPIs in use, and the hidden counts of distinct events."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Text, and_, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import database_now
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.kpis import formulas, measures
from app.kpis.definition import Definition, EventMeasure, Measure
from app.kpis.models import KpiRow, KpiVersionRow
from app.kpis.partials.models import PartialMeasure
from app.kpis.partials.shapes import Shape, distinct_shapes, shape_of, union_shape
from app.kpis.wire import read_definition

ARCHIVED = "archived"


async def fingerprint(session: AsyncSession, org_id: OrganizationId) -> str:
    """Changes whenever a KPI, a version or a state does."""
    told = func.concat_ws(",", cast(KpiRow.id, Text()), cast(KpiRow.latest, Text()), KpiRow.state)
    every = func.string_agg(told, aggregate_order_by(literal(";", Text()), told))
    found = await session.execute(select(func.md5(func.coalesce(every, ""))).where(KpiRow.org_id == org_id))
    return str(found.scalar_one())


async def wanted_shapes(session: AsyncSession, org_id: OrganizationId) -> dict[bytes, Shape]:
    """The shapes to be kept, by digest."""
    rows = await session.execute(
        select(KpiRow.key, KpiVersionRow.number, cast(KpiVersionRow.definition, Text()))
        .join(KpiVersionRow, and_(KpiVersionRow.org_id == KpiRow.org_id, KpiVersionRow.kpi_id == KpiRow.id))
        .where(KpiRow.org_id == org_id, KpiVersionRow.org_id == org_id, KpiRow.state != ARCHIVED)
        .order_by(KpiVersionRow.number)
    )
    kpis: dict[str, list[Definition]] = {}
    for key, _, definition in rows:
        kpis.setdefault(key, []).append(_definition(definition))
    return distinct_shapes(_shapes(kpis))


async def register(session: AsyncSession, org_id: OrganizationId, shapes: Mapping[bytes, Shape]) -> None:
    """Make the shapes known that are not yet."""
    known = select(PartialMeasure.digest).where(PartialMeasure.org_id == org_id)
    missing = set(shapes) - set((await session.execute(known)).scalars())
    if not missing:
        return
    at = await database_now(session)
    rows = [
        {"org_id": org_id, "id": new_id(), "shape": shapes[digest].to_json(), "digest": digest, "created_at": at}
        for digest in sorted(missing)
    ]
    await session.execute(insert(PartialMeasure).values(rows).on_conflict_do_nothing())


@lru_cache(maxsize=4096)
def _definition(wire: str) -> Definition:
    return read_definition(json.loads(wire))


def _shapes(kpis: Mapping[str, Sequence[Definition]]) -> Iterator[Shape | None]:
    for definition in (each for versions in kpis.values() for each in versions):
        yield from map(shape_of, definition.measures.values())
        yield from map(union_shape, _meeting(_read(definition, kpis, frozenset())))


def _read(definition: Definition, kpis: Mapping[str, Sequence[Definition]], above: frozenset[str]) -> set[Measure]:
    """What a cell of the definition reads over its own days; of a KPI that it refers to, by the newest version."""
    found: set[Measure] = set()
    for use in formulas.uses(definition.formula):
        if use.shift:
            continue
        if use.kind == "measure":
            found.add(definition.measures[use.name])
        elif use.kind == "kpi" and use.name in kpis and use.name not in above:
            found |= _read(kpis[use.name][-1], kpis, above | {use.name})
    return found


def _meeting(read: Iterable[Measure]) -> list[list[Measure]]:
    """The measures that may have an event in common, over the same days: those that are counted together (S25)."""
    parts = measures.connected(read, measures.may_share_events)
    return [part for part in parts if len(part) > 1 and len({_over(each) for each in part}) == 1]


def _over(measure: Measure) -> Any:
    return measure.over if isinstance(measure, EventMeasure) else None
