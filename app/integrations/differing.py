"""The report of backfills: differences as they are kept, listed, and forgotten."""

import json
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.pagination import Key as PageKey
from app.core.pagination import paginate
from app.events.bulk import Insertion, among
from app.integrations import backfill_schemas as schemas
from app.integrations.comparing import Difference
from app.integrations.folding import Key, Value, canonical
from app.integrations.histories import batches
from app.integrations.models import BackfillDifference, SourceBackfill

MOST_KEPT = 10_000  # of one backfill and kind of objects


async def keep(
    session: AsyncSession, org_id: OrganizationId, backfill_id: UUID, found: Sequence[Difference]
) -> set[Key]:
    """Add them to the report; gives the records of which it did not say the same already."""
    rows = {
        (*each.key, each.field, each.at): {
            "object": each.key[0],
            "external_id": each.key[1],
            "field": each.field,
            "at": each.at,
            "kind": each.kind,
            "known": _written(each.known),
            "told": _written(each.told),
        }
        for each in found
    }
    new: set[Key] = set()
    for some in batches(list(rows.values())):
        added = await _KEPT.run(session, _KEPT.columns(some), org_id=org_id, backfill_id=backfill_id)
        new |= {(row[0], row[1]) for row in added}
    return new


_KEPT = Insertion(
    BackfillDifference,
    same=("org_id", "backfill_id"),
    but=lambda insertion: insertion.on_conflict_do_nothing().returning(
        BackfillDifference.object, BackfillDifference.external_id
    ),
)


def _written(value: Value) -> str | None:
    return None if value is None else canonical(value)


async def page_of(
    session: AsyncSession, org_id: OrganizationId, backfill_id: UUID, query: schemas.DifferencesQuery
) -> schemas.DifferencePage:
    """What differed, by object, id, field and instant."""
    row = BackfillDifference
    wanted = select(row).where(row.org_id == org_id, row.backfill_id == backfill_id)
    if query.object is not None:
        wanted = wanted.where(row.object == query.object)
    if query.kind is not None:
        wanted = wanted.where(row.kind == query.kind)
    keys = [PageKey(column) for column in (row.object, row.external_id, row.field, row.at)]
    rows, following = await paginate(session, wanted, keys, query)
    return schemas.DifferencePage(items=[_shown(each) for each in rows], next_cursor=following)


def _shown(row: BackfillDifference) -> schemas.Difference:
    known, told = (None if text is None else json.loads(text) for text in (row.known, row.told))
    return schemas.Difference(
        object=row.object,
        id=row.external_id,
        kind=row.kind,
        field=row.field or None,
        known=known,
        told=told,
        at=row.at,
    )


async def forget(session: AsyncSession, org_id: OrganizationId, source_id: UUID, erased: Collection[Key]) -> None:
    """Take objects that were erased for privacy out of all reports of the source."""
    row = BackfillDifference
    of_source = select(SourceBackfill.id).where(SourceBackfill.org_id == org_id, SourceBackfill.source_id == source_id)
    for kind in sorted({key[0] for key in erased}):
        ids = sorted(key[1] for key in erased if key[0] == kind)
        await session.execute(
            delete(row)
            .where(
                row.org_id == org_id,
                row.backfill_id.in_(of_source),
                row.object == kind,
                among(row.external_id, ids),
            )
            .execution_options(synchronize_session=False)
        )
