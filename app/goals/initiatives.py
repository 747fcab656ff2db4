"""Use cases of initiatives: propose or plan, change, accept, decline, drop (G9)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags, outbox
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import ErrorItem, ValidationFailed
from app.goals import initiative_states, policy
from app.goals.deciding import Rights, kind_of, rights_of
from app.goals.initiative_schemas import (
    Initiative,
    InitiativeCreate,
    InitiativeFilters,
    InitiativePage,
    InitiativeUpdate,
    Kind,
)
from app.goals.initiative_states import Action, State
from app.goals.making import require_owner
from app.goals.models import Goal, InitiativeGoal
from app.goals.models import Initiative as InitiativeRow
from app.goals.problems import InitiativeActionNotPossible, InitiativeNotFound, InitiativeNotYours
from app.goals.schemas import Owner, OwnerInput

_TOLD: Mapping[Action, str] = {
    "accept": "accepted",
    "decline": "declined",
    "start": "started",
    "finish": "finished",
    "drop": "dropped",
}


async def list_initiatives(session: AsyncSession, who: Principal, wanted: InitiativeFilters) -> InitiativePage:
    """The initiatives that match, oldest first."""
    statement = _matching(_initiatives(who.org_id), who.org_id, wanted)
    keys = [Key(InitiativeRow.created_at), Key(InitiativeRow.id)]
    rows, following = await paginate(session, statement, keys, wanted)
    goals = await _goals_of(session, who.org_id, rows)
    rights = await rights_of(session, who)
    return InitiativePage(items=[_shown(row, goals[row.id], rights) for row in rows], next_cursor=following)


async def get_initiative(session: AsyncSession, who: Principal, initiative_id: UUID) -> Initiative:
    """One initiative. Raises `InitiativeNotFound`."""
    return await _answer(session, who, await _find(session, who.org_id, initiative_id))


async def create_initiative(session: AsyncSession, who: Principal, new: InitiativeCreate) -> Initiative:
    """Make an initiative: planned by whoever may set its owner's goals, proposed by all others."""
    await require_owner(session, who.org_id, new.owner)
    await _require_strategy(session, who.org_id, new.parent_id)
    row = InitiativeRow(
        org_id=who.org_id,
        **new.model_dump(include={"name", "description", "kind", "start_on", "end_on"}),
        **_owned_by(new.owner),
        parent_id=new.parent_id,
        state=await _first_state(session, who, new),
        proposed_by=who.label,
        proposer_id=who.member_id,
        created_at=await clock.now(session, who.org_id),
        version=1,
    )
    session.add(row)
    await session.flush()  # its goals refer to it
    await _link(session, row, new.goal_ids)
    _note(session, who, row, "create", "created", new.model_dump(mode="json"))
    return await _answer(session, who, row)


async def update_initiative(
    session: AsyncSession, who: Principal, initiative_id: UUID, change: InitiativeUpdate, if_match: str | None
) -> Initiative:
    """Change an initiative, start, finish or drop it.

    Raises `InitiativeActionNotPossible`, `InitiativeNotYours`.
    """
    row = await _find(session, who.org_id, initiative_id, lock=True)
    etags.check(if_match, row.version)
    wanted = change.model_dump(exclude_unset=True)
    state = cast("State", wanted.pop("state", row.state))
    if not wanted and state == row.state:
        return await _answer(session, who, row)
    if wanted:
        await _require(session, who, row, "edit")
        await _edit(session, who, row, change, wanted)
    topic = "changed"
    if state != row.state and (action := initiative_states.action_to(state)) is not None:
        await _require(session, who, row, action)
        row.state, topic = state, _TOLD[action]
    row.version += 1
    _note(session, who, row, "update", topic, change.model_dump(mode="json", exclude_unset=True))
    return await _answer(session, who, row)


async def decide_initiative(
    session: AsyncSession, who: Principal, initiative_id: UUID, action: Action, reason: str, if_match: str | None
) -> Initiative:
    """Accept or decline a proposal: it is planned then, or dropped. Drop any that is not done.

    Raises `InitiativeActionNotPossible`, `InitiativeNotYours`.
    """
    row = await _find(session, who.org_id, initiative_id, lock=True)
    etags.check(if_match, row.version)
    row.state = await _require(session, who, row, action)
    if action in {"accept", "decline"}:
        row.decided_by, row.decision_reason = who.label, reason
    row.version += 1
    _note(session, who, row, action, _TOLD[action], {"reason": reason})
    return await _answer(session, who, row)


def _initiatives(org_id: OrganizationId) -> Select[InitiativeRow]:
    return select(InitiativeRow).where(InitiativeRow.org_id == org_id)


def _matching(
    statement: Select[InitiativeRow], org_id: OrganizationId, wanted: InitiativeFilters
) -> Select[InitiativeRow]:
    if wanted.goal_id is not None:
        serving = select(InitiativeGoal.initiative_id).where(
            InitiativeGoal.org_id == org_id, InitiativeGoal.goal_id == wanted.goal_id
        )
        statement = statement.where(InitiativeRow.id.in_(serving))
    if wanted.owner_type == "organization":
        statement = statement.where(InitiativeRow.team_id.is_(None), InitiativeRow.member_id.is_(None))
    elif wanted.owner_type is not None:
        of_owner = InitiativeRow.team_id if wanted.owner_type == "team" else InitiativeRow.member_id
        statement = statement.where(of_owner.is_not(None))
    if wanted.owner_id is not None:
        statement = statement.where(
            or_(InitiativeRow.team_id == wanted.owner_id, InitiativeRow.member_id == wanted.owner_id)
        )
    equal = ((InitiativeRow.state, wanted.state), (InitiativeRow.kind, wanted.kind))
    for column, value in (*equal, (InitiativeRow.parent_id, wanted.parent_id)):
        if value is not None:
            statement = statement.where(column == value)
    return statement


async def _find(
    session: AsyncSession, org_id: OrganizationId, initiative_id: UUID, *, lock: bool = False
) -> InitiativeRow:
    wanted = _initiatives(org_id).where(InitiativeRow.id == initiative_id)
    row = (await session.execute(wanted.with_for_update() if lock else wanted)).scalar_one_or_none()
    if row is None:
        raise InitiativeNotFound(f"No initiative {initiative_id}.")
    return row


async def _goals_of(
    session: AsyncSession, org_id: OrganizationId, rows: Iterable[InitiativeRow]
) -> Mapping[UUID, list[UUID]]:
    """The goals of each initiative."""
    wanted = (
        select(InitiativeGoal.initiative_id, InitiativeGoal.goal_id)
        .where(InitiativeGoal.org_id == org_id, InitiativeGoal.initiative_id.in_([row.id for row in rows]))
        .order_by(InitiativeGoal.goal_id)
    )
    goals: dict[UUID, list[UUID]] = defaultdict(list)
    for initiative_id, goal_id in await session.execute(wanted):
        goals[initiative_id].append(goal_id)
    return goals


async def _require(session: AsyncSession, who: Principal, row: InitiativeRow, action: Action) -> State:
    """The state that the caller's action leads to."""
    state = cast("State", row.state)
    after = initiative_states.next_state(state, action)
    if after is None:
        possible = ", ".join(initiative_states.possible_actions(state)) or "nothing any more"
        raise InitiativeActionNotPossible(f"The initiative is {state}; possible now: {possible}.")
    rights = await rights_of(session, who)
    author = policy.author_of(row.proposer_id, who.member_id)
    if not initiative_states.allows(action, rights.over_row(row), state, author):
        allowed = initiative_states.available_actions(state, rights.over_row(row), author)
        instead = f"you may {', '.join(allowed)}" if allowed else "you may not change it"
        raise InitiativeNotYours(f"You may not {action} this initiative; {instead}.")
    return after


async def _first_state(session: AsyncSession, who: Principal, new: InitiativeCreate) -> State:
    rights = (await rights_of(session, who)).over(new.owner.type, new.owner.id)
    if "set" in rights:
        return new.state or "planned"
    if new.state in {"planned", "active"}:
        told = f"You may not set what this {new.owner.type} does, but you may propose it: write the state proposed."
        raise InitiativeNotYours(told, [ErrorItem(pointer="/state", message=told, code="initiative-not-yours")])
    return "proposed"


async def _edit(
    session: AsyncSession, who: Principal, row: InitiativeRow, change: InitiativeUpdate, wanted: dict[str, Any]
) -> None:
    if isinstance(change.owner, OwnerInput):
        await _hand_over(session, who, row, change.owner)
    if wanted.get("parent_id") is not None:
        if row.kind == "strategy":
            raise ValidationFailed.at("/parent_id", "A strategy belongs to nothing.", "parent_of_strategy")
        await _require_strategy(session, who.org_id, wanted["parent_id"])
    _require_order(wanted.get("start_on", row.start_on), wanted.get("end_on", row.end_on))
    if "goal_ids" in wanted:
        await _link(session, row, wanted["goal_ids"])
    for name, value in wanted.items():
        if name not in {"owner", "goal_ids"}:
            setattr(row, name, value)


async def _hand_over(session: AsyncSession, who: Principal, row: InitiativeRow, owner: OwnerInput) -> None:
    await require_owner(session, who.org_id, owner)
    rights = (await rights_of(session, who)).over(owner.type, owner.id)
    if row.state != "proposed" and "set" not in rights:
        raise InitiativeNotYours(f"You may not set what this {owner.type} does: propose another initiative.")
    for column, value in _owned_by(owner).items():
        setattr(row, column, value)


def _require_order(start: date | None, end: date | None) -> None:
    if start is not None and end is not None and end < start:
        raise ValidationFailed.at("/end_on", f"It would end on {end}, before it starts on {start}.", "days_inverted")


async def _require_strategy(session: AsyncSession, org_id: OrganizationId, parent_id: UUID | None) -> None:
    """Strategies belong to nothing, so that nothing is ever below itself."""
    if parent_id is None:
        return
    wanted = _initiatives(org_id).where(InitiativeRow.id == parent_id)
    parent = (await session.execute(wanted)).scalar_one_or_none()
    if parent is None:
        raise ValidationFailed.at("/parent_id", f"There is no initiative {parent_id}.", "parent_unknown")
    if parent.kind != "strategy":
        raise ValidationFailed.at("/parent_id", f"{parent.name} is a tactic: name a strategy.", "parent_is_tactic")
    if parent.state == "dropped":
        raise ValidationFailed.at("/parent_id", f"The strategy {parent.name} was dropped.", "parent_dropped")


async def _link(session: AsyncSession, row: InitiativeRow, goal_ids: Sequence[UUID]) -> None:
    """Let the initiative serve these goals, and no others."""
    found = await session.execute(select(Goal.id).where(Goal.org_id == row.org_id, Goal.id.in_(goal_ids)))
    known = set(found.scalars())
    if missing := [
        ErrorItem(pointer=f"/goal_ids/{number}", message=f"There is no goal {goal_id}.", code="goal_unknown")
        for number, goal_id in enumerate(goal_ids)
        if goal_id not in known
    ]:
        raise ValidationFailed(missing[0].message, missing)
    await session.execute(
        delete(InitiativeGoal).where(InitiativeGoal.org_id == row.org_id, InitiativeGoal.initiative_id == row.id)
    )
    session.add_all(InitiativeGoal(org_id=row.org_id, initiative_id=row.id, goal_id=goal_id) for goal_id in goal_ids)


def _note(
    session: AsyncSession, who: Principal, row: InitiativeRow, action: str, topic: str, changes: dict[str, Any]
) -> None:
    audit.record(session, who.org_id, who.label, action, "initiative", row.id, changes)
    outbox.publish(session, who.org_id, f"initiative.{topic}", {"initiative_id": str(row.id), "state": row.state})


async def _answer(session: AsyncSession, who: Principal, row: InitiativeRow) -> Initiative:
    await session.flush()  # the answer shows the stored rows
    return _shown(row, (await _goals_of(session, who.org_id, [row]))[row.id], await rights_of(session, who))


def _owned_by(owner: OwnerInput) -> dict[str, UUID | None]:
    return {
        "team_id": owner.id if owner.type == "team" else None,
        "member_id": owner.id if owner.type == "member" else None,
    }


def _shown(row: InitiativeRow, goal_ids: list[UUID], rights: Rights) -> Initiative:
    state, author = cast("State", row.state), policy.author_of(row.proposer_id, rights.caller.member_id)
    return Initiative(
        id=row.id,
        name=row.name,
        description=row.description,
        kind=cast("Kind", row.kind),
        parent_id=row.parent_id,
        owner=Owner(type=kind_of(row), id=row.team_id or row.member_id),
        state=state,
        start_on=row.start_on,
        end_on=row.end_on,
        goal_ids=goal_ids,
        proposed_by=row.proposed_by,
        proposer_id=row.proposer_id,
        decided_by=row.decided_by,
        decision_reason=row.decision_reason,
        available_actions=initiative_states.available_actions(state, rights.over_row(row), author),
        version=row.version,
        created_at=row.created_at,
    )
