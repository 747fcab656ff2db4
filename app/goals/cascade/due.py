"""Why parts should be planned anew: whose days in a team are known to be others than when they were planned (G4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.calendars.working import WorkCalendar
from app.core.db import OrganizationId
from app.goals.cascade import queries, schemas
from app.goals.cascade.people import People, apart
from app.goals.cascade.schemas import Change
from app.goals.models import Goal, GoalTarget
from app.goals.service import period_of
from app.goals.work import Members, owner_of
from app.kpis.attribution import Days, Subject, complement, intersect

LONG = 10
"""So many working days away, or more, make a re-plan due."""
MOST_INSTANTS = 8
"""Of so many plans, made at different instants, people are looked at as they were known then."""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Planned:
    """A goal whose parts were planned, with them."""

    goal: Goal
    parts: Sequence[tuple[Goal, GoalTarget]]


class Reason(NamedTuple):
    """What changed, and on which days."""

    what: Change
    runs: Sequence[Days]

    @property
    def start(self) -> date:
        """The first of the days."""
        return min(run.start for run in self.runs)

    @property
    def end(self) -> date:
        """The day after the last."""
        return max(run.end for run in self.runs)


async def due_of(
    session: AsyncSession, org_id: OrganizationId, known_at: datetime, now: People, planned: Sequence[Planned]
) -> Mapping[UUID, list[schemas.Due]]:
    """For each goal, the first ones first, why its parts should be planned anew.

    A goal that is not among the answers was not looked at: its parts were planned at one instant too many.
    """
    asked = await session.execute(queries.last_splits(org_id, [each.goal.id for each in planned], known_at))
    split_at = {row.goal_id: row.told_at for row in asked}
    then: dict[datetime, People] = {}
    found: dict[UUID, list[schemas.Due]] = {}
    for each in planned:
        at = split_at.get(each.goal.id) or max(terms.recorded_at for _, terms in each.parts)
        if at not in then and len(then) < MOST_INSTANTS:
            then[at] = await People.known(session, org_id, at)
        if at in then:
            found[each.goal.id] = sorted(_due(each, then[at], now), key=_by_name)
    return found


def _by_name(due: schemas.Due) -> tuple[str, str, str]:
    return due.owner.name or "", str(due.owner.id), due.within.name or ""


def _due(planned: Planned, then: People, now: People) -> Iterator[schemas.Due]:
    period = period_of(planned.goal)
    before, present = _scopes(planned, then), _scopes(planned, now)
    for scope in before:
        for member in before[scope].keys() | present[scope].keys():
            was, is_ = ({member: runs} if (runs := found[scope].get(member)) else {} for found in (before, present))
            if (reason := _reason(then, was, now, is_, period)) is None:
                continue
            owner = Subject("member", member)
            elsewhere = _elsewhere(now, member, scope, reason)
            what: Change = "moved" if elsewhere and reason.what in {"joined", "left"} else reason.what
            yield schemas.Due(
                goal_id=planned.goal.id,
                owner=_named(now, owner),
                within=_named(now, scope),
                what=what,
                start=reason.start,
                end=reason.end,
                planned=_share(then, was, period),
                present=_share(now, is_, period),
                why=_in_words(now, owner, scope, reason, elsewhere),
            )


def _scopes(planned: Planned, people: People) -> dict[Subject, Members]:
    """Those whose presence matters: of each team with a part, and of all others where members have parts."""
    above = owner_of(planned.goal)
    owners = dict.fromkeys(owner_of(part) for part, _ in planned.parts)
    teams = [owner for owner in owners if owner.kind == "team"]
    found = {team: people.within(team, above) for team in teams}
    if len(teams) < len(owners):
        found[above] = apart(people.members_of(above), list(found.values()))
    return found


def _reason(then: People, was: Members, now: People, is_: Members, period: DayRange) -> Reason | None:
    """What of somebody's days changed enough to plan anew."""
    (there, away), (there_now, away_now) = then.days_of(was, period), now.days_of(is_, period)
    lost, gained = intersect(there, complement(there_now)), intersect(there_now, complement(there))
    if lost or gained:
        what: Change = "changed" if lost and gained else "left" if lost else "joined"
        return Reason(what, [*lost, *gained])
    gone, back = intersect(away_now, complement(away)), intersect(away, complement(away_now))
    calendar = now.calendar
    if abs(_working_days(calendar, gone) - _working_days(calendar, back)) < LONG:
        return None
    return Reason("absent", gone) if gone else Reason("back", back)


def _working_days(calendar: WorkCalendar, runs: Sequence[Days]) -> int:
    return sum(calendar.working_days(DayRange(*run)) for run in runs)


def _elsewhere(now: People, member: UUID, scope: Subject, reason: Reason) -> str | None:
    """The team in which somebody is once they left, or was before they joined."""
    day = reason.start if reason.what == "left" else reason.start - _DAY
    return now.team_of(member, day, outside=scope)


def _in_words(now: People, owner: Subject, scope: Subject, reason: Reason, elsewhere: str | None) -> str:
    name, where = now.name_of(owner), now.name_of(scope) or "the organization"
    days = " and ".join(f"from {run.start} to {run.end - _DAY}" for run in sorted(reason.runs))
    match reason.what:
        case "joined":
            return f"{name} joined {where}{f' from {elsewhere}' if elsewhere else ''} on {reason.start}."
        case "left":
            gone = f"{name} left {where}{f' for {elsewhere}' if elsewhere else ''}"
            return f"{gone}; the last day was {reason.start - _DAY}."
        case "absent":
            return f"{name} is absent {days}."
        case "back":
            return f"{name} is not absent any more {days}."
        case _:
            return f"{name} is in {where} on other days than planned: {days}."


def _share(people: People, members: Members, period: DayRange) -> Decimal:
    heads = people.presence(members, period, period).heads
    return Decimal(heads.numerator) / Decimal(heads.denominator)


def _named(people: People, owner: Subject) -> schemas.PartOwner:
    return schemas.PartOwner(type=owner.kind, id=owner.id, name=people.name_of(owner))
