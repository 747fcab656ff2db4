"""Working calendars and named periods, as recorded."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, OrganizationId, Revision, tenant_table

_IS_CURRENT = text("superseded_at IS NULL")


class WorkCalendarRow(Revision, Base):
    """One revision of a calendar; a deleted one has no current revision.

    `weekdays` is as on the wire: name of the weekday -> list of `{"start": "09:00", "end": "17:00"}`.
    `country_holidays` are kept as they were read, so that a newer table of holidays changes no earlier answer (S5).
    """

    __tablename__ = "work_calendar"
    __table_args__ = tenant_table(
        Index("uq_work_calendar_current", "org_id", "id", unique=True, postgresql_where=_IS_CURRENT),
        Index(
            "uq_work_calendar_default",
            "org_id",
            unique=True,
            postgresql_where=text("superseded_at IS NULL AND is_default"),
        ),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    time_zone: Mapped[str | None]
    weekdays: Mapped[dict[str, Any]]
    country: Mapped[str | None]
    subdivision: Mapped[str | None]
    country_holidays: Mapped[list[date]] = mapped_column(ARRAY(Date()))
    holidays: Mapped[list[date]] = mapped_column(ARRAY(Date()))
    extra_working_days: Mapped[list[date]] = mapped_column(ARRAY(Date()))
    is_default: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]


class NamedPeriod(Revision, Base):
    """One revision of a run of days that the organization calls by a name; both days belong to it."""

    __tablename__ = "named_period"
    __table_args__ = tenant_table(
        CheckConstraint("first_day <= last_day", name="days"),
        Index("uq_named_period_current", "org_id", "id", unique=True, postgresql_where=_IS_CURRENT),
        Index("uq_named_period_key", "org_id", "key", unique=True, postgresql_where=_IS_CURRENT),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    key: Mapped[str]
    name: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    version: Mapped[int]
    created_at: Mapped[datetime]
