"""Files that are imported: taken in piece by piece, kept in the database while they are worked on, and opened again."""

import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool

from app.core.db import OrganizationId
from app.imports.models import ImportChunk
from app.imports.tables import Layout, Row, rows

CHUNK = 1_000_000
_MOST_OPEN = 2
_FORGOTTEN_AT_ONCE = 100


@dataclass(frozen=True)
class Taken:
    """A file that has come whole: on disk, with its size and digest. Whoever has it closes it."""

    file: BinaryIO
    size: int
    digest: bytes


async def take_in(body: AsyncIterator[bytes]) -> Taken:
    """Take a body in, of which little is in memory at a time; of one that breaks off nothing stays."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whoever gets it
    digest, size = hashlib.sha256(), 0
    try:
        async for piece in body:
            digest.update(piece)
            size += len(piece)
            await run_in_threadpool(file.write, piece)
    except BaseException:
        file.close()
        raise
    return Taken(file, size, digest.digest())


async def keep(session: AsyncSession, org_id: OrganizationId, import_id: UUID, file: BinaryIO) -> None:
    """Keep the file in the database: whichever worker has its turn can read it."""
    file.seek(0)
    number = 0
    while content := await run_in_threadpool(file.read, CHUNK):
        values = {"org_id": org_id, "import_id": import_id, "number": number, "content": content}
        await session.execute(insert(ImportChunk).values(values))
        number += 1


async def forget(session: AsyncSession, org_id: OrganizationId, import_id: UUID) -> bool:
    """Remove some of the file; gives whether there was any left."""
    mine = (ImportChunk.org_id == org_id, ImportChunk.import_id == import_id)
    first = select(ImportChunk.number).where(*mine).order_by(ImportChunk.number).limit(_FORGOTTEN_AT_ONCE)
    numbers = (await session.execute(first)).scalars().all()
    if numbers:
        await session.execute(delete(ImportChunk).where(*mine, ImportChunk.number <= numbers[-1]))
    return bool(numbers)


@dataclass
class _Open:
    """A file that is being read, and the number of the row up to which it was."""

    file: BinaryIO
    rows: Generator[Row, None, None]
    position: int


class OpenFiles:
    """The files that this process is reading: a step goes on where the one before ended, without beginning anew.

    Where another process did that one, or it was undone, the file is read again up to there.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[UUID, _Open] = OrderedDict()

    async def following(
        self, session: AsyncSession, org_id: OrganizationId, import_id: UUID, layout: Layout, after: int, most: int
    ) -> list[Row]:
        """The next rows below the header after this number; none at the end."""
        known = self._open.get(import_id)
        if known is None or known.position != after:
            if known is not None:
                known.rows.close()  # before anybody else reads the file
            file = known.file if known else await _spooled(session, org_id, import_id)
            known = self._open[import_id] = _Open(file, rows(file, layout), 0)
            await run_in_threadpool(_skip, known, after)
        self._open.move_to_end(import_id)
        while len(self._open) > _MOST_OPEN:
            self.close(next(iter(self._open)))
        found = await run_in_threadpool(lambda: list(islice(known.rows, most)))
        known.position = found[-1][0] if found else after
        return found

    def close(self, import_id: UUID) -> None:
        """Let go of a file."""
        if (known := self._open.pop(import_id, None)) is not None:
            known.rows.close()
            known.file.close()


def _skip(known: _Open, after: int) -> None:
    """Leave the header behind, and the rows up to this one."""
    header = next(known.rows, None)
    known.position = header[0] if header else 0
    while known.position < after:
        found = next(known.rows, None)
        if found is None:
            return
        known.position = found[0]


async def _spooled(session: AsyncSession, org_id: OrganizationId, import_id: UUID) -> BinaryIO:
    """The file, on disk."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is let go of
    number = 0
    while True:
        wanted = select(ImportChunk.content).where(
            ImportChunk.org_id == org_id, ImportChunk.import_id == import_id, ImportChunk.number == number
        )
        content = (await session.execute(wanted)).scalar_one_or_none()
        if content is None:
            return file
        await run_in_threadpool(file.write, content)
        number += 1
