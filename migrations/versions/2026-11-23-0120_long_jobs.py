"""Long work with its progress, and imports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    prepare(op.get_bind())
    _create_long_job()
    _create_import()
    _create_part(
        "import_chunk",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        key=["number"],
    )
    _create_part(
        "import_rejection",
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("cells", JSONB(), nullable=False),
        sa.Column("problems", JSONB(), nullable=False),
        key=["row"],
    )
    _create_part(
        "import_seen",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("state", JSONB(), nullable=False),
        key=["key", "row"],
    )


def downgrade() -> None:
    """What was imported stays; files that were not worked on yet are lost."""
    prepare(op.get_bind())
    op.execute("DELETE FROM job WHERE kind IN ('import-rows', 'clear-import')")
    for table in ("import_seen", "import_rejection", "import_chunk", "import_run", "long_job"):
        op.drop_table(table)


def _create_long_job() -> None:
    op.create_table(
        "long_job",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("permission", _TEXT, nullable=False),
        sa.Column("subject", JSONB(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("counts", JSONB(), nullable=False),
        sa.Column("error", _TEXT, nullable=True),
        sa.Column("created_by", _TEXT, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT, nullable=True),
        sa.Column("finished_at", _INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_long_job_state")
        ),
        sa.CheckConstraint("done >= 0", name=op.f("ck_long_job_done")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_long_job")),
    )
    op.create_index(op.f("ix_long_job_org_id_created_at_id"), "long_job", ["org_id", "created_at", "id"])
    secure("long_job")
    distributed("long_job")


def _create_import() -> None:
    op.create_table(
        "import_run",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("format", _TEXT, nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("file_name", _TEXT, nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("reading", JSONB(), nullable=False),
        sa.Column("columns", JSONB(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("counts", JSONB(), nullable=False),
        sa.Column("doubled_times", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('events', 'members', 'records', 'targets', 'teams')", name=op.f("ck_import_run_kind")
        ),
        sa.CheckConstraint("format IN ('csv', 'xlsx')", name=op.f("ck_import_run_format")),
        sa.ForeignKeyConstraint(
            ["org_id", "id"], ["long_job.org_id", "long_job.id"], name=op.f("fk_import_run_long_job")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "source_id"], ["source.org_id", "source.id"], name=op.f("fk_import_run_source")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_import_run")),
    )
    op.create_index(op.f("ix_import_run_org_id_created_at_id"), "import_run", ["org_id", "created_at", "id"])
    secure("import_run")
    distributed("import_run")


def _create_part(table: str, *columns: sa.Column, key: list[str]) -> None:
    """A table of what belongs to an import."""
    op.create_table(
        table,
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["org_id", "import_id"], ["import_run.org_id", "import_run.id"], name=op.f(f"fk_{table}_import_run")
        ),
        sa.PrimaryKeyConstraint("org_id", "import_id", *key, name=op.f(f"pk_{table}")),
    )
    secure(table)
    distributed(table)
