"""Use cases of reviews: write, share, acknowledge, close."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.calendars.periods import DayRange, PeriodError, local_day, parse_period
from app.calendars.service import present_settings
from app.core import audit, clock, etags, outbox
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.goals.frozen import jsonable
from app.kpis.service import UnknownKpi, load_kpis
from app.reviews import evidence, queries, schemas
from app.reviews.lifecycle import Action, Part, State, available_actions, may, next_state, possible_actions
from app.reviews.models import Review
from app.reviews.problems import ReviewActionNotPossible, ReviewNotFound, ReviewNotYours
from app.teams.lookups import named_member


async def list_reviews(session: AsyncSession, who: Principal, wanted: schemas.ReviewFilters) -> schemas.ReviewPage:
    """The reviews that the caller may see and that match, oldest first."""
    statement = queries.reviews(who).where(*queries.matching(wanted))
    rows, following = await paginate(session, statement, [Key(Review.created_at), Key(Review.id)], wanted)
    return schemas.ReviewPage(items=[_shown(who, review, digest) for review, digest in rows], next_cursor=following)


async def get_review(session: AsyncSession, who: Principal, review_id: UUID) -> schemas.Review:
    """One review. Raises `ReviewNotFound`."""
    return _shown(who, *await _found(session, who, review_id))


async def get_evidence(session: AsyncSession, who: Principal, review_id: UUID) -> schemas.Evidence:
    """A review's frozen figures, and what differs by now."""
    review, _ = await _found(session, who, review_id)
    return await evidence.get_evidence(session, who, review)


async def create_review(session: AsyncSession, who: Principal, new: schemas.ReviewCreate) -> schemas.Review:
    """Start a review, as a draft."""
    now = await clock.now(session, who.org_id)
    await named_member(session, who.org_id, new.member_id, "/member_id")
    review = Review(
        org_id=who.org_id,
        member_id=new.member_id,
        state="draft",
        version=1,
        created_at=now,
        **await _content(session, who.org_id, new.model_dump(exclude={"member_id"}), new.member_id, now),
    )
    session.add(review)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "create", "review", review.id, new.model_dump(mode="json"))
    return _shown(who, review, None)


async def update_review(
    session: AsyncSession, who: Principal, review_id: UUID, change: schemas.ReviewUpdate, if_match: str | None
) -> schemas.Review:
    """Change a draft. Raises `ReviewActionNotPossible` for anything later."""
    review = await _taken(session, who, review_id, "edit", if_match)
    now = await clock.now(session, who.org_id)
    wanted = change.model_dump(exclude_unset=True)
    for field, value in (await _content(session, who.org_id, wanted, review.member_id, now)).items():
        setattr(review, field, value)
    review.version += 1
    audit.record(
        session,
        who.org_id,
        who.label,
        "update",
        "review",
        review_id,
        change.model_dump(mode="json", exclude_unset=True),
    )
    return _shown(who, review, None)


async def delete_review(session: AsyncSession, who: Principal, review_id: UUID, if_match: str | None) -> None:
    """Throw a draft away."""
    review = await _taken(session, who, review_id, "delete", if_match)
    await session.delete(review)
    audit.record(session, who.org_id, who.label, "delete", "review", review_id)


async def share_review(
    session: AsyncSession, snapshots: Snapshots, who: Principal, review_id: UUID, if_match: str | None
) -> schemas.Review:
    """Show the review to its member, and freeze the figures that it rests on."""
    review = await _taken(session, who, review_id, "share", if_match)
    frozen = await evidence.freeze_evidence(snapshots, review)
    session.add(frozen)
    review.shared_at = frozen.frozen_at
    await _move(session, who, review, "share", {"digest": frozen.digest})
    return _shown(who, review, frozen.digest)


async def acknowledge_review(
    session: AsyncSession, who: Principal, review_id: UUID, answer: schemas.Acknowledgement, if_match: str | None
) -> schemas.Review:
    """Note that the member has taken notice, with what they say to it."""
    review = await _taken(session, who, review_id, "acknowledge", if_match)
    review.acknowledged_at, review.comment = await clock.now(session, who.org_id), answer.comment
    await _move(session, who, review, "acknowledge", answer.model_dump())
    return await get_review(session, who, review_id)


async def close_review(session: AsyncSession, who: Principal, review_id: UUID, if_match: str | None) -> schemas.Review:
    """End the review."""
    review = await _taken(session, who, review_id, "close", if_match)
    review.closed_at = await clock.now(session, who.org_id)
    await _move(session, who, review, "close", {})
    return await get_review(session, who, review_id)


async def _found(session: AsyncSession, who: Principal, review_id: UUID) -> tuple[Review, str | None]:
    row = (await session.execute(queries.review(who, review_id))).one_or_none()
    if row is None:
        raise ReviewNotFound(f"No review {review_id}.")
    review, digest = row
    return review, digest


async def _taken(
    session: AsyncSession, who: Principal, review_id: UUID, action: Action, if_match: str | None
) -> Review:
    """The review, locked, once the caller may do this with it in its state."""
    found = await session.execute(queries.review(who, review_id).with_for_update(of=Review))
    row = found.one_or_none()
    if row is None:
        raise ReviewNotFound(f"No review {review_id}.")
    review: Review = row[0]
    if not may(action, _part(who, review)):
        raise ReviewNotYours(f"You may not {action} this review.")
    etags.check(if_match, review.version)
    state = cast("State", review.state)
    if next_state(state, action) is None:
        possible = ", ".join(possible_actions(state)) or "nothing any more"
        raise ReviewActionNotPossible(f"The review is {state}; possible now: {possible}.")
    return review


async def _move(session: AsyncSession, who: Principal, review: Review, action: Action, changes: dict[str, Any]) -> None:
    state = cast("State", next_state(cast("State", review.state), action))
    review.state = state
    review.version += 1
    audit.record(session, who.org_id, who.label, action, "review", review.id, changes)
    outbox.publish(session, who.org_id, f"review.{state}", {"review_id": str(review.id)})
    await session.flush()  # the answer shows the stored row


async def _content(
    session: AsyncSession, org_id: OrganizationId, wanted: dict[str, Any], member_id: UUID, now: datetime
) -> dict[str, Any]:
    """The columns of what was written, once it was checked."""
    columns = dict(wanted)
    if (reviewer_id := wanted.get("reviewer_id")) is not None:
        await named_member(session, org_id, reviewer_id, "/reviewer_id")
        if reviewer_id == member_id:
            raise ValidationFailed.at("/reviewer_id", "Nobody reviews themselves.", "reviewer_is_member")
    if "kpis" in wanted:
        columns["kpi_keys"] = await _kpis(session, org_id, columns.pop("kpis"), now)
    if "period" in wanted:
        period = await _period(session, org_id, wanted["period"], now)
        columns |= {"period": period.label, "start_on": period.start, "end_on": period.end}
    if "agreed_actions" in wanted:
        columns["agreed_actions"] = [jsonable(action) for action in wanted["agreed_actions"]]
    return columns


async def _kpis(session: AsyncSession, org_id: OrganizationId, keys: list[str], now: datetime) -> list[str]:
    try:
        found = await load_kpis(session, org_id, keys, now)
    except UnknownKpi as unknown:
        place = f"/kpis/{keys.index(unknown.key)}"
        raise ValidationFailed.at(place, f"There is no KPI {unknown.key}.", "kpi_unknown") from None
    for number, key in enumerate(keys):
        if found[key].state == "archived":
            raise ValidationFailed.at(f"/kpis/{number}", f"The KPI {key} is archived.", "kpi_archived")
    return keys


async def _period(session: AsyncSession, org_id: OrganizationId, text: str, now: datetime) -> DayRange:
    cut = await present_settings(session, org_id)
    try:
        return parse_period(text, local_day(now, cut.zone), cut)
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period_invalid") from None


def _part(who: Principal, review: Review) -> Part:
    return Part(
        is_writer=Permission.REVIEWS_WRITE in who.permissions,
        is_reviewed=who.member_id is not None and who.member_id == review.member_id,
    )


def _shown(who: Principal, review: Review, digest: str | None) -> schemas.Review:
    return schemas.Review(
        id=review.id,
        member_id=review.member_id,
        reviewer_id=review.reviewer_id,
        period=review.period,
        start=review.start_on,
        end=review.end_on,
        kpis=review.kpi_keys,
        summary=review.summary,
        strengths=review.strengths,
        areas_to_improve=review.areas_to_improve,
        agreed_actions=[schemas.AgreedAction.model_validate(action) for action in review.agreed_actions],
        state=cast("State", review.state),
        available_actions=available_actions(cast("State", review.state), _part(who, review)),
        comment=review.comment,
        evidence_digest=digest,
        version=review.version,
        created_at=review.created_at,
        shared_at=review.shared_at,
        acknowledged_at=review.acknowledged_at,
        closed_at=review.closed_at,
    )
