"""The outbox: what others are to be told, in the transaction in which it became so."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, OrganizationId


class OutboxMessage(Identified, Base):
    """One notification to be; delivery is the notifications' business."""

    __tablename__ = "outbox_message"

    topic: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def publish(session: AsyncSession, org_id: OrganizationId, topic: str, payload: dict[str, Any]) -> None:
    """Tell of a change; `topic` is past tense and dotted (`review.shared`), the payload JSON-ready."""
    session.add(OutboxMessage(org_id=org_id, topic=topic, payload=payload))
