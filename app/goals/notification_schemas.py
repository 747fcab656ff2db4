"""Wire shapes of what was told about goals."""

from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from app.core.pagination import PageQuery
from app.core.schemas import Instant, Output, Page

Topic = Literal[
    "goal.created", "goal.proposed", "goal.approved", "goal.declined", "goal.withdrawn", "goal.opened",
    "goal.changed", "goal.target_changed", "goal.split", "goal.note_added", "goal.locked", "goal.unlocked",
    "goal.cancelled", "goal.closed", "goal.at_risk", "goal.recovered", "goal.milestone_reached", "goal.attained",
    "goal.attainment_undone", "goal.missed", "goal.awaiting_approval", "goal.never_opened",
]  # fmt: skip


class GoalNotification(Output):
    """One thing that was told about a goal, once."""

    id: UUID = Field(description="Identifier of the notification.")
    goal_id: UUID = Field(description="The goal.")
    topic: str = Field(description="What happened.", examples=["goal.at_risk"])
    told_at: Instant = Field(description="When it was told, by the organization's clock.")
    payload: dict[str, JsonValue] = Field(
        description="Which goal it is and how it stood, figures as exact texts: actual, target, attainment, pace, "
        "verdict, `as_of`, `known_at` and the digest of these; of a milestone which one. Of risk: `because` (`pace`: "
        "behind; `forecast`: the probability of reaching the target is below 0.2) and `forecast` (probability, p10, "
        "p50, p90; null where none was needed, or there is none). A goal has recovered once its pace is on track and "
        "the probability, where one is known, 0.35.",
        examples=[{"name": "Calls in July", "kpi": "calls_made", "period": "2026-07", "pace": "0.7"}],
    )


class GoalNotificationPage(Page[GoalNotification]):
    """A page of what was told, latest first."""


class GoalNotificationFilters(PageQuery):
    """Which to list."""

    goal_id: UUID | None = Field(default=None, description="Only those about this goal.")
    topic: Topic | None = Field(default=None, description="Only those with this topic.")
    since: Instant | None = Field(default=None, description="Only those told at this instant or later.")
