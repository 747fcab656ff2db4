"""The targets beside results: for each window what was aimed at (S22). The `Targets` port of the engine."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial, reduce
from itertools import groupby, pairwise
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, local_day
from app.calendars.service import calendar_settings
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.goals import queries, tiling
from app.goals.models import Goal, GoalTarget
from app.goals.pace import part_of
from app.goals.work import Schedules, owner_of, schedules_of
from app.kpis.attribution import Days, Subject
from app.kpis.formulas import FORMULA
from app.kpis.ports import Aims, TargetChange


@dataclass(frozen=True, slots=True)
class Aimed:
    """A goal with its target as known."""

    goal: Goal
    value: Decimal
    ramp_id: UUID | None = None

    @property
    def period(self) -> DayRange:
        return DayRange(self.goal.start_on, self.goal.end_on)


async def target_values(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpis: Mapping[str, bool],
    subjects: Sequence[Subject],
    windows: Sequence[Days],
    known_at: datetime,
    currency: str | None = None,
) -> dict[tuple[str, Subject, Days], Decimal]:
    """The target of each KPI, subject and window; without an entry there is none.

    One question for all of them; `kpis` says of each whether it adds up. Targets that add up are the effective ones,
    without the part that absences (S31) and ramps (S33) take away. Goals in another currency than the one asked for are
    left out: a target is a promise in its own currency, and no day's rate turns it into another.
    """
    load = partial(
        _target_values,
        session,
        org_id,
        kpis=kpis,
        subjects=subjects,
        windows=windows,
        known_at=known_at,
        currency=currency,
    )
    key = ("targets", tuple(kpis.items()), tuple(subjects), tuple(windows), currency)
    return await remembered(session, org_id, known_at, key, load)


async def _target_values(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpis: Mapping[str, bool],
    subjects: Sequence[Subject],
    windows: Sequence[Days],
    known_at: datetime,
    currency: str | None,
) -> dict[tuple[str, Subject, Days], Decimal]:
    found = await session.execute(queries.aims_as_known(org_id, _sought(kpis, subjects, windows, known_at)))
    aims: dict[tuple[str, Subject], list[Aimed]] = defaultdict(list)
    for goal, target in found:
        if target.value is not None and (currency is None or goal.currency in {None, currency}):
            aims[goal.kpi_key, owner_of(goal)].append(Aimed(goal, target.value, target.ramp_id))
    schedules = schedules_of(session, org_id, known_at)
    wanted = set(subjects)
    values: dict[tuple[str, Subject, Days], Decimal] = {}
    for (kpi, subject), goals in aims.items():
        for window in windows if subject in wanted else ():
            value = await _target(goals, DayRange(*window), schedules, is_additive=kpis[kpi])
            if value is not None:
                values[kpi, subject, window] = value
    return values


async def target_changes(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpis: Sequence[str],
    subjects: Sequence[Subject],
    during: Days,
    known_at: datetime,
) -> dict[tuple[str, Subject], list[TargetChange]]:
    """When the targets of the subjects' goals with each KPI were revised on these days, in time order."""
    load = partial(_target_changes, session, org_id, kpis=kpis, subjects=subjects, during=during, known_at=known_at)
    key = ("target changes", tuple(kpis), tuple(subjects), during)
    return await remembered(session, org_id, known_at, key, load)


async def _target_changes(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpis: Sequence[str],
    subjects: Sequence[Subject],
    during: Days,
    known_at: datetime,
) -> dict[tuple[str, Subject], list[TargetChange]]:
    found = await session.execute(queries.aims_ever(org_id, _sought(kpis, subjects, [during], known_at)))
    rows = sorted(found.all(), key=lambda row: row[0].id)
    zone = (await calendar_settings(session, org_id, known_at)).zone
    changes: dict[tuple[str, Subject], list[TargetChange]] = defaultdict(list)
    for _, group in groupby(rows, key=lambda row: row[0].id):
        revisions = list(group)
        for (goal, before), (_, after) in pairwise(revisions):
            on = local_day(after.recorded_at, zone)
            if during.start <= on < during.end and (shown := (told(before), told(after)))[0] != shown[1]:
                changes[goal.kpi_key, owner_of(goal)].append(TargetChange(on, goal.name, *shown))
    wanted = set(subjects)
    return {
        (kpi, subject): sorted(each, key=lambda change: change.on)
        for (kpi, subject), each in changes.items()
        if subject in wanted
    }


AIMS = Aims(target_values, target_changes)


def told(target: GoalTarget) -> str:
    """A target as a reader writes it."""
    if target.value is not None:
        return f"{target.value.normalize():f}"
    return " to ".join(f"{edge.normalize():f}" for edge in (target.low, target.high) if edge is not None)


def _sought(
    kpis: Iterable[str], subjects: Sequence[Subject], windows: Sequence[Days], known_at: datetime
) -> queries.Sought:
    return queries.Sought(
        kpi_keys=list(kpis),
        team_ids=[subject.id for subject in subjects if subject.kind == "team" and subject.id],
        member_ids=[subject.id for subject in subjects if subject.kind == "member" and subject.id],
        first=min((days.start for days in windows), default=date.max),
        end=max((days.end for days in windows), default=date.min),
        known_at=known_at,
    )


async def _target(
    aims: Sequence[Aimed], window: DayRange, schedules: Schedules, *, is_additive: bool
) -> Decimal | None:
    same = tiling.exact(aims, window)
    around = same or tiling.enclosing(aims, window)
    if not is_additive:
        return None if around is None else around.value
    if tiles := [same] if same else tiling.tiles(aims, window):
        return reduce(FORMULA.add, [await _effective(aimed, schedules) for aimed in tiles])
    return None if around is None else await _part(around, window, schedules)


async def _effective(aimed: Aimed, schedules: Schedules) -> Decimal:
    """What absences and the ramp leave of the target."""
    kept = await schedules.kept(aimed.goal, aimed.ramp_id)
    return aimed.value if kept == 1 else part_of(aimed.value, kept)


async def _part(aimed: Aimed, window: DayRange, schedules: Schedules) -> Decimal:
    """The window's share of the working time, of what absences and the ramp leave of the target."""
    share = (await schedules.of(aimed.goal, aimed.ramp_id)).share_of(window)
    return part_of(aimed.value, await schedules.kept(aimed.goal, aimed.ramp_id) * share)
