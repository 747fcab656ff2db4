"""Secrets of sources as they are kept: where each is bound to, and sealing all of them anew."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import Database, OrganizationId
from app.core.sealing import Keyring, keyring_of, place_of
from app.integrations.models import SourceCredentials, SourceDirectory, SourceSecret

SECRET, CREDENTIALS, TOKEN = "secret", "credentials", "token"
STEP = 100  # texts of one transaction

_KEPT: Sequence[tuple[type[SourceSecret | SourceCredentials], InstrumentedAttribute[str | None], str]] = (
    (SourceSecret, SourceSecret.secret, SECRET),
    (SourceCredentials, SourceCredentials.sealed, CREDENTIALS),
    (SourceCredentials, SourceCredentials.token, TOKEN),
)
"""Every column that holds sealed texts, and their purpose."""


def seal(session: AsyncSession, org_id: OrganizationId, source_id: UUID, purpose: str, text: str) -> str:
    """The text as it may be stored. Raises `EncryptionKeysMissing`."""
    return keyring_of(session).seal(text, place_of(org_id, source_id, purpose))


def opened(keyring: Keyring, org_id: OrganizationId, source_id: UUID, purpose: str, texts: Sequence[str]) -> list[str]:
    """What was sealed for the source. Raises `CannotOpen`."""
    place = place_of(org_id, source_id, purpose)
    return [keyring.open(text, place) for text in texts]


async def seal_anew(database: Database) -> int:
    """Seal by the first key all that another one sealed, and what is plain from before; gives how many texts.

    In steps, beside the running service: a text that changes meanwhile is sealed by whoever changes it. Raises
    `EncryptionKeysMissing`, and `CannotOpen` where a key is missing.
    """
    current = database.keyring.current
    async with database.directory() as session:
        found = await session.execute(select(SourceDirectory.org_id).distinct().order_by(SourceDirectory.org_id))
        organizations = [OrganizationId(org_id) for org_id in found.scalars()]
    done = 0
    for org_id in organizations:
        for table, column, purpose in _KEPT:
            while step := await _step(database, org_id, table, column, purpose, current):
                done += step
    return done


async def _step(
    database: Database,
    org_id: OrganizationId,
    table: type[SourceSecret | SourceCredentials],
    column: InstrumentedAttribute[str | None],
    purpose: str,
    current: str,
) -> int:
    wanted: Select[UUID, str | None] = (
        select(table.source_id, column)
        .where(table.org_id == org_id, column.is_not(None), ~column.startswith(current, autoescape=True))
        .order_by(table.source_id)
        .limit(STEP)
    )
    async with database.write(org_id) as session:
        rows = [(source_id, text) for source_id, text in await session.execute(wanted) if text is not None]
        for source_id, text in rows:
            [plain] = opened(database.keyring, org_id, source_id, purpose, [text])
            await session.execute(
                update(table)
                .where(table.org_id == org_id, table.source_id == source_id, column == text)
                .values({column.key: seal(session, org_id, source_id, purpose, plain)})
                .execution_options(synchronize_session=False)
            )
    return len(rows)
