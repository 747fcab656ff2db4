"""Reading of templates, and of goals that they would double."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select

from app.calendars.periods import DayRange
from app.core.db import OrganizationId
from app.goals.models import Goal, GoalTemplate


def templates(org_id: OrganizationId) -> Select[GoalTemplate]:
    """The organization's templates."""
    return select(GoalTemplate).where(GoalTemplate.org_id == org_id)


def template(org_id: OrganizationId, template_id: UUID) -> Select[GoalTemplate]:
    """One of them."""
    return templates(org_id).where(GoalTemplate.id == template_id)


def with_keys(org_id: OrganizationId, keys: Sequence[str]) -> Select[GoalTemplate]:
    """Those with these keys, out of use or not."""
    return templates(org_id).where(GoalTemplate.key.in_(list(keys)))


def existing(org_id: OrganizationId, kpis: Sequence[str], period: DayRange) -> Select[Goal]:
    """The goals on these KPIs and exactly these days that are not cancelled."""
    return (
        select(Goal)
        .where(
            Goal.org_id == org_id,
            Goal.kpi_key.in_(list(kpis)),
            Goal.start_on == period.start,
            Goal.end_on == period.end,
            Goal.state != "cancelled",
        )
        .order_by(Goal.created_at, Goal.id)
    )
