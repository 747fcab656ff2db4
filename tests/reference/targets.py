"""What was aimed at: the goal of a window, the sum of goals that tile it, or a part of one around it (S22).

Targets that add up lose the part that absences take away, and grow by their ramp (S31, S33). A band is no target.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.reference.days import Window
from tests.reference.due import kept, share_of
from tests.reference.evaluate import FORMULA
from tests.reference.snapshot import Snapshot, Subject
from tests.reference.world import Goal


def target(snapshot: Snapshot, kpi: str, subject: Subject, window: Window, *, is_additive: bool) -> Decimal | None:
    """The target of a KPI for a subject in a window; a person's part of a team and what is unassigned have none."""
    owner = (subject.kind, subject.key)
    goals = [goal for goal in snapshot.goals if (goal.kpi, goal.owner) == (kpi, owner) and goal.value is not None]
    for goal in goals:
        if (goal.start, goal.end) == (window.start, window.end):
            return _of(goal, kept(snapshot, goal)) if is_additive else goal.value
    tiles = _tiles(goals, window.start, window.end) if is_additive else None
    if tiles:
        return sum((_of(goal, kept(snapshot, goal)) for goal in tiles), Decimal(0))
    around = [goal for goal in goals if goal.start <= window.start and window.end <= goal.end]
    if not around:
        return None
    shortest = min(around, key=lambda goal: goal.end - goal.start)
    if not is_additive:
        return shortest.value
    within = share_of(snapshot, shortest, lambda day: day in window)
    return _of(shortest, kept(snapshot, shortest) * within)


def _tiles(goals: Sequence[Goal], start: date, end: date) -> list[Goal] | None:
    """Goals one after the other from a day to another, longer ones first; None where there are no such."""
    if start == end:
        return []
    for goal in sorted((goal for goal in goals if goal.start == start), key=lambda goal: goal.end, reverse=True):
        rest = _tiles(goals, goal.end, end) if goal.end <= end else None
        if rest is not None:
            return [goal, *rest]
    return None


def _of(goal: Goal, share: Fraction) -> Decimal:
    assert goal.value is not None
    if share == 1:
        return goal.value
    return FORMULA.divide(FORMULA.multiply(goal.value, Decimal(share.numerator)), Decimal(share.denominator))
