"""How often anything but events changed; and which currencies occur, found without looking at all events."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prepare(op.get_bind())
    column = sa.Column("configured", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    op.add_column("ledger_clock", column, if_not_exists=True)  # the step can be repeated, should it be cut off
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_event_currency")
        op.create_index(
            "ix_event_currency",
            "event",
            ["org_id", "currency"],
            postgresql_where=sa.text("currency IS NOT NULL"),
            postgresql_concurrently=True,
        )
    prepare(op.get_bind())


def downgrade() -> None:
    prepare(op.get_bind())
    op.drop_index("ix_event_currency", "event")
    op.drop_column("ledger_clock", "configured")
