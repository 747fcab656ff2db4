"""Tables of connected systems: their secrets, deliveries, records and links."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Tenant, reference_table, tenant_table

ORIGINS = ("webhook", "fetch", "backfill")
BACKFILL_MODES = ("backfill", "reconcile")
BACKFILL_STATES = ("waiting", "reading", "asking", "done", "failed")
DIFFERENCES = ("missing", "changed", "deleted", "unknown_there")
SUBSCRIPTION_STATES = ("active", "failing", "expired")
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
    """A secret that proves deliveries; several may be active while one is being replaced. Never shown.

    It is sealed (`core/sealing.py`), but for those from before there were keys.
    """

    __tablename__ = "source_secret"
    __table_args__ = tenant_table(_of_source(), Index(None, "org_id", "source_id"))

    source_id: Mapped[UUID]
    secret: Mapped[str]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class SourceCredentials(Tenant, Base):
    """With what a system is asked: sealed, with the names of what was given, and the access token of the moment.

    Whoever renews that holds `renewing_until`. The last failure is told in our words and has no secret in it.
    """

    __tablename__ = "source_credentials"
    __table_args__ = tenant_table(_of_source())

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[str]
    fields: Mapped[list[Any]]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int]
    token: Mapped[str | None]
    token_ends_at: Mapped[datetime | None]
    renewing_until: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_failed_at: Mapped[datetime | None]
    last_failure: Mapped[str | None]


class RecordFetch(Tenant, Base):
    """An object that is to be fetched from its system: a message named it, or its record is incomplete.

    `wanted_at` grows with each message, so a change during a fetch causes another; `is_claimed` while somebody asks
    for it; `next_try_at` lies in the future meanwhile, and after a failure.
    """

    __tablename__ = "record_fetch"
    __table_args__ = tenant_table(
        _of_source(), Index("ix_record_fetch_next_try_at", "org_id", "source_id", "next_try_at")
    )

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    is_told: Mapped[bool]
    wanted_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    is_claimed: Mapped[bool]
    attempts: Mapped[int]
    last_error: Mapped[str | None]


class SourceStage(Tenant, Base):
    """A stage of a source's pipelines by its name, as its settings tell; `pipeline_id` is '' where it has none."""

    __tablename__ = "source_stage"
    __table_args__ = tenant_table(_of_source(), CheckConstraint("outcome IN ('open', 'won', 'lost')", name="outcome"))

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
    pipeline_id: Mapped[str] = mapped_column(primary_key=True)
    stage_id: Mapped[str] = mapped_column(primary_key=True)
    pipeline: Mapped[str | None]
    name: Mapped[str]
    outcome: Mapped[str | None]
    position: Mapped[int]
    updated_at: Mapped[datetime]


class Delivery(Identified, Base):
    """One authenticated webhook call, or what the system answered when it was asked for objects (`origin`).

    `raw` is kept only while the body could not be read.
    """

    __tablename__ = "delivery"
    __table_args__ = tenant_table(
        _of_source(),
        CheckConstraint(f"verdict IN {VERDICTS!r}", name="verdict"),
        CheckConstraint(f"origin IN {ORIGINS!r}", name="origin"),
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
    origin: Mapped[str] = mapped_column(server_default="webhook")


class SourceBackfill(Identified, Base):
    """A run through what a source's system has from `since_at` to `until_at`; its id is that of its long job.

    `is_applied`: what it finds is taken in, and not only told.
    """

    __tablename__ = "source_backfill"
    __table_args__ = tenant_table(
        _of_source(),
        ForeignKeyConstraint(["org_id", "id"], ["long_job.org_id", "long_job.id"]),
        CheckConstraint(f"mode IN {BACKFILL_MODES!r}", name="mode"),
        Index(None, "org_id", "source_id", "id"),
    )

    source_id: Mapped[UUID]
    mode: Mapped[str]
    is_applied: Mapped[bool]
    names_objects: Mapped[bool]
    since_at: Mapped[datetime]
    until_at: Mapped[datetime]


class BackfillObject(Tenant, Base):
    """How far a backfill is with one kind of objects: which page is next, and what the pages before it told."""

    __tablename__ = "backfill_object"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "backfill_id"], ["source_backfill.org_id", "source_backfill.id"]),
        CheckConstraint(f"state IN {BACKFILL_STATES!r}", name="state"),
    )

    backfill_id: Mapped[UUID] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    state: Mapped[str]
    cursor: Mapped[str | None]
    read: Mapped[int] = mapped_column(BigInteger)
    unchanged: Mapped[int] = mapped_column(BigInteger)
    new: Mapped[int] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(BigInteger)
    gone: Mapped[int] = mapped_column(BigInteger)
    unreadable: Mapped[int] = mapped_column(BigInteger)
    differences: Mapped[int] = mapped_column(BigInteger)
    asked: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[str | None]


class BackfillDifference(Tenant, Base):
    """Something that was not known, or known otherwise, until a backfill told it. Values are canonical JSON.

    `field` is '' where the whole record differs.
    """

    __tablename__ = "backfill_difference"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "backfill_id"], ["source_backfill.org_id", "source_backfill.id"]),
        CheckConstraint(f"kind IN {DIFFERENCES!r}", name="kind"),
    )

    backfill_id: Mapped[UUID] = mapped_column(primary_key=True)
    object: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str]
    known: Mapped[str | None]
    told: Mapped[str | None]


class SourceSubscription(Tenant, Base):
    """Something that a source's system posts to us because we asked it to, by the system's own id.

    At `try_at` it is renewed, or looked for where it never ends. What fails is told in our words.
    """

    __tablename__ = "source_subscription"
    __table_args__ = tenant_table(
        _of_source(),
        ForeignKeyConstraint(["org_id", "secret_id"], ["source_secret.org_id", "source_secret.id"]),
        CheckConstraint(f"state IN {SUBSCRIPTION_STATES!r}", name="state"),
    )

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    secret_id: Mapped[UUID]
    url: Mapped[str]
    about: Mapped[str]
    state: Mapped[str]
    ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    renewed_at: Mapped[datetime | None]
    try_at: Mapped[datetime]
    attempts: Mapped[int]
    last_error: Mapped[str | None]


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


class SourceHealth(Tenant, Base):
    """What was last found wrong with a source, since when; null: nothing. Each change of it is told once."""

    __tablename__ = "source_health"
    __table_args__ = tenant_table(_of_source())

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    silent_since: Mapped[datetime | None]
    signatures_failing_since: Mapped[datetime | None]
    credentials_failing_since: Mapped[datetime | None]
    checked_at: Mapped[datetime]


class SourceRejections(Tenant, Base):
    """How many calls that were not authentic came to a source within an hour; of them nothing else is kept."""

    __tablename__ = "source_rejections"
    __table_args__ = tenant_table(_of_source())

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime]


class MappingPreview(Tenant, Base):
    """What a change of a source's mapping would change, by type of event and with examples, as a job found out."""

    __tablename__ = "mapping_preview"
    __table_args__ = tenant_table(
        _of_source(), ForeignKeyConstraint(["org_id", "job_id"], ["long_job.org_id", "long_job.id"])
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID]
    mapping: Mapped[dict[str, Any]]
    by_type: Mapped[dict[str, Any]]
    examples: Mapped[list[Any]]
