"""Use cases of named periods: an organization's own words for runs of days."""

from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars import queries, schemas
from app.calendars.models import NamedPeriod
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed, constraint_problem

_CONTENT = ("key", "name", "first_day", "last_day")


class NamedPeriodNotFound(NotFound):
    """There is no such named period in this organization."""

    code, title = "named-period-not-found", "Named period not found"


class PeriodKeyTaken(Conflict):
    """Another named period of the organization has this key already: choose another."""

    code, title = "period-key-taken", "Period key taken"


constraint_problem("uq_named_period_key", PeriodKeyTaken)


async def list_named_periods(
    session: AsyncSession, org_id: OrganizationId, query: PageQuery
) -> schemas.NamedPeriodPage:
    """The named periods, in time order."""
    keys = [Key(NamedPeriod.first_day), Key(NamedPeriod.id)]
    rows, following = await paginate(session, queries.current_periods(org_id), keys, query)
    return schemas.NamedPeriodPage(
        items=[schemas.NamedPeriod.model_validate(row) for row in rows], next_cursor=following
    )


async def get_named_period(session: AsyncSession, org_id: OrganizationId, period_id: UUID) -> NamedPeriod:
    """One named period as it is now. Raises `NamedPeriodNotFound`."""
    found = await session.execute(queries.current_periods(org_id).where(NamedPeriod.id == period_id))
    if (row := found.scalar_one_or_none()) is None:
        raise NamedPeriodNotFound(f"No named period {period_id}.")
    return row


async def create_named_period(session: AsyncSession, who: Principal, new: schemas.NamedPeriodCreate) -> NamedPeriod:
    """Give days a name. Raises `PeriodKeyTaken`."""
    at = await clock.tick(session, who.org_id)
    _check(new.first_day, new.last_day)
    taken = await session.execute(queries.current_periods(who.org_id).where(NamedPeriod.key == new.key))
    if taken.first() is not None:
        raise PeriodKeyTaken(f"There is a period {new.key} already: change that, or choose another key.")
    row = NamedPeriod(org_id=who.org_id, recorded_at=at, created_at=at, version=1, **new.model_dump())
    session.add(row)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "create", "named-period", row.id, new.model_dump(mode="json"))
    return row


async def update_named_period(
    session: AsyncSession, who: Principal, period_id: UUID, change: schemas.NamedPeriodUpdate, if_match: str | None
) -> NamedPeriod:
    """Record a new revision; answers as of an earlier instant keep the old days."""
    at = await clock.tick(session, who.org_id)
    old = await get_named_period(session, who.org_id, period_id)
    etags.check(if_match, old.version)
    content = {field: getattr(old, field) for field in _CONTENT} | change.model_dump(exclude_unset=True)
    _check(content["first_day"], content["last_day"])
    row = NamedPeriod(
        org_id=who.org_id, id=old.id, recorded_at=at, created_at=old.created_at, version=old.version + 1, **content
    )
    old.superseded_at = at
    await session.flush()  # the old revision first: one current row at a time
    session.add(row)
    await session.flush()  # the answer shows the stored row
    changed = change.model_dump(mode="json", exclude_unset=True)
    audit.record(session, who.org_id, who.label, "update", "named-period", row.id, changed)
    return row


async def delete_named_period(session: AsyncSession, who: Principal, period_id: UUID, if_match: str | None) -> None:
    """End a name; what was asked with it keeps its days."""
    at = await clock.tick(session, who.org_id)
    old = await get_named_period(session, who.org_id, period_id)
    etags.check(if_match, old.version)
    old.superseded_at = at
    audit.record(session, who.org_id, who.label, "delete", "named-period", period_id, {"key": old.key})


def _check(first: date, last: date) -> None:
    if last < first:
        message = f"must not be earlier than first_day ({first}): it is the last day that belongs to the period"
        raise ValidationFailed.at("/last_day", message, "range_empty")
