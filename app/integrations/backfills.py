"""Use cases of backfills: beginning one, and reading how far it is and what differed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.accounts.service import get_organization
from app.calendars.periods import first_instant
from app.core import audit, errands
from app.core.clock import database_now
from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed
from app.core.schemas import zone
from app.events.bulk import among
from app.integrations import backfill_schemas as schemas
from app.integrations import credentials, differing
from app.integrations.clients import CLIENTS
from app.integrations.models import BackfillObject, SourceBackfill
from app.integrations.service import find_source
from app.progress import schemas as job_schemas
from app.progress import service as long_jobs
from app.progress.models import LongJob

BACKFILL = "backfill"
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No CRM is older, and some refuse to be asked for anything before."""


class BackfillNotFound(NotFound):
    """The source has no such backfill."""

    code, title = "backfill-not-found", "Backfill not found"


class BackfillRunning(Conflict):
    """A backfill of the source runs already: wait for its end, or cancel its job."""

    code, title = "backfill-running", "Backfill running"


class SourceArchived(Conflict):
    """The source is archived: nothing is taken in from it any more."""

    code, title = "source-archived", "Source archived"


async def start(session: AsyncSession, who: Principal, source_id: UUID, new: schemas.BackfillCreate) -> job_schemas.Job:
    """Have what the source's system has read and compared, as a job.

    Raises `SourceArchived`, `SystemNotAsked`, `CredentialsMissing`, `BackfillRunning`.
    """
    await find_source(session, who.org_id, source_id, lock=True)  # one at a time begins
    source = await credentials.require(session, who.org_id, source_id)
    if source.archived_at is not None:
        raise SourceArchived(f"The source {source.key} is archived.")
    await _require_none(session, who.org_id, source_id)
    since, until = await _within(session, who.org_id, new)
    objects = _ordered(source.system, new.objects)
    job_id = await long_jobs.begin(
        session,
        who.org_id,
        kind=BACKFILL,
        subject={"type": "source", "id": str(source_id), "name": source.name},
        permission=Permission.SOURCES_WRITE,
        created_by=who.label,
    )
    session.add(
        SourceBackfill(
            org_id=who.org_id,
            id=job_id,
            source_id=source_id,
            mode=new.mode,
            is_applied=new.apply,
            names_objects=new.objects is not None,
            since_at=since,
            until_at=until,
        )
    )
    await session.flush()  # before the rows that refer to it
    session.add_all(_waiting(who.org_id, job_id, place, name) for place, name in enumerate(objects))
    await session.flush()  # before the errand is wanted that reads them
    await errands.want(session, who.org_id, BACKFILL, job_id, {"backfill_id": str(job_id)})
    told = {"mode": new.mode, "objects": objects, "since": since.isoformat(), "until": until.isoformat()}
    audit.record(session, who.org_id, who.label, "start-backfill", "source", source_id, {**told, "apply": new.apply})
    return await long_jobs.get_job(session, who, job_id)


async def _require_none(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> None:
    """Whoever locks the source and finds none that runs may begin one."""
    running = _with_jobs(org_id, source_id).where(LongJob.state.not_in(sorted(long_jobs.ENDED))).limit(1)
    if (found := (await session.execute(running)).one_or_none()) is not None:
        raise BackfillRunning(f"The backfill {found[0].id} runs already.")


async def _within(
    session: AsyncSession, org_id: OrganizationId, new: schemas.BackfillCreate
) -> tuple[datetime, datetime]:
    organization = await get_organization(session, org_id)
    now = await database_now(session)
    since = _instant(new.since, organization.time_zone)
    until = now if new.until is None else min(_instant(new.until, organization.time_zone), now)
    if since < EARLIEST:
        raise ValidationFailed.at("/since", f"Nothing is read from before {EARLIEST.date()}.")
    if since >= until:
        raise ValidationFailed.at("/since", "It must lie before `until`, and in the past.")
    return since, until


def _instant(told: datetime | date, time_zone: str) -> datetime:
    return told if isinstance(told, datetime) else first_instant(told, zone(time_zone))


def _ordered(system: str, wanted: Sequence[str] | None) -> list[str]:
    """The objects in the order in which they are read: those first that others refer to."""
    kinds = CLIENTS[system].kinds
    for place, name in enumerate(wanted or ()):
        if name not in kinds:
            raise ValidationFailed.at(f"/objects/{place}", f"{system} can be asked for {', '.join(kinds)}.")
    return [kind for kind in kinds if wanted is None or kind in wanted]


def _waiting(org_id: OrganizationId, backfill_id: UUID, place: int, name: str) -> BackfillObject:
    counts = ("read", "unchanged", "new", "changed", "gone", "unreadable", "differences", "asked")
    return BackfillObject(
        org_id=org_id,
        backfill_id=backfill_id,
        object=name,
        position=place,
        state="waiting",
        **dict.fromkeys(counts, 0),
    )


async def list_backfills(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, query: PageQuery
) -> schemas.BackfillPage:
    """The backfills of a source, the newest first. Raises `SourceNotFound`."""
    await find_source(session, org_id, source_id)
    keys = [Key(SourceBackfill.id, descending=True)]
    rows, following = await paginate(session, _with_jobs(org_id, source_id), keys, query)
    parts = await _parts(session, org_id, [backfill.id for backfill, _ in rows])
    items = [_shown(backfill, job, parts[backfill.id]) for backfill, job in rows]
    return schemas.BackfillPage(items=items, next_cursor=following)


async def get_backfill(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, backfill_id: UUID
) -> schemas.Backfill:
    """One backfill. Raises `BackfillNotFound`."""
    backfill, job = await _find(session, org_id, source_id, backfill_id)
    return _shown(backfill, job, (await _parts(session, org_id, [backfill_id]))[backfill_id])


async def list_differences(
    session: AsyncSession,
    org_id: OrganizationId,
    source_id: UUID,
    backfill_id: UUID,
    query: schemas.DifferencesQuery,
) -> schemas.DifferencePage:
    """What differed. Raises `BackfillNotFound`."""
    await _find(session, org_id, source_id, backfill_id)
    return await differing.page_of(session, org_id, backfill_id, query)


async def _find(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, backfill_id: UUID
) -> tuple[SourceBackfill, LongJob]:
    found = await session.execute(_with_jobs(org_id, source_id).where(SourceBackfill.id == backfill_id))
    row = found.one_or_none()
    if row is None:
        raise BackfillNotFound(f"No backfill {backfill_id} of this source.")
    return row[0], row[1]


def _with_jobs(org_id: OrganizationId, source_id: UUID) -> Select[SourceBackfill, LongJob]:
    return (
        select(SourceBackfill, LongJob)
        .join(LongJob, and_(LongJob.org_id == SourceBackfill.org_id, LongJob.id == SourceBackfill.id))
        .where(SourceBackfill.org_id == org_id, LongJob.org_id == org_id, SourceBackfill.source_id == source_id)
    )


async def _parts(
    session: AsyncSession, org_id: OrganizationId, ids: Sequence[UUID]
) -> defaultdict[UUID, list[BackfillObject]]:
    found = await session.execute(
        select(BackfillObject)
        .where(BackfillObject.org_id == org_id, among(BackfillObject.backfill_id, ids))
        .order_by(BackfillObject.position)
    )
    parts: defaultdict[UUID, list[BackfillObject]] = defaultdict(list)
    for row in found.scalars():
        parts[row.backfill_id].append(row)
    return parts


def _shown(backfill: SourceBackfill, job: LongJob, parts: Sequence[BackfillObject]) -> schemas.Backfill:
    told: dict[str, Any] = {name: getattr(job, name) for name in ("state", "error", "created_by", "created_at")}
    return schemas.Backfill(
        id=backfill.id,
        source_id=backfill.source_id,
        mode=backfill.mode,
        apply=backfill.is_applied,
        since=backfill.since_at,
        until=backfill.until_at,
        finished_at=job.finished_at,
        objects=[schemas.BackfillPart.model_validate(part) for part in parts],
        **told,
    )
