"""Loads what was reached before in periods of a goal's kind, and makes it comparable (G5)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import get_args
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import CalendarSettings, DayRange, Grain, local_day, parse_period, previous_period, windows
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.db import OrganizationId
from app.employment.loading import load_staff
from app.goals.precision import decimals_of
from app.goals.smart.history import (
    LEAST_PEERS,
    LEAST_PERIODS,
    MOST_PERIODS,
    History,
    Past,
    drawn_together,
    scaled,
)
from app.goals.smart.writing import Manner
from app.goals.targets import target_values
from app.goals.work import Schedules, schedules_of
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.questions import Answer, Cell, Query
from app.kpis.schemas import Kpi
from app.teams.structure import load_structure

MOST_PEERS = 50
RECENT_DAYS = 90
LEFT_OUT_AT_MOST = Decimal("0.1")
"""Of a period's events: with more of them unconverted its figure is no measure of what was reached."""
_YEARS_BACK = 2
_LEAST_DAYS_IN_MONTHS = 56
_DAYS_OF_A_MONTH = 30.4
_FARTHEST = 400


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose ledger, and from which instants it is seen (S5); `as_of` is the one that was asked for, None: the present.

    `schedules` are as known by then, the same for all that is asked in one answer; `figures` those that were asked for.
    """

    org_id: OrganizationId
    at: datetime
    known_at: datetime
    cut: CalendarSettings
    schedules: Schedules
    as_of: datetime | None = None
    figures: dict[Hashable, Cell] = field(default_factory=dict, compare=False)

    @property
    def today(self) -> date:
        """The local day of T."""
        return local_day(self.at, self.cut.zone)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose figures of which KPI are to be compared with those of which days."""

    kpi: Kpi
    subject: Subject
    period: DayRange
    currency: str | None = None
    rate_set: str | None = None
    ramp_id: UUID | None = None

    @property
    def manner(self) -> Manner:
        """How its values are written."""
        is_duration = self.kpi.unit.kind == "duration" and self.kpi.unit.per is None
        return Manner(self.decimals, self.kpi.display.as_percent, self.currency, is_duration)

    @property
    def decimals(self) -> int:
        """How exactly targets of the KPI are written; never finer than its currency or than a target can be."""
        return decimals_of(self.kpi, self.currency)


async def seen_at(session: AsyncSession, org_id: OrganizationId, as_of: datetime | None) -> Seen:
    """The instants of an answer in the session's snapshot."""
    at = as_of or await clock.now(session, org_id)
    known_at = as_of or await clock.last_recorded(session, org_id)
    cut = await calendar_settings(session, org_id, known_at)
    return Seen(org_id, at, known_at, cut, schedules_of(session, org_id, known_at), as_of)


async def history_of(session: AsyncSession, seen: Seen, asked: Asked) -> History:
    """The owner's whole periods before, else their months, else periods of peers; at most 12 of each."""
    periods = periods_before(asked.period, seen)
    own = await _values(session, seen, asked, [asked.subject], periods)
    if len(own) >= LEAST_PERIODS:
        return History("own", tuple(own), periods=len(own))
    if asked.period.days >= _LEAST_DAYS_IN_MONTHS:
        in_months = await _values(session, seen, asked, [asked.subject], _months_before(asked.period, seen))
        if len(in_months) >= LEAST_PERIODS:
            months = max(round(asked.period.days / _DAYS_OF_A_MONTH), 1)
            return History("own_months", drawn_together(in_months, months), periods=len(in_months))
    peers = await _peers(session, seen, asked)
    known = await _values(session, seen, asked, peers, periods[: MOST_PERIODS // 2])
    people = len({each.member for each in known})
    if people >= LEAST_PEERS and len(known) >= LEAST_PERIODS:
        return History("peers", tuple(known), periods=len(own), people=people)
    return History("none", periods=len(own), people=people, reason=await _why_none(seen, asked, len(own)))


async def _why_none(seen: Seen, asked: Asked, periods: int) -> str:
    if asked.kpi.is_additive:
        of_goal = await seen.schedules.over(asked.subject, asked.period, asked.ramp_id)
        if not of_goal.working_time:
            return "nobody works for it in its days."
    there = "is one whole period" if periods == 1 else f"are {periods} whole periods"
    reason = f"there {there} with figures like it before; {LEAST_PERIODS} are needed."
    if asked.subject.kind == "member":
        reason = reason.replace(";", f", and fewer than {LEAST_PEERS} colleagues in the same role to compare with;")
    return reason


async def recent_of(session: AsyncSession, seen: Seen, asked: Asked) -> Cell:
    """The figure of the last 90 days and today."""
    return (await _cells(session, seen, asked, [asked.subject], [_recent(seen)]))[asked.subject][0]


async def prepare(session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject]) -> None:
    """Ask for the figures of many subjects at once, of each of whom `history_of` will be asked."""
    for periods in (periods_before(asked.period, seen), [_recent(seen)]):
        if periods:
            await _cells(session, seen, asked, subjects, periods)


def _recent(seen: Seen) -> DayRange:
    return DayRange(seen.today - timedelta(days=RECENT_DAYS), seen.today + timedelta(days=1))


def periods_before(period: DayRange, seen: Seen) -> list[DayRange]:
    """The whole periods of the same kind that are over, the latest first."""
    found: list[DayRange] = []
    before = period
    for _ in range(_FARTHEST):
        if len(found) == MOST_PERIODS or before.start.year <= date.min.year + 10:
            break
        before = previous_period(before, seen.cut)
        if before.end <= seen.today:
            found.append(before)
    return found


def _months_before(period: DayRange, seen: Seen) -> list[DayRange]:
    first = min(period.start, seen.today)
    month = parse_period(f"{first:%Y-%m}", seen.today, seen.cut)
    return periods_before(month, seen)


async def _values(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], periods: Sequence[DayRange]
) -> list[Past]:
    """Each subject's periods, as they would be in the goal's; those before anything happened left out."""
    of_goal = await seen.schedules.over(asked.subject, asked.period, asked.ramp_id)
    kept = of_goal.kept if asked.subject.id else Fraction(1)
    values: list[Past] = []
    if asked.kpi.is_additive and not (kept and of_goal.working_time):
        return values
    for subject, found in (await _recorded(session, seen, asked, subjects, periods)).items():
        member = None if subject == asked.subject else subject.id
        for cell, period in found:
            value = cell.value
            if value is not None and asked.kpi.is_additive:
                past = (await seen.schedules.over(subject, period)).working_time
                value = scaled(value, past, of_goal.working_time / kept)
            if value is not None and cell.value is not None:
                values.append(Past(period, cell.value, value, member))
    return values


async def _recorded(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], periods: Sequence[DayRange]
) -> dict[Subject, list[tuple[Cell, DayRange]]]:
    """The figures that can be compared: not of periods before the first event, or of which too much was left out."""
    if not subjects or not periods:
        return {}
    cells = await _cells(session, seen, asked, subjects, periods)
    silent = [subject for subject in subjects if _is_empty(cells[subject][-1])]
    older = await _older(session, seen, asked, silent, periods[-1])
    found = {}
    for subject in subjects:
        known = list(zip(cells[subject], periods, strict=True))
        while known and subject not in older and _is_empty(known[-1][0]):
            known.pop()  # the oldest: nothing was recorded of them yet
        found[subject] = [(cell, period) for cell, period in known if not _is_marred(cell)]
    return found


def _is_empty(cell: Cell) -> bool:
    return not cell.sample and not cell.left_out and not cell.value


def _is_marred(cell: Cell) -> bool:
    return cell.left_out > LEFT_OUT_AT_MOST * Decimal(cell.sample + cell.left_out)


async def _older(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], period: DayRange
) -> set[Subject]:
    """Those of whom something had happened before: then a period without anything is one like others."""
    if not subjects:
        return set()
    first = period.start.replace(year=max(period.start.year - _YEARS_BACK, date.min.year), day=1)
    answer = await _answer(session, seen, asked, subjects, _days(DayRange(first, period.start)), "total")
    return {series.subject for series in answer.series if not _is_empty(series.total)}


async def _cells(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], periods: Sequence[DayRange]
) -> dict[Subject, list[Cell]]:
    """A figure of each subject for each period."""
    whose = (asked.kpi.key, asked.currency, asked.rate_set)
    wanted = [subject for subject in subjects if any((*whose, subject, each) not in seen.figures for each in periods)]
    if wanted:
        for subject, cells in (await _asked(session, seen, asked, wanted, periods)).items():
            seen.figures.update({(*whose, subject, each): cell for each, cell in zip(periods, cells, strict=True)})
    return {subject: [seen.figures[(*whose, subject, each)] for each in periods] for subject in subjects}


async def _asked(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], periods: Sequence[DayRange]
) -> dict[Subject, list[Cell]]:
    """The same computed: in one question where the periods are tiles of the calendar."""
    whole = DayRange(periods[-1].start, periods[0].end)
    wanted = [(period.start, period.end) for period in reversed(periods)]
    for grain in get_args(Grain):
        tiles = windows(whole, grain, seen.cut) if whole.days <= len(periods) * 400 else []
        if [(tile.start, tile.end) for tile in tiles] == wanted:
            answer = await _answer(session, seen, asked, subjects, _days(whole), grain)
            return {series.subject: list(reversed(series.cells)) for series in answer.series}
    found: dict[Subject, list[Cell]] = {subject: [] for subject in subjects}
    for period in periods:
        for series in (await _answer(session, seen, asked, subjects, _days(period), "total")).series:
            found[series.subject].append(series.total)
    return found


async def _answer(
    session: AsyncSession, seen: Seen, asked: Asked, subjects: Sequence[Subject], period: str, grain: Grain
) -> Answer:
    query = Query(
        kpis=[asked.kpi.key],
        subjects=subjects,
        period=period,
        grain=grain,
        currency=asked.currency,
        rate_set=asked.rate_set,
        as_of=seen.as_of,  # of the present none is named: kept figures serve only those who ask so
        known_at=seen.as_of,
    )
    return await compute(session, seen.org_id, query, targets=target_values)


def _days(period: DayRange) -> str:
    return f"{period.start}..{period.end - timedelta(days=1)}"


async def _peers(session: AsyncSession, seen: Seen, asked: Asked) -> list[Subject]:
    """Who has the same revenue role today, without the member."""
    if asked.subject.kind != "member" or asked.subject.id is None:
        return []
    staff = await load_staff(session, seen.org_id, seen.known_at)
    own = staff.terms_on(asked.subject.id, seen.today)
    if own is None or own.revenue_role is None:
        return []
    members = (await load_structure(session, seen.org_id, seen.known_at)).members
    others = (
        member
        for member in sorted(staff.terms, key=str)
        if member != asked.subject.id
        and member in members
        and (terms := staff.terms_on(member, seen.today)) is not None
        and terms.revenue_role == own.revenue_role
    )
    return [Subject("member", member) for member in others][:MOST_PEERS]
