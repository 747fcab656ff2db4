"""Changes of goals that are there: each is checked as a whole before anything of it is made.

What many goals become is written together: 500 of them take as many statements as one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast

from pydantic import MISSING
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit
from app.core.schemas import exact
from app.goals import baselines, making, schemas, telling, terms
from app.goals.aims import check_target
from app.goals.deciding import note, require
from app.goals.lifecycle import Action
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Direction
from app.goals.yields import require_yields

_ACTION_TO: Mapping[str, Action] = {"open": "open", "cancelled": "cancel"}
_DECIDED = {"open": "opened", "cancelled": "cancelled"}
_OF_OTHERS = frozenset({"parent_id", "counts"})
"""Terms that are checked against the terms of other goals."""


@dataclass
class Changes:
    """The changes that one transaction makes for a caller, recorded `at`, on the organization's day `today`."""

    session: AsyncSession
    who: Principal
    at: datetime
    today: date
    _waiting: list[GoalTarget] = field(default_factory=list)

    async def make(
        self,
        goal: Goal,
        target: GoalTarget,
        *,
        aim: schemas.TargetChange | None = None,
        other: schemas.GoalUpdate | None = None,
        baseline: schemas.Baseline | None = None,
    ) -> GoalTarget:
        """Give the goal another target, or other terms, words or state: one version and at most one revision.

        Gives the terms that it has then; `write` stores them. What it has already is no change. An `aim` that is
        relative needs its `baseline`. Raises what the checks raise, and then nothing has changed.
        """
        aimed = None if aim is None else await self._aimed(goal, target, aim, baseline)
        columns = None if other is None else await self._checked(goal, target, other)
        if aimed is None and columns is None:
            return target
        goal.version += 1
        reason, revised = "", dict[str, Any]()
        if aim is not None and aimed is not None:
            reason, revised = aim.reason, target_columns(aimed)
            self._note("change_target", goal, aim.model_dump(mode="json"))
            told = {"reason": reason, "old": _figures(target), "new": _figures(aimed)}
            telling.publish(self.session, goal, "goal.target_changed", told, self.at)
        if other is not None and columns is not None:
            revised |= columns
            reason = reason or ("" if other.reason is MISSING else other.reason)
            self._reword(goal, other, columns)
        return self._revised(target, revised, reason) if revised else target

    async def write(self) -> None:
        """Store the changes: all that is superseded before its successors, as a goal has one present target."""
        await self.session.flush()
        if self._waiting:
            self.session.add_all(self._waiting)
            self._waiting.clear()
            await self.session.flush()

    async def _aimed(
        self, goal: Goal, old: GoalTarget, aim: schemas.TargetChange, baseline: schemas.Baseline | None
    ) -> schemas.Target | None:
        """The target that it gets; None where it is the one that it has."""
        await require(self.session, self.who, goal, "set_target", self.today)
        direction = cast("Direction", goal.direction)
        aimed = baselines.resolved(aim.target, baseline, direction)
        check_target(aimed, direction, "/target")
        return None if target_columns(aimed) == target_columns(schemas.Target.model_validate(old)) else aimed

    async def _checked(self, goal: Goal, target: GoalTarget, change: schemas.GoalUpdate) -> terms.Columns | None:
        """The terms that change; None where nothing changes. To ask for nothing is anybody's right."""
        state = goal.state if change.state is MISSING else change.state
        if is_worded := bool(change.model_fields_set - {"state"}):
            await require(self.session, self.who, goal, "edit", self.today)
        if state != goal.state:
            await require(self.session, self.who, goal, _ACTION_TO[state], self.today)
        elif not is_worded:
            return None
        columns = terms.changed_columns(change, target)
        if not columns and not _reworded(goal, change) and state == goal.state:
            return None
        if columns.keys() & _OF_OTHERS:
            await self.write()
        if columns:
            kpi = await making.kpi_of(self.session, self.who.org_id, goal.kpi_key)
            await terms.check(self.session, goal, kpi, columns)
        if change.yields is not MISSING and change.yields is not None:
            kpi = await making.kpi_of(self.session, self.who.org_id, goal.kpi_key)
            await require_yields(self.session, self.who.org_id, change.yields, kpi)
        return columns

    def _reword(self, goal: Goal, change: schemas.GoalUpdate, columns: terms.Columns) -> None:
        """Give the goal its words and state, and tell which of all are others."""
        changed = _reworded(goal, change)
        for name in changed:
            setattr(goal, name, getattr(change, name))
        changed += [name for name in terms.TERMS if name in columns]
        self._note("update", goal, change.model_dump(mode="json", exclude_unset=True))
        if change.state is not MISSING and change.state != goal.state:
            enter(goal, change.state, self.at)
            reason = "" if change.reason is MISSING else change.reason
            note(self.session, self.who, goal, _DECIDED[change.state], reason, self.at)
        if changed:
            telling.publish(self.session, goal, "goal.changed", {"changed": changed}, self.at)

    def _note(self, action: str, goal: Goal, told: dict[str, Any]) -> None:
        audit.record(self.session, self.who.org_id, self.who.label, action, "goal", goal.id, told)

    def _revised(self, old: GoalTarget, columns: terms.Columns, reason: str) -> GoalTarget:
        """The terms with these changed: a revision; what was recorded in the same transaction is amended."""
        if old.recorded_at == self.at:
            for name, value in (columns | {"reason": reason or old.reason}).items():
                setattr(old, name, value)
            return old
        kept = terms.present_columns(old) | target_columns(schemas.Target.model_validate(old))
        old.superseded_at = self.at
        new = GoalTarget(
            org_id=old.org_id,
            goal_id=old.goal_id,
            recorded_at=self.at,
            reason=reason,
            changed_by=self.who.label,
            **kept | columns,
        )
        self._waiting.append(new)
        return new


def _reworded(goal: Goal, change: schemas.GoalUpdate) -> list[str]:
    """Which words a request gives other values than they have."""
    given = {name: getattr(change, name) for name in ("name", "description", "yields")}
    return [name for name, value in given.items() if value is not MISSING and value != getattr(goal, name)]


def enter(goal: Goal, state: str, at: datetime) -> None:
    """Let a goal be open, or cancelled, since an instant."""
    goal.state = state
    if state == "open":
        goal.opened_at = at
    else:
        goal.cancelled_at = at


def target_columns(target: schemas.Target) -> terms.Columns:
    """A target by the names of its columns."""
    columns = {name: getattr(target, name) for name in ("value", "low", "high", "stretch")}
    return columns | {"baseline": None if target.baseline is None else target.baseline.model_dump(mode="json")}


def _figures(target: schemas.Target | GoalTarget) -> dict[str, str | None]:
    return {name: exact(getattr(target, name)) for name in ("value", "low", "high", "stretch")}
