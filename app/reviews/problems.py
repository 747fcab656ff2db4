"""What can be wrong with a request about reviews."""

from app.core.problems import Conflict, NotFound, Problem


class ReviewNotFound(NotFound):
    """There is no such review in this organization, or it is not for the caller to see."""

    code, title = "review-not-found", "Review not found"


class ReviewActionNotPossible(Conflict):
    """The review's state does not allow this: it goes from draft to shared, acknowledged and closed, in this order."""

    code, title = "review-action-not-possible", "Not possible in the review's state"


class ReviewNotYours(Problem):
    """Only those who write reviews may do this, or, for acknowledging, the member reviewed."""

    status, code, title = 403, "review-not-yours", "Not yours to do"


class EvidenceNotFrozen(NotFound):
    """The review has no evidence yet: it is frozen when the review is shared."""

    code, title = "evidence-not-frozen", "No evidence yet"
