"""Sets of exchange rates, and their rates, as recorded."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, OrganizationId, Revision, tenant_table

_IS_CURRENT = text("superseded_at IS NULL")


class RateSetRow(Revision, Base):
    """One revision of a named set; a deleted one has no current revision."""

    __tablename__ = "rate_set"
    __table_args__ = tenant_table(
        CheckConstraint("kind IN ('daily', 'fixed')", name="kind"),
        Index("uq_rate_set_current", "org_id", "id", unique=True, postgresql_where=_IS_CURRENT),
        Index("uq_rate_set_key", "org_id", "key", unique=True, postgresql_where=_IS_CURRENT),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    key: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]


class ExchangeRateRow(Revision, Base):
    """One revision of a rate: on the days `[valid_from, valid_to)` one `base` costs `rate` `quote` (S26).

    `is_fixed` repeats the kind of the set, so that the database can refuse rates of a fixed set that overlap.
    """

    __tablename__ = "exchange_rate"
    __table_args__ = tenant_table(
        CheckConstraint("rate > 0", name="rate"),
        CheckConstraint("base <> quote", name="pair"),
        CheckConstraint("valid_from < valid_to", name="days"),
        Index("uq_exchange_rate_current", "org_id", "id", unique=True, postgresql_where=_IS_CURRENT),
        Index(
            "uq_exchange_rate_pair",
            "org_id",
            "rate_set_id",
            "base",
            "quote",
            "valid_from",
            unique=True,
            postgresql_where=_IS_CURRENT,
        ),
        Index("ix_exchange_rate_set", "org_id", "rate_set_id", "recorded_at"),
        ExcludeConstraint(
            ("org_id", "="),
            ("rate_set_id", "="),
            ("base", "="),
            ("quote", "="),
            (text("daterange(valid_from, valid_to)"), "&&"),
            using="gist",
            where=text("superseded_at IS NULL AND is_fixed"),
            name="ex_exchange_rate_overlap",
        ),
    )

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    rate_set_id: Mapped[UUID]
    base: Mapped[str]
    quote: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    rate: Mapped[Decimal]
    is_fixed: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]
