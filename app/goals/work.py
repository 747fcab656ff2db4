"""Whose working time a goal's expected share is measured in (S31)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
TermsOfMember = list[tuple[Days, _Terms]]
_USUAL: _Terms = (None, Fraction(1))


async def work_of(
    session: AsyncSession, org_id: OrganizationId, goal: Goal, calendars: Calendars, known_at: datetime
) -> list[Work]:
    """The organization's days, the member's, or those of all members in the team or below it.

    By their calendars and part time. A team without members works as the organization does.
    """
    days = await _days_of_people(session, org_id, goal, known_at)
    rows = await session.execute(queries.assignments_as_known(org_id, list(days), known_at))
    return work_in(goal, days, terms_of(rows.scalars()), calendars)


def work_in(
    goal: Goal, days: Mapping[UUID, Sequence[Days]], terms: Mapping[UUID, TermsOfMember], calendars: Calendars
) -> list[Work]:
    """The work of these members on their days; of nobody: as the organization works."""
    period = DayRange(goal.start_on, goal.end_on)
    shared: dict[tuple[UUID | None, DayRange], Fraction] = defaultdict(Fraction)
    for member_id, runs in days.items():
        own = terms.get(member_id, [])
        for run, (calendar_id, part) in own + _without_terms(own):
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


def terms_of(rows: Iterable[MemberAssignment]) -> dict[UUID, TermsOfMember]:
    """The calendars and part time of each member, by days."""
    found: dict[UUID, TermsOfMember] = defaultdict(list)
    for row in rows:
        found[row.member_id].append((days_between(row.valid_from, row.valid_to), (row.calendar_id, Fraction(row.fte))))
    return found


def _without_terms(terms: TermsOfMember) -> TermsOfMember:
    """The days on which nothing was said: full time, by the organization's calendar."""
    return [(gap, _USUAL) for gap in complement(sorted(days for days, _ in terms))]
