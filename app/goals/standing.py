"""Where a goal stands at an instant: what was aimed at, what is due, what was achieved (S30–S34)."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import local_day
from app.calendars.service import calendar_settings
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.goals import pace, parts, progress_schemas, queries
from app.goals.aims import aim_of
from app.goals.asked import Asking, moment_of
from app.goals.expecting import MOST_SEASONS, Course, Linear, Seasonal
from app.goals.growing import only_grows
from app.goals.models import Goal, GoalTarget
from app.goals.schedule import Schedule
from app.goals.seasons import seasons_of
from app.goals.service import period_of
from app.goals.settings import settings_as_known
from app.goals.work import Schedules, schedules_of
from app.kpis.definition import Definition
from app.kpis.expressions.syntax import references
from app.kpis.questions import Answer, Cell
from app.kpis.service import load_kpis, load_kpis_with_references


class WorkingTime(NamedTuple):
    """What absences and ramps leave of a goal's target, and how its working days lie around a day."""

    kept: Fraction
    ramp: Fraction
    share: Fraction
    days_past: int
    days_total: int
    own_days_past: int
    own_days_left: int


@dataclass(frozen=True, kw_only=True)
class Due:
    """What is due by now: the share, what it follows, and how the working days lie."""

    share: Fraction
    follows: progress_schemas.Follows
    because: str | None
    seasons: list[str]
    course: Course | None
    """How the target becomes due; None: by working time, which is not looked at again for the standing alone."""
    time: WorkingTime


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A goal at an instant, as known then.

    `aim` is what was set, None before anything was; `effective` what absences and the ramp leave of it, None where
    nothing is. `cell` is the KPI over the period so far, or the sum of the parts.
    """

    asking: Asking
    answer: Answer
    today: date
    cell: Cell
    terms: GoalTarget | None = None
    aim: pace.Aim | None = None
    effective: pace.Aim | None = None
    due: Due | None = None
    thresholds: pace.Thresholds = pace.USUAL
    parts: "parts.Whole | None" = None

    @property
    def goal(self) -> Goal:
        """The goal."""
        return self.asking.goal

    @property
    def has_begun(self) -> bool:
        """Whether its period has begun."""
        return self.today >= self.goal.start_on

    @property
    def is_over(self) -> bool:
        """Whether its period has ended."""
        return self.today >= self.goal.end_on

    @property
    def last_known(self) -> date:
        """The day after the last of the period that has begun; the period's start before it has."""
        following = date.fromordinal(self.today.toordinal() + 1)
        return max(self.goal.start_on, min(self.goal.end_on, following))

    @property
    def stretch(self) -> Decimal | None:
        """What absences and the ramp leave of the stretch target."""
        if self.terms is None or self.terms.stretch is None or self.effective is None or self.due is None:
            return None
        kept = self.due.time.kept if self.effective.is_built_up else Fraction(1)
        return self.terms.stretch if kept == 1 else pace.part_of(self.terms.stretch, kept)

    @property
    def schedules(self) -> Schedules:
        """The working time of owners as known then."""
        return schedules_of(self.asking.session, self.goal.org_id, self.answer.known_at)

    async def schedule(self) -> Schedule:
        """The working time of the goal's owner."""
        return await self.schedules.of(self.goal, self.terms.ramp_id if self.terms else None)

    async def course(self) -> Course:
        """How the target becomes due."""
        return (self.due.course if self.due else None) or await self.schedule()


async def stand(session: AsyncSession, goal: Goal, target: GoalTarget | None, answer: Answer) -> Standing:
    """Where the goal stands by an answer to its question, whose only series is the goal's own.

    `target` are its terms as known by the answer, where the caller has them. Nothing more is asked of the ledger but
    for the sum of parts, and for the course of earlier periods.
    """
    org_id, known_at = goal.org_id, answer.known_at
    if target is None:
        found = await session.execute(queries.target_as_known(org_id, goal.id, known_at))
        target = found.scalar_one_or_none()
    settings = await calendar_settings(session, org_id, known_at)
    asking = Asking(session, goal, await moment_of(session, org_id, answer))
    standing = Standing(
        asking=asking,
        answer=answer,
        today=local_day(answer.as_of, settings.zone),
        cell=answer.series[0].total,
        terms=target,
        thresholds=await _thresholds(session, org_id, known_at),
    )
    aim = None if target is None else await _aim(session, goal, target, answer)
    if target is None or aim is None:
        return standing
    if target.counts == "parts" and aim.is_additive:
        whole = await parts.whole_of(asking, standing.schedules, known_at, standing.last_known)
        standing = replace(standing, cell=whole.cell, parts=whole)
    due = await _due(standing, target, aim)
    return replace(standing, aim=aim, effective=aim.prorated(due.time.kept), due=due)


async def _thresholds(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> pace.Thresholds:
    settings = await settings_as_known(session, org_id, known_at)
    return pace.Thresholds(settings.behind_below, settings.ahead_above, settings.too_early_before)


async def _aim(session: AsyncSession, goal: Goal, target: GoalTarget, answer: Answer) -> pace.Aim | None:
    """The target, with what the KPI's definition says of how its values come about; None before the KPI was known."""
    history = (await load_kpis(session, goal.org_id, [goal.kpi_key], answer.known_at))[goal.kpi_key]
    if not history.versions:
        return None
    version = history.version_on(goal.last_day)
    is_additive = answer.kpis[goal.kpi_key].is_additive
    return aim_of(
        cast("pace.Direction", goal.direction),
        target,
        is_additive=is_additive,
        is_counted=is_additive and version.unit["kind"] == "count",
        only_grows=is_additive and await _only_grows(session, goal, version.definition, answer.known_at),
    )


async def _only_grows(session: AsyncSession, goal: Goal, definition: Definition, known_at: datetime) -> bool:
    """Whether time only adds to the KPI, and to those that it is computed from: a difference could fall again (S34)."""
    named = references(definition.formula)
    histories = await load_kpis_with_references(session, goal.org_id, named, known_at) if named else {}

    def kpi_grows(key: str) -> bool:
        return all(only_grows(version.definition.formula, kpi_grows) for version in histories[key].versions)

    return only_grows(definition.formula, kpi_grows)


async def _due(standing: Standing, target: GoalTarget, aim: pace.Aim) -> Due:
    goal, known_at, today = standing.goal, standing.answer.known_at, standing.today
    session = standing.asking.session
    load = partial(_working_time, standing, target.ramp_id)
    key = ("working time", goal.id, target.ramp_id, today)
    time = await remembered(session, goal.org_id, known_at, key, load)
    course: Course | None = None
    follows: progress_schemas.Follows = "working_time"
    because, labels = None, list[str]()
    if target.expected == "linear":
        course, follows = Linear(period_of(goal)), "linear"
    elif target.expected in {"seasonal", "auto"}:
        course, labels, because = await _seasonal(standing, aim, is_auto=target.expected == "auto")
        follows = "seasonal" if course else "working_time"
    share = time.share if course is None else course.share_before(today)
    return Due(share=share, follows=follows, because=because, seasons=labels, course=course, time=time)


async def _seasonal(standing: Standing, aim: pace.Aim, *, is_auto: bool) -> tuple[Course | None, list[str], str | None]:
    """The mean course of earlier periods, with their labels; else why there is none."""
    if not aim.is_built_up:
        return None, [], "The KPI does not add up over its period: the whole target is expected all the time."
    session, goal = standing.asking.session, standing.goal
    settings = await calendar_settings(session, goal.org_id, standing.answer.known_at)
    found = await seasons_of(standing.asking, standing.schedules, settings)
    if not found or (is_auto and len(found) < MOST_SEASONS):
        wanted = MOST_SEASONS if is_auto else 1
        return None, [], f"Earlier periods with data: {len(found)}; needed: {wanted}."
    course = Seasonal(await standing.schedule(), tuple(season for _, season in found))
    return course, [label for label, _ in found], None


async def _working_time(standing: Standing, ramp_id: UUID | None) -> WorkingTime:
    goal, today, schedules = standing.goal, standing.today, standing.schedules
    period, schedule = period_of(goal), await schedules.of(goal, ramp_id)
    calendar = (await schedules.calendars()).default
    past = period.until(today)
    return WorkingTime(
        kept=await schedules.kept(goal, ramp_id),
        ramp=schedule.ramp,
        share=schedule.share_before(today),
        days_past=calendar.working_days(past),
        days_total=calendar.working_days(period),
        own_days_past=schedule.working_days(past),
        own_days_left=schedule.working_days(replace(period, start=past.end)),
    )
