"""Credentials with which systems are asked, and what is to be fetched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    prepare(op.get_bind())
    _create_credentials()
    _create_fetches()


def downgrade() -> None:
    """Credentials are to be entered again. Sealed secrets of sources stay sealed, which the code before cannot read."""
    prepare(op.get_bind())
    op.drop_table("record_fetch")
    op.drop_table("source_credentials")


def _create_credentials() -> None:
    op.create_table(
        "source_credentials",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", _TEXT, nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token", _TEXT, nullable=True),
        sa.Column("token_ends_at", _INSTANT, nullable=True),
        sa.Column("renewing_until", _INSTANT, nullable=True),
        sa.Column("last_used_at", _INSTANT, nullable=True),
        sa.Column("last_failed_at", _INSTANT, nullable=True),
        sa.Column("last_failure", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_credentials_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", name=op.f("pk_source_credentials")),
    )
    secure("source_credentials")
    distributed("source_credentials")


def _create_fetches() -> None:
    op.create_table(
        "record_fetch",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("object", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.Column("wanted_at", _INSTANT, nullable=False),
        sa.Column("next_try_at", _INSTANT, nullable=False),
        sa.Column("is_claimed", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", _TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_record_fetch_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", "object", "external_id", name=op.f("pk_record_fetch")),
    )
    op.create_index("ix_record_fetch_next_try_at", "record_fetch", ["org_id", "source_id", "next_try_at"])
    secure("record_fetch")
    distributed("record_fetch")
