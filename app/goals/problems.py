"""What can be wrong with a request about goals."""

from app.core.problems import Conflict, NotFound


class GoalNotFound(NotFound):
    """There is no such goal in this organization."""

    code, title = "goal-not-found", "Goal not found"


class GoalActionNotPossible(Conflict):
    """The goal's state does not allow this now: `available_actions` of the goal lists what it allows."""

    code, title = "goal-action-not-possible", "Not possible in the goal's state"
