"""CloudEvents 1.0: structured and batched."""

import json
from typing import Any

import pytest

from tests.support import Api

URI = "https://telephony.example.com/eu"
CALL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "call-1",
    "source": URI,
    "type": "call.made",
    "time": "2026-07-10T09:31:05Z",
    "pacelineversion": 3,
    "subject": "ignored",
    "data": {"actor": {"id": "7421"}, "about": {"lead": "L-1"}, "duration_seconds": 60},
}


@pytest.fixture
async def registered(api: Api) -> Api:
    """An organization that leads the URI to its source of the API."""
    await api.put("/cloud-event-sources", {"uri": URI})
    return api


async def send(api: Api, body: Any, expect: int, *, batch: bool = False) -> Any:
    kind = "application/cloudevents-batch+json" if batch else "application/cloudevents+json"
    headers = {"Content-Type": f"{kind}; charset=utf-8"}
    return (await api.call("POST", "/events", json.dumps(body), expect=expect, headers=headers)).json()


async def test_a_structured_cloud_event_is_an_event(registered: Api) -> None:
    made = await send(registered, CALL, 201)
    assert made["outcome"] == "accepted"
    read = await registered.get(f"/events/{made['event_id']}")
    assert (read["external_id"], read["version"], read["type"]) == ("call-1", 3, "call.made")
    assert read["occurred_at"] == CALL["time"]
    assert read["duration_seconds"] == "60"
    assert read["source"] == "api"
    assert (await send(registered, CALL, 200))["outcome"] == "duplicate"
    assert (await send(registered, CALL | {"pacelineversion": "4", "data": {"retracted": True}}, 201))[
        "outcome"
    ] == "retracted"


async def test_a_batch_tells_each_outcome(registered: Api) -> None:
    strange = CALL | {"id": "call-2", "source": "urn:other"}
    answer = await send(registered, [CALL, strange, CALL, 7], 200, batch=True)
    assert [item["outcome"] for item in answer["items"]] == ["accepted", "rejected", "duplicate", "rejected"]
    assert answer["items"][1]["field"] == "/source"
    assert "urn:other" in answer["items"][1]["reason"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"type": "Won"}, "/type"),
        ({"time": None}, "/time"),
        ({"time": "2026-07-10T09:31:05"}, "/time"),
        ({"pacelineversion": -1}, "/pacelineversion"),
        ({"source": "urn:other"}, "/source"),
        ({"datacontenttype": "text/plain"}, "/datacontenttype"),
        ({"data": None, "data_base64": "AAAA"}, "/data_base64"),
        ({"data": {"type": "deal.won"}}, "/data/type"),
        ({"data": {"amount": {"value": "much"}}}, "/data/amount/value"),
        ({"data": {"credits": [{"actor": {"id": "1"}, "share": "0.5"}]}}, "/data/credits"),
        ({"data": []}, "/data"),
    ],
)
async def test_a_bad_cloud_event_is_refused_at_its_place(registered: Api, change: dict[str, Any], pointer: str) -> None:
    problem = await send(registered, CALL | change, 422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_batch_must_be_a_list_of_bounded_length(registered: Api) -> None:
    await send(registered, CALL, 422, batch=True)
    await send(registered, [0] * 5001, 422, batch=True)


async def test_a_uri_leads_to_one_source_and_can_be_forgotten(registered: Api) -> None:
    again = await registered.put("/cloud-event-sources", {"uri": URI, "source": "api"})
    listed = (await registered.get("/cloud-event-sources"))["items"]
    assert listed == [again]
    await registered.put("/cloud-event-sources", {"uri": URI, "source": "nowhere"}, expect=422)
    await registered.delete(f"/cloud-event-sources/{again['id']}")
    await registered.delete(f"/cloud-event-sources/{again['id']}", expect=404)
    await send(registered, CALL, 422)
