"""What was aimed at: the goal of a window, the sum of goals that tile it, or a part of one around it (S22)."""

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
            return goal.value
    tiles = _tiles(goals, window.start, window.end) if is_additive else None
    if tiles:
        return sum((goal.value for goal in tiles), Decimal(0))
    around = [goal for goal in goals if goal.start <= window.start and window.end <= goal.end]
    if not around:
        return None
    shortest = min(around, key=lambda goal: goal.end - goal.start)
    return _part(snapshot, shortest, window) if is_additive else shortest.value


def _tiles(goals: Sequence[Goal], start: date, end: date) -> list[Goal] | None:
    """Goals one after the other from a day to another, longer ones first; None where there are no such."""
    if start == end:
        return []
    for goal in sorted((goal for goal in goals if goal.start == start), key=lambda goal: goal.end, reverse=True):
        rest = _tiles(goals, goal.end, end) if goal.end <= end else None
        if rest is not None:
            return [goal, *rest]
    return None


def _part(snapshot: Snapshot, goal: Goal, window: Window) -> Decimal:
    """By working time; where the whole goal has none, by days."""
    whole = Window(goal.start, goal.end).days()
    of_window, of_goal = planned(snapshot, goal.owner, window.days()), planned(snapshot, goal.owner, whole)
    if of_goal == 0:
        of_window, of_goal = Decimal(len(window.days())), Decimal(len(whole))
    share = Fraction(of_window) / Fraction(of_goal)
    return FORMULA.divide(FORMULA.multiply(goal.value, Decimal(share.numerator)), Decimal(share.denominator))
