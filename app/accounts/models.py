"""Organizations, their settings, API keys, and the directory that finds a key's organization."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import TENANT, Base, Identified, OrganizationId, Recorded, Tenant, reference_table, tenant_table
from app.core.ids import new_id


class Organization(Base):
    """The tenant; the root of everything that belongs to it."""

    __tablename__ = "organization"
    __table_args__ = ({"info": {"placement": TENANT}},)

    id: Mapped[OrganizationId] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]


class OrganizationSettings(Tenant, Recorded, Base):
    """What decides days, weeks, years and money, as recorded (S5)."""

    __tablename__ = "organization_settings"
    __table_args__ = tenant_table(
        CheckConstraint("week_starts_on BETWEEN 0 AND 6", name="week_start"),
        CheckConstraint("fiscal_year_starts BETWEEN 1 AND 12", name="fiscal_start"),
        CheckConstraint("fiscal_year_named_after IN ('starts', 'ends')", name="fiscal_name"),
        CheckConstraint("fiscal_pattern IN ('months', '4-4-5', '4-5-4', '5-4-4')", name="fiscal_pattern"),
        CheckConstraint("fiscal_week_rule IN ('last', 'nearest')", name="fiscal_week_rule"),
        Index(
            "uq_organization_settings_current",
            "org_id",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    row_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    time_zone: Mapped[str]
    currency: Mapped[str]
    week_starts_on: Mapped[int]
    fiscal_year_starts: Mapped[int]
    fiscal_year_named_after: Mapped[str]
    fiscal_pattern: Mapped[str] = mapped_column(server_default="months", sort_order=92)
    fiscal_week_rule: Mapped[str] = mapped_column(server_default="last", sort_order=93)


class ApiKey(Identified, Base):
    """A credential: its secret is kept only as a digest."""

    __tablename__ = "api_key"
    __table_args__ = tenant_table(CheckConstraint("role IN ('admin', 'manager', 'member', 'service')", name="role"))

    name: Mapped[str]
    role: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    member_id: Mapped[UUID | None]
    digest: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    version: Mapped[int]
    last_used_on: Mapped[date | None] = mapped_column(sort_order=1)


class ApiKeyDirectory(Base):
    """Which organization a key belongs to: read before the organization is known; holds no secret."""

    __tablename__ = "api_key_directory"
    __table_args__ = reference_table()

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    org_id: Mapped[UUID]
