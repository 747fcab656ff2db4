"""Stages of sources by their names; queues and teams that own records."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")


def upgrade() -> None:
    prepare(op.get_bind())
    # With a constant default no row is rewritten.
    op.add_column("identity", sa.Column("kind", _TEXT, server_default=sa.text("'person'"), nullable=False))
    op.create_check_constraint(op.f("ck_identity_kind"), "identity", "kind IN ('person', 'queue', 'team')")
    op.create_table(
        "source_stage",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("object", _TEXT, nullable=False),
        sa.Column("pipeline_id", _TEXT, nullable=False),
        sa.Column("stage_id", _TEXT, nullable=False),
        sa.Column("pipeline", _TEXT, nullable=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("outcome IN ('open', 'won', 'lost')", name=op.f("ck_source_stage_outcome")),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_source_stage_source")
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "source_id", "object", "pipeline_id", "stage_id", name=op.f("pk_source_stage")
        ),
    )
    secure("source_stage")
    distributed("source_stage")


def downgrade() -> None:
    """Names of stages are told again; who is a queue or team is forgotten."""
    prepare(op.get_bind())
    op.drop_table("source_stage")
    op.drop_constraint(op.f("ck_identity_kind"), "identity", type_="check")
    op.drop_column("identity", "kind")
