"""Simulates a webhook call: all that would follow from it, of which nothing stays."""

import asyncio
import base64
import binascii
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import BodyTooLarge, TooExpensive, ValidationFailed
from app.core.rehearsals import Rehearsal
from app.events.bulk import among
from app.events.heads import heads_under
from app.events.models import Event, Source
from app.events.reading import shown
from app.events.schemas import Event as ShownEvent
from app.integrations import previewing, rehearsing
from app.integrations.adapters.base import RawRequest
from app.integrations.rehearsing import RecordChange, Rehearsed
from app.results.asking import Asking
from app.simulation import effects, schemas, twins

SECONDS = 20
MOST_BYTES = 1_000_000
MOST_EVENTS = 200


async def simulate(
    asking: Asking, source_id: UUID, call: schemas.SimulatedCall, *, base_url: str
) -> schemas.Simulation:
    """What the call would do.

    Raises `SourceNotFound`, `SourceArchived`, `ValidationFailed`, `BodyTooLarge`, `TooExpensive`,
    `QueryBudgetExceeded`.
    """
    request = _request(call)
    tried = call.mapping.model_dump(mode="json", exclude_unset=True)

    async def act(rehearsal: Rehearsal) -> schemas.Simulation:
        done = await rehearsing.take_in(rehearsal, asking.org_id, source_id, request, base_url, tried)
        return await _told(asking, rehearsal, done)

    try:
        async with asyncio.timeout(SECONDS):
            return await asking.snapshots.rehearse(act)
    except TimeoutError:
        raise TooExpensive(f"What follows from this call could not be found out in {SECONDS} seconds.") from None


def _request(call: schemas.SimulatedCall) -> RawRequest:
    headers = {name.lower(): value for name, value in call.headers.items()}
    body = _body(call)
    if len(body) > MOST_BYTES:
        raise BodyTooLarge(f"The body has {len(body)} bytes; one of {MOST_BYTES} can be simulated.")
    return RawRequest(call.method, "", headers, body, call.query.removeprefix("?"))


def _body(call: schemas.SimulatedCall) -> bytes:
    try:
        if call.encoding == "base64":
            return base64.b64decode(call.body, validate=True)
        return call.body.encode()
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise ValidationFailed.at("/body", f"is not what `encoding` says: {call.encoding}.") from None


async def _told(asking: Asking, rehearsal: Rehearsal, done: Rehearsed) -> schemas.Simulation:
    standing = [change.after.id for change in done.changes if not change.after.retracted]
    pairs = await twins.twins_of(
        rehearsal.session, asking.org_id, rehearsal.at, done.source.mapping.time_zone, standing
    )
    unchanged = await _unchanged(rehearsal.session, asking, done)
    moved = await effects.effects_of(asking, rehearsal, done.changes)
    return schemas.Simulation(
        is_authentic=done.proof.is_authentic,
        reason=done.proof.reason,
        verdict=done.verdict,
        error=done.error,
        items=[
            schemas.SimulatedItem(**item, told_before=item["verdict"] == "translated" and not is_new)
            for item, is_new in zip(done.items, done.new, strict=True)
        ],
        records=[_record(each) for each in done.records],
        records_left_out=done.records_left_out,
        wanted=[schemas.WantedObject(object=kind, external_id=id_) for kind, id_ in done.wanted],
        events=[previewing.shown(change) for change in done.changes[:MOST_EVENTS]],
        unchanged_events=unchanged,
        events_left_out=max(0, len(done.changes) - MOST_EVENTS),
        suspected_duplicates=[schemas.SuspectedDuplicate(external_id=mine, other=other) for mine, other in pairs],
        effects=list(moved.figures),
        kpis_left_out=list(moved.left_out),
    )


def _record(change: RecordChange) -> schemas.SimulatedRecord:
    before, after = change.before, change.after
    names = sorted(name for name in after.fields if not name.startswith("@"))
    told = [(name, before.state(name) if before else None, after.state(name)) for name in names]
    return schemas.SimulatedRecord(
        object=change.key[0],
        external_id=change.key[1],
        is_new=before is None,
        is_deleted=after.is_deleted,
        merged_into=after.merged_into,
        fields=[schemas.FieldChange(field=name, before=then, after=now) for name, then, now in told if then != now],
        links=list(change.links),
    )


async def _unchanged(session: AsyncSession, asking: Asking, done: Rehearsed) -> list[ShownEvent]:
    """The events of the records that stand, and are not among those that change."""
    changed = {change.after.external_id for change in done.changes}
    prefixes = [f"{kind}:{id_}:" for kind, id_ in (record.key for record in done.records)]
    heads = await heads_under(session, asking.org_id, done.source.id, prefixes)
    standing = [
        head.event_id
        for head in heads.values()
        if head.external_id not in changed and head.state is not None and not head.state.retracted
    ]
    found = await session.execute(
        select(Event, Source.key)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(
            Event.org_id == asking.org_id,
            Source.org_id == asking.org_id,
            among(Event.event_id, standing[:MOST_EVENTS]),
            Event.superseded_at.is_(None),
        )
    )
    return await shown(session, asking.org_id, list(found))
