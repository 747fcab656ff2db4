"""Use cases of goals: make, list, change, revise the target."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.calendars import service as calendars
from app.calendars.periods import DayRange, PeriodError, local_day, parse_period
from app.core import audit, clock, etags, outbox
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate, paginate_rows
from app.core.problems import ValidationFailed
from app.core.schemas import exact
from app.goals import queries, schemas
from app.goals.lifecycle import Action, Stored, possible_actions, possible_until, state_on
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Aim, Direction
from app.goals.problems import GoalActionNotPossible, GoalNotFound
from app.kpis import service as kpis
from app.kpis.schemas import Kpi
from app.kpis.service import KpiNotFound

_ACTION_TO: Mapping[str, Action] = {"open": "open", "cancelled": "cancel"}


async def list_goals(session: AsyncSession, org_id: OrganizationId, wanted: schemas.GoalFilters) -> bytes:
    """The goals that match, oldest first, as the JSON of a `schemas.GoalPage`: its objects would cost more than all."""
    today = await today_of(session, org_id)
    statement = queries.listed(org_id).where(*queries.matching(wanted, today))
    rows, following = await paginate_rows(session, statement, [Key(Goal.created_at), Key(Goal.id)], wanted)
    return to_json({"items": [_listed(row, today) for row in rows], "next_cursor": following})


def _listed(row: Any, today: date) -> dict[str, Any]:
    """As `shown`, of plain columns."""
    stored: Stored = row.state
    kind = "team" if row.team_id else "member" if row.member_id else "organization"
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "owner": {"type": kind, "id": row.team_id or row.member_id},
        "kpi": row.kpi_key,
        "direction": row.direction,
        "period": row.period,
        "start": row.start_on,
        "end": row.end_on,
        "target": {"value": exact(row.value), "low": exact(row.low), "high": exact(row.high)},
        "currency": row.currency,
        "state": ("scheduled" if today < row.start_on else "active") if stored == "open" else stored,
        "available_actions": possible_until(stored, row.end_on, today),
        "version": row.version,
        "created_at": row.created_at,
    }


async def get_goal(session: AsyncSession, org_id: OrganizationId, goal_id: UUID) -> schemas.Goal:
    """One goal with its present target. Raises `GoalNotFound`."""
    goal, target = await find_goal(session, org_id, goal_id)
    return shown(goal, target, await today_of(session, org_id))


async def create_goal(session: AsyncSession, who: Principal, new: schemas.GoalCreate) -> schemas.Goal:
    """Make a goal with its first target, once its owner, KPI, period and target go together."""
    at = await clock.tick(session, who.org_id)
    today = await today_of(session, who.org_id)
    kpi = await _kpi(session, who.org_id, new.kpi)
    period = await _period(session, who.org_id, new.period, today)
    await _require_owner(session, who.org_id, new.owner)
    check_target(new.target, kpi.direction, "/target")
    goal = Goal(
        org_id=who.org_id,
        name=new.name,
        description=new.description,
        team_id=new.owner.id if new.owner.type == "team" else None,
        member_id=new.owner.id if new.owner.type == "member" else None,
        kpi_key=new.kpi,
        direction=kpi.direction,
        period=period.label,
        start_on=period.start,
        end_on=period.end,
        currency=await _currency(session, who.org_id, new.currency, is_money=kpi.unit.kind == "money"),
        state=new.state,
        version=1,
        created_at=at,
        opened_at=at if new.state == "open" else None,
    )
    session.add(goal)
    await session.flush()  # the target refers to it
    target = _target(goal, new.target, new.reason, who, at)
    session.add(target)
    await session.flush()  # the answer shows the stored rows
    audit.record(session, who.org_id, who.label, "create", "goal", goal.id, new.model_dump(mode="json"))
    outbox.publish(session, who.org_id, "goal.created", {"goal_id": str(goal.id)})
    return shown(goal, target, today)


async def update_goal(
    session: AsyncSession, who: Principal, goal_id: UUID, change: schemas.GoalUpdate, if_match: str | None
) -> schemas.Goal:
    """Change a goal's words or state. Raises `GoalActionNotPossible`."""
    at = await clock.tick(session, who.org_id)
    goal, target = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    today = await today_of(session, who.org_id)
    wanted = change.model_dump(exclude_unset=True)
    state = wanted.pop("state", goal.state)
    if wanted:
        require(goal, "edit", today)
    if state != goal.state:
        require(goal, _ACTION_TO[state], today)
        _enter(goal, state, at)
    for field, value in wanted.items():
        setattr(goal, field, value)
    goal.version += 1
    audit.record(
        session, who.org_id, who.label, "update", "goal", goal_id, change.model_dump(mode="json", exclude_unset=True)
    )
    return shown(goal, target, today)


async def delete_goal(session: AsyncSession, who: Principal, goal_id: UUID, if_match: str | None) -> None:
    """Cancel a goal: its targets and their history stay."""
    at = await clock.tick(session, who.org_id)
    goal, _ = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    require(goal, "cancel", await today_of(session, who.org_id))
    _enter(goal, "cancelled", at)
    goal.version += 1
    audit.record(session, who.org_id, who.label, "delete", "goal", goal_id)


async def change_target(
    session: AsyncSession, who: Principal, goal_id: UUID, change: schemas.TargetChange, if_match: str | None
) -> schemas.TargetRevision:
    """Supersede the target, never overwrite it: who, when, why, old and new stay known (G10)."""
    at = await clock.tick(session, who.org_id)
    goal, old = await find_goal(session, who.org_id, goal_id)
    etags.check(if_match, goal.version)
    require(goal, "set_target", await today_of(session, who.org_id))
    check_target(change.target, cast("Direction", goal.direction), "/target")
    old.superseded_at = at
    await session.flush()  # before its successor: one present target at a time
    new = _target(goal, change.target, change.reason, who, at)
    session.add(new)
    goal.version += 1
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "change_target", "goal", goal_id, change.model_dump(mode="json"))
    outbox.publish(session, who.org_id, "goal.target_changed", {"goal_id": str(goal_id)})
    return _revision(old, new)


async def list_targets(
    session: AsyncSession, org_id: OrganizationId, goal_id: UUID, query: schemas.TargetFilters
) -> schemas.TargetRevisionPage:
    """The revisions of a goal's target, oldest first, each with the one before it."""
    await find_goal(session, org_id, goal_id)
    every = queries.target_revisions(org_id, goal_id)
    rows, following = await paginate(session, every, [Key(GoalTarget.recorded_at), Key(GoalTarget.id)], query)
    before = [row.recorded_at for row in rows]
    found = (await session.execute(every.where(GoalTarget.superseded_at.in_(before)))).scalars().all()
    old = {row.superseded_at: row for row in found}
    return schemas.TargetRevisionPage(
        items=[_revision(old.get(row.recorded_at), row) for row in rows], next_cursor=following
    )


async def find_goal(session: AsyncSession, org_id: OrganizationId, goal_id: UUID) -> tuple[Goal, GoalTarget]:
    """A goal with its present target. Raises `GoalNotFound`."""
    row = (await session.execute(queries.goal(org_id, goal_id))).one_or_none()
    if row is None:
        raise GoalNotFound(f"No goal {goal_id}.")
    goal, target = row
    return goal, target


async def today_of(session: AsyncSession, org_id: OrganizationId) -> date:
    """The local day by the organization's clock."""
    now = await clock.now(session, org_id)
    return local_day(now, (await calendars.present_settings(session, org_id)).zone)


def shown(goal: Goal, target: GoalTarget, today: date) -> schemas.Goal:
    """A goal as it is answered."""
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
        target=schemas.Target.model_validate(target),
        currency=goal.currency,
        state=state_on(stored, period, today),
        available_actions=possible_actions(stored, period, today),
        version=goal.version,
        created_at=goal.created_at,
    )


def owner_of(goal: Goal) -> schemas.Owner:
    """Whose goal it is."""
    if goal.team_id is not None:
        return schemas.Owner(type="team", id=goal.team_id)
    return schemas.Owner(type="organization" if goal.member_id is None else "member", id=goal.member_id)


def period_of(goal: Goal) -> DayRange:
    """The goal's days."""
    return DayRange(goal.start_on, goal.end_on, goal.period)


def require(goal: Goal, action: Action, today: date) -> None:
    """Raises `GoalActionNotPossible` unless the goal's state allows the action."""
    stored, period = cast("Stored", goal.state), period_of(goal)
    possible = possible_actions(stored, period, today)
    if action not in possible:
        allowed = f"possible now: {', '.join(possible)}" if possible else "it cannot be changed any more"
        raise GoalActionNotPossible(f"The goal is {state_on(stored, period, today)}; {allowed}.")


def check_target(target: schemas.TargetInput | GoalTarget, direction: Direction, pointer: str) -> None:
    """Raises `ValidationFailed` where the target does not fit the direction, or gives no ratio (S30)."""
    if direction == "maintain" and target.low is None:
        raise ValidationFailed.at(pointer, "A KPI to maintain has a band: write low and high.", "target_kind")
    if direction != "maintain" and target.value is None:
        raise ValidationFailed.at(pointer, f"A KPI to {direction} has one target: write value.", "target_kind")
    try:
        aim_of(direction, target)
    except ValueError as error:
        raise ValidationFailed.at(pointer, str(error), "target_out_of_range") from None


def aim_of(direction: Direction, target: schemas.TargetInput | GoalTarget, **traits: bool) -> Aim:
    """The aim that a target of this direction is; raises `ValueError` (S30)."""
    if direction == "maintain":
        return Aim(direction, low=target.low or Decimal(0), high=target.high or Decimal(0), **traits)
    edge = "low" if direction == "increase" else "high"
    return Aim(direction, **{edge: target.value or Decimal(0)}, **traits)  # type: ignore[arg-type]  # one of two names


async def _kpi(session: AsyncSession, org_id: OrganizationId, key: str) -> Kpi:
    try:
        kpi = await kpis.get_kpi(session, org_id, key)
    except KpiNotFound as problem:
        raise ValidationFailed.at("/kpi", problem.detail, "kpi_unknown") from None
    if kpi.state == "archived":
        raise ValidationFailed.at("/kpi", f"The KPI {key} is archived.", "kpi_archived")
    return kpi


async def _period(session: AsyncSession, org_id: OrganizationId, text: str, today: date) -> DayRange:
    try:
        return parse_period(text, today, await calendars.present_settings(session, org_id))
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period") from None


async def _require_owner(session: AsyncSession, org_id: OrganizationId, owner: schemas.OwnerInput) -> None:
    if owner.id is None:
        return
    find = queries.team if owner.type == "team" else queries.member
    found = (await session.execute(find(org_id, owner.id))).one_or_none()
    if found is None:
        raise ValidationFailed.at("/owner/id", f"There is no {owner.type} {owner.id}.", "owner_unknown")
    if found.archived_at is not None:
        raise ValidationFailed.at("/owner/id", f"The {owner.type} {owner.id} is archived.", "owner_archived")


async def _currency(
    session: AsyncSession, org_id: OrganizationId, currency: str | None, *, is_money: bool
) -> str | None:
    if not is_money:
        if currency is not None:
            raise ValidationFailed.at("/currency", "The KPI's values are not money.", "currency_without_money")
        return None
    return currency or (await accounts.get_organization(session, org_id)).currency


def _enter(goal: Goal, state: str, at: datetime) -> None:
    goal.state = state
    if state == "open":
        goal.opened_at = at
    else:
        goal.cancelled_at = at


def _target(goal: Goal, target: schemas.TargetInput, reason: str, who: Principal, at: datetime) -> GoalTarget:
    return GoalTarget(
        org_id=goal.org_id,
        goal_id=goal.id,
        value=target.value,
        low=target.low,
        high=target.high,
        reason=reason,
        changed_by=who.label,
        recorded_at=at,
    )


def _revision(old: GoalTarget | None, new: GoalTarget) -> schemas.TargetRevision:
    return schemas.TargetRevision(
        id=new.id,
        recorded_at=new.recorded_at,
        superseded_at=new.superseded_at,
        changed_by=new.changed_by,
        reason=new.reason,
        old=None if old is None else schemas.Target.model_validate(old),
        new=schemas.Target.model_validate(new),
    )
