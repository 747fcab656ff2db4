"""Indexes for what is read from the ledger.

Somebody's events of a type, instead of all of somebody's events: a figure is about some types, and a look at all of them
skips from one type to the next. What was superseded by when that happened, instead of by type: a question of the present
finds at once that there is nothing.
"""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CURRENT, _SUPERSEDED = "superseded_at IS NULL", "superseded_at IS NOT NULL"
_NEW = {
    "ix_event_identity_type": (["org_id", "identity_id", "type", "occurred_at"], _CURRENT),
    "ix_event_past": (["org_id", "superseded_at"], _SUPERSEDED),
}
_OLD = {
    "ix_event_identity": (["org_id", "identity_id", "occurred_at"], _CURRENT),
    "ix_event_history": (["org_id", "type", "occurred_at"], _SUPERSEDED),
}


def upgrade() -> None:
    """Can be repeated, should it be cut off while indexes are made."""
    prepare(op.get_bind())
    _replace(_OLD, _NEW)


def downgrade() -> None:
    prepare(op.get_bind())
    _replace(_NEW, _OLD)


def _replace(old: dict[str, tuple[list[str], str]], new: dict[str, tuple[list[str], str]]) -> None:
    with op.get_context().autocommit_block():
        for name, (columns, where) in new.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(name, "event", columns, postgresql_where=sa.text(where), postgresql_concurrently=True)
        for name in old:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    prepare(op.get_bind())
