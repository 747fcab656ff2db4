"""Goals, complete: terms, proposals, recurring goals, templates, initiatives, settings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.placement import distributed, prepare
from migrations.security import secure

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TEXT = sa.Text(collation="C")
_AT = sa.TIMESTAMP(timezone=True)
_TABLES = (
    "initiative_goal", "initiative", "goal_template", "goal_notification", "goal_watch", "goal_settings", "goal_note",
    "goal_decision", "goal_series", "goal_ramp",
)  # fmt: skip


def upgrade() -> None:
    prepare(op.get_bind())
    _create_ramps_and_series()
    _extend_goals()
    _extend_targets()
    _create_what_people_say()
    _create_settings_and_watch()
    _create_templates()
    _create_initiatives()
    _tend_those_there()


def _tend_those_there() -> None:
    """Let each organization that has goals close and watch them from now on."""
    op.execute(
        "INSERT INTO job (org_id, id, kind, payload, run_at)"
        " SELECT org_id, uuidv7(), 'tend-goals-begin', '{}', clock_timestamp() FROM goal GROUP BY org_id"
    )


def downgrade() -> None:
    """What is told of goals by these tables is lost; proposals are drafts again."""
    prepare(op.get_bind())
    op.execute("DELETE FROM job WHERE kind IN ('tend-goals', 'tend-goals-begin')")
    for table in _TABLES[:-2]:
        op.drop_table(table)
    for name in (
        "fk_goal_target_parent",
        "fk_goal_target_goal_ramp",
        "ck_goal_target_expected",
        "ck_goal_target_counts",
        "ck_goal_target_weight",
        "ck_goal_target_parent",
    ):
        op.drop_constraint(op.f(name), "goal_target")
    op.drop_index("ix_goal_target_org_id_parent_id", "goal_target")
    op.drop_index("ix_goal_org_id_created_at_id", "goal")
    for column in ("milestones", "ramp_id", "weight", "parent_id", "counts", "expected", "baseline", "stretch"):
        op.drop_column("goal_target", column)
    op.execute("UPDATE goal SET state = 'draft' WHERE state = 'proposed'")
    op.drop_constraint("fk_goal_goal_series", "goal")
    op.drop_constraint(op.f("ck_goal_state"), "goal")
    op.create_check_constraint(op.f("ck_goal_state"), "goal", "state IN ('draft', 'open', 'closed', 'cancelled')")
    op.drop_constraint(op.f("uq_goal_org_id_series_id_start_on"), "goal")
    for column in ("locked_at", "yields", "series_id", "proposer_id", "rate_set"):
        op.drop_column("goal", column)
    for table in _TABLES[-2:]:
        op.drop_table(table)


def _extend_goals() -> None:
    op.create_index("ix_goal_org_id_created_at_id", "goal", ["org_id", "created_at", "id"])
    op.add_column("goal", sa.Column("rate_set", _TEXT, nullable=True))
    op.add_column("goal", sa.Column("proposer_id", sa.Uuid(), nullable=True))
    op.add_column("goal", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("goal", sa.Column("yields", _TEXT, nullable=True))
    op.add_column("goal", sa.Column("locked_at", _AT, nullable=True))
    op.drop_constraint(op.f("ck_goal_state"), "goal")
    op.create_check_constraint(
        op.f("ck_goal_state"), "goal", "state IN ('draft', 'proposed', 'open', 'closed', 'cancelled')"
    )
    op.create_foreign_key("fk_goal_goal_series", "goal", "goal_series", ["org_id", "series_id"], ["org_id", "id"])
    op.create_unique_constraint(op.f("uq_goal_org_id_series_id_start_on"), "goal", ["org_id", "series_id", "start_on"])


def _extend_targets() -> None:
    op.add_column("goal_target", sa.Column("stretch", sa.Numeric(), nullable=True))
    op.add_column("goal_target", sa.Column("baseline", JSONB(), nullable=True))
    op.add_column("goal_target", sa.Column("expected", _TEXT, server_default="working_time", nullable=False))
    op.add_column("goal_target", sa.Column("counts", _TEXT, server_default="own", nullable=False))
    op.add_column("goal_target", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column("goal_target", sa.Column("weight", sa.Numeric(), server_default=sa.text("1"), nullable=False))
    op.add_column("goal_target", sa.Column("ramp_id", sa.Uuid(), nullable=True))
    op.add_column("goal_target", sa.Column("milestones", JSONB(), server_default=sa.text("'[]'"), nullable=False))
    for name, condition in (
        ("expected", "expected IN ('working_time', 'seasonal', 'linear', 'auto')"),
        ("counts", "counts IN ('own', 'parts')"),
        ("weight", "weight > 0"),
        ("parent", "parent_id <> goal_id"),
    ):
        op.create_check_constraint(op.f(f"ck_goal_target_{name}"), "goal_target", condition)
    op.create_foreign_key("fk_goal_target_parent", "goal_target", "goal", ["org_id", "parent_id"], ["org_id", "id"])
    op.create_foreign_key(
        "fk_goal_target_goal_ramp", "goal_target", "goal_ramp", ["org_id", "ramp_id"], ["org_id", "id"]
    )
    op.create_index("ix_goal_target_org_id_parent_id", "goal_target", ["org_id", "parent_id"])


def _create_ramps_and_series() -> None:
    op.create_table(
        "goal_ramp",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("shares", JSONB(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("archived_at", _AT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_goal_ramp_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_ramp")),
        info={"placement": "tenant"},
    )
    secure("goal_ramp")
    distributed("goal_ramp")
    op.create_table(
        "goal_series",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("every", _TEXT, nullable=False),
        sa.Column("is_fiscal", sa.Boolean(), nullable=False),
        sa.Column("open_days_before", sa.Integer(), nullable=False),
        sa.Column("next_start", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("growth", sa.Numeric(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("trouble", _TEXT, nullable=True),
        sa.Column("tried_at", _AT, nullable=True),
        sa.Column("created_by", _TEXT, nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("ended_at", _AT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("every IN ('week', 'month', 'quarter', 'year')", name=op.f("ck_goal_series_every")),
        sa.CheckConstraint("open_days_before >= 0", name=op.f("ck_goal_series_open_days_before")),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_goal_series_member")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "parent_id"], ["goal_series.org_id", "goal_series.id"], name="fk_goal_series_parent"
        ),
        sa.ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"], name=op.f("fk_goal_series_team")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_goal_series_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_series")),
        info={"placement": "tenant"},
    )
    secure("goal_series")
    distributed("goal_series")


def _create_what_people_say() -> None:
    op.create_table(
        "goal_decision",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("decided_by", _TEXT, nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_goal_decision_goal")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_decision")),
        info={"placement": "tenant"},
    )
    op.create_index(
        op.f("ix_goal_decision_org_id_goal_id_decided_at"),
        "goal_decision",
        ["org_id", "goal_id", "decided_at"],
        unique=False,
    )
    secure("goal_decision")
    distributed("goal_decision")
    op.create_table(
        "goal_note",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=True),
        sa.Column("written_by", _TEXT, nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", _AT, nullable=False),
        sa.ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_goal_note_goal")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_note")),
        info={"placement": "tenant"},
    )
    op.create_index(
        op.f("ix_goal_note_org_id_goal_id_created_at"), "goal_note", ["org_id", "goal_id", "created_at"], unique=False
    )
    secure("goal_note")
    distributed("goal_note")


def _create_settings_and_watch() -> None:
    op.create_table(
        "goal_settings",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("grace_working_days", sa.Integer(), nullable=False),
        sa.Column("behind_below", sa.Numeric(), nullable=False),
        sa.Column("ahead_above", sa.Numeric(), nullable=False),
        sa.Column("too_early_before", sa.Numeric(), nullable=False),
        sa.Column("rules", JSONB(), nullable=False),
        sa.Column("changed_by", _TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", _AT, nullable=False),
        sa.Column("superseded_at", _AT, nullable=True),
        sa.CheckConstraint("0 < behind_below AND behind_below <= ahead_above", name=op.f("ck_goal_settings_pace")),
        sa.CheckConstraint("grace_working_days >= 0", name=op.f("ck_goal_settings_grace")),
        sa.CheckConstraint("too_early_before >= 0 AND too_early_before <= 1", name=op.f("ck_goal_settings_too_early")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_goal_settings_organization")),
        sa.PrimaryKeyConstraint("org_id", "row_id", name=op.f("pk_goal_settings")),
        info={"placement": "tenant"},
    )
    op.create_index(
        "uq_goal_settings_current",
        "goal_settings",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    secure("goal_settings")
    distributed("goal_settings")
    op.create_table(
        "goal_watch",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("is_at_risk", sa.Boolean(), nullable=False),
        sa.Column("verdict", _TEXT, nullable=True),
        sa.Column("milestones", JSONB(), nullable=False),
        sa.Column("known_at", _AT, nullable=False),
        sa.Column("forecast_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_goal_watch_goal")),
        sa.PrimaryKeyConstraint("org_id", "goal_id", name=op.f("pk_goal_watch")),
        info={"placement": "tenant"},
    )
    secure("goal_watch")
    distributed("goal_watch")
    op.create_table(
        "goal_notification",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("topic", _TEXT, nullable=False),
        sa.Column("told_at", _AT, nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_goal_notification_goal")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_notification")),
        info={"placement": "tenant"},
    )
    op.create_index(
        op.f("ix_goal_notification_org_id_told_at"), "goal_notification", ["org_id", "told_at"], unique=False
    )
    op.create_index(
        op.f("ix_goal_notification_org_id_goal_id_told_at"),
        "goal_notification",
        ["org_id", "goal_id", "told_at"],
        unique=False,
    )
    secure("goal_notification")
    distributed("goal_notification")


def _create_templates() -> None:
    op.create_table(
        "goal_template",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("revenue_role", _TEXT, nullable=True),
        sa.Column("items", JSONB(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("archived_at", _AT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_goal_template_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_goal_template")),
        sa.UniqueConstraint("org_id", "key", name=op.f("uq_goal_template_org_id_key")),
        info={"placement": "tenant"},
    )
    secure("goal_template")
    distributed("goal_template")


def _create_initiatives() -> None:
    op.create_table(
        "initiative",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("start_on", sa.Date(), nullable=True),
        sa.Column("end_on", sa.Date(), nullable=True),
        sa.Column("proposed_by", _TEXT, nullable=False),
        sa.Column("proposer_id", sa.Uuid(), nullable=True),
        sa.Column("decided_by", _TEXT, nullable=True),
        sa.Column("decision_reason", _TEXT, nullable=True),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('strategy', 'tactic')", name=op.f("ck_initiative_kind")),
        sa.CheckConstraint(
            "state IN ('proposed', 'planned', 'active', 'done', 'dropped')", name=op.f("ck_initiative_state")
        ),
        sa.CheckConstraint("start_on <= end_on", name=op.f("ck_initiative_days")),
        sa.CheckConstraint("team_id IS NULL OR member_id IS NULL", name=op.f("ck_initiative_one_owner")),
        sa.ForeignKeyConstraint(
            ["org_id", "member_id"], ["member.org_id", "member.id"], name=op.f("fk_initiative_member")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "parent_id"], ["initiative.org_id", "initiative.id"], name="fk_initiative_parent"
        ),
        sa.ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"], name=op.f("fk_initiative_team")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_initiative_organization")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_initiative")),
        info={"placement": "tenant"},
    )
    op.create_index(op.f("ix_initiative_org_id_parent_id"), "initiative", ["org_id", "parent_id"], unique=False)
    secure("initiative")
    distributed("initiative")
    op.create_table(
        "initiative_goal",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("initiative_id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "goal_id"], ["goal.org_id", "goal.id"], name=op.f("fk_initiative_goal_goal")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "initiative_id"],
            ["initiative.org_id", "initiative.id"],
            name=op.f("fk_initiative_goal_initiative"),
        ),
        sa.PrimaryKeyConstraint("org_id", "initiative_id", "goal_id", name=op.f("pk_initiative_goal")),
        info={"placement": "tenant"},
    )
    op.create_index(op.f("ix_initiative_goal_org_id_goal_id"), "initiative_goal", ["org_id", "goal_id"], unique=False)
    secure("initiative_goal")
    distributed("initiative_goal")
