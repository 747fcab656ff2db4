"""Use cases of goals: make, list, change, revise the target."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import DayRange
from app.core import clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate, paginate_rows
from app.core.schemas import exact
from app.goals import baselines, queries, schemas, terms
from app.goals.aims import check_target
from app.goals.deciding import Rights, kind_of, require, rights_of, state_of_new
from app.goals.keeping import NewGoal, cancel, store
from app.goals.lifecycle import Stored, state_on
from app.goals.making import goal_of
from app.goals.making import today_of as today_of  # noqa: PLC0414  # other parts ask the service for it
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Direction
from app.goals.problems import GoalNotFound
from app.goals.revising import Changes, target_columns


async def list_goals(session: AsyncSession, who: Principal, wanted: schemas.GoalFilters) -> bytes:
    """The goals that match, oldest first, as the JSON of a `schemas.GoalPage`: its objects would cost more than all."""
    today, rights = await today_of(session, who.org_id), await rights_of(session, who)
    statement = queries.listed(who.org_id).where(*queries.matching(who.org_id, wanted, today))
    rows, following = await paginate_rows(session, statement, [Key(Goal.created_at), Key(Goal.id)], wanted)
    return to_json({"items": [_listed(row, today, rights) for row in rows], "next_cursor": following})


def _listed(row: Any, today: date, rights: Rights) -> dict[str, Any]:
    """As `shown`, of plain columns."""
    stored: Stored = row.state
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "owner": {"type": kind_of(row), "id": row.team_id or row.member_id},
        "kpi": row.kpi_key,
        "direction": row.direction,
        "period": row.period,
        "start": row.start_on,
        "end": row.end_on,
        "target": {
            "value": exact(row.value),
            "low": exact(row.low),
            "high": exact(row.high),
            "stretch": exact(row.stretch),
            "baseline": row.baseline,
        },
        "currency": row.currency,
        "rate_set": row.rate_set,
        "weight": exact(row.weight),
        "parent_id": row.parent_id,
        "counts": row.counts,
        "expected": row.expected,
        "ramp_id": row.ramp_id,
        "milestones": row.milestones,
        "yields": row.yields,
        "series_id": row.series_id,
        "proposer_id": row.proposer_id,
        "locked_at": row.locked_at,
        "state": ("scheduled" if today < row.start_on else "active") if stored == "open" else stored,
        "available_actions": rights.actions(row, today),
        "version": row.version,
        "created_at": row.created_at,
    }


async def get_goal(session: AsyncSession, who: Principal, goal_id: UUID) -> schemas.Goal:
    """One goal with its present target. Raises `GoalNotFound`."""
    goal, target = await find_goal(session, who.org_id, goal_id)
    return shown(goal, target, await today_of(session, who.org_id), await rights_of(session, who))


async def create_goal(
    session: AsyncSession,
    who: Principal,
    new: schemas.GoalCreate,
    *,
    baseline: schemas.Baseline | None = None,
    series_id: UUID | None = None,
) -> schemas.Goal:
    """Make a goal with its first target, once its owner, KPI, period and terms go together.

    A relative target needs its `baseline` (`baselines.of_new`). Several goals may be made in one transaction.
    """
    at = await clock.tick(session, who.org_id)
    goal, kpi = await goal_of(session, who.org_id, new)
    aimed = baselines.resolved(new.target, baseline, kpi.direction)
    check_target(aimed, kpi.direction, "/target")
    columns = terms.columns_of(new)
    await terms.check(session, goal, kpi, columns)
    goal.state = await state_of_new(session, who, new.owner.type, new.owner.id, new.state)
    goal.series_id = series_id
    told = new.model_dump(mode="json")
    (target,) = await store(session, who, [NewGoal(goal, columns | target_columns(aimed), told)], new.reason, at)
    return shown(goal, target, await today_of(session, who.org_id), await rights_of(session, who))


async def update_goal(
    session: AsyncSession, who: Principal, goal_id: UUID, change: schemas.GoalUpdate, if_match: str | None
) -> schemas.Goal:
    """Change a goal's words, terms or state; other terms are a revision, and what it has already changes nothing.

    Raises `GoalActionNotPossible`.
    """
    at = await clock.tick(session, who.org_id)
    goal, target = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    today = await today_of(session, who.org_id)
    changes = Changes(session, who, at, today)
    target = await changes.make(goal, target, other=change)
    await changes.write()
    return shown(goal, target, today, await rights_of(session, who))


async def delete_goal(session: AsyncSession, who: Principal, goal_id: UUID, if_match: str | None) -> None:
    """Cancel a goal: its targets and their history stay."""
    at = await clock.tick(session, who.org_id)
    goal, _ = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    await require(session, who, goal, "cancel", await today_of(session, who.org_id))
    cancel(session, who, goal, at)


async def change_target(
    session: AsyncSession,
    who: Principal,
    goal_id: UUID,
    change: schemas.TargetChange,
    if_match: str | None,
    *,
    baseline: schemas.Baseline | None = None,
) -> tuple[schemas.TargetRevision, bool]:
    """Supersede the target, never overwrite it: who, when, why, old and new stay known (G10). Other terms stay.

    Gives the present revision, and whether it is new: the target that the goal has already is no change.

    A relative target needs its `baseline` (`baselines.of_change`).
    """
    at = await clock.tick(session, who.org_id)
    goal, old = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    version, changes = goal.version, Changes(session, who, at, await today_of(session, who.org_id))
    new = await changes.make(goal, old, aim=change, baseline=baseline)
    await changes.write()
    (revision,) = await _revisions(session, who.org_id, goal_id, [new])
    return revision, goal.version != version


async def list_targets(
    session: AsyncSession, org_id: OrganizationId, goal_id: UUID, query: schemas.TargetFilters
) -> schemas.TargetRevisionPage:
    """The revisions of a goal's target, oldest first, each with the one before it."""
    await find_goal(session, org_id, goal_id)
    every = queries.target_revisions(org_id, goal_id)
    rows, following = await paginate(session, every, [Key(GoalTarget.recorded_at), Key(GoalTarget.id)], query)
    return schemas.TargetRevisionPage(
        items=await _revisions(session, org_id, goal_id, rows),
        next_cursor=following,
    )


async def _revisions(
    session: AsyncSession, org_id: OrganizationId, goal_id: UUID, rows: Sequence[GoalTarget]
) -> list[schemas.TargetRevision]:
    """These revisions, each with the one before it and the member whose key made it."""
    before = queries.target_revisions(org_id, goal_id).where(
        GoalTarget.superseded_at.in_([row.recorded_at for row in rows])
    )
    old = {row.superseded_at: row for row in (await session.execute(before)).scalars()}
    keys = await session.execute(queries.members_of_keys(org_id, {row.changed_by for row in rows}))
    members = {f"key:{key_id}": member_id for key_id, member_id in keys}
    return [_revision(old.get(row.recorded_at), row, members.get(row.changed_by)) for row in rows]


async def find_goal(session: AsyncSession, org_id: OrganizationId, goal_id: UUID) -> tuple[Goal, GoalTarget]:
    """A goal with its present target. Raises `GoalNotFound`."""
    row = (await session.execute(queries.goal(org_id, goal_id))).one_or_none()
    if row is None:
        raise GoalNotFound(f"No goal {goal_id}.")
    goal, target = row
    return goal, target


def shown(goal: Goal, target: GoalTarget, today: date, rights: Rights) -> schemas.Goal:
    """A goal as it is answered to a caller with these rights."""
    stored, period = cast("Stored", goal.state), period_of(goal)
    return schemas.Goal(
        id=goal.id,
        name=goal.name,
        description=goal.description,
        owner=owner_of(goal),
        kpi=goal.kpi_key,
        direction=cast("Direction", goal.direction),
        period=goal.period,
        start=goal.start_on,
        end=goal.end_on,
        currency=goal.currency,
        rate_set=goal.rate_set,
        **terms_of(target),
        yields=goal.yields,
        series_id=goal.series_id,
        proposer_id=goal.proposer_id,
        locked_at=goal.locked_at,
        state=state_on(stored, period, today),
        available_actions=rights.actions(goal, today),
        version=goal.version,
        created_at=goal.created_at,
    )


def terms_of(target: GoalTarget) -> dict[str, Any]:
    """What belongs to a goal by these terms, its target first."""
    return {
        "target": schemas.Target.model_validate(target),
        "weight": target.weight,
        "parent_id": target.parent_id,
        "counts": target.counts,
        "expected": target.expected,
        "ramp_id": target.ramp_id,
        "milestones": [schemas.Milestone.model_validate(each) for each in target.milestones],
    }


def owner_of(goal: Goal) -> schemas.Owner:
    """Whose goal it is."""
    if goal.team_id is not None:
        return schemas.Owner(type="team", id=goal.team_id)
    return schemas.Owner(type="organization" if goal.member_id is None else "member", id=goal.member_id)


def period_of(goal: Goal) -> DayRange:
    """The goal's days."""
    return DayRange(goal.start_on, goal.end_on, goal.period)


def _revision(old: GoalTarget | None, new: GoalTarget, member_id: UUID | None) -> schemas.TargetRevision:
    return schemas.TargetRevision(
        id=new.id,
        recorded_at=new.recorded_at,
        superseded_at=new.superseded_at,
        changed_by=new.changed_by,
        member_id=member_id,
        reason=new.reason,
        old=None if old is None else told_terms(old),
        new=told_terms(new),
    )


def told_terms(target: GoalTarget) -> schemas.Terms:
    """The same in one piece, as revisions and progress tell it."""
    told = terms_of(target)
    return schemas.Terms(**told.pop("target").model_dump(), **told)
