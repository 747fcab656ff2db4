"""Health of sources; what a change of a mapping would change, with examples."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_AT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    prepare(op.get_bind())
    op.create_table(
        "source_health",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("silent_since", _AT, nullable=True),
        sa.Column("signatures_failing_since", _AT, nullable=True),
        sa.Column("credentials_failing_since", _AT, nullable=True),
        sa.Column("checked_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_health_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", name=op.f("pk_source_health")),
    )
    secure("source_health")
    distributed("source_health")
    op.create_table(
        "source_rejections",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("hour", _AT, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("last_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_rejections_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "source_id", "hour", name=op.f("pk_source_rejections")),
    )
    secure("source_rejections")
    distributed("source_rejections")
    op.create_table(
        "mapping_preview",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("mapping", JSONB(), nullable=False),
        sa.Column("by_type", JSONB(), nullable=False),
        sa.Column("examples", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_mapping_preview_source")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "job_id"], ["long_job.org_id", "long_job.id"], name=op.f("fk_mapping_preview_long_job")
        ),
        sa.PrimaryKeyConstraint("org_id", "job_id", name=op.f("pk_mapping_preview")),
    )
    secure("mapping_preview")
    distributed("mapping_preview")
    _watch_those_there()


def _watch_those_there() -> None:
    """Let each organization find out which sources it has: the job begins to watch them."""
    op.execute(
        "INSERT INTO job (org_id, id, kind, payload, run_at)"
        " SELECT org_id, uuidv7(), 'watch-sources', '{}', clock_timestamp() FROM source_connection GROUP BY org_id"
    )


def downgrade() -> None:
    """What was noticed is noticed again; what was counted is not known any more."""
    prepare(op.get_bind())
    op.execute("DELETE FROM job WHERE kind IN ('watch-source', 'watch-sources')")
    op.drop_table("mapping_preview")
    op.drop_table("source_rejections")
    op.drop_table("source_health")
