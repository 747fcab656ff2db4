"""Events that were archived or dropped."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_INDEXES = {
    "ix_event_superseded": ("occurred_at", "superseded_at IS NOT NULL"),
    "ix_event_dated": ("occurred_on", "occurred_on IS NOT NULL"),
}


def upgrade() -> None:
    prepare(op.get_bind())
    # Beside writers: the ledger may be large. First, and from the beginning where an earlier attempt was broken off.
    with op.get_context().autocommit_block():
        for name, (column, condition) in _INDEXES.items():
            op.drop_index(name, "event", postgresql_concurrently=True, if_exists=True)
            op.create_index(
                name,
                "event",
                ["org_id", column, "row_id"],
                postgresql_where=sa.text(condition),
                postgresql_concurrently=True,
            )
    prepare(op.get_bind())
    _create_archive()
    _create_part()
    _let_administrators_archive()


def downgrade() -> None:
    """What was archived is lost; the keys keep a scope that no longer says anything."""
    prepare(op.get_bind())
    for name in _INDEXES:
        op.drop_index(name, "event")
    op.execute("UPDATE api_key SET scopes = array_remove(scopes, 'events:archive')")
    op.drop_table("event_archive_part")
    op.drop_table("event_archive")


def _create_archive() -> None:
    op.create_table(
        "event_archive",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.Date(), nullable=False),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("time_zone", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("requested_by", _TEXT, nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("done_until", sa.Date(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("revisions", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("extract(day FROM before) = 1", name=op.f("ck_event_archive_before")),
        sa.CheckConstraint("mode IN ('archive', 'drop')", name=op.f("ck_event_archive_mode")),
        sa.CheckConstraint("state IN ('waiting', 'working', 'done')", name=op.f("ck_event_archive_state")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_event_archive")),
        sa.UniqueConstraint("org_id", "before", name=op.f("uq_event_archive_org_id_before")),
    )
    secure("event_archive")
    distributed("event_archive")


def _create_part() -> None:
    op.create_table(
        "event_archive_part",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("archive_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("revisions", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "archive_id"],
            ["event_archive.org_id", "event_archive.id"],
            name=op.f("fk_event_archive_part_event_archive"),
        ),
        sa.PrimaryKeyConstraint("org_id", "archive_id", "month", "number", name=op.f("pk_event_archive_part")),
    )
    secure("event_archive_part")
    distributed("event_archive_part")


def _let_administrators_archive() -> None:
    """No key can give what it does not have: those that may give everything else get the new scope, too."""
    op.execute(
        "UPDATE api_key SET scopes = array_append(scopes, 'events:archive') WHERE role = 'admin'"
        " AND scopes @> ARRAY['api-keys:write', 'organization:write'] AND NOT scopes @> ARRAY['events:archive']"
    )
