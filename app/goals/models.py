"""Goals and the revisions of their terms; decisions, notes, ramps, series, templates, initiatives, settings."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, OrganizationId, Recorded, Tenant, tenant_table
from app.core.ids import new_id


class Goal(Identified, Base):
    """Who wants which KPI to be what over which days; the organization owns it where neither team nor member does.

    `state` is what somebody decided; scheduled and active follow from the dates. `direction` is the KPI's when the goal
    was made: its targets were checked for it. `closing` is the progress frozen at closing, with its digest. `opened_at`
    and `cancelled_at` are recorded instants: between them the goal counts (S5). `proposer_id` is the member who
    proposed it, `yields` the formula by which a compound goal's parts make the whole (G6), `series_id` the recurring
    goal that it is a period of. While it is locked nobody changes it.
    """

    __tablename__ = "goal"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        ForeignKeyConstraint(["org_id", "kpi_key"], ["kpi.org_id", "kpi.key"]),
        CheckConstraint("team_id IS NULL OR member_id IS NULL", name="one_owner"),
        ForeignKeyConstraint(["org_id", "series_id"], ["goal_series.org_id", "goal_series.id"]),
        CheckConstraint("state IN ('draft', 'proposed', 'open', 'closed', 'cancelled')", name="state"),
        CheckConstraint("direction IN ('increase', 'decrease', 'maintain')", name="direction"),
        CheckConstraint("start_on < end_on", name="period"),
        CheckConstraint("(state = 'closed') = (closing IS NOT NULL)", name="closing"),
        Index(None, "org_id", "kpi_key", "start_on"),
        Index(None, "org_id", "team_id"),
        Index(None, "org_id", "member_id"),
        Index(None, "org_id", "created_at", "id"),
        UniqueConstraint("org_id", "series_id", "start_on"),
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
    rate_set: Mapped[str | None] = mapped_column(sort_order=1)
    proposer_id: Mapped[UUID | None] = mapped_column(sort_order=2)
    series_id: Mapped[UUID | None] = mapped_column(sort_order=3)
    yields: Mapped[str | None] = mapped_column(sort_order=4)
    locked_at: Mapped[datetime | None] = mapped_column(sort_order=5)

    @property
    def last_day(self) -> date:
        """The last local day of the period."""
        return self.end_on - timedelta(days=1)


class GoalTarget(Identified, Recorded, Base):
    """The terms of a goal from one recorded instant to another, who decided them and why.

    `baseline` is the frozen figure that a relative target was computed from, and the change asked for (S30).
    `expected` says by what the share due by now follows, `counts` whether the goal's own KPI or the sum of its parts
    is measured. `milestones` are `{"key", "name", "value" | "share", "due_on"}`.
    """

    __tablename__ = "goal_target"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        ForeignKeyConstraint(["org_id", "parent_id"], ["goal.org_id", "goal.id"], name="fk_goal_target_parent"),
        ForeignKeyConstraint(["org_id", "ramp_id"], ["goal_ramp.org_id", "goal_ramp.id"]),
        CheckConstraint("(value IS NULL) = (low IS NOT NULL) AND (low IS NULL) = (high IS NULL)", name="value_or_band"),
        CheckConstraint("expected IN ('working_time', 'seasonal', 'linear', 'auto')", name="expected"),
        CheckConstraint("counts IN ('own', 'parts')", name="counts"),
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("parent_id <> goal_id", name="parent"),
        Index(
            "uq_goal_target_current", "org_id", "goal_id", unique=True, postgresql_where=text("superseded_at IS NULL")
        ),
        Index(None, "org_id", "goal_id", "recorded_at"),
        Index(None, "org_id", "parent_id"),
    )

    goal_id: Mapped[UUID]
    value: Mapped[Decimal | None]
    low: Mapped[Decimal | None]
    high: Mapped[Decimal | None]
    reason: Mapped[str]
    changed_by: Mapped[str]
    stretch: Mapped[Decimal | None] = mapped_column(sort_order=92)
    baseline: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), sort_order=93)
    expected: Mapped[str] = mapped_column(server_default="working_time", sort_order=94)
    counts: Mapped[str] = mapped_column(server_default="own", sort_order=95)
    parent_id: Mapped[UUID | None] = mapped_column(sort_order=96)
    weight: Mapped[Decimal] = mapped_column(server_default=text("1"), sort_order=97)
    ramp_id: Mapped[UUID | None] = mapped_column(sort_order=98)
    milestones: Mapped[list[Any]] = mapped_column(JSONB(), server_default=text("'[]'"), sort_order=99)


class GoalDecision(Identified, Base):
    """What somebody decided of a goal, and why: proposed, approved, opened, cancelled, locked …"""

    __tablename__ = "goal_decision"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        Index(None, "org_id", "goal_id", "decided_at"),
    )

    goal_id: Mapped[UUID]
    action: Mapped[str]
    reason: Mapped[str]
    decided_by: Mapped[str]
    member_id: Mapped[UUID | None]
    decided_at: Mapped[datetime]


class GoalNote(Identified, Base):
    """What somebody noted of a goal, of a day of its period or of the whole."""

    __tablename__ = "goal_note"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        Index(None, "org_id", "goal_id", "created_at"),
    )

    goal_id: Mapped[UUID]
    text: Mapped[str]
    on_day: Mapped[date | None]
    written_by: Mapped[str]
    member_id: Mapped[UUID | None]
    created_at: Mapped[datetime]


class GoalSettings(Tenant, Recorded, Base):
    """How an organization judges and decides goals, as recorded: thresholds, days of grace, who may set whose."""

    __tablename__ = "goal_settings"
    __table_args__ = tenant_table(
        CheckConstraint("grace_working_days >= 0", name="grace"),
        CheckConstraint("0 < behind_below AND behind_below <= ahead_above", name="pace"),
        CheckConstraint("too_early_before >= 0 AND too_early_before <= 1", name="too_early"),
        Index("uq_goal_settings_current", "org_id", unique=True, postgresql_where=text("superseded_at IS NULL")),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    row_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    grace_working_days: Mapped[int]
    behind_below: Mapped[Decimal]
    ahead_above: Mapped[Decimal]
    too_early_before: Mapped[Decimal]
    rules: Mapped[list[Any]]
    changed_by: Mapped[str]
    version: Mapped[int]


class GoalRamp(Identified, Base):
    """Shares of the full target by month since joining; after the last it is whole. Shares never change (S33)."""

    __tablename__ = "goal_ramp"

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    shares: Mapped[list[Any]]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class GoalSeries(Identified, Base):
    """A goal that recurs: what each period's goal is made of, and which period is next.

    `content` is the goal as it is posted, without its period; `growth` the share by which each period's target is more
    than the one before; `parent_id` the recurring goal whose goals those of this one are parts of. It ends after
    `until`, or when somebody ends it. `trouble` is why the next goal could not be made when that was tried last.
    """

    __tablename__ = "goal_series"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        ForeignKeyConstraint(
            ["org_id", "parent_id"], ["goal_series.org_id", "goal_series.id"], name="fk_goal_series_parent"
        ),
        CheckConstraint("every IN ('week', 'month', 'quarter', 'year')", name="every"),
        CheckConstraint("open_days_before >= 0", name="open_days_before"),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    team_id: Mapped[UUID | None]
    member_id: Mapped[UUID | None]
    every: Mapped[str]
    is_fiscal: Mapped[bool]
    open_days_before: Mapped[int]
    next_start: Mapped[date | None]
    until: Mapped[date | None]
    content: Mapped[dict[str, Any]]
    growth: Mapped[Decimal | None]
    parent_id: Mapped[UUID | None]
    trouble: Mapped[str | None]
    tried_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    version: Mapped[int]


class GoalWatch(Tenant, Base):
    """What was told of a goal last, so that nothing is told twice; `known_at` is what had been recorded by then.

    `forecast_at` is when a forecast was looked at last, by the organization's clock.
    """

    __tablename__ = "goal_watch"
    __table_args__ = tenant_table(ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]))

    org_id: Mapped[OrganizationId] = mapped_column(primary_key=True)
    goal_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_at_risk: Mapped[bool]
    verdict: Mapped[str | None]
    milestones: Mapped[list[Any]]
    known_at: Mapped[datetime]
    forecast_at: Mapped[datetime | None]


class GoalNotification(Identified, Base):
    """What was told about a goal; the outbox has it too, and loses it once it is delivered."""

    __tablename__ = "goal_notification"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        Index(None, "org_id", "told_at"),
        Index(None, "org_id", "goal_id", "told_at"),
    )

    goal_id: Mapped[UUID]
    topic: Mapped[str]
    told_at: Mapped[datetime]
    payload: Mapped[dict[str, Any]]


class GoalTemplate(Identified, Base):
    """A set of goals for a role; `items` are goals as they are posted, without owner and period (K1, K2, G7)."""

    __tablename__ = "goal_template"
    __table_args__ = tenant_table(UniqueConstraint("org_id", "key"))

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    revenue_role: Mapped[str | None]
    items: Mapped[list[Any]]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class Initiative(Identified, Base):
    """A strategy, or a tactic of one, that serves goals (G9); who accepted or declined the proposal, and why."""

    __tablename__ = "initiative"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(
            ["org_id", "parent_id"], ["initiative.org_id", "initiative.id"], name="fk_initiative_parent"
        ),
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        CheckConstraint("kind IN ('strategy', 'tactic')", name="kind"),
        CheckConstraint("state IN ('proposed', 'planned', 'active', 'done', 'dropped')", name="state"),
        CheckConstraint("team_id IS NULL OR member_id IS NULL", name="one_owner"),
        CheckConstraint("start_on <= end_on", name="days"),
        Index(None, "org_id", "parent_id"),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    description: Mapped[str]
    kind: Mapped[str]
    parent_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    member_id: Mapped[UUID | None]
    state: Mapped[str]
    start_on: Mapped[date | None]
    end_on: Mapped[date | None]
    proposed_by: Mapped[str]
    proposer_id: Mapped[UUID | None]
    decided_by: Mapped[str | None]
    decision_reason: Mapped[str | None]
    created_at: Mapped[datetime]
    version: Mapped[int]


class InitiativeGoal(Tenant, Base):
    """An initiative serves a goal."""

    __tablename__ = "initiative_goal"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "initiative_id"], ["initiative.org_id", "initiative.id"]),
        ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"]),
        Index(None, "org_id", "goal_id"),
    )

    org_id: Mapped[OrganizationId] = mapped_column(primary_key=True)
    initiative_id: Mapped[UUID] = mapped_column(primary_key=True)
    goal_id: Mapped[UUID] = mapped_column(primary_key=True)
