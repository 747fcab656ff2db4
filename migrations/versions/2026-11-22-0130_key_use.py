"""When an API key was last used."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prepare(op.get_bind())
    op.add_column("api_key", sa.Column("last_used_on", sa.Date(), nullable=True))


def downgrade() -> None:
    prepare(op.get_bind())
    op.drop_column("api_key", "last_used_on")
