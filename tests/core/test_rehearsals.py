"""What is rehearsed leaves nothing behind, holds nobody up, and is tried again where somebody else was first."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core import clock, rehearsals
from app.core.configuration import kept
from app.core.jobs import Job
from app.core.rehearsals import Rehearsal, rehearse
from app.events.sources import Source, add_source
from tests.support import Api


async def _clock(api: Api) -> clock.Present:
    async with api.world.database.read(api.org_id) as session:
        return await clock.present(session, api.org_id)


async def test_nothing_stays_and_nothing_is_remembered(api: Api) -> None:
    before = await _clock(api)

    async def act(rehearsal: Rehearsal) -> tuple[datetime, bool]:
        session = rehearsal.session
        await add_source(session, api.org_id, key="tried", name="Tried", system="api")
        await session.flush()
        found = await session.execute(select(Source.key).where(Source.org_id == api.org_id, Source.key == "tried"))
        assert found.scalar_one() == "tried"
        assert rehearsal.before == before.last_at < rehearsal.at == await clock.tick(session, api.org_id)
        (await kept(session, api.org_id, rehearsal.at))["tried"] = True
        return rehearsal.at, "tried" in await kept(session, api.org_id, rehearsal.at)

    at, is_kept = await rehearse(api.world.database, api.org_id, act)
    assert is_kept  # within the rehearsal alone
    after = await _clock(api)
    assert (after.last_at, after.configured) == (before.last_at, before.configured)
    async with api.world.database.read(api.org_id) as session:
        assert "tried" not in await kept(session, api.org_id, at)
        found = await session.execute(select(Source.key).where(Source.org_id == api.org_id))
        assert "tried" not in found.scalars().all()


async def test_it_is_tried_again_where_somebody_writes_the_same_and_not_for_other_errors(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsals, "ATTEMPTS", 2)
    tried: list[str] = []

    async def lock(rehearsal: Rehearsal) -> None:
        tried.append("lock")
        await rehearsal.session.execute(select(Job).where(Job.org_id == api.org_id).with_for_update())

    async def break_(rehearsal: Rehearsal) -> Any:
        tried.append("break")
        for _ in range(2):
            rehearsal.session.add(
                Source(org_id=api.org_id, key="x", name="X", system="api", created_at=rehearsal.at, version=1)
            )
        await rehearsal.session.flush()

    async with api.world.database.write(api.org_id) as session:
        await session.execute(select(Job).where(Job.org_id == api.org_id).with_for_update())
        with pytest.raises(DBAPIError):
            await rehearse(api.world.database, api.org_id, lock)
    with pytest.raises(IntegrityError):
        await rehearse(api.world.database, api.org_id, break_)
    assert tried == ["lock", "lock", "break"]
    await rehearse(api.world.database, api.org_id, lock)
