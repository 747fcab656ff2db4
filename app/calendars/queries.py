"""Reading of working calendars and named periods."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select

from app.calendars.models import NamedPeriod, WorkCalendarRow
from app.core.db import OrganizationId, known_by

row = WorkCalendarRow


def current_calendars(org_id: OrganizationId) -> Select[WorkCalendarRow]:
    """The calendars there are now."""
    return select(row).where(row.org_id == org_id, row.superseded_at.is_(None))


def current_calendar(org_id: OrganizationId, calendar_id: UUID) -> Select[WorkCalendarRow]:
    """One of them."""
    return current_calendars(org_id).where(row.id == calendar_id)


def calendars_as_known(org_id: OrganizationId, known_at: datetime) -> Select[WorkCalendarRow]:
    """The calendars as recorded by an instant (S5)."""
    return select(row).where(row.org_id == org_id, known_by(row, known_at))


def current_periods(org_id: OrganizationId) -> Select[NamedPeriod]:
    """The named periods there are now."""
    return select(NamedPeriod).where(NamedPeriod.org_id == org_id, NamedPeriod.superseded_at.is_(None))


def periods_as_known(org_id: OrganizationId, known_at: datetime) -> Select[NamedPeriod]:
    """The named periods as recorded by an instant (S5)."""
    return select(NamedPeriod).where(NamedPeriod.org_id == org_id, known_by(NamedPeriod, known_at))
