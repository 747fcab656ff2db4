"""Histories of records in the database: what is learnt, what is known, and the state that follows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import OrganizationId, Ready
from app.core.ids import new_id
from app.events.bulk import Amendment, Insertion, among
from app.integrations.adapters.base import Adapter
from app.integrations.folding import CONTINUES, ERASED, FieldChange, Key, LinkChange, Record, Stamp, canonical
from app.integrations.mapping import Mapping as SourceMapping
from app.integrations.models import CrmRecord, RecordField, RecordLink

ROWS = 1000  # of one statement (`citus.md` rule 21)
_Row = TypeVar("_Row")


async def learn_fields(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, told: Iterable[FieldChange], at: datetime
) -> set[Key]:
    """Add to the histories; gives the records of which something new was learnt.

    Records are inserted where absent. The ledger's lock must be held (`clock.tick`): so nobody else does so meanwhile.
    """
    changes = set(told)
    ids = await _ids(session, org_id, source_id, {(change.object, change.id) for change in changes}, at)
    keys = {record_id: key for key, record_id in ids.items()}
    rows = [
        {
            "record_id": ids[change.object, change.id],
            "field": change.field,
            "at": change.at,
            "tie": change.tie,
            "value": canonical(change.value),
        }
        for change in changes
    ]
    learnt: set[Key] = set()
    for some in batches(rows):
        added = await _FIELDS.run(session, _FIELDS.columns(some), org_id=org_id, recorded_at=at)
        learnt |= {keys[row["record_id"]] for row in added}
    return learnt


async def _ids(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: AbstractSet[Key], at: datetime
) -> dict[Key, UUID]:
    found = await _THERE.rows(session, org_id=org_id, source_id=source_id, **as_arrays(keys))
    ids = {(object_, external_id): record_id for object_, external_id, record_id in found}
    absent = [
        {"id": new_id(), "object": object_, "external_id": external_id}
        for object_, external_id in sorted(keys - ids.keys())
    ]
    for some in batches(absent):
        same = {"org_id": org_id, "source_id": source_id, "updated_at": at, **_NEW}
        await _RECORDS.run(session, _RECORDS.columns(some), **same)
    return ids | {(row["object"], row["external_id"]): row["id"] for row in absent}


async def learn_links(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, told: Iterable[LinkChange], at: datetime
) -> set[tuple[Key, Key]]:
    """Add to the histories of links; gives the pairs of which something new was learnt."""
    rows = [
        {
            "from_object": link.from_object,
            "from_id": link.from_id,
            "to_object": link.to_object,
            "to_id": link.to_id,
            "at": link.at,
            "tie": link.tie,
            "removed": link.removed,
            "is_primary": link.is_primary,
        }
        for link in set(told)
    ]
    pairs: set[tuple[Key, Key]] = set()
    for some in batches(rows):
        added = await _LINKS.run(session, _LINKS.columns(some), org_id=org_id, source_id=source_id, recorded_at=at)
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

    def joined(self, more: "Known") -> "Known":
        """These and more."""
        return Known(self.records | more.records, self.ids | more.ids, self.stored | more.stored)


NOTHING_KNOWN = Known({}, {}, {})
"""Never changed: it is joined with what is loaded."""


def whole_of(record: Record) -> Whole:
    """What became of the record as a whole, by its histories."""
    return record.merged_into, record.created_at, record.is_deleted


async def existing(session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: AbstractSet[Key]) -> set[Key]:
    """Those of the records that exist."""
    rows = await _THERE.rows(session, org_id=org_id, source_id=source_id, **as_arrays(keys))
    return {(object_, external_id) for object_, external_id, _ in rows}


async def load(session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: Iterable[Key]) -> Known:
    """Those of the records that exist; one that continues another has its history too."""
    own = Known({}, {}, {})
    wanted = set(keys)
    while wanted:
        await _load_own(session, org_id, source_id, wanted, own)
        wanted = {
            (object_, earlier)
            for (object_, _), record in own.records.items()
            if (earlier := record.text(CONTINUES)) and (object_, earlier) not in own.records
        } - wanted
    return own._replace(records={key: _continued(key, own.records) for key in own.records})


async def _load_own(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, keys: AbstractSet[Key], known: Known
) -> None:
    found: dict[UUID, Key] = {}
    rows = await _WHOLE.rows(session, org_id=org_id, source_id=source_id, **as_arrays(keys))
    for object_, external_id, record_id, merged_into, created_at, is_deleted in rows:
        key = (object_, external_id)
        found[record_id] = key
        known.records[key], known.ids[key] = Record(*key), record_id
        known.stored[key] = (merged_into, created_at, is_deleted)
    for record_id, field, at, tie, value in await _HISTORY.rows(session, org_id=org_id, ids=sorted(found)):
        known.records[found[record_id]].learn(field, Stamp(at, tie, json.loads(value)))


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
    keys = sorted({key for key in changed if key in known.ids})
    for some in batches(keys):
        states = [state_of(known.records[key], adapter, mapping) for key in some]
        columns = {name: [state[name] for state in states] for name in _STATE}
        await _STATES.run(session, org_id, [known.ids[key] for key in some], columns, at)


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
    *where: ColumnElement[bool],
) -> Ready:
    """Finds the rows whose `pair` of object and id is one of the keys, given by `as_arrays`.

    Each key is looked for in the index by itself. Any other plan depends on statistics, which lag behind while a table
    grows: all of the organization's rows were read and compared with the keys. OFFSET keeps the planner from choosing.
    """
    keys = (
        func.unnest(bindparam("objects", type_=ARRAY(Text())), bindparam("ids", type_=ARRAY(Text())))
        .table_valued("object", "id", name="keys")
        .render_derived()
    )
    mine = (*where, pair[0] == keys.c.object, pair[1] == keys.c.id)
    found = select(*columns).where(*mine).offset(literal_column("0")).lateral("found")
    return Ready(select(*found.c).select_from(keys.join(found, true())))


def as_arrays(keys: Iterable[Key]) -> dict[str, list[str]]:
    """The keys as parameters of `by_keys`, in order."""
    ordered = sorted(keys)
    return {"objects": [object_ for object_, _ in ordered], "ids": [external_id for _, external_id in ordered]}


def batches(rows: Sequence[_Row]) -> Iterable[Sequence[_Row]]:
    """The rows, so many at a time as one statement takes."""
    return (rows[first : first + ROWS] for first in range(0, len(rows), ROWS))


OF_SOURCE = (CrmRecord.org_id == bindparam("org_id"), CrmRecord.source_id == bindparam("source_id"))
"""The records of a source."""

_KEY = (CrmRecord.object, CrmRecord.external_id)
_THERE = by_keys((*_KEY, CrmRecord.id), _KEY, *OF_SOURCE)
_WHOLE = by_keys(
    (*_KEY, CrmRecord.id, CrmRecord.merged_into, CrmRecord.source_created_at, CrmRecord.is_deleted), _KEY, *OF_SOURCE
)
_HISTORY = Ready(
    select(RecordField.record_id, RecordField.field, RecordField.at, RecordField.tie, RecordField.value).where(
        RecordField.org_id == bindparam("org_id"), RecordField.record_id == any_(bindparam("ids", type_=ARRAY(Uuid())))
    )
)

_NEW: dict[str, Any] = {  # Any: values of columns; of a record of which nothing is known yet
    "label": None,
    "state": {},
    "source_created_at": None,
    "is_deleted": False,
    "merged_into": None,
    "needs_fetch": True,
}
_STATE = tuple(_NEW)
_RECORDS = Insertion(CrmRecord, same=("org_id", "source_id", "updated_at", *_NEW))
_STATES = Amendment(CrmRecord, "id", _STATE, same="updated_at")
_FIELDS = Insertion(
    RecordField,
    same=("org_id", "recorded_at"),
    but=lambda insertion: insertion.on_conflict_do_nothing().returning(RecordField.record_id),
)
_LINKS = Insertion(
    RecordLink,
    same=("org_id", "source_id", "recorded_at"),
    but=lambda insertion: insertion.on_conflict_do_nothing().returning(
        RecordLink.from_object, RecordLink.from_id, RecordLink.to_object, RecordLink.to_id
    ),
)
