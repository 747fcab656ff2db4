"""What is told of goals: to others by the outbox, and kept, so that front ends can ask for it."""

from datetime import datetime
from typing import Any, cast

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock, outbox
from app.goals.frozen import digest_of, jsonable
from app.goals.models import Goal, GoalNotification, GoalWatch
from app.goals.noticing import Final, Look, Notice, Told, notices
from app.goals.progress_schemas import Progress

_STANDING = (
    "as_of", "known_at", "target", "effective_target", "actual", "status", "attainment", "expected", "pace",
    "pace_verdict", "verdict",
)  # fmt: skip
_RISK = frozenset({"goal.at_risk", "goal.recovered"})


def publish(session: AsyncSession, goal: Goal, topic: str, payload: dict[str, Any], at: datetime) -> None:
    """Tell something of a goal at an instant of its organization; `payload` is JSON-ready.

    Which goal it is stands beside it, so that receivers need not ask back. No names of people.
    """
    told = {**_named(goal), **payload}
    outbox.publish(session, goal.org_id, topic, told)
    session.add(GoalNotification(org_id=goal.org_id, goal_id=goal.id, topic=topic, told_at=at, payload=told))


async def tell(session: AsyncSession, goal: Goal, standing: Progress, look: Look) -> None:
    """Tell what is new of a goal since it was told of last; nothing where somebody saw it later than this.

    Locks what was told of it last: two who look at the same time tell each thing once.
    """
    watch = await _watched(session, goal)
    if watch.known_at > standing.known_at and not look.is_final:
        return
    found, told = notices(told_of(watch), look)
    watch.is_at_risk, watch.verdict, watch.milestones = told.is_at_risk, told.verdict, sorted(told.milestones)
    watch.known_at = max(watch.known_at, standing.known_at)
    at = await present_of(session, goal)
    for notice in found:
        publish(session, goal, notice.topic, _payload(goal, standing, notice), at)


def nothing_told(goal: Goal) -> dict[str, Any]:
    """The row of a goal of which nothing was told."""
    key = {"org_id": goal.org_id, "goal_id": goal.id}
    return {**key, "is_at_risk": False, "verdict": None, "milestones": [], "known_at": goal.created_at}


def told_of(watch: GoalWatch | None) -> Told:
    """What was told of a goal, as it is kept."""
    if watch is None:
        return Told()
    verdict = cast("Final | None", watch.verdict)
    return Told(watch.is_at_risk, verdict, frozenset(watch.milestones))


def look_at(standing: Progress, *, is_over: bool, is_final: bool = False, is_forecast: bool = False) -> Look:
    """What decides whether anything is told.

    `is_over`: the period has ended, `is_final`: the goal is being closed, `is_forecast`: a forecast was asked for.
    """
    return Look(
        is_forecast=is_forecast,
        probability=None if standing.forecast is None else standing.forecast.probability.target,
        pace=standing.pace_verdict,
        verdict=standing.verdict,
        milestones=[each.key for each in standing.milestones or () if each.status == "reached"],
        is_over=is_over,
        is_final=is_final,
    )


async def tell_closed(session: AsyncSession, goal: Goal, standing: Progress) -> None:
    """Tell that a goal is closed, and its verdict as far as that was not told before."""
    publish(session, goal, "goal.closed", _payload(goal, standing), await present_of(session, goal))
    await tell(session, goal, standing, look_at(standing, is_over=True, is_final=True))


def _payload(goal: Goal, standing: Progress, notice: Notice | None = None) -> dict[str, Any]:
    """How the goal stands, as exact texts, with the digest of it; of a closed goal that of what was frozen."""
    told: dict[str, Any] = {name: jsonable(getattr(standing, name)) for name in _STANDING}
    told["digest"] = goal.closing_digest or digest_of(told)
    if notice is None:
        return told
    if notice.milestone is not None:
        told["milestone"] = next(jsonable(each) for each in standing.milestones or () if each.key == notice.milestone)
    if notice.because is not None:
        told["because"] = notice.because
    if notice.topic in _RISK:
        told["forecast"] = _forecast(standing)
    return told


def _forecast(standing: Progress) -> dict[str, JsonValue] | None:
    """Where the goal will end, and how likely it is reached; None where no forecast was looked at, or there is none."""
    forecast = standing.forecast
    if forecast is None or forecast.status != "ok":
        return None
    range_ = {name: jsonable(getattr(forecast, name)) for name in ("p10", "p50", "p90")}
    return {"probability": jsonable(forecast.probability.target), **range_}


def _named(goal: Goal) -> dict[str, Any]:
    kind = "team" if goal.team_id else "member" if goal.member_id else "organization"
    owner_id = goal.team_id or goal.member_id
    return {
        "goal_id": str(goal.id),
        "name": goal.name,
        "owner": {"type": kind, "id": owner_id and str(owner_id)},
        "kpi": goal.kpi_key,
        "direction": goal.direction,
        "period": goal.period,
        "start": goal.start_on.isoformat(),
        "end": goal.end_on.isoformat(),
        "currency": goal.currency,
    }


async def present_of(session: AsyncSession, goal: Goal) -> datetime:
    """Now; where the clock stands, the instant recorded last, so that what follows is told later."""
    present = await clock.present(session, goal.org_id)
    return max(present.now, present.last_at)


async def _watched(session: AsyncSession, goal: Goal) -> GoalWatch:
    """What was told of the goal, locked; made where it is the first time."""
    await session.execute(insert(GoalWatch).values(**nothing_told(goal)).on_conflict_do_nothing())
    found = await session.execute(
        select(GoalWatch)
        .where(GoalWatch.org_id == goal.org_id, GoalWatch.goal_id == goal.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalar_one()
