"""Looks at open goals and tells what is worth telling: risk, recovery, milestones, attained, missed (S32, S34)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import Database, OrganizationId
from app.core.problems import Problem
from app.core.snapshots import snapshot
from app.core.telemetry import log
from app.goals import queries
from app.goals.models import Goal, GoalTarget, GoalWatch
from app.goals.noticing import Look, Told, notices, wants_forecast
from app.goals.progress import complete
from app.goals.progress_schemas import Include, Progress
from app.goals.service import today_of
from app.goals.standings import standings
from app.goals.telling import look_at, nothing_told, tell, told_of
from app.kpis.formulas import FORMULA

AT_ONCE = 50
"""So many goals are told of in one transaction."""
MOST_FORECASTS = 100
"""So many forecasts are made at a look, each goal's once in an hour of the organization's clock."""


class _News(NamedTuple):
    """A goal of which something is to be told."""

    goal: Goal
    standing: Progress
    look: Look


@dataclass
class _Forecasts:
    """Which goals' forecasts are made at this look, at `now`; `is_all` once none is left for the next."""

    now: datetime
    asked: list[Goal] = field(default_factory=list)
    is_all: bool = True

    def allow(self, goal: Goal, last: datetime | None) -> bool:
        """Whether to make the goal's, whose last was at an instant."""
        if last is not None and _hour(last) == _hour(self.now):
            return False
        if len(self.asked) >= MOST_FORECASTS:
            self.is_all = False
            return False
        self.asked.append(goal)
        return True


async def watch(database: Database, org_id: OrganizationId) -> bool:
    """Look at all goals whose period has begun, in one snapshot, and tell what is new, in short transactions.

    Whether all was looked at: forecasts take long, and those above `MOST_FORECASTS` are made at the next look.
    """
    async with snapshot(database, org_id) as session:
        forecasts = _Forecasts(await clock.now(session, org_id))
        news = [each async for each in _news(session, org_id, forecasts)]
    news.sort(key=lambda each: each.goal.id)  # two who look at the same time lock in the same order
    for n in range(0, len(news), AT_ONCE):
        async with database.write(org_id) as session:
            for each in news[n : n + AT_ONCE]:
                if await _is_open(session, each.goal):
                    await tell(session, each.goal, each.standing, each.look)
    await _remember(database, org_id, forecasts)
    return forecasts.is_all


async def _news(session: AsyncSession, org_id: OrganizationId, forecasts: _Forecasts) -> AsyncIterator[_News]:
    today = await today_of(session, org_id)
    watched = await _watched(session, org_id)
    active = queries.goals(org_id).where(Goal.state == "open", Goal.start_on <= today).order_by(Goal.id)
    rows = [(goal, terms) for goal, terms in await session.execute(active)]
    # Those whose forecast is oldest first: where not all are made, no goal waits for ever.
    rows.sort(key=lambda row: _last_forecast(watched.get(row[0].id)) or row[0].created_at)
    async for goal, terms, found in standings(session, rows):
        last, is_over = watched.get(goal.id), goal.end_on <= today
        told = told_of(last)
        include: set[Include] = {"milestones"} if _may_have_come_to(terms, found, told) else set()
        if wants_forecast(look_at(found, is_over=is_over)) and forecasts.allow(goal, _last_forecast(last)):
            include.add("forecast")
        standing = await _more_of(session, goal, terms, include) or found
        look = look_at(standing, is_over=is_over, is_forecast="forecast" in include)
        if notices(told, look) != ([], told):
            yield _News(goal, standing, look)


async def _more_of(session: AsyncSession, goal: Goal, terms: GoalTarget, include: set[Include]) -> Progress | None:
    """How the goal stands with these; None where nothing is asked for, or it cannot be told."""
    if not include:
        return None
    try:
        return await complete(session, goal, None, include, terms)
    except Problem as problem:
        log.warning("goal-not-looked-at", goal_id=str(goal.id), problem=problem.code)
        return None


async def _watched(session: AsyncSession, org_id: OrganizationId) -> dict[UUID, GoalWatch]:
    """What was told of open goals, by their ids."""
    found = await session.execute(
        select(GoalWatch)
        .join(Goal, (Goal.org_id == GoalWatch.org_id) & (Goal.id == GoalWatch.goal_id))
        .where(GoalWatch.org_id == org_id, Goal.org_id == org_id, Goal.state == "open")
    )
    return {watch.goal_id: watch for watch in found.scalars()}


def _last_forecast(watched: GoalWatch | None) -> datetime | None:
    return None if watched is None else watched.forecast_at


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


async def _remember(database: Database, org_id: OrganizationId, forecasts: _Forecasts) -> None:
    """Keep when forecasts were looked at; whoever dies before has them made once more."""
    if not forecasts.asked:
        return
    rows = [
        {**nothing_told(goal), "forecast_at": forecasts.now}
        for goal in sorted(forecasts.asked, key=lambda goal: goal.id)
    ]
    new = insert(GoalWatch).values(rows)
    made = new.on_conflict_do_update(
        index_elements=["org_id", "goal_id"], set_={"forecast_at": new.excluded.forecast_at}
    )
    async with database.write(org_id) as session:
        await session.execute(made)


def _may_have_come_to(terms: GoalTarget, standing: Progress, told: Told) -> bool:
    """Whether it is worth asking which milestones were reached when, which costs more than all else.

    Those that were not told of: of a KPI that should grow once its value is there, of any other always.
    """
    waiting = [each for each in terms.milestones if each["key"] not in told.milestones]
    if standing.actual is None or not waiting:
        return False
    return standing.direction != "increase" or any(
        standing.actual >= _value_of(each, terms, standing) for each in waiting
    )


def _value_of(milestone: Mapping[str, Any], terms: GoalTarget, standing: Progress) -> Decimal:
    if milestone["value"] is not None:
        return Decimal(str(milestone["value"]))
    whole = terms.value if standing.effective_target is None else standing.effective_target
    return FORMULA.multiply(Decimal(str(milestone["share"])), whole or Decimal(0))


async def _is_open(session: AsyncSession, goal: Goal) -> bool:
    """Whether nobody has closed or cancelled it since; whoever wants to waits until it is told of."""
    found = await session.execute(
        select(Goal.state).where(Goal.org_id == goal.org_id, Goal.id == goal.id).with_for_update(read=True)
    )
    return found.scalar_one() == "open"
