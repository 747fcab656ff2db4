"""Remembers on which day an API key was last used, beside the requests that use it."""

import asyncio
from datetime import date
from uuid import UUID

from sqlalchemy import update

from app.accounts.models import ApiKey
from app.core.db import Database, OrganizationId
from app.core.telemetry import log

PATIENCE_SECONDS = 0.2


class KeyUse:
    """Writes the day of use, in short transactions of their own: once a day and key, whatever the number of requests.

    A process that could not write does not try again that day: what is kept is a hint, and no request may pay for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[UUID, date] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def note(self, org_id: OrganizationId, key_id: UUID, known: date | None, today: date) -> None:
        """The key is used today, and was last known to be on another day: usually written when this returns.

        Never raises, and waits for a slow database no longer than a moment: the writing then goes on by itself.
        """
        if known == today or self._noted.get(key_id) == today:
            return
        self._noted[key_id] = today
        task = asyncio.create_task(self._write(org_id, key_id, today))
        self._writing.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)

    async def finish(self) -> None:
        """Wait for what is still being written, before the connections are closed."""
        if self._writing:
            await asyncio.wait(self._writing)

    async def _write(self, org_id: OrganizationId, key_id: UUID, today: date) -> None:
        async with self._database.write(org_id) as session:
            await session.execute(
                update(ApiKey)
                .where(ApiKey.org_id == org_id, ApiKey.id == key_id)
                .values(last_used_on=today)
                .execution_options(synchronize_session=False)
            )

    def _done(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("key-use-not-written", error=str(error))
