"""The states of a review and who may move it on: draft, shared, acknowledged, closed."""

from dataclasses import dataclass
from typing import Literal

State = Literal["draft", "shared", "acknowledged", "closed"]
Action = Literal["edit", "share", "acknowledge", "close", "delete"]

_MOVES: dict[Action, tuple[State, State]] = {
    "share": ("draft", "shared"),
    "acknowledge": ("shared", "acknowledged"),
    "close": ("acknowledged", "closed"),
}
_IN_DRAFT: tuple[Action, ...] = ("edit", "delete")


@dataclass(frozen=True, slots=True)
class Part:
    """What somebody is to a review: may write reviews, is the member reviewed, or neither."""

    is_writer: bool
    is_reviewed: bool


def next_state(state: State, action: Action) -> State | None:
    """The state that an action leads to; None where it is not possible now."""
    if action in _IN_DRAFT:
        return "draft" if state == "draft" else None
    before, after = _MOVES[action]
    return after if state == before else None


def possible_actions(state: State) -> list[Action]:
    """What can be done with a review in this state, by whoever may."""
    return [action for action in (*_IN_DRAFT, *_MOVES) if next_state(state, action)]


def may(action: Action, part: Part) -> bool:
    """Whether somebody with this part may ever do this: the member acknowledges, writers do everything.

    A writer may acknowledge, too: for a member who signed on paper; the audit trail says who did it.
    """
    return part.is_writer or (action == "acknowledge" and part.is_reviewed)


def available_actions(state: State, part: Part) -> list[Action]:
    """What this caller may do with the review now."""
    return [action for action in possible_actions(state) if may(action, part)]
