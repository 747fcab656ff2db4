"""The places on the way to a target, and when the KPI was first there (design section 7).

Reached is what the KPI's values by present knowledge reach: a retraction may undo it. Milestones of a limit ask whether
the KPI is still below them on the day they are due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.calendars.periods import first_instant
from app.calendars.service import calendar_settings
from app.goals import pace, progress_schemas, reaching
from app.goals.curves import BurnUp
from app.goals.progress_schemas import MilestoneStanding, MilestoneStatus
from app.goals.standing import Standing
from app.kpis.formulas import FORMULA

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Milestone:
    """A place on the way, by the value of the KPI that it is."""

    key: str
    name: str
    value: Decimal
    share: Decimal | None
    due_on: date | None


def milestones_of(told: Sequence[Mapping[str, Any]], target: Decimal) -> list[Milestone]:
    """The milestones as stored; shares are of the effective target."""
    return [_milestone(each, target) for each in told]


def _milestone(told: Mapping[str, Any], target: Decimal) -> Milestone:
    share = None if told["share"] is None else Decimal(str(told["share"]))
    value = Decimal(str(told["value"])) if share is None else FORMULA.multiply(target, share)
    due_on = date.fromisoformat(told["due_on"]) if told["due_on"] else None
    return Milestone(told["key"], told["name"], value, share, due_on)


def status_of(*, is_reached: bool, due_on: date | None, today: date, is_over: bool) -> MilestoneStatus:
    """Of a place to reach: where it stands on a day."""
    if is_reached:
        return "reached"
    if is_over:
        return "missed"
    return "overdue" if due_on is not None and due_on < today else "open"


async def standings_of(standing: Standing, burnt: BurnUp) -> list[MilestoneStanding]:
    """Where each milestone stands; none where nothing is left of the target, or nothing was aimed at."""
    aim = standing.effective
    if aim is None or standing.terms is None or not standing.terms.milestones or aim.direction == "maintain":
        return []
    milestones = milestones_of(standing.terms.milestones, aim.target)
    if aim.direction == "decrease" and aim.is_built_up:
        return [_limited(standing, burnt, each) for each in milestones]
    found = {each.key: _first(standing, burnt, each.value, aim) for each in milestones}
    exact = await reaching.instants(standing, {each.value for each in milestones if found[each.key] is not None})
    zone = (await calendar_settings(standing.asking.session, standing.goal.org_id, standing.answer.known_at)).zone
    shown = []
    for each in milestones:
        end = found[each.key]
        at = None
        precision: progress_schemas.Precision | None = None
        if each.value in exact:
            at, precision = exact[each.value], "instant"
        elif end is not None:
            at, precision = min(first_instant(end, zone), standing.answer.as_of), burnt.grain
        shown.append(
            _shown(
                standing, each, at, precision, None if each.due_on is None else first_instant(each.due_on + _DAY, zone)
            )
        )
    return shown


def _first(standing: Standing, burnt: BurnUp, value: Decimal, aim: pace.Aim) -> date | None:
    """The end of the first step at which the KPI was as good as a value; the last is what the standing says."""
    for step in burnt.steps:
        if step.value is not None and pace.is_reached(step.value, value, aim.direction):
            return step.end
    actual = standing.cell.value
    if actual is not None and pace.is_reached(actual, value, aim.direction):
        return standing.last_known
    return None


def _shown(
    standing: Standing,
    milestone: Milestone,
    at: datetime | None,
    precision: progress_schemas.Precision | None,
    due: datetime | None,
) -> MilestoneStanding:
    is_known = standing.cell.value is not None or at is not None or standing.cell.status == "no_data"
    status = status_of(
        is_reached=at is not None, due_on=milestone.due_on, today=standing.today, is_over=standing.is_over
    )
    is_in_time = None if at is None or due is None else at <= due
    return _told(milestone, status if is_known else None, reached_at=at, precision=precision, is_in_time=is_in_time)


def _limited(standing: Standing, burnt: BurnUp, milestone: Milestone) -> MilestoneStanding:
    """Of a limit: whether the KPI is not above the place by the end of the day that it is for."""
    day = milestone.due_on or standing.goal.last_day
    is_due = standing.today > day
    value = burnt.before(day + _DAY) if is_due else standing.cell.value
    status: MilestoneStatus | None = None
    if value is not None:
        is_kept = value <= milestone.value
        is_lost = not is_kept and (is_due or (standing.aim is not None and standing.aim.only_grows))
        status = "missed" if is_lost else "reached" if is_due else "open"
    return _told(milestone, status)


def _told(
    milestone: Milestone,
    status: MilestoneStatus | None,
    *,
    reached_at: datetime | None = None,
    precision: progress_schemas.Precision | None = None,
    is_in_time: bool | None = None,
) -> MilestoneStanding:
    return MilestoneStanding(
        key=milestone.key,
        name=milestone.name,
        value=milestone.value,
        share=milestone.share,
        due_on=milestone.due_on,
        status=status,
        reached_at=reached_at,
        precision=precision,
        is_in_time=is_in_time,
    )
