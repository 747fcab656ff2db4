"""What can be wrong with a request about goals."""

from app.core.problems import Conflict, NotFound, Problem


class GoalNotFound(NotFound):
    """There is no such goal in this organization."""

    code, title = "goal-not-found", "Goal not found"


class GoalActionNotPossible(Conflict):
    """The goal's state does not allow this now: `available_actions` of the goal lists what it allows."""

    code, title = "goal-action-not-possible", "Not possible in the goal's state"


class GoalNotYours(Problem):
    """The organization's rules let others decide this: `available_actions` of the goal lists what the caller may do."""

    status, code, title = 403, "goal-not-yours", "Not yours to decide"


class GoalLocked(Conflict):
    """The goal is locked: nobody changes it before it is unlocked by who may, at `POST /v1/goals/{id}/unlock`."""

    code, title = "goal-locked", "Goal is locked"


class GoalOutdated(Conflict):
    """The goal's KPI or owner was archived meanwhile: it cannot be proposed, approved or opened."""

    code, title = "goal-outdated", "Archived meanwhile"


class NoteNotFound(NotFound):
    """There is no such note of this goal."""

    code, title = "note-not-found", "Note not found"


class NoteNotYours(Problem):
    """A note is deleted by its author, or by who may set the goal."""

    status, code, title = 403, "note-not-yours", "Not yours to delete"


class InitiativeNotFound(NotFound):
    """There is no such initiative in this organization."""

    code, title = "initiative-not-found", "Initiative not found"


class InitiativeActionNotPossible(Conflict):
    """The initiative's state does not allow this now: its `available_actions` lists what it allows."""

    code, title = "initiative-action-not-possible", "Not possible in the initiative's state"


class InitiativeNotYours(Problem):
    """The organization's rules let others decide this: `available_actions` lists what the caller may do."""

    status, code, title = 403, "initiative-not-yours", "Not yours to decide"
