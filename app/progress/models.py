"""The table of long jobs: what people are told of work that takes longer than a request."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, tenant_table

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


class LongJob(Identified, Base):
    """Work with a progress. Whoever has the scope `permission` may see and cancel it."""

    __tablename__ = "long_job"
    __table_args__ = tenant_table(
        CheckConstraint(f"state IN {STATES!r}", name="state"),
        CheckConstraint("done >= 0", name="done"),
        Index(None, "org_id", "created_at", "id"),
    )

    kind: Mapped[str]
    state: Mapped[str]
    permission: Mapped[str]
    subject: Mapped[dict[str, Any]]
    done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    total: Mapped[int | None] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any]]
    error: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    version: Mapped[int]
