"""Paths of the scores that people give."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.kpis import scores
from app.kpis import scores_schemas as schemas
from app.kpis.router import KpiKey
from app.kpis.service import KpiNotFound

router = APIRouter(prefix="/kpis/{key}/scores", route_class=TransactionalRoute, tags=["scores"])

Reader = Annotated[Principal, requires(Permission.SCORES_READ)]
Writer = Annotated[Principal, requires(Permission.SCORES_WRITE)]


@router.get("", responses=problems(KpiNotFound))
async def list_scores(
    session: Session, who: Reader, key: KpiKey, query: Annotated[schemas.ScoresQuery, Query()]
) -> schemas.ScorePage:
    """List the scores of a qualitative KPI, the latest day first.

    A member sees the scores about themselves and those they gave; managers and administrators see all.
    """
    return await scores.list_scores(session, who, key, query)


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": schemas.ScoreGiven, "description": "The score says what it said: nothing changed."},
        **problems(KpiNotFound, scores.KpiNotScored, scores.ScoreNotAllowed),
    },
)
async def give_score(
    session: Session, who: Writer, key: KpiKey, new: schemas.ScoreGive, response: Response
) -> schemas.ScoreGiven:
    """Give a score about a member.

    Who may give scores about whom is said by the KPI's `scoring.givers`, and decided by the assignments and
    memberships of the day. A second score of the same giver about the same member in a period (`scoring.every`)
    corrects the first: figures follow at once, answers as of an earlier instant keep it.
    """
    given = await scores.give_score(session, who, key, new)
    response.status_code = 200 if given.outcome == "unchanged" else 201
    return given


@router.get("/due", responses=problems(KpiNotFound, scores.KpiNotScored, scores.ScoreNotAllowed))
async def get_due_scores(
    session: Session, who: Reader, key: KpiKey, query: Annotated[schemas.DueQuery, Query()]
) -> schemas.DueScores:
    """Tell whom the caller should still score in the current period.

    By the assignments and memberships of today, without those who are archived or not employed. Givers of the kind
    `anyone` may score everybody, and are expected to score nobody.
    """
    return await scores.due_scores(session, who, key, query.giver_id)


@router.delete(
    "/{score_id}", status_code=204, responses=problems(KpiNotFound, scores.ScoreNotFound, scores.ScoreNotAllowed)
)
async def retract_score(session: Session, who: Writer, key: KpiKey, score_id: UUID) -> None:
    """Take a score back.

    Whoever gave it may, and administrators. Answers as of an earlier instant keep it.
    """
    await scores.retract_score(session, who, key, score_id)
