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
from app.goals import queries
from app.goals.models import Goal
from app.goals.ramping import FULL, Ramp, ramp_of
from app.goals.schedule import Hours, Schedule, Work
from app.kpis.attribution import (
    ALL_TIME,
    Attributor,
    Days,
    Subject,
    complement,
    days_between,
    intersect,
    union,
)
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
        self._ramps: dict[UUID, Ramp] | None = None
        self._hours = Hours()
        self._of_goal: dict[tuple[Subject, DayRange, UUID | None], Schedule] = {}
        self._of_work: dict[tuple[object, ...], Schedule] = {}

    async def of(self, goal: Goal, ramp_id: UUID | None = None) -> Schedule:
        """The organization's days, the member's, or those of all members in the team or below it.

        The organization works by its own calendar, whoever is away. So do a team that nobody is in during the whole
        period, and a member who is not employed in it. With a ramp each member's days ask for their share (S33).
        """
        return await self.over(owner_of(goal), DayRange(goal.start_on, goal.end_on), ramp_id)

    async def over(self, owner: Subject, period: DayRange, ramp_id: UUID | None = None) -> Schedule:
        """The same for an owner over any days."""
        place = (owner, period, ramp_id)
        if place not in self._of_goal:
            work = await self._work(owner, period, ramp_id)
            # Most people work the same hours.
            key = (period, *((id(item.calendar), item.days, item.part, item.absence, item.ramp) for item in work))
            if key not in self._of_work:
                self._of_work[key] = Schedule(period, work, self._hours)
            self._of_goal[place] = self._of_work[key]
        return self._of_goal[place]

    async def within(self, members: Members, period: DayRange) -> Schedule:
        """The working time of some members on some days of a period."""
        return Schedule(period, work_in(period, members, await self._known_staff()), self._hours)

    async def kept(self, goal: Goal, ramp_id: UUID | None = None) -> Fraction:
        """The part of the goal's target that absences and its ramp leave; of the organization's goals all."""
        return Fraction(1) if _is_of_organization(goal) else (await self.of(goal, ramp_id)).kept

    async def calendars(self) -> Calendars:
        """The organization's calendars."""
        if self._calendars is None:
            self._calendars = await calendars_as_known(self._session, self._org_id, self._known_at)
        return self._calendars

    async def members(self, owner: Subject) -> Members:
        """The members who do an owner's work, with their days; nobody for the organization, which has its calendar."""
        if owner.kind != "team" or owner.id is None:
            return {} if owner.id is None else {owner.id: [ALL_TIME]}
        if self._attributor is None:
            self._attributor = await attributor_of(self._session, self._org_id, self._known_at, "at_event", date.min)
        return self._attributor.days_within(owner.id)

    async def _work(self, owner: Subject, period: DayRange, ramp_id: UUID | None) -> list[Work]:
        work: list[Work] = []
        if owner.kind != "organization":
            members, ramp = await self.members(owner), await self._ramp(ramp_id)
            work = work_in(period, members, await self._known_staff(), ramp)
        return work or [Work((await self.calendars()).default, period)]

    async def _known_staff(self) -> Staff:
        if self._staff is None:
            self._staff = await load_staff(self._session, self._org_id, self._known_at)
            self._calendars = self._staff.calendars
        return self._staff

    async def _ramp(self, ramp_id: UUID | None) -> Ramp | None:
        if ramp_id is None:
            return None
        if self._ramps is None:
            found = await self._session.execute(queries.ramps(self._org_id))
            self._ramps = {row.id: ramp_of(row.shares) for row in found.scalars()}
        return self._ramps.get(ramp_id)


def owner_of(goal: Goal) -> Subject:
    """Whose goal it is, as questions name them."""
    if goal.team_id is not None:
        return Subject("team", goal.team_id)
    return Subject("organization") if goal.member_id is None else Subject("member", goal.member_id)


def schedules_of(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Schedules:
    """The schedules as known at an instant; in a session that only reads the same ones for every KPI of an answer."""
    if "recorded_at" in session.info:
        return Schedules(session, org_id, known_at)
    found: Schedules = session.info.setdefault(("schedules", org_id, known_at), Schedules(session, org_id, known_at))
    return found


def work_in(period: DayRange, members: Members, staff: Staff, ramp: Ramp | None = None) -> list[Work]:
    """The work of these members on their days in the period, as far as they are employed."""
    shared: dict[tuple[UUID | None, DayRange, Effect | None, Fraction], Fraction] = defaultdict(Fraction)
    for member, runs in members.items():
        there = intersect(intersect(runs, _employed(staff, member)), [Days(period.start, period.end)])
        for share, ramped in _ramped(staff, member, ramp):
            asked = intersect(there, ramped)
            for absence, away in _absences(staff, member) if asked else ():
                for calendar_id, part, days in _terms(staff, member, intersect(asked, away)):
                    shared[calendar_id, DayRange(*days), absence, share] += part
    return [
        Work(staff.calendars.of(calendar_id), days, part, absence, share)
        for (calendar_id, days, absence, share), part in shared.items()
    ]


def _ramped(staff: Staff, member: UUID, ramp: Ramp | None) -> Iterator[tuple[Fraction, Sequence[Days]]]:
    """The days of each share of the ramp, counted from the beginning of each employment."""
    if ramp is None:
        yield FULL, [ALL_TIME]
        return
    for spell in _employed(staff, member):
        for share, days in ramp.spans(spell):
            yield share, [days]


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
