"""What was decided of a goal beside its target: weight, parent, what counts, what is expected, ramp, milestones.

Each set of terms is a revision; a change supersedes the present one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from pydantic import MISSING
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.core.problems import ValidationFailed
from app.goals import queries, schemas
from app.goals.models import Goal, GoalTarget
from app.kpis.schemas import Kpi

Columns = dict[str, Any]
"""Terms by the names of their columns."""

TERMS: Sequence[str] = ("weight", "parent_id", "counts", "expected", "ramp_id", "milestones")
"""The terms, by the names that they have in requests and as columns."""


def columns_of(terms: schemas.TermsInput) -> Columns:
    """The terms of a new goal."""
    given = {name: getattr(terms, name) for name in TERMS}
    return given | {"milestones": _stored(terms.milestones)}


def present_columns(target: GoalTarget) -> Columns:
    """The terms as they stand."""
    return {name: getattr(target, name) for name in TERMS}


def changed_columns(change: schemas.GoalUpdate, target: GoalTarget) -> Columns:
    """The terms that a request gives other values than they have."""
    given = {name: getattr(change, name) for name in TERMS}
    if change.milestones is not MISSING:
        given["milestones"] = _stored(change.milestones)
    return {name: value for name, value in given.items() if value is not MISSING and value != getattr(target, name)}


async def check(session: AsyncSession, goal: Goal, kpi: Kpi, terms: Columns) -> None:
    """See that these terms go together with the goal; those that do not change are left out.

    A new goal has no id yet. Raises `ValidationFailed` at the term that does not fit.
    """
    _check_milestones(terms.get("milestones", ()), goal)
    if (ramp_id := terms.get("ramp_id")) is not None:
        await _check_ramp(session, goal, kpi, ramp_id)
    if terms.get("counts") == "parts":
        await _check_parts(session, goal, kpi)
    if (parent_id := terms.get("parent_id")) is not None:
        await _check_parent(session, goal, parent_id)


def _stored(milestones: Sequence[schemas.MilestoneInput]) -> list[dict[str, Any]]:
    return [
        each.model_dump(mode="json") | {"key": each.key or f"m{number}"} for number, each in enumerate(milestones, 1)
    ]


def _check_milestones(milestones: Sequence[Mapping[str, Any]], goal: Goal) -> None:
    if milestones and goal.direction == "maintain":
        message = "A band is kept or not: there is nothing on the way to it."
        raise ValidationFailed.at("/milestones", message, "milestones_of_band")
    keys = [each["key"] for each in milestones]
    for place, each in enumerate(milestones):
        if each["key"] in keys[:place]:
            message = f"Another milestone has the key {each['key']} already."
            raise ValidationFailed.at(f"/milestones/{place}/key", message, "milestone_key_taken")
        due_on = each["due_on"]
        if due_on is not None and not goal.start_on.isoformat() <= due_on < goal.end_on.isoformat():
            message = f"{due_on} is outside of the goal's period, {goal.start_on} to {goal.last_day}."
            raise ValidationFailed.at(f"/milestones/{place}/due_on", message, "milestone_outside_period")


async def _check_ramp(session: AsyncSession, goal: Goal, kpi: Kpi, ramp_id: UUID) -> None:
    """Months since joining are a member's: a ramp grows what they add to a count or sum, their own or their team's."""
    ramp = (await session.execute(queries.ramp(goal.org_id, ramp_id))).scalar_one_or_none()
    if ramp is None:
        raise ValidationFailed.at("/ramp_id", f"There is no ramp {ramp_id}.", "ramp_unknown")
    if ramp.archived_at is not None:
        raise ValidationFailed.at("/ramp_id", f"The ramp {ramp.name!r} is archived.", "ramp_archived")
    if goal.team_id is None and goal.member_id is None:
        raise ValidationFailed.at(
            "/ramp_id", "The organization joined nothing: ramps are for members and teams.", "ramp_owner"
        )
    if not kpi.is_additive or goal.direction == "maintain":
        message = f"Only targets of counts and sums grow by a ramp; {kpi.key} is an average, a ratio or has a band."
        raise ValidationFailed.at("/ramp_id", message, "ramp_not_additive")


async def _check_parts(session: AsyncSession, goal: Goal, kpi: Kpi) -> None:
    if not kpi.is_additive:
        message = f"Values of {kpi.key} do not add up: a whole is no sum of its parts. Write own."
        raise ValidationFailed.at("/counts", message, "counts_not_additive")
    if goal.id is None:
        return
    for part, _ in (await session.execute(queries.parts(goal.org_id, goal.id))).all():
        if difference := _difference(goal, part):
            message = f"The part {part.name!r} ({part.id}) has another {difference}, so the parts cannot be added up."
            raise ValidationFailed.at("/counts", message, "parts_differ")


async def _check_parent(session: AsyncSession, goal: Goal, parent_id: UUID) -> None:
    row = (await session.execute(queries.goal(goal.org_id, parent_id))).one_or_none()
    if row is None:
        raise ValidationFailed.at("/parent_id", f"There is no goal {parent_id}.", "parent_unknown")
    parent, terms = cast("tuple[Goal, GoalTarget]", row)
    if (
        problem := _misfit(goal, parent, terms)
        or await _circle(session, goal, parent)
        or await _place(session, goal, parent)
    ):
        code, message = problem
        raise ValidationFailed.at("/parent_id", message, code)


def _misfit(goal: Goal, parent: Goal, terms: GoalTarget) -> tuple[str, str] | None:
    """What is wrong with a parent as far as the two goals tell by themselves."""
    if parent.id == goal.id:
        return "parent_itself", "A goal is no part of itself."
    if parent.state in {"closed", "cancelled"}:
        return "parent_ended", f"The goal {parent.name!r} is {parent.state}."
    if not (parent.start_on <= goal.start_on and goal.end_on <= parent.end_on):
        message = f"The goal's days, {goal.start_on} to {goal.last_day}, are not all within those of {parent.name!r}, "
        return "parent_period", f"{message}{parent.start_on} to {parent.last_day}."
    if terms.counts == "parts" and (difference := _difference(goal, parent)):
        return "parent_differs", f"{parent.name!r} is the sum of its parts, and this goal has another {difference}."
    return None


def _difference(one: Goal, other: Goal) -> str | None:
    """In what two goals differ whose values are to be added up."""
    if one.kpi_key != other.kpi_key:
        return "KPI"
    return "currency" if one.currency != other.currency else None


async def _circle(session: AsyncSession, goal: Goal, parent: Goal) -> tuple[str, str] | None:
    if goal.id is None or not (await session.execute(queries.is_above(goal.org_id, goal.id, parent.id))).scalar_one():
        return None
    return "parent_circular", f"{parent.name!r} is a part of this goal, or of one of its parts: that is a circle."


async def _place(session: AsyncSession, goal: Goal, parent: Goal) -> tuple[str, str] | None:
    """Whether the parent's owner is the goal's own or above it on some day of the goal's period."""
    if await _is_owner_below(session, goal, parent):
        return None
    kind = "team" if parent.team_id is not None else "member"
    above = f"the {kind} {parent.team_id or parent.member_id}"
    message = f"{parent.name!r} is a goal of {above}, to whom this goal's owner belongs on none of its days."
    return "parent_owner", message


async def _is_owner_below(session: AsyncSession, goal: Goal, parent: Goal) -> bool:
    if parent.team_id is None:
        return parent.member_id in {None, goal.member_id}
    period = DayRange(goal.start_on, goal.end_on)
    if goal.team_id is not None:
        question = queries.is_team_below(goal.org_id, goal.team_id, parent.team_id, period)
    elif goal.member_id is not None:
        question = queries.is_member_below(goal.org_id, goal.member_id, parent.team_id, period)
    else:
        return False
    return bool((await session.execute(question)).scalar_one())
