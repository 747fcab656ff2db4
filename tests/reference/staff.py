"""Working time, head count and full-time equivalents of whom a figure is about (S23)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from tests.reference.days import Window, first_instant
from tests.reference.evaluate import EXACT, FORMULA
from tests.reference.snapshot import Among, Snapshot, Subject


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
            total += Decimal(1) if function == "headcount" else part_of_full_time(snapshot, member, day)
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


def part_of_full_time(snapshot: Snapshot, member: str, day: date) -> Decimal:
    """The part of a full-time job that a member has on a day."""
    assignment = snapshot.assignment_of(member, day)
    return Decimal(1) if assignment is None else assignment.fte


def _worked(snapshot: Snapshot, member: str, day: date) -> Decimal:
    """The working time of their calendar's day up to T, by their part of a full-time job."""
    work = snapshot.work_of(member, day)
    long_before = snapshot.at.replace(year=1900)
    return EXACT.multiply(work.seconds_on(day, long_before, snapshot.at), part_of_full_time(snapshot, member, day))
