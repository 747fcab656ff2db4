"""Reading of what a goal is compared with: others of the same days, and initiatives."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select

from app.calendars.periods import DayRange
from app.core.db import OrganizationId, known_by
from app.goals.models import Goal, GoalTarget, InitiativeGoal
from app.goals.queries import with_targets
from app.kpis.models import KpiRow


def around(
    org_id: OrganizationId, period: DayRange, teams: Sequence[UUID], member: UUID | None, known_at: datetime
) -> Select[Goal, GoalTarget, str]:
    """The goals of the organization, these teams and this member that counted and touch these days, with indicators."""
    of_organization = and_(Goal.team_id.is_(None), Goal.member_id.is_(None))
    owners = [of_organization, Goal.team_id.in_(list(teams))]
    if member is not None:
        owners.append(Goal.member_id == member)
    found, _ = with_targets(org_id, known_by(GoalTarget, known_at))
    return (
        found.add_columns(KpiRow.indicator)
        .where(
            KpiRow.org_id == org_id,
            KpiRow.key == Goal.kpi_key,
            or_(*owners),
            Goal.start_on < period.end,
            Goal.end_on > period.start,
            Goal.opened_at <= known_at,
            or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > known_at),
        )
        .order_by(Goal.start_on, Goal.created_at, Goal.id)
    )


def initiatives(org_id: OrganizationId, goal_id: UUID) -> Select[int]:
    """How many initiatives serve a goal."""
    return select(func.count()).where(InitiativeGoal.org_id == org_id, InitiativeGoal.goal_id == goal_id)
