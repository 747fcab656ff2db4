"""What was aimed at: the goal of a window, the sum of goals that tile it, or a part of one around it (S22).

Targets that add up lose the part that absences take away (S31).
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.reference.days import Window
from tests.reference.evaluate import FORMULA
from tests.reference.snapshot import Snapshot, Subject
from tests.reference.staff import planned
from tests.reference.world import Goal


def target(snapshot: Snapshot, kpi: str, subject: Subject, window: Window, *, is_additive: bool) -> Decimal | None:
    """The target of a KPI for a subject in a window; a person's part of a team and what is unassigned have none."""
    goals = [goal for goal in snapshot.goals if (goal.kpi, goal.owner) == (kpi, (subject.kind, subject.key))]
    for goal in goals:
        if (goal.start, goal.end) == (window.start, window.end):
            return _of(goal.value, _left(snapshot, goal)) if is_additive else goal.value
    tiles = _tiles(goals, window.start, window.end) if is_additive else None
    if tiles:
        return sum((_of(goal.value, _left(snapshot, goal)) for goal in tiles), Decimal(0))
    around = [goal for goal in goals if goal.start <= window.start and window.end <= goal.end]
    if not around:
        return None
    shortest = min(around, key=lambda goal: goal.end - goal.start)
    if not is_additive:
        return shortest.value
    return _of(shortest.value, _left(snapshot, shortest) * _share(snapshot, shortest, window))


def _tiles(goals: Sequence[Goal], start: date, end: date) -> list[Goal] | None:
    """Goals one after the other from a day to another, longer ones first; None where there are no such."""
    if start == end:
        return []
    for goal in sorted((goal for goal in goals if goal.start == start), key=lambda goal: goal.end, reverse=True):
        rest = _tiles(goals, goal.end, end) if goal.end <= end else None
        if rest is not None:
            return [goal, *rest]
    return None


def _left(snapshot: Snapshot, goal: Goal) -> Fraction:
    """Which part of a target absences leave: what is not worked and not made up for is not asked for (S31)."""
    days = planned(snapshot, goal.owner, Window(goal.start, goal.end).days())
    worked = sum((day.seconds for day in days if day.absence is None), Decimal(0))
    waived = sum((day.seconds for day in days if day.absence == "prorate_target"), Decimal(0))
    return 1 - Fraction(waived) / Fraction(worked + waived) if worked + waived else Fraction(1)


def _share(snapshot: Snapshot, goal: Goal, window: Window) -> Fraction:
    """The window's part of the working time that absences leave; of all, where they leave none; else of the days."""
    days = planned(snapshot, goal.owner, Window(goal.start, goal.end).days())
    for counted in ([day for day in days if day.absence is None], days):
        whole = sum((day.seconds for day in counted), Decimal(0))
        if whole:
            return Fraction(sum((day.seconds for day in counted if day.day in window), Decimal(0))) / Fraction(whole)
    return Fraction(len(window.days()), (goal.end - goal.start).days)


def _of(value: Decimal, share: Fraction) -> Decimal:
    if share == 1:
        return value
    return FORMULA.divide(FORMULA.multiply(value, Decimal(share.numerator)), Decimal(share.denominator))
