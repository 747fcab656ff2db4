"""Paths of performance reviews."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.reviews import schemas, service
from app.reviews.problems import EvidenceNotFrozen, ReviewActionNotPossible, ReviewNotFound, ReviewNotYours

router = APIRouter(prefix="/reviews", route_class=TransactionalRoute, tags=["reviews"])

Reader = Annotated[Principal, requires(Permission.REVIEWS_READ)]
Writer = Annotated[Principal, requires(Permission.REVIEWS_WRITE)]
_CHANGE = problems(ReviewNotFound, ReviewNotYours, ReviewActionNotPossible, PreconditionFailed)


@router.get("")
async def list_reviews(
    session: Session, who: Reader, query: Annotated[schemas.ReviewFilters, Query()]
) -> schemas.ReviewPage:
    """List reviews, oldest first.

    A caller with the role `member` sees their own from sharing on, and those that they write.
    """
    return await service.list_reviews(session, who, query)


@router.post("", status_code=201)
async def create_review(session: Session, who: Writer, new: schemas.ReviewCreate, response: Response) -> schemas.Review:
    """Start a review, as a draft.

    Its evidence is the member's figures on the named KPIs over the period; they are frozen when it is shared.
    """
    review = await service.create_review(session, who, new)
    etags.tag(response, review.version)
    return review


@router.get("/{review_id}", responses=problems(ReviewNotFound))
async def get_review(session: Session, who: Reader, review_id: UUID, response: Response) -> schemas.Review:
    """Read a review; `available_actions` tells what the caller may do with it now."""
    review = await service.get_review(session, who, review_id)
    etags.tag_shown(response, review.version, review.model_dump_json())
    return review


@router.patch("/{review_id}", responses=_CHANGE)
async def update_review(
    session: Session,
    who: Writer,
    review_id: UUID,
    change: schemas.ReviewUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Review:
    """Change a draft. What was shared does not change any more."""
    review = await service.update_review(session, who, review_id, change, if_match)
    etags.tag(response, review.version)
    return review


@router.delete("/{review_id}", status_code=204, responses=_CHANGE)
async def delete_review(session: Session, who: Writer, review_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Delete a draft."""
    await service.delete_review(session, who, review_id, if_match)


@router.get("/{review_id}/evidence", responses=problems(ReviewNotFound, EvidenceNotFrozen, QueryBudgetExceeded))
async def get_review_evidence(
    snapshots: Snapshots, who: Reader, review_id: UUID, response: Response
) -> schemas.Evidence:
    """Read the figures that were frozen when the review was shared.

    `digest` can be checked by anybody: SHA-256 over the RFC 8785 JSON of `content`. `restated_since` asks the same
    question of the same instant again, with everything that has been recorded since, and lists what differs.
    """
    async with snapshots.at() as session:
        found = await service.get_evidence(session, who, review_id)
    content = found.model_dump_json(exclude={"restated_since": {"known_at"}})
    response.headers["ETag"] = etags.weak(content.encode())
    return found


@router.post("/{review_id}/share", responses=_CHANGE | problems(QueryBudgetExceeded))
async def share_review(
    session: Session,
    snapshots: Snapshots,
    who: Writer,
    review_id: UUID,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Review:
    """Share a draft with its member, and freeze the evidence."""
    review = await service.share_review(session, snapshots, who, review_id, if_match)
    etags.tag(response, review.version)
    return review


@router.post("/{review_id}/acknowledge", responses=_CHANGE)
async def acknowledge_review(
    session: Session,
    who: Reader,
    review_id: UUID,
    response: Response,
    answer: schemas.Acknowledgement | None = None,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Review:
    """Acknowledge a shared review: the member's to do, or of whoever writes reviews on their behalf."""
    answer = answer or schemas.Acknowledgement()
    review = await service.acknowledge_review(session, who, review_id, answer, if_match)
    etags.tag(response, review.version)
    return review


@router.post("/{review_id}/close", responses=_CHANGE)
async def close_review(
    session: Session, who: Writer, review_id: UUID, response: Response, *, if_match: etags.IfMatch = None
) -> schemas.Review:
    """Close an acknowledged review."""
    review = await service.close_review(session, who, review_id, if_match)
    etags.tag(response, review.version)
    return review
