"""Reading of records, with their histories and links."""

import json
from collections import defaultdict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import NotFound
from app.events.sources import Source
from app.integrations import queries, schemas
from app.integrations.adapters import ADAPTERS
from app.integrations.models import CrmRecord, RecordField
from app.integrations.neighborhood import Neighborhood

LINKED = ("activity", "call", "company", "contact", "deal", "email", "feedback", "lead", "meeting", "quote")


class RecordNotFound(NotFound):
    """There is no such record in this organization."""

    code, title = "record-not-found", "Record not found"


async def list_records(session: AsyncSession, org_id: OrganizationId, query: schemas.RecordQuery) -> schemas.RecordPage:
    """The records that a query asks for, in the order in which Paceline first heard of them."""
    wanted = queries.records(org_id)
    for column in (CrmRecord.source_id, CrmRecord.object, CrmRecord.external_id, CrmRecord.needs_fetch):
        if (value := getattr(query, column.key)) is not None:
            wanted = wanted.where(column == value)
    rows, following = await paginate(session, wanted, [Key(CrmRecord.id)], query)
    return schemas.RecordPage(items=[_shown(*row) for row in rows], next_cursor=following)


def _shown(row: CrmRecord, source: Source, account_id: str) -> schemas.Record:
    url = ADAPTERS[source.system].address(account_id, row.object, row.external_id)
    told = {name: getattr(row, name) for name in schemas.Record.model_fields if name != "url"}
    return schemas.Record(url=url, **told)


async def get_record(session: AsyncSession, org_id: OrganizationId, record_id: UUID) -> schemas.RecordDetail:
    """One record with the history of each field and what it is linked to. Raises `RecordNotFound`."""
    found = await session.execute(queries.records(org_id).where(CrmRecord.id == record_id))
    row = found.one_or_none()
    if row is None:
        raise RecordNotFound(f"No record {record_id}.")
    return schemas.RecordDetail(
        **_shown(row[0], row[1], row[2]).model_dump(),
        fields=await _histories(session, org_id, record_id),
        links=await links_of(session, row[0]),
    )


async def _histories(
    session: AsyncSession, org_id: OrganizationId, record_id: UUID
) -> dict[str, list[schemas.FieldValue]]:
    wanted = queries.fields_of(org_id, record_id).order_by(
        RecordField.field, RecordField.at, RecordField.tie, RecordField.value
    )
    told = defaultdict(list)
    for each in (await session.execute(wanted)).scalars():
        value = schemas.FieldValue(value=json.loads(each.value), at=each.at, recorded_at=each.recorded_at)
        told[each.field].append(value)
    return told


async def links_of(session: AsyncSession, row: CrmRecord) -> list[schemas.Link]:
    """What a record is linked to, through merges."""
    near = Neighborhood(session, row.org_id, row.source_id)
    await near.hop([(row.object, row.external_id)], LINKED)
    network = near.network()
    key = network.resolve((row.object, row.external_id))
    return [
        schemas.Link(object=kind, external_id=end.id, is_primary=end.is_primary, at=end.at)
        for kind in LINKED
        for end in network.ends(key, kind)
    ]
