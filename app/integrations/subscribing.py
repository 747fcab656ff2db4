"""The errands of subscriptions: making them, ending them, and renewing those that end by themselves.

One that ends is renewed when half of its time is over, so that failures have the other half to be mended in; one that
never ends is looked for, since systems remove what nobody answers. A failure and an end are told once each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, errands, jobs, outbox
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.errands import Errand, Later
from app.core.jobs import Work
from app.core.sealing import keyring_of
from app.events.sources import Source
from app.integrations import credentials, sealed, subscriptions
from app.integrations.clients.base import (
    AccessRefused,
    Client,
    ClientError,
    Overloaded,
    Subscription,
    Unreachable,
)
from app.integrations.clients.http import Outside
from app.integrations.fetching import LONGEST_SECONDS
from app.integrations.models import SourceSecret, SourceSubscription
from app.integrations.service import find_source
from app.progress import service as long_jobs

LOOKED_FOR = timedelta(days=1)
"""So often those that never end are looked for: systems remove them after days without an answer."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


def subscription(outside: Outside) -> Errand:
    """The errand of kind `subscriptions.SUBSCRIBE`."""
    return Errand(partial(_subscribe, outside), failed=_failed)


def ending(outside: Outside) -> Errand:
    """The errand of kind `subscriptions.UNSUBSCRIBE`."""
    return Errand(partial(_end, outside), failed=_failed)


def renewal(outside: Outside) -> Errand:
    """The errand of kind `subscriptions.RENEW`: one for each source, as long as it has some."""
    return Errand(partial(_renew, outside), remains=_remains)


async def _failed(session: AsyncSession, org_id: OrganizationId, work: Work, error: str) -> None:
    if work.attempts + 1 >= jobs.MAX_ATTEMPTS:
        sentence = f"It failed {jobs.MAX_ATTEMPTS} times ({error}). Try again later."
        await long_jobs.fail(session, org_id, UUID(work.payload["job_id"]), sentence)


async def _subscribe(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    """Subscribe, and note what the system posts then: also where it failed half-way, or somebody died here."""
    source_id, secret_id, url = UUID(work.payload["source_id"]), UUID(work.payload["secret_id"]), work.payload["url"]
    reporter = long_jobs.Reporter(database, org_id, UUID(work.payload["job_id"]))
    if not await reporter.advance(done=0):
        return
    failure: ClientError | None = None
    found: dict[str, Subscription] = {}
    try:
        secret = await _secret(database, org_id, source_id, secret_id)
        async with credentials.asking(database, outside, org_id, source_id) as client:
            try:
                found = {each.id: each for each in await client.subscribe(url, secret)}
            except (Overloaded, Unreachable):
                raise
            except ClientError as error:
                failure = error
            found = {each.id: each for each in await client.subscriptions() if each.url == url} | found
    except Overloaded as error:
        raise Later(timedelta(seconds=min(error.wait, LONGEST_SECONDS))) from None
    except Unreachable:
        raise
    except ClientError as error:
        failure = failure or error
    async with database.write(org_id) as session:
        await _store(session, org_id, source_id, secret_id, list(found.values()))
        await _retire_unused(session, org_id, source_id, [secret_id])
        if failure is not None:
            await long_jobs.fail(session, org_id, reporter.job_id, f"The system does not subscribe: {failure}")
        else:
            await long_jobs.finish(session, org_id, reporter.job_id, {"subscriptions": len(found)})


async def _secret(database: Database, org_id: OrganizationId, source_id: UUID, secret_id: UUID) -> str:
    async with database.read(org_id) as session:
        found = await session.execute(
            select(SourceSecret.secret).where(SourceSecret.org_id == org_id, SourceSecret.id == secret_id)
        )
        [secret] = sealed.opened(keyring_of(session), org_id, source_id, sealed.SECRET, [found.scalar_one()])
    return secret


async def _store(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, secret_id: UUID, found: Sequence[Subscription]
) -> None:
    now = await database_now(session)
    for each in found:
        row = {"org_id": org_id, "source_id": source_id, "external_id": each.id, "secret_id": secret_id,
               "created_at": now, "renewed_at": None, **_standing(each, now)}  # fmt: skip
        new = insert(SourceSubscription).values(row)
        stands = {name: new.excluded[name] for name in _standing(each, now)}
        await session.execute(
            new.on_conflict_do_update(index_elements=["org_id", "source_id", "external_id"], set_=stands)
        )
    if found:
        await errands.want(session, org_id, subscriptions.RENEW, source_id, {"source_id": str(source_id)})
        await errands.hasten(session, org_id, subscriptions.RENEW, source_id)  # others may be due later


def _standing(told: Subscription, now: datetime) -> dict[str, object]:
    """The columns of one that was made or renewed now."""
    try_at = now + (LOOKED_FOR if told.ends_at is None else (told.ends_at - now) / 2)
    return {
        "url": told.url,
        "about": told.about,
        "state": "active",
        "ends_at": told.ends_at,
        "try_at": try_at,
        "attempts": 0,
        "last_error": None,
    }


async def _retire_unused(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, secret_ids: Sequence[UUID]
) -> None:
    """Nothing proves itself by these secrets any more."""
    await session.flush()
    used = {row.secret_id for row in await subscriptions.of_source(session, org_id, source_id)}
    at = await clock.now(session, org_id)
    for secret_id in sorted(set(secret_ids) - used):
        await session.execute(
            update(SourceSecret)
            .where(SourceSecret.org_id == org_id, SourceSecret.id == secret_id, SourceSecret.retired_at.is_(None))
            .values(retired_at=at)
            .execution_options(synchronize_session=False)
        )


async def _end(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    source_id = UUID(work.payload["source_id"])
    reporter = long_jobs.Reporter(database, org_id, UUID(work.payload["job_id"]))
    async with database.read(org_id) as session:
        rows = await subscriptions.of_source(session, org_id, source_id)
    if not await reporter.advance(done=0, total=len(rows)):
        return
    try:
        async with credentials.asking(database, outside, org_id, source_id) as client:
            for number, row in enumerate(rows, 1):
                await client.unsubscribe(row.external_id)
                await _forget(database, org_id, row)
                if not await reporter.advance(done=number):
                    return
    except Overloaded as error:
        raise Later(timedelta(seconds=min(error.wait, LONGEST_SECONDS))) from None
    except Unreachable:
        raise
    except ClientError as error:
        await reporter.fail(f"The system could not be asked: {error}")
    else:
        await reporter.finish({"ended": len(rows)})


async def _forget(database: Database, org_id: OrganizationId, ended: SourceSubscription) -> None:
    row = SourceSubscription
    async with database.write(org_id) as session:
        await session.execute(
            delete(row).where(
                row.org_id == org_id, row.source_id == ended.source_id, row.external_id == ended.external_id
            )
        )
        await _retire_unused(session, org_id, ended.source_id, [ended.secret_id])


async def _remains(session: AsyncSession, org_id: OrganizationId, work: Work) -> datetime | None:
    row = SourceSubscription
    found = await session.execute(
        select(func.min(row.try_at))
        .join(Source, (Source.org_id == row.org_id) & (Source.id == row.source_id))
        .where(
            row.org_id == org_id,
            Source.org_id == org_id,
            row.source_id == UUID(work.payload["source_id"]),
            Source.archived_at.is_(None),
        )
    )
    at: datetime | None = found.scalar_one()
    return at


@dataclass(frozen=True, slots=True)
class _Due:
    """A subscription that is to be renewed, or looked for where it never ends: by the secret that it has."""

    id: str
    url: str
    secret_id: UUID
    ends: bool
    is_active: bool


async def _renew(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    """Renew what is due; what keeps all from being renewed is told with each."""
    source_id = UUID(work.payload["source_id"])
    due = await _take_due(database, org_id, source_id)
    if not due:
        return
    left = {each.id: each for each in due}
    try:
        async with credentials.asking(database, outside, org_id, source_id) as client:
            for each in due:
                await _renew_one(database, org_id, source_id, client, each)
                del left[each.id]
    except Overloaded as error:
        raise Later(timedelta(seconds=min(error.wait, LONGEST_SECONDS))) from None
    except ClientError as error:
        for each in left.values():
            await _note_failure(database, org_id, source_id, each.id, str(error))


async def _take_due(database: Database, org_id: OrganizationId, source_id: UUID) -> list[_Due]:
    """What is due; what has ended meanwhile is told."""
    async with database.write(org_id) as session:
        now = await database_now(session)
        rows = await subscriptions.of_source(session, org_id, source_id, lock=True)
        for row in rows:
            if row.ends_at is not None and row.ends_at <= now:
                await _become(session, row, "expired")
        is_due = [row for row in rows if row.try_at <= now]
        return [
            _Due(row.external_id, row.url, row.secret_id, row.ends_at is not None, row.state == "active")
            for row in is_due
        ]


async def _renew_one(database: Database, org_id: OrganizationId, source_id: UUID, client: Client, due: _Due) -> None:
    """Note what stands for it now. Raises `AccessRefused`, `Overloaded`."""
    try:
        secret = await _secret(database, org_id, source_id, due.secret_id)
        found = {each.id: each for each in await _standing_for(client, due, secret)}
    except (AccessRefused, Overloaded):
        raise
    except ClientError as error:
        await _note_failure(database, org_id, source_id, due.id, str(error))
        return
    async with database.write(org_id) as session:
        now = await database_now(session)
        rows = {row.external_id: row for row in await subscriptions.of_source(session, org_id, source_id, lock=True)}
        if (row := rows.get(due.id)) is None:
            return  # it was ended meanwhile
        if renewed := found.pop(due.id, None):
            await _become(session, row, "active")
            row.renewed_at = now
            for name, value in _standing(renewed, now).items():
                setattr(row, name, value)
        else:
            row.last_error = (
                "The system had ended it. It was made anew; what changed meanwhile was not told: reconcile."
            )
            await _become(session, row, "expired")
            await session.delete(row)
        await session.flush()  # before rows come in its place
        await _store(session, org_id, source_id, due.secret_id, list(found.values()))


async def _standing_for(client: Client, due: _Due, secret: str) -> Sequence[Subscription]:
    """Itself, renewed or found; where it is gone, or that failed before, what is made anew. Raises `ClientError`."""
    if due.ends and due.is_active:
        return [await client.renew(due.id, due.url, secret)]
    if not due.ends and (there := [each for each in await client.subscriptions() if each.id == due.id]):
        return there
    return await client.subscribe(due.url, secret)


async def _note_failure(
    database: Database, org_id: OrganizationId, source_id: UUID, external_id: str, error: str
) -> None:
    """Try again after a minute, then twice as long each time, at most an hour; and when it ends."""
    async with database.write(org_id) as session:
        now = await database_now(session)
        rows = await subscriptions.of_source(session, org_id, source_id, lock=True)
        for row in rows:
            if row.external_id == external_id:
                wait = min(FIRST_PAUSE * 2 ** min(row.attempts, 10), LONGEST_PAUSE)
                is_over = row.ends_at is not None and row.ends_at <= now
                row.try_at = now + wait if is_over or row.ends_at is None else min(now + wait, row.ends_at)
                row.attempts, row.last_error = row.attempts + 1, error
                await _become(session, row, "expired" if is_over else "failing")


async def _become(session: AsyncSession, row: SourceSubscription, state: str) -> None:
    """Change its state, and tell it: once."""
    if row.state == state:
        return
    before, row.state = row.state, state
    source, _, _ = await find_source(session, row.org_id, row.source_id)
    payload = {
        "source_id": str(source.id),
        "key": source.key,
        "name": source.name,
        "subscription_id": row.external_id,
    }
    if state == "active":
        outbox.publish(session, row.org_id, "source.recovered", {**payload, "from": f"subscription_{before}"})
        return
    ends_at = row.ends_at.isoformat() if row.ends_at else None
    told = {**payload, "ends_at": ends_at, "error": row.last_error}
    outbox.publish(session, row.org_id, f"source.subscription_{state}", told)
