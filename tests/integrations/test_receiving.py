"""Calls that wait at the same time are stored together, and each has an answer of its own."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from app.integrations import deliveries, receiving
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.service import find_source
from tests.integrations.crm import won
from tests.integrations.posting import Connection, hubspot, pipedrive
from tests.support import Api, World

MANY = 30


async def statuses(*posts: Any) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*posts)]


async def stored(connection: Connection) -> list[dict[str, Any]]:
    return await connection.deliveries(limit=200)


async def test_calls_of_one_organization_share_transactions_and_each_is_stored_once(world: World) -> None:
    connection = await hubspot(await world.organization(now=None))
    posts = (connection.post(won(deal).body()) for deal in range(MANY))
    assert await statuses(*posts) == [200] * MANY
    listed = await stored(connection)
    assert len(listed) == MANY
    assert len({each["received_at"] for each in listed}) < MANY  # the clock is read once in each transaction
    await connection.translate()
    assert len(await connection.events(type="deal.won")) == MANY
    assert {each["verdict"] for each in await stored(connection)} == {"translated"}


async def test_each_source_and_sender_among_them_is_judged_by_itself(api: Api) -> None:
    one, other = await hubspot(api), await pipedrive(api)
    unreadable = b"{"
    posts = [
        one.post(won(1).body()),
        one.post(won(2).body(), secret="wrong secret"),
        other.post(json.dumps({"meta": {}}).encode(), secret="pd-hook:wrong"),
        one.post(unreadable),
        one.post(won(3).body()),
        other.post(unreadable),
    ]
    assert await statuses(*posts) == [200, 401, 401, 200, 200, 200]
    await one.translate()
    assert sorted(each["verdict"] for each in await stored(one)) == ["translated", "translated", "unparseable"]
    assert [each["verdict"] for each in await stored(other)] == ["unparseable"]
    assert [win["external_id"] for win in await one.events(type="deal.won")] == ["deal:1:deal.won", "deal:3:deal.won"]


async def test_one_that_cannot_be_stored_keeps_none_of_the_others_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await hubspot(api)
    good = HubSpot.redact

    def break_on_deal_13(self: Any, request: Any, *rest: Any) -> Any:
        return [{"portalId": "\x00"}] if b'"objectId": 13' in request.body else good(self, request, *rest)

    monkeypatch.setattr(HubSpot, "redact", break_on_deal_13)  # a defect of ours, as it might be
    posts = [connection.post(won(deal).body()) for deal in range(10, 16)]
    answers = await asyncio.gather(*posts, return_exceptions=True)
    whole = [answer.status_code for answer in answers if isinstance(answer, httpx.Response)]
    assert whole.count(200) == 5
    assert len(await stored(connection)) == 5


async def test_what_is_not_committed_is_not_acknowledged(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await hubspot(api)
    good = deliveries.receive

    async def store_and_die(session: Any, *rest: Any) -> Any:
        await good(session, *rest)
        raise ConnectionResetError  # the database went away before the commit

    monkeypatch.setattr(deliveries, "receive", store_and_die)
    assert await statuses(*(connection.post(won(deal).body()) for deal in range(3))) == [503] * 3
    monkeypatch.setattr(deliveries, "receive", good)
    assert await stored(connection) == []
    await connection.tell(won(1).body())
    assert len(await stored(connection)) == 1


async def test_a_source_that_is_being_changed_keeps_no_call_waiting(api: Api) -> None:
    connection = await hubspot(api)
    async with api.world.database.write(api.org_id) as session:
        await find_source(session, api.org_id, UUID(connection.id), lock=True)
        async with asyncio.timeout(5):
            assert (await connection.post(won(1).body())).status_code == 200


async def test_where_the_database_keeps_calls_waiting_all_are_to_come_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await hubspot(api)
    good, tried = deliveries.receive, []

    async def store_too_late(session: Any, org_id: Any, calls: Any, *rest: Any) -> Any:
        tried.append(len(calls))
        await session.execute(text("SET LOCAL statement_timeout = 10"))
        await session.execute(text("SELECT pg_sleep(1)"))
        return await good(session, org_id, calls, *rest)

    monkeypatch.setattr(deliveries, "receive", store_too_late)
    assert await statuses(*(connection.post(won(deal).body()) for deal in range(20))) == [503] * 20
    assert sum(tried) == 20  # none was tried by itself again


async def test_large_calls_do_not_go_together(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await hubspot(api)
    good, together = deliveries.receive, []

    async def note(session: Any, org_id: Any, calls: Any, *rest: Any) -> Any:
        together.append(len(calls))
        return await good(session, org_id, calls, *rest)

    monkeypatch.setattr(deliveries, "receive", note)
    monkeypatch.setattr(receiving, "MOST_BYTES_AT_ONCE", 2 * len(won(10).body()))
    assert await statuses(*(connection.post(won(deal).body()) for deal in range(10, 20))) == [200] * 10
    assert await statuses(connection.post(won(20).body() + b" " * 5000)) == [200]
    assert (sum(together), max(together)) == (11, 2)


async def test_a_sender_who_hangs_up_takes_no_other_along(api: Api) -> None:
    connection = await hubspot(api)
    calls = [asyncio.create_task(connection.post(won(deal).body())) for deal in range(4)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    answers = await asyncio.gather(*calls[1:])
    assert {answer.status_code for answer in answers} == {200}
    assert len(await stored(connection)) >= 3
