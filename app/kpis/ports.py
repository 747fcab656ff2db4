"""What the engine asks of domains above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.kpis.attribution import Days, Subject


class Targets(Protocol):
    """Knows what was aimed at: the goals' side of a figure (S22)."""

    async def __call__(
        self,
        session: AsyncSession,
        org_id: OrganizationId,
        *,
        kpis: Mapping[str, bool],
        subjects: Sequence[Subject],
        windows: Sequence[Days],
        known_at: datetime,
        currency: str | None = None,
    ) -> Mapping[tuple[str, Subject, Days], Decimal]:
        """The target of each KPI, subject and window; without an entry there is none.

        One question for all of them. `kpis` says of each whether it adds up.
        """


@dataclass(frozen=True)
class TargetChange:
    """A target that was revised on a local day; `before` and `after` as a reader writes them."""

    on: date
    goal: str
    before: str
    after: str


class TargetChanges(Protocol):
    """Knows when targets were revised."""

    async def __call__(
        self,
        session: AsyncSession,
        org_id: OrganizationId,
        *,
        kpis: Sequence[str],
        subjects: Sequence[Subject],
        during: Days,
        known_at: datetime,
    ) -> Mapping[tuple[str, Subject], Sequence[TargetChange]]:
        """The revisions on these days of the subjects' goals with each KPI, in time order; one question for all."""


@dataclass(frozen=True)
class Aims:
    """What was aimed at: the goals' side of a chart."""

    targets: Targets
    changes: TargetChanges
