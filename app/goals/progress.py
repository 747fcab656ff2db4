"""How a goal stands: computed from the ledger each time it is asked; frozen once, when the goal is closed (S30–S34)."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import audit, clock, etags
from app.core.configuration import remembered
from app.core.snapshots import Snapshots
from app.events.retention import was_archived_since
from app.goals import needing, pace, schemas, service
from app.goals.as_known import state_then
from app.goals.asked import question_of
from app.goals.contributions import contributions_of
from app.goals.curves import burn_up, curve_of
from app.goals.deciding import require, rights_of
from app.goals.forecasting.schemas import Forecast
from app.goals.forecasting.service import Wanted, forecast_of
from app.goals.frozen import Content, digest_of, jsonable, present
from app.goals.lifecycle import State
from app.goals.milestones import standings_of
from app.goals.models import Goal, GoalTarget
from app.goals.parts import Share
from app.goals.parts_to_come import forecast_of_parts
from app.goals.pipeline import pipeline_of
from app.goals.progress_notes import all_notes
from app.goals.progress_schemas import (
    EVERYTHING,
    STANDING_ALONE,
    Expected,
    Include,
    NamedOwner,
    Needed,
    PaceThresholds,
    Part,
    Parts,
    Progress,
    ProgressNote,
    StretchStanding,
)
from app.goals.service import find_goal, period_of, shown, today_of
from app.goals.standing import Due, Standing, stand
from app.goals.targets import target_values
from app.goals.telling import tell_closed
from app.goals.work import owner_of
from app.kpis.engine import compute
from app.kpis.formulas import FORMULA
from app.kpis.questions import Answer, Query

__all__ = [
    "close_goal",
    "complete",
    "freeze",
    "frozen",
    "get_progress",
    "judged",
    "question_of",
    "question_of_closed",
    "standing_of",
]

_FACE = {"name", "owner", "period", "start", "end"}
_NOT_FROZEN = {"digest", "restated_since", "difference", "state", "forecast", *_FACE}
_OF_RESULTS = frozenset({"contributions", "pipeline"})
"""What tells of single people and deals, as results do: only keys that may read these see it."""


async def get_progress(
    snapshots: Snapshots, who: Principal, goal_id: UUID, as_of: datetime | None, asked: Collection[Include] = EVERYTHING
) -> Progress:
    """How the goal stands now or stood as of an instant; a closed one, unless asked so, as it was frozen."""
    include = set(asked) - (set() if Permission.RESULTS_READ in who.permissions else _OF_RESULTS)
    async with snapshots.at(as_of) as session:
        load = partial(find_goal, session, snapshots.org_id, goal_id)
        known_at = await clock.last_recorded(session, snapshots.org_id)
        goal, target = await remembered(session, snapshots.org_id, known_at, ("goal", goal_id), load)
        if as_of is not None:
            return await complete(session, goal, as_of, include)
        if goal.closing is not None:
            answer = await compute(session, goal.org_id, question_of_closed(goal, known_at), targets=target_values)
            return await frozen(session, goal, target, answer, include)
        return await complete(session, goal, None, include, target)


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
        await require(reading, who, goal, "close", await today_of(reading, who.org_id))
        standing = await complete(reading, goal, now)
    at = await clock.tick(session, who.org_id)
    goal, target = await find_goal(session, who.org_id, goal_id)
    today = await today_of(session, who.org_id)
    etags.check(if_match, goal.version)
    await require(session, who, goal, "close", today)
    await freeze(session, goal, standing, at, who.label)
    return shown(goal, target, today, await rights_of(session, who))


async def freeze(session: AsyncSession, goal: Goal, standing: Progress, at: datetime, by: str) -> None:
    """Close the goal with these figures and their digest, recorded at the instant of this transaction, and tell it."""
    content = _content(standing, at)
    goal.state, goal.closing, goal.closing_digest = "closed", content, digest_of(content)
    goal.version += 1
    audit.record(session, goal.org_id, by, "close", "goal", goal.id, {"digest": goal.closing_digest})
    await tell_closed(session, goal, standing)


async def standing_of(
    session: AsyncSession, goal: Goal, as_of: datetime | None, target: GoalTarget | None = None
) -> Progress:
    """The goal's figures at T, by what was known of events, target, calendars and members (S5); the standing alone.

    `target` is the present one, where the question is of the present.
    """
    return await complete(session, goal, as_of, STANDING_ALONE, target)


async def complete(
    session: AsyncSession,
    goal: Goal,
    as_of: datetime | None,
    include: Collection[Include] = EVERYTHING,
    target: GoalTarget | None = None,
) -> Progress:
    """The same with what is asked for beside it."""
    answer = await compute(session, goal.org_id, question_of(goal, as_of), targets=target_values)
    standing = await stand(session, goal, target, answer)
    return Progress.model_validate(await _told(standing) | await _beside(standing, include))


async def judged(session: AsyncSession, goal: Goal, target: GoalTarget | None, answer: Answer) -> Progress:
    """How the goal stands by an answer to its question, whose only series is the goal's own."""
    return Progress.model_validate(await _told(await stand(session, goal, target, answer)))


async def _told(standing: Standing) -> dict[str, Any]:
    goal, answer, cell, terms = standing.goal, standing.answer, standing.cell, standing.terms
    told: dict[str, Any] = {
        "goal_id": goal.id,
        **_face(goal, answer),
        "state": None if terms is None else await _state(standing),
        "as_of": answer.as_of,
        "known_at": answer.known_at,
        "kpi": goal.kpi_key,
        "direction": goal.direction,
        "unit": answer.kpis[goal.kpi_key].unit,
        "currency": goal.currency,
        "counts": "own" if standing.parts is None else "parts",
        "target": None if terms is None else schemas.Target.model_validate(terms),
        "terms": None if terms is None else service.told_terms(terms),
        "actual": cell.value,
        "status": cell.status,
        "sample": cell.sample,
        "kpi_version": cell.kpi_version,
    }
    if standing.due is not None and standing.aim is not None:
        told |= _aimed(standing, standing.due, standing.aim)
    return told


async def _state(standing: Standing) -> State:
    asking = standing.asking
    return await state_then(asking.session, standing.goal, standing.today, asking.moment.known_at)


def _face(goal: Goal, answer: Answer) -> dict[str, Any]:
    """What a reader knows the goal by."""
    owner = service.owner_of(goal)
    named = NamedOwner(type=owner.type, id=owner.id, name=answer.names.get(owner_of(goal)))
    return {"name": goal.name, "owner": named, "period": goal.period, "start": goal.start_on, "end": goal.end_on}


def _aimed(standing: Standing, due: Due, aim: pace.Aim) -> dict[str, Any]:
    """What was aimed at, what is due of it, and what is left."""
    effective, thresholds = standing.effective, standing.thresholds
    left = needing.needed(
        standing.cell.value,
        effective,
        days_past=due.time.own_days_past,
        days_left=due.time.own_days_left,
        is_over=standing.is_over,
    )
    told: dict[str, Any] = {
        "expected": _expected(due, effective),
        "thresholds": PaceThresholds.model_validate(thresholds),
        "needed": Needed(
            remaining=left.remaining,
            working_days_left=due.time.own_days_left,
            per_working_day=left.per_working_day,
            achieved_per_working_day=left.achieved_per_working_day,
            because=left.because,
        ),
        "stretch": _stretch(standing),
        "parts": _parts(standing),
    }
    if standing.terms is not None and standing.terms.ramp_id is not None:
        told["ramp_share"] = _decimal(due.time.ramp)
    if effective != aim:
        told["effective_target"] = Decimal(0) if effective is None else effective.target
    if effective is not None and standing.cell.value is not None:
        told |= _judged(standing, standing.cell.value, effective, due.share)
    return told


def _expected(due: Due, effective: pace.Aim | None) -> Expected:
    return Expected(
        share=_decimal(due.share),
        value=Decimal(0) if effective is None else pace.expected_value(effective, due.share),
        working_days_past=due.time.days_past,
        working_days_total=due.time.days_total,
        follows=due.follows,
        because=due.because,
        seasons=due.seasons,
    )


def _judged(standing: Standing, actual: Decimal, aim: pace.Aim, share: Fraction) -> dict[str, Any]:
    return {
        "attainment": pace.attainment(actual, aim),
        "change_attainment": _change(actual, standing.terms),
        "pace": pace.pace(actual, aim, share),
        "pace_verdict": pace.pace_verdict(actual, aim, share, standing.thresholds),
        # Nothing is on course before the period has begun, a limit neither (S34).
        "verdict": pace.verdict(actual, aim, is_over=standing.is_over) if standing.has_begun else None,
    }


def _change(actual: Decimal, terms: GoalTarget | None) -> Decimal | None:
    if terms is None or terms.baseline is None or terms.value is None:
        return None
    return pace.change_attainment(actual, Decimal(str(terms.baseline["value"])), terms.value)


def _stretch(standing: Standing) -> StretchStanding | None:
    target, actual, aim = standing.stretch, standing.cell.value, standing.effective
    if target is None or aim is None or standing.terms is None or standing.terms.stretch is None:
        return None
    return StretchStanding(
        value=standing.terms.stretch,
        effective=target,
        attainment=None if actual is None else pace.ratio_to(actual, target, aim),
        is_reached=None if actual is None else pace.is_reached(actual, target, aim.direction),
    )


def _parts(standing: Standing) -> Parts | None:
    whole = standing.parts
    if whole is None:
        return None
    aimed = standing.aim.target if standing.aim is not None else None
    return Parts(
        actual=whole.cell.value,
        target=whole.target,
        covers=FORMULA.divide(whole.target, aimed) if aimed else None,
        rows=[_part(share, cell.value) for share, cell in zip(whole.shares, whole.cells, strict=True)],
    )


def _part(share: Share, actual: Decimal | None) -> Part:
    return Part(
        goal_id=share.goal.id,
        name=share.goal.name,
        actual=actual,
        target=share.target,
        share=_decimal(share.time),
        target_counted=share.target_counted,
        counted_in=list(share.counted_in),
    )


async def _beside(standing: Standing, include: Collection[Include]) -> dict[str, Any]:
    """What was asked for beside the standing; before anything was aimed at, notes alone."""
    told: dict[str, Any] = {}
    if standing.aim is not None:
        has_milestones = standing.terms is not None and bool(standing.terms.milestones)
        is_followed = "curve" in include or ("milestones" in include and has_milestones)
        burnt = await burn_up(standing) if is_followed else None
        if burnt is not None and "curve" in include:
            told["curve"] = await curve_of(standing, burnt)
        if "milestones" in include:
            told["milestones"] = [] if burnt is None else await standings_of(standing, burnt)
        if "forecast" in include:
            told["forecast"] = await _forecast(standing)
        if "contributions" in include:
            told["contributions"] = await contributions_of(standing)
        if "pipeline" in include:
            told["pipeline"] = await pipeline_of(standing)
    if "notes" in include:
        told["notes"] = await all_notes(standing)
    return told


async def _forecast(standing: Standing) -> Forecast:
    """Where the owner's own KPI will end, or the sum of the parts."""
    goal, aim, moment = standing.goal, standing.effective, standing.asking.moment
    is_band = aim is not None and aim.direction == "maintain"
    wanted = Wanted(
        kpi=goal.kpi_key,
        subject=owner_of(goal),
        period=period_of(goal),
        direction=standing.aim.direction if standing.aim is not None else "increase",
        target=None if aim is None or is_band else aim.target,
        low=aim.low if aim is not None and is_band else None,
        high=aim.high if aim is not None and is_band else None,
        stretch=standing.stretch,
        currency=goal.currency,
        rate_set=goal.rate_set,
        as_of=moment.as_of,
        known_at=moment.known_at,
        so_far=standing.cell.value if standing.cell.status == "ok" else None,
    )
    if standing.parts is not None:
        return await forecast_of_parts(standing, replace(wanted, so_far=None))
    return await forecast_of(standing.asking.session, goal.org_id, wanted)


# ------------------------------------------------------------------------------------------------------- frozen


def question_of_closed(goal: Goal, known_at: datetime) -> Query:
    """What a closed goal asks: its KPI as of the instant of its figures, by what is known at another."""
    return question_of(goal, datetime.fromisoformat(str((goal.closing or {})["as_of"])), known_at)


async def frozen(
    session: AsyncSession, goal: Goal, target: GoalTarget | None, answer: Answer, include: Collection[Include]
) -> Progress:
    """The figures of the closing, and whether the answer of present knowledge gives another value of then (S6)."""
    kept = {name: value for name, value in (goal.closing or {}).items() if name not in EVERYTHING or name in include}
    progress = Progress.model_validate({**kept, **_face(goal, answer), "digest": goal.closing_digest})
    now = (await stand(session, goal, target, answer)).cell
    progress.state = "closed"
    is_other = (jsonable(now.value), now.status) != (jsonable(progress.actual), progress.status)
    has_lost = is_other and await _has_lost_events(session, goal, progress.as_of, answer)
    progress.restated_since = None if has_lost else is_other
    if now.value is not None and progress.actual is not None and not has_lost:
        progress.difference = FORMULA.subtract(now.value, progress.actual) if is_other else Decimal(0)
    if progress.restated_since and progress.notes is not None:
        text = f"Since it was closed the figures were restated: the KPI would be {jsonable(now.value)} now."
        progress.notes = [ProgressNote(code="restated", on=None, text=text), *progress.notes]
    return progress


async def _has_lost_events(session: AsyncSession, goal: Goal, since: datetime, answer: Answer) -> bool:
    """Whether events that the frozen figures came from were archived or dropped since: nothing can be compared then."""
    looks_at_gone = answer.series[0].total.status == "not_retained" or answer.kpis[goal.kpi_key].looks_back
    return looks_at_gone and await was_archived_since(session, goal.org_id, since)


def _content(progress: Progress, at: datetime) -> Content:
    progress.frozen_at = at
    return {key: jsonable(value) for key, value in progress if key not in _NOT_FROZEN}


def _decimal(share: Fraction) -> Decimal:
    return Decimal(share.numerator) / Decimal(share.denominator)
