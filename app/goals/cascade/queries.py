"""Reading of goals by their place in the tree."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from app.core.db import OrganizationId
from app.goals import queries
from app.goals.models import Goal, GoalNotification, GoalTarget
from app.teams.models import Member, Team


def parts_of(org_id: OrganizationId, parents: Sequence[UUID]) -> Select[Goal, GoalTarget]:
    """The goals right below these that nobody cancelled, with their present terms, by their days and oldest first."""
    return (
        queries.parts_of(org_id, parents)
        .where(Goal.state != "cancelled")
        .order_by(Goal.start_on, Goal.created_at, Goal.id)
    )


def parts_as_known(org_id: OrganizationId, parents: Sequence[UUID], known_at: datetime) -> Select[Goal, GoalTarget]:
    """The same as recorded by an instant (S5); drafts and proposals are there as long as they were."""
    return (
        queries.parts_of(org_id, parents, known_at)
        .where(or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > known_at))
        .order_by(Goal.start_on, Goal.created_at, Goal.id)
    )


def last_splits(org_id: OrganizationId, goals: Sequence[UUID], known_at: datetime) -> Select[UUID, datetime]:
    """When each of these goals was split last, of what was known by an instant."""
    return (
        select(GoalNotification.goal_id, func.max(GoalNotification.told_at).label("told_at"))
        .where(
            GoalNotification.org_id == org_id,
            GoalNotification.goal_id.in_(goals),
            GoalNotification.topic == "goal.split",
            GoalNotification.told_at <= known_at,
        )
        .group_by(GoalNotification.goal_id)
    )


def archived_members(org_id: OrganizationId) -> Select[UUID]:
    """Members who are archived."""
    return select(Member.id).where(Member.org_id == org_id, Member.archived_at.is_not(None))


def archived_teams(org_id: OrganizationId) -> Select[UUID]:
    """Teams that are archived."""
    return select(Team.id).where(Team.org_id == org_id, Team.archived_at.is_not(None))
