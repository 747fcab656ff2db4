"""The past follows a mapping that was mended: stored deliveries are told again, and what was erased is not."""

import json
from typing import Any

import pytest

from app.integrations import retelling
from app.integrations.adapters import wire
from tests.integrations.crm import DAY, HubSpotBatch, T, body_of, won
from tests.integrations.posting import content, hubspot, pipedrive
from tests.support import Api

PRODUCT = {"properties": {"deal": {"product": {"field": "product"}}}}
WINS_OF_WMS: dict[str, Any] = {
    "key": "wins_of_wms",
    "name": "Wins of WMS",
    "category": "sales_results",
    "indicator": "lagging",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"won": {"aggregate": "count", "events": ["deal.won"], "where": "properties.product == 'WMS'"}},
    "formula": "won",
}


def with_product(deal: int, product: str = "WMS") -> HubSpotBatch:
    return won(deal).set("deal", deal, T + 5, "product", product)


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retelling, "DELIVERIES", 2)


async def test_a_property_that_is_mapped_later_is_in_the_events_of_the_past(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(*(with_product(deal).body() for deal in range(1, 6)), with_product(6, "TMS").body())
    before = await content(connection)
    assert not any("product" in event["properties"] for event in before.values())
    await api.patch(f"/sources/{connection.id}", {"mapping": PRODUCT})
    await connection.translate()
    after = await content(connection)
    assert {
        key: event["properties"].pop("product") for key, event in after.items() if ":6:" not in key
    } == dict.fromkeys((key for key in before if ":6:" not in key), "WMS")
    assert [after[key]["properties"].pop("product") for key in after if ":6:" in key] == ["TMS"] * 3
    assert after == before
    assert {event["revision"] for event in await connection.events()} == {2}
    items = (await connection.last())["items"]
    assert [item["verdict"] for item in items] == ["translated"] * 5


async def test_figures_filter_by_a_property_that_was_mapped_later_and_count_nothing_twice(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(*(with_product(deal).body() for deal in (1, 2, 3)), with_product(4, "TMS").body())
    await api.set_clock("2026-07-20T10:00:00Z")
    await api.patch(f"/sources/{connection.id}", {"mapping": PRODUCT})
    await connection.translate()
    await api.post("/kpis", WINS_OF_WMS, expect=201)
    asked = {"period": "2026-07", "subject": {"organization": True}, "kpi": "wins_of_wms"}
    explained = await api.post("/kpi-results/explain", asked, expect=200)
    assert explained["result"]["value"] == 3
    assert {event["external_id"] for event in explained["events"]} == {f"deal:{deal}:deal.won" for deal in (1, 2, 3)}
    assert len(await connection.events(type="deal.won")) == 4


async def test_a_role_that_is_mapped_later_is_credited_in_the_past(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).set("deal", 1, T, "second_owner", "910902").body())
    await api.patch(f"/sources/{connection.id}", {"mapping": {"credit_roles": {"overlay": "second_owner"}}})
    await connection.translate()
    credited = (await connection.event("deal:1:deal.won"))["credits"]
    assert [(credit["role"], credit["actor"]["id"]) for credit in credited] == [
        ("overlay", "910902"),
        ("owner", "910901"),
    ]


async def test_custom_fields_of_pipedrive_that_are_mapped_later_are_in_the_events_of_the_past(api: Api) -> None:
    connection = await pipedrive(api)
    field = "a" * 40
    deal = json.loads(body_of("pipedrive/2.json"))
    deal["data"]["custom_fields"] = {field: {"type": "enum", "id": 27}}
    await connection.tell(json.dumps(deal).encode())
    before = await content(connection)
    mapping = {"properties": {"deal": {"region": {"field": field}, "channel": {"field": "origin"}}}}
    await api.patch(f"/sources/{connection.id}", {"mapping": mapping})
    await connection.translate()
    after = await content(connection)
    told = [(event["properties"].pop("region"), event["properties"].pop("channel")) for event in after.values()]
    assert told == [("27", "ManuallyCreated")] * len(before)
    assert after == before


async def test_deliveries_of_an_account_that_was_misspelled_are_translated_once_it_is_right(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retelling, "BYTES", 1)
    connection = await hubspot(api, account_id="44556678")
    await connection.tell(won(1).body(), won(2).body(), won(3).body())
    assert await connection.events() == []
    await api.patch(f"/sources/{connection.id}", {"account_id": "44556677"})
    await connection.translate()
    assert len(await connection.events(type="deal.won")) == 3
    assert {delivery["verdict"] for delivery in await connection.deliveries()} == {"translated"}


async def test_values_of_an_erased_contact_leave_the_stored_bodies_and_do_not_come_back(api: Api) -> None:
    connection = await hubspot(api)
    told = [HubSpotBatch().made("contact", id_, T).set("contact", id_, T, "lifecyclestage", "lead") for id_ in (70, 7)]
    erasure = HubSpotBatch().did("privacyDeletion", "contact", 70, T + 5)
    late = HubSpotBatch().set("contact", 70, T + 2, "lifecyclestage", "customer")
    await connection.tell(*(batch.body() for batch in (*told, erasure)), late.body())
    bodies = [await connection.delivery(each["id"]) for each in await connection.deliveries()]
    assert [body["verdict"] for body in bodies] == ["translated"] * 4
    values = [item.get("propertyValue") for body in bodies for item in body["body"] if "propertyName" in item]
    assert values == [None, "lead", None]
    assert [item["objectId"] for body in bodies for item in body["body"] if item.get("redacted")] == [70, 70]
    await api.patch(f"/sources/{connection.id}", {"mapping": PRODUCT})
    await connection.translate()
    states = {record["external_id"]: record["state"] for record in (await api.get("/records"))["items"]}
    assert states == {"70": {}, "7": {"lifecyclestage": "lead"}}


async def test_an_amount_of_40_digits_fails_nothing(api: Api) -> None:
    connection = await hubspot(api)
    batch = won(1).set("deal", 1, T + 1, "amount", "9" * 40)
    batch.items += won(2).items
    await connection.tell(batch.body())
    wins = {win["external_id"]: win["amount"] for win in await connection.events(type="deal.won")}
    assert wins == {"deal:1:deal.won": None, "deal:2:deal.won": {"value": "500", "currency": None}}


async def test_a_record_that_the_ledger_refuses_keeps_what_stands_and_nothing_else_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    before = await connection.event("deal:1:deal.won")
    with monkeypatch.context() as broken:
        broken.setattr(wire, "LARGEST_DIGITS", 60)  # a defect of ours, as it might be
        batch = HubSpotBatch().set("deal", 1, T + 1, "amount", "9" * 20)
        batch.items += won(2).items
        await connection.tell(batch.body(), won(3).body())
    assert await connection.event("deal:1:deal.won") == before
    assert len(await connection.events(type="deal.won")) == 3
    (failed,) = await connection.deliveries(verdict="failed")
    assert failed["error"].startswith("deal:1:deal.created: /amount/value must have at most")
    items = (await connection.delivery(failed["id"]))["items"]
    assert [item["verdict"] for item in items] == ["failed"] + ["translated"] * 4
    assert "9" * 20 not in json.dumps([failed, items])
    await api.patch(f"/sources/{connection.id}", {"mapping": PRODUCT})  # replays what failed
    await connection.translate()
    assert (await connection.event("deal:1:deal.won"))["amount"] is None
    assert await connection.deliveries(verdict="failed") == []


async def test_a_mapping_that_reads_no_more_than_before_leaves_deliveries_alone(api: Api) -> None:
    connection = await hubspot(api, mapping=PRODUCT)
    await connection.tell(with_product(1).set("deal", 1, T + 2 * DAY, "dealstage", "4711").body())
    before = await connection.last()
    await api.set_clock("2026-07-20T10:00:00Z")
    await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": ["4711"]}})
    await connection.translate()
    assert await connection.last() == before
    assert len(await connection.events(type="deal.won")) == 1
