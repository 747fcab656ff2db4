"""Jobs: work handed over in the transaction that causes it, claimed with SKIP LOCKED.

A job is claimed, done and deleted in one transaction: a worker that dies gives it back at once.
Handlers therefore do nothing that lasts, and no network.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, Uuid, any_, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import database_now
from app.core.db import Base, Identified, OrganizationId, Ready, tenant_table, to_json
from app.core.ids import new_id

MAX_ATTEMPTS = 8


class Job(Identified, Base):
    """Work to be done: a kind, a payload, and when it is due."""

    __tablename__ = "job"
    __table_args__ = tenant_table(Index(None, "org_id", "kind", "run_at"), Index(None, "run_at"))

    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    run_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]


@dataclass(frozen=True)
class Work:
    """A claimed job, as its handler sees it."""

    id: UUID
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class Handler:
    """What does the jobs of one kind: at most `batch` at a time, all in the transaction that claimed them.

    `failed` notes a failure (a class name, no secrets) where people look, in the transaction that puts the job back.
    """

    run: Callable[[AsyncSession, OrganizationId, Sequence[Work]], Awaitable[None]]
    batch: int = 1
    failed: Callable[[AsyncSession, OrganizationId, Work, str], Awaitable[None]] | None = None


Handlers = Mapping[str, Handler]


async def enqueue(session: AsyncSession, org_id: OrganizationId, kind: str, payloads: Sequence[dict[str, Any]]) -> None:
    """Hand work over, due at once."""
    if payloads:
        ids = [new_id() for _ in payloads]
        await _HAND_OVER.rows(session, org=org_id, ids=ids, of_kind=kind, payloads=to_json(list(payloads)))


_HAND_OVER = Ready(
    insert(Job)
    .from_select(
        ["org_id", "id", "kind", "payload"],
        select(
            bindparam("org", type_=Job.org_id.type),
            func.unnest(bindparam("ids", type_=ARRAY(Uuid()))),
            bindparam("of_kind", type_=Job.kind.type),
            func.jsonb_array_elements(bindparam("payloads", type_=JSONB())),
        ),
        include_defaults=False,
    )
    # Of which nothing is read: without it Citus inserts by COPY, which row-level security refuses.
    .returning(Job.org_id)
)


async def due(session: AsyncSession) -> list[tuple[OrganizationId, str]]:
    """Which organizations have which kinds of work due, longest waiting first: read across organizations, no locks.

    Needs the worker's role, outside any organization.
    """
    rows = await session.execute(
        select(Job.org_id, Job.kind)
        .where(Job.run_at <= await database_now(session))
        .group_by(Job.org_id, Job.kind)
        .order_by(func.min(Job.run_at))
    )
    return [(row.org_id, row.kind) for row in rows]


async def claim(session: AsyncSession, org_id: OrganizationId, kind: str, limit: int) -> list[Work]:
    """Take due jobs, oldest first, that nobody else holds; they stay ours until the transaction ends."""
    rows = await _CLAIMED.rows(session, org_id=org_id, kind=kind, most=limit)
    return [Work(row["id"], row["payload"], row["attempts"]) for row in rows]


_CLAIMED = Ready(
    select(Job.id, Job.payload, Job.attempts)
    .where(
        Job.org_id == bindparam("org_id"),
        Job.kind == bindparam("kind"),
        Job.run_at <= select(func.clock_timestamp()).scalar_subquery(),  # asked once, and not of each row
    )
    .order_by(Job.run_at, Job.id)
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
)


async def finish(session: AsyncSession, org_id: OrganizationId, done: Sequence[UUID]) -> None:
    """Remove jobs whose work commits with this transaction."""
    await _FINISHED.rows(session, org_id=org_id, done=done)


_FINISHED = Ready(
    delete(Job).where(Job.org_id == bindparam("org_id"), Job.id == any_(bindparam("done", type_=ARRAY(Uuid()))))
)


async def put_back(session: AsyncSession, org_id: OrganizationId, failed: Work, error: str) -> None:
    """Try a failed job later (1, 2, 4 … seconds, at most an hour); after the last attempt it rests for a day."""
    wait = (
        timedelta(days=1) if failed.attempts + 1 >= MAX_ATTEMPTS else timedelta(seconds=min(2**failed.attempts, 3600))
    )
    await session.execute(
        update(Job)
        .where(Job.org_id == org_id, Job.id == failed.id)
        .values(attempts=failed.attempts + 1, last_error=error[:500], run_at=await database_now(session) + wait)
    )
