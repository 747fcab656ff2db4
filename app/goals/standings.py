"""How many goals stand, by few questions."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import Problem
from app.core.snapshots import Snapshots
from app.core.telemetry import log
from app.goals import queries
from app.goals.models import Goal, GoalTarget
from app.goals.progress import frozen, judged, question_of, question_of_closed
from app.goals.progress_schemas import STANDING_ALONE, Progress
from app.goals.service import today_of
from app.goals.standings_schemas import ProgressFilters, ProgressPage, Untold
from app.goals.targets import target_values
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.questions import Answer, Query

_T = TypeVar("_T")

AT_ONCE = 500
"""So many goals are asked about in one question."""


@dataclass(frozen=True)
class _Asked:
    """A goal with its terms as known by the answer, None where there were none, and what it asks."""

    goal: Goal
    terms: GoalTarget | None
    question: Query
    is_frozen: bool = False

    @property
    def owner(self) -> Subject:
        return cast("Subject", self.question.subjects[0])

    @property
    def place(self) -> tuple[str, Subject]:
        """Where its answer is."""
        return self.goal.kpi_key, self.owner

    @property
    def manner(self) -> tuple[object, ...]:
        """What goals have in common that can be asked at once; the sum of parts asks for each part's own days."""
        asked = self.question
        own = self.goal.id if self.terms is not None and self.terms.counts == "parts" else None
        return asked.period, asked.currency, asked.rate_set, asked.as_of, asked.known_at, own


async def list_standings(snapshots: Snapshots, wanted: ProgressFilters) -> ProgressPage:
    """How the goals of a page stand now or stood as of an instant; closed ones, unless asked so, as they were frozen.

    Of each goal it is what its own progress is without anything beside it.
    """
    async with snapshots.at(wanted.as_of) as session:
        org_id = snapshots.org_id
        statement = queries.goals(org_id).where(*queries.matching(org_id, wanted, await today_of(session, org_id)))
        rows, following = await paginate(session, statement, [Key(Goal.created_at), Key(Goal.id)], wanted)
        known_at = wanted.as_of or await clock.last_recorded(session, org_id)
        if wanted.as_of is None:
            asked = [_asked_now(goal, terms, known_at) for goal, terms in rows]
        else:
            asked = await _asked_then(session, org_id, [goal for goal, _ in rows], wanted.as_of)
        told = {one.goal.id: found async for one, found in _told(session, asked)}
        found = [(goal.id, told[goal.id]) for goal, _ in rows]
        return ProgressPage(
            as_of=wanted.as_of or await clock.now(session, org_id),
            known_at=known_at,
            items=[each for _, each in found if isinstance(each, Progress)],
            untold=[
                Untold(goal_id=goal_id, code=each.code, detail=each.detail)
                for goal_id, each in found
                if isinstance(each, Problem)
            ],
            next_cursor=following,
        )


async def standings(
    session: AsyncSession, rows: Sequence[tuple[Goal, GoalTarget]]
) -> AsyncIterator[tuple[Goal, GoalTarget, Progress]]:
    """How goals that are not closed stand now, with the terms that they have, in any order.

    Those whose KPI or period cannot be asked about any more are left out.
    """
    terms = {goal.id: of_goal for goal, of_goal in rows}
    async for one, found in _told(session, [_Asked(goal, of_goal, question_of(goal)) for goal, of_goal in rows]):
        goal = one.goal
        if isinstance(found, Problem):
            log.warning("goal-without-standing", goal_id=str(goal.id), kpi=goal.kpi_key, problem=found.code)
        else:
            yield goal, terms[goal.id], found


def _asked_now(goal: Goal, terms: GoalTarget, known_at: datetime) -> _Asked:
    if goal.closing is None:
        return _Asked(goal, terms, question_of(goal))
    return _Asked(goal, terms, question_of_closed(goal, known_at), is_frozen=True)


async def _asked_then(
    session: AsyncSession, org_id: OrganizationId, goals: Sequence[Goal], as_of: datetime
) -> list[_Asked]:
    statement = queries.targets_as_known(org_id, [goal.id for goal in goals], as_of)
    terms = {found.goal_id: found for found in (await session.execute(statement)).scalars()}
    return [_Asked(goal, terms.get(goal.id), question_of(goal, as_of)) for goal in goals]


async def _told(session: AsyncSession, asked: Sequence[_Asked]) -> AsyncIterator[tuple[_Asked, Progress | Problem]]:
    """How each goal stands, or why that cannot be told, in any order."""
    for group in _at_once(asked):
        answers = await _answers(session, group)
        for one in group:
            answer = answers[one.place]
            yield one, answer if isinstance(answer, Problem) else await _judged(session, one, answer)
            await asyncio.sleep(0)  # a millisecond each, of thousands: other work of the process goes on meanwhile


def _at_once(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    """The goals by questions: of one KPI of several owners, and of several KPIs that the same owners have goals on."""
    by_kpi = _by(asked, lambda one: (*one.manner, one.goal.kpi_key))
    owners = {id(group): frozenset(one.owner for one in group) for group in by_kpi}
    for groups in _by(by_kpi, lambda group: (*group[0].manner, owners[id(group)])):
        together = list(chain(*groups))
        for n in range(0, len(together), AT_ONCE):
            yield together[n : n + AT_ONCE]


def _by(items: Iterable[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    """The items that have the same key together."""
    groups: dict[Hashable, list[_T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


async def _answers(session: AsyncSession, group: Sequence[_Asked]) -> Mapping[tuple[str, Subject], Answer | Problem]:
    """The answers as if each goal had asked alone; a KPI that cannot be asked about does not spoil the others."""
    kpis = list(dict.fromkeys(one.goal.kpi_key for one in group))
    question = replace(group[0].question, kpis=kpis, subjects=list(dict.fromkeys(one.owner for one in group)))
    try:
        answer = await compute(session, group[0].goal.org_id, question, targets=target_values)
    except Problem as problem:
        if len(kpis) == 1:
            return {one.place: problem for one in group}
        alone = [await _answers(session, each) for each in _by(group, lambda one: one.goal.kpi_key)]
        return dict(chain.from_iterable(each.items() for each in alone))
    return {(series.kpi, series.subject): replace(answer, series=(series,)) for series in answer.series}


async def _judged(session: AsyncSession, one: _Asked, answer: Answer) -> Progress | Problem:
    try:
        if one.is_frozen:
            return await frozen(session, one.goal, one.terms, answer, STANDING_ALONE)
        return await judged(session, one.goal, one.terms, answer)
    except Problem as problem:
        return problem
