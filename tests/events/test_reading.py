"""Searching the ledger, the catalogue of types, and other organizations' events."""

from typing import Any

from tests.support import Api, World


def event(n: int, **more: Any) -> dict[str, Any]:
    return {
        "external_id": f"e-{n}",
        "type": "call.made",
        "occurred_at": f"2026-07-{n:02}T08:00:00Z",
        "actor": {"id": str(n % 2)},
        "about": {"deal": f"D-{n % 3}"},
    } | more


async def found(api: Api, **filters: Any) -> list[str]:
    items = (await api.get("/events", **{"sort": "occurred_at", **filters}))["items"]
    return [item["external_id"].removeprefix("e-") for item in items]


async def test_events_are_searched_by_what_they_say(api: Api) -> None:
    events = [event(n) for n in range(1, 7)]
    events[4] |= {"type": "deal.won", "credits": [{"actor": {"id": who}, "share": "0.5"} for who in ("0", "8")]}
    await api.post("/events/batch", {"events": events})
    assert await found(api) == ["1", "2", "3", "4", "5", "6"]
    assert await found(api, sort="-occurred_at") == ["6", "5", "4", "3", "2", "1"]
    assert await found(api, type="deal.won") == ["5"]
    assert await found(api, type=["deal.won", "call.made"], limit=2) == ["1", "2"]
    assert await found(api, about="deal:D-0") == ["3", "6"]
    assert await found(api, about="lead:D-0") == []
    assert await found(api, external_id="e-4") == ["4"]
    assert await found(api, source="api", occurred_from="2026-07-03T08:00:00Z", occurred_to="2026-07-05T08:00:00Z") == [
        "3",
        "4",
    ]
    read = (await api.get("/events", external_id="e-5"))["items"][0]
    assert await found(api, identity=read["credits"][0]["actor"]["identity_id"]) == ["2", "4", "5", "6"]
    assert await found(api, identity=read["credits"][1]["actor"]["identity_id"]) == ["5"]
    assert await found(api, identity=read["actor"]["identity_id"]) == ["1", "3", "5"]
    await api.get("/events", expect=422, about="deal")
    await api.get("/events", expect=422, typ="x")


async def test_a_search_by_when_it_was_recorded_finds_what_is_new(api: Api) -> None:
    await api.post("/events", event(1))
    await api.set_clock("2026-07-14T00:00:00Z")
    await api.post("/events", event(2))
    assert await found(api, recorded_from="2026-07-14T00:00:00Z") == ["2"]
    assert await found(api, recorded_to="2026-07-14T00:00:00Z") == ["1"]


async def test_pages_lose_and_repeat_nothing(api: Api) -> None:
    same = [event(n, occurred_at="2026-07-01T00:00:00Z") for n in range(5)] + [event(n) for n in range(6, 9)]
    gone = [{"external_id": f"gone-{n}", "retracted": True} for n in range(3)]
    await api.post("/events/batch", {"events": same + gone})
    for sort in ("occurred_at", "-occurred_at"):
        seen: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await api.get("/events", limit=2, include_retracted=True, sort=sort, **cursor)
            seen += [item["external_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)) == 11


async def test_a_retraction_of_something_never_seen_can_be_read(api: Api) -> None:
    made = await api.post("/events", {"external_id": "x", "version": 2, "retracted": True}, expect=201)
    read = await api.get(f"/events/{made['event_id']}")
    assert read["retracted"] is True
    assert read["type"] is None
    assert len((await api.get(f"/events/{made['event_id']}/revisions"))["items"]) == 1


async def test_another_organizations_event_is_not_found(api: Api, world: World) -> None:
    stranger = await world.organization()
    made = await stranger.post("/events", event(1))
    for path in ("", "/revisions"):
        problem = await api.get(f"/events/{made['event_id']}{path}", expect=404)
        assert problem["type"] == "/problems/event-not-found"
    assert (await api.post("/events", event(1), expect=201))["event_id"] != made["event_id"]


async def test_an_event_has_an_etag_of_its_revision(api: Api) -> None:
    made = await api.post("/events", event(1))
    path = f"/events/{made['event_id']}"
    assert (await api.call("GET", path, expect=200)).headers["etag"] == '"1"'
    await api.post("/events", event(1, version=1, quantity=2))
    assert (await api.call("GET", path, headers={"If-None-Match": '"1"'}, expect=200)).headers["etag"] == '"2"'
    await api.call("GET", path, headers={"If-None-Match": '"2"'}, expect=304)


async def test_the_catalogue_tells_built_in_own_and_seen_types(api: Api) -> None:
    await api.post("/event-types", {"type": "demo.given", "description": "A demo."}, expect=201)
    await api.post("/events/batch", {"events": [event(1), event(2), event(3, type="fax.sent")]})
    types = {row["type"]: row for row in (await api.get("/event-types", limit=200))["items"]}
    assert types["call.made"]["events"] == 2
    assert types["call.made"]["is_built_in"]
    assert types["call.made"]["last_occurred_at"] == "2026-07-02T08:00:00Z"
    assert types["demo.given"]["description"] == "A demo."
    assert types["fax.sent"]["description"] is None
    assert types["deal.won"]["events"] == 0
    assert list(types) == sorted(types)
    first = await api.get("/event-types", limit=2)
    second = await api.get("/event-types", limit=2, cursor=first["next_cursor"])
    assert [row["type"] for row in first["items"] + second["items"]] == list(types)[:4]


async def test_a_type_is_added_once_and_well_formed(api: Api) -> None:
    for name, status in (("demo.given", 201), ("demo.given", 409), ("deal.won", 409), ("Demo", 422)):
        await api.post("/event-types", {"type": name, "description": "A demo."}, expect=status)
