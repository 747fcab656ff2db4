"""Which local days the ledger still keeps, and which facts it therefore does not take any more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import OrganizationSettings
from app.calendars.periods import first_instant, local_day
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.events.archive_models import EventArchive
from app.events.bulk import among
from app.events.facts import EventFacts, Fault
from app.events.heads import Head
from app.events.models import Event


async def retained_from(
    session: AsyncSession, org_id: OrganizationId, zone: ZoneInfo, known_at: datetime
) -> date | None:
    """The first local day whose events the ledger still keeps; None: it keeps all.

    The same for every instant asked about, since what is gone cannot be known as of an earlier one either (S5);
    `known_at` only says beside what else it may be remembered.
    """

    async def load() -> date | None:
        found = (await session.execute(latest_archive(org_id))).one_or_none()
        return None if found is None else first_kept_day(found.before, ZoneInfo(found.time_zone), zone)

    return await remembered(session, org_id, known_at, ("retained from", zone.key), load)


async def was_archived_since(session: AsyncSession, org_id: OrganizationId, instant: datetime) -> bool:
    """Whether events that were there at an instant may be gone: by a request that was recorded after it."""
    later = select(EventArchive.id).where(EventArchive.org_id == org_id, EventArchive.recorded_at > instant)
    return (await session.execute(later.limit(1))).first() is not None


def first_kept_day(before: date, cut_in: ZoneInfo, zone: ZoneInfo) -> date:
    """The first day of `zone` of which everything is kept, where the days before `before` of another zone are gone."""
    if cut_in.key == zone.key:
        return before
    instant = first_instant(before, cut_in)
    day = local_day(instant, zone)
    whole = day if first_instant(day, zone) >= instant else day + timedelta(days=1)
    return max(before, whole)


def latest_archive(org_id: OrganizationId | ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
    """Before which day, of which zone, nothing is kept; no row where all is."""
    return (
        select(EventArchive.org_id, EventArchive.before, EventArchive.time_zone)
        .where(EventArchive.org_id == org_id)
        .order_by(EventArchive.before.desc())
        .limit(1)
    )


# ------------------------------------------------------------------------------------------------ what is not taken


@dataclass
class Kept:
    """The days that are kept, for a batch of facts of one source.

    `gone` are the external ids of events that do not stand on a kept day: what they said cannot be told any more.
    """

    start: date
    zone: ZoneInfo
    gone: set[str] = field(default_factory=set)

    def keeps(self, facts: EventFacts) -> bool:
        """Whether the facts lie on a kept day (S1)."""
        return (facts.occurred_on or local_day(facts.occurred_at, self.zone)) >= self.start

    def fault_of(self, facts: EventFacts) -> Fault | None:
        """Why facts that would be written are not taken; what is taken stands on a kept day from then on."""
        if facts.retracted:
            return self._fault_of_retraction(facts)
        if not self.keeps(facts):
            where = "/occurred_at" if facts.occurred_on is None else "/occurred_on"
            return Fault(where, f"lies before {self.start}, {_ARCHIVED}; {_INSTEAD}")
        self.gone.discard(facts.external_id)
        return None

    def _fault_of_retraction(self, facts: EventFacts) -> Fault | None:
        if facts.external_id not in self.gone:
            return None
        return Fault("/external_id", f"names an event of a day before {self.start}, {_ARCHIVED}: it is in no figure")


_ARCHIVED = "whose events were archived or dropped"
_INSTEAD = "leave it out, or send a retraction if the event stands on a later day"


async def kept_days(
    session: AsyncSession, org_id: OrganizationId, before: date | None, cut_in: str | None
) -> Kept | None:
    """The days that the ledger takes facts of, by the columns of `latest_archive`; None: of all days."""
    if before is None or cut_in is None:
        return None
    settings = OrganizationSettings
    present = select(settings.time_zone).where(settings.org_id == org_id, settings.superseded_at.is_(None))
    zone = ZoneInfo((await session.execute(present)).scalar_one())
    return Kept(first_kept_day(before, ZoneInfo(cut_in), zone), zone)


async def look_for_gone(
    session: AsyncSession, org_id: OrganizationId, kept: Kept, facts: Sequence[EventFacts], heads: dict[str, Head]
) -> None:
    """Find which of the events that are to be taken back do not stand on a kept day."""
    asked = {
        each.external_id: heads[each.external_id].event_id
        for each in facts
        if each.retracted and (state := heads[each.external_id].state) is not None and not state.retracted
    }
    if not asked:
        return
    found = await session.execute(
        select(Event.event_id).where(
            Event.org_id == org_id,
            Event.superseded_at.is_(None),
            among(Event.event_id, list(asked.values())),
            local_day_of_event(kept.zone) >= kept.start,
        )
    )
    standing = set(found.scalars())
    kept.gone |= {external_id for external_id, event_id in asked.items() if event_id not in standing}


def local_day_of_event(zone: ZoneInfo) -> ColumnElement[date]:
    """The local day of a revision (S1)."""
    local: ColumnElement[date] = cast(func.timezone(zone.key, Event.occurred_at), Date())
    return func.coalesce(Event.occurred_on, local)


def days_between(start: date, end: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants of a run of local days."""
    return first_instant(start, zone), first_instant(end, zone)
