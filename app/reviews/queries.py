"""Reading of reviews: which rows somebody sees is decided here, so that lists and gets cannot disagree."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from app.accounts.access import Principal
from app.core.db import OrganizationId
from app.reviews.models import Review, ReviewEvidence
from app.reviews.schemas import ReviewFilters

_EVIDENCE_OF_REVIEW = and_(ReviewEvidence.org_id == Review.org_id, ReviewEvidence.review_id == Review.id)


def reviews(who: Principal) -> Select[Review, str | None]:
    """The reviews that the caller may see, with the digest of their evidence."""
    return (
        select(Review, ReviewEvidence.digest)
        .outerjoin(ReviewEvidence, and_(_EVIDENCE_OF_REVIEW, ReviewEvidence.org_id == who.org_id))
        .where(Review.org_id == who.org_id, *_visible_to(who))
    )


def review(who: Principal, review_id: UUID) -> Select[Review, str | None]:
    """One of them."""
    return reviews(who).where(Review.id == review_id)


def matching(wanted: ReviewFilters) -> list[ColumnElement[bool]]:
    """The conditions of a list's filters."""
    pairs = (
        (Review.member_id, wanted.member_id),
        (Review.reviewer_id, wanted.reviewer_id),
        (Review.state, wanted.state),
    )
    return [column == value for column, value in pairs if value is not None]


def evidence(org_id: OrganizationId, review_id: UUID) -> Select[ReviewEvidence]:
    """The evidence of a review."""
    return select(ReviewEvidence).where(ReviewEvidence.org_id == org_id, ReviewEvidence.review_id == review_id)


def _visible_to(who: Principal) -> list[ColumnElement[bool]]:
    """A member sees their own reviews from sharing on, and those that they write; the others see all."""
    if who.role != "member":
        return []
    if who.member_id is None:
        return [false()]
    own = and_(Review.member_id == who.member_id, Review.state != "draft")
    return [or_(own, Review.reviewer_id == who.member_id)]
