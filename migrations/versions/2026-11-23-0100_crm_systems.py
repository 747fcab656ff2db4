"""More systems can be connected; deliveries tell whether they were posted or asked for."""

import sqlalchemy as sa
from alembic import op

from migrations.placement import prepare

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BEFORE = "system IN ('api', 'hubspot', 'pipedrive', 'paceline')"
_NOW = (
    "system IN ('api', 'dynamics365', 'fxiaoke', 'hubspot', 'paceline', 'pipedrive', 'salesforce', 'webhook', 'zoho')"
)


def upgrade() -> None:
    prepare(op.get_bind())
    _let_be_systems(_NOW)
    # With a constant default no row is rewritten.
    op.add_column(
        "delivery", sa.Column("origin", sa.Text(collation="C"), server_default=sa.text("'webhook'"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_delivery_origin"), "delivery", "origin IN ('webhook', 'fetch', 'backfill')")


def downgrade() -> None:
    """Only where no source of a new system is left."""
    prepare(op.get_bind())
    op.drop_constraint(op.f("ck_delivery_origin"), "delivery", type_="check")
    op.drop_column("delivery", "origin")
    _let_be_systems(_BEFORE)


def _let_be_systems(systems: str) -> None:
    op.drop_constraint(op.f("ck_source_system"), "source", type_="check")
    op.create_check_constraint(op.f("ck_source_system"), "source", systems)
