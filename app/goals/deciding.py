"""Who may decide what of goals now: the organization's rules, met with where the caller stands today.

Every use case that changes a goal asks `require`, every one that makes a goal `state_of_new`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import DayRange, local_day
from app.calendars.service import present_settings
from app.core import clock
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.core.problems import ErrorItem
from app.goals import policy, queries, telling
from app.goals.lifecycle import WHILE_LOCKED, Action, Stored, possible_actions, state_on
from app.goals.models import Goal, GoalDecision, GoalSettings
from app.goals.policy import Caller, OwnerKind, Right, Rule
from app.goals.problems import GoalActionNotPossible, GoalLocked, GoalNotYours, GoalOutdated
from app.kpis import service as kpis
from app.teams.dated import holds_on
from app.teams.models import MemberAssignment, Membership, Team, TeamPlacement


@dataclass(frozen=True)
class Rights:
    """What one caller may do today; loaded once a request."""

    rules: tuple[Rule, ...]
    caller: Caller
    _known: dict[tuple[str, UUID | None], frozenset[Right]] = field(default_factory=dict)

    def over(self, kind: OwnerKind, owner_id: UUID | None) -> frozenset[Right]:
        """What the caller may do with goals of this owner."""
        if (kind, owner_id) not in self._known:
            self._known[kind, owner_id] = policy.may(self.rules, self.caller, kind, owner_id)
        return self._known[kind, owner_id]

    def over_row(self, row: Any) -> frozenset[Right]:
        """As `over`, of whatever has `team_id` and `member_id`."""
        return self.over(kind_of(row), row.team_id or row.member_id)

    def actions(self, row: Any, today: date) -> list[Action]:
        """What the caller may do now with a goal, given as it is or as a row of its columns."""
        stored: Stored = row.state
        rights, author = self.over_row(row), policy.author_of(row.proposer_id, self.caller.member_id)
        possible = possible_actions(stored, row.end_on, today, is_locked=row.locked_at is not None)
        return [action for action in possible if policy.allows(action, rights, stored, author)]


def kind_of(row: Any) -> OwnerKind:
    """Which kind of owner a row has."""
    return "team" if row.team_id else "member" if row.member_id else "organization"


async def rights_of(session: AsyncSession, who: Principal) -> Rights:
    """What the caller may do, by the present rules and by their teams and reports on the organization's present day."""
    if who.role == "admin":
        return Rights((), Caller("admin", who.member_id))
    # One load for all rows of an import or a split.
    found: Rights | None = session.info.get(("rights", who.key_id))
    if found is None:
        found = session.info["rights", who.key_id] = await _load_rights(session, who)
    return found


async def require(session: AsyncSession, who: Principal, goal: Goal, action: Action, today: date) -> None:
    """See that the caller may do this with the goal now.

    Raises `GoalLocked` and `GoalActionNotPossible` where nobody may, `GoalNotYours` where others may, `GoalOutdated`
    where what it stands on was archived meanwhile.
    """
    await _require_possible(session, goal, action, today)
    rights = await rights_of(session, who)
    author = policy.author_of(goal.proposer_id, rights.caller.member_id)
    if not policy.allows(action, rights.over_row(goal), cast("Stored", goal.state), author):
        raise GoalNotYours(_refusal(action, rights.actions(goal, today)))
    if action in {"open", "propose", "approve"}:
        await _require_current(session, goal)


async def state_of_new(
    session: AsyncSession, who: Principal, kind: OwnerKind, owner_id: UUID | None, wanted: str | None
) -> Stored:
    """In which state the caller's new goal of this owner begins; without a wish, open for who may set, else proposed.

    Raises `GoalNotYours` where they may not, and tells what they may do instead.
    """
    rights = (await rights_of(session, who)).over(kind, owner_id)
    if "set" in rights:
        return cast("Stored", wanted or "open")
    if "propose" not in rights:
        raise GoalNotYours(f"You may neither set nor propose goals of {_OWNERS[kind]}; {_WHERE}.")
    if wanted == "open":
        told = f"You may not set goals of {_OWNERS[kind]}, but you may propose them: write the state proposed."
        raise GoalNotYours(told, [ErrorItem(pointer="/state", message=told, code="goal-not-yours")])
    return cast("Stored", wanted or "proposed")


def note(session: AsyncSession, who: Principal, goal: Goal, action: str, reason: str, at: datetime) -> GoalDecision:
    """Keep who decided what of a goal, when and why, and tell others."""
    decision = GoalDecision(
        org_id=goal.org_id,
        goal_id=goal.id,
        action=action,
        reason=reason,
        decided_by=who.label,
        member_id=who.member_id,
        decided_at=at,
    )
    session.add(decision)
    telling.publish(session, goal, f"goal.{action}", {"reason": reason}, at)
    return decision


_OWNERS: Mapping[OwnerKind, str] = {
    "organization": "the organization",
    "team": "this team",
    "member": "this member",
}
_WHERE = "the rules stand at /v1/goal-settings"


def _refusal(action: Action, allowed: list[Action]) -> str:
    instead = f"you may {', '.join(allowed)}" if allowed else "you may not change it"
    return f"You may not {action} this goal; {instead}. Who may what: {_WHERE}."


async def _require_possible(session: AsyncSession, goal: Goal, action: Action, today: date) -> None:
    stored = cast("Stored", goal.state)
    is_locked = goal.locked_at is not None
    possible = possible_actions(stored, goal.end_on, today, is_locked=is_locked)
    if action in possible:
        return
    if is_locked and stored == "open" and action not in WHILE_LOCKED:
        raise GoalLocked(await _lock_in_words(session, goal))
    allowed = f"possible now: {', '.join(possible)}" if possible else "it cannot be changed any more"
    period = DayRange(goal.start_on, goal.end_on)
    raise GoalActionNotPossible(f"The goal is {state_on(stored, period, today)}; {allowed}.")


async def _lock_in_words(session: AsyncSession, goal: Goal) -> str:
    lock = (await session.execute(queries.last_lock(goal.org_id, goal.id))).scalar_one()
    since = lock.decided_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return (
        f"The goal has been locked since {since} by {lock.decided_by}: {lock.reason} "
        "Who may lock it may unlock it: POST /v1/goals/{id}/unlock with the reason."
    )


async def _require_current(session: AsyncSession, goal: Goal) -> None:
    if (await kpis.get_kpi(session, goal.org_id, goal.kpi_key)).state == "archived":
        raise GoalOutdated(f"The KPI {goal.kpi_key} was archived meanwhile: bring it back, or cancel the goal.")
    if (owner_id := goal.team_id or goal.member_id) is None:
        return
    find = queries.team if goal.team_id else queries.member
    if (await session.execute(find(goal.org_id, owner_id))).one().archived_at is not None:
        raise GoalOutdated("The goal's owner was archived meanwhile: bring them back, or cancel the goal.")


async def _load_rights(session: AsyncSession, who: Principal) -> Rights:
    known_at = await clock.last_recorded(session, who.org_id)
    load = partial(_load_rules, session, who.org_id)
    rules = await remembered(session, who.org_id, known_at, "goal rules", load)
    if who.member_id is None or not policy.depends_on_place(rules, who.role):
        return Rights(rules, Caller(who.role, who.member_id))
    today = local_day(await clock.now(session, who.org_id), (await present_settings(session, who.org_id)).zone)
    stand = partial(_standing, session, who.org_id, who.role, who.member_id, today)
    return Rights(
        rules, await remembered(session, who.org_id, known_at, ("standing", who.role, who.member_id, today), stand)
    )


async def _load_rules(session: AsyncSession, org_id: OrganizationId) -> tuple[Rule, ...]:
    wanted = select(GoalSettings.rules).where(GoalSettings.org_id == org_id, GoalSettings.superseded_at.is_(None))
    rules = (await session.execute(wanted)).scalar_one_or_none()
    return policy.DEFAULT_RULES if rules is None else tuple(rules)


async def _standing(session: AsyncSession, org_id: OrganizationId, role: str, member_id: UUID, today: date) -> Caller:
    memberships = (
        select(Membership.team_id, Membership.member_id, Membership.kind)
        .join(Team, and_(Team.org_id == Membership.org_id, Team.id == Membership.team_id))
        .where(Membership.org_id == org_id, Team.org_id == org_id, Team.archived_at.is_(None))
        .where(holds_on(Membership, today))
    )
    placements = select(TeamPlacement.team_id, TeamPlacement.parent_id).where(
        TeamPlacement.org_id == org_id, holds_on(TeamPlacement, today)
    )
    assignments = select(MemberAssignment.member_id, MemberAssignment.manager_id).where(
        MemberAssignment.org_id == org_id, holds_on(MemberAssignment, today), MemberAssignment.manager_id.is_not(None)
    )
    return policy.standing(
        role,
        member_id,
        [policy.Place(row.team_id, row.member_id, row.kind == "lead") for row in await session.execute(memberships)],
        {row.team_id: row.parent_id for row in await session.execute(placements)},
        {row.member_id: row.manager_id for row in await session.execute(assignments)},
    )
