"""The targets beside results: for each window what was aimed at (S22). The `Targets` port of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, Window
from app.calendars.service import Calendars, calendars_as_known
from app.core.db import OrganizationId
from app.goals import queries, tiling
from app.goals.models import Goal
from app.goals.pace import Work, expected_share, part_of
from app.goals.work import work_of
from app.kpis.attribution import Subject


@dataclass(frozen=True, slots=True)
class Aimed:
    """A goal with its target as known."""

    goal: Goal
    value: Decimal

    @property
    def period(self) -> DayRange:
        return DayRange(self.goal.start_on, self.goal.end_on)


async def target_values(
    session: AsyncSession,
    org_id: OrganizationId,
    *,
    kpi: str,
    is_additive: bool,
    subject: Subject,
    windows: Sequence[Window],
    known_at: datetime,
    currency: str | None = None,
) -> list[Decimal | None] | None:
    """A target for each window, None where there is none; None altogether where the subject has no goal on the KPI.

    Goals in another currency than the one asked for are left out: there are no rates to convert them by.
    """
    if subject.kind == "unassigned":
        return None
    owned = queries.aims_as_known(
        org_id,
        kpi,
        team_id=subject.id if subject.kind == "team" else None,
        member_id=subject.id if subject.kind == "member" else None,
        known_at=known_at,
    )
    aims = [
        Aimed(goal, target.value)
        for goal, target in await session.execute(owned)
        if target.value is not None and (currency is None or goal.currency in {None, currency})
    ]
    if not aims:
        return None
    parts = Parts(session, org_id, known_at)
    return [
        await _target(aims, DayRange(window.start, window.end), parts, is_additive=is_additive) for window in windows
    ]


async def _target(aims: Sequence[Aimed], window: DayRange, parts: "Parts", *, is_additive: bool) -> Decimal | None:
    if (same := tiling.exact(aims, window)) is not None:
        return same.value
    if is_additive and (tiles := tiling.tiles(aims, window)):
        return sum((aimed.value for aimed in tiles), Decimal(0))
    around = tiling.enclosing(aims, window)
    if around is None or not is_additive:
        return None if around is None else around.value
    return await parts.of(around, window)


class Parts:
    """The parts of goals that fall on windows, by the owner's working time; work is read once a goal."""

    def __init__(self, session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> None:
        self._session, self._org_id, self._known_at = session, org_id, known_at
        self._calendars: Calendars | None = None
        self._work: dict[Goal, list[Work]] = {}

    async def of(self, aimed: Aimed, window: DayRange) -> Decimal:
        """The goal's target times the window's share of its working time."""
        work = await self._work_of(aimed.goal)
        return part_of(aimed.value, expected_share(work, window.end) - expected_share(work, window.start))

    async def _work_of(self, goal: Goal) -> list[Work]:
        if self._calendars is None:
            self._calendars = await calendars_as_known(self._session, self._org_id, self._known_at)
        if goal not in self._work:
            self._work[goal] = await work_of(self._session, self._org_id, goal, self._calendars, self._known_at)
        return self._work[goal]
