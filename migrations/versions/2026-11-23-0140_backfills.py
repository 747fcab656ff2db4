"""Backfills, and what differed; subscriptions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    prepare(op.get_bind())
    _create_backfill()
    _create_part(
        "backfill_object",
        sa.Column("object", _TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("cursor", _TEXT, nullable=True),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("error", _TEXT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'reading', 'asking', 'done', 'failed')", name=op.f("ck_backfill_object_state")
        ),
        key=["object"],
    )
    _create_part(
        "backfill_difference",
        sa.Column("object", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("field", _TEXT, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("known", _TEXT, nullable=True),
        sa.Column("told", _TEXT, nullable=True),
        sa.CheckConstraint(
            "kind IN ('missing', 'changed', 'deleted', 'unknown_there')", name=op.f("ck_backfill_difference_kind")
        ),
        key=["object", "external_id", "field", "at"],
    )
    _create_subscription()


def downgrade() -> None:
    """What was taken in stays. Subscriptions that end are renewed no more: see to them in the systems."""
    prepare(op.get_bind())
    op.execute("DELETE FROM job WHERE kind IN ('backfill', 'subscribe', 'unsubscribe', 'renew-subscriptions')")
    for table in ("source_subscription", "backfill_difference", "backfill_object", "source_backfill"):
        op.drop_table(table)


def _create_backfill() -> None:
    op.create_table(
        "source_backfill",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("names_objects", sa.Boolean(), nullable=False),
        sa.Column("since_at", _INSTANT, nullable=False),
        sa.Column("until_at", _INSTANT, nullable=False),
        sa.CheckConstraint("mode IN ('backfill', 'reconcile')", name=op.f("ck_source_backfill_mode")),
        sa.ForeignKeyConstraint(
            ["org_id", "id"], ["long_job.org_id", "long_job.id"], name=op.f("fk_source_backfill_long_job")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_backfill_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_source_backfill")),
    )
    op.create_index(op.f("ix_source_backfill_org_id_source_id_id"), "source_backfill", ["org_id", "source_id", "id"])
    secure("source_backfill")
    distributed("source_backfill")


def _create_part(table: str, *columns: sa.Column[Any] | sa.CheckConstraint, key: list[str]) -> None:
    """A table of what belongs to a backfill."""
    op.create_table(
        table,
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("backfill_id", sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["org_id", "backfill_id"],
            ["source_backfill.org_id", "source_backfill.id"],
            name=op.f(f"fk_{table}_source_backfill"),
        ),
        sa.PrimaryKeyConstraint("org_id", "backfill_id", *key, name=op.f(f"pk_{table}")),
    )
    secure(table)
    distributed(table)


def _create_subscription() -> None:
    op.create_table(
        "source_subscription",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.Column("secret_id", sa.Uuid(), nullable=False),
        sa.Column("url", _TEXT, nullable=False),
        sa.Column("about", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("renewed_at", _INSTANT, nullable=True),
        sa.Column("try_at", _INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", _TEXT, nullable=True),
        sa.CheckConstraint("state IN ('active', 'failing', 'expired')", name=op.f("ck_source_subscription_state")),
        sa.ForeignKeyConstraint(
            ["org_id", "secret_id"],
            ["source_secret.org_id", "source_secret.id"],
            name=op.f("fk_source_subscription_source_secret"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_subscription_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", "external_id", name=op.f("pk_source_subscription")),
    )
    secure("source_subscription")
    distributed("source_subscription")
