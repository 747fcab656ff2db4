"""Tables of figures kept ready, and how identities are divided among those who keep them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Tenant, tenant_table
from app.events.sharding import EVERYBODY, SHARDS, shard_of

__all__ = ["EVERYBODY", "SHARDS", "Partial", "PartialBuild", "PartialGuard", "PartialMeasure", "shard_of"]


class PartialMeasure(Identified, Base):
    """A shape of which figures are kept; measures of several KPIs may share it."""

    __tablename__ = "partial_measure"
    __table_args__ = tenant_table(UniqueConstraint("org_id", "digest"))

    shape: Mapped[dict[str, Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class PartialGuard(Tenant, Base):
    """Lock and state of a shard of identities: whoever changes its figures holds this row.

    They are of local days before `before`, computed when the organization's clock said `computed_at`, by the time
    zone and the authoritative sources of `basis`.
    """

    __tablename__ = "partial_guard"

    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    basis: Mapped[bytes] = mapped_column(LargeBinary)
    before: Mapped[date | None]
    computed_at: Mapped[datetime | None]


class PartialBuild(Tenant, Base):
    """How far a shape is built in a shard: newest month first, `next_month` is the next to be; null: all are."""

    __tablename__ = "partial_build"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "measure_id"], ["partial_measure.org_id", "partial_measure.id"]),
    )

    measure_id: Mapped[UUID] = mapped_column(primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    next_month: Mapped[date | None]


class Partial(Tenant, Base):
    """The figures of a shape for an identity in a month, and of each of its days: element 1 is the 1st.

    Numbers of the month are the sum (least, greatest) of its days, written in one statement. Counts are 0 where
    there is nothing, other elements may be null. What the shape does not keep is null as a whole.

    `is_shared` false: events credited to the identity alone, or (the nil UUID) to nobody. True: those that several
    have a part in, of which `weight` adds up the identity's shares, `total` share times value and `whole` the values;
    the identity EVERYBODY has each of them once, with weight 1. Money is kept by the event's own currency, '' for
    none: whether it enters or is left out is decided when one asks.
    """

    __tablename__ = "partial"
    # The numbers of months stand in the index too: a year of 50 people is read without a look at the wide rows.
    __table_args__ = tenant_table(
        PrimaryKeyConstraint(
            *("org_id", "measure_id", "identity_id", "is_shared", "month", "currency"),
            postgresql_include=["n", "left_out", "weight", "total", "whole", "low", "high"],
        ),
    )

    measure_id: Mapped[UUID] = mapped_column(primary_key=True)
    identity_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_shared: Mapped[bool] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    left_out: Mapped[int]
    weight: Mapped[Decimal | None]
    total: Mapped[Decimal | None]
    whole: Mapped[Decimal | None]
    low: Mapped[Decimal | None]
    high: Mapped[Decimal | None]
    day_n: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    day_left_out: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    day_weight: Mapped[list[Decimal | None] | None] = mapped_column(ARRAY(Numeric))
    day_total: Mapped[list[Decimal | None] | None] = mapped_column(ARRAY(Numeric))
    day_whole: Mapped[list[Decimal | None] | None] = mapped_column(ARRAY(Numeric))
    day_low: Mapped[list[Decimal | None] | None] = mapped_column(ARRAY(Numeric))
    day_high: Mapped[list[Decimal | None] | None] = mapped_column(ARRAY(Numeric))
