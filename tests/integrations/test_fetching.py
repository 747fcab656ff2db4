"""Fetching back: what messages only name, and what is missing, is asked for until it is known."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.core import errands
from app.core.clock import database_now, tick
from app.core.db import OrganizationId
from app.core.jobs import Job
from app.integrations import to_fetch
from app.integrations.clients.http import Outside
from app.integrations.clients.hubspot import HubSpotClient
from app.integrations.jobs import errands_of
from app.integrations.models import CrmRecord, RecordFetch
from tests.integrations.clients.hubspot import STATIC, HubSpotServer, deal
from tests.integrations.clients.server import serving
from tests.integrations.clients.test_zoho import ZohoServer
from tests.integrations.crm import HubSpotBatch, T
from tests.integrations.posting import ZOHO_CHANNEL, ZOHO_TOKEN, Connection, body_of, content, hubspot, zoho
from tests.support import Api

PRIVATE = {"system": "hubspot", "access_token": STATIC}


class Fetching:
    """A HubSpot account with its API, and the errands that ask it."""

    def __init__(self, connection: Connection, crm: HubSpotServer) -> None:
        self.connection, self.crm, self.api = connection, crm, connection.api
        self.outside = Outside({"*": crm.url}, pause=0.001)

    async def give_credentials(self, **given: str) -> None:
        await self.api.put(f"/sources/{self.connection.id}/credentials", given or PRIVATE)

    async def fetch(self) -> None:
        """Run the errands, and translate what they brought."""
        await self.connection.translate()
        await errands.drain(self.api.world.worker_database, errands_of(self.outside))
        await self.connection.translate()

    async def waiting(self) -> list[RecordFetch]:
        async with self.api.world.database.read(OrganizationId(self.api.org_id)) as session:
            found = await session.execute(select(RecordFetch).where(RecordFetch.org_id == self.api.org_id))
        return sorted(found.scalars(), key=lambda row: row.external_id)

    async def make_due(self) -> None:
        """Let all pauses have passed."""
        async with self.api.world.database.write(OrganizationId(self.api.org_id)) as session:
            now = await database_now(session)
            for table, column in ((RecordFetch, "next_try_at"), (Job, "run_at")):
                await session.execute(update(table).where(table.org_id == self.api.org_id).values({column: now}))

    async def credentials(self) -> Any:
        return await self.api.get(f"/sources/{self.connection.id}/credentials")

    async def want(self, *ids: str, kind: str = "deal") -> None:
        """As a message that only names them."""
        async with self.api.world.database.write(OrganizationId(self.api.org_id)) as session:
            at = await tick(session, OrganizationId(self.api.org_id), only_events=True)
            source = UUID(self.connection.id)
            told = [(kind, id_) for id_ in ids]
            await to_fetch.note(session, self.api.org_id, source, told=told, mentioned=(), may_fetch=True, at=at)


@pytest.fixture
async def fetching(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetching]:
    """HubSpot of which only the stages of deals are subscribed to."""
    monkeypatch.setattr(to_fetch, "PATIENCE", timedelta())
    crm = HubSpotServer(deals={str(id_): deal(id_) for id_ in range(1, 10)}, companies_of={"1": "77"})
    async with serving(crm):
        made = Fetching(await hubspot(api), crm)
        yield made
        await api.delete(f"/sources/{made.connection.id}/credentials")  # errands are of all organizations
        await made.outside.close()


def stage_of(id_: int, at: int = T) -> bytes:
    """All that is told of a deal: that its stage changed."""
    return HubSpotBatch().set("deal", id_, at, "dealstage", "closedwon").body()


async def test_what_the_webhook_does_not_tell_is_fetched_with_its_own_times(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.connection.tell(stage_of(1))
    assert (await content(fetching.connection))["deal:1:deal.won"]["amount"] is None
    await fetching.fetch()
    events = await content(fetching.connection)
    won = events["deal:1:deal.won"]
    assert (won["amount"], won["occurred_at"]) == ({"value": "500", "currency": "EUR"}, "2026-07-10T09:00:00Z")
    assert won["actor"]["id"] == "910901"
    assert won["about"]["customer"] == "hubspot:company:77"
    assert "deal:1:deal.created" in events
    delivery = await fetching.connection.last()
    assert (delivery["origin"], delivery["verdict"], delivery["body"]["fetched"]) == ("fetch", "translated", "deal")
    assert await fetching.waiting() == []


async def test_a_record_that_was_completed_meanwhile_is_not_asked_for(fetching: Fetching) -> None:
    await fetching.give_credentials()
    batch = HubSpotBatch().set("deal", 1, T, "hubspot_owner_id", "1").set("deal", 1, T, "amount", "5")
    await fetching.connection.tell(stage_of(1), batch.body())
    await fetching.fetch()
    assert fetching.crm.asked == []
    assert await fetching.waiting() == []


async def test_without_credentials_records_say_that_they_are_incomplete_and_are_fetched_later(
    fetching: Fetching,
) -> None:
    await fetching.connection.tell(stage_of(1), stage_of(2))
    await fetching.want("3")
    await fetching.fetch()
    assert fetching.crm.asked == []
    assert len((await fetching.api.get("/records", needs_fetch=True))["items"]) == 2
    await fetching.give_credentials()
    await fetching.fetch()
    assert (await fetching.api.get("/records", needs_fetch=True))["items"] == []
    assert {"deal:1:deal.won", "deal:2:deal.won", "deal:3:deal.won"} <= (await content(fetching.connection)).keys()


async def test_many_messages_about_one_object_are_one_request(fetching: Fetching) -> None:
    await fetching.give_credentials()
    for number in range(5):
        await fetching.connection.tell(stage_of(1, T + number), stage_of(2, T + number))
    await fetching.fetch()
    reads = [asked for asked in fetching.crm.asked if asked.path.endswith("0-3/batch/read")]
    assert [sorted(each["id"] for each in asked.json["inputs"]) for asked in reads] == [["1", "2"]]


async def test_what_is_not_there_any_more_is_deleted(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.connection.tell(stage_of(404))
    await fetching.fetch()
    (record,) = (await fetching.api.get("/records"))["items"]
    assert record["is_deleted"]
    assert await fetching.waiting() == []


async def test_fetched_again_nothing_changes(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    await fetching.fetch()
    first = await fetching.connection.events()
    for _ in range(2):
        await fetching.want("1")
        await fetching.fetch()
    assert await fetching.connection.events() == first


async def test_one_that_the_system_refuses_keeps_no_other_from_being_fetched(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1", "2", "3", "666", "4", "5", "6", "7")
    await fetching.want("1", kind="activity")
    await fetching.fetch()
    (left,) = await fetching.waiting()
    assert (left.external_id, left.attempts) == ("666", 1)
    assert left.last_error == "The request is refused (status 400, VALIDATION_ERROR)."
    won = [name for name in await content(fetching.connection) if name.endswith("deal.won")]
    assert len(won) == 7


async def test_refused_credentials_are_told_and_everything_waits_for_better_ones(fetching: Fetching) -> None:
    await fetching.give_credentials(system="hubspot", access_token="pat-withdrawn")
    await fetching.connection.tell(stage_of(1))
    await fetching.fetch()
    told = await fetching.credentials()
    assert told["last_failure"].startswith("The credentials are refused")
    (left,) = await fetching.waiting()
    assert left.last_error == told["last_failure"]
    await fetching.give_credentials()
    await fetching.fetch()
    assert await fetching.waiting() == []
    assert (await fetching.credentials())["last_failure"] is None


async def test_a_system_that_asks_to_wait_is_asked_later(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    fetching.crm.first = [(429, {"Retry-After": "120"}, None)]
    await fetching.fetch()
    assert len(fetching.crm.asked) == 1
    (left,) = await fetching.waiting()
    assert left.attempts == 0
    await fetching.make_due()
    await fetching.fetch()
    assert await fetching.waiting() == []


async def test_a_system_that_fails_is_asked_again_after_a_while(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    fetching.crm.first = [(500, {}, None)] * 4
    await fetching.fetch()
    (left,) = await fetching.waiting()
    assert (left.attempts, left.last_error) == (1, "api.hubapi.com fails, also after 4 tries.")
    await fetching.make_due()
    await fetching.fetch()
    assert await fetching.waiting() == []


async def test_what_changes_while_it_is_fetched_is_fetched_again(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    fetching.crm.first = [0.3]
    errand = asyncio.create_task(fetching.fetch())
    while not fetching.crm.asked:  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.01)
    await fetching.want("1")
    await errand
    await fetching.fetch()
    reads = [asked for asked in fetching.crm.asked if asked.path.endswith("0-3/batch/read")]
    assert len(reads) == 2
    assert await fetching.waiting() == []


async def test_who_dies_while_fetching_leaves_it_to_the_next(fetching: Fetching) -> None:
    """As by kill -9: the lease of the errand ends by itself, and with it those of the objects."""
    await fetching.give_credentials()
    await fetching.want("1", "2")
    api = fetching.api
    held = await errands._claim(api.world.worker_database, api.org_id, to_fetch.FETCH, timedelta(seconds=60))
    assert held is not None
    async with api.world.worker_database.write(api.org_id) as session:
        assert len(await to_fetch.claim(session, api.org_id, UUID(fetching.connection.id), 50)) == 2
    await fetching.fetch()
    assert fetching.crm.asked == []
    async with api.world.worker_database.write(api.org_id) as session:
        ended = update(Job).where(Job.org_id == api.org_id, Job.kind == to_fetch.FETCH)
        await session.execute(ended.values(run_at=await database_now(session)))
    await fetching.fetch()
    assert await fetching.waiting() == []
    assert {"deal:1:deal.won", "deal:2:deal.won"} <= (await content(fetching.connection)).keys()


async def test_an_answer_about_people_is_kept_without_what_is_not_read(fetching: Fetching) -> None:
    secret = deal(1)
    secret["properties"]["customer_email"] = "x@example.com"
    secret["propertiesWithHistory"]["customer_phone"] = [{"value": "+48 600", "timestamp": "2026-07-01T08:00:00Z"}]
    fetching.crm.deals["1"] = secret
    await fetching.give_credentials()
    await fetching.want("1")
    await fetching.fetch()
    kept = str(await fetching.connection.last())
    assert "x@example.com" not in kept
    assert "+48 600" not in kept


async def test_what_was_erased_is_taken_out_of_what_was_fetched(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    await fetching.fetch()
    fetched = await fetching.connection.last()
    assert "910901" in str(fetched["body"])
    await fetching.connection.tell(HubSpotBatch().did("privacyDeletion", "deal", 1, T + 10**9).body())
    await fetching.fetch()
    assert "910901" not in str((await fetching.connection.delivery(fetched["id"]))["body"])
    async with fetching.api.world.database.read(OrganizationId(fetching.api.org_id)) as session:
        found = await session.execute(select(CrmRecord.state).where(CrmRecord.org_id == fetching.api.org_id))
    assert found.scalars().all() == [{}]


async def test_an_archived_source_is_not_asked_any_more(fetching: Fetching) -> None:
    await fetching.give_credentials()
    await fetching.want("1")
    await fetching.api.delete(f"/sources/{fetching.connection.id}")
    await fetching.fetch()
    assert fetching.crm.asked == []


async def test_where_nothing_is_missing_nobody_is_asked(fetching: Fetching) -> None:
    await fetching.give_credentials()
    batch = HubSpotBatch().set("deal", 1, T, "hubspot_owner_id", "1").set("deal", 1, T, "amount", "5")
    await fetching.connection.tell(batch.set("deal", 1, T, "dealstage", "closedwon").body())
    await fetching.fetch()
    assert (fetching.crm.asked, (await fetching.credentials())["last_used_at"]) == ([], None)


async def test_a_thin_webhook_is_completed_by_what_is_fetched(api: Api) -> None:
    """Zoho names what changed, and no more."""
    zoho_crm = ZohoServer()
    row = {
        "id": "5725767000003000064", "Deal_Name": "x", "Stage": "Closed Won", "Amount": 1250.5,
        "Closing_Date": "2026-07-09",
        "Owner": {"id": "5725767000000420001", "name": "Ana", "email": "ana@example.com"},
        "Created_Time": "2026-07-01T10:00:00+02:00", "Modified_Time": "2026-07-10T10:00:00+02:00",
    }  # fmt: skip
    zoho_crm.records = [row]
    given = {"client_id": "1000.A", "client_secret": "shh", "refresh_token": "1000.r", "data_center": "eu"}
    async with serving(zoho_crm):
        connection = await zoho(api, currency="EUR")
        outside = Outside({"*": zoho_crm.url}, pause=0.001)
        for number in range(3):
            told = {
                "server_time": 1783900000000 + number, "module": "Deals", "ids": [row["id"]], "affected_fields": [],
                "operation": "update", "channel_id": ZOHO_CHANNEL, "token": ZOHO_TOKEN,
            }  # fmt: skip
            assert (await connection.post(body_of(told))).status_code == 200
        await connection.translate()
        await errands.drain(api.world.worker_database, errands_of(outside))
        assert zoho_crm.asked == []  # without credentials it waits
        await api.put(f"/sources/{connection.id}/credentials", {"system": "zoho", **given})
        await errands.drain(api.world.worker_database, errands_of(outside))
        await connection.translate()
        won = (await content(connection))["deal:5725767000003000064:deal.won"]
        assert (won["amount"], won["occurred_on"]) == ({"value": "1250.5", "currency": "EUR"}, "2026-07-09")
        assert zoho_crm.paths() == ["POST /oauth/v2/token", "GET /crm/v7/Deals"]
        assert "ana@example.com" not in str(await connection.last())
        await api.delete(f"/sources/{connection.id}/credentials")
        await outside.close()


async def test_fields_that_are_mapped_later_are_fetched_of_all_records_that_are_known(fetching: Fetching) -> None:
    for id_ in "12":
        fetching.crm.deals[id_]["properties"]["product"] = "WMS"
    fetching.crm.deals["2"]["propertiesWithHistory"]["product"] = []
    mapping = {"properties": {"deal": {"product": {"field": "product"}}}}
    await fetching.connection.tell(stage_of(1), stage_of(2))
    await fetching.api.patch(f"/sources/{fetching.connection.id}", {"mapping": {"win_dated_by": "change"}})
    await fetching.fetch()
    assert fetching.crm.asked == []
    await fetching.give_credentials()
    await fetching.fetch()
    events = await content(fetching.connection)
    assert not any("product" in event["properties"] for event in events.values())
    asked = len(fetching.crm.asked)
    await fetching.api.patch(f"/sources/{fetching.connection.id}", {"mapping": {"win_dated_by": "close_date"}})
    await fetching.fetch()
    assert len(fetching.crm.asked) == asked
    await fetching.api.patch(f"/sources/{fetching.connection.id}", {"mapping": mapping})
    await fetching.fetch()
    events = await content(fetching.connection)
    assert {event["properties"].get("product") for event in events.values()} == {"WMS"}
    assert await fetching.waiting() == []


async def test_a_mapping_that_changes_while_records_are_fetched_counts_for_those_that_are_left(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubSpotClient, "most", 1)
    mapping = {"properties": {"deal": {"product": {"field": "product"}}}}
    for id_ in "12":
        fetching.crm.deals[id_]["properties"]["product"] = "WMS"
    await fetching.give_credentials()
    await fetching.want("1", "2")
    fetching.crm.first = [1.0]
    errand = asyncio.create_task(fetching.fetch())
    while not fetching.crm.asked:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.01)
    await fetching.api.patch(f"/sources/{fetching.connection.id}", {"mapping": mapping})
    await errand
    reads = [each.json for each in fetching.crm.asked if each.path.endswith("0-3/batch/read")]
    assert ["product" in read["properties"] for read in reads] == [False, True]
