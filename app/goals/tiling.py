"""Which goals speak for a window: the one of that period, else those that tile it, else one around it (S22)."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol, TypeVar

from app.calendars.periods import DayRange


class HasPeriod(Protocol):
    """Something for a run of days."""

    @property
    def period(self) -> DayRange: ...


G = TypeVar("G", bound=HasPeriod)


def exact(goals: Sequence[G], window: DayRange) -> G | None:
    """The first with just this period."""
    return next((goal for goal in goals if goal.period == window), None)


def tiles(goals: Sequence[G], window: DayRange) -> list[G]:
    """Goals whose periods cover the window without gap and overlap, the longest first at each place; else none."""
    inside = [goal for goal in goals if window.start <= goal.period.start and goal.period.end <= window.end]
    covers: dict[date, list[G]] = {window.end: []}
    # From the end: whatever follows a goal is known before the goal is looked at.
    for goal in sorted(inside, key=lambda goal: (goal.period.start, goal.period.end), reverse=True):
        if goal.period.end in covers:
            covers.setdefault(goal.period.start, [goal, *covers[goal.period.end]])
    return covers.get(window.start, [])


def enclosing(goals: Sequence[G], window: DayRange) -> G | None:
    """The shortest around the window; of equally long ones the first."""
    around = [goal for goal in goals if goal.period.start <= window.start and window.end <= goal.period.end]
    return min(around, key=lambda goal: goal.period.days, default=None)
