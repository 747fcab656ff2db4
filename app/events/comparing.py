"""What a transaction changed in the ledger, as it can still be seen in it: each event before and after."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events import schemas
from app.events.bulk import among
from app.events.decide import Outcome
from app.events.models import Event, Source
from app.events.reading import shown

# What a revision says, beside when and how it came to be.
CONTENT = (
    "type",
    "occurred_at",
    "occurred_on",
    "actor",
    "credits",
    "about",
    "amount",
    "quantity",
    "duration_seconds",
    "properties",
    "retracted",
)


class Change(NamedTuple):
    """An event that was written; `before` is None where it was not there, `after` is what stands now."""

    outcome: Outcome
    before: schemas.Event | None
    after: schemas.Event

    @property
    def fields(self) -> list[str]:
        """The fields that say something else than before."""
        if self.before is None:
            return []
        return [name for name in CONTENT if getattr(self.before, name) != getattr(self.after, name)]


async def changes_of(
    session: AsyncSession, org_id: OrganizationId, at: datetime, written: Sequence[Outcome]
) -> list[Change]:
    """What was written at an instant, by its outcomes, in their order."""
    ids = [outcome.event_id for outcome in written if outcome.event_id is not None]
    rows = await session.execute(
        select(Event, Source.key)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(
            Event.org_id == org_id,
            Source.org_id == org_id,
            among(Event.event_id, ids),
            or_(Event.superseded_at.is_(None), and_(Event.superseded_at == at, Event.recorded_at < at)),
        )
    )
    before: dict[UUID, schemas.Event] = {}
    after: dict[UUID, schemas.Event] = {}
    for event in await shown(session, org_id, list(rows)):
        (after if event.superseded_at is None else before)[event.id] = event
    return [
        Change(outcome, before.get(outcome.event_id), after[outcome.event_id])
        for outcome in written
        if outcome.event_id in after
    ]
