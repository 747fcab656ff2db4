"""What a change of a mapping would change is foretold, event by event, and then comes true as a job."""

import json
import random
from typing import Any

import pytest

from app.core import errands
from app.integrations import previewing, refolding, retelling
from app.integrations.clients.http import Outside
from app.integrations.jobs import errands_of
from tests.integrations.crm import DAY, HubSpotBatch, T, random_message, won
from tests.integrations.posting import STANDING, Connection, content, hubspot
from tests.integrations.stored import everything
from tests.integrations.test_webhook import AIRCALL, SECRET, call, signed
from tests.support import Api


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refolding, "REFOLD_ROWS", 3)
    monkeypatch.setattr(retelling, "DELIVERIES", 2)


async def work(connection: Connection) -> None:
    """Run the errands that are due."""
    outside = Outside({}, pause=0.001)
    await errands.drain(connection.api.world.worker_database, errands_of(outside))
    await outside.close()


async def foretold(connection: Connection, mapping: dict[str, Any]) -> dict[str, Any]:
    """The preview of a change, when its job has ended."""
    job = await connection.api.post(f"/sources/{connection.id}/mapping/preview", {"mapping": mapping}, expect=202)
    await work(connection)
    preview: dict[str, Any] = await connection.api.get(f"/sources/{connection.id}/mapping/previews/{job['id']}")
    assert preview["job"]["state"] == "succeeded", preview["job"]
    assert preview["job"]["done"] == preview["job"]["total"]
    return preview


async def applied(connection: Connection, mapping: dict[str, Any]) -> dict[str, Any]:
    """The job that applies a change, when it has ended."""
    changed = await connection.api.patch(f"/sources/{connection.id}", {"mapping": mapping})
    assert (await connection.api.get(f"/jobs/{changed['refold_job_id']}"))["state"] == "queued"
    await connection.translate()
    job: dict[str, Any] = await connection.api.get(f"/jobs/{changed['refold_job_id']}")
    assert (job["state"], job["done"]) == ("succeeded", job["total"])
    return job


async def test_a_preview_tells_which_events_change_and_stores_none(api: Api) -> None:
    connection = await hubspot(api)
    for deal in range(1, 6):
        await connection.tell(won(deal).body())
        await connection.tell(HubSpotBatch().set("deal", deal, T + 2 * DAY, "dealstage", "4711").body())
    mapping = {"won_stages": ["closedwon", "4711"]}
    before, stored = await content(connection), await everything(api)
    preview = await foretold(connection, mapping)
    now = await everything(api)
    assert {table for table in stored if stored[table] != now[table]} == {"audit_entry", "long_job", "mapping_preview"}
    assert await content(connection) == before
    assert preview["mapping"] == mapping
    assert preview["job"]["counts"] == {"corrected": 5}
    assert preview["by_type"] == [{"type": "deal.won", "created": 0, "corrected": 5, "retracted": 0}]
    example = preview["examples"][0]
    assert (example["outcome"], example["fields"]) == ("corrected", ["properties", "retracted"])
    assert (example["before"]["retracted"], example["after"]["retracted"]) == (True, False)
    job = await applied(connection, mapping)
    assert (job["counts"], job["kind"], job["subject"]["name"]) == ({"corrected": 5}, "remap-source", "HubSpot")


MAPPINGS: list[dict[str, Any]] = [
    {"won_stages": ["contractsent"], "lost_stages": ["closedwon"]},
    {"properties": {"deal": {"product": {"field": "product"}}}},
    {"fields": {"deal": {"amount": "product"}}},
    {"lead_object": "contact"},
    {"won_stages": None, "credit_owner": "at_win", "properties": {"deal": {"product": {"field": "product"}}}},
]


@pytest.mark.parametrize("number", range(len(MAPPINGS)))
async def test_a_preview_equals_what_applying_does(api: Api, number: int) -> None:
    connection = await hubspot(api)
    chance = random.Random(number)
    for _ in range(6):
        await connection.tell(json.dumps([random_message(chance, T, 12) for _ in range(8)]).encode())
    await connection.tell(*(with_product(deal).body() for deal in (1, 2, 90)))
    stood = await revisions(connection)
    preview = await foretold(connection, MAPPINGS[number])
    job = await applied(connection, MAPPINGS[number])
    stands = await revisions(connection)
    assert preview["job"]["counts"] == job["counts"]
    assert sum(told["created"] + told["corrected"] + told["retracted"] for told in preview["by_type"]) == sum(
        count for outcome, count in job["counts"].items() if outcome != "refused"
    )
    changed = {key for key in stands if stands[key] != stood.get(key)}
    assert len(changed) == sum(count for outcome, count in job["counts"].items() if outcome != "refused")
    for example in preview["examples"]:
        key = example["after"]["external_id"]
        assert key in changed
        assert {name: without_ids(example["after"][name]) for name in STANDING} == {
            name: without_ids(stands[key][name]) for name in STANDING
        }


async def test_rules_that_read_what_nothing_read_before_are_previewed(api: Api) -> None:
    new = {"key": "phone", "name": "Telephones", "system": "webhook", "secrets": [SECRET]}
    connection = Connection(api, await api.post("/sources", new, expect=201))
    await api.set_clock("2026-10-01T08:00:00Z")
    caller = api.world.caller(api.org_id, None)
    for number in range(5):
        request = signed(json.dumps(call(id=number, deal=f"D-{number}")).encode(), id_=f"msg_{number}")
        await caller.call("POST", f"/hooks/{connection.id}", request.body, headers=dict(request.headers), expect=200)
    await connection.translate()
    assert await connection.events() == []
    mapping = {"rules": [AIRCALL]}
    preview = await foretold(connection, mapping)
    assert preview["by_type"] == [{"type": "call.made", "created": 5, "corrected": 0, "retracted": 0}]
    assert preview["examples"][0]["before"] is None
    assert await connection.events() == []
    assert (await applied(connection, mapping))["counts"] == preview["job"]["counts"] == {"created": 5}
    assert len(await connection.events()) == 5
    again = await foretold(connection, {"rules": [{**AIRCALL, "properties": {"line": "data.number.name"}}]})
    assert again["job"]["counts"] == {}
    without = await foretold(connection, {"rules": None})
    assert without["job"]["counts"] == (await applied(connection, {"rules": None}))["counts"]


async def revisions(connection: Connection) -> dict[str, Any]:
    listed = await connection.events(include_retracted=True)
    return {event["external_id"]: event for event in listed}


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(each) for name, each in value.items() if name != "identity_id"}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


def with_product(deal: int) -> HubSpotBatch:
    return won(deal).set("deal", deal, T + 5, "product", "120")


async def test_applying_can_be_stopped_and_what_it_did_stays(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(*(won(deal).body() for deal in range(1, 6)))
    changed = await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": ["4711"]}})
    await api.post(f"/jobs/{changed['refold_job_id']}/cancel")
    await connection.translate()
    assert len(await connection.events(type="deal.won")) == 5
    unchanged = await api.patch(f"/sources/{connection.id}", {"name": "Sales"})
    assert unchanged["refold_job_id"] is None


async def test_a_preview_is_of_its_source_and_for_who_may_change_it(api: Api) -> None:
    connection = await hubspot(api)
    preview = await foretold(connection, {"won_stages": ["4711"]})
    assert preview["job"]["counts"] == {}
    (other,) = [each for each in (await api.get("/sources"))["items"] if each["key"] == "api"]
    job_id = preview["job"]["id"]
    await api.get(f"/sources/{other['id']}/mapping/previews/{job_id}", expect=404)
    refused = await api.post(f"/sources/{other['id']}/mapping/preview", {"mapping": {}}, expect=422)
    assert refused["errors"][0]["pointer"] == "/mapping"
    reader = await api.key("service", ["sources:read", "events:read"])
    await reader.post(f"/sources/{connection.id}/mapping/preview", {"mapping": {}}, expect=403)


async def test_a_preview_can_be_stopped(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    job = await api.post(f"/sources/{connection.id}/mapping/preview", {"mapping": {"won_stages": ["4711"]}}, expect=202)
    await api.post(f"/jobs/{job['id']}/cancel")
    await work(connection)
    preview = await api.get(f"/sources/{connection.id}/mapping/previews/{job['id']}")
    assert (preview["job"]["state"], preview["by_type"], preview["examples"]) == ("cancelled", [], [])


async def test_a_preview_that_would_hold_too_much_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewing, "MOST_SAID", 1)
    connection = await hubspot(api)
    await connection.tell(*(with_product(deal).body() for deal in range(1, 5)))
    job = await api.post(f"/sources/{connection.id}/mapping/preview", {"mapping": MAPPINGS[1]}, expect=202)
    await work(connection)
    ended = await api.get(f"/jobs/{job['id']}")
    assert ended["state"] == "failed"
    assert "fewer new fields" in ended["error"]
