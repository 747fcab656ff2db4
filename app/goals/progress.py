"""How a goal stands: computed from the ledger each time it is asked; frozen once, when the goal is closed (S30–S34)."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import local_day
from app.calendars.service import calendar_settings
from app.core import audit, clock, etags, outbox
from app.core.configuration import remembered
from app.core.snapshots import Snapshots
from app.events.retention import was_archived_since
from app.goals import pace, queries, schemas
from app.goals.frozen import Content, digest_of, jsonable, present
from app.goals.lifecycle import Stored, state_on
from app.goals.models import Goal, GoalTarget
from app.goals.service import aim_of, find_goal, period_of, require, shown, today_of
from app.goals.targets import target_values
from app.goals.work import schedules_of
from app.kpis.attribution import Subject
from app.kpis.definition import Definition
from app.kpis.engine import compute
from app.kpis.expressions.syntax import Name
from app.kpis.questions import Answer, Cell, Query
from app.kpis.service import load_kpis


async def get_progress(snapshots: Snapshots, goal_id: UUID, as_of: datetime | None) -> schemas.Progress:
    """How the goal stands now or stood as of an instant; a closed one, unless asked so, as it was frozen."""
    async with snapshots.at(as_of) as session:
        load = partial(find_goal, session, snapshots.org_id, goal_id)
        known_at = await clock.last_recorded(session, snapshots.org_id)
        goal, target = await remembered(session, snapshots.org_id, known_at, ("goal", goal_id), load)
        if as_of is not None:
            return await _computed(session, goal, as_of)
        return (
            await _frozen(session, goal) if goal.closing is not None else await _computed(session, goal, None, target)
        )


async def close_goal(
    session: AsyncSession, snapshots: Snapshots, who: Principal, goal_id: UUID, if_match: str | None
) -> schemas.Goal:
    """Close a goal after its period and freeze how it stands, with the digest.

    Figures that change afterwards restate it, but do not change it (S6, S34). Raises `GoalActionNotPossible`.
    """
    # Before the clock is locked here, since settling the present instant locks it in a transaction of its own.
    now = await present(snapshots)
    async with snapshots.at(now) as reading:
        goal, _ = await find_goal(reading, who.org_id, goal_id)
        require(goal, "close", await today_of(reading, who.org_id))
        standing = await _computed(reading, goal, now)
    at = await clock.tick(session, who.org_id)
    goal, target = await find_goal(session, who.org_id, goal_id)
    today = await today_of(session, who.org_id)
    etags.check(if_match, goal.version)
    require(goal, "close", today)
    content = _content(standing, at)
    goal.state, goal.closing, goal.closing_digest = "closed", content, digest_of(content)
    goal.version += 1
    audit.record(session, who.org_id, who.label, "close", "goal", goal_id, {"digest": goal.closing_digest})
    outbox.publish(session, who.org_id, "goal.closed", {"goal_id": str(goal_id), "verdict": standing.verdict})
    return shown(goal, target, today)


async def _computed(
    session: AsyncSession, goal: Goal, as_of: datetime | None, target: GoalTarget | None = None
) -> schemas.Progress:
    """The goal's figures at T, by what was known of events, target, calendars and members (S5).

    `target` is the present one, where the question is of the present.
    """
    answer = await compute(session, goal.org_id, _question(goal, as_of), targets=target_values)
    if target is None:
        found = await session.execute(queries.target_as_known(goal.org_id, goal.id, answer.known_at))
        target = found.scalar_one_or_none()
    today = local_day(answer.as_of, (await calendar_settings(session, goal.org_id, answer.known_at)).zone)
    aim = None if target is None else await _aim(session, goal, target, answer)
    return _told(goal, answer, target, today, await _standing(session, goal, answer, aim, today))


def _question(goal: Goal, as_of: datetime | None, known_at: datetime | None = None) -> Query:
    subject = Subject("organization")
    if goal.team_id is not None:
        subject = Subject("team", goal.team_id)
    elif goal.member_id is not None:
        subject = Subject("member", goal.member_id)
    period = period_of(goal)
    return Query(
        kpis=[goal.kpi_key],
        subjects=[subject],
        # Days, where the organization's settings decide what the words mean: the goal keeps its days.
        period=f"{period.start}..{goal.last_day}" if period.is_fiscal else period.label,
        currency=goal.currency,
        as_of=as_of,
        known_at=known_at,
    )


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
        only_grows=is_additive and _is_one_measure(version.definition),
    )


def _is_one_measure(definition: Definition) -> bool:
    """Whether the KPI is a count or sum itself: a difference of two could fall again (S34)."""
    return isinstance(definition.formula, Name)


async def _standing(
    session: AsyncSession, goal: Goal, answer: Answer, aim: pace.Aim | None, today: date
) -> dict[str, object]:
    if aim is None:
        return {}
    load = partial(_working_time, session, goal, answer.known_at, today)
    time = await remembered(session, goal.org_id, answer.known_at, ("working time", goal.id, today), load)
    effective, share, actual = aim.prorated(time.kept), time.share, _total(answer).value
    expected = schemas.Expected(
        share=_decimal(share),
        value=Decimal(0) if effective is None else pace.expected_value(effective, share),
        working_days_past=time.days_past,
        working_days_total=time.days_total,
    )
    standing: dict[str, object] = {"expected": expected}
    if effective != aim:
        standing["effective_target"] = Decimal(0) if effective is None else effective.target
    if effective is not None and actual is not None:
        standing |= _judged(actual, effective, share, is_over=today >= goal.end_on)
    return standing


class _WorkingTime(NamedTuple):
    """What absences leave of a goal's target, and how much of its working time lies before a day."""

    kept: Fraction
    share: Fraction
    days_past: int
    days_total: int


async def _working_time(session: AsyncSession, goal: Goal, known_at: datetime, today: date) -> _WorkingTime:
    schedules, period = schedules_of(session, goal.org_id, known_at), period_of(goal)
    kept, share = await schedules.kept(goal), (await schedules.of(goal)).share_before(today)
    calendar = (await schedules.calendars()).default
    return _WorkingTime(kept, share, calendar.working_days(period.until(today)), calendar.working_days(period))


def _judged(actual: Decimal, aim: pace.Aim, share: Fraction, *, is_over: bool) -> dict[str, object]:
    return {
        "attainment": pace.attainment(actual, aim),
        "pace": pace.pace(actual, aim, share),
        "pace_verdict": pace.pace_verdict(actual, aim, share),
        "verdict": pace.verdict(actual, aim, is_over=is_over),
    }


def _told(
    goal: Goal, answer: Answer, target: GoalTarget | None, today: date, standing: dict[str, object]
) -> schemas.Progress:
    cell = _total(answer)
    return schemas.Progress.model_validate(
        {
            "goal_id": goal.id,
            "state": state_on(cast("Stored", goal.state), period_of(goal), today),
            "as_of": answer.as_of,
            "known_at": answer.known_at,
            "kpi": goal.kpi_key,
            "direction": goal.direction,
            "unit": answer.kpis[goal.kpi_key].unit,
            "currency": goal.currency,
            "target": None if target is None else schemas.Target.model_validate(target),
            "actual": cell.value,
            "status": cell.status,
            "sample": cell.sample,
            "kpi_version": cell.kpi_version,
        }
        | standing
    )


async def _frozen(session: AsyncSession, goal: Goal) -> schemas.Progress:
    """The figures of the closing, and whether present knowledge gives another actual value of the same instant (S6)."""
    progress = schemas.Progress.model_validate({**(goal.closing or {}), "digest": goal.closing_digest})
    known_at = await clock.last_recorded(session, goal.org_id)
    answer = await compute(session, goal.org_id, _question(goal, progress.as_of, known_at), targets=target_values)
    present = _total(answer)
    progress.state = "closed"
    is_other = (jsonable(present.value), present.status) != (jsonable(progress.actual), progress.status)
    has_lost = is_other and await _has_lost_events(session, goal, progress.as_of, answer)
    progress.restated_since = None if has_lost else is_other
    return progress


async def _has_lost_events(session: AsyncSession, goal: Goal, since: datetime, answer: Answer) -> bool:
    """Whether events that the frozen figures came from were archived or dropped since: nothing can be compared then."""
    looks_at_gone = _total(answer).status == "not_retained" or answer.kpis[goal.kpi_key].looks_back
    return looks_at_gone and await was_archived_since(session, goal.org_id, since)


def _content(progress: schemas.Progress, at: datetime) -> Content:
    progress.frozen_at = at
    return {key: jsonable(value) for key, value in progress if key not in {"digest", "restated_since", "state"}}


def _total(answer: Answer) -> Cell:
    return answer.series[0].total


def _decimal(share: Fraction) -> Decimal:
    return Decimal(share.numerator) / Decimal(share.denominator)
