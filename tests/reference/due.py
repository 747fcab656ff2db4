"""What of a goal is asked for, and how much of it is due when: person by person and day by day (S31, S33)."""

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.reference.days import Window
from tests.reference.snapshot import Snapshot
from tests.reference.staff import part_of_full_time
from tests.reference.world import Effect, Goal

ONE = Fraction(1)


@dataclass(frozen=True)
class WorkDay:
    """A day's working time of one of those who do an owner's work, in seconds by part time; away or not.

    `asked` is the share of the full target that the ramp asks for on this day. `member` None is the organization's.
    """

    member: str | None
    day: date
    seconds: Fraction
    absence: Effect | None = None
    asked: Fraction = ONE


def planned(snapshot: Snapshot, owner: tuple[str, str], days: Sequence[date], ramp: str | None = None) -> list[WorkDay]:
    """The days of a goal's owner: the organization's own calendar; of a member the days employed, of a team those of
    its members in it (S31). Where there are no such days, the organization's.
    """
    kind, key = owner
    found: list[WorkDay] = []
    for day in days if kind != "organization" else []:
        for member in snapshot.members:
            is_meant = member == key if kind == "member" else key in snapshot.teams_of(member, day)
            if is_meant and snapshot.is_employed(member, day):
                absence = snapshot.absence_of(member, day)
                found.append(
                    WorkDay(
                        member,
                        day,
                        Fraction(snapshot.work_of(member, day).clock_seconds(day))
                        * Fraction(part_of_full_time(snapshot, member, day)),
                        None if absence is None else absence.effect,
                        asked_of(snapshot, member, day, ramp),
                    )
                )
    return found or [WorkDay(None, day, Fraction(snapshot.work.clock_seconds(day))) for day in days]


def asked_of(snapshot: Snapshot, member: str, day: date, ramp: str | None) -> Fraction:
    """The ramp's share in the month of service that a day lies in, counted from joining; then the whole (S33)."""
    if ramp is None:
        return ONE
    (shares,) = [each.shares for each in snapshot.ramps if each.key == ramp]
    joined = next(
        (each.valid_from for each in snapshot.employments if each.member == member and each.holds_on(day)), None
    )
    if joined is None:
        return ONE
    months = 0
    while months < len(shares) and _months_after(joined, months + 1) <= day:
        months += 1
    return Fraction(shares[months]) if months < len(shares) else ONE


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


# ------------------------------------------------------------------------------------------ how much of the target


def kept(snapshot: Snapshot, goal: Goal) -> Fraction:
    """Which part of a target that adds up is asked for: what long leave leaves of it, by the ramp (S31, S33)."""
    return left_by_absences(snapshot, goal) * ramp_share(snapshot, goal)


def left_by_absences(snapshot: Snapshot, goal: Goal) -> Fraction:
    """What is not worked and not made up for is not asked for; of the organization's own goals nothing is taken."""
    days = planned(snapshot, goal.owner, Window(goal.start, goal.end).days())
    worked = sum((day.seconds for day in days if day.absence is None), Fraction(0))
    waived = sum((day.seconds for day in days if day.absence == "prorate_target"), Fraction(0))
    return worked / (worked + waived) if worked + waived else ONE


def ramp_share(snapshot: Snapshot, goal: Goal) -> Fraction:
    """The mean of what the ramp asks for, each day by its working time."""
    days = planned(snapshot, goal.owner, Window(goal.start, goal.end).days(), goal.ramp)
    for counted in ([day for day in days if day.absence is None], days):
        whole = sum((day.seconds for day in counted), Fraction(0))
        if whole:
            return sum((day.seconds * day.asked for day in counted), Fraction(0)) / whole
    return ONE


# --------------------------------------------------------------------------------------------- how much of it when


def share_of(snapshot: Snapshot, goal: Goal, is_meant: Callable[[date], bool]) -> Fraction:
    """Some days' part of the working time that absences leave, as the ramp asks for it (S31).

    Where the ramp asks for nothing, of the working time; where absences leave none, of all; where there is none at
    all, of the days.
    """
    days = planned(snapshot, goal.owner, Window(goal.start, goal.end).days(), goal.ramp)
    worked = [day for day in days if day.absence is None]
    weighed: list[list[tuple[date, Fraction]]] = [
        [(day.day, day.seconds * day.asked) for day in worked],
        [(day.day, day.seconds) for day in worked],
        [(day.day, day.seconds) for day in days],
        [(day, ONE) for day in Window(goal.start, goal.end).days()],
    ]
    for weights in weighed:
        whole = sum((weight for _, weight in weights), Fraction(0))
        if whole:
            return sum((weight for day, weight in weights if is_meant(day)), Fraction(0)) / whole
    raise AssertionError("a period has days")
