"""Figures kept ready."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_event_identity_dated": (
        "event",
        ["org_id", "identity_id", "occurred_on"],
        "occurred_on IS NOT NULL AND superseded_at IS NULL",
    ),
    "ix_event_credit_identity": ("event_credit", ["org_id", "identity_id", "occurred_at"], None),
    "ix_event_credit_dated": ("event_credit", ["org_id", "identity_id", "occurred_on"], "occurred_on IS NOT NULL"),
    "ix_stale_marker_shard": ("stale_marker", ["org_id", "shard", "identity_id", "occurred_at"], None),
}
_REPLACED = "ix_event_credit_org_id_identity_id"
# The key of the job that looks after an organization's figures, the same in each.
_KEEPING = "00000000-0000-0000-0000-000000000001"


def upgrade() -> None:
    """All but the last transaction can be repeated, should the migration be cut off while indexes are made."""
    prepare(op.get_bind())
    _date_credits()
    _forget_markers()
    with op.get_context().autocommit_block():
        for name, (table, columns, where) in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            condition = sa.text(where) if where else None
            op.create_index(name, table, columns, postgresql_where=condition, postgresql_concurrently=True)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_REPLACED}")
    prepare(op.get_bind())
    _create_partial_measure()
    _create_partial_guard()
    _create_partial_build()
    _create_partial()
    op.execute(
        "INSERT INTO job (org_id, id, kind, payload)"  # noqa: S608 - a constant
        f" SELECT organization.id, '{_KEEPING}', 'partials', '{{}}'::jsonb FROM organization"
    )


def downgrade() -> None:
    prepare(op.get_bind())
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_event_credit_org_id_identity_id",
            "event_credit",
            ["org_id", "identity_id"],
            postgresql_concurrently=True,
        )
        for name, (table, _, _) in _INDEXES.items():
            op.drop_index(name, table, postgresql_concurrently=True)
    prepare(op.get_bind())
    op.execute("DELETE FROM job WHERE kind = 'partials'")
    for table in ("partial", "partial_build", "partial_guard", "partial_measure"):
        op.drop_table(table)
    op.drop_column("stale_marker", "type")
    op.drop_column("stale_marker", "shard")
    op.drop_column("event_credit", "occurred_on")
    op.drop_column("event_credit", "occurred_at")


def _date_credits() -> None:
    """Null stays possible: servers of the version before write no time; the keeper of figures adds it."""
    at, on = sa.Column("occurred_at", sa.TIMESTAMP(timezone=True)), sa.Column("occurred_on", sa.Date())
    op.add_column("event_credit", at, if_not_exists=True)
    op.add_column("event_credit", on, if_not_exists=True)
    op.execute(
        "UPDATE event_credit SET occurred_at = event.occurred_at, occurred_on = event.occurred_on FROM event"
        " WHERE event.org_id = event_credit.org_id AND event.row_id = event_credit.row_id"
    )


def _forget_markers() -> None:
    """Nothing is kept yet that could be stale, so that what was noted so far says nothing: it is everything."""
    op.execute("DELETE FROM stale_marker")
    op.add_column("stale_marker", sa.Column("shard", sa.SmallInteger()), if_not_exists=True)
    op.add_column("stale_marker", sa.Column("type", sa.Text(collation="C")), if_not_exists=True)


def _create_partial_measure() -> None:
    op.create_table(
        "partial_measure",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shape", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_partial_measure")),
        sa.UniqueConstraint("org_id", "digest", name=op.f("uq_partial_measure_org_id_digest")),
    )
    secure("partial_measure")
    distributed("partial_measure")


def _create_partial_guard() -> None:
    op.create_table(
        "partial_guard",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("basis", sa.LargeBinary(), nullable=False),
        sa.Column("before", sa.Date(), nullable=True),
        sa.Column("computed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "shard", name=op.f("pk_partial_guard")),
    )
    secure("partial_guard")
    distributed("partial_guard")


def _create_partial_build() -> None:
    op.create_table(
        "partial_build",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Uuid(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("next_month", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "measure_id"],
            ["partial_measure.org_id", "partial_measure.id"],
            name=op.f("fk_partial_build_partial_measure"),
        ),
        sa.PrimaryKeyConstraint("org_id", "measure_id", "shard", name=op.f("pk_partial_build")),
    )
    secure("partial_build")
    distributed("partial_build")


def _create_partial() -> None:
    numbers, amounts = ("n", "left_out"), ("weight", "total", "whole", "low", "high")
    op.create_table(
        "partial",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("measure_id", sa.Uuid(), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(collation="C"), nullable=False),
        *[sa.Column(name, sa.Integer(), nullable=False) for name in numbers],
        *[sa.Column(name, sa.Numeric(), nullable=True) for name in amounts],
        *[sa.Column(f"day_{name}", postgresql.ARRAY(sa.Integer()), nullable=False) for name in numbers],
        *[sa.Column(f"day_{name}", postgresql.ARRAY(sa.Numeric()), nullable=True) for name in amounts],
        sa.PrimaryKeyConstraint(
            "org_id",
            "measure_id",
            "identity_id",
            "is_shared",
            "month",
            "currency",
            name=op.f("pk_partial"),
            postgresql_include=[*numbers, *amounts],
        ),
    )
    secure("partial")
    distributed("partial")
