"""Use cases of how an organization judges and decides goals: thresholds, days of grace, rules; as recorded (S5)."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.goals import queries
from app.goals.models import GoalSettings as Row
from app.goals.settings_schemas import GoalSettings, GoalSettingsInput

_AT_THE_BEGINNING = GoalSettings.model_validate(
    {**GoalSettingsInput().model_dump(), "changed_by": None, "recorded_at": None, "version": 0}
)


async def settings_as_known(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> GoalSettings:
    """The settings as recorded by an instant; nobody may change what is given."""

    async def load() -> GoalSettings:
        return await _load(session, queries.settings_as_known(org_id, known_at))

    return await remembered(session, org_id, known_at, "goal settings", load)


async def get_settings(session: AsyncSession, org_id: OrganizationId) -> GoalSettings:
    """The present settings."""
    return await _load(session, queries.settings_now(org_id))


async def set_settings(
    session: AsyncSession, who: Principal, new: GoalSettingsInput, if_match: str | None
) -> GoalSettings:
    """Let other settings hold from now on; answers as of earlier instants keep the old ones."""
    at = await clock.tick(session, who.org_id)
    old = (await session.execute(queries.settings_now(who.org_id))).scalar_one_or_none()
    version = 0 if old is None else old.version
    etags.check(if_match, version)
    if old is not None:
        old.superseded_at = at
        await session.flush()  # before its successor: one present row at a time
    content: dict[str, Any] = new.model_dump()
    row = Row(org_id=who.org_id, recorded_at=at, changed_by=who.label, version=version + 1, **content)
    session.add(row)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "update", "goal-settings", row.row_id, new.model_dump(mode="json"))
    return GoalSettings.model_validate(row)


async def _load(session: AsyncSession, statement: Any) -> GoalSettings:
    row = (await session.execute(statement)).scalar_one_or_none()
    return _AT_THE_BEGINNING if row is None else GoalSettings.model_validate(row)
