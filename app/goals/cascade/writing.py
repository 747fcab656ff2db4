"""Carries a plan out: goals, revisions of their terms, what is noted and told; all of it in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.ids import new_id
from app.goals import keeping, schemas, telling
from app.goals.cascade.plans import Plan, Row
from app.goals.cascade.schemas import SplitApply
from app.goals.deciding import require, state_of_new
from app.goals.models import Goal, GoalTarget
from app.goals.policy import OwnerKind
from app.goals.revising import Changes
from app.goals.terms import present_columns


class Writer:
    """Writes the rows of one plan, at the instant of its transaction."""

    def __init__(self, session: AsyncSession, who: Principal, plan: Plan, wanted: SplitApply, at: datetime) -> None:
        self._session, self._who, self._plan, self._wanted, self._at = session, who, plan, wanted, at
        word = "Re-planned" if wanted.mode == "replan" else "Split"
        self._reason = f"{word}: {wanted.reason or plan.goal.name}"[:10_000]
        self._changes = Changes(session, who, at, plan.today)
        self._new: list[keeping.NewGoal] = []
        self._revised: list[Goal] = []
        self._split: list[tuple[Goal, Sequence[Row]]] = []

    async def write(self) -> int:
        """Store the parts and what the goals that were split count; how many were made or changed.

        Raises `GoalNotYours` and `GoalLocked` where one of them is not the caller's to set: nothing is stored then.
        """
        goal, terms = self._plan.goal, self._plan.terms
        await self._write_level(self._plan.rows, goal, terms)
        if not await self._count_parts(goal, terms):
            goal.version += 1  # its plan is another
        await keeping.store(self._session, self._who, self._new, self._reason, self._at)
        await self._changes.write()
        for each, rows in self._split:
            ids = [row.made_id or (None if row.goal is None else row.goal.id) for row in rows]
            told = sorted(str(part) for part in ids if part is not None)
            telling.publish(self._session, each, "goal.split", {"parts": told}, self._at)
        return len(self._new) + len(self._revised)

    async def _write_level(self, rows: Sequence[Row], parent: Goal, parent_terms: GoalTarget) -> None:
        self._split.append((parent, rows))
        for row in rows:
            goal, terms = await self._written(row, parent, parent_terms)
            if row.parts and goal is not None and terms is not None:
                await self._write_level(row.parts, goal, terms)

    async def _written(self, row: Row, parent: Goal, parent_terms: GoalTarget) -> tuple[Goal | None, GoalTarget | None]:
        if row.goal is not None and row.step in {"cancel", "replace"}:
            await require(self._session, self._who, row.goal, "cancel", self._plan.today)
            keeping.cancel(self._session, self._who, row.goal, self._at, self._reason)
        if row.step in {"create", "replace"}:
            return await self._make(row, parent, parent_terms)
        if row.goal is not None and row.terms is not None and row.step in {"change", "keep"}:
            return row.goal, await self._change(row, row.goal, row.terms)
        return row.goal, row.terms

    # --------------------------------------------------------------------------------------------------- changes

    async def _change(self, row: Row, goal: Goal, terms: GoalTarget) -> GoalTarget:
        """Give a part's goal the planned target, by the rules by which targets are changed."""
        aim = None
        if any(value != getattr(terms, name) for name, value in row.aim.items()):
            aim = schemas.TargetChange(target=schemas.TargetInput.model_validate(row.aim), reason=self._reason)
        other: dict[str, Any] = {}
        if row.ramp_id is not None and row.ramp_id != terms.ramp_id:
            other["ramp_id"] = row.ramp_id
        if row.parts and self._wanted.counts not in {None, terms.counts}:
            other["counts"] = self._wanted.counts
        return await self._made(goal, terms, aim, other)

    async def _count_parts(self, goal: Goal, terms: GoalTarget) -> bool:
        """Whether what the goal counts becomes another."""
        if self._wanted.counts in {None, terms.counts}:
            return False
        await self._made(goal, terms, None, {"counts": self._wanted.counts})
        return True

    async def _made(
        self, goal: Goal, terms: GoalTarget, aim: schemas.TargetChange | None, other: dict[str, Any]
    ) -> GoalTarget:
        if aim is None and not other:
            return terms
        update = schemas.GoalUpdate.model_validate(other | {"reason": self._reason}) if other else None
        self._revised.append(goal)
        return await self._changes.make(goal, terms, aim=aim, other=update)

    # ------------------------------------------------------------------------------------------------- new goals

    async def _make(self, row: Row, parent: Goal, parent_terms: GoalTarget) -> tuple[Goal, GoalTarget]:
        kind = cast("OwnerKind", row.owner.kind)
        wanted = self._wanted.state or (None if parent.state == "open" else "draft")
        goal = Goal(
            id=new_id(),
            org_id=parent.org_id,
            name=self._name(row),
            description="",
            team_id=row.owner.id if kind == "team" else None,
            member_id=row.owner.id if kind == "member" else None,
            kpi_key=parent.kpi_key,
            direction=parent.direction,
            period=row.period.label,
            start_on=row.period.start,
            end_on=row.period.end,
            currency=parent.currency,
            rate_set=parent.rate_set,
            state=await state_of_new(self._session, self._who, kind, row.owner.id, wanted),
            version=1,
        )
        columns = self._columns(row, parent, parent_terms)
        told = {"reason": self._reason, "parent_id": str(parent.id), "target": row.target and str(row.target)}
        self._new.append(keeping.NewGoal(goal, columns, told))
        row.made_id = goal.id
        return goal, GoalTarget(**columns)  # as parts of it see it; the stored one is made by who stores it

    def _columns(self, row: Row, parent: Goal, parent_terms: GoalTarget) -> dict[str, Any]:
        """The terms of a new goal; those of the one that it replaces stay."""
        columns: dict[str, Any] = {
            "weight": self._wanted.weight,
            "counts": self._wanted.counts if row.parts and self._wanted.counts else "own",
            "expected": parent_terms.expected,
            "milestones": _shares(parent_terms, row) if self._wanted.milestones else [],
        }
        if row.terms is not None:
            columns |= present_columns(row.terms)
        return columns | row.aim | {"parent_id": parent.id, "ramp_id": row.ramp_id}

    def _name(self, row: Row) -> str:
        told = {"goal": self._plan.goal.name, "owner": row.name or "", "period": row.period.label}
        name = self._wanted.name
        if self._wanted.into is not None and name == "{goal}: {owner}":
            name = "{goal}: {period}"
        for word, value in told.items():
            name = name.replace(f"{{{word}}}", value)
        return name.strip()[:200] or self._plan.goal.name


def _shares(parent_terms: GoalTarget, row: Row) -> list[dict[str, Any]]:
    """The goal's milestones as shares of the target; without days that lie outside of the part's."""
    found = []
    for each in parent_terms.milestones:
        due_on = each["due_on"]
        if due_on is not None and not row.period.start.isoformat() <= due_on < row.period.end.isoformat():
            due_on = None
        share = each["share"]
        if share is None and parent_terms.value:
            share = format((Decimal(each["value"]) / parent_terms.value).quantize(Decimal("0.000001")), "f")
        found.append({**each, "value": None, "share": share, "due_on": due_on})
    return found
