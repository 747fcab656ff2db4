"""The states of a goal: what somebody decided, and what follows from the dates."""

from datetime import date
from typing import Literal

from app.calendars.periods import DayRange

Stored = Literal["draft", "proposed", "open", "closed", "cancelled"]
State = Literal["draft", "proposed", "scheduled", "active", "closed", "cancelled"]
Action = Literal[
    "edit", "open", "cancel", "close", "set_target", "propose", "approve", "decline", "withdraw", "lock", "unlock"
]

_POSSIBLE: dict[Stored, tuple[Action, ...]] = {
    "draft": ("edit", "set_target", "propose", "open", "cancel"),
    "proposed": ("edit", "set_target", "approve", "decline", "withdraw", "cancel"),
    "open": ("edit", "set_target", "lock", "cancel", "close"),
    "closed": (),
    "cancelled": (),
}
WHILE_LOCKED: tuple[Action, ...] = ("unlock", "close")
"""A lock holds terms, words and existence as they are; the period ends all the same."""


def state_on(stored: Stored, period: DayRange, today: date) -> State:
    """An open goal is scheduled before its period and active from then on, until it is closed."""
    if stored != "open":
        return stored
    return "scheduled" if today < period.start else "active"


def possible_actions(stored: Stored, end: date, today: date, *, is_locked: bool = False) -> list[Action]:
    """What can be done now with a goal whose period ends before a day, by whoever may; it is closed only then."""
    possible = WHILE_LOCKED if is_locked and stored == "open" else _POSSIBLE[stored]
    return [action for action in possible if action != "close" or today >= end]
