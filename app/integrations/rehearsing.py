"""What a webhook call would say and do, found out by taking it in and undoing it: for whoever connects a system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.problems import ValidationFailed
from app.core.rehearsals import Rehearsal
from app.core.sealing import CannotOpen
from app.events.comparing import Change, changes_of
from app.integrations import deliveries, histories, records, schemas, translation
from app.integrations.adapters.base import NotAuthentic, RawRequest
from app.integrations.backfills import SourceArchived
from app.integrations.folding import Key, Record
from app.integrations.models import CrmRecord, Delivery, SourceConnection
from app.integrations.service import find_source, hook_url
from app.integrations.translation import Connected

MOST_RECORDS = 100
"""So many of the records that a call is about are told of."""
# Headers that every caller sends: they prove nothing.
_PLAIN = frozenset({"accept", "content-length", "content-type", "host", "user-agent"})


@dataclass(frozen=True)
class Proof:
    """Whether the call proves that it comes from the source (None: nothing in it would), and why."""

    is_authentic: bool | None
    reason: str


@dataclass(frozen=True)
class RecordChange:
    """A record that the call is about, before and after; `before` is None where it was not there."""

    key: Key
    before: Record | None
    after: Record
    links: Sequence[schemas.Link]


@dataclass(frozen=True)
class Rehearsed:
    """What became of a call. `new` are the records of which it said anything that was not known."""

    source: Connected
    proof: Proof
    verdict: str
    error: str | None
    items: Sequence[Mapping[str, Any]]  # Any: as they are stored
    new: Sequence[bool]
    records: Sequence[RecordChange]
    records_left_out: int
    wanted: Sequence[Key]
    changes: Sequence[Change]


async def take_in(
    rehearsal: Rehearsal,
    org_id: OrganizationId,
    source_id: UUID,
    request: RawRequest,
    base_url: str,
    trying: Mapping[str, Any],
) -> Rehearsed:
    """Take the call in as the hook and the worker do, by the mapping with what is tried. The address is the source's.

    What proves nothing is read all the same. Raises `SourceNotFound`, `SourceArchived`, `ValidationFailed`.
    """
    session = rehearsal.session
    connection = await _connection(session, org_id, source_id)
    source = await translation.connected(session, org_id, source_id, trying)
    signed = replace(request, url=connection.signed_url or hook_url(base_url, source_id))
    now = (await clock.now(session, org_id)).astimezone(UTC)
    secrets = _secrets(source)
    proof = _proof(source, signed, secrets, now)
    columns = deliveries.columns_of(source.adapter, source.mapping, signed, secrets or (), now)
    delivery = Delivery(org_id=org_id, id=new_id(), source_id=source_id, received_at=now, **columns)
    if columns["body"] is None and columns["raw"] is not None:
        return Rehearsed(source, proof, "unparseable", columns["error"], (), (), (), 0, (), ())
    read = translation.read_deliveries(source, [delivery])
    mentioned = sorted(read.mentioned())
    before = await histories.load(session, org_id, source_id, mentioned[:MOST_RECORDS])
    learnt, settled = await translation.apply(session, source, read, rehearsal.at)
    verdicts = translation.verdicts_of(read.judged[0], settled.refused)
    told_anew = learnt.records | {end for pair in learnt.pairs for end in pair}
    return Rehearsed(
        source=source,
        proof=proof,
        verdict=verdicts.verdict,
        error=verdicts.error,
        items=verdicts.items,
        new=[bool(keys & told_anew) for _, keys in read.judged[0].items],
        records=await _records(session, source, before.records, mentioned[:MOST_RECORDS]),
        records_left_out=max(0, len(mentioned) - MOST_RECORDS),
        wanted=sorted(read.wanted),
        changes=await changes_of(session, org_id, rehearsal.at, settled.written),
    )


async def _connection(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> SourceConnection:
    source, connection, _ = await find_source(session, org_id, source_id)
    if connection is None:
        raise ValidationFailed.at("", "A source of system api takes no webhooks: it posts events with an API key.")
    if source.archived_at is not None:
        raise SourceArchived("The source is archived: it would refuse every call.")
    return connection


def _secrets(source: Connected) -> Sequence[str] | None:
    """The active secrets; None where the server has lost the key for them."""
    try:
        return source.secrets()
    except CannotOpen:
        return None


def _proof(source: Connected, request: RawRequest, secrets: Sequence[str] | None, now: datetime) -> Proof:
    if secrets is None:
        return Proof(None, "The server cannot open the source's secrets: its encryption key is missing.")
    if not secrets:
        return Proof(None, "The source has no active secret: every call is refused until one is added.")
    try:
        source.adapter.authenticate(request, secrets, now, source.mapping)
    except NotAuthentic as why:
        if not request.query and request.headers.keys() <= _PLAIN:
            return Proof(None, "Nothing in the call proves it: give the headers and query that the system sent, too.")
        return Proof(False, f"It would be refused: {why}.")
    return Proof(True, "An active secret proves it.")


async def _records(
    session: AsyncSession, source: Connected, before: Mapping[Key, Record], keys: Sequence[Key]
) -> list[RecordChange]:
    after = (await histories.load(session, source.org_id, source.id, keys)).records
    rows = await session.execute(
        select(CrmRecord).where(
            CrmRecord.org_id == source.org_id,
            CrmRecord.source_id == source.id,
            tuple_(CrmRecord.object, CrmRecord.external_id).in_(list(keys)),
        )
    )
    return [
        RecordChange(key, before.get(key), after[key], await records.links_of(session, row))
        for row in sorted(rows.scalars(), key=lambda row: (row.object, row.external_id))
        if (key := (row.object, row.external_id)) in after
    ]
