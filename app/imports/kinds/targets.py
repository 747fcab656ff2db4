"""Rows that are targets: goals are made of them, or their targets revised."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars import service as calendars
from app.calendars.periods import PeriodError, parse_period
from app.goals import queries, service
from app.goals.models import Goal, GoalTarget
from app.goals.schemas import GoalCreate, TargetChange
from app.imports.kinds.base import Row, RowRefusedError, Task, needed, placed
from app.imports.kinds.people import named_member, named_team
from app.imports.kinds.rehearsed import Rehearsed

_PLACES = {"kpi": "kpi", "period": "period", "target": "amount", "currency": "currency", "name": "name"}
_PLACES |= {"reason": "reason", "value": "amount", "low": "low", "high": "high"}


class Targets(Rehearsed):
    """A goal is known by its owner, KPI and period; a new target of it is a revision, never a second goal."""

    def keys(self, row: Row) -> set[str]:
        """Of the goal, by what the row says of it."""
        return {_key(row)}

    async def apply(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, set[str]]:
        """Make the goal, or revise its target where that is another."""
        owner_type, owner_id = await self._owner(session, task, row)
        kpi, period = needed(row, "kpi"), needed(row, "period")
        goal = await _find(session, task, owner_id, kpi, period)
        target = {name: row.values[cell] for cell, name in _AIMS.items() if cell in row.values}
        with placed(_PLACES, "amount"):
            if goal is None:
                new = GoalCreate.model_validate(
                    {
                        "name": row.values.get("name") or f"{kpi} {period}",
                        "owner": {"type": owner_type, "id": owner_id},
                        "kpi": kpi,
                        "period": period,
                        "target": target,
                        "currency": row.values.get("currency"),
                        "reason": row.values.get("reason", ""),
                    }
                )
                await service.create_goal(session, task.who, new)
                return "created", {_key(row)}
            change = TargetChange.model_validate({"target": target, "reason": row.values.get("reason") or "Imported."})
            _same_currency(goal[0], row)
            if _aims(goal[1]) == {name: Decimal(value) for name, value in target.items()}:
                return "unchanged", set()
            await service.change_target(session, task.who, goal[0].id, change, None)
        return "updated", {_key(row)}

    async def _owner(self, session: AsyncSession, task: Task, row: Row) -> tuple[str, UUID | None]:
        member, team = row.values.get("member"), row.values.get("team")
        if member and team:
            raise RowRefusedError("team", "a target is of a member or of a team: leave one of them empty")
        if member:
            return "member", await named_member(session, task.who.org_id, member, "member")
        if team:
            return "team", await named_team(session, task.who.org_id, team, "team")
        return "organization", None


_AIMS = {"amount": "value", "low": "low", "high": "high"}


def _key(row: Row) -> str:
    return "goal:" + ":".join(str(row.values.get(name, "")) for name in ("member", "team", "kpi", "period"))


def _aims(target: GoalTarget) -> dict[str, Decimal]:
    told = {"value": target.value, "low": target.low, "high": target.high}
    return {name: value for name, value in told.items() if value is not None}


def _same_currency(goal: Goal, row: Row) -> None:
    told = row.values.get("currency")
    if told is not None and told != goal.currency:
        raise RowRefusedError("currency", f"the goal is in {goal.currency or 'no currency'}: its targets stay so")


async def _find(
    session: AsyncSession, task: Task, owner_id: UUID | None, kpi: str, period: str
) -> tuple[Goal, GoalTarget] | None:
    """The goal that the row speaks of. Raises `RowRefusedError` where there are several."""
    today = await service.today_of(session, task.who.org_id)
    try:
        days = parse_period(period, today, await calendars.present_settings(session, task.who.org_id))
    except PeriodError as error:
        raise RowRefusedError("period", str(error)) from None
    found = await session.execute(
        queries.goals(task.who.org_id).where(
            Goal.kpi_key == kpi, Goal.start_on == days.start, Goal.end_on == days.end, Goal.state != "cancelled"
        )
    )
    own = [(goal, target) for goal, target in found if (goal.member_id or goal.team_id) == owner_id]
    if len(own) > 1:
        raise RowRefusedError("period", f"{len(own)} goals are of this owner, KPI and period: change them one by one")
    return own[0] if own else None
