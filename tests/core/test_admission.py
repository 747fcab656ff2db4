"""A flood of one organization's writes leaves room for the others."""

import asyncio
from uuid import uuid4

import pytest

from app.core import admission, clock
from app.core.admission import Writers
from app.core.db import OrganizationId
from app.core.problems import Unavailable
from tests.support import World

ACME, BOLT = OrganizationId(uuid4()), OrganizationId(uuid4())


async def test_writers_of_one_organization_take_turns_and_others_do_not_wait() -> None:
    writers, inside, most = Writers(2), 0, 0

    async def write() -> None:
        nonlocal inside, most
        async with writers.admitted(ACME):
            inside += 1
            most = max(most, inside)
            async with writers.admitted(BOLT):
                await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(write() for _ in range(2)))
    assert most == 2
    await asyncio.gather(*(_write(writers) for _ in range(10)))
    assert writers._places == {}, "nothing is remembered of those who are done"


async def _write(writers: Writers) -> None:
    async with writers.admitted(ACME):
        assert writers._places[ACME].free._value >= 0
        await asyncio.sleep(0)


async def test_who_waits_too_long_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 0.01)
    writers = Writers(1)
    async with writers.admitted(ACME):
        with pytest.raises(Unavailable) as refused:
            await _write(writers)
        assert refused.value.headers == {"Retry-After": "5"}
    await _write(writers)


async def test_a_place_is_given_back_whatever_happens() -> None:
    writers = Writers(1)
    with pytest.raises(ValueError, match="no"):
        async with writers.admitted(ACME):
            raise ValueError("no")
    waiting = asyncio.create_task(_write(writers))
    async with writers.admitted(ACME):
        await asyncio.sleep(0)
    await waiting


async def test_the_flood_of_one_organization_keeps_no_other_waiting(world: World) -> None:
    acme, bolt = await world.organization(), await world.organization()
    async with world.database.aside.write(acme.org_id) as session:
        await clock.tick(session, acme.org_id)  # so that all its writers wait
        flood = [asyncio.create_task(acme.post("/events", _call(number), expect=201)) for number in range(20)]
        places = world.app.state.writers._places
        while acme.org_id not in places or places[acme.org_id].users < len(flood):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        await asyncio.wait_for(bolt.post("/events", _call(0), expect=201), 5)
    await asyncio.gather(*flood)


def _call(number: int) -> dict[str, str]:
    return {"external_id": f"call-{number}", "type": "call.made", "occurred_at": "2026-07-14T09:31:05Z"}
