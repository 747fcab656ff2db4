"""Use cases of working calendars, and what other domains ask of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.calendars import queries, schemas
from app.calendars.fiscal import FiscalName, FiscalPattern, FiscalWeekRule
from app.calendars.models import WorkCalendarRow
from app.calendars.national import public_holidays, subdivisions_by_country
from app.calendars.periods import CalendarSettings, DayRange
from app.calendars.working import WorkCalendar, WorkInterval
from app.core import audit, clock, etags
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import NotFound, ValidationFailed
from app.core.schemas import zone

_CONTENT = (
    "name", "time_zone", "weekdays", "country", "subdivision", "holidays", "extra_working_days", "is_default"
)  # fmt: skip


class CalendarNotFound(NotFound):
    """There is no such calendar in this organization."""

    code, title = "calendar-not-found", "Calendar not found"


async def calendar_settings(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> CalendarSettings:
    """How the organization cut time as recorded by `known_at`; before its beginning, as at its beginning."""
    load = partial(_load_settings, session, org_id, known_at)
    return await remembered(session, org_id, known_at, "calendar settings", load)


async def _load_settings(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> CalendarSettings:
    settings = await accounts.settings_as_known(session, org_id, known_at)
    if settings is None:
        settings = await accounts.first_settings(session, org_id, known_at)
    named = (await session.execute(queries.periods_as_known(org_id, known_at))).scalars()
    return CalendarSettings(
        zone(settings.time_zone),
        settings.week_starts_on,
        settings.fiscal_year_starts,
        cast("FiscalName", settings.fiscal_year_named_after),
        cast("FiscalPattern", settings.fiscal_pattern),
        cast("FiscalWeekRule", settings.fiscal_week_rule),
        {period.key: DayRange(period.first_day, period.last_day + timedelta(days=1)) for period in named},
    )


async def present_settings(session: AsyncSession, org_id: OrganizationId) -> CalendarSettings:
    """How the organization cuts time by all that is recorded, also where its clock was set before that."""
    return await calendar_settings(session, org_id, await clock.last_recorded(session, org_id))


@dataclass(frozen=True, slots=True)
class Calendars:
    """The working calendars of an organization as recorded by an instant."""

    default: WorkCalendar
    by_id: Mapping[UUID, WorkCalendar]

    def of(self, calendar_id: UUID | None) -> WorkCalendar:
        """Somebody's own calendar; the organization's where they have none, or theirs was deleted."""
        return self.default if calendar_id is None else self.by_id.get(calendar_id, self.default)


async def calendars_as_known(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Calendars:
    """All calendars as recorded by `known_at`; by default Monday to Friday without holidays."""
    load = partial(_load_calendars, session, org_id, known_at)
    return await remembered(session, org_id, known_at, "calendars", load)


async def _load_calendars(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Calendars:
    cut = await calendar_settings(session, org_id, known_at)
    rows = (await session.execute(queries.calendars_as_known(org_id, known_at))).scalars().all()
    default = next((row for row in rows if row.is_default), None)
    return Calendars(
        WorkCalendar("Monday to Friday", cut.zone) if default is None else _plain(default, cut),
        {row.id: _plain(row, cut) for row in rows},
    )


async def organization_calendar(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> WorkCalendar:
    """The default calendar as recorded by `known_at`."""
    return (await calendars_as_known(session, org_id, known_at)).default


async def list_calendars(session: AsyncSession, org_id: OrganizationId, query: PageQuery) -> schemas.CalendarPage:
    """The calendars, oldest first."""
    keys = [Key(WorkCalendarRow.created_at), Key(WorkCalendarRow.id)]
    rows, following = await paginate(session, queries.current_calendars(org_id), keys, query)
    return schemas.CalendarPage(items=[schemas.Calendar.model_validate(row) for row in rows], next_cursor=following)


async def get_calendar(session: AsyncSession, org_id: OrganizationId, calendar_id: UUID) -> WorkCalendarRow:
    """One calendar as it is now. Raises `CalendarNotFound`."""
    found = (await session.execute(queries.current_calendar(org_id, calendar_id))).scalar_one_or_none()
    if found is None:
        raise CalendarNotFound(f"No calendar {calendar_id}.")
    return found


async def create_calendar(session: AsyncSession, who: Principal, new: schemas.CalendarCreate) -> WorkCalendarRow:
    """Store a calendar, and make it the organization's where it says so."""
    at = await clock.tick(session, who.org_id)
    row = _revision(who.org_id, at, new.model_dump(mode="python"))
    row.created_at, row.version = at, 1
    await _store(session, row)
    audit.record(session, who.org_id, who.label, "create", "calendar", row.id, new.model_dump(mode="json"))
    return row


async def update_calendar(
    session: AsyncSession, who: Principal, calendar_id: UUID, change: schemas.CalendarUpdate, if_match: str | None
) -> WorkCalendarRow:
    """Record a new revision; answers as of an earlier instant keep the old one."""
    at = await clock.tick(session, who.org_id)
    old = await get_calendar(session, who.org_id, calendar_id)
    etags.check(if_match, old.version)
    # Whole weekdays, also those that were left out as free.
    wanted = {name: value for name, value in change.model_dump().items() if name in change.model_fields_set}
    row = _revision(who.org_id, at, {field: getattr(old, field) for field in _CONTENT} | wanted)
    row.id, row.created_at, row.version = old.id, old.created_at, old.version + 1
    old.superseded_at = at
    await _store(session, row)
    audit.record(
        session, who.org_id, who.label, "update", "calendar", row.id, change.model_dump(mode="json", exclude_unset=True)
    )
    return row


async def delete_calendar(session: AsyncSession, who: Principal, calendar_id: UUID, if_match: str | None) -> None:
    """End a calendar; what was computed as of earlier instants keeps it."""
    at = await clock.tick(session, who.org_id)
    old = await get_calendar(session, who.org_id, calendar_id)
    etags.check(if_match, old.version)
    old.superseded_at = at
    audit.record(session, who.org_id, who.label, "delete", "calendar", calendar_id)


async def _store(session: AsyncSession, row: WorkCalendarRow) -> None:
    if row.is_default:
        await _dethrone(session, row)
    await session.flush()  # the old revisions first: one current row, and one default, at a time
    session.add(row)
    await session.flush()  # the answer shows the stored row


async def _dethrone(session: AsyncSession, successor: WorkCalendarRow) -> None:
    """End the default revision of another calendar and record that it is the default no more."""
    found = await session.execute(queries.current_calendars(successor.org_id).where(queries.row.is_default))
    old = found.scalar_one_or_none()
    if old is None or old.id == successor.id:
        return
    old.superseded_at = successor.recorded_at
    row = _revision(old.org_id, successor.recorded_at, {field: getattr(old, field) for field in _CONTENT})
    row.id, row.created_at, row.version, row.is_default = old.id, old.created_at, old.version + 1, False
    await session.flush()  # before its own successor
    session.add(row)


def _revision(org_id: OrganizationId, at: datetime, content: dict[str, Any]) -> WorkCalendarRow:
    try:
        WorkCalendar(content["name"], zone("UTC"), _intervals(content["weekdays"]))
    except ValueError as error:
        raise ValidationFailed.at("/weekdays", str(error), "working_hours") from None
    return WorkCalendarRow(
        org_id=org_id,
        recorded_at=at,
        country_holidays=_days_off(content["country"], content["subdivision"]),
        **content,
    )


def _days_off(country: str | None, subdivision: str | None) -> list[Any]:
    if country is None:
        if subdivision is not None:
            raise ValidationFailed.at("/subdivision", "A subdivision needs its country.", "country_missing")
        return []
    known = subdivisions_by_country()
    if country not in known:
        raise ValidationFailed.at("/country", f"No public holidays are known of {country}.", "country_unknown")
    if subdivision is not None and subdivision not in known[country]:
        some = ", ".join(known[country][:20]) or "none"
        raise ValidationFailed.at("/subdivision", f"{country} has the subdivisions {some}.", "subdivision_unknown")
    return list(public_holidays(country, subdivision))


def _intervals(weekdays: Mapping[str, list[dict[str, str]]]) -> dict[int, tuple[WorkInterval, ...]]:
    """Working time by number of the weekday, from its wire form."""
    return {
        number: tuple(schemas.interval(hours["start"], hours["end"]) for hours in weekdays[name])
        for number, name in enumerate(schemas.WEEKDAYS)
    }


def _plain(row: WorkCalendarRow, cut: CalendarSettings) -> WorkCalendar:
    return WorkCalendar(
        row.name,
        zone(row.time_zone) if row.time_zone else cut.zone,
        _intervals(row.weekdays),
        frozenset(row.country_holidays) | frozenset(row.holidays),
        frozenset(row.extra_working_days),
    )
