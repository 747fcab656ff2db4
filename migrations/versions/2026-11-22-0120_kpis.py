"""Qualitative KPIs and who scores them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import prepare

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prepare(op.get_bind())
    # The default is what every KPI has been so far; it stays, for writers of the version before.
    op.add_column("kpi", sa.Column("nature", sa.Text(collation="C"), server_default="quantitative", nullable=False))
    op.add_column("kpi", sa.Column("scoring", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_check_constraint(op.f("ck_kpi_nature"), "kpi", "nature IN ('quantitative', 'qualitative')")
    op.create_check_constraint(op.f("ck_kpi_scoring"), "kpi", "(nature = 'qualitative') = (scoring IS NOT NULL)")


def downgrade() -> None:
    prepare(op.get_bind())
    op.drop_constraint(op.f("ck_kpi_scoring"), "kpi", type_="check")
    op.drop_constraint(op.f("ck_kpi_nature"), "kpi", type_="check")
    op.drop_column("kpi", "scoring")
    op.drop_column("kpi", "nature")
