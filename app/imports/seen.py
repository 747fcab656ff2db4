"""What a dry run remembers of the rows that it took: those that come after may stand on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events.bulk import Insertion, among
from app.imports.models import ImportSeen

_SEEN = Insertion(ImportSeen, same=("org_id", "import_id"))


async def remember(
    session: AsyncSession,
    org_id: OrganizationId,
    import_id: UUID,
    wrote: Iterable[tuple[int, Mapping[str, dict[str, Any]]]],  # Any: JSON
) -> None:
    """Keep what rows (by number) would have written."""
    told = [
        {"key": key, "row": number, "state": state} for number, states in wrote for key, state in sorted(states.items())
    ]
    await _SEEN.run(session, _SEEN.columns(told), org_id=org_id, import_id=import_id)


async def seen_states(
    session: AsyncSession, org_id: OrganizationId, import_id: UUID, keys: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What stands under each key by the last row that wrote it."""
    found = await session.execute(
        select(ImportSeen.key, ImportSeen.state)
        .where(ImportSeen.org_id == org_id, ImportSeen.import_id == import_id, among(ImportSeen.key, keys))
        .order_by(ImportSeen.row)
    )
    return {row.key: row.state for row in found}


async def seen_rows(
    session: AsyncSession, org_id: OrganizationId, import_id: UUID, keys: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """The rows that wrote any of the keys, by number."""
    found = await session.execute(
        select(ImportSeen.row, ImportSeen.state)
        .where(ImportSeen.org_id == org_id, ImportSeen.import_id == import_id, among(ImportSeen.key, keys))
        .order_by(ImportSeen.row)
    )
    return {row.row: row.state for row in found}
