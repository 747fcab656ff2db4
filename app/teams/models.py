"""Members, teams and identities; and, dated and as recorded, their places, memberships, assignments and mappings."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.core.db import Base, Identified, OrganizationId, Revision, tenant_table

_IS_CURRENT = text("superseded_at IS NULL")


class Dated(Revision):
    """A revision that says something of the days `[valid_from, valid_to)`; null is unbounded."""

    @declared_attr
    def valid_from(self) -> Mapped[date | None]:
        """First day."""
        return mapped_column(sort_order=80)

    @declared_attr
    def valid_to(self) -> Mapped[date | None]:
        """First day no more."""
        return mapped_column(sort_order=81)


def dated_table(table: str, *per: str) -> tuple[CheckConstraint | ExcludeConstraint | Index, ...]:
    """What holds of a dated table: current rows of the same things (`per`) never share a day."""
    return (
        CheckConstraint("valid_from < valid_to", name="days"),
        Index(f"uq_{table}_current", "org_id", "id", unique=True, postgresql_where=_IS_CURRENT),
        ExcludeConstraint(
            ("org_id", "="),
            *((column, "=") for column in per),
            (text("daterange(valid_from, valid_to)"), "&&"),
            using="gist",
            where=_IS_CURRENT,
            name=f"ex_{table}_overlap",
        ),
    )


class Member(Identified, Base):
    """A person in the sales organization."""

    __tablename__ = "member"
    __table_args__ = tenant_table(Index(None, "org_id", "name"))

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    email: Mapped[str | None]
    recorded_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class MemberAssignment(Dated, Base):
    """Role, manager, country, part time and calendar of a member, for some days."""

    __tablename__ = "member_assignment"
    __table_args__ = tenant_table(
        *dated_table("member_assignment", "member_id"),
        CheckConstraint("fte > 0 AND fte <= 1", name="fte"),
        CheckConstraint("manager_id <> member_id", name="manager"),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        ForeignKeyConstraint(
            ["org_id", "manager_id"], ["member.org_id", "member.id"], name="fk_member_assignment_manager"
        ),
    )

    member_id: Mapped[UUID]
    revenue_role: Mapped[str | None]
    manager_id: Mapped[UUID | None]
    country: Mapped[str | None]
    fte: Mapped[Decimal]
    calendar_id: Mapped[UUID | None]


class Team(Identified, Base):
    """A team; its place in the tree is dated (`TeamPlacement`)."""

    __tablename__ = "team"
    __table_args__ = tenant_table(Index(None, "org_id", "name"))

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True, sort_order=-20)
    name: Mapped[str]
    recorded_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class TeamPlacement(Dated, Base):
    """Under which team a team stands for some days; null, or no row: at the top.

    That no team is below itself on any day is the service's to check, under the lock of the clock.
    """

    __tablename__ = "team_placement"
    __table_args__ = tenant_table(
        *dated_table("team_placement", "team_id"),
        CheckConstraint("parent_id <> team_id", name="parent"),
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "parent_id"], ["team.org_id", "team.id"], name="fk_team_placement_parent"),
    )

    team_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]


class Membership(Dated, Base):
    """A member's time in a team; leading is a kind of it."""

    __tablename__ = "membership"
    __table_args__ = tenant_table(
        *dated_table("membership", "team_id", "member_id"),
        CheckConstraint("kind IN ('member', 'lead')", name="kind"),
        ForeignKeyConstraint(["org_id", "team_id"], ["team.org_id", "team.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        Index(None, "org_id", "member_id"),
    )

    team_id: Mapped[UUID]
    member_id: Mapped[UUID]
    kind: Mapped[str]


IDENTITY_KINDS = ("person", "queue", "team")


class Identity(Identified, Base):
    """A person as a source knows them, or a queue or team that owns records there; events point to it."""

    __tablename__ = "identity"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "source_id", "external_id"),
        # The table of sources belongs to the ledger above: referred to by name.
        ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"]),
        CheckConstraint(f"kind IN {IDENTITY_KINDS!r}", name="kind"),
    )

    source_id: Mapped[UUID]
    external_id: Mapped[str]
    email: Mapped[str | None]
    name: Mapped[str | None]
    recorded_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(server_default="person")


class IdentityMapping(Dated, Base):
    """The member whom an identity stands for, for some days (S8)."""

    __tablename__ = "identity_mapping"
    __table_args__ = tenant_table(
        *dated_table("identity_mapping", "identity_id"),
        ForeignKeyConstraint(["org_id", "identity_id"], ["identity.org_id", "identity.id"]),
        ForeignKeyConstraint(["org_id", "member_id"], ["member.org_id", "member.id"]),
        Index(None, "org_id", "member_id"),
    )

    identity_id: Mapped[UUID]
    member_id: Mapped[UUID]
