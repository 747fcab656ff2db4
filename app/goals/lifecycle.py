"""The states of a goal: what somebody decided, and what follows from the dates."""

from datetime import date
from typing import Literal

from app.calendars.periods import DayRange

Stored = Literal["draft", "open", "closed", "cancelled"]
State = Literal["draft", "scheduled", "active", "closed", "cancelled"]
Action = Literal["edit", "open", "cancel", "close", "set_target"]

_POSSIBLE: dict[Stored, tuple[Action, ...]] = {
    "draft": ("edit", "set_target", "open", "cancel"),
    "open": ("edit", "set_target", "cancel", "close"),
    "closed": (),
    "cancelled": (),
}


def state_on(stored: Stored, period: DayRange, today: date) -> State:
    """An open goal is scheduled before its period and active from then on, until it is closed."""
    if stored != "open":
        return stored
    return "scheduled" if today < period.start else "active"


def possible_actions(stored: Stored, period: DayRange, today: date) -> list[Action]:
    """What can be done with the goal now; it can be closed only after its last day."""
    return possible_until(stored, period.end, today)


def possible_until(stored: Stored, end: date, today: date) -> list[Action]:
    """As `possible_actions`, for a period that ends before a day."""
    return [action for action in _POSSIBLE[stored] if action != "close" or today >= end]
