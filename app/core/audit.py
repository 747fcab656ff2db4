"""The audit trail: who changed what, written in the caller's transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, OrganizationId, tenant_table


class AuditEntry(Identified, Base):
    """One change: by whom, of what, from what to what. Secrets never stand in it."""

    __tablename__ = "audit_entry"
    __table_args__ = tenant_table(Index(None, "org_id", "resource", "resource_id"))

    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor: Mapped[str]
    action: Mapped[str]
    resource: Mapped[str]
    resource_id: Mapped[str]
    changes: Mapped[dict[str, Any]]


def record(
    session: AsyncSession,
    org_id: OrganizationId,
    actor: str,
    action: str,
    resource: str,
    resource_id: UUID | str,
    changes: dict[str, Any] | None = None,
) -> None:
    """Note a change; it commits or vanishes with the change itself.

    `actor` is `Principal.label`; `changes` is JSON-ready (`model_dump(mode="json")`).
    """
    session.add(
        AuditEntry(
            org_id=org_id,
            actor=actor,
            action=action,
            resource=resource,
            resource_id=str(resource_id),
            changes=changes or {},
        )
    )
