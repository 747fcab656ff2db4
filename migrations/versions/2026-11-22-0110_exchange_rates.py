"""Exchange rates in named sets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prepare(op.get_bind())

    op.create_table(
        "rate_set",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('daily', 'fixed')", name=op.f("ck_rate_set_kind")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_rate_set_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_rate_set")),
    )
    for name, column in (("uq_rate_set_current", "id"), ("uq_rate_set_key", "key")):
        op.create_index(
            name, "rate_set", ["org_id", column], unique=True, postgresql_where=sa.text("superseded_at IS NULL")
        )
    secure("rate_set")
    distributed("rate_set")

    op.create_table(
        "exchange_rate",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rate_set_id", sa.Uuid(), nullable=False),
        sa.Column("base", sa.Text(collation="C"), nullable=False),
        sa.Column("quote", sa.Text(collation="C"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("rate", sa.Numeric(), nullable=False),
        sa.Column("is_fixed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("rate > 0", name=op.f("ck_exchange_rate_rate")),
        sa.CheckConstraint("base <> quote", name=op.f("ck_exchange_rate_pair")),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_exchange_rate_days")),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("rate_set_id"), "="),
            (sa.column("base"), "="),
            (sa.column("quote"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=sa.text("superseded_at IS NULL AND is_fixed"),
            using="gist",
            name="ex_exchange_rate_overlap",
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_exchange_rate_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_exchange_rate")),
    )
    op.create_index("ix_exchange_rate_set", "exchange_rate", ["org_id", "rate_set_id", "recorded_at"])
    op.create_index(
        "uq_exchange_rate_current",
        "exchange_rate",
        ["org_id", "id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_index(
        "uq_exchange_rate_pair",
        "exchange_rate",
        ["org_id", "rate_set_id", "base", "quote", "valid_from"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("exchange_rate")
    distributed("exchange_rate")


def downgrade() -> None:
    prepare(op.get_bind())
    op.drop_table("exchange_rate")
    op.drop_table("rate_set")
