"""Performance reviews, and the evidence frozen into them."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Code, Identified, Tenant, tenant_table


class Review(Identified, Base):
    """A member's review for a period, on KPIs, by somebody."""

    __tablename__ = "review"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"], name="fk_review_member"),
        ForeignKeyConstraint(["org_id", "reviewer_id"], ["member.org_id", "member.id"], name="fk_review_reviewer"),
        CheckConstraint("state IN ('draft', 'shared', 'acknowledged', 'closed')", name="state"),
        CheckConstraint("start_on < end_on", name="period"),
        CheckConstraint("reviewer_id <> member_id", name="reviewer"),
        Index(None, "org_id", "member_id", "start_on"),
        Index(None, "org_id", "reviewer_id"),
    )

    member_id: Mapped[UUID]
    reviewer_id: Mapped[UUID | None]
    period: Mapped[str]
    start_on: Mapped[date]
    end_on: Mapped[date]
    kpi_keys: Mapped[list[str]] = mapped_column(ARRAY(Code))
    summary: Mapped[str]
    strengths: Mapped[str]
    areas_to_improve: Mapped[str]
    agreed_actions: Mapped[list[Any]]
    state: Mapped[str]
    comment: Mapped[str | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    shared_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    @property
    def last_day(self) -> date:
        """The last local day of the period."""
        return self.end_on - timedelta(days=1)


class ReviewEvidence(Tenant, Base):
    """The figures as they were when the review was shared; never changed.

    `digest` is over the content's canonical JSON (RFC 8785).
    """

    __tablename__ = "review_evidence"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "review_id"], ["review.org_id", "review.id"]),
    )

    review_id: Mapped[UUID] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    digest: Mapped[str]
    frozen_at: Mapped[datetime]
