"""Rows that are targets: goals are made of them, or changed where cells say something else."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, PeriodError
from app.core import clock
from app.core.db import OrganizationId
from app.goals import baselines, decisions, making, queries, service
from app.goals.bulk import Edit, edit_goal
from app.goals.bulk_schemas import GoalEdit
from app.goals.lifecycle import Action
from app.goals.models import Goal, GoalRamp, GoalTarget
from app.goals.revising import Changes
from app.goals.schemas import Baseline, ChangeInput, GoalCreate, TargetInput
from app.goals.sheet import NONE, read_milestones
from app.imports.kinds.base import Row, RowRefusedError, Task, needed, placed
from app.imports.kinds.people import member_called, team_called, uuid_of
from app.imports.kinds.rehearsed import Rehearsed

_PLACES = {
    **{name: name for name in ("kpi", "period", "name", "description", "reason", "currency", "rate_set", "weight")},
    **{name: name for name in ("counts", "expected", "milestones", "yields", "state", "version")},
    **{f"{name}_id": name for name in ("parent", "ramp")},
    **{name: name for name in ("low", "high", "stretch")},
    **{f"target/{name}": name for name in ("low", "high", "stretch")},
    **{f"target/change/{name}": f"change_{name}" for name in ("by", "amount", "on", "stretch")},
    **{name: f"change_{name}" for name in ("by", "on")},
    "target/change": "change_by",
    "target": "amount",
    "value": "amount",
}
_AIMS = {"amount": "value", "low": "low", "high": "high"}
_CHANGES = {"change_by": "by", "change_amount": "amount", "change_on": "on", "change_stretch": "stretch"}
_WORDS = ("name", "description")
_TERMS = ("weight", "counts", "expected")
_DECIDED: dict[tuple[str, str], Action] = {
    ("draft", "proposed"): "propose",
    ("proposed", "draft"): "withdraw",
    ("proposed", "open"): "approve",
}
Stands = tuple[Goal, GoalTarget]


class Targets(Rehearsed):
    """A goal is known by its id, else by its owner, KPI and period; another target of it is a revision."""

    def keys(self, row: Row) -> set[str]:
        """Of the goal, by what the row says of it, and of the one that it is a part of."""
        return _keys(row) | ({f"goal named:{row.values['parent']}"} if "parent" in row.values else set())

    async def apply(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, set[str]]:
        """Make the goal, or change what the row says otherwise."""
        stands = await _standing(session, task.who.org_id, row)
        if stands is None:
            await _make(session, task, row)
            return "created", _keys(row)
        if not await _change(session, task, row, stands):
            return "unchanged", set()
        return "updated", _keys(row)


def _keys(row: Row) -> set[str]:
    told = ":".join(str(row.values.get(name, "")) for name in ("goal", "member", "team", "kpi", "period"))
    return {f"goal:{told}"} | ({f"goal named:{row.values['name']}"} if "name" in row.values else set())


# ----------------------------------------------------------------------------------------------------------- which goal


async def _standing(session: AsyncSession, org_id: OrganizationId, row: Row) -> Stands | None:
    """The goal that the row speaks of. Raises `RowRefusedError` where there are several, or it is another's."""
    if "goal" not in row.values:
        return await _found(session, org_id, row)
    goal_id = uuid_of(row.values["goal"])
    found = None if goal_id is None else (await session.execute(queries.goal(org_id, goal_id))).one_or_none()
    if found is None:
        raise RowRefusedError("goal", "there is no goal with this id: leave the cell empty for a new goal")
    goal, target = found
    await _require_same(session, org_id, goal, row)
    return goal, target


async def _found(session: AsyncSession, org_id: OrganizationId, row: Row) -> Stands | None:
    owner_id = (await _owner(session, org_id, row))[1]
    kpi, days = needed(row, "kpi"), await _days(session, org_id, needed(row, "period"))
    _require_days(days, row)
    found = await session.execute(
        queries.goals(org_id).where(
            Goal.kpi_key == kpi, Goal.start_on == days.start, Goal.end_on == days.end, Goal.state != "cancelled"
        )
    )
    own = [(goal, target) for goal, target in found if (goal.member_id or goal.team_id) == owner_id]
    if len(own) > 1:
        raise RowRefusedError(
            "period", f"{len(own)} goals are of this owner, KPI and period: name one by its id in goal"
        )
    if own:
        _require_money(own[0][0], row)
    return own[0] if own else None


async def _owner(session: AsyncSession, org_id: OrganizationId, row: Row) -> tuple[str, UUID | None]:
    member, team = row.values.get("member"), row.values.get("team")
    if member and team:
        raise RowRefusedError("team", "a target is of a member or of a team: leave one of them empty")
    if member:
        return "member", await member_called(session, org_id, member, "member")
    if team:
        return "team", await team_called(session, org_id, team, "team")
    return "organization", None


async def _days(session: AsyncSession, org_id: OrganizationId, period: str) -> DayRange:
    try:
        return await making.days_of(session, org_id, period)
    except PeriodError as error:
        raise RowRefusedError("period", str(error)) from None


async def _require_same(session: AsyncSession, org_id: OrganizationId, goal: Goal, row: Row) -> None:
    """What a goal is never changes: cells that say it must say the same, or nothing."""
    if row.values.get("kpi", goal.kpi_key) != goal.kpi_key:
        _differs("kpi", goal.kpi_key)
    if (period := row.values.get("period", goal.period)) != goal.period:
        days = await _days(session, org_id, period)
        if (days.start, days.end) != (goal.start_on, goal.end_on):
            _differs("period", goal.period)
    _require_days(DayRange(goal.start_on, goal.end_on), row)
    _require_money(goal, row)
    if member := row.values.get("member"):
        await _require_owner(session, goal, "member", member)
    if team := row.values.get("team"):
        await _require_owner(session, goal, "team", team)


async def _require_owner(session: AsyncSession, goal: Goal, column: str, cell: str) -> None:
    """Whoever owns the goal, also archived, may be told by id, name or address."""
    org_id, owner_id = OrganizationId(goal.org_id), goal.member_id if column == "member" else goal.team_id
    if owner_id is None:
        _differs(column, f"of a {column}", "no goal ")
    find = queries.members_told if column == "member" else queries.teams_told
    told = (await session.execute(find(org_id, [owner_id]))).one()
    if cell.lower() not in {str(each).lower() for each in told if each is not None}:
        _differs(column, told.name)


def _require_days(days: DayRange, row: Row) -> None:
    for column, day in (("first_day", days.start), ("last_day", days.end - timedelta(days=1))):
        if row.values.get(column, day.isoformat()) != day.isoformat():
            _differs(column, day.isoformat())


def _require_money(goal: Goal, row: Row) -> None:
    if row.values.get("currency", goal.currency) != goal.currency:
        raise RowRefusedError("currency", f"the goal is in {goal.currency or 'no currency'}: its targets stay so")
    if row.values.get("rate_set", goal.rate_set) != goal.rate_set:
        _differs("rate_set", goal.rate_set or "the organization's")


def _differs(column: str, has: str, what: str = "") -> NoReturn:
    raise RowRefusedError(
        column, f"the goal is {what}{has}, which never changes: make another goal in a row without id"
    )


# ------------------------------------------------------------------------------------------------------------- new ones


async def _make(session: AsyncSession, task: Task, row: Row) -> None:
    org_id, values = task.who.org_id, row.values
    owner_type, owner_id = await _owner(session, org_id, row)
    target = {name: values[cell] for cell, name in _AIMS.items() if cell in values}
    if values.get("stretch") is not None:
        target["stretch"] = values["stretch"]
    if change := _change_told(row):
        target["change"] = change
    if not target.keys() - {"stretch"}:
        raise RowRefusedError("amount", "write an amount, or low and high, or a change for a new goal")
    told = await _terms(session, org_id, row, await _days(session, org_id, values["period"]))
    told |= {name: values[name] for name in ("currency", "rate_set", "reason", "description") if name in values}
    if "state" in values:
        told["state"] = _state(values["state"])
    told["name"] = values.get("name") or f"{values['kpi']} {values['period']}"
    owner = {"type": owner_type, "id": owner_id}
    with placed(_PLACES):
        new = GoalCreate.model_validate(
            told | {"owner": owner, "kpi": values["kpi"], "period": values["period"], "target": target}
        )
        baseline = None
        if new.target.change is not None:
            goal, _ = await making.goal_of(session, org_id, new)
            baseline = await baselines.frozen(session, goal, new.target.change)
        await service.create_goal(session, task.who, new, baseline=baseline)


def _state(cell: str) -> str:
    """The state as it is asked for: scheduled and active are open by their dates."""
    state = cell.lower()
    return "open" if state in {"scheduled", "active"} else state


# ----------------------------------------------------------------------------------------------------- those that stand


async def _change(session: AsyncSession, task: Task, row: Row, stands: Stands) -> bool:
    goal, target = stands
    told = await _terms(session, task.who.org_id, row, DayRange(goal.start_on, goal.end_on))
    told |= {name: row.values[name] for name in _WORDS if name in row.values and not _is_same(row, name, goal)}
    with placed(_PLACES, "amount"):
        aimed = _aimed(row, goal, target)
    with placed(_PLACES):
        if aimed is not None:
            told["target"] = aimed
        elif "stretch" in row.values and row.values["stretch"] != target.stretch:
            told["stretch"] = row.values["stretch"]
        action = _decision(row, goal, told)
        edit = Edit(
            goal.id,
            GoalEdit.model_validate(told | {"reason": row.values.get("reason") or "Imported."}),
            version=row.values.get("version"),
        )
        baseline = await _baseline(session, goal, aimed)
        at = await clock.tick(session, task.who.org_id)
        changes = Changes(session, task.who, at, await making.today_of(session, task.who.org_id))
        has_changed = await edit_goal(changes, stands, edit, baseline) is not None
        await changes.write()
        if action is None:
            return has_changed
        await decisions.decide(session, task.who, goal.id, action, row.values.get("reason") or "Imported.", None)
    return True


def _is_same(row: Row, name: str, goal: Goal) -> bool:
    """Whether the words are the goal's, but for ends of lines, which spreadsheets write in their own way."""
    cell, stored = row.values[name], getattr(goal, name)
    return bool(cell.splitlines() == stored.strip().splitlines())


def _decision(row: Row, goal: Goal, told: dict[str, Any]) -> Action | None:
    """The decision that brings the goal into the row's state; what an update does itself is put among its fields."""
    state = _state(row.values.get("state", goal.state))
    if state == goal.state:
        return None
    if (action := _DECIDED.get((goal.state, state))) is not None:
        return action
    if state not in {"open", "cancelled"}:
        raise RowRefusedError(
            "state", f"the goal is {goal.state}: a row makes it open or cancelled, or decides proposals"
        )
    told["state"] = state
    return None


def _aimed(row: Row, goal: Goal, target: GoalTarget) -> TargetInput | None:
    """The target that the row asks for; None where it is the one that stands."""
    values = row.values
    with placed(_PLACES, "change_by"):
        change = _other_change(row, goal, target)
    given = {name: values[cell] for cell, name in _AIMS.items() if cell in values}
    is_other = any(value != getattr(target, name) for name, value in given.items())
    if change is not None:
        if is_other:
            raise RowRefusedError("amount", "write either another amount or another change: one of them is the target")
        if target.stretch is not None and change.stretch is None and values.get("stretch", 0) is not None:
            raise RowRefusedError(
                "change_stretch", "the goal has a stretch target: write its change too, or none in stretch"
            )
        return TargetInput(change=change)
    if not is_other:
        return None
    if goal.direction == "maintain" and "value" not in given:
        given = {"low": target.low, "high": target.high} | given
    stretch = values.get("stretch", target.stretch)
    return TargetInput.model_validate(given | ({} if stretch is None else {"stretch": stretch}))


def _other_change(row: Row, goal: Goal, target: GoalTarget) -> ChangeInput | None:
    """The change against a baseline that the row asks for, unless the target was made by it."""
    told = _change_told(row)
    if not told:
        return None
    if target.baseline is None:
        return ChangeInput.model_validate(told)
    baseline = Baseline.model_validate(target.baseline)
    change = ChangeInput.model_validate({"on": baseline.on} | told)
    is_same = (change.by, change.amount, change.on) == (baseline.by, baseline.amount, baseline.on)
    if is_same and change.stretch is not None:
        made = baselines.resolved(TargetInput(change=change), baseline, goal.direction)
        is_same = made.stretch == target.stretch
    return None if is_same else change


def _change_told(row: Row) -> dict[str, Decimal | str]:
    return {name: row.values[cell] for cell, name in _CHANGES.items() if cell in row.values}


async def _baseline(session: AsyncSession, goal: Goal, aimed: TargetInput | None) -> Baseline | None:
    if aimed is None or aimed.change is None:
        return None
    return await baselines.frozen(session, goal, aimed.change)


# ---------------------------------------------------------------------------------------------------------------- terms


async def _terms(session: AsyncSession, org_id: OrganizationId, row: Row, days: DayRange) -> dict[str, Any]:
    """The terms that the row tells, as they are posted."""
    values = row.values
    told = {name: values[name] for name in _TERMS if name in values}
    told |= {name: told[name].lower() for name in ("counts", "expected") if name in told}
    if "yields" in values:
        told["yields"] = None if _is_none(values["yields"]) else values["yields"]
    if "milestones" in values:
        try:
            told["milestones"] = [] if _is_none(values["milestones"]) else read_milestones(values["milestones"])
        except ValueError as error:
            raise RowRefusedError("milestones", str(error)) from None
    if "parent" in values:
        told["parent_id"] = await _parent(session, org_id, values["parent"], days)
    if "ramp" in values:
        told["ramp_id"] = await _ramp(session, org_id, values["ramp"])
    return told


def _is_none(cell: str) -> bool:
    return cell.lower() == NONE


async def _parent(session: AsyncSession, org_id: OrganizationId, cell: str, days: DayRange) -> UUID | None:
    """The goal of this id, or the only one of this name around the row's days."""
    if _is_none(cell):
        return None
    if (goal_id := uuid_of(cell)) is not None:
        return goal_id
    around = queries.ids(org_id).where(
        Goal.name == cell,
        Goal.state.not_in(["cancelled", "closed"]),
        Goal.start_on <= days.start,
        Goal.end_on >= days.end,
    )
    found = (await session.execute(around.limit(2))).scalars().all()
    if len(found) != 1:
        told = "more than one goal is" if found else "no goal around these days is"
        raise RowRefusedError("parent", f"{told} called {cell[:100]!r}: write the id of the one that is meant")
    return UUID(str(found[0]))


async def _ramp(session: AsyncSession, org_id: OrganizationId, cell: str) -> UUID | None:
    if _is_none(cell):
        return None
    if (ramp_id := uuid_of(cell)) is not None:
        return ramp_id
    named = queries.ramps(org_id).where(GoalRamp.name == cell, GoalRamp.archived_at.is_(None))
    found = (await session.execute(named.with_only_columns(GoalRamp.id).limit(2))).scalars().all()
    if len(found) != 1:
        told = "more than one ramp is" if found else "no ramp is"
        raise RowRefusedError("ramp", f"{told} called {cell[:100]!r}: write the id of the one that is meant")
    return UUID(str(found[0]))
