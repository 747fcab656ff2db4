"""What results ask of domains that answer for themselves."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import Window
from app.core.db import OrganizationId
from app.kpis.attribution import Subject


class Targets(Protocol):
    """Knows what was aimed at: the goals' side of a chart (S22)."""

    async def __call__(
        self,
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
        """A target for each window, None where there is none; None altogether where the subject has no goal."""
