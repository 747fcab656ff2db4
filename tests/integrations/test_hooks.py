"""Webhooks over HTTP: who gets in, what is stored, what becomes of it."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.core.db import OrganizationId
from app.core.jobs import Job
from app.integrations.translation import TRANSLATE
from tests.integrations.crm import INDEX, HubSpotBatch, body_of
from tests.integrations.posting import Connection, hubspot, pipedrive
from tests.support import Api, World

T = 1_783_900_000_000  # in July 2026


async def anonymous(api: Api, method: str, source_id: Any, body: bytes = b"[]", **headers: str) -> Any:
    return await api.world.caller(api.org_id, None).call(method, f"/hooks/{source_id}", body, headers=headers)


async def test_samples_are_accepted_at_the_time_of_their_headers(api: Api) -> None:
    url = "https://intake.example.com/v1/webhooks/hubspot"
    sources = {"hubspot": await hubspot(api, signed_url=url), "pipedrive": await pipedrive(api)}
    await api.set_clock("2026-10-01T10:00:00Z")
    for sample in INDEX:
        if (source := sources.get(sample["file"].split("/")[0])) is None:
            continue  # the other systems' are posted beside their adapters
        answer = await anonymous(api, sample["method"], source.id, body_of(sample["file"]), **sample["headers"])
        assert (answer.status_code, answer.content) == (200, b""), sample["file"]
    await sources["hubspot"].translate()
    verdicts = [d["verdict"] for source in sources.values() for d in reversed(await source.deliveries())]
    # The last of HubSpot's is of another portal.
    assert verdicts == ["translated"] * 4 + ["foreign_account"] + ["translated"] * 8
    listed = {event["external_id"]: event for event in await sources["hubspot"].events()}
    win = listed["deal:19200000001:deal.won"]
    assert win["occurred_on"] == "2026-10-01"
    assert win["amount"] == {"value": "12500", "currency": None}
    assert win["about"]["deal"] == "hubspot:deal:19200000001"
    assert "deal:508:deal.won" not in listed  # deleted by the last sample
    assert "activity:7701:call.made" in listed


async def test_unknown_sources_and_wrong_signatures_are_a_bare_401_and_leave_nothing(api: Api) -> None:
    connection = await hubspot(api)
    for source_id in (uuid4(), "nonsense", connection.id, "%00", (await api.get("/sources"))["items"][0]["id"]):
        answer = await anonymous(api, "POST", source_id)
        assert (answer.status_code, answer.content) == (401, b"")
    answer = await connection.post(b"[]", secret="wrong secret")
    assert (answer.status_code, answer.content) == (401, b"")
    assert await connection.deliveries() == []


async def test_an_expired_signature_is_judged_by_the_organizations_clock(api: Api) -> None:
    connection = await hubspot(api)
    headers = connection.headers(b"[]", await connection._now())
    assert (await anonymous(api, "POST", connection.id, b"[]", **headers)).status_code == 200
    await api.set_clock("2026-07-13T10:05:01Z")
    assert (await anonymous(api, "POST", connection.id, b"[]", **headers)).status_code == 401


async def test_a_body_that_is_too_large_is_refused_and_the_service_goes_on(api: Api) -> None:
    connection = await hubspot(api)
    assert (await anonymous(api, "POST", connection.id, b"x" * 4_000_001)).status_code == 413
    await connection.tell(b"[]")


async def test_only_post_is_a_webhook(api: Api) -> None:
    connection = await hubspot(api)
    assert (await api.call("GET", f"/hooks/{connection.id}")).status_code == 405


async def test_a_delivery_is_kept_redacted_with_a_digest_and_without_proofs(api: Api) -> None:
    connection = await hubspot(api)
    batch = HubSpotBatch().made("contact", 1, T).set("contact", 1, T, "email", "jan@example.com")
    await connection.tell(batch.body())
    delivery = await connection.last()
    assert delivery["verdict"] == "translated"
    assert [item["verdict"] for item in delivery["items"]] == ["translated", "ignored"]
    assert delivery["size"] == len(batch.body())
    assert len(delivery["digest"]) == 64
    assert "jan@" not in json.dumps(delivery)
    assert not any("signature-v3" in name or name == "authorization" for name in delivery["headers"])


async def test_another_account_is_kept_and_told_and_changes_nothing(api: Api) -> None:
    connection = await hubspot(api)
    mixed = HubSpotBatch(portal=1).made("deal", 1, T)
    mixed.items += HubSpotBatch().made("deal", 2, T).items
    await connection.tell(HubSpotBatch(portal=1).made("deal", 1, T).body(), mixed.body())
    assert [delivery["verdict"] for delivery in await connection.deliveries()] == ["translated", "foreign_account"]
    assert [item["verdict"] for item in (await connection.last())["items"]] == ["foreign_account", "translated"]
    assert [record["external_id"] for record in (await api.get("/records"))["items"]] == ["2"]


HOSTILE: list[bytes] = [
    b"", b"{", b"\xff\xfe", b"[NaN]", b"[" * 100_000, b"[" * 3000 + b"]" * 3000, b'"\\ud800"', b"[]", b"[[[]]]",
    b"null", b"[1, null, {}, [], \"x\"]", b'[{"portalId": 44556677, "subscriptionType": "deal.creation"}]',
    b'[{"portalId": 44556677, "subscriptionType": "deal.\\u0000", "objectId": "\\u0000"}]',
    b'[{"portalId": 44556677, "subscriptionType": "\\ud800.creation", "objectId": 1e999999}]',
    b'[{"portalId": 44556677, "subscriptionType": "deal.creation", "objectId": 1, "eventId": 1, "occurredAt": '
    + b"9" * 5000 + b"}]",
]  # fmt: skip


async def test_hostile_bodies_are_acknowledged_and_keep_nothing_else_back(api: Api) -> None:
    connection = await hubspot(api)
    for body in HOSTILE:
        assert (await connection.post(body)).status_code == 200, body[:50]
    batch = HubSpotBatch().made("deal", 2**63, T)
    batch.set("deal", 2**63, T + 1, "dealname", "a\x00\ud800").set("deal", 2**63, T + 1, "amount", "1e999999999")
    batch.items.append({"portalId": 44556677, "subscriptionType": "deal.creation", "objectId": {"deep": []}})
    await connection.tell(batch.body())
    verdicts = [delivery["verdict"] for delivery in await connection.deliveries()]
    assert verdicts[0] == "translated"
    assert set(verdicts) == {"translated", "unparseable", "ignored"}
    (record,) = (await api.get("/records"))["items"]
    assert record["external_id"] == str(2**63)
    assert record["label"] == "a\ufffd\ufffd"
    assert len(await connection.events()) == 1


async def test_hostile_bodies_of_pipedrive(api: Api) -> None:
    connection = await pipedrive(api)
    for body in [*HOSTILE, b'{"meta": {"company_id": "8087566", "entity": "deal", "action": "change"}}',
                 b'{"meta": {"version": "2.0", "company_id": "8087566", "entity": "deal", "action": "create",'
                 b' "entity_id": "1", "timestamp": "9999-12-31T23:59:59-23:00"}, "data": {"id": 1}}']:  # fmt: skip
        assert (await connection.post(body)).status_code == 200, body[:50]
    await connection.tell(body_of("pipedrive/2.json"))
    assert len(await connection.events()) == 4 - 1


async def test_a_delivery_that_could_not_be_read_can_be_replayed(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(b"{")
    delivery = await connection.last()
    assert (delivery["verdict"], delivery["body"]) == ("unparseable", None)
    path = f"/sources/{connection.id}/deliveries/{delivery['id']}/replay"
    assert (await api.post(path))["verdict"] == "received"
    await connection.translate()
    assert (await connection.last())["verdict"] == "unparseable"


async def test_a_replay_changes_no_event(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(7).body())
    before = await connection.events()
    delivery = await connection.last()
    await api.post(f"/sources/{connection.id}/deliveries/{delivery['id']}/replay")
    await connection.translate()
    assert await connection.events() == before
    assert (await connection.last())["verdict"] == "translated"
    await api.post(f"/sources/{connection.id}/deliveries/{uuid4()}/replay", expect=404)


async def test_what_was_acknowledged_is_translated_by_whoever_comes_next(api: Api) -> None:
    connection = await hubspot(api)
    assert (await connection.post(won(7).body())).status_code == 200
    assert (await connection.last())["verdict"] == "received"
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        waiting = await session.execute(select(Job.kind).where(Job.org_id == api.org_id))
    assert list(waiting.scalars()).count(TRANSLATE) == 1
    await connection.translate()
    assert len(await connection.events()) == 3


async def test_lists_of_deliveries_are_paged_and_filtered(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(b"[]", won(1).body(), won(2).body())
    page = await api.get(f"/sources/{connection.id}/deliveries", limit=2)
    rest = await api.get(f"/sources/{connection.id}/deliveries", limit=2, cursor=page["next_cursor"])
    assert [len(page["items"]), len(rest["items"])] == [2, 1]
    assert len(await connection.deliveries(verdict="ignored")) == 1
    await api.get(f"/sources/{connection.id}/deliveries", verdict="odd", expect=422)


async def test_keys_of_the_api_do_not_open_hooks(api: Api, world: World) -> None:
    connection = await hubspot(api)
    assert (await api.call("POST", f"/hooks/{connection.id}", b"[]")).status_code == 401
    stranger = Connection(await world.organization(), connection.source)
    assert (await stranger.post(b"[]")).status_code == 200  # proved by the secret, whoever carries it


def won(deal: int, at: int = T) -> HubSpotBatch:
    batch = HubSpotBatch().made("deal", deal, at).set("deal", deal, at, "hubspot_owner_id", "910901")
    return batch.set("deal", deal, at, "amount", "500").set("deal", deal, at + 1, "dealstage", "closedwon")


@pytest.mark.parametrize("missing", ["objectId", "eventId", "occurredAt", "portalId", "subscriptionType"])
async def test_one_bad_message_never_fails_the_rest(api: Api, missing: str) -> None:
    connection = await hubspot(api)
    batch = won(7)
    bad = dict(batch.items[0])
    del bad[missing]
    batch.items.insert(1, bad)
    await connection.tell(batch.body())
    assert [item["verdict"] for item in (await connection.last())["items"]].count("unparseable") == 1
    assert len(await connection.events()) == 3
