"""What was told about goals, for those who ask."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.goals import notification_schemas as wire
from app.goals.models import GoalNotification


async def list_notifications(
    session: AsyncSession, org_id: OrganizationId, query: wire.GoalNotificationFilters
) -> wire.GoalNotificationPage:
    """What was told, latest first."""
    wanted = select(GoalNotification).where(GoalNotification.org_id == org_id)
    if query.goal_id is not None:
        wanted = wanted.where(GoalNotification.goal_id == query.goal_id)
    if query.topic is not None:
        wanted = wanted.where(GoalNotification.topic == query.topic)
    if query.since is not None:
        wanted = wanted.where(GoalNotification.told_at >= query.since)
    keys = [Key(GoalNotification.told_at, descending=True), Key(GoalNotification.id, descending=True)]
    rows, following = await paginate(session, wanted, keys, query)
    return wire.GoalNotificationPage(
        items=[wire.GoalNotification.model_validate(row) for row in rows], next_cursor=following
    )
