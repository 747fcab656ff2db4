"""Employments, absences, named periods, and how a fiscal year is cut."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IS_CURRENT = sa.text("superseded_at IS NULL")


def upgrade() -> None:
    prepare(op.get_bind())
    _cut_fiscal_years()
    _let_paceline_be_a_source("system IN ('api', 'hubspot', 'pipedrive', 'paceline')")
    _create_named_period()
    _create_dated("employment")
    _create_dated(
        "absence",
        sa.Column("effect", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), nullable=True),
        sa.CheckConstraint("valid_from IS NOT NULL AND valid_to IS NOT NULL", name=op.f("ck_absence_bounded")),
        sa.CheckConstraint("effect IN ('reschedule', 'prorate_target')", name=op.f("ck_absence_effect")),
    )


def downgrade() -> None:
    """Refused by the database where Paceline's own source has told the ledger something already."""
    prepare(op.get_bind())
    op.drop_table("absence")
    op.drop_table("employment")
    op.drop_table("named_period")
    _let_paceline_be_a_source("system IN ('api', 'hubspot', 'pipedrive')")
    op.drop_constraint(op.f("ck_organization_settings_fiscal_week_rule"), "organization_settings", type_="check")
    op.drop_constraint(op.f("ck_organization_settings_fiscal_pattern"), "organization_settings", type_="check")
    op.drop_column("organization_settings", "fiscal_week_rule")
    op.drop_column("organization_settings", "fiscal_pattern")


def _cut_fiscal_years() -> None:
    """The defaults are how all organizations have counted so far; they stay, for writers of the version before."""
    table = "organization_settings"
    for name, default in (("fiscal_pattern", "months"), ("fiscal_week_rule", "last")):
        op.add_column(table, sa.Column(name, sa.Text(collation="C"), nullable=False, server_default=default))
    op.create_check_constraint(
        op.f("ck_organization_settings_fiscal_pattern"),
        table,
        "fiscal_pattern IN ('months', '4-4-5', '4-5-4', '5-4-4')",
    )
    op.create_check_constraint(
        op.f("ck_organization_settings_fiscal_week_rule"), table, "fiscal_week_rule IN ('last', 'nearest')"
    )


def _let_paceline_be_a_source(systems: str) -> None:
    op.drop_constraint(op.f("ck_source_system"), "source", type_="check")
    op.create_check_constraint(op.f("ck_source_system"), "source", systems)


def _create_named_period() -> None:
    op.create_table(
        "named_period",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_named_period_days")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_named_period_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_named_period")),
    )
    for name, column in (("uq_named_period_current", "id"), ("uq_named_period_key", "key")):
        op.create_index(name, "named_period", ["org_id", column], unique=True, postgresql_where=_IS_CURRENT)
    secure("named_period")
    distributed("named_period")


def _create_dated(table: str, *content: sa.schema.SchemaItem) -> None:
    """A dated, revised table of members, whose current rows of one member never share a day."""
    op.create_table(
        table,
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        *content,
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.TIMESTAMP(timezone=True), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("org_id"), "="),
            (sa.column("member_id"), "="),
            (sa.text("daterange(valid_from, valid_to)"), "&&"),
            where=_IS_CURRENT,
            using="gist",
            name=f"ex_{table}_overlap",
        ),
        sa.CheckConstraint("valid_from < valid_to", name=op.f(f"ck_{table}_days")),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f(f"fk_{table}_member")
        ),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f(f"pk_{table}")),
    )
    op.create_index(f"uq_{table}_current", table, ["org_id", "id"], unique=True, postgresql_where=_IS_CURRENT)
    secure(table)
    distributed(table)
