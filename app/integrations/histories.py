"""Histories of records in the database: what is learnt, what is known, and the state that follows."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, and_, delete, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import OrganizationId
from app.core.ids import new_id
from app.events.bulk import among, insert_rows
from app.integrations.adapters.base import Adapter
from app.integrations.folding import CONTINUES, ERASED, FieldChange, Key, LinkChange, Record, Stamp, canonical
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.models import CrmRecord, RecordField, RecordLink

ROWS = 1000  # of one statement (`citus.md` rule 21)


async def learn_fields(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, told: Iterable[FieldChange], at: datetime
) -> set[Key]:
    """Add to the histories; gives the records of which something new was learnt.

    Records are inserted where absent, then locked in the order of their keys.
    """
    changes = set(told)
    ids = await _lock(session, org_id, source_id, sorted({(change.object, change.id) for change in changes}), at)
    keys = {record_id: key for key, record_id in ids.items()}
    rows = [
        {
            "org_id": org_id,
            "record_id": ids[change.object, change.id],
            "field": change.field,
            "at": change.at,
            "tie": change.tie,
            "value": canonical(change.value),
            "recorded_at": at,
        }
        for change in changes
    ]
    learnt: set[Key] = set()
    for some in batches(rows):
        added = await session.execute(
            insert_rows(RecordField, some).on_conflict_do_nothing().returning(RecordField.record_id)
        )
        learnt |= {keys[record_id] for record_id in added.scalars()}
    return learnt


async def _lock(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Sequence[Key], at: datetime
) -> dict[Key, UUID]:
    ids: dict[Key, UUID] = {}
    for some in batches(keys):
        absent = [
            {
                "org_id": org_id,
                "id": new_id(),
                "source_id": source_id,
                "object": object_,
                "external_id": external_id,
                "state": {},
                "is_deleted": False,
                "needs_fetch": True,
                "updated_at": at,
            }
            for object_, external_id in some
        ]
        await session.execute(insert_rows(CrmRecord, absent).on_conflict_do_nothing())
        # Arrays, not a join: a plan that needs statistics of the tables is wrong while they grow. What is
        # locked beyond the keys (the same id of another kind) does no harm.
        locked = await session.execute(
            select(CrmRecord.object, CrmRecord.external_id, CrmRecord.id)
            .where(
                CrmRecord.org_id == org_id,
                CrmRecord.source_id == source_id,
                CrmRecord.object.in_(sorted({object_ for object_, _ in some})),
                among(CrmRecord.external_id, [external_id for _, external_id in some]),
            )
            .order_by(CrmRecord.object, CrmRecord.external_id)
            .with_for_update()
        )
        ids |= {(object_, external_id): record_id for object_, external_id, record_id in locked}
    return ids


async def learn_links(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, told: Iterable[LinkChange], at: datetime
) -> set[tuple[Key, Key]]:
    """Add to the histories of links; gives the pairs of which something new was learnt."""
    rows = [
        {
            "org_id": org_id,
            "source_id": source_id,
            "from_object": link.from_object,
            "from_id": link.from_id,
            "to_object": link.to_object,
            "to_id": link.to_id,
            "at": link.at,
            "tie": link.tie,
            "removed": link.removed,
            "is_primary": link.is_primary,
            "recorded_at": at,
        }
        for link in set(told)
    ]
    pairs: set[tuple[Key, Key]] = set()
    for some in batches(rows):
        added = await session.execute(
            insert_rows(RecordLink, some)
            .on_conflict_do_nothing()
            .returning(RecordLink.from_object, RecordLink.from_id, RecordLink.to_object, RecordLink.to_id)
        )
        pairs |= {((row[0], row[1]), (row[2], row[3])) for row in added}
    return pairs


Whole: TypeAlias = tuple[str | None, datetime | None, bool]
"""What became of a record as a whole: merged into which, made when, deleted."""


class Known(NamedTuple):
    """Records with their histories, by key, the ids of their rows, and what these last said of the whole."""

    records: dict[Key, Record]
    ids: dict[Key, UUID]
    stored: dict[Key, Whole]

    def changed(self) -> set[Key]:
        """The records that were made, deleted or merged since their rows were written."""
        return {key for key, record in self.records.items() if whole_of(record) != self.stored[key]}


def whole_of(record: Record) -> Whole:
    """What became of the record as a whole, by its histories."""
    return record.merged_into, record.created_at, record.is_deleted


async def load(session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Iterable[Key]) -> Known:
    """Those of the records that exist; one that continues another has its history too."""
    own = Known({}, {}, {})
    wanted = set(keys)
    while wanted:
        await _load_own(session, org_id, source_id, sorted(wanted), own)
        wanted = {
            (object_, earlier)
            for (object_, _), record in own.records.items()
            if (earlier := record.text(CONTINUES)) and (object_, earlier) not in own.records
        } - wanted
    return own._replace(records={key: _continued(key, own.records) for key in own.records})


async def _load_own(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Sequence[Key], known: Known
) -> None:
    record = CrmRecord
    whole = (record.merged_into, record.source_created_at, record.is_deleted)
    columns = (record.object, record.external_id, record.id, *whole)
    found: dict[UUID, Key] = {}
    for some in batches(keys):
        statement = by_keys(columns, (record.object, record.external_id), some, _of(org_id, source_id))
        for object_, external_id, record_id, *said in await session.execute(statement):
            key = (object_, external_id)
            found[record_id] = key
            known.records[key], known.ids[key] = Record(*key), record_id
            known.stored[key] = (said[0], said[1], said[2])
    for ids in batches(sorted(found)):
        rows = await session.execute(
            select(RecordField.record_id, RecordField.field, RecordField.at, RecordField.tie, RecordField.value).where(
                RecordField.org_id == org_id, among(RecordField.record_id, ids)
            )
        )
        for record_id, field, at, tie, value in rows:
            known.records[found[record_id]].learn(field, Stamp(at, tie, json.loads(value)))


def _of(org_id: OrganizationId, source_id: UUID) -> ColumnElement[bool]:
    return and_(CrmRecord.org_id == org_id, CrmRecord.source_id == source_id)


def _continued(key: Key, records: Mapping[Key, Record]) -> Record:
    """The record with the histories of those that it continues, one after the other; circles end."""
    whole = following = records[key]
    seen = {key}
    while (before := records.get((key[0], following.text(CONTINUES) or ""))) and before.key not in seen:
        if before.merged_into != following.id:
            break
        seen.add(before.key)
        whole, following = whole.continuing(before), before
    return whole


async def store_states(
    session: AsyncSession,
    org_id: OrganizationId,
    known: Known,
    changed: Iterable[Key],
    adapter: Adapter,
    mapping: SourceMapping,
    at: datetime,
) -> None:
    """Write the states that follow from the histories."""
    rows = [
        {"org_id": org_id, "id": known.ids[key], "updated_at": at, **state_of(known.records[key], adapter, mapping)}
        for key in changed
        if key in known.ids
    ]
    if rows:
        # By primary key, many at once: joined with arrays the plan would depend on statistics.
        await session.execute(update(CrmRecord), rows)


def state_of(record: Record, adapter: Adapter, mapping: SourceMapping) -> dict[str, Any]:
    """The columns of a record's row that follow from its histories."""
    own = [field for field in record.fields if not field.startswith("@")]
    return {
        "label": record.text(adapter.labels.get(record.object, "")),
        "state": {field: record.state(field) for field in own},
        "source_created_at": record.created_at,
        "is_deleted": record.is_deleted,
        "merged_into": record.merged_into,
        "needs_fetch": adapter.needs_fetch(record, mapping),
    }


async def erase(session: AsyncSession, org_id: OrganizationId, known: Known) -> set[Key]:
    """Forget all but what happened as a whole of records that were erased for privacy; gives their keys."""
    erased = {key for key, record in known.records.items() if record.state(ERASED) is True}
    if erased:
        await session.execute(
            delete(RecordField)
            .where(
                RecordField.org_id == org_id,
                among(RecordField.record_id, [known.ids[key] for key in sorted(erased)]),
                ~RecordField.field.startswith("@"),
            )
            .execution_options(synchronize_session=False)
        )
    for key in erased:
        known.records[key] = known.records[key].without_fields()
    return erased


def by_keys(
    columns: Sequence[Any],  # Any: columns of several types
    pair: tuple[InstrumentedAttribute[str], InstrumentedAttribute[Any]],
    keys: Iterable[Key],
    where: ColumnElement[bool],
) -> CompoundSelect[Any]:
    """Rows whose `pair` of object and id is one of the keys: one arm for each kind, so that each uses the index.

    Joined with an unnested array the plan depends on statistics, which lag behind while a table grows.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    for object_, external_id in keys:
        ids[object_].append(external_id)
    kind, id_ = pair
    return union_all(*(select(*columns).where(where, kind == each, among(id_, ids[each])) for each in sorted(ids)))


def batches(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The rows, so many at a time as one statement takes."""
    return (rows[first : first + ROWS] for first in range(0, len(rows), ROWS))
