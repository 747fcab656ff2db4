"""The states of an initiative, and who may move it on: proposed, planned, active, done or dropped."""

from typing import Literal, get_args

from app.goals.policy import Author, Right

State = Literal["proposed", "planned", "active", "done", "dropped"]
Action = Literal["edit", "accept", "decline", "start", "finish", "drop"]

_MOVES: dict[Action, tuple[tuple[State, ...], State]] = {
    "accept": (("proposed",), "planned"),
    "decline": (("proposed",), "dropped"),
    "start": (("planned",), "active"),
    "finish": (("active",), "done"),
    "drop": (("proposed", "planned", "active"), "dropped"),
}
_LEADS_TO: dict[State, Action] = {"active": "start", "done": "finish", "dropped": "drop"}


def next_state(state: State, action: Action) -> State | None:
    """The state that an action leads to; None where it is not possible now."""
    if action == "edit":
        return None if state in {"done", "dropped"} else state
    before, after = _MOVES[action]
    return after if state in before else None


def action_to(state: State) -> Action | None:
    """By which action a change leads to a state; None where an action of its own does (`accept`), or none."""
    return _LEADS_TO.get(state)


def possible_actions(state: State) -> list[Action]:
    """What can be done with an initiative in this state, by whoever may."""
    return [action for action in get_args(Action) if next_state(state, action) is not None]


def allows(action: Action, rights: frozenset[Right], state: State, author: Author) -> bool:
    """Whether somebody with these rights over its owner's goals may do this with an initiative.

    Who may set its owner's goals decides all; the author changes and drops what is still a proposal; who may propose
    for its owner, as its owner may, starts and finishes what was accepted.
    """
    if "set" in rights:
        return True
    if action in {"edit", "drop"}:
        return author == "caller" and state == "proposed"
    return action in {"start", "finish"} and "propose" in rights


def available_actions(state: State, rights: frozenset[Right], author: Author) -> list[Action]:
    """What this caller may do with the initiative now."""
    return [action for action in possible_actions(state) if allows(action, rights, state, author)]
