"""Kinds whose rows are use cases of their own, one after the other: a bad one is undone, and the rest goes on.

A dry run takes them in earnest and undoes all of it. Rows of earlier steps that they stand on (a manager, a parent
team) are taken again first, so that a verdict is the one that the import itself would give.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.imports.kinds.base import REJECTED, Row, RowRefusedError, Task, Verdict
from app.imports.seen import seen_rows


class Rehearsed:
    """Base of such kinds: `apply` takes one row, and `keys` tells what it writes and stands on."""

    batch = 50

    async def apply(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, set[str]]:
        """Take one row: the outcome (created, updated, unchanged), and the keys of what it wrote.

        Raises `RowRefusedError`.
        """
        raise NotImplementedError

    def keys(self, row: Row) -> set[str]:
        """The keys of all that the row concerns."""
        raise NotImplementedError

    async def take(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        # Before anything can be undone: the clock is the whole transaction's.
        await clock.tick(session, task.who.org_id)
        return [await self._verdict(session, task, row) for row in rows]

    async def foretell(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        before = await self._stood_on(session, task, rows)
        rehearsal = await session.begin_nested()
        try:
            await self.take(session, task, before)
            return await self.take(session, task, rows)
        finally:
            await rehearsal.rollback()
            for known in ("recorded_at", "configured"):  # of the clock, which did not move after all
                session.info.pop(known, None)

    async def _stood_on(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Row]:
        """The rows before these that wrote what they concern, and what those concern in turn."""
        found: dict[int, Row] = {}
        asked: set[str] = set()
        while wanted := {key for row in [*rows, *found.values()] for key in self.keys(row)} - asked:
            told = await seen_rows(session, task.who.org_id, task.id, sorted(wanted))
            found |= {number: Row(number, [], state) for number, state in told.items() if number not in found}
            asked |= wanted
        return [found[number] for number in sorted(found)]

    async def _verdict(self, session: AsyncSession, task: Task, row: Row) -> Verdict:
        try:
            async with session.begin_nested():
                outcome, wrote = await self.apply(session, task, row)
        except RowRefusedError as refused:
            return Verdict(REJECTED, [refused.wrong])
        return Verdict(outcome, wrote=dict.fromkeys(wrote, row.values) if task.is_dry_run else {})
