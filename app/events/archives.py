"""Use cases of retention: the events of past days leave the ledger, and are kept aside or not at all."""

import gzip
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.service import get_organization
from app.calendars.periods import local_day
from app.core import audit, clock, jobs
from app.core.db import Database, OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed
from app.events import archives_schemas as schemas
from app.events.archive_models import EventArchive, EventArchivePart

ARCHIVE_EVENTS = "archive-events"
CLEAR_FIGURES = "clear-figures"  # figures kept ready of days that are gone: kpis answer to this


class EventArchiveNotFound(NotFound):
    """There is no such archive in this organization."""

    code, title = "event-archive-not-found", "Event archive not found"


class EventArchiveNotReadable(Conflict):
    """Its events cannot be downloaded: the work is not done yet, or they were dropped and not kept."""

    code, title = "event-archive-not-readable", "Event archive not readable"


async def request_archive(
    session: AsyncSession, who: Principal, new: schemas.EventArchiveCreate
) -> schemas.EventArchive:
    """Let the ledger keep nothing of the days before a date from now on; the rows are taken away by a job."""
    at = await clock.tick(session, who.org_id)
    zone = ZoneInfo((await get_organization(session, who.org_id)).time_zone)
    await _check(session, who.org_id, new.before, local_day(await clock.now(session, who.org_id), zone))
    archive = EventArchive(
        org_id=who.org_id,
        id=new_id(),
        before=new.before,
        mode=new.mode,
        time_zone=zone.key,
        state="waiting",
        requested_by=who.label,
        recorded_at=at,
        events=0,
        revisions=0,
        bytes=0,
        version=1,
    )
    session.add(archive)
    audit.record(session, who.org_id, who.label, "create", "event-archive", archive.id, new.model_dump(mode="json"))
    await jobs.enqueue(session, who.org_id, ARCHIVE_EVENTS, [{}])
    return _shown(archive)


async def _check(session: AsyncSession, org_id: OrganizationId, before: date, today: date) -> None:
    """Raises `ValidationFailed` at `/before`."""
    if before.day != 1:
        month = before.replace(day=1)
        message = f"must be the first day of a month, such as {month}: the ledger keeps whole months or none"
        raise ValidationFailed.at("/before", message, "not_a_month")
    if before > today:
        raise ValidationFailed.at("/before", f"must not lie after today, {today}: only what is past can go", "not_past")
    latest = (
        await session.execute(select(func.max(EventArchive.before)).where(EventArchive.org_id == org_id))
    ).scalar_one()
    if latest is not None and before <= latest:
        message = f"must be later than {latest}: events before that were archived or dropped already"
        raise ValidationFailed.at("/before", message, "archived_already")


async def list_archives(session: AsyncSession, org_id: OrganizationId, query: PageQuery) -> schemas.EventArchivePage:
    """The archives, the earliest first."""
    wanted = select(EventArchive).where(EventArchive.org_id == org_id)
    rows, following = await paginate(session, wanted, [Key(EventArchive.before), Key(EventArchive.id)], query)
    return schemas.EventArchivePage(items=[_shown(row) for row in rows], next_cursor=following)


async def get_archive(
    session: AsyncSession, org_id: OrganizationId, archive_id: UUID
) -> tuple[schemas.EventArchive, int]:
    """One archive, with its version."""
    found = await _archive(session, org_id, archive_id)
    return _shown(found), found.version


async def _archive(session: AsyncSession, org_id: OrganizationId, archive_id: UUID) -> EventArchive:
    wanted = select(EventArchive).where(EventArchive.org_id == org_id, EventArchive.id == archive_id)
    found = (await session.execute(wanted)).scalar_one_or_none()
    if found is None:
        raise EventArchiveNotFound(f"No event archive {archive_id}.")
    return found


def _shown(archive: EventArchive) -> schemas.EventArchive:
    return schemas.EventArchive.model_validate(
        {name: getattr(archive, name) for name in schemas.EventArchive.model_fields if hasattr(archive, name)}
        | {"requested_at": archive.recorded_at, "progress": _progress(archive)}
    )


def _progress(archive: EventArchive) -> float:
    """The part of the days between the first with events and the last that is done."""
    if archive.state == "done":
        return 1.0
    if archive.first_day is None or archive.done_until is None or archive.first_day >= archive.before:
        return 0.0
    return round((archive.done_until - archive.first_day).days / (archive.before - archive.first_day).days, 4)


# ---------------------------------------------------------------------------------------------------------- download


async def require_readable(session: AsyncSession, org_id: OrganizationId, archive_id: UUID) -> EventArchive:
    """The archive, whose events can be read. Raises `EventArchiveNotFound`, `EventArchiveNotReadable`."""
    archive = await _archive(session, org_id, archive_id)
    if archive.mode == "drop":
        raise EventArchiveNotReadable(f"The events before {archive.before} were dropped: nothing was kept of them.")
    if archive.state != "done":
        raise EventArchiveNotReadable("The events are still being archived: wait until the state is done.")
    return archive


async def archived_lines(
    database: Database, org_id: OrganizationId, archive_id: UUID, month: str | None
) -> AsyncIterator[bytes]:
    """The archived revisions, each a line of JSON, in parts.

    What is archived never changes, so each part is read in a transaction of its own, and a slow reader holds up nobody.
    """
    last: tuple[date, int] | None = None
    while True:
        async with database.read(org_id) as session:
            part = (await session.execute(_part_after(org_id, archive_id, month, last))).one_or_none()
        if part is None:
            return
        last = part.month, part.number
        yield gzip.decompress(part.content)


def _part_after(
    org_id: OrganizationId, archive_id: UUID, month: str | None, last: tuple[date, int] | None
) -> Select[date, int, bytes]:
    part = EventArchivePart
    wanted = (
        select(part.month, part.number, part.content)
        .where(part.org_id == org_id, part.archive_id == archive_id)
        .order_by(part.month, part.number)
        .limit(1)
    )
    if month is not None:
        wanted = wanted.where(part.month == date.fromisoformat(f"{month}-01"))
    if last is not None:
        after_month, after_number = last
        same = (part.month == after_month) & (part.number > after_number)
        wanted = wanted.where((part.month > after_month) | same)
    return wanted
