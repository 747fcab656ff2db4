"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
from migrations.placement import distributed, prepare, reference

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    prepare(op.get_bind())
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    prepare(op.get_bind())
    ${downgrades if downgrades else "pass"}
