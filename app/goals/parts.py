"""The sum of a goal's parts: what each achieved, and what of each one's target counts, nothing twice (S8, S33).

That sum stands beside the goal's target as it was set. A part of a team, or of the same owner for other days, counts as
it was set too; a member's counts as far as absences and ramp leave it, by working time in the goal's team.

The widest part comes first: a team's before those of teams and members in it. Of a later part only that counts which no
earlier one does: the days on which its people are in none of them. So a member's part below a team's part adds nothing
while the member is in that team, neither to what was achieved nor to what is aimed at.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import reduce
from uuid import UUID

from app.calendars.periods import LONGEST_RUN_OF_DAYS, DayRange, Grain, Window
from app.core.ids import NIL
from app.goals import queries
from app.goals.asked import Asking
from app.goals.models import Goal, GoalTarget
from app.goals.pace import part_of
from app.goals.service import period_of
from app.goals.work import Members, Schedules, owner_of
from app.kpis.attribution import ALL_TIME, Days, Subject, complement, intersect, union
from app.kpis.engine import MAX_CELLS
from app.kpis.formulas import FORMULA
from app.kpis.questions import Cell, Status

Runs = Sequence[Days]
Earlier = dict[UUID, list[tuple[UUID, Runs]]]
"""For each member the parts that count some of their days already."""
_DAY = timedelta(days=1)
_SIX_PLACES = Decimal("0.000001")
EVERYBODY = NIL
"""In the place of a member: all that the organization does."""


@dataclass(frozen=True)
class Share:
    """A part, and what of it counts.

    `taken` are the days on which earlier parts, `counted_in`, count the same people.
    """

    goal: Goal
    terms: GoalTarget
    subject: Subject
    days: Days
    taken: Mapping[UUID, Runs] = field(default_factory=dict)
    counted_in: tuple[UUID, ...] = ()
    time: Fraction = Fraction(1)
    target: Decimal | None = None

    @property
    def target_counted(self) -> Decimal | None:
        """That share of its target, to six places as targets have them: what rounding a target left is no gap."""
        return None if self.target is None else part_of(self.target, self.time).quantize(_SIX_PLACES, ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Whole:
    """The parts with what each achieved by day, and their sum."""

    shares: Sequence[Share]
    daily: Sequence[Mapping[date, Decimal]]
    cells: Sequence[Cell]
    cell: Cell

    @property
    def target(self) -> Decimal:
        """The sum of what counts of their targets."""
        return reduce(FORMULA.add, (share.target_counted or Decimal(0) for share in self.shares), Decimal(0))


async def whole_of(asking: Asking, schedules: Schedules, known_at: datetime, end: date) -> Whole:
    """The sum of the goal's parts as known, of the days before `end`."""
    goal = asking.goal
    found = await asking.session.execute(queries.parts_as_known(goal.org_id, goal.id, known_at))
    shares = await shares_of(goal, [(part, terms) for part, terms in found], schedules)
    gathered = [_Gathered() for _ in shares]
    for run, wanted in _questions(goal, shares, end).items():
        subjects = list(dict.fromkeys(subject for _, subject, _ in wanted))
        totals = await asking.over(*run, *subjects)
        daily = await _by_day(asking, run, subjects)
        for place, subject, sign in wanted:
            gathered[place].add(totals[subject], [(window.end - _DAY, cell) for window, cell in daily[subject]], sign)
    cells = [each.cell for each in gathered]
    return Whole(shares, [each.daily for each in gathered], cells, _sum(cells))


async def _by_day(asking: Asking, run: Days, subjects: Sequence[Subject]) -> dict[Subject, list[tuple[Window, Cell]]]:
    """The days of each, or the months of very long periods: of so many at once as one question may be about."""
    days = (run.end - run.start).days
    step: Grain = "day" if days <= LONGEST_RUN_OF_DAYS else "month"
    many = max(MAX_CELLS // (days + 1), 1)
    found: dict[Subject, list[tuple[Window, Cell]]] = {}
    for first in range(0, len(subjects), many):
        found |= await asking.by(step, *run, *subjects[first : first + many])
    return found


def _questions(goal: Goal, shares: Sequence[Share], end: date) -> dict[Days, list[tuple[int, Subject, int]]]:
    """What is asked over which days: of each part its owner's figure, less that of its people on taken days."""
    wanted: dict[Days, list[tuple[int, Subject, int]]] = defaultdict(list)
    for place, share in enumerate(shares):
        days = Days(share.days.start, min(share.days.end, end))
        if days.start < days.end:
            wanted[days].append((place, share.subject, 1))
            for member, runs in share.taken.items():
                one = Subject("member", member, share.subject.id) if share.subject.kind == "team" else share.subject
                for run in intersect(runs, [days]):
                    wanted[run].append((place, one, -1))
    return wanted


class _Gathered:
    """What is told of a part, added up."""

    def __init__(self) -> None:
        self.value: Decimal | None = Decimal(0)
        self.sample = self.left_out = 0
        self.daily: dict[date, Decimal] = defaultdict(Decimal)
        self.version: set[int | None] = set()
        self.refused: Status | None = None

    def add(self, cell: Cell, days: Sequence[tuple[date, Cell]], sign: int) -> None:
        if cell.value is None:
            self.refused = self.refused or cell.status
            return
        self.value = FORMULA.add(self.value or Decimal(0), cell.value * sign)
        self.sample += cell.sample * sign
        self.left_out += cell.left_out * sign
        self.version.add(cell.kpi_version)
        for day, each in days:
            self.daily[day] = FORMULA.add(self.daily[day], (each.value or Decimal(0)) * sign)

    @property
    def cell(self) -> Cell:
        if self.refused is not None:
            return Cell(None, self.refused)
        version = next(iter(self.version)) if len(self.version) == 1 else None
        return Cell(self.value, "partial" if self.left_out else "ok", self.sample, version, self.left_out)


def _sum(cells: Sequence[Cell]) -> Cell:
    """The sum; no value where one has none. Events that two parts share count in the sample of each."""
    for cell in cells:
        if cell.value is None:
            return Cell(None, cell.status)
    versions = {cell.kpi_version for cell in cells}
    left_out = sum(cell.left_out for cell in cells)
    return Cell(
        reduce(FORMULA.add, (cell.value for cell in cells if cell.value is not None), Decimal(0)),
        "partial" if left_out else "ok",
        sum(cell.sample for cell in cells),
        versions.pop() if len(versions) == 1 else None,
        left_out,
    )


# ------------------------------------------------------------------------------------------------- what counts


async def shares_of(goal: Goal, parts: Sequence[tuple[Goal, GoalTarget]], schedules: Schedules) -> list[Share]:
    """The parts, the widest first, each with the days that earlier ones take from it."""
    inside = await schedules.members(owner_of(goal))
    people = [(part, terms, await _people(part, goal, inside, schedules)) for part, terms in parts]
    people.sort(key=lambda each: (*_width(each[0]), -len(each[2]), each[0].created_at, each[0].id))
    shares: list[Share] = []
    earlier: Earlier = defaultdict(list)
    for part, terms, members in people:
        shares.append(await _share(goal, part, terms, members, earlier, schedules))
        for member, runs in members.items():
            earlier[member].append((part.id, runs))
    return shares


async def _people(part: Goal, goal: Goal, inside: Members, schedules: Schedules) -> Members:
    """Whose work a part is, on which days: those of its owner within the goal's, in both periods."""
    days = _days(part, goal)
    if owner_of(part).kind == "organization":
        return {EVERYBODY: [days]}
    if part.member_id is not None:
        there = inside.get(part.member_id, ()) if goal.team_id is not None else [ALL_TIME]
        return {part.member_id: intersect(there, [days])}
    members = await schedules.members(owner_of(part))
    found = {member: intersect(runs, [days]) for member, runs in members.items()}
    return {member: runs for member, runs in found.items() if runs}


def _width(part: Goal) -> tuple[bool, bool]:
    return part.member_id is not None, part.team_id is not None


def _days(part: Goal, goal: Goal) -> Days:
    return Days(max(part.start_on, goal.start_on), min(part.end_on, goal.end_on))


async def _share(
    goal: Goal,
    part: Goal,
    terms: GoalTarget,
    members: Members,
    earlier: Earlier,
    schedules: Schedules,
) -> Share:
    taken: dict[UUID, Runs] = {}
    counted_in: dict[UUID, None] = {}
    for member, runs in members.items():
        before = [(id_, both) for id_, other in _of(earlier, member) if (both := intersect(runs, other))]
        if before:
            taken[member] = union(run for _, both in before for run in both)
            counted_in.update((id_, None) for id_, _ in before)
    subject = owner_of(part)
    if part.member_id is not None and goal.team_id is not None:
        subject = Subject("member", part.member_id, goal.team_id)
    owner, period = owner_of(part), period_of(part)
    kept = await kept_of(owner, period, owner_of(goal), terms.ramp_id, schedules)
    return Share(
        goal=part,
        terms=terms,
        subject=subject,
        days=_days(part, goal),
        taken=taken,
        counted_in=tuple(counted_in),
        time=await time_of(owner, period, members, taken, schedules),
        target=None if terms.value is None else part_of(terms.value, kept),
    )


def _of(earlier: Earlier, member: UUID) -> list[tuple[UUID, Runs]]:
    return earlier[EVERYBODY] + (earlier[member] if member != EVERYBODY else [])


async def kept_of(
    owner: Subject, period: DayRange, above: Subject, ramp_id: UUID | None, schedules: Schedules
) -> Fraction:
    """What of a part's target is left to count in the goal above: a member's after absences and ramp (S31, S33)."""
    if owner.kind != "member" or owner == above:
        return Fraction(1)
    return (await schedules.over(owner, period, ramp_id)).kept


async def time_of(
    owner: Subject, period: DayRange, members: Members, taken: Mapping[UUID, Runs], schedules: Schedules
) -> Fraction:
    """The share of the owner's working time in the part's period that counts; by days where nobody works.

    `members` are those whose work the part is with their days in the goal's team, `taken` the days of them that other
    parts count.
    """
    if owner.kind == "organization":
        schedule = await schedules.over(owner, period)
        gone = (schedule.share_of(DayRange(*run)) for runs in taken.values() for run in runs)
        return 1 - sum(gone, Fraction(0))
    if not taken and (owner.kind == "team" or _covers(members, period)):
        return Fraction(1)
    counted = {member: intersect(runs, complement(list(taken.get(member, ())))) for member, runs in members.items()}
    own = {member: [ALL_TIME] for member in members} if owner.kind == "member" else members
    whole = (await schedules.within(own, period)).working_time
    if whole:
        return (await schedules.within(counted, period)).working_time / whole
    return _by_days(counted, own, period)


def _covers(members: Members, period: DayRange) -> bool:
    span = Days(period.start, period.end)
    return bool(members) and all(list(intersect(runs, [span])) == [span] for runs in members.values())


def _by_days(counted: Members, own: Members, period: DayRange) -> Fraction:
    span = [Days(period.start, period.end)]
    whole, there = (
        sum((run.end - run.start).days for runs in people.values() for run in intersect(runs, span))
        for people in (own, counted)
    )
    return Fraction(there, whole) if whole else Fraction(1)
