"""Goals, and the revisions of their targets."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped

from app.core.db import Base, Identified, Recorded, tenant_table


class Goal(Identified, Base):
    """Who wants which KPI to be what over which days; the organization owns it where neither team nor member does.

    `state` is what somebody decided; scheduled and active follow from the dates. `direction` is the KPI's when the goal
    was made: its targets were checked for it. `closing` is the progress frozen at closing, with its digest. `opened_at`
    and `cancelled_at` are recorded instants: between them the goal counts (S5).
    """

    __tablename__ = "goal"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        ForeignKeyConstraint(["org_id", "kpi_key"], ["kpi.org_id", "kpi.key"]),
        CheckConstraint("team_id IS NULL OR member_id IS NULL", name="one_owner"),
        CheckConstraint("state IN ('draft', 'open', 'closed', 'cancelled')", name="state"),
        CheckConstraint("direction IN ('increase', 'decrease', 'maintain')", name="direction"),
        CheckConstraint("start_on < end_on", name="period"),
        CheckConstraint("(state = 'closed') = (closing IS NOT NULL)", name="closing"),
        Index(None, "org_id", "kpi_key", "start_on"),
        Index(None, "org_id", "team_id"),
        Index(None, "org_id", "member_id"),
    )

    name: Mapped[str]
    description: Mapped[str]
    team_id: Mapped[UUID | None]
    member_id: Mapped[UUID | None]
    kpi_key: Mapped[str]
    direction: Mapped[str]
    period: Mapped[str]
    start_on: Mapped[date]
    end_on: Mapped[date]
    currency: Mapped[str | None]
    state: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    closing: Mapped[dict[str, Any] | None]
    closing_digest: Mapped[str | None]

    @property
    def last_day(self) -> date:
        """The last local day of the period."""
        return self.end_on - timedelta(days=1)


class GoalTarget(Identified, Recorded, Base):
    """What was aimed at from one recorded instant to another, who decided it and why."""

    __tablename__ = "goal_target"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        CheckConstraint("(value IS NULL) = (low IS NOT NULL) AND (low IS NULL) = (high IS NULL)", name="value_or_band"),
        Index(
            "uq_goal_target_current", "org_id", "goal_id", unique=True, postgresql_where=text("superseded_at IS NULL")
        ),
        Index(None, "org_id", "goal_id", "recorded_at"),
    )

    goal_id: Mapped[UUID]
    value: Mapped[Decimal | None]
    low: Mapped[Decimal | None]
    high: Mapped[Decimal | None]
    reason: Mapped[str]
    changed_by: Mapped[str]
