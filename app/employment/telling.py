"""What employments tell the ledger: who joined and who left, as revisions when an employment changes."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import first_instant
from app.calendars.service import present_settings
from app.core import clock
from app.core.db import OrganizationId
from app.core.jobs import Work
from app.core.problems import ValidationFailed
from app.employment.models import Employment
from app.employment.own import own_identity, own_source
from app.events.facts import EventFacts, PersonRef
from app.events.service import InvalidFactsError, settle_derived


async def tell(session: AsyncSession, org_id: OrganizationId, employment: Employment) -> None:
    """Let the ledger say what an employment says now. Raises `ValidationFailed` for days it cannot hold."""
    zone = (await present_settings(session, org_id)).zone
    person = await own_identity(session, org_id, employment.member_id)
    try:
        await _settle(session, org_id, employment.id, facts_of(employment, person, zone))
    except InvalidFactsError as error:
        pointer = "/valid_from" if error.external_id.endswith("joined") else "/valid_to"
        raise ValidationFailed.at(pointer, "lies outside the years that the ledger holds", "out_of_range") from None


async def take_back(session: AsyncSession, org_id: OrganizationId, employment_id: UUID) -> None:
    """Retract what an employment told."""
    await _settle(session, org_id, employment_id, [])


async def retell_all(session: AsyncSession, org_id: OrganizationId, _works: Sequence[Work]) -> None:
    """Date what all employments told by the first instants of their days in the organization's present zone."""
    await clock.tick(session, org_id, only_events=True)
    zone = (await present_settings(session, org_id)).zone
    found = await session.execute(
        select(Employment).where(Employment.org_id == org_id, Employment.superseded_at.is_(None))
    )
    desired = {_prefix(each.id): facts_of(each, PersonRef(str(each.member_id)), zone) for each in found.scalars()}
    if desired:
        source_id = await own_source(session, org_id)
        await settle_derived(session, org_id=org_id, source_id=source_id, desired=desired)


def facts_of(employment: Employment, person: PersonRef, zone: ZoneInfo) -> list[EventFacts]:
    """A member joins as the first day begins, and leaves as the last one ends: on that day, from the team of it."""
    told = []
    if employment.valid_from is not None:
        told.append(
            _fact(employment, person, "joined", employment.valid_from, first_instant(employment.valid_from, zone))
        )
    if employment.valid_to is not None:
        last_day = employment.valid_to - timedelta(days=1)
        told.append(_fact(employment, person, "left", last_day, first_instant(employment.valid_to, zone)))
    return told


def _fact(employment: Employment, person: PersonRef, what: str, day: date, instant: datetime) -> EventFacts:
    return EventFacts(
        external_id=f"{_prefix(employment.id)}{what}",
        type=f"member.{what}",
        occurred_at=instant,
        occurred_on=day,
        actor=person,
        about={"member": str(employment.member_id)},
        properties={},
    )


def _prefix(employment_id: UUID) -> str:
    return f"employment:{employment_id}:"


async def _settle(
    session: AsyncSession, org_id: OrganizationId, employment_id: UUID, facts: Sequence[EventFacts]
) -> None:
    source_id = await own_source(session, org_id)
    await settle_derived(session, org_id=org_id, source_id=source_id, desired={_prefix(employment_id): facts})
