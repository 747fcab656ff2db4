"""Use cases of ramps: by which shares the targets of new members grow to the whole (S33)."""

from uuid import UUID

from pydantic import MISSING
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import NotFound
from app.goals import queries
from app.goals.deciding import rights_of
from app.goals.models import GoalRamp
from app.goals.problems import GoalNotYours
from app.goals.settings_schemas import Ramp, RampCreate, RampFilters, RampPage, RampUpdate


class RampNotFound(NotFound):
    """There is no such ramp in this organization."""

    code, title = "ramp-not-found", "Ramp not found"


async def list_ramps(session: AsyncSession, org_id: OrganizationId, wanted: RampFilters) -> RampPage:
    """The ramps, by name."""
    archived = GoalRamp.archived_at
    statement = queries.ramps(org_id).where(archived.is_not(None) if wanted.is_archived else archived.is_(None))
    rows, following = await paginate(session, statement, [Key(GoalRamp.name), Key(GoalRamp.id)], wanted)
    return RampPage(items=[Ramp.model_validate(row) for row in rows], next_cursor=following)


async def get_ramp(session: AsyncSession, org_id: OrganizationId, ramp_id: UUID) -> GoalRamp:
    """One ramp. Raises `RampNotFound`."""
    row = (await session.execute(queries.ramp(org_id, ramp_id))).scalar_one_or_none()
    if row is None:
        raise RampNotFound(f"No ramp {ramp_id}.")
    return row


async def create_ramp(session: AsyncSession, who: Principal, new: RampCreate) -> GoalRamp:
    """Store a ramp. Raises `GoalNotYours`."""
    at = await clock.tick(session, who.org_id)
    await _require(session, who)
    shares = new.model_dump(mode="json")["shares"]
    row = GoalRamp(org_id=who.org_id, name=new.name, shares=shares, created_at=at, archived_at=None, version=1)
    session.add(row)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "create", "goal-ramp", row.id, new.model_dump(mode="json"))
    return row


async def update_ramp(
    session: AsyncSession, who: Principal, ramp_id: UUID, change: RampUpdate, if_match: str | None
) -> GoalRamp:
    """Change a ramp's name, archive it or bring it back. Raises `GoalNotYours`."""
    at = await clock.tick(session, who.org_id)
    await _require(session, who)
    row = await get_ramp(session, who.org_id, ramp_id)
    etags.check(if_match, row.version)
    if change.name is not MISSING:
        row.name = change.name
    if change.is_archived is not MISSING and change.is_archived != (row.archived_at is not None):
        row.archived_at = at if change.is_archived else None
    row.version += 1
    told = change.model_dump(mode="json", exclude_unset=True)
    audit.record(session, who.org_id, who.label, "update", "goal-ramp", ramp_id, told)
    return row


async def archive_ramp(session: AsyncSession, who: Principal, ramp_id: UUID, if_match: str | None) -> None:
    """Give a ramp to no more goals. Raises `GoalNotYours`."""
    await update_ramp(session, who, ramp_id, RampUpdate(is_archived=True), if_match)


async def _require(session: AsyncSession, who: Principal) -> None:
    """Ramps are everybody's: of who sets the organization's goals."""
    if "set" not in (await rights_of(session, who)).over("organization", None):
        raise GoalNotYours("Ramps are made and changed by who may set goals of the organization.")
