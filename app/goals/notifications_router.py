"""Paths of what was told about goals."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts.access import Session
from app.core.routing import TransactionalRoute
from app.goals import notification_schemas as wire
from app.goals import notifications
from app.goals.router import Reader

router = APIRouter(prefix="/goal-notifications", route_class=TransactionalRoute, tags=["goals"])


@router.get("")
async def list_goal_notifications(
    session: Session, who: Reader, query: Annotated[wire.GoalNotificationFilters, Query()]
) -> wire.GoalNotificationPage:
    """List what was told about goals, latest first: at risk, recovered, milestones, attained, missed, changed."""
    return await notifications.list_notifications(session, who.org_id, query)
