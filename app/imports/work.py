"""The steps of an import: each takes some rows and commits, so that a worker that dies leaves nothing half done.

The rows, their verdicts and how far the file is are one transaction: a step that was undone is done again, none twice.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts.access import Principal
from app.accounts.models import ApiKey
from app.calendars import service as calendars
from app.core import jobs
from app.core.db import OrganizationId
from app.events.bulk import Insertion, among
from app.imports import queries, seen
from app.imports.cells import canonical
from app.imports.columns import Heading
from app.imports.files import OpenFiles, forget
from app.imports.kinds.base import REJECTED, Row, Taker, Task, Verdict, read_row
from app.imports.kinds.events import Events
from app.imports.kinds.members import Members
from app.imports.kinds.records import Records
from app.imports.kinds.targets import Targets
from app.imports.kinds.teams import Teams
from app.imports.models import Import, ImportRejection, ImportSeen
from app.imports.permissions import PERMISSIONS
from app.imports.sheets import FileRefusedError
from app.imports.tables import Layout
from app.imports.tables import Row as FoundRow
from app.progress import service as progress

TAKE, CLEAR = "import-rows", "clear-import"
_TAKERS: dict[str, Taker] = {
    "events": Events(),
    "members": Members(),
    "records": Records(),
    "targets": Targets(),
    "teams": Teams(),
}
_REJECTIONS = Insertion(ImportRejection, same=("org_id", "import_id"))
_COUNTED_AT_ONCE = 10_000
_SEEN_AT_ONCE = 20_000
_files = OpenFiles()


async def take_rows(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Take the next rows of each import; the job hands the rest over to its successor."""
    for work in works:
        import_id = UUID(work.payload["import_id"])
        goes_on = await _step(session, org_id, import_id)
        if not goes_on:
            _files.close(import_id)
        await jobs.enqueue(session, org_id, TAKE if goes_on else CLEAR, [work.payload])


async def clear(session: AsyncSession, org_id: OrganizationId, works: Sequence[jobs.Work]) -> None:
    """Remove the file of an import that has ended, and what its dry run remembered, some at a time."""
    for work in works:
        import_id = UUID(work.payload["import_id"])
        mine = (ImportSeen.org_id == org_id, ImportSeen.import_id == import_id)
        keys = (await session.execute(select(ImportSeen.key).where(*mine).limit(_SEEN_AT_ONCE))).scalars().all()
        if keys:
            await session.execute(delete(ImportSeen).where(*mine, among(ImportSeen.key, sorted(set(keys)))))
        if await forget(session, org_id, import_id) or keys:
            await jobs.enqueue(session, org_id, CLEAR, [work.payload])


async def failed(session: AsyncSession, org_id: OrganizationId, work: jobs.Work, error: str) -> None:
    """After the last attempt people are told; what was taken until then stays."""
    if work.attempts + 1 >= jobs.MAX_ATTEMPTS:
        sentence = f"It broke off after {work.attempts + 1} attempts ({error}), by no fault of the file: post it again."
        await progress.fail(session, org_id, UUID(work.payload["import_id"]), sentence)


async def _step(session: AsyncSession, org_id: OrganizationId, import_id: UUID) -> bool:
    """Take some rows; gives whether there is more to do."""
    run = (await session.execute(queries.locked(org_id, import_id))).scalar_one()
    if not await progress.is_open(session, org_id, import_id):
        return False
    taker, layout = _TAKERS[run.kind], Layout(**run.reading)
    most = _COUNTED_AT_ONCE if run.total is None else taker.batch
    try:
        found = await _files.following(session, org_id, import_id, layout, run.position, most)
    except FileRefusedError as refused:
        await progress.fail(session, org_id, import_id, str(refused))
        return False
    if run.total is None:
        return await _count(session, run, found)
    if not found:
        await progress.finish(session, org_id, import_id, run.counts)
        return False
    columns = [Heading(*each) for each in run.columns]
    settings = await calendars.present_settings(session, org_id)
    task = Task(run.id, await _principal(session, run), layout.reading(settings.zone), run.is_dry_run, run.source_id)
    rows = [read_row(number, cells, columns, task.reading) for number, cells in found]
    verdicts = await _verdicts(session, task, taker, rows)
    await _report(session, run, task, columns, list(zip(rows, verdicts, strict=True)))
    run.position = found[-1][0]
    run.doubled_times += sum(row.doubled_times for row in rows)
    run.counts = dict(Counter(run.counts) + Counter(verdict.outcome for verdict in verdicts))
    await session.flush()
    return await progress.advance(session, org_id, import_id, done=sum(run.counts.values()), counts=run.counts)


async def _count(session: AsyncSession, run: Import, found: Sequence[FoundRow]) -> bool:
    """Look through a part of a long file; at its end the rows are taken from the beginning."""
    run.counted += len(found)
    run.position = found[-1][0] if found else 0
    run.total = None if found else run.counted
    await session.flush()
    return await progress.advance(session, OrganizationId(run.org_id), run.id, done=0, total=run.total)


async def _verdicts(session: AsyncSession, task: Task, taker: Taker, rows: Sequence[Row]) -> list[Verdict]:
    """Of each row; those that cannot be read are not even tried."""
    readable = [row for row in rows if not row.wrong]
    decide = taker.foretell if task.is_dry_run else taker.take
    decided = iter(await decide(session, task, readable) if readable else ())
    return [Verdict(REJECTED, row.wrong) if row.wrong else next(decided) for row in rows]


async def _report(
    session: AsyncSession, run: Import, task: Task, columns: Sequence[Heading], judged: Sequence[tuple[Row, Verdict]]
) -> None:
    """Keep the rows that must be mended, as any file may have them; and in a dry run what the others would write."""
    rejections = [
        {
            "row": row.number,
            "cells": [
                canonical(columns[place].value, cell, task.reading) if place < len(columns) else cell
                for place, cell in enumerate(row.cells)
            ],
            "problems": [[wrong.column, wrong.message[:1000]] for wrong in verdict.wrong],
        }
        for row, verdict in judged
        if verdict.wrong
    ]
    await _REJECTIONS.run(session, _REJECTIONS.columns(rejections), org_id=run.org_id, import_id=run.id)
    if task.is_dry_run:
        wrote = [(row.number, verdict.wrote) for row, verdict in judged if verdict.wrote]
        await seen.remember(session, OrganizationId(run.org_id), run.id, wrote)


async def _principal(session: AsyncSession, run: Import) -> Principal:
    """Who posted the file, as the key stands now, with nothing but the permission that was asked for then."""
    org_id = OrganizationId(run.org_id)
    key = (await session.execute(accounts.api_keys(org_id).where(ApiKey.id == run.key_id))).scalar_one()
    permission = PERMISSIONS[run.kind]  # type: ignore[index]  # the database has no others
    return Principal(org_id, key.id, key.name, key.role, frozenset({permission}), key.member_id)
