"""Properties and their values as they were seen, for menus of filters."""

from typing import Any

import pytest

from app.events import queries
from tests.support import Api, World

PATH = "/event-types/deal.won/properties"


def won(number: int, **properties: Any) -> dict[str, Any]:
    at = f"2026-07-{number % 12 + 1:02}T08:00:00Z"
    return {"external_id": f"w{number}", "type": "deal.won", "occurred_at": at, "properties": properties}


@pytest.fixture
async def api(world: World) -> Api:
    caller = await world.organization()
    events = [
        *[won(n, channel="partner", vip=n == 0) for n in range(3)],
        *[won(n, channel="Web") for n in range(3, 5)],
        *[won(n, channel="wörk", size=n) for n in range(5, 7)],
        won(7, channel=7, **{"a/b c": "x", "it's": "'; DROP TABLE event; --"}),
        {**won(8, channel="partner"), "type": "deal.lost"},
    ]
    await caller.post("/events/batch", {"events": events})
    return caller


async def test_the_properties_of_a_type_are_listed_by_how_many_events_have_them(api: Api) -> None:
    assert (await api.get(PATH))["items"] == [
        {"key": "channel", "events": 8, "types": ["number", "text"]},
        {"key": "vip", "events": 3, "types": ["boolean"]},
        {"key": "size", "events": 2, "types": ["number"]},
        {"key": "a/b c", "events": 1, "types": ["text"]},
        {"key": "it's", "events": 1, "types": ["text"]},
    ]
    assert [item["key"] for item in (await api.get(PATH, q="V"))["items"]] == ["vip"]


async def test_the_values_of_a_property_are_listed_by_how_many_events_have_them(api: Api) -> None:
    assert (await api.get(f"{PATH}/channel/values"))["items"] == [
        {"value": "partner", "type": "text", "events": 3},
        {"value": "Web", "type": "text", "events": 2},
        {"value": "wörk", "type": "text", "events": 2},
        {"value": 7, "type": "number", "events": 1},
    ]
    assert (await api.get(f"{PATH}/vip/values"))["items"] == [
        {"value": False, "type": "boolean", "events": 2},
        {"value": True, "type": "boolean", "events": 1},
    ]


@pytest.mark.parametrize(
    ("beginning", "values"), [("w", ["Web", "wörk"]), ("WÖ", ["wörk"]), ("%", []), ("7", [7]), ("'; DROP", [])]
)
async def test_values_are_found_by_their_beginning(api: Api, beginning: str, values: list[Any]) -> None:
    found = await api.get(f"{PATH}/channel/values", q=beginning)
    assert [item["value"] for item in found["items"]] == values


async def test_values_are_paged(api: Api) -> None:
    walked, cursor = [], None
    while True:
        page = await api.get(f"{PATH}/channel/values", limit=1, **({"cursor": cursor} if cursor else {}))
        walked += [item["value"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == ["partner", "Web", "wörk", 7]


async def test_keys_of_any_characters_are_asked_for(api: Api) -> None:
    assert (await api.get(f"{PATH}/a%2Fb%20c/values"))["items"][0]["value"] == "x"
    assert (await api.get(f"{PATH}/it's/values"))["items"][0]["value"] == "'; DROP TABLE event; --"
    await api.get(f"{PATH}/%00/values", expect=422)


async def test_only_events_that_stand_count(api: Api) -> None:
    await api.post("/events", {**won(5, channel="Web"), "version": 1})
    await api.post("/events", {**won(0), "version": 1, "retracted": True})
    found = await api.get(f"{PATH}/channel/values")
    counts = {item["value"]: item["events"] for item in found["items"]}
    assert counts == {"Web": 3, "partner": 2, "wörk": 1, 7: 1}


async def test_what_was_never_seen_is_not_found(api: Api) -> None:
    problem = await api.get("/event-types/visit.paid/properties", expect=404)
    assert problem["type"] == "/problems/event-type-not-found"
    await api.get("/event-types/visit.paid/properties/x/values", expect=404)
    problem = await api.get(f"{PATH}/nope/values", expect=404)
    assert problem["type"] == "/problems/property-not-found"
    assert (await api.get("/event-types/call.made/properties"))["items"] == []
    await api.post("/event-types", {"type": "visit.paid", "description": "Somebody came."})
    assert (await api.get("/event-types/visit.paid/properties"))["items"] == []
    await api.get("/event-types/Nope/properties", expect=422)


async def test_another_organizations_values_are_not_told(api: Api) -> None:
    stranger = await api.world.organization()
    assert (await stranger.get(PATH))["items"] == []
    await stranger.get(f"{PATH}/channel/values", expect=404)


async def test_the_names_of_types_are_those_of_the_list_without_what_was_taken_back(api: Api) -> None:
    """They are found one after the other: none is left out, and a type whose events all went is not there."""
    for kind in ("a.first", "zz.last", "demo.given", "demo.taken_back"):
        await api.post("/events", {"external_id": kind, "type": kind, "occurred_at": "2026-07-01T08:00:00Z"})
    gone = {"external_id": "demo.taken_back", "version": 1, "retracted": True, "type": "demo.taken_back",
            "occurred_at": "2026-07-01T08:00:00Z"}  # fmt: skip
    await api.post("/events", gone)
    await api.post("/event-types", {"type": "own.kind", "description": "Ours."}, expect=201)
    async with api.world.database.read(api.org_id) as session:
        names = list((await session.execute(queries.type_names(api.org_id))).scalars())
    listed = (await api.get("/event-types", limit=200))["items"]
    assert names == sorted(item["type"] for item in listed)
    assert {"a.first", "zz.last", "demo.given", "own.kind", "deal.won"} <= set(names)
    assert "demo.taken_back" not in names
