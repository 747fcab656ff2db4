"""Posting events over HTTP: every outcome, batches, credits, money, bad input, CloudEvents, and many at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import OrganizationId
from app.events.models import Event as EventRow
from app.events.models import EventCredit, Source, StaleMarker
from app.events.sources import add_source
from tests.support import Api, World

WON: dict[str, Any] = {
    "external_id": "deal-77-won",
    "type": "deal.won",
    "occurred_at": "2026-07-10T09:31:05Z",
    "actor": {"id": "7421"},
    "about": {"deal": "D-77", "customer": "C-12"},
    "amount": {"value": "1250.00", "currency": "EUR"},
}
CALL: dict[str, Any] = {"external_id": "c-1", "type": "call.made", "occurred_at": "2026-07-10T09:00:00Z"}


async def batch(api: Api, *events: Any) -> list[str]:
    answer = await api.post("/events/batch", {"events": list(events)}, expect=200)
    return [item["outcome"] for item in answer["items"]]


async def test_an_event_is_accepted_once_and_read_back_as_it_was_posted(api: Api) -> None:
    made = await api.post("/events", WON, expect=201)
    assert made["outcome"] == "accepted"
    again = await api.post("/events", WON, expect=200)
    assert again["outcome"] == "duplicate"
    assert again["event_id"] == made["event_id"]
    read = await api.get(f"/events/{made['event_id']}")
    assert read["amount"] == {"value": "1250", "currency": "EUR"}
    assert read["source"] == "api"
    assert read["about"] == WON["about"]
    assert read["actor"]["id"] == "7421"
    assert read["credits"] == [{"role": "owner", "actor": read["actor"], "share": "1"}]
    assert read["recorded_at"].startswith("2026-07-13T10:00:00")
    assert read["retracted"] is False


async def test_the_same_content_in_another_form_is_a_duplicate(api: Api) -> None:
    await api.post("/events", WON)
    other = WON | {
        "occurred_at": "2026-07-10T11:31:05+02:00",
        "amount": {"currency": "EUR", "value": 1.25e3},
        "credits": [{"role": "owner", "actor": {"id": "7421", "email": "ada@example.com"}, "share": 1}],
        "about": {"customer": "C-12", "deal": "D-77"},
        "properties": {"nothing": None},
    }
    assert (await api.post("/events", other, expect=200))["outcome"] == "duplicate"


async def test_every_row_of_the_table_of_outcomes(api: Api) -> None:
    def version(number: int, amount: str) -> dict[str, Any]:
        return WON | {"version": number, "amount": {"value": amount, "currency": "EUR"}}

    def gone(number: int) -> dict[str, Any]:
        return {"external_id": WON["external_id"], "version": number, "retracted": True}

    outcomes = await batch(
        api,
        version(2, "10"),
        version(2, "10"),
        version(4, "10"),
        version(3, "11"),
        version(4, "11"),
        version(5, "11"),
        gone(5),
        gone(6),
        gone(6),
        gone(8),
        version(7, "12"),
        version(9, "12"),
        {"external_id": "never-seen", "version": 3, "retracted": True},
        WON | {"external_id": "never-seen", "version": 1},
        WON | {"external_id": "never-seen", "type": "Deal Won"},
    )
    assert outcomes == [
        "accepted",
        "duplicate",
        "duplicate",
        "outdated",
        "conflict",
        "corrected",
        "conflict",
        "retracted",
        "duplicate",
        "duplicate",
        "outdated",
        "corrected",
        "retracted",
        "outdated",
        "rejected",
    ]
    assert [event["external_id"] for event in (await api.get("/events"))["items"]] == [WON["external_id"]]


async def test_a_batch_tells_each_outcome_and_counts_them(api: Api) -> None:
    bad = WON | {"external_id": "bad", "occurred_at": "2026-02-30T00:00:00Z"}
    answer = await api.post("/events/batch", {"events": [WON, bad, WON, 5, {"type": "call.made"}]}, expect=200)
    outcomes = [item["outcome"] for item in answer["items"]]
    assert outcomes == ["accepted", "rejected", "duplicate", "rejected", "rejected"]
    assert answer["counts"] == {"accepted": 1, "duplicate": 1, "rejected": 3}
    assert answer["items"][1]["external_id"] == "bad"
    assert answer["items"][1]["field"] == "/occurred_at"
    assert answer["items"][1]["reason"]
    assert answer["items"][4]["field"] == "/external_id"
    assert answer["items"][4]["external_id"] is None


async def test_a_retraction_without_a_version_says_what_to_send(api: Api) -> None:
    await api.post("/events", WON)
    answer = await api.post("/events", {"external_id": WON["external_id"], "retracted": True}, expect=200)
    assert answer["outcome"] == "conflict"
    assert "send a higher version" in answer["reason"]


async def test_a_retracted_event_keeps_what_it_was_and_revives(api: Api) -> None:
    made = await api.post("/events", WON)
    await api.post("/events", {"external_id": WON["external_id"], "version": 1, "retracted": True}, expect=201)
    gone = await api.get(f"/events/{made['event_id']}")
    assert gone["retracted"] is True
    assert gone["amount"]["value"] == "1250"
    assert (await api.get("/events"))["items"] == []
    assert len((await api.get("/events", include_retracted=True))["items"]) == 1
    back = await api.post("/events", WON | {"version": 2}, expect=201)
    assert back["outcome"] == "corrected"
    assert back["event_id"] == made["event_id"]
    assert [event["retracted"] for event in (await api.get("/events"))["items"]] == [False]


async def test_revisions_follow_each_other_without_a_gap(api: Api) -> None:
    made = await api.post("/events", WON)
    changes: list[dict[str, Any]] = [{"amount": None}, {"retracted": True}, {"type": "deal.lost"}]
    for version, (day, change) in enumerate(zip((14, 15, 16), changes, strict=True), start=1):
        await api.set_clock(f"2026-07-{day}T08:00:00Z")
        await api.post("/events", WON | {"version": version} | change, expect=201)
    revisions = (await api.get(f"/events/{made['event_id']}/revisions"))["items"]
    assert [row["revision"] for row in revisions] == [1, 2, 3, 4]
    assert [row["superseded_at"] for row in revisions[:-1]] == [row["recorded_at"] for row in revisions[1:]]
    assert revisions[-1]["superseded_at"] is None
    assert [row["recorded_at"][:10] for row in revisions[1:]] == ["2026-07-14", "2026-07-15", "2026-07-16"]
    assert [row["retracted"] for row in revisions] == [False, False, True, False]


async def test_several_revisions_in_one_batch_are_all_kept(api: Api) -> None:
    events = [WON | {"version": n, "quantity": n} for n in range(1, 4)]
    assert await batch(api, *events) == ["accepted", "corrected", "corrected"]
    event = (await api.get("/events"))["items"][0]
    assert event["quantity"] == "3"
    revisions = (await api.get(f"/events/{event['id']}/revisions"))["items"]
    assert [row["quantity"] for row in revisions] == ["1", "2", "3"]
    assert [row["superseded_at"] is None for row in revisions] == [False, False, True]


async def test_shared_credits_stand_apart_and_add_up(api: Api, world: World) -> None:
    shares = [("owner", "7421", "0.6"), ("owner", "7422", "0.4"), ("sourcer", "7430", "1")]
    listed = [{"role": role, "actor": {"id": who}, "share": share} for role, who, share in shares]
    made = await api.post("/events", WON | {"credits": listed})
    read = await api.get(f"/events/{made['event_id']}")
    assert [(each["role"], each["actor"]["id"], each["share"]) for each in read["credits"]] == shares
    async with world.database.read(OrganizationId(api.org_id)) as session:
        row = (await session.execute(select(EventRow).where(EventRow.org_id == api.org_id))).scalar_one()
        assert row.is_shared
        assert row.identity_id is None
        kept = await session.execute(select(EventCredit).where(EventCredit.org_id == api.org_id))
        assert len(kept.scalars().all()) == 3


async def test_without_an_owner_listed_the_actor_is_owner_beside_the_other_roles(api: Api) -> None:
    made = await api.post("/events", WON | {"credits": [{"role": "sourcer", "actor": {"id": "7430"}}]})
    read = await api.get(f"/events/{made['event_id']}")
    assert sorted((each["role"], each["actor"]["id"]) for each in read["credits"]) == [
        ("owner", "7421"),
        ("sourcer", "7430"),
    ]


async def test_without_an_actor_nobody_is_credited(api: Api) -> None:
    made = await api.post("/events", CALL)
    assert (await api.get(f"/events/{made['event_id']}"))["credits"] == []


async def test_shares_of_a_role_that_do_not_add_up_are_refused(api: Api) -> None:
    listed = [{"actor": {"id": "a"}, "share": "0.6"}, {"actor": {"id": "b"}, "share": "0.3"}]
    problem = await api.post("/events", WON | {"credits": listed}, expect=422)
    assert problem["errors"][0]["pointer"] == "/credits"
    assert "add up to 1, not 0.9" in problem["detail"]


async def test_an_amount_without_a_currency_takes_the_sources_and_says_so(api: Api, world: World) -> None:
    bare = WON | {"amount": {"value": "10"}}
    made = await api.post("/events", bare)
    assert (await api.get(f"/events/{made['event_id']}"))["amount"] == {"value": "10", "currency": None}
    async with world.database.write(OrganizationId(api.org_id)) as session:
        await add_source(session, OrganizationId(api.org_id), key="shop", name="Shop", system="api", currency="PLN")
    made = await api.post("/events", bare | {"source": "shop"}, expect=201)
    read = await api.get(f"/events/{made['event_id']}")
    assert read["amount"] == {"value": "10", "currency": "PLN"}
    assert read["origin"]["currency"] == "source"
    told = bare | {"source": "shop", "amount": {"value": "10", "currency": "PLN"}}
    assert (await api.post("/events", told, expect=200))["outcome"] == "duplicate"


async def test_only_its_adapter_writes_the_events_of_a_crm(api: Api, world: World) -> None:
    async with world.database.write(OrganizationId(api.org_id)) as session:
        await add_source(session, OrganizationId(api.org_id), key="hubspot", name="HubSpot", system="hubspot")
    problem = await api.post("/events", WON | {"source": "hubspot"}, expect=403)
    assert problem["type"] == "/problems/source-not-yours"
    problem = await api.post("/events", WON | {"source": "nowhere"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/source"
    events = [WON | {"source": "hubspot"}, WON | {"source": "nowhere"}, WON]
    assert await batch(api, *events) == ["rejected", "rejected", "accepted"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"external_id": ""}, "/external_id"),
    ({"external_id": "x" * 201}, "/external_id"),
    ({"external_id": "a\u0000"}, "/external_id"),
    ({"external_id": 7}, "/external_id"),
    ({"version": -1}, "/version"),
    ({"version": 2**63}, "/version"),
    ({"version": True}, "/version"),
    ({"type": None}, "/type"),
    ({"type": "won"}, "/type"),
    ({"type": "deal.won\n"}, "/type"),
    ({"occurred_at": None}, "/occurred_at"),
    ({"occurred_at": "2026-07-10T09:31:05"}, "/occurred_at"),
    ({"occurred_at": 1783675865}, "/occurred_at"),
    ({"occurred_at": "1783675865"}, "/occurred_at"),
    ({"occurred_on": "20260710"}, "/occurred_on"),
    ({"quantity": "1E400"}, "/quantity"),
    ({"quantity": "1E-400"}, "/quantity"),
    ({"quantity": "NaN"}, "/quantity"),
    ({"quantity": "Infinity"}, "/quantity"),
    ({"quantity": 10**300}, "/quantity"),
    ({"properties": {"a": 1e300}}, "/properties/a"),
    ({"properties": {"a": 1e-300}}, "/properties/a"),
    ({"version": 10**300}, "/version"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, "/occurred_at"),
    ({"occurred_at": "2201-01-01T00:00:00Z"}, "/occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00+10:00"}, "/occurred_at"),
    ({"occurred_on": "2026-02-30"}, "/occurred_on"),
    ({"occurred_on": "2026-07-10T00:00:00"}, "/occurred_on"),
    ({"occurred_on": "1900-01-01"}, "/occurred_on"),
    ({"actor": {"id": ""}}, "/actor/id"),
    ({"actor": {"id": "1", "nickname": "x"}}, "/actor/nickname"),
    ({"about": {"Deal": "1"}}, "/about/Deal"),
    ({"about": {"deal": ""}}, "/about/deal"),
    ({"about": {f"thing{n}": "1" for n in range(21)}}, "/about"),
    ({"amount": {"value": "1" * 19}}, "/amount/value"),
    ({"amount": {"value": "0.1234567"}}, "/amount/value"),
    ({"amount": {"value": "1", "currency": "EURO"}}, "/amount/currency"),
    ({"amount": {"value": True}}, "/amount/value"),
    ({"quantity": "many"}, "/quantity"),
    ({"duration_seconds": -1}, "/duration_seconds"),
    ({"credits": [{"actor": {"id": "1"}, "share": "0"}]}, "/credits/0/share"),
    ({"credits": [{"actor": {"id": "1"}, "share": "1.1"}]}, "/credits/0/share"),
    ({"credits": [{"role": "Owner", "actor": {"id": "1"}}]}, "/credits/0/role"),
    ({"properties": {"a": [1]}}, "/properties/a"),
    ({"properties": {"a": {"b": 1}}}, "/properties/a"),
    ({"properties": {"a": 1234567890123456}}, "/properties/a"),
    ({"properties": {"a": "x" * 2001}}, "/properties/a"),
    ({"properties": {"a": "\u0000"}}, "/properties/a"),
    ({"properties": {str(n): 1 for n in range(51)}}, "/properties"),
    ({"retracted": "yes"}, "/retracted"),
    ({"shade": 1}, "/shade"),
]


@pytest.mark.parametrize(("change", "pointer"), BAD)
async def test_a_bad_event_is_refused_at_its_place_and_nothing_is_stored(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.post("/events", WON | change, expect=422)
    assert problem["errors"][0]["pointer"].startswith(pointer), problem
    assert await batch(api, WON | change) == ["rejected"]
    assert (await api.get("/events", include_retracted=True))["items"] == []


BAD_VALUES: list[tuple[dict[str, Any], str]] = [
    ({"properties": {"a": "\u0000"}}, "/properties/a"),
    ({"properties": {"a": "x" * 2001}}, "/properties/a"),
    ({"properties": {"a": [1]}}, "/properties/a"),
    ({"properties": {"a/b": {}}}, "/properties/a~1b"),
    ({"properties": {"a": 1234567890123456}}, "/properties/a"),
    ({"properties": ["a"]}, "/properties"),
    ({"about": {"Deal": "1"}}, "/about/Deal"),
    ({"about": {"deal": 7}}, "/about/deal"),
    ({"amount": 5}, "/amount"),
    ({"amount": {"currency": "EUR"}}, "/amount/value"),
    ({"amount": {"value": "\u0000"}}, "/amount/value"),
    ({"amount": {"value": []}}, "/amount/value"),
    ({"amount": {"value": "1", "currency": 5}}, "/amount/currency"),
    ({"credits": [5]}, "/credits/0"),
    ({"credits": [{"actor": {"id": "1"}, "share": True}]}, "/credits/0/share"),
    ({"credits": [{"actor": {"id": "1", "email": "\u0000"}}]}, "/credits/0/actor/email"),
    ({"duration_seconds": {}}, "/duration_seconds"),
]


@pytest.mark.parametrize(("change", "pointer"), BAD_VALUES)
async def test_a_bad_value_is_one_error_whose_pointer_has_only_names_of_the_body(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.post("/events", WON | change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    told = problem["errors"][0]["message"]
    assert "union" not in told
    assert "function" not in told
    answer = await api.post("/events/batch", {"events": [WON | change]}, expect=200)
    assert [(item["field"], item["reason"]) for item in answer["items"]] == [(pointer, told)]


async def test_text_that_cannot_be_stored_in_a_property_is_said_plainly(api: Api) -> None:
    problem = await api.post("/events", WON | {"properties": {"a": "\u0000"}}, expect=422)
    expected = {"pointer": "/properties/a", "message": "must not contain the NUL character", "code": "value_error"}
    assert problem["errors"] == [expected]
    problem = await api.post("/events", WON | {"properties": {"a": "x" * 2001}}, expect=422)
    assert problem["errors"][0]["message"] == "must have at most 2000 characters"


async def test_a_bad_body_is_a_problem(api: Api) -> None:
    assert (await api.call("POST", "/events", b"{", expect=400)).headers["content-type"] == "application/problem+json"
    await api.call("POST", "/events", b"", expect=400)
    await api.call("POST", "/events", b"[]", expect=422)
    await api.call("POST", "/events", b"x", headers={"Content-Type": "text/plain"}, expect=415)
    await api.post("/events/batch", {"events": {}}, expect=422)
    await api.post("/events/batch", {"events": [WON], "more": 1}, expect=422)
    problem = await api.post("/events/batch", {"events": [0] * 5001}, expect=422)
    assert problem["errors"][0]["pointer"] == "/events"


async def test_properties_keep_their_kinds_and_digits(api: Api) -> None:
    told = {"text": "5", "whole": 5, "exact": 0.1, "big": 1e20, "yes": True, "no": False, "Zürich ☂": "é"}
    made = await api.post("/events", WON | {"properties": told | {"absent": None}})
    assert (await api.get(f"/events/{made['event_id']}"))["properties"] == told
    changed = await api.post("/events", WON | {"properties": told | {"text": 5}}, expect=200)
    assert changed["outcome"] == "conflict"


async def test_many_posting_the_same_facts_get_one_accepted(api: Api) -> None:
    answers = await asyncio.gather(*(api.post("/events", WON) for _ in range(20)))
    outcomes = sorted(answer["outcome"] for answer in answers)
    assert outcomes == ["accepted"] + ["duplicate"] * 19
    assert len({answer["event_id"] for answer in answers}) == 1


async def test_batches_in_opposite_orders_never_lock_each_other_out(api: Api) -> None:
    events = [WON | {"external_id": f"e-{n}", "actor": {"id": str(n)}} for n in range(200)]
    orders = [events, events[::-1]] * 4
    answers = await asyncio.gather(*(api.post("/events/batch", {"events": order}, expect=200) for order in orders))
    assert sum(answer["counts"].get("accepted", 0) for answer in answers) == 200
    assert sum(answer["counts"].get("duplicate", 0) for answer in answers) == 7 * 200


async def test_every_write_marks_the_old_and_the_new_state(api: Api, world: World) -> None:
    async def markers() -> list[tuple[str, str]]:
        async with world.database.read(OrganizationId(api.org_id)) as session:
            rows = (
                await session.execute(
                    select(StaleMarker).where(StaleMarker.org_id == api.org_id).order_by(StaleMarker.id)
                )
            ).scalars()
            return [(names.get(str(row.identity_id), "nobody"), row.occurred_at.date().isoformat()) for row in rows]

    made = await api.post("/events", WON)
    other = WON | {"version": 1, "actor": {"id": "7422"}, "occurred_at": "2026-07-11T00:00:00Z"}
    await api.post("/events", other, expect=201)
    names = {row["actor"]["identity_id"]: row["actor"]["id"] for row in await _revisions(api, made)}
    assert await markers() == [("7421", "2026-07-10"), ("7421", "2026-07-10"), ("7422", "2026-07-11")]
    await api.post("/events", other | {"version": 2, "retracted": True}, expect=201)
    await api.post("/events", other, expect=200)
    assert (await markers())[3:] == [("7422", "2026-07-11")]
    await api.post("/events", CALL, expect=201)
    assert (await markers())[4:] == [("nobody", "2026-07-10")]


async def _revisions(api: Api, made: Any) -> Any:
    return (await api.get(f"/events/{made['event_id']}/revisions"))["items"]


async def test_an_idempotency_key_repeats_the_first_outcome(api: Api) -> None:
    options = {"headers": {"Idempotency-Key": "k"}}
    first = await api.post("/events", WON, expect=201, **options)
    assert await api.post("/events", WON, expect=201, **options) == first


async def test_writing_needs_its_permission(api: Api) -> None:
    reader = await api.key("service", ["events:read"])
    await reader.post("/events", WON, expect=403)
    await reader.get("/events")
    writer = await api.key("service", ["events:write"])
    await writer.post("/events", WON, expect=201)


async def test_the_source_of_the_api_is_there_from_the_start(api: Api, world: World) -> None:
    async with world.database.read(OrganizationId(api.org_id)) as session:
        keys = (await session.execute(select(Source.key).where(Source.org_id == api.org_id))).scalars().all()
    assert list(keys) == ["api"]
