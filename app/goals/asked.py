"""The questions that goals ask of their KPI."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import Grain, Window
from app.core import clock
from app.core.db import OrganizationId
from app.goals.models import Goal
from app.goals.service import period_of
from app.goals.targets import target_values
from app.goals.work import owner_of
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.questions import Answer, Cell, MembersOf, Query

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The instants that further questions name, so that they are answered as the first one was.

    None where that was of the present: only then is what is kept ready of use.
    """

    as_of: datetime | None = None
    known_at: datetime | None = None


async def moment_of(session: AsyncSession, org_id: OrganizationId, answer: Answer) -> Moment:
    """The moment of an answer that was given in this snapshot, in which the clock stands still."""
    if "is_snapshot" in session.info:
        present = await clock.now(session, org_id), await clock.last_recorded(session, org_id)
        if present == (answer.as_of, answer.known_at):
            return Moment()
    return Moment(answer.as_of, answer.known_at)


def question_of(goal: Goal, as_of: datetime | None = None, known_at: datetime | None = None) -> Query:
    """What a goal asks: its KPI of its owner over its whole period."""
    period = period_of(goal)
    return Query(
        kpis=[goal.kpi_key],
        subjects=[owner_of(goal)],
        # Days, where the organization's settings decide what the words mean: the goal keeps its days.
        period=f"{period.start}..{goal.last_day}" if period.is_fiscal else period.label,
        currency=goal.currency,
        rate_set=goal.rate_set,
        as_of=as_of,
        known_at=known_at,
    )


@dataclass(frozen=True)
class Asking:
    """Asks the KPI of a goal, of other people or days, all at the same moment."""

    session: AsyncSession
    goal: Goal
    moment: Moment

    async def whole(self, *subjects: Subject | MembersOf) -> Answer:
        """Of these subjects over the goal's whole period."""
        return await self._ask(replace(self._question, subjects=list(subjects)))

    async def over(self, start: date, end: date, *subjects: Subject) -> dict[Subject, Cell]:
        """Of these subjects over the days `[start, end)`."""
        answer = await self._ask(replace(self._question, subjects=list(subjects), period=_days(start, end)))
        return {series.subject: series.total for series in answer.series}

    async def by(
        self, grain: Grain, start: date, end: date, *subjects: Subject, running: bool = False
    ) -> dict[Subject, list[tuple[Window, Cell]]]:
        """Of these subjects by windows of the days; `running`: each from the first day on."""
        query = replace(self._question, period=_days(start, end), grain=grain, running=running)
        answer = await self._ask(replace(query, subjects=list(subjects)))
        return {series.subject: list(zip(answer.windows, series.cells, strict=True)) for series in answer.series}

    @property
    def _question(self) -> Query:
        return question_of(self.goal, self.moment.as_of, self.moment.known_at)

    async def _ask(self, query: Query) -> Answer:
        return await compute(self.session, self.goal.org_id, query, targets=target_values)


def _days(start: date, end: date) -> str:
    return f"{start}..{end - _DAY}"
