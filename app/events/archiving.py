"""The job that takes archived days out of the ledger: some revisions in each transaction, until none is left.

The work goes from day to day. Rows come by index, are locked only for the moments of one transaction, and rows that
somebody else holds are left for the next one. What was done commits together with where to go on, so that a worker
that dies loses nothing and repeats nothing, and another one goes on.
"""

import gzip
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import first_instant, local_day
from app.core import audit, clock, jobs
from app.core.db import OrganizationId
from app.events.archive_models import EventArchive, EventArchivePart
from app.events.archives import ARCHIVE_EVENTS, CLEAR_FIGURES
from app.events.bulk import among
from app.events.models import Event, EventCredit, Source
from app.events.reading import shown

AT_ONCE = 1_000
"""Revisions of one transaction: a fraction of a second."""

_DAY = timedelta(days=1)
_WORKER = "worker"


async def archive_events(session: AsyncSession, org_id: OrganizationId, _works: Sequence[jobs.Work]) -> None:
    """Take the next revisions out of the ledger; the job hands the rest over to its successor."""
    archive = await _first_unfinished(session, org_id)
    if archive is None:
        return
    taken = await _next_revisions(session, archive)
    if taken.row_ids:
        await _take_out(session, archive, taken)
    else:
        await _finish(session, archive)
    archive.version += 1
    await session.flush()  # the successor must find it so
    await jobs.enqueue(session, org_id, ARCHIVE_EVENTS, [{}])


async def _first_unfinished(session: AsyncSession, org_id: OrganizationId) -> EventArchive | None:
    """The archive with the earliest days that is not done, locked: later ones wait for it, and so do other workers."""
    wanted = (
        select(EventArchive)
        .where(EventArchive.org_id == org_id, EventArchive.state != "done")
        .order_by(EventArchive.before)
    )
    for row in (await session.execute(wanted.with_for_update())).scalars():
        return row
    return None


# ---------------------------------------------------------------------------------------------------- what comes next


@dataclass(frozen=True)
class _Taken:
    """Revisions to take out, and the day before which none is left then."""

    row_ids: list[UUID]
    first_day: date | None
    next_day: date


async def _next_revisions(session: AsyncSession, archive: EventArchive) -> _Taken:
    """The revisions of the next days that have any, at most `AT_ONCE`."""
    found: list[UUID] = []
    first_day: date | None = None
    day = archive.done_until or date.min
    while len(found) < AT_ONCE:
        coming = await _next_day(session, archive, day)
        if coming is None:
            return _Taken(found, first_day, archive.before)
        first_day, day = first_day or coming, coming
        room = AT_ONCE - len(found)
        of_day = await _revisions_of(session, archive, day, room)
        found += of_day
        if len(of_day) == room:
            break
        day += _DAY
    return _Taken(found, first_day, day)


async def _next_day(session: AsyncSession, archive: EventArchive, start: date) -> date | None:
    """The first day from `start` on that has revisions of the archive; three looks into indexes."""
    zone = ZoneInfo(archive.time_zone)
    until = first_instant(archive.before, zone)
    since = None if start == date.min else first_instant(start, zone)
    instants = [
        select(func.min(Event.occurred_at))
        .where(
            Event.org_id == archive.org_id,
            stands,
            Event.occurred_on.is_(None),
            Event.occurred_at < until,
            *([] if since is None else [Event.occurred_at >= since]),
        )
        .scalar_subquery()
        for stands in (Event.superseded_at.is_(None), Event.superseded_at.is_not(None))
    ]
    dated = (
        select(func.min(Event.occurred_on))
        .where(Event.org_id == archive.org_id, Event.occurred_on >= start, Event.occurred_on < archive.before)
        .scalar_subquery()
    )
    *found, told = tuple((await session.execute(select(*instants, dated))).one())
    days = [local_day(instant, zone) for instant in found if instant is not None]
    return min([*days, *([] if told is None else [told])], default=None)


async def _revisions_of(session: AsyncSession, archive: EventArchive, day: date, room: int) -> list[UUID]:
    """Revisions of a local day (S1), however they got it; each part by its own index."""
    zone = ZoneInfo(archive.time_zone)
    during = and_(
        Event.occurred_on.is_(None),
        Event.occurred_at >= first_instant(day, zone),
        Event.occurred_at < first_instant(day + _DAY, zone),
    )
    parts = (
        and_(Event.superseded_at.is_(None), during),
        and_(Event.superseded_at.is_not(None), during),
        Event.occurred_on == day,
    )
    found: list[UUID] = []
    for part in parts:
        wanted: Select[UUID] = select(Event.row_id).where(Event.org_id == archive.org_id, part)
        in_order = wanted.order_by(Event.occurred_at, Event.row_id).limit(room - len(found))
        found += (await session.execute(in_order)).scalars()
        if len(found) == room:
            break
    return found


# --------------------------------------------------------------------------------------------------------- taking out


async def _take_out(session: AsyncSession, archive: EventArchive, taken: _Taken) -> None:
    """Keep the revisions aside, where that was asked, and delete them with their credits."""
    rows = await _locked(session, archive.org_id, taken.row_ids)
    if archive.mode == "archive":
        await _keep(session, archive, rows)
    row_ids = [event.row_id for event, _ in rows]
    for table in (EventCredit, Event):
        await session.execute(
            delete(table)
            .where(table.org_id == archive.org_id, among(table.row_id, row_ids))
            .execution_options(synchronize_session=False)
        )
    if archive.state == "waiting":
        archive.state, archive.started_at = "working", await clock.now(session, archive.org_id)
        archive.first_day = taken.first_day
    archive.events += sum(event.superseded_at is None for event, _ in rows)
    archive.revisions += len(rows)
    if len(rows) == len(taken.row_ids):
        archive.done_until = taken.next_day


async def _locked(session: AsyncSession, org_id: OrganizationId, row_ids: Sequence[UUID]) -> list[Any]:
    """The revisions as they stand now, each with its source's key, but those that a writer holds: they come later.

    Waiting for them could be a deadlock: a writer that supersedes several events holds them in another order.
    """
    wanted = (
        select(Event, Source.key)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == org_id, Source.org_id == org_id, among(Event.row_id, row_ids))
        .order_by(Event.occurred_at, Event.row_id)
        .with_for_update(of=Event, skip_locked=True)
    )
    return list((await session.execute(wanted)).all())


async def _keep(session: AsyncSession, archive: EventArchive, rows: Sequence[Any]) -> None:
    """Write the revisions as parts of their months."""
    zone = ZoneInfo(archive.time_zone)
    lines: dict[date, list[str]] = defaultdict(list)
    for told in await shown(session, archive.org_id, rows):
        assert told.occurred_at is not None, "what has no time has no day, and stays"  # noqa: S101
        day = told.occurred_on or local_day(told.occurred_at, zone)
        lines[day.replace(day=1)].append(told.model_dump_json() + "\n")
    for month, of_month in sorted(lines.items()):
        content = gzip.compress("".join(of_month).encode(), mtime=0)
        session.add(
            EventArchivePart(
                org_id=archive.org_id,
                archive_id=archive.id,
                month=month,
                number=await _next_number(session, archive, month),
                revisions=len(of_month),
                content=content,
            )
        )
        archive.bytes += len(content)


async def _next_number(session: AsyncSession, archive: EventArchive, month: date) -> int:
    part = EventArchivePart
    last = select(func.max(part.number)).where(
        part.org_id == archive.org_id, part.archive_id == archive.id, part.month == month
    )
    return ((await session.execute(last)).scalar_one() or 0) + 1


async def _finish(session: AsyncSession, archive: EventArchive) -> None:
    now = await clock.now(session, archive.org_id)
    archive.state, archive.done_until = "done", archive.before
    archive.started_at, archive.finished_at = archive.started_at or now, now
    told = {"before": archive.before.isoformat(), "mode": archive.mode}
    told |= {name: getattr(archive, name) for name in ("events", "revisions", "bytes")}
    await jobs.enqueue(session, archive.org_id, CLEAR_FIGURES, [{"before": archive.before.isoformat()}])
    audit.record(session, archive.org_id, _WORKER, "finish", "event-archive", archive.id, told)
