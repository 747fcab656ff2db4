"""Whose working time a goal is measured in: its owner's days, by their calendars and part time (S31)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.calendars.service import calendars_as_known
from app.core.db import OrganizationId
from app.employment import facts
from app.employment.facts import Calendars, Effect, Staff
from app.employment.loading import load_staff
from app.goals.models import Goal
from app.goals.schedule import Hours, Schedule, Work
from app.kpis.attribution import ALL_TIME, Attributor, Days, complement, days_between, intersect, union
from app.kpis.loading import attributor_of

Members = Mapping[UUID, Sequence[Days]]
"""The members who do a goal's work, with the days on which they are in scope."""


class Schedules:
    """The working time of goals' owners as known at an instant (S5); everything is read once for all goals."""

    def __init__(self, session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> None:
        self._session, self._org_id, self._known_at = session, org_id, known_at
        self._calendars: Calendars | None = None
        self._staff: Staff | None = None
        self._attributor: Attributor | None = None
        self._hours = Hours()
        self._of_goal: dict[UUID, Schedule] = {}
        self._of_work: dict[tuple[object, ...], Schedule] = {}

    async def of(self, goal: Goal) -> Schedule:
        """The organization's days, the member's, or those of all members in the team or below it.

        The organization works by its own calendar, whoever is away. So do a team that nobody is in during the whole
        period, and a member who is not employed in it.
        """
        if goal.id not in self._of_goal:
            period = DayRange(goal.start_on, goal.end_on)
            work = await self._work(goal, period)
            # Most people work the same hours.
            key = (period, *((id(item.calendar), item.days, item.part, item.absence) for item in work))
            if key not in self._of_work:
                self._of_work[key] = Schedule(period, work, self._hours)
            self._of_goal[goal.id] = self._of_work[key]
        return self._of_goal[goal.id]

    async def kept(self, goal: Goal) -> Fraction:
        """The part of the goal's target that absences leave; of the organization's goals all."""
        return Fraction(1) if _is_of_organization(goal) else (await self.of(goal)).kept

    async def calendars(self) -> Calendars:
        """The organization's calendars."""
        if self._calendars is None:
            self._calendars = await calendars_as_known(self._session, self._org_id, self._known_at)
        return self._calendars

    async def _work(self, goal: Goal, period: DayRange) -> list[Work]:
        work: list[Work] = []
        if not _is_of_organization(goal):
            if self._staff is None:
                self._staff = await load_staff(self._session, self._org_id, self._known_at)
                self._calendars = self._staff.calendars
            work = work_in(period, await self._members(goal), self._staff)
        return work or [Work((await self.calendars()).default, period)]

    async def _members(self, goal: Goal) -> Members:
        if goal.team_id is None:
            return {} if goal.member_id is None else {goal.member_id: [ALL_TIME]}
        if self._attributor is None:
            self._attributor = await attributor_of(self._session, self._org_id, self._known_at, "at_event", date.min)
        return self._attributor.days_within(goal.team_id)


def schedules_of(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Schedules:
    """The schedules as known at an instant; in a session that only reads the same ones for every KPI of an answer."""
    if "recorded_at" in session.info:
        return Schedules(session, org_id, known_at)
    found: Schedules = session.info.setdefault(("schedules", org_id, known_at), Schedules(session, org_id, known_at))
    return found


def work_in(period: DayRange, members: Members, staff: Staff) -> list[Work]:
    """The work of these members on their days in the period, as far as they are employed."""
    shared: dict[tuple[UUID | None, DayRange, Effect | None], Fraction] = defaultdict(Fraction)
    for member, runs in members.items():
        employed = intersect(runs, _employed(staff, member))
        there = intersect(employed, [Days(period.start, period.end)])
        for absence, away in _absences(staff, member):
            for calendar_id, part, days in _terms(staff, member, intersect(there, away)):
                shared[calendar_id, DayRange(*days), absence] += part
    return [
        Work(staff.calendars.of(calendar_id), days, part, absence)
        for (calendar_id, days, absence), part in shared.items()
    ]


def _is_of_organization(goal: Goal) -> bool:
    return goal.team_id is None and goal.member_id is None


def _employed(staff: Staff, member: UUID) -> list[Days]:
    spells = staff.employments.get(member)
    return _runs(spells) if spells else [ALL_TIME]


def _absences(staff: Staff, member: UUID) -> Iterator[tuple[Effect | None, list[Days]]]:
    """The days on which the member is there, and those of each kind of absence."""
    spells = staff.absences.get(member, ())
    yield None, complement(_runs(spells))
    for effect in sorted({spell.effect for spell in spells}):
        yield effect, _runs([spell for spell in spells if spell.effect == effect])


def _terms(staff: Staff, member: UUID, runs: Sequence[Days]) -> Iterator[tuple[UUID | None, Fraction, Days]]:
    """The runs cut by the member's assignments; where nothing was said: full time, by the organization's calendar."""
    spells = staff.terms.get(member, ())
    for terms in spells:
        for days in intersect(runs, [days_between(terms.start, terms.end)]):
            yield terms.calendar_id, Fraction(terms.fte), days
    for days in intersect(runs, complement(_runs(spells))):
        yield None, Fraction(1), days


def _runs(spells: Sequence[facts.Days]) -> list[Days]:
    return union(days_between(spell.start, spell.end) for spell in spells)
