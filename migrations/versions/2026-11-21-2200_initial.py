"""Every table of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import distributed, prepare, reference

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - a statement for each table
    """Each table with its constraints and indexes, its row security, and its place."""
    prepare(op.get_bind())
    # `paceline bootstrap` made it already; a database that was set up otherwise may lack it.
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")

    op.create_table(
        "organization",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
    )
    secure("organization", column="id")
    distributed("organization", column="id")

    op.create_table(
        "api_key_directory",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key_directory")),
    )
    reference("api_key_directory")

    op.create_table(
        "source_directory",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_source_directory")),
    )
    reference("source_directory")

    op.create_table(
        "api_key",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'manager', 'member', 'service')", name=op.f("ck_api_key_role")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_api_key")),
    )
    secure("api_key")
    distributed("api_key")

    op.create_table(
        "audit_entry",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("resource", sa.Text(collation="C"), nullable=False),
        sa.Column("resource_id", sa.Text(collation="C"), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        op.f("ix_audit_entry_org_id_resource_resource_id"),
        "audit_entry",
        ["org_id", "resource", "resource_id"],
        unique=False,
    )
    secure("audit_entry")
    distributed("audit_entry")

    op.create_table(
        "event_type",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "type", name=op.f("pk_event_type")),
    )
    secure("event_type")
    distributed("event_type")

    op.create_table(
        "idempotent_answer",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("request_digest", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "caller_id", "operation", "key", name=op.f("pk_idempotent_answer")),
    )
    secure("idempotent_answer")
    distributed("idempotent_answer")

    op.create_table(
        "job",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("run_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_org_id_kind_run_at"), "job", ["org_id", "kind", "run_at"], unique=False)
    op.create_index(op.f("ix_job_run_at"), "job", ["run_at"], unique=False)
    secure("job", is_due_list=True)
    distributed("job")

    op.create_table(
        "outbox_message",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_outbox_message")),
    )
    secure("outbox_message")
    distributed("outbox_message")

    op.create_table(
        "source",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("system", sa.Text(collation="C"), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("archived_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("system IN ('api', 'hubspot', 'pipedrive')", name=op.f("ck_source_system")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_source")),
        sa.UniqueConstraint("org_id", "key", name=op.f("uq_source_org_id_key")),
    )
    secure("source")
    distributed("source")

    op.create_table(
        "stale_marker",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_stale_marker")),
    )
    secure("stale_marker")
    distributed("stale_marker")

    op.create_table(
        "cloud_event_source",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("uri", sa.Text(collation="C"), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_cloud_event_source_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_cloud_event_source")),
        sa.UniqueConstraint("org_id", "uri", name=op.f("uq_cloud_event_source_org_id_uri")),
    )
    secure("cloud_event_source")
    distributed("cloud_event_source")

    op.create_table(
        "delivery",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(collation="C"), nullable=False),
        sa.Column("error", sa.Text(collation="C"), nullable=True),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("processed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "verdict IN ('received', 'translated', 'ignored', 'foreign_account', 'unparseable', 'failed')",
            name=op.f("ck_delivery_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_delivery_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_delivery")),
    )
    op.create_index(op.f("ix_delivery_org_id_source_id_id"), "delivery", ["org_id", "source_id", "id"], unique=False)
    secure("delivery")
    distributed("delivery")

    op.create_table(
        "event_head",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_event_head_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", "external_id", name=op.f("pk_event_head")),
    )
    secure("event_head")
    distributed("event_head")

    op.create_table(
        "identity",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(collation="C"), nullable=False),
        sa.Column("email", sa.Text(collation="C"), nullable=True),
        sa.Column("name", sa.Text(collation="C"), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_identity_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_identity")),
        sa.UniqueConstraint(
            "org_id", "source_id", "external_id", name=op.f("uq_identity_org_id_source_id_external_id")
        ),
    )
    secure("identity")
    distributed("identity")

    op.create_table(
        "ledger_clock",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("last_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("manual_now", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_ledger_clock_organization")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_ledger_clock")),
    )
    secure("ledger_clock")
    distributed("ledger_clock")

    op.create_table(
        "member",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("email", sa.Text(collation="C"), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("archived_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_member_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_member")),
    )
    op.create_index(op.f("ix_member_org_id_name"), "member", ["org_id", "name"], unique=False)
    secure("member")
    distributed("member")

    op.create_table(
        "organization_settings",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("time_zone", sa.Text(collation="C"), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        sa.Column("week_starts_on", sa.Integer(), nullable=False),
        sa.Column("fiscal_year_starts", sa.Integer(), nullable=False),
        sa.Column("fiscal_year_named_after", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "fiscal_year_named_after IN ('starts', 'ends')", name=op.f("ck_organization_settings_fiscal_name")
        ),
        sa.CheckConstraint("fiscal_year_starts BETWEEN 1 AND 12", name=op.f("ck_organization_settings_fiscal_start")),
        sa.CheckConstraint("week_starts_on BETWEEN 0 AND 6", name=op.f("ck_organization_settings_week_start")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_organization_settings_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_organization_settings")),
    )
    op.create_index(
        "uq_organization_settings_current",
        "organization_settings",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("organization_settings")
    distributed("organization_settings")

    op.create_table(
        "record",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("object", sa.Text(collation="C"), nullable=False),
        sa.Column("external_id", sa.Text(collation="C"), nullable=False),
        sa.Column("label", sa.Text(collation="C"), nullable=True),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source_created_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.Text(collation="C"), nullable=True),
        sa.Column("needs_fetch", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_record_source")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_record")),
        sa.UniqueConstraint(
            "org_id", "source_id", "object", "external_id", name=op.f("uq_record_org_id_source_id_object_external_id")
        ),
    )
    op.create_index(
        "ix_record_merged_into",
        "record",
        ["org_id", "source_id", "object", "merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    secure("record")
    distributed("record")

    op.create_table(
        "record_link",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("from_object", sa.Text(collation="C"), nullable=False),
        sa.Column("from_id", sa.Text(collation="C"), nullable=False),
        sa.Column("to_object", sa.Text(collation="C"), nullable=False),
        sa.Column("to_id", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tie", sa.Text(collation="C"), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_record_link_source")
        ),
        sa.PrimaryKeyConstraint(
            "org_id",
            "source_id",
            "from_object",
            "from_id",
            "to_object",
            "to_id",
            "at",
            "tie",
            "removed",
            "is_primary",
            name=op.f("pk_record_link"),
        ),
    )
    op.create_index("ix_record_link_to", "record_link", ["org_id", "source_id", "to_object", "to_id"], unique=False)
    secure("record_link")
    distributed("record_link")

    op.create_table(
        "source_connection",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Text(collation="C"), nullable=False),
        sa.Column("signed_url", sa.Text(collation="C"), nullable=True),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_connection_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", name=op.f("pk_source_connection")),
    )
    secure("source_connection")
    distributed("source_connection")

    op.create_table(
        "source_counts",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("counts", postgresql.ARRAY(sa.Text(collation="C")), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_counts_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_source_counts")),
    )
    op.create_index(
        "uq_source_counts_current",
        "source_counts",
        ["org_id", "source_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("source_counts")
    distributed("source_counts")

    op.create_table(
        "source_secret",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("retired_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_secret_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_source_secret")),
    )
    op.create_index(op.f("ix_source_secret_org_id_source_id"), "source_secret", ["org_id", "source_id"], unique=False)
    secure("source_secret")
    distributed("source_secret")

    op.create_table(
        "team",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("archived_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_team_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_team")),
    )
    op.create_index(op.f("ix_team_org_id_name"), "team", ["org_id", "name"], unique=False)
    secure("team")
    distributed("team")

    op.create_table(
        "work_calendar",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("time_zone", sa.Text(collation="C"), nullable=True),
        sa.Column("weekdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("subdivision", sa.Text(collation="C"), nullable=True),
        sa.Column("country_holidays", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("holidays", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("extra_working_days", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_work_calendar_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_work_calendar")),
    )
    op.create_index(
        "uq_work_calendar_current",
        "work_calendar",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_work_calendar_default",
        "work_calendar",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL AND is_default"),
    )
    secure("work_calendar")
    distributed("work_calendar")

    op.create_table(
        "event",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=True),
        sa.Column("occurred_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("occurred_on", sa.Date(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("identity_id", sa.Uuid(), nullable=True),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("about", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("duration_seconds", sa.Numeric(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("origin", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("NOT is_shared OR identity_id IS NULL", name=op.f("ck_event_credits")),
        sa.CheckConstraint("retracted OR (type IS NOT NULL AND occurred_at IS NOT NULL)", name=op.f("ck_event_told")),
        sa.ForeignKeyConstraint(["org_id", "actor_id"], ["identity.org_id", "identity.id"], name="fk_event_actor"),
        sa.ForeignKeyConstraint(
            ["org_id", "identity_id"], ["identity.org_id", "identity.id"], name="fk_event_identity"
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_event")),
        sa.UniqueConstraint("org_id", "event_id", "revision", name=op.f("uq_event_org_id_event_id_revision")),
    )
    op.create_index(
        "ix_event_current",
        "event",
        ["org_id", "type", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "ix_event_history",
        "event",
        ["org_id", "type", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NOT NULL"),
    )
    op.create_index(
        "ix_event_identity",
        "event",
        ["org_id", "identity_id", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "ix_event_search",
        "event",
        ["org_id", "occurred_at", "row_id"],
        unique=False,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "ix_event_shared",
        "event",
        ["org_id", "type", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("is_shared AND superseded_at IS NULL"),
    )
    secure("event")
    distributed("event")

    op.create_table(
        "identity_mapping",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("identity_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("superseded_at IS NULL"),
            using="gist",
            name="ex_identity_mapping_overlap",
        ),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_identity_mapping_days")),
        sa.ForeignKeyConstraint(
            ["org_id", "identity_id"], ["identity.org_id", "identity.id"], name=op.f("fk_identity_mapping_identity")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_identity_mapping_member")
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_identity_mapping")),
    )
    op.create_index(
        op.f("ix_identity_mapping_org_id_member_id"), "identity_mapping", ["org_id", "member_id"], unique=False
    )
    op.create_index(
        "uq_identity_mapping_current",
        "identity_mapping",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("identity_mapping")
    distributed("identity_mapping")

    op.create_table(
        "kpi",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("indicator", sa.Text(collation="C"), nullable=False),
        sa.Column("display", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('sales_results', 'team_performance', 'coaching', 'customer_satisfaction', 'planning')",
            name=op.f("ck_kpi_category"),
        ),
        sa.CheckConstraint("indicator IN ('leading', 'lagging')", name=op.f("ck_kpi_indicator")),
        sa.CheckConstraint("state IN ('draft', 'official', 'archived')", name=op.f("ck_kpi_state")),
        sa.ForeignKeyConstraint(["org_id", "owner_id"], ["member.org_id", "member.id"], name=op.f("fk_kpi_member")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_kpi_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_kpi")),
        sa.UniqueConstraint("org_id", "key", name=op.f("uq_kpi_org_id_key")),
    )
    secure("kpi")
    distributed("kpi")

    op.create_table(
        "member_assignment",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("revenue_role", sa.Text(collation="C"), nullable=True),
        sa.Column("manager_id", sa.Uuid(), nullable=True),
        sa.Column("country", sa.Text(collation="C"), nullable=True),
        sa.Column("fte", sa.Numeric(), nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("member_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("superseded_at IS NULL"),
            using="gist",
            name="ex_member_assignment_overlap",
        ),
        sa.CheckConstraint("fte > 0 AND fte <= 1", name=op.f("ck_member_assignment_fte")),
        sa.CheckConstraint("manager_id <> member_id", name=op.f("ck_member_assignment_manager")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_member_assignment_days")),
        sa.ForeignKeyConstraint(
            ["org_id", "manager_id"], ["member.org_id", "member.id"], name="fk_member_assignment_manager"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_member_assignment_member")
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_member_assignment")),
    )
    op.create_index(
        "uq_member_assignment_current",
        "member_assignment",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("member_assignment")
    distributed("member_assignment")

    op.create_table(
        "membership",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("team_id"), "="),
            (sa.column("member_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("superseded_at IS NULL"),
            using="gist",
            name="ex_membership_overlap",
        ),
        sa.CheckConstraint("kind IN ('member', 'lead')", name=op.f("ck_membership_kind")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_membership_days")),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_membership_member")
        ),
        sa.ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"], name=op.f("fk_membership_team")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_org_id_member_id"), "membership", ["org_id", "member_id"], unique=False)
    op.create_index(
        "uq_membership_current",
        "membership",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("membership")
    distributed("membership")

    op.create_table(
        "record_field",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tie", sa.Text(collation="C"), nullable=False),
        sa.Column("value", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "record_id"], ["record.org_id", "record.id"], name=op.f("fk_record_field_record")
        ),
        sa.PrimaryKeyConstraint("org_id", "record_id", "field", "at", "tie", "value", name=op.f("pk_record_field")),
    )
    secure("record_field")
    distributed("record_field")

    op.create_table(
        "review",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=True),
        sa.Column("period", sa.Text(collation="C"), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=False),
        sa.Column("kpi_keys", postgresql.ARRAY(sa.String(collation="C")), nullable=False),
        sa.Column("summary", sa.Text(collation="C"), nullable=False),
        sa.Column("strengths", sa.Text(collation="C"), nullable=False),
        sa.Column("areas_to_improve", sa.Text(collation="C"), nullable=False),
        sa.Column("agreed_actions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("comment", sa.Text(collation="C"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("shared_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'shared', 'acknowledged', 'closed')", name=op.f("ck_review_state")),
        sa.CheckConstraint("reviewer_id <> member_id", name=op.f("ck_review_reviewer")),
        sa.CheckConstraint("start_on < end_on", name=op.f("ck_review_period")),
        sa.ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"], name="fk_review_member"),
        sa.ForeignKeyConstraint(["org_id", "reviewer_id"], ["member.org_id", "member.id"], name="fk_review_reviewer"),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_review")),
    )
    op.create_index(
        op.f("ix_review_org_id_member_id_start_on"), "review", ["org_id", "member_id", "start_on"], unique=False
    )
    op.create_index(op.f("ix_review_org_id_reviewer_id"), "review", ["org_id", "reviewer_id"], unique=False)
    secure("review")
    distributed("review")

    op.create_table(
        "team_placement",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("team_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("superseded_at IS NULL"),
            using="gist",
            name="ex_team_placement_overlap",
        ),
        sa.CheckConstraint("parent_id <> team_id", name=op.f("ck_team_placement_parent")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_team_placement_days")),
        sa.ForeignKeyConstraint(["org_id", "parent_id"], ["team.org_id", "team.id"], name="fk_team_placement_parent"),
        sa.ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"], name=op.f("fk_team_placement_team")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_team_placement")),
    )
    op.create_index(
        "uq_team_placement_current",
        "team_placement",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("team_placement")
    distributed("team_placement")

    op.create_table(
        "event_credit",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("share", sa.Numeric(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "identity_id"], ["identity.org_id", "identity.id"], name="fk_event_credit_identity"
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "row_id"], ["event.org_id", "event.row_id"], name=op.f("fk_event_credit_event")
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", "position", name=op.f("pk_event_credit")),
    )
    op.create_index(op.f("ix_event_credit_org_id_identity_id"), "event_credit", ["org_id", "identity_id"], unique=False)
    secure("event_credit")
    distributed("event_credit")

    op.create_table(
        "goal",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(collation="C"), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("kpi_key", sa.Text(collation="C"), nullable=False),
        sa.Column("direction", sa.Text(collation="C"), nullable=False),
        sa.Column("period", sa.Text(collation="C"), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=True),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("opened_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closing", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("closing_digest", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("(state = 'closed') = (closing IS NOT NULL)", name=op.f("ck_goal_closing")),
        sa.CheckConstraint("direction IN ('increase', 'decrease', 'maintain')", name=op.f("ck_goal_direction")),
        sa.CheckConstraint("state IN ('draft', 'open', 'closed', 'cancelled')", name=op.f("ck_goal_state")),
        sa.CheckConstraint("start_on < end_on", name=op.f("ck_goal_period")),
        sa.CheckConstraint("team_id IS NULL OR member_id IS NULL", name=op.f("ck_goal_one_owner")),
        sa.ForeignKeyConstraint(["org_id", "kpi_key"], ["kpi.org_id", "kpi.key"], name=op.f("fk_goal_kpi")),
        sa.ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_goal_member")),
        sa.ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"], name=op.f("fk_goal_team")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal")),
    )
    op.create_index(op.f("ix_goal_org_id_kpi_key_start_on"), "goal", ["org_id", "kpi_key", "start_on"], unique=False)
    op.create_index(op.f("ix_goal_org_id_member_id"), "goal", ["org_id", "member_id"], unique=False)
    op.create_index(op.f("ix_goal_org_id_team_id"), "goal", ["org_id", "team_id"], unique=False)
    secure("goal")
    distributed("goal")

    op.create_table(
        "kpi_version",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("kpi_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("number > 1 OR valid_from IS NULL", name=op.f("ck_kpi_version_first_holds_always")),
        sa.ForeignKeyConstraint(["org_id", "kpi_id"], ["kpi.org_id", "kpi.id"], name=op.f("fk_kpi_version_kpi")),
        sa.PrimaryKeyConstraint("org_id", "kpi_id", "number", name=op.f("pk_kpi_version")),
    )
    secure("kpi_version")
    distributed("kpi_version")

    op.create_table(
        "review_evidence",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.Text(collation="C"), nullable=False),
        sa.Column("frozen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "review_id"], ["review.org_id", "review.id"], name=op.f("fk_review_evidence_review")
        ),
        sa.PrimaryKeyConstraint("org_id", "review_id", name=op.f("pk_review_evidence")),
    )
    secure("review_evidence")
    distributed("review_evidence")

    op.create_table(
        "goal_target",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("low", sa.Numeric(), nullable=True),
        sa.Column("high", sa.Numeric(), nullable=True),
        sa.Column("reason", sa.Text(collation="C"), nullable=False),
        sa.Column("changed_by", sa.Text(collation="C"), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(value IS NULL) = (low IS NOT NULL) AND (low IS NULL) = (high IS NULL)",
            name=op.f("ck_goal_target_value_or_band"),
        ),
        sa.ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_goal_target_goal")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_target")),
    )
    op.create_index(
        op.f("ix_goal_target_org_id_goal_id_recorded_at"),
        "goal_target",
        ["org_id", "goal_id", "recorded_at"],
        unique=False,
    )
    op.create_index(
        "uq_goal_target_current",
        "goal_target",
        ["org_id", "goal_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("goal_target")
    distributed("goal_target")


def downgrade() -> None:
    """Nothing is left but the extension, which others may use."""
    prepare(op.get_bind())
    op.drop_table("goal_target")
    op.drop_table("review_evidence")
    op.drop_table("kpi_version")
    op.drop_table("goal")
    op.drop_table("event_credit")
    op.drop_table("team_placement")
    op.drop_table("review")
    op.drop_table("record_field")
    op.drop_table("membership")
    op.drop_table("member_assignment")
    op.drop_table("kpi")
    op.drop_table("identity_mapping")
    op.drop_table("event")
    op.drop_table("work_calendar")
    op.drop_table("team")
    op.drop_table("source_secret")
    op.drop_table("source_counts")
    op.drop_table("source_connection")
    op.drop_table("record_link")
    op.drop_table("record")
    op.drop_table("organization_settings")
    op.drop_table("member")
    op.drop_table("ledger_clock")
    op.drop_table("identity")
    op.drop_table("event_head")
    op.drop_table("delivery")
    op.drop_table("cloud_event_source")
    op.drop_table("stale_marker")
    op.drop_table("source")
    op.drop_table("outbox_message")
    op.drop_table("job")
    op.drop_table("idempotent_answer")
    op.drop_table("event_type")
    op.drop_table("audit_entry")
    op.drop_table("api_key")
    op.drop_table("source_directory")
    op.drop_table("api_key_directory")
    op.drop_table("organization")


def secure(table: str, column: str = "org_id", *, is_due_list: bool = False) -> None:
    """Keep tenants apart in the database itself; the due list may be read across them by the worker."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant ON {table} USING ({column} = nullif(current_setting('app.org_id', true), '')::uuid) WITH CHECK ({column} = nullif(current_setting('app.org_id', true), '')::uuid)"
    )
    op.execute(f"CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)")
    if is_due_list:
        op.execute(f"CREATE POLICY worker ON {table} FOR SELECT USING (current_user = 'paceline_worker')")
