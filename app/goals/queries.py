"""Reading of goals and their targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select

from app.core.db import OrganizationId, known_by
from app.goals.models import Goal, GoalTarget
from app.goals.schemas import GoalFilters
from app.teams.models import Member, Team

TARGET_OF_GOAL = and_(GoalTarget.org_id == Goal.org_id, GoalTarget.goal_id == Goal.id)


def goals(org_id: OrganizationId) -> Select[Goal, GoalTarget]:
    """The goals with their present targets."""
    return (
        select(Goal, GoalTarget)
        .join(GoalTarget, TARGET_OF_GOAL)
        .where(Goal.org_id == org_id, GoalTarget.org_id == org_id, GoalTarget.superseded_at.is_(None))
    )


def listed(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """What a list shows of the goals and their present targets, as plain columns: objects would cost more than all."""
    return goals(org_id).with_only_columns(
        *(getattr(Goal, column.key) for column in Goal.__table__.c if column.key not in {"closing", "closing_digest"}),
        GoalTarget.value,
        GoalTarget.low,
        GoalTarget.high,
    )


def goal(org_id: OrganizationId, goal_id: UUID) -> Select[Goal, GoalTarget]:
    """One of them."""
    return goals(org_id).where(Goal.id == goal_id)


def matching(wanted: GoalFilters, today: date) -> list[ColumnElement[bool]]:
    """The conditions of a list's filters; `today` tells scheduled from active."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.owner_type == "organization":
        conditions += [Goal.team_id.is_(None), Goal.member_id.is_(None)]
    elif wanted.owner_type is not None:
        conditions.append((Goal.team_id if wanted.owner_type == "team" else Goal.member_id).is_not(None))
    if wanted.owner_id is not None:
        conditions.append(or_(Goal.team_id == wanted.owner_id, Goal.member_id == wanted.owner_id))
    if wanted.kpi is not None:
        conditions.append(Goal.kpi_key == wanted.kpi)
    if wanted.on is not None:
        conditions += [Goal.start_on <= wanted.on, Goal.end_on > wanted.on]
    if wanted.state in {"scheduled", "active"}:
        conditions.append(Goal.state == "open")
        conditions.append(Goal.start_on > today if wanted.state == "scheduled" else Goal.start_on <= today)
    elif wanted.state is not None:
        conditions.append(Goal.state == wanted.state)
    return conditions


def target_revisions(org_id: OrganizationId, goal_id: UUID) -> Select[GoalTarget]:
    """All targets that a goal had."""
    return select(GoalTarget).where(GoalTarget.org_id == org_id, GoalTarget.goal_id == goal_id)


def target_as_known(org_id: OrganizationId, goal_id: UUID, known_at: datetime) -> Select[GoalTarget]:
    """The target as recorded by an instant (S5)."""
    return target_revisions(org_id, goal_id).where(known_by(GoalTarget, known_at))


@dataclass(frozen=True)
class Sought:
    """The goals on some KPIs, of the organization and these teams and members, that touch some days, as known."""

    kpi_keys: Sequence[str]
    team_ids: Sequence[UUID]
    member_ids: Sequence[UUID]
    first: date
    end: date
    known_at: datetime


def aims_as_known(org_id: OrganizationId, sought: Sought) -> Select[Goal, GoalTarget]:
    """The goals that counted at an instant with their targets as recorded by it, latest first."""
    return (
        _aims(org_id, sought)
        .where(GoalTarget.value.is_not(None), known_by(GoalTarget, sought.known_at))
        .order_by(Goal.created_at.desc(), Goal.id.desc())
    )


def aims_ever(org_id: OrganizationId, sought: Sought) -> Select[Goal, GoalTarget]:
    """The same goals with every target that they had by then, in the order in which they were recorded."""
    return (
        _aims(org_id, sought)
        .where(GoalTarget.recorded_at <= sought.known_at)
        .order_by(GoalTarget.recorded_at, GoalTarget.id)
    )


def _aims(org_id: OrganizationId, sought: Sought) -> Select[Goal, GoalTarget]:
    is_organization = and_(Goal.team_id.is_(None), Goal.member_id.is_(None))
    return (
        select(Goal, GoalTarget)
        .join(GoalTarget, TARGET_OF_GOAL)
        .where(
            Goal.org_id == org_id,
            GoalTarget.org_id == org_id,
            Goal.kpi_key.in_(sought.kpi_keys),
            or_(is_organization, Goal.team_id.in_(sought.team_ids), Goal.member_id.in_(sought.member_ids)),
            Goal.start_on < sought.end,
            Goal.end_on > sought.first,
            Goal.opened_at <= sought.known_at,
            or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > sought.known_at),
        )
    )


def team(org_id: OrganizationId, team_id: UUID) -> Select[UUID, datetime | None]:
    """Whether there is such a team, and since when it is archived."""
    return select(Team.id, Team.archived_at).where(Team.org_id == org_id, Team.id == team_id)


def member(org_id: OrganizationId, member_id: UUID) -> Select[UUID, datetime | None]:
    """Whether there is such a member, and since when they are archived."""
    return select(Member.id, Member.archived_at).where(Member.org_id == org_id, Member.id == member_id)
