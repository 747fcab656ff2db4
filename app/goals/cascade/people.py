"""Who is where on which days of a period, as known at an instant: what parts weigh, and what of them counts (S33)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.employment.facts import Staff
from app.employment.loading import load_staff
from app.goals.cascade.weights import NOBODY, Presence, presence
from app.goals.ramping import Ramp
from app.goals.schedule import Hours
from app.goals.work import Members, work_in
from app.kpis.attribution import Attributor, Days, Subject, complement, days_between, intersect, union
from app.kpis.loading import attributor_of
from app.teams.facts import Structure
from app.teams.structure import load_structure

WHOLE = Fraction(1)
_DAY = timedelta(days=1)


class People:
    """Teams, members and their work as known at an instant; each figure is worked out once."""

    def __init__(self, structure: Structure, attributor: Attributor, staff: Staff) -> None:
        self.structure = structure
        self._attributor = attributor
        self._staff = staff
        self._hours = Hours()
        self._known: dict[tuple[UUID, tuple[Days, ...], DayRange, DayRange, Ramp | None], Presence] = {}

    @classmethod
    async def known(cls, session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> "People":
        """As recorded by an instant (S5)."""
        return cls(
            await load_structure(session, org_id, known_at),
            await attributor_of(session, org_id, known_at, "at_event", date.min),
            await load_staff(session, org_id, known_at),
        )

    def name_of(self, owner: Subject) -> str | None:
        """The name of a team or member; the organization has none here."""
        if owner.id is None:
            return None
        named = self.structure.teams if owner.kind == "team" else self.structure.members
        found = named.get(owner.id)
        return None if found is None else found.name

    @property
    def calendar(self) -> WorkCalendar:
        """The organization's calendar."""
        return self._staff.calendars.default

    def team_of(self, member: UUID, on: date, *, outside: Subject) -> str | None:
        """A team, by its name, in which a member is on a day, other than one and those below it."""
        inside = {outside.id, *(self.all_below(outside, DayRange(on, on + _DAY)) if outside.kind == "team" else ())}
        found = {
            self.structure.teams[row.team_id].name
            for row in self.structure.memberships
            if row.member_id == member
            and row.team_id not in inside
            and days_between(row.start, row.end).start <= on < days_between(row.start, row.end).end
        }
        return min(found, default=None)

    def members_of(self, owner: Subject) -> Mapping[UUID, Sequence[Days]]:
        """The members who do an owner's work, with their days: everybody for the organization."""
        return self._attributor.members_in(owner)

    def directly_in(self, team_id: UUID) -> Mapping[UUID, Sequence[Days]]:
        """The members of the team itself, without those of the teams below it."""
        return self._attributor.days_directly_in(team_id)

    def within(self, owner: Subject, above: Subject) -> Members:
        """The members who do an owner's work, on the days on which it counts for the owner above."""
        mine = self.members_of(owner)
        if above.kind != "team":
            return mine
        theirs = self.members_of(above)
        both = {member: intersect(runs, theirs.get(member, ())) for member, runs in mine.items()}
        return {member: runs for member, runs in both.items() if runs}

    def teams_below(self, above: Subject, on: date) -> list[UUID]:
        """The teams right below a team, or the organization's top teams, on a day; by name."""
        placed = {
            place.team_id: place.parent_id
            for place in self.structure.placements
            if days_between(place.start, place.end).start <= on < days_between(place.start, place.end).end
        }
        teams = self.structure.teams
        below = [team for team in teams if placed.get(team) == above.id]
        return sorted(below, key=lambda team: (teams[team].name, str(team)))

    def all_below(self, team: Subject, period: DayRange) -> set[UUID]:
        """The teams that are anywhere below a team on some day of a period."""
        placed = [
            place
            for place in self.structure.placements
            if (place.start or date.min) < period.end and period.start < (place.end or date.max)
        ]
        below: set[UUID] = set()
        found: set[UUID | None] = {team.id}
        while found:
            following = {place.team_id for place in placed if place.parent_id in found and place.team_id != team.id}
            found = {*(following - below)}
            below |= following
        return below

    def presence(self, members: Members, during: DayRange, period: DayRange, ramp: Ramp | None = None) -> Presence:
        """The work of members on some days, as shares of the working time of a whole period."""
        total = NOBODY
        for member, runs in members.items():
            key = (member, tuple(runs), during, period, ramp)
            if key not in self._known:
                work = work_in(period, {member: runs}, self._staff, ramp)
                self._known[key] = presence(work, during, period, self._hours)
            total += self._known[key]
        return total

    def span(self, members: Members, period: DayRange) -> DayRange:
        """The days from the first to the last on which these members are there and not on long leave."""
        work = [item for item in work_in(period, members, self._staff) if item.absence != "prorate_target"]
        if not work:
            return period
        first, last = min(item.days.start for item in work), max(item.days.end for item in work)
        return period if (first, last) == (period.start, period.end) else DayRange(first, last)

    def days_of(self, members: Members, period: DayRange) -> tuple[list[Days], list[Days]]:
        """The days on which any of these members are employed and in scope, and those of them on long leave."""
        work = work_in(period, members, self._staff)
        away = [Days(item.days.start, item.days.end) for item in work if item.absence == "prorate_target"]
        return union(Days(item.days.start, item.days.end) for item in work), union(away)

    def is_all(self, owner: Subject, members: Members, period: DayRange) -> bool:
        """Whether these are all of an owner's working days in a period, and none of them is on long leave."""
        there, whole = self.presence(members, period, period), self.work_of(owner, period)
        return not whole or there.fte == whole

    def work_of(self, owner: Subject, period: DayRange) -> Fraction:
        """All working time of an owner in a period, on leave too, by part time; 1 is one person full time."""
        return self.presence(self.members_of(owner), period, period).planned

    def elapsed(self, owner: Subject, days: DayRange, period: DayRange) -> Fraction:
        """The share of an owner's working time of a period that lies in some days, whoever is away."""
        if owner.kind == "organization":
            return self._elapsed(days, period)
        mine = self.members_of(owner)
        whole, part = self.presence(mine, period, period), self.presence(mine, days, period)
        if whole.planned:
            return part.planned / whole.planned
        return self._elapsed(days, period)

    def _elapsed(self, days: DayRange, period: DayRange) -> Fraction:
        calendar = self.calendar
        times = self._hours.of(calendar, period)
        first, last = period.until(days.start).days, period.until(days.end).days
        whole = sum(times)
        return Fraction(sum(times[first:last]), whole) if whole else Fraction(last - first, period.days)


def apart(members: Members, before: Sequence[Members]) -> Members:
    """These members without the days on which any of them counts in an earlier part (S8)."""
    found = {}
    for member, runs in members.items():
        taken = union(run for others in before for run in others.get(member, ()))
        left = intersect(runs, complement(taken)) if taken else runs
        if left:
            found[member] = left
    return found
