"""The targets beside results: for each window what was aimed at (S22). The `Targets` port of the engine."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, pairwise
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, local_day
from app.calendars.service import Calendars, calendar_settings, calendars_as_known
from app.core.db import OrganizationId
from app.goals import queries, tiling
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Work, expected_share, part_of
from app.goals.work import TermsOfMember, terms_of, work_in
from app.kpis.attribution import ALL_TIME, Attributor, Days, Subject
from app.kpis.ports import Aims, TargetChange
from app.teams.structure import load_structure


@dataclass(frozen=True, slots=True)
class Aimed:
    """A goal with its target as known."""

    goal: Goal
    value: Decimal

    @property
    def period(self) -> DayRange:
        return DayRange(self.goal.start_on, self.goal.end_on)


async def target_values(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpi: str,
    is_additive: bool,
    subjects: Sequence[Subject],
    windows: Sequence[Days],
    known_at: datetime,
    currency: str | None = None,
) -> dict[tuple[Subject, Days], Decimal]:
    """The target of each subject for each window; without an entry there is none.

    One question for all of them. Goals in another currency than the one asked for are left out: a target is a promise
    in its own currency, and no day's rate turns it into another.
    """
    found = await session.execute(queries.aims_as_known(org_id, _sought(kpi, subjects, windows, known_at)))
    aims: dict[Subject, list[Aimed]] = defaultdict(list)
    for goal, target in found:
        if target.value is not None and (currency is None or goal.currency in {None, currency}):
            aims[_owner(goal)].append(Aimed(goal, target.value))
    parts = Parts(session, org_id, known_at)
    values: dict[tuple[Subject, Days], Decimal] = {}
    for subject in subjects:
        for window in windows if subject in aims else ():
            value = await _target(aims[subject], DayRange(*window), parts, is_additive=is_additive)
            if value is not None:
                values[subject, window] = value
    return values


async def target_changes(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpi: str,
    subjects: Sequence[Subject],
    during: Days,
    known_at: datetime,
) -> dict[Subject, list[TargetChange]]:
    """When the targets of the subjects' goals were revised on these days, in time order."""
    found = await session.execute(queries.aims_ever(org_id, _sought(kpi, subjects, [during], known_at)))
    rows = sorted(found.all(), key=lambda row: row[0].id)
    zone = (await calendar_settings(session, org_id, known_at)).zone
    changes: dict[Subject, list[TargetChange]] = defaultdict(list)
    for _, group in groupby(rows, key=lambda row: row[0].id):
        revisions = list(group)
        for (goal, before), (_, after) in pairwise(revisions):
            on = local_day(after.recorded_at, zone)
            if during.start <= on < during.end and (shown := (_told(before), _told(after)))[0] != shown[1]:
                changes[_owner(goal)].append(TargetChange(on, goal.name, *shown))
    return {
        subject: sorted(each, key=lambda change: change.on) for subject, each in changes.items() if subject in subjects
    }


AIMS = Aims(target_values, target_changes)


def _told(target: GoalTarget) -> str:
    if target.value is not None:
        return f"{target.value.normalize():f}"
    return " to ".join(f"{edge.normalize():f}" for edge in (target.low, target.high) if edge is not None)


def _sought(kpi: str, subjects: Sequence[Subject], windows: Sequence[Days], known_at: datetime) -> queries.Sought:
    return queries.Sought(
        kpi_key=kpi,
        team_ids=[subject.id for subject in subjects if subject.kind == "team" and subject.id],
        member_ids=[subject.id for subject in subjects if subject.kind == "member" and subject.id],
        first=min((days.start for days in windows), default=date.max),
        end=max((days.end for days in windows), default=date.min),
        known_at=known_at,
    )


def _owner(goal: Goal) -> Subject:
    if goal.team_id is not None:
        return Subject("team", goal.team_id)
    return Subject("organization") if goal.member_id is None else Subject("member", goal.member_id)


async def _target(aims: Sequence[Aimed], window: DayRange, parts: "Parts", *, is_additive: bool) -> Decimal | None:
    if (same := tiling.exact(aims, window)) is not None:
        return same.value
    if is_additive and (tiles := tiling.tiles(aims, window)):
        return sum((aimed.value for aimed in tiles), Decimal(0))
    around = tiling.enclosing(aims, window)
    if around is None or not is_additive:
        return None if around is None else around.value
    return await parts.of(around, window)


class Parts:
    """The parts of goals that fall on windows, by the owner's working time; everything is read once for all goals."""

    def __init__(self, session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> None:
        self._session, self._org_id, self._known_at = session, org_id, known_at
        self._calendars: Calendars | None = None
        self._attributor: Attributor | None = None
        self._terms: Mapping[UUID, TermsOfMember] = {}
        self._work: dict[Goal, tuple[Work, ...]] = {}
        self._shares: dict[tuple[object, ...], Fraction] = {}

    async def of(self, aimed: Aimed, window: DayRange) -> Decimal:
        """The goal's target times the window's share of its working time."""
        work = await self._work_of(aimed.goal)
        return part_of(aimed.value, self._share(work, window.end) - self._share(work, window.start))

    def _share(self, work: tuple[Work, ...], day: date) -> Fraction:
        """Most people work the same hours: what is expected of one by a day is of many."""
        key = (day, *((id(item.calendar), item.days, item.part) for item in work))
        if key not in self._shares:
            self._shares[key] = expected_share(work, day)
        return self._shares[key]

    async def _work_of(self, goal: Goal) -> tuple[Work, ...]:
        if goal not in self._work:
            calendars, attributor = await self._load()
            days: Mapping[UUID, Sequence[Days]] = {}
            if goal.member_id is not None:
                days = {goal.member_id: [ALL_TIME]}
            elif goal.team_id is not None:
                days = attributor.days_within(goal.team_id)
            self._work[goal] = tuple(work_in(goal, days, self._terms, calendars))
        return self._work[goal]

    async def _load(self) -> tuple[Calendars, Attributor]:
        if self._calendars is None or self._attributor is None:
            self._calendars = await calendars_as_known(self._session, self._org_id, self._known_at)
            structure = await load_structure(self._session, self._org_id, self._known_at)
            self._attributor = Attributor(structure, "at_event", date.min)
            rows = queries.assignments_as_known(self._org_id, list(structure.members), self._known_at)
            self._terms = terms_of((await self._session.execute(rows)).scalars())
        return self._calendars, self._attributor
