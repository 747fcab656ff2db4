"""What can be wrong with a split."""

from app.core.problems import Conflict, PreconditionFailed


class SplitNotPossible(Conflict):
    """The goal has nothing that can be split now: it is closed, cancelled or locked, or is a band that adds up."""

    code, title = "split-not-possible", "Goal cannot be split"


class SplitChanged(PreconditionFailed):
    """What would come out now is not what the preview showed: look at the preview again."""

    code, title = "split-changed", "Split changed since the preview"


class SplitOvertaken(Conflict):
    """Somebody changed the goal or its parts while the split was computed: look at the preview again."""

    code, title = "split-overtaken", "Split overtaken"
