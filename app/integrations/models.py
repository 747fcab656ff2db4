"""Tables of connected systems: their secrets, deliveries, records and links."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Tenant, reference_table, tenant_table

VERDICTS = ("received", "translated", "ignored", "foreign_account", "unparseable", "failed")


def _of_source() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"])


class SourceDirectory(Base):
    """Which organization a source belongs to: read before a webhook's organization is known. Holds no secrets."""

    __tablename__ = "source_directory"
    __table_args__ = reference_table()

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    org_id: Mapped[UUID]


class SourceConnection(Tenant, Base):
    """How a CRM is connected: its account, the address its signatures cover, and the mapping as configured."""

    __tablename__ = "source_connection"
    __table_args__ = tenant_table(_of_source())

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    signed_url: Mapped[str | None]
    mapping: Mapped[dict[str, Any]]
    version: Mapped[int]


class SourceSecret(Identified, Base):
    """A secret that proves deliveries; several may be active while one is being replaced. Never shown."""

    __tablename__ = "source_secret"
    __table_args__ = tenant_table(_of_source(), Index(None, "org_id", "source_id"))

    source_id: Mapped[UUID]
    secret: Mapped[str]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class Delivery(Identified, Base):
    """One authenticated webhook call. `raw` is kept only while the body could not be read."""

    __tablename__ = "delivery"
    __table_args__ = tenant_table(
        _of_source(),
        CheckConstraint(f"verdict IN {VERDICTS!r}", name="verdict"),
        Index(None, "org_id", "source_id", "id"),
    )

    source_id: Mapped[UUID]
    received_at: Mapped[datetime]
    headers: Mapped[dict[str, Any]]
    body: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary())
    digest: Mapped[bytes]
    size: Mapped[int]
    verdict: Mapped[str]
    error: Mapped[str | None]
    items: Mapped[list[Any]]
    processed_at: Mapped[datetime | None]


class CrmRecord(Identified, Base):
    """The state of one CRM object, folded from its fields' histories."""

    __tablename__ = "record"
    __table_args__ = tenant_table(
        _of_source(),
        UniqueConstraint("org_id", "source_id", "object", "external_id"),
        Index(
            "ix_record_merged_into",
            "org_id",
            "source_id",
            "object",
            "merged_into",
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
    )

    source_id: Mapped[UUID]
    object: Mapped[str]
    external_id: Mapped[str]
    label: Mapped[str | None]
    state: Mapped[dict[str, Any]]
    source_created_at: Mapped[datetime | None]
    is_deleted: Mapped[bool]
    merged_into: Mapped[str | None]
    needs_fetch: Mapped[bool]
    updated_at: Mapped[datetime]


class RecordField(Tenant, Base):
    """One value of one field, since when by the source's clock. `value` is canonical JSON."""

    __tablename__ = "record_field"
    __table_args__ = tenant_table(ForeignKeyConstraint(["org_id", "record_id"], ["record.org_id", "record.id"]))

    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    tie: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime]


class RecordLink(Tenant, Base):
    """One change of a link between two CRM objects, the smaller key first, by the source's clock."""

    __tablename__ = "record_link"
    __table_args__ = tenant_table(
        _of_source(),
        Index("ix_record_link_to", "org_id", "source_id", "to_object", "to_id"),
    )

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    from_object: Mapped[str] = mapped_column(primary_key=True)
    from_id: Mapped[str] = mapped_column(primary_key=True)
    to_object: Mapped[str] = mapped_column(primary_key=True)
    to_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    tie: Mapped[str] = mapped_column(primary_key=True)
    removed: Mapped[bool] = mapped_column(primary_key=True)
    is_primary: Mapped[bool] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime]
