"""How far the keeping of figures is, for those who look after the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from prometheus_client import Counter, Gauge
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import database_now
from app.core.db import OrganizationId
from app.events.models import StaleMarker
from app.events.sharding import SHARDS
from app.kpis.partials.models import PartialBuild, PartialMeasure

# Each process looks after all organizations: of those that count together, who looked last knows.
_Known = partial(Gauge, multiprocess_mode="mostrecent")
WAITING = _Known("paceline_stale_markers", "Markers of changed events that wait to be cleared.")
OLDEST = _Known("paceline_oldest_stale_marker_seconds", "Age of the oldest of them whose time has come.")
BUILT = _Known("paceline_partial_measures_built", "Measures whose figures are kept ready, of all that are wanted.")
WANTED = _Known("paceline_partial_measures", "Measures whose figures are to be kept ready.")
CLEARED = Counter("paceline_stale_markers_cleared_total", "Markers that were cleared.")
COUNTED = 50_000
"""So many markers are counted at most."""


@dataclass(frozen=True)
class Progress:
    """Of an organization: how many shapes are built, how many there are, and what waits to be cleared.

    `oldest_age` is None where nothing waits. Markers of what lies in the future do not count, and of the others at most
    COUNTED are counted: a backlog must not be made dearer by looking at it.
    """

    built: int
    measures: int
    waiting: int
    oldest_age: timedelta | None


async def progress(session: AsyncSession, org_id: OrganizationId, now: datetime) -> Progress:
    """How far the organization's figures are kept; `now` is its own clock."""
    by_measure = (
        select(PartialMeasure.id, func.count(PartialBuild.shard).label("shards"))
        .outerjoin(
            PartialBuild,
            and_(
                PartialBuild.org_id == PartialMeasure.org_id,
                PartialBuild.org_id == org_id,
                PartialBuild.measure_id == PartialMeasure.id,
                PartialBuild.next_month.is_(None),
            ),
        )
        .where(PartialMeasure.org_id == org_id)
        .group_by(PartialMeasure.id)
        .subquery("by_measure")
    )
    built = func.count().filter(by_measure.c.shards == SHARDS)
    measures = (await session.execute(select(built, func.count()).select_from(by_measure))).one()
    is_due = StaleMarker.org_id == org_id, StaleMarker.occurred_at <= now
    some = select(StaleMarker.id).where(*is_due).limit(COUNTED).subquery("some")
    waiting = (await session.execute(select(func.count()).select_from(some))).scalar_one()
    # Ids tell when they were made; the order of an index, which `min` does not take for a uuid.
    oldest = select(StaleMarker.id).where(*is_due).order_by(StaleMarker.id).limit(1)
    found = (await session.execute(oldest)).scalar_one_or_none()
    age = None if found is None else max(await database_now(session) - _made_at(found), timedelta(0))
    return Progress(measures[0], measures[1], waiting, age)


def show(known: Mapping[OrganizationId, Progress]) -> None:
    """Let the metrics say how far the organizations are that this process looks after."""
    WAITING.set(sum(each.waiting for each in known.values()))
    BUILT.set(sum(each.built for each in known.values()))
    WANTED.set(sum(each.measures for each in known.values()))
    OLDEST.set(max((each.oldest_age.total_seconds() for each in known.values() if each.oldest_age), default=0))


def _made_at(made: UUID) -> datetime:
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
