"""Reading of working calendars."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, or_, select

from app.calendars.models import WorkCalendarRow
from app.core.db import OrganizationId

row = WorkCalendarRow


def current_calendars(org_id: OrganizationId) -> Select[WorkCalendarRow]:
    """The calendars there are now."""
    return select(row).where(row.org_id == org_id, row.superseded_at.is_(None))


def current_calendar(org_id: OrganizationId, calendar_id: UUID) -> Select[WorkCalendarRow]:
    """One of them."""
    return current_calendars(org_id).where(row.id == calendar_id)


def calendars_as_known(org_id: OrganizationId, known_at: datetime) -> Select[WorkCalendarRow]:
    """The calendars as recorded by an instant (S5)."""
    return select(row).where(
        row.org_id == org_id,
        row.recorded_at <= known_at,
        or_(row.superseded_at.is_(None), row.superseded_at > known_at),
    )
