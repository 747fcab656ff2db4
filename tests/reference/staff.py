"""Working time, head count and full-time equivalents of whom a figure is about (S23)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.reference.days import Window, first_instant
from tests.reference.evaluate import EXACT, FORMULA
from tests.reference.snapshot import Among, Snapshot, Subject
from tests.reference.world import Effect


def staff_figure(
    function: str, snapshot: Snapshot, subject: Subject, window: Window, among: Among | None
) -> Decimal | None:
    """`working_hours` in seconds, else the mean over the days that have begun by T; None where there are none."""
    if function == "working_hours":
        return sum(
            (
                _worked(snapshot, member, day)
                for day in window.days()
                for member in in_scope(snapshot, subject, day, among)
            ),
            Decimal(0),
        )
    days = [day for day in window.days() if first_instant(day, snapshot.zone) <= snapshot.at]
    if not days:
        return None
    total = Decimal(0)
    for day in days:
        for member in in_scope(snapshot, subject, day, among):
            total += Decimal(1) if function == "headcount" else _part(snapshot, member, day)
    return FORMULA.divide(total, Decimal(len(days)))


def in_scope(snapshot: Snapshot, subject: Subject, day: date, among: Among | None) -> Iterable[str]:
    """The members of a subject on a day: employed, in the team, not absent."""
    for member in snapshot.members:
        is_meant = _is_of(snapshot, subject, member, day) and (among is None or among(member, day))
        if is_meant and snapshot.is_at_work(member, day):
            yield member


def _is_of(snapshot: Snapshot, subject: Subject, member: str, day: date) -> bool:
    teams = snapshot.teams_of(member, day if snapshot.attribution == "at_event" else snapshot.today)
    match subject.kind:
        case "organization":
            return True
        case "unassigned":
            return not teams
        case "team":
            return subject.key in teams
        case "member_in_team":
            return member == subject.key and subject.team in teams
    return member == subject.key


def _part(snapshot: Snapshot, member: str, day: date) -> Decimal:
    assignment = snapshot.assignment_of(member, day)
    return Decimal(1) if assignment is None else assignment.fte


def _worked(snapshot: Snapshot, member: str, day: date) -> Decimal:
    """The working time of their calendar's day up to T, by their part of a full-time job."""
    work = snapshot.work_of(member, day)
    long_before = snapshot.at.replace(year=1900)
    return EXACT.multiply(work.seconds_on(day, long_before, snapshot.at), _part(snapshot, member, day))


@dataclass(frozen=True)
class WorkDay:
    """A day's working time of one of those who do an owner's work, in seconds; away or not."""

    day: date
    seconds: Decimal
    absence: Effect | None = None


def planned(snapshot: Snapshot, owner: tuple[str, str], days: Sequence[date]) -> list[WorkDay]:
    """The working days of a goal's owner (S31).

    The organization's own calendar; of a member the days employed, of a team those of its members in it, by part time.
    Where there are no such days, the organization's.
    """
    kind, key = owner
    found: list[WorkDay] = []
    for day in days if kind != "organization" else []:
        for member in snapshot.members:
            is_meant = member == key if kind == "member" else key in snapshot.teams_of(member, day)
            if is_meant and snapshot.is_employed(member, day):
                seconds = snapshot.work_of(member, day).clock_seconds(day) * _part(snapshot, member, day)
                absence = snapshot.absence_of(member, day)
                found.append(WorkDay(day, seconds, None if absence is None else absence.effect))
    return found or [WorkDay(day, snapshot.work.clock_seconds(day)) for day in days]
