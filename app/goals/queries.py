"""Reading of goals and their targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, Uuid, and_, any_, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE
from sqlalchemy.orm import aliased

from app.accounts.models import ApiKey
from app.calendars.periods import DayRange
from app.core.db import OrganizationId, known_by
from app.goals.models import Goal, GoalDecision, GoalRamp, GoalSettings, GoalTarget
from app.goals.schemas import GoalFilters
from app.kpis.models import KpiRow
from app.rates.models import RateSetRow
from app.teams.models import Member, Membership, Team, TeamPlacement

_KEY = "key:"
TARGET_OF_GOAL = and_(GoalTarget.org_id == Goal.org_id, GoalTarget.goal_id == Goal.id)


def goals(org_id: OrganizationId) -> Select[Goal, GoalTarget]:
    """The goals with their present targets."""
    return with_targets(org_id, GoalTarget.superseded_at.is_(None))[0]


def listed(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """What a list shows of the goals and their present targets, as plain columns: objects would cost more than all."""
    found, target = with_targets(org_id, GoalTarget.superseded_at.is_(None))
    return found.with_only_columns(
        *(getattr(Goal, column.key) for column in Goal.__table__.c if column.key not in {"closing", "closing_digest"}),
        target.value,
        target.low,
        target.high,
        target.stretch,
        target.baseline,
        target.weight,
        target.parent_id,
        target.counts,
        target.expected,
        target.ramp_id,
        target.milestones,
    )


def ended(org_id: OrganizationId, today: date) -> Select[UUID, date, datetime | None, datetime]:
    """The open goals whose last day is over: their ids, first day after it, opening, and when their terms were set."""
    found, target = with_targets(org_id, GoalTarget.superseded_at.is_(None))
    return (
        found.with_only_columns(Goal.id, Goal.end_on, Goal.opened_at, target.recorded_at)
        .where(Goal.state == "open", Goal.end_on <= today)
        .order_by(Goal.end_on, Goal.id)
    )


def ids(org_id: OrganizationId) -> Select[UUID]:
    """The goals by their ids alone."""
    return select(Goal.id).where(Goal.org_id == org_id)


def with_targets(
    org_id: OrganizationId, which: ColumnElement[bool]
) -> tuple[Select[Goal, GoalTarget], type[GoalTarget]]:
    """Goals with such targets of theirs, and the name by which the statement knows these.

    They are looked up goal by goal, by their key: how a join is planned depends on statistics, which lag behind.
    """
    of_goal = (
        select(GoalTarget)
        .where(TARGET_OF_GOAL, GoalTarget.org_id == org_id, which)
        .correlate(Goal)
        .offset(0)
        .lateral("of_goal")
    )
    target = aliased(GoalTarget, of_goal)
    return select(Goal, target).join_from(Goal, target, true()).where(Goal.org_id == org_id), target


def goal(org_id: OrganizationId, goal_id: UUID) -> Select[Goal, GoalTarget]:
    """One of them."""
    return (
        select(Goal, GoalTarget)
        .join(GoalTarget, TARGET_OF_GOAL)
        .where(
            Goal.org_id == org_id,
            GoalTarget.org_id == org_id,
            GoalTarget.superseded_at.is_(None),
            Goal.id == goal_id,
        )
    )


def matching(org_id: OrganizationId, wanted: GoalFilters, today: date) -> list[ColumnElement[bool]]:
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
    if wanted.parent_id is not None:
        conditions.append(_is_part_of(org_id, [wanted.parent_id], GoalTarget.superseded_at.is_(None)))
    if wanted.series_id is not None:
        conditions.append(Goal.series_id == wanted.series_id)
    if wanted.on is not None:
        conditions += [Goal.start_on <= wanted.on, Goal.end_on > wanted.on]
    if wanted.state in {"scheduled", "active"}:
        conditions.append(Goal.state == "open")
        conditions.append(Goal.start_on > today if wanted.state == "scheduled" else Goal.start_on <= today)
    elif wanted.state is not None:
        conditions.append(Goal.state == wanted.state)
    return conditions


def _is_part_of(org_id: OrganizationId, parents: Sequence[UUID], which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a goal is a part of any of these by such terms; parts are few, found first, by their index."""
    found = select(GoalTarget.goal_id).where(
        GoalTarget.org_id == org_id, GoalTarget.parent_id == any_(literal(list(parents), ARRAY(Uuid()))), which
    )
    return Goal.id == any_(func.array(found.scalar_subquery()))


def target_revisions(org_id: OrganizationId, goal_id: UUID) -> Select[GoalTarget]:
    """All targets that a goal had."""
    return select(GoalTarget).where(GoalTarget.org_id == org_id, GoalTarget.goal_id == goal_id)


def members_of_keys(org_id: OrganizationId, callers: Iterable[str]) -> Select[UUID, UUID | None]:
    """Of callers as the audit trail names them: the keys among them, with the members for whom they stand."""
    keys = {UUID(caller.removeprefix(_KEY)) for caller in callers if caller.startswith(_KEY)}
    return select(ApiKey.id, ApiKey.member_id).where(ApiKey.org_id == org_id, ApiKey.id.in_(keys))


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
    which = and_(GoalTarget.value.is_not(None), known_by(GoalTarget, sought.known_at))
    found, _ = with_targets(org_id, which)
    return found.where(*_aims(sought)).order_by(Goal.created_at.desc(), Goal.id.desc())


def aims_ever(org_id: OrganizationId, sought: Sought) -> Select[Goal, GoalTarget]:
    """The same goals with every target that they had by then, in the order in which they were recorded."""
    found, target = with_targets(org_id, GoalTarget.recorded_at <= sought.known_at)
    return found.where(*_aims(sought)).order_by(target.recorded_at, target.id)


def _aims(sought: Sought) -> list[ColumnElement[bool]]:
    is_organization = and_(Goal.team_id.is_(None), Goal.member_id.is_(None))
    return [
        Goal.kpi_key.in_(sought.kpi_keys),
        or_(is_organization, Goal.team_id.in_(sought.team_ids), Goal.member_id.in_(sought.member_ids)),
        Goal.start_on < sought.end,
        Goal.end_on > sought.first,
        Goal.opened_at <= sought.known_at,
        or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > sought.known_at),
    ]


def parts(org_id: OrganizationId, goal_id: UUID) -> Select[Goal, GoalTarget]:
    """The goals that are parts of a goal by their present terms, without cancelled ones."""
    return parts_of(org_id, [goal_id]).where(Goal.state != "cancelled")


def parts_of(
    org_id: OrganizationId, parents: Sequence[UUID], known_at: datetime | None = None
) -> Select[Goal, GoalTarget]:
    """The goals right below these, cancelled ones too: by their present terms, or as recorded by an instant (S5)."""
    which = GoalTarget.superseded_at.is_(None) if known_at is None else known_by(GoalTarget, known_at)
    return with_targets(org_id, which)[0].where(_is_part_of(org_id, parents, which))


def is_above(org_id: OrganizationId, goal_id: UUID, other_id: UUID) -> Select[bool]:
    """Whether a goal is another one, or above it by the present terms."""
    first = select(literal(other_id, Uuid()).label("goal_id")).cte("line", recursive=True)
    parent = (
        select(GoalTarget.parent_id)
        .join(first, first.c.goal_id == GoalTarget.goal_id)
        .where(GoalTarget.org_id == org_id, GoalTarget.superseded_at.is_(None), GoalTarget.parent_id.is_not(None))
    )
    line = first.union(parent)
    return select(exists(select(line.c.goal_id).where(line.c.goal_id == goal_id)))


def is_team_below(org_id: OrganizationId, team_id: UUID, top_id: UUID, period: DayRange) -> Select[bool]:
    """Whether a team is another one, or stands below it on some day of a period, as known now."""
    itself = select(Team.id.label("team_id"), _days(period).label("days")).where(
        Team.org_id == org_id, Team.id == team_id
    )
    return _reaches(org_id, itself, top_id)


def is_member_below(org_id: OrganizationId, member_id: UUID, top_id: UUID, period: DayRange) -> Select[bool]:
    """Whether a member is in a team, or in one that is then below it, on some day of a period, as known now."""
    there = func.daterange(Membership.valid_from, Membership.valid_to, type_=DATERANGE())
    teams = select(Membership.team_id, (there * _days(period)).label("days")).where(
        Membership.org_id == org_id,
        Membership.member_id == member_id,
        Membership.superseded_at.is_(None),
        there.overlaps(_days(period)),
    )
    return _reaches(org_id, teams, top_id)


def _reaches(org_id: OrganizationId, start: Select[UUID, Any], top_id: UUID) -> Select[bool]:
    """Whether any of these teams, each on its days, is the one at the top or stands below it on such a day."""
    first = start.cte("above", recursive=True)
    placed = func.daterange(TeamPlacement.valid_from, TeamPlacement.valid_to, type_=DATERANGE())
    parents = (
        select(TeamPlacement.parent_id, placed * first.c.days)
        .join(first, first.c.team_id == TeamPlacement.team_id)
        .where(
            TeamPlacement.org_id == org_id,
            TeamPlacement.superseded_at.is_(None),
            TeamPlacement.parent_id.is_not(None),
            placed.overlaps(first.c.days),
        )
    )
    above = first.union(parents)
    return select(exists(select(above.c.team_id).where(above.c.team_id == top_id)))


def _days(period: DayRange) -> ColumnElement[Any]:
    return func.daterange(literal(period.start, Date()), literal(period.end, Date()), type_=DATERANGE())


def decisions(org_id: OrganizationId, goal_id: UUID) -> Select[GoalDecision]:
    """What was decided of a goal."""
    return select(GoalDecision).where(GoalDecision.org_id == org_id, GoalDecision.goal_id == goal_id)


def last_lock(org_id: OrganizationId, goal_id: UUID) -> Select[GoalDecision]:
    """By which decision a locked goal is locked."""
    locks = decisions(org_id, goal_id).where(GoalDecision.action == "locked")
    return locks.order_by(GoalDecision.decided_at.desc(), GoalDecision.id.desc()).limit(1)


def team(org_id: OrganizationId, team_id: UUID) -> Select[UUID, datetime | None]:
    """Whether there is such a team, and since when it is archived."""
    return select(Team.id, Team.archived_at).where(Team.org_id == org_id, Team.id == team_id)


def member(org_id: OrganizationId, member_id: UUID) -> Select[UUID, datetime | None]:
    """Whether there is such a member, and since when they are archived."""
    return select(Member.id, Member.archived_at).where(Member.org_id == org_id, Member.id == member_id)


def ramps(org_id: OrganizationId) -> Select[GoalRamp]:
    """The schedules by which targets of new members grow."""
    return select(GoalRamp).where(GoalRamp.org_id == org_id)


def ramp(org_id: OrganizationId, ramp_id: UUID) -> Select[GoalRamp]:
    """One of them."""
    return ramps(org_id).where(GoalRamp.id == ramp_id)


def rate_set(org_id: OrganizationId, key: str) -> Select[UUID]:
    """Whether there is a set of exchange rates with this key now."""
    return select(RateSetRow.id).where(
        RateSetRow.org_id == org_id, RateSetRow.key == key, RateSetRow.superseded_at.is_(None)
    )


def settings_now(org_id: OrganizationId) -> Select[GoalSettings]:
    """How the organization judges and decides goals now."""
    return select(GoalSettings).where(GoalSettings.org_id == org_id, GoalSettings.superseded_at.is_(None))


def settings_as_known(org_id: OrganizationId, known_at: datetime) -> Select[GoalSettings]:
    """The same as recorded by an instant (S5)."""
    return select(GoalSettings).where(GoalSettings.org_id == org_id, known_by(GoalSettings, known_at))


def parts_as_known(org_id: OrganizationId, goal_id: UUID, known_at: datetime) -> Select[Goal, GoalTarget]:
    """The goals that counted as parts of a goal, by their terms as recorded by an instant, the first made first."""
    return (
        parts_of(org_id, [goal_id], known_at)
        .where(Goal.opened_at <= known_at, or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > known_at))
        .order_by(Goal.created_at, Goal.id)
    )


def teams_told(org_id: OrganizationId, ids: Sequence[UUID]) -> Select[UUID, str]:
    """How these teams are called."""
    return select(Team.id, Team.name).where(Team.org_id == org_id, Team.id.in_(ids))


def members_told(org_id: OrganizationId, ids: Sequence[UUID]) -> Select[UUID, str, str | None]:
    """How these members are called, and their addresses."""
    return select(Member.id, Member.name, Member.email).where(Member.org_id == org_id, Member.id.in_(ids))


def ramps_told(org_id: OrganizationId, ids: Sequence[UUID]) -> Select[UUID, str]:
    """How these ramps are called."""
    return select(GoalRamp.id, GoalRamp.name).where(GoalRamp.org_id == org_id, GoalRamp.id.in_(ids))


def kpi_keys(org_id: OrganizationId) -> Select[str]:
    """The keys of the KPIs that are in use."""
    return select(KpiRow.key).where(KpiRow.org_id == org_id, KpiRow.state != "archived")


def goals_alone(org_id: OrganizationId, ids: Sequence[UUID]) -> Select[Goal]:
    """These goals without their targets."""
    return select(Goal).where(Goal.org_id == org_id, Goal.id.in_(ids))


def present_targets(org_id: OrganizationId, ids: Sequence[UUID]) -> Select[GoalTarget]:
    """The present targets of these goals."""
    return select(GoalTarget).where(
        GoalTarget.org_id == org_id, GoalTarget.goal_id.in_(ids), GoalTarget.superseded_at.is_(None)
    )


def targets_as_known(org_id: OrganizationId, ids: Sequence[UUID], known_at: datetime) -> Select[GoalTarget]:
    """The targets of these goals as recorded by an instant (S5)."""
    return select(GoalTarget).where(
        GoalTarget.org_id == org_id, GoalTarget.goal_id.in_(ids), known_by(GoalTarget, known_at)
    )
