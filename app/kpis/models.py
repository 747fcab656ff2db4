"""KPIs and their versions."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, OrganizationId, Tenant, tenant_table
from app.kpis.partials.models import Partial, PartialBuild, PartialGuard, PartialMeasure

__all__ = ["KpiRow", "KpiVersionRow", "Partial", "PartialBuild", "PartialGuard", "PartialMeasure"]


class KpiRow(Identified, Base):
    """What a KPI is called and how it is shown; what it computes stands in its versions."""

    __tablename__ = "kpi"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "key"),
        ForeignKeyConstraint(["org_id", "owner_id"], ["member.org_id", "member.id"]),
        CheckConstraint("state IN ('draft', 'official', 'archived')", name="state"),
        CheckConstraint(
            "category IN ('sales_results', 'team_performance', 'coaching', 'customer_satisfaction', 'planning')",
            name="category",
        ),
        CheckConstraint("indicator IN ('leading', 'lagging')", name="indicator"),
        CheckConstraint("nature IN ('quantitative', 'qualitative')", name="nature"),
        CheckConstraint("(nature = 'qualitative') = (scoring IS NOT NULL)", name="scoring"),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    key: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    owner_id: Mapped[UUID | None]
    state: Mapped[str]
    category: Mapped[str]
    indicator: Mapped[str]
    nature: Mapped[str] = mapped_column(server_default="quantitative", sort_order=1)
    scoring: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), sort_order=2)
    display: Mapped[dict[str, Any]]
    thresholds: Mapped[dict[str, Any]]
    latest: Mapped[int]
    version: Mapped[int]
    recorded_at: Mapped[datetime]


class KpiVersionRow(Tenant, Base):
    """A definition in its wire form; never superseded, since a later number wins wherever it is valid (S24).

    `valid_from` null is for all days; version 1 always is.
    """

    __tablename__ = "kpi_version"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "kpi_id"], ["kpi.org_id", "kpi.id"]),
        CheckConstraint("number > 1 OR valid_from IS NULL", name="first_holds_always"),
    )

    kpi_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[date | None]
    definition: Mapped[dict[str, Any]]
    recorded_at: Mapped[datetime]
