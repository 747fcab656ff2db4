"""Evidence: KPI results frozen when a review is shared, and what present knowledge makes of them (S5, S6)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import Grain
from app.core import clock
from app.core.db import OrganizationId
from app.core.snapshots import Snapshots
from app.events.retention import was_archived_since
from app.goals.frozen import Content, digest_of, exact, jsonable, present
from app.goals.targets import target_values
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.questions import Answer, Cell, Query, Series
from app.reviews import queries, schemas
from app.reviews.models import Review, ReviewEvidence
from app.reviews.problems import EvidenceNotFrozen

GRAIN: Grain = "month"


async def freeze_evidence(snapshots: Snapshots, review: Review) -> ReviewEvidence:
    """The member's figures as they are now, with their digest.

    The present instant is settled first: nothing can be recorded at or before it any more, so that the same question
    as of it gives the same figures for ever (S5).
    """
    now = await present(snapshots)
    async with snapshots.at(now) as session:
        answer = await compute(session, snapshots.org_id, _question(review, as_of=now), targets=target_values)
    content = _content(review, answer)
    return ReviewEvidence(
        org_id=review.org_id, review_id=review.id, content=content, digest=digest_of(content), frozen_at=now
    )


async def get_evidence(session: AsyncSession, who: Principal, review: Review) -> schemas.Evidence:
    """The frozen figures, whether they are intact, and what differs by now. Raises `EvidenceNotFrozen`."""
    found = (await session.execute(queries.evidence(who.org_id, review.id))).scalar_one_or_none()
    if found is None:
        raise EvidenceNotFrozen("The evidence is frozen when the review is shared.")
    return schemas.Evidence(
        review_id=review.id,
        frozen_at=found.frozen_at,
        content=found.content,
        digest=found.digest,
        digest_algorithm="sha-256/rfc8785",
        is_intact=digest_of(found.content) == found.digest,
        restated_since=await _restated(session, who.org_id, review, found),
    )


async def _restated(
    session: AsyncSession, org_id: OrganizationId, review: Review, found: ReviewEvidence
) -> schemas.Restated:
    """The same question for the frozen T, by present knowledge (S6).

    Figures that differ because events were archived or dropped meanwhile are no restatement: they cannot be compared.
    """
    known_at = await clock.last_recorded(session, org_id)
    answer = await compute(
        session, org_id, _question(review, as_of=found.frozen_at, known_at=known_at), targets=target_values
    )
    has_lost = await was_archived_since(session, org_id, found.frozen_at)
    beyond = {key for key, face in answer.kpis.items() if has_lost and face.looks_back}
    found_other = list(_differences(found.content, _content(review, answer)))
    differences = [each for each in found_other if each.kpi not in beyond and each.status_now != "not_retained"]
    return schemas.Restated(
        is_restated=bool(differences),
        not_retained=len(differences) < len(found_other),
        known_at=known_at,
        differences=differences,
    )


def _question(review: Review, *, as_of: datetime, known_at: datetime | None = None) -> Query:
    return Query(
        kpis=review.kpi_keys,
        subjects=[Subject("member", review.member_id)],
        period=_period(review),
        grain=GRAIN,
        as_of=as_of,
        known_at=known_at,
    )


def _period(review: Review) -> str:
    """As written; a fiscal one by its days, since the organization's settings decide what its words mean."""
    return f"{review.start_on}..{review.last_day}" if review.period.startswith("FY") else review.period


def _content(review: Review, answer: Answer) -> Content:
    """The question and its answer, with all figures as text."""
    question = {
        "kpis": review.kpi_keys,
        "subjects": [{"member": review.member_id}],
        "period": _period(review),
        "grain": GRAIN,
        "currency": answer.currency,
        "as_of": answer.as_of,
    }
    windows = zip(answer.windows, answer.is_complete, strict=True)
    content = {
        "review_id": review.id,
        "member_id": review.member_id,
        "as_of": answer.as_of,
        "known_at": answer.known_at,
        "time_zone": answer.time_zone,
        "currency": answer.currency,
        "calendar": answer.calendar,
        "query": question,
        "windows": [
            {
                "label": window.label,
                "start": window.start,
                "end": window.end,
                "is_partial": window.is_partial,
                "is_complete": is_complete,
            }
            for window, is_complete in windows
        ],
        "series": [_series(answer, series) for series in answer.series],
    }
    return {key: jsonable(value) for key, value in content.items()}


def _series(answer: Answer, series: Series) -> dict[str, Any]:
    face = answer.kpis[series.kpi]
    return {
        "kpi": series.kpi,
        "name": face.name,
        "unit": dict(face.unit),
        "direction": face.direction,
        "values": [cell.value for cell in series.cells],
        "statuses": [cell.status for cell in series.cells],
        "samples": [cell.sample for cell in series.cells],
        "kpi_versions": [cell.kpi_version for cell in series.cells],
        "total": _total(series.total),
    }


def _total(cell: Cell) -> dict[str, Any]:
    return {"value": cell.value, "status": cell.status, "sample": cell.sample, "kpi_version": cell.kpi_version}


_Figure = tuple[str | None, str]


def _figures(content: Any) -> dict[tuple[str, str], _Figure]:
    """Value and status of each KPI and window of frozen content, and of the total."""
    labels = [window["label"] for window in content["windows"]]
    figures: dict[tuple[str, str], _Figure] = {}
    for series in content["series"]:
        figures[series["kpi"], "total"] = (series["total"]["value"], series["total"]["status"])
        for label, value, status in zip(labels, series["values"], series["statuses"], strict=True):
            figures[series["kpi"], label] = (value, status)
    return figures


def _differences(frozen: Any, present: Any) -> Iterator[schemas.Difference]:
    then, now = _figures(frozen), _figures(present)
    for (kpi, window), (value, status) in then.items():
        value_now, status_now = now.get((kpi, window), (None, "no_data"))
        if (value, status) != (value_now, status_now):
            yield schemas.Difference(
                kpi=kpi,
                window=window,
                then=value,
                now=value_now,
                difference=None if value is None or value_now is None else exact(Decimal(value_now) - Decimal(value)),
                status_then=status,
                status_now=status_now,
            )
