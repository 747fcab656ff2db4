"""Use cases of imports: begin one, look at it, get its rejected rows."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, jobs
from app.core.clock import database_now
from app.core.db import Database
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import NotFound, Problem, ValidationFailed
from app.core.spreadsheets import BYTE_ORDER_MARK, csv_text, harmless
from app.events.sources import Source
from app.imports import queries, schemas
from app.imports.columns import COLUMNS, PROBLEM_COLUMNS, Kind, template
from app.imports.files import Taken, keep
from app.imports.kinds.records import cannot_import
from app.imports.models import Import, ImportRejection
from app.imports.permissions import PERMISSIONS, kinds_of, require
from app.imports.tables import Inspected
from app.imports.work import TAKE
from app.progress import service as progress
from app.progress.models import LongJob

_SHOWN = 20
_PAGE = 1_000


class ImportNotFound(NotFound):
    """There is no such import in this organization, or the key may not import such things."""

    code, title = "import-not-found", "Import not found"


class FileNotReadable(Problem):
    """The file cannot be read, or is beyond a limit: the detail says where, or names the limit."""

    status, code, title = 422, "file-not-readable", "File not readable"


class FileNotUnderstood(Problem):
    """The file's header does not name the columns as this kind of import knows them: the detail says which."""

    status, code, title = 422, "file-not-understood", "File not understood"


async def source_of(session: AsyncSession, who: Principal, query: schemas.ImportQuery) -> UUID | None:
    """The source that the rows go to, if they go to one. Raises `ValidationFailed` at `?source`."""
    require(who, query.kind)
    if query.kind not in {"events", "records"}:
        if query.source is not None:
            raise ValidationFailed.at("?source", f"An import of {query.kind} has no source.", "source_unused")
        return None
    if query.kind == "records" and query.source is None:
        raise ValidationFailed.at("?source", "Name the connected CRM whose records they are.", "missing")
    key = query.source or "api"
    found = await session.execute(
        select(Source.id, Source.system).where(
            Source.org_id == who.org_id, Source.key == key, Source.archived_at.is_(None)
        )
    )
    if (source := found.one_or_none()) is None:
        raise ValidationFailed.at("?source", f"No source has the key {key}.", "source_unknown")
    if query.kind == "events" and source.system != "api":
        raise ValidationFailed.at("?source", f"Only the adapter of {key} writes its events.", "source_not_yours")
    if query.kind == "records" and (why := await cannot_import(session, who.org_id, source.id)) is not None:
        raise ValidationFailed.at("?source", why, "source_without_records")
    return UUID(str(source.id))


async def begin_import(
    session: AsyncSession, who: Principal, query: schemas.ImportQuery, taken: Taken, inspected: Inspected
) -> schemas.ImportDetail:
    """Keep a file that can be read, and hand it over to be worked on."""
    source_id = await source_of(session, who, query)
    import_id = new_id()
    await progress.begin(
        session,
        who.org_id,
        kind="import",
        subject={"type": "import", "id": str(import_id), "name": query.name},
        permission=PERMISSIONS[query.kind],
        created_by=who.label,
        total=inspected.total,
        job_id=import_id,
    )
    run = Import(
        org_id=who.org_id,
        id=import_id,
        kind=query.kind,
        format=inspected.layout.format,
        is_dry_run=query.dry_run,
        file_name=query.name,
        size=taken.size,
        digest=taken.digest,
        source_id=source_id,
        key_id=who.key_id,
        reading=inspected.layout.to_json(),
        columns=[[each.header, each.name, each.value] for each in inspected.columns],
        total=inspected.total,
        counted=0,
        position=0,
        counts={},
        doubled_times=0,
        created_at=await database_now(session),
    )
    session.add(run)
    await session.flush()  # its file refers to it
    await keep(session, who.org_id, import_id, taken.file)
    told = {"kind": query.kind, "dry_run": query.dry_run, "rows": inspected.total, "sha256": taken.digest.hex()}
    audit.record(session, who.org_id, who.label, "create", "import", import_id, told)
    await jobs.enqueue(session, who.org_id, TAKE, [{"import_id": str(import_id)}])
    return await get_import(session, who, import_id)


async def list_imports(session: AsyncSession, who: Principal, query: schemas.ImportsQuery) -> schemas.ImportPage:
    """The imports that a query asks for and the caller may see, the newest first."""
    kinds = [kind for kind in kinds_of(who) if query.kind in {None, kind}]
    wanted = queries.imports(who.org_id, kinds)
    if query.state is not None:
        wanted = wanted.where(LongJob.state == query.state)
    keys = [Key(Import.created_at, descending=True), Key(Import.id, descending=True)]
    rows, following = await paginate(session, wanted, keys, query)
    return schemas.ImportPage(items=[schemas.Import(**_shown(*row)) for row in rows], next_cursor=following)


async def get_import(session: AsyncSession, who: Principal, import_id: UUID) -> schemas.ImportDetail:
    """One import, with the first things that are wrong in it. Raises `ImportNotFound`."""
    found = await session.execute(queries.imports(who.org_id, kinds_of(who)).where(Import.id == import_id))
    row = found.one_or_none()
    if row is None:
        raise ImportNotFound(f"No import {import_id}.")
    first = (await session.execute(queries.rejections(who.org_id, import_id, 0, _SHOWN))).scalars()
    problems = [
        schemas.RowProblem(row=each.row, column=column, message=message)
        for each in first
        for column, message in each.problems
    ]
    return schemas.ImportDetail(**_shown(*row), problems=problems[:_SHOWN])


def _shown(run: Import, job: LongJob) -> dict[str, Any]:  # Any: fields of `schemas.Import`
    same = ("id", "kind", "format", "size", "source_id", "total", "counts", "doubled_times", "created_at")
    of_job = ("state", "done", "error", "started_at", "finished_at", "version")
    return {
        **{name: getattr(run, name) for name in same},
        **{name: getattr(job, name) for name in of_job},
        "dry_run": run.is_dry_run,
        "name": run.file_name,
        "sha256": run.digest.hex(),
        "reading": schemas.ReadingOfFile.model_validate(
            {name: run.reading.get(name) for name in schemas.ReadingOfFile.model_fields}
        ),
        "columns": [schemas.ColumnRead(header=header, column=name) for header, name, _ in run.columns],
    }


async def rejected_rows(database: Database, who: Principal, shown: schemas.ImportDetail) -> AsyncIterator[bytes]:
    """The rejected rows as a CSV that can be mended and posted again as it is, some at a time.

    Where numbers have a decimal comma a semicolon parts the cells, by which the same is found out again.
    """
    columns = [each.header for each in shown.columns]
    delimiter = ";" if shown.reading.decimal == "," else ","
    yield (BYTE_ORDER_MARK + csv_text([[*columns, *PROBLEM_COLUMNS]], delimiter)).encode()
    after = 0
    while True:
        async with database.read(who.org_id) as session:
            wanted = queries.rejections(who.org_id, shown.id, after, _PAGE)
            found = (await session.execute(wanted)).scalars().all()
            lines = [_line(each, len(columns)) for each in found]
            after = found[-1].row if found else after
        if not lines:
            return
        yield csv_text(lines, delimiter).encode()


def _line(rejection: ImportRejection, width: int) -> list[str]:
    """The cells, and what is wrong with them; cells beyond the header's are told of, and left out."""
    columns = [column for column, _ in rejection.problems if column]
    told = "; ".join(f"{column}: {message}" if column else message for column, message in rejection.problems)
    cells = [harmless(cell) for cell in rejection.cells[:width]]
    return [*cells, *[""] * (width - len(cells)), str(rejection.row), ", ".join(dict.fromkeys(columns)), told]


def columns_of(kind: Kind) -> schemas.ImportColumns:
    """The columns that a kind of import reads."""
    return schemas.ImportColumns(
        kind=kind,
        columns=[
            schemas.ColumnToWrite(
                name=each.name, type=each.value, meaning=each.meaning, example=each.example, required=each.required
            )
            for each in COLUMNS[kind]
            if each.name
        ],
    )


def template_of(kind: Kind) -> bytes:
    """A file with the header and one row of examples."""
    columns = template(kind)
    lines = [[each.name for each in columns], [each.example for each in columns]]
    return (BYTE_ORDER_MARK + csv_text(lines)).encode()
