"""The type beside credits and in the index of events with a day of their own.

Somebody's shared events of a type, without a look at all others that they share; somebody's events of some days and
types, where other types have days too; and between which instants the events of a type and of some days happened.
"""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_DATED = "occurred_on IS NOT NULL AND superseded_at IS NULL"
_NEW = ("ix_event_type_dated", ["org_id", "type", "identity_id", "occurred_on", "occurred_at"])
_OLD = ("ix_event_identity_dated", ["org_id", "identity_id", "occurred_on"])


def upgrade() -> None:
    """Can be repeated, should it be cut off while indexes are made. Servers of the version before write no type."""
    prepare(op.get_bind())
    op.add_column("event_credit", sa.Column("type", sa.Text(collation="C")), if_not_exists=True)
    op.execute(
        "UPDATE event_credit SET type = event.type FROM event"
        " WHERE event.org_id = event_credit.org_id AND event.row_id = event_credit.row_id"
    )
    _replace(_OLD, _NEW)


def downgrade() -> None:
    prepare(op.get_bind())
    _replace(_NEW, _OLD)
    op.drop_column("event_credit", "type")


def _replace(old: tuple[str, list[str]], new: tuple[str, list[str]]) -> None:
    name, columns = new
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.create_index(name, "event", columns, postgresql_where=sa.text(_DATED), postgresql_concurrently=True)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old[0]}")
    prepare(op.get_bind())
