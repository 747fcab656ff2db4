"""Which posted events say when a deal is expected to close."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEX = "ix_event_closing"


def upgrade() -> None:
    prepare(op.get_bind())
    # Beside writers: the ledger may be large. From the beginning where an earlier attempt was broken off.
    with op.get_context().autocommit_block():
        op.drop_index(_INDEX, "event", postgresql_concurrently=True, if_exists=True)
        op.create_index(
            _INDEX,
            "event",
            ["org_id", "type", "occurred_at"],
            postgresql_where=sa.text("properties ?| ARRAY['close_date', 'expected_close_on']"),
            postgresql_concurrently=True,
        )
    prepare(op.get_bind())


def downgrade() -> None:
    prepare(op.get_bind())
    op.drop_index(_INDEX, "event")
