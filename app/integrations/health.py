"""How a source is: heard of as usual, with proofs that hold, and credentials that work; each change is told once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import Integer, Select, cast, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.service import organization_calendar
from app.core import clock, outbox
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.errands import Errand
from app.core.jobs import Work
from app.events.sources import Source
from app.integrations import health_schemas as schemas
from app.integrations.health_schemas import Trouble
from app.integrations.models import (
    Delivery,
    RecordFetch,
    SourceCredentials,
    SourceHealth,
    SourceRejections,
    SourceSubscription,
)
from app.integrations.pulse import WorkingTime, is_too_long, usual_gap
from app.integrations.service import find_source
from app.integrations.watching import EVERY

LOOKED_BACK = timedelta(days=28)
CLOSE = timedelta(minutes=15)
"""Calls that come in the same quarter of an hour are one moment."""
DAY = timedelta(days=1)
MOST = 10_000
"""So many of the newest calls, and of the objects to be fetched, are looked at."""
FEW, SHARE = 5, 10
"""So many calls a day that fail their proof are told, if they are one of ten or more."""
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


@dataclass(frozen=True)
class _Seen:
    """What is found of a source, and since when what is wrong with it."""

    figures: Mapping[str, Any]  # Any: fields of `schemas.Health`
    troubles: Mapping[Trouble, datetime]


async def get_health(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> schemas.Health:
    """How the source is now. Raises `SourceNotFound`."""
    source, connection, _ = await find_source(session, org_id, source_id)
    seen = await _look(session, org_id, source_id)
    told = await _told(session, org_id, source_id)
    is_watched = connection is not None and source.archived_at is None
    return schemas.Health(
        is_archived=source.archived_at is not None,
        troubles=[
            schemas.TroubleSince(trouble=trouble, since=(told and _since(told, trouble)) or since)
            for trouble, since in seen.troubles.items()
            if is_watched
        ],
        looked_at=told.checked_at if told else None,
        **seen.figures,
    )


# --------------------------------------------------------------------------------------------------- what is looked at


async def _look(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> _Seen:
    now = await clock.now(session, org_id)
    heard = await _heard(session, org_id, source_id, now)
    calls = await _calls(session, org_id, source_id, now)
    fetches = await _fetches(session, org_id, source_id)
    credentials = await _credentials(session, org_id, source_id)
    troubles: dict[Trouble, datetime] = {}
    if is_too_long(heard.silence, heard.usual) and heard.last is not None:
        troubles["silent"] = heard.last
    rejected = calls["rejected_calls"]
    if rejected >= FEW and rejected * SHARE >= rejected + calls["accepted_calls"]:
        troubles["signatures_failing"] = calls["last_rejected_at"]
    if credentials["credentials_failure"] is not None:
        troubles["credentials_failing"] = credentials["credentials_failed_at"]
    subscriptions = await _subscriptions(session, org_id, source_id)
    return _Seen({**heard.figures(), **calls, **fetches, **credentials, **subscriptions}, troubles)


@dataclass(frozen=True)
class _Heard:
    """When a source was last heard of, and for how much working time it is silent, now and usually."""

    last: datetime | None
    silence: timedelta
    usual: timedelta | None

    def figures(self) -> dict[str, Any]:
        return {
            "last_call_at": self.last,
            "usual_gap_seconds": None if self.usual is None else round(self.usual.total_seconds()),
            "silence_seconds": None if self.last is None else round(self.silence.total_seconds()),
        }


async def _heard(session: AsyncSession, org_id: OrganizationId, source_id: UUID, now: datetime) -> _Heard:
    last: datetime | None = (await session.execute(_newest(org_id, source_id).limit(1))).scalar_one_or_none()
    if last is None:
        return _Heard(None, timedelta(), None)
    since = now - LOOKED_BACK
    recent = _newest(org_id, source_id).limit(MOST).subquery("recent")
    moment = func.date_bin(literal(CLOSE), recent.c.received_at, literal(since))
    heard = select(func.max(recent.c.received_at)).where(recent.c.received_at >= since).group_by(moment)
    found = (await session.execute(heard)).scalars().all()
    calendar = await organization_calendar(session, org_id, await clock.last_recorded(session, org_id))
    working = WorkingTime(calendar, min(since, last), now)
    return _Heard(last, working.between(last, now), usual_gap(sorted(found), working))


def _newest(org_id: OrganizationId, source_id: UUID) -> Select[datetime]:
    """When the CRM posted, the newest first. They are cut by number, in the order of an index, and then by time."""
    mine = (Delivery.org_id == org_id, Delivery.source_id == source_id, Delivery.origin == "webhook")
    return select(Delivery.received_at).where(*mine).order_by(Delivery.id.desc())


async def _calls(session: AsyncSession, org_id: OrganizationId, source_id: UUID, now: datetime) -> dict[str, Any]:
    recent = _newest(org_id, source_id).add_columns(Delivery.verdict).limit(MOST).subquery("recent")
    verdicts = await session.execute(
        select(recent.c.verdict, func.count()).where(recent.c.received_at > now - DAY).group_by(recent.c.verdict)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in verdicts}
    refused = (
        await session.execute(
            select(func.coalesce(func.sum(SourceRejections.calls), 0), func.max(SourceRejections.last_at)).where(
                SourceRejections.org_id == org_id,
                SourceRejections.source_id == source_id,
                SourceRejections.last_at > now - DAY,
            )
        )
    ).one()
    return {
        "rejected_calls": int(refused[0]),
        "last_rejected_at": refused[1],
        "accepted_calls": sum(counts.values()),
        "unreadable_calls": counts.get("unparseable", 0),
        "failed_calls": counts.get("failed", 0),
    }


async def _fetches(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> dict[str, Any]:
    waiting = (
        select(RecordFetch.attempts, RecordFetch.last_error)
        .where(RecordFetch.org_id == org_id, RecordFetch.source_id == source_id)
        .limit(MOST)
        .subquery("waiting")
    )
    is_failing = waiting.c.attempts > 0
    row = (
        await session.execute(
            select(
                func.count(),
                cast(func.count().filter(is_failing), Integer),
                func.max(waiting.c.last_error).filter(is_failing),
            )
        )
    ).one()
    return {"objects_to_fetch": row[0], "objects_failing": row[1], "last_fetch_error": row[2]}


async def _credentials(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> dict[str, Any]:
    found = await session.execute(
        select(SourceCredentials.last_failed_at, SourceCredentials.last_failure).where(
            SourceCredentials.org_id == org_id, SourceCredentials.source_id == source_id
        )
    )
    row = found.one_or_none()
    return {"credentials_failed_at": row and row[0], "credentials_failure": row and row[1]}


async def _subscriptions(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> dict[str, Any]:
    """How many there are, and which of them do not work; `subscribing.py` tells of each."""
    found = await session.execute(
        select(SourceSubscription.state, SourceSubscription.ends_at).where(
            SourceSubscription.org_id == org_id, SourceSubscription.source_id == source_id
        )
    )
    rows = found.all()
    return {
        "subscriptions": len(rows),
        "subscriptions_failing": sum(row.state != "active" for row in rows),
        "subscriptions_end_at": min((row.ends_at for row in rows if row.ends_at is not None), default=None),
    }


# ------------------------------------------------------------------------------------------------------ what is told


async def look_after(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> None:
    """Tell what has changed since the last look, and forget refused calls of long ago; not of an archived source."""
    source, _, _ = await find_source(session, org_id, source_id)
    if source.archived_at is not None:
        return
    seen = await _look(session, org_id, source_id)
    told = await _told(session, org_id, source_id)
    now = await clock.now(session, org_id)
    if told is None:
        told = SourceHealth(org_id=org_id, source_id=source_id, checked_at=now)
        session.add(told)
    told.checked_at = now
    for trouble in TROUBLES:
        _tell(session, source, told, trouble, seen.troubles.get(trouble))
    await session.execute(
        delete(SourceRejections)
        .where(
            SourceRejections.org_id == org_id,
            SourceRejections.source_id == source_id,
            SourceRejections.hour < now - LOOKED_BACK,
        )
        .execution_options(synchronize_session=False)
    )


def _tell(session: AsyncSession, source: Source, told: SourceHealth, trouble: Trouble, since: datetime | None) -> None:
    before = _since(told, trouble)
    if (before is None) == (since is None):
        return
    setattr(told, f"{trouble}_since", since)
    payload = {"source_id": str(source.id), "key": source.key, "name": source.name}
    if since is not None:
        outbox.publish(session, source.org_id, f"source.{trouble}", {**payload, "since": since.isoformat()})
    else:
        outbox.publish(session, source.org_id, "source.recovered", {**payload, "from": trouble})


def _since(told: SourceHealth, trouble: Trouble) -> datetime | None:
    since: datetime | None = getattr(told, f"{trouble}_since")
    return since


async def _told(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> SourceHealth | None:
    found = await session.execute(
        select(SourceHealth).where(SourceHealth.org_id == org_id, SourceHealth.source_id == source_id)
    )
    return found.scalar_one_or_none()


async def _watch(database: Database, org_id: OrganizationId, work: Work) -> None:
    async with database.write(org_id) as session:
        await look_after(session, org_id, UUID(work.payload["source_id"]))


async def _remains(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
    source, _, _ = await find_source(session, org_id, UUID(work.payload["source_id"]))
    return await database_now(session) + EVERY if source.archived_at is None else None


ERRAND = Errand(_watch, remains=_remains)
"""What does the errands of the kind `watching.WATCH`: as long as the source is not archived."""
