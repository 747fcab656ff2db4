"""Whose working time a goal's expected share is measured in (S31)."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.calendars.service import Calendars
from app.core.db import OrganizationId
from app.goals import queries
from app.goals.models import Goal
from app.goals.pace import Work
from app.kpis.attribution import ALL_TIME, Attributor, Days, complement, days_between, intersect
from app.teams.models import MemberAssignment
from app.teams.structure import load_structure

_Terms = tuple[UUID | None, Fraction]
_USUAL: _Terms = (None, Fraction(1))


async def work_of(
    session: AsyncSession, org_id: OrganizationId, goal: Goal, calendars: Calendars, known_at: datetime
) -> list[Work]:
    """The organization's days, the member's, or those of all members in the team or below it.

    By their calendars and part time. A team without members works as the organization does.
    """
    period = DayRange(goal.start_on, goal.end_on)
    days = await _days_of_people(session, org_id, goal, known_at)
    rows = await session.execute(queries.assignments_as_known(org_id, list(days), known_at))
    terms = _terms(rows.scalars())
    shared: dict[tuple[UUID | None, DayRange], Fraction] = defaultdict(Fraction)
    for member_id, runs in days.items():
        for run, (calendar_id, part) in terms.get(member_id, []) + _without_terms(terms.get(member_id, [])):
            for there in intersect(intersect([run], runs), [Days(period.start, period.end)]):
                shared[calendar_id, DayRange(*there)] += part
    work = [Work(calendars.of(calendar_id), run, part) for (calendar_id, run), part in shared.items()]
    return work or [Work(calendars.default, period)]


async def _days_of_people(
    session: AsyncSession, org_id: OrganizationId, goal: Goal, known_at: datetime
) -> dict[UUID, list[Days]]:
    if goal.member_id is not None:
        return {goal.member_id: [ALL_TIME]}
    if goal.team_id is None:
        return {}
    structure = await load_structure(session, org_id, known_at)
    return Attributor(structure, "at_event", date.min).days_within(goal.team_id)


def _terms(rows: Iterable[MemberAssignment]) -> dict[UUID, list[tuple[Days, _Terms]]]:
    found: dict[UUID, list[tuple[Days, _Terms]]] = defaultdict(list)
    for row in rows:
        found[row.member_id].append((days_between(row.valid_from, row.valid_to), (row.calendar_id, Fraction(row.fte))))
    return found


def _without_terms(terms: list[tuple[Days, _Terms]]) -> list[tuple[Days, _Terms]]:
    """The days on which nothing was said: full time, by the organization's calendar."""
    return [(gap, _USUAL) for gap in complement(sorted(days for days, _ in terms))]
