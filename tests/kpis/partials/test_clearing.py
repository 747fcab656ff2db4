"""Figures of days whose events are gone are removed, some at a time, and no others."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from app.core.ids import NIL, new_id
from app.integrations.jobs import HANDLERS
from app.kpis.partials import clearing
from app.kpis.partials.models import Partial, PartialMeasure
from app.worker import drain
from tests.support import Api

JANUARY, MARCH, APRIL = date(2026, 1, 1), date(2026, 3, 1), date(2026, 4, 1)


async def keep(api: Api, *months: date) -> None:
    async with api.world.database.write(api.org_id) as session:
        now = datetime(2026, 7, 13, tzinfo=UTC)
        measure = PartialMeasure(org_id=api.org_id, id=new_id(), shape={}, digest=b"x", created_at=now)
        session.add(measure)
        await session.flush()  # the figures refer to it
        for month in months:
            session.add(
                Partial(
                    org_id=api.org_id,
                    measure_id=measure.id,
                    identity_id=NIL,
                    is_shared=False,
                    month=month,
                    currency="",
                    n=1,
                    left_out=0,
                    day_n=[1],
                    day_left_out=[0],
                )
            )


async def kept(api: Api) -> list[date]:
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(select(Partial.month).where(Partial.org_id == api.org_id).order_by(Partial.month))
        return list(rows.scalars())


async def test_figures_of_months_before_the_horizon_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "AT_ONCE", 1)
    other = await api.world.organization()
    for each in (api, other):
        await keep(each, JANUARY, MARCH, APRIL)
    await api.post("/event-archives", {"before": "2026-04-01", "mode": "drop"}, expect=202)
    await drain(api.world.worker_database, {**HANDLERS, **clearing.HANDLERS})
    assert await kept(api) == [APRIL]
    assert await kept(other) == [JANUARY, MARCH, APRIL]
