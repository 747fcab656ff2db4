"""The progress of a job as it comes, as Server-Sent Events."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi.sse import format_sse_event

from app.accounts.access import Principal
from app.core.db import Database
from app.progress import schemas, service

PAUSE = 0.5
HEARTBEAT = 15.0
"""Seconds between looks, and after which a comment tells proxies that the connection lives."""


async def progress_of(database: Database, who: Principal, first: schemas.Job) -> AsyncIterator[bytes]:
    """An event with the job now, whenever it has changed, and when it ended: `progress`, and last `end`."""
    job, told_at = first, time.monotonic()
    yield _event(job)
    while job.state not in service.ENDED:
        await asyncio.sleep(PAUSE)
        found = await _look(database, who, first.id)
        if found.version != job.version:
            job, told_at = found, time.monotonic()
            yield _event(job)
        elif time.monotonic() - told_at > HEARTBEAT:
            told_at = time.monotonic()
            yield b": still at it\n\n"


async def _look(database: Database, who: Principal, job_id: UUID) -> schemas.Job:
    async with database.read(who.org_id) as session:
        return await service.get_job(session, who, job_id)


def _event(job: schemas.Job) -> bytes:
    kind = "end" if job.state in service.ENDED else "progress"
    return format_sse_event(data_str=job.model_dump_json(), event=kind, id=str(job.version))
