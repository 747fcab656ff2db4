"""Employments and absences of members: dated, and as recorded."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, tenant_table
from app.teams.models import Dated, dated_table


def _to_member() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"])


class Employment(Dated, Base):
    """A member's time with the organization; who has none recorded counts as employed on all days."""

    __tablename__ = "employment"
    __table_args__ = tenant_table(*dated_table("employment", "member_id"), _to_member())

    member_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(default=1)


class Absence(Dated, Base):
    """Days on which a member does not work, and what that does to their targets (S31)."""

    __tablename__ = "absence"
    __table_args__ = tenant_table(
        *dated_table("absence", "member_id"),
        CheckConstraint("valid_from IS NOT NULL AND valid_to IS NOT NULL", name="bounded"),
        CheckConstraint("effect IN ('reschedule', 'prorate_target')", name="effect"),
        _to_member(),
    )

    member_id: Mapped[UUID]
    effect: Mapped[str]
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)
