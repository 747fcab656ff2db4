"""What a new goal is made of: its owner, KPI, days and currency, refused where they do not go together.

A transaction that holds the organization's clock, so that nobody changes what is configured, loads it once for all of
its goals.
"""

from collections.abc import Awaitable, Callable, Hashable
from datetime import date
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.calendars import service as calendars
from app.calendars.periods import (
    LONGEST_RUN_OF_DAYS,
    CalendarSettings,
    DayRange,
    PeriodError,
    local_day,
    parse_period,
)
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import ErrorItem, ValidationFailed
from app.goals import queries, schemas
from app.goals.models import Goal
from app.goals.yields import require_yields
from app.kpis import service as kpis
from app.kpis.expressions.checker import nearest
from app.kpis.schemas import Kpi
from app.kpis.service import KpiNotFound

_T = TypeVar("_T")


async def goal_of(session: AsyncSession, org_id: OrganizationId, new: schemas.GoalCreate) -> tuple[Goal, Kpi]:
    """The goal that is asked for, not stored and without state and instants, and its KPI. Raises `ValidationFailed`."""
    kpi = await _kpi(session, org_id, new.kpi)
    period = await _period(session, org_id, new.period)
    await require_owner(session, org_id, new.owner)
    is_money = kpi.unit.kind == "money"
    if new.yields is not None:
        await require_yields(session, org_id, new.yields, kpi)
    goal = Goal(
        org_id=org_id,
        name=new.name,
        description=new.description,
        team_id=new.owner.id if new.owner.type == "team" else None,
        member_id=new.owner.id if new.owner.type == "member" else None,
        kpi_key=kpi.key,
        direction=kpi.direction,
        period=period.label,
        start_on=period.start,
        end_on=period.end,
        currency=await _currency(session, org_id, new.currency, is_money=is_money),
        rate_set=await _rate_set(session, org_id, new.rate_set, is_money=is_money),
        yields=new.yields,
        version=1,
    )
    return goal, kpi


async def today_of(session: AsyncSession, org_id: OrganizationId) -> date:
    """The local day by the organization's clock."""
    return await _once(session, "today", partial(_today, session, org_id))


async def kpi_of(session: AsyncSession, org_id: OrganizationId, key: str) -> Kpi:
    """A KPI with its latest version. Raises `KpiNotFound`."""
    return await _once(session, ("kpi", key), partial(kpis.get_kpi, session, org_id, key))


async def days_of(session: AsyncSession, org_id: OrganizationId, text: str) -> DayRange:
    """The days of a period as it is written. Raises `PeriodError`."""
    return parse_period(text, await today_of(session, org_id), await _settings(session, org_id))


async def _today(session: AsyncSession, org_id: OrganizationId) -> date:
    return local_day(await clock.now(session, org_id), (await _settings(session, org_id)).zone)


async def _settings(session: AsyncSession, org_id: OrganizationId) -> CalendarSettings:
    return await _once(session, "calendar settings", partial(calendars.present_settings, session, org_id))


async def _once(session: AsyncSession, key: Hashable, load: Callable[[], Awaitable[_T]]) -> _T:
    if not clock.is_locked(session):
        return await load()
    known: dict[Hashable, _T] = session.info.setdefault("of goals", {})
    if key not in known:
        known[key] = await load()
    return known[key]


async def _kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> Kpi:
    try:
        kpi = await kpi_of(session, org_id, key)
    except KpiNotFound as problem:
        keys = (await session.execute(queries.kpi_keys(org_id))).scalars()
        item = ErrorItem(
            pointer="/kpi", message=problem.detail, code="kpi_unknown", suggestion=nearest(key, list(keys))
        )
        raise ValidationFailed(problem.detail, [item]) from None
    if kpi.state == "archived":
        raise ValidationFailed.at("/kpi", f"The KPI {key} is archived.", "kpi_archived")
    return kpi


async def _period(session: AsyncSession, org_id: OrganizationId, text: str) -> DayRange:
    try:
        period = await days_of(session, org_id, text)
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period") from None
    if period.days > LONGEST_RUN_OF_DAYS:
        message = f"A goal runs for at most {LONGEST_RUN_OF_DAYS} days; {period.label} has {period.days}."
        raise ValidationFailed.at("/period", message, "period_too_long")
    return period


async def require_owner(session: AsyncSession, org_id: OrganizationId, owner: schemas.OwnerInput) -> None:
    """Raises `ValidationFailed` at `/owner/id` unless such a team or member is there, and not archived."""
    if owner.id is None:
        return
    find = queries.team if owner.type == "team" else queries.member
    found = (await session.execute(find(org_id, owner.id))).one_or_none()
    if found is None:
        raise ValidationFailed.at("/owner/id", f"There is no {owner.type} {owner.id}.", "owner_unknown")
    if found.archived_at is not None:
        raise ValidationFailed.at("/owner/id", f"The {owner.type} {owner.id} is archived.", "owner_archived")


async def _currency(
    session: AsyncSession, org_id: OrganizationId, currency: str | None, *, is_money: bool
) -> str | None:
    if not is_money:
        if currency is not None:
            raise ValidationFailed.at("/currency", "The KPI's values are not money.", "currency_without_money")
        return None
    load = partial(accounts.get_organization, session, org_id)
    return currency or (await _once(session, "organization", load)).currency


async def _rate_set(session: AsyncSession, org_id: OrganizationId, key: str | None, *, is_money: bool) -> str | None:
    if key is None:
        return None
    if not is_money:
        raise ValidationFailed.at("/rate_set", "The KPI's values are not money.", "rate_set_without_money")
    if (await session.execute(queries.rate_set(org_id, key))).first() is None:
        raise ValidationFailed.at("/rate_set", f"There is no set of exchange rates {key!r}.", "rate_set_unknown")
    return key
