"""What batches of new events store, made ready before the clock is locked, and that what is old is found in them."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from app.core.clock import LedgerClock
from app.core.db import OrganizationId
from app.events.models import Event, EventCredit, EventHead, Source, StaleMarker
from app.events.service import WORTH_A_DRAFT
from tests.support import Api, World

Json = dict[str, Any]  # Any: JSON
MADE_ANEW = {"row_id", "event_id", "id", "recorded_at", "external_id"}
"""Differ each time, or are told apart by the test."""
TEXTS = [
    'quotes " and \\ backslashes \\"', "{braces, commas}", "NULL", "null", "", " ", "line\nbreak\ttab", "é 漢字 🙂",
    "'", "{}",
]  # fmt: skip


def _events(name: str) -> list[Json]:
    """As many ways of writing an event as rows can differ in."""
    ada, bo = {"id": "ada"}, {"id": 'b"o\\'}
    at = {"occurred_at": "2026-07-10T09:00:00.123456Z"}
    told: list[Json] = [
        {"type": "call.made", **at},
        {"type": "call.made", **at, "actor": ada, "duration_seconds": 12.5, "version": 3},
        {"type": "deal.won", **at, "actor": bo, "amount": {"value": "1250.10", "currency": "USD"}, "quantity": 2},
        {"type": "deal.won", **at, "actor": ada, "amount": {"value": "-3"}, "occurred_on": "2026-06-30"},
        {
            "type": "deal.won",
            **at,
            "actor": ada,
            "credits": [{"actor": ada, "share": "0.6"}, {"actor": bo, "share": "0.4"}],
        },
        {"type": "deal.won", **at, "credits": [{"role": "sourcer", "actor": bo}], "occurred_on": "2026-07-01"},
        {"type": "deal.won", **at, "actor": ada, "about": {"deal": '"D", {7}\\', "customer": "NULL"}},
        *({"type": "call.made", **at, "properties": {'k"\\ {}': text, "n": 1.5, "yes": True}} for text in TEXTS),
    ]
    told += [{"type": "email.sent", **at, "actor": ada}] * (WORTH_A_DRAFT - len(told))
    return [{"external_id": f'{name}{number}\\"{{,}}', **event} for number, event in enumerate(told)]


async def _use_euros(world: World, api: Api) -> None:
    async with world.database.write(OrganizationId(api.org_id)) as session:
        source = (await session.execute(select(Source).where(Source.org_id == api.org_id))).scalars().one()
        source.currency = "EUR"


async def _rows(world: World, api: Api, name: str) -> list[Any]:
    """What the tables hold of a batch, without what is made anew each time."""
    async with world.database.read(OrganizationId(api.org_id)) as session:

        async def told(table: Any, *where: Any) -> list[Json]:
            found = await session.execute(select(*table.__table__.c).where(table.org_id == api.org_id, *where))
            return [dict(row) for row in found.mappings()]

        mine = Event.external_id.startswith(name, autoescape=True)
        events = sorted(await told(Event, mine), key=lambda row: row["external_id"])
        heads = await told(EventHead, EventHead.external_id.startswith(name, autoescape=True))
        assert {(row["external_id"], row["event_id"]) for row in heads} == {
            (row["external_id"], row["event_id"]) for row in events
        }
        places = {row["row_id"]: place for place, row in enumerate(events)}
        credited = [
            row | {"place": places[row["row_id"]]} for row in await told(EventCredit) if row["row_id"] in places
        ]
        return [
            [_same(row) for row in events],
            [_same(row) for row in sorted(heads, key=lambda row: row["external_id"])],
            sorted(repr(_same(row)) for row in credited),
        ]


async def _markers(world: World, api: Api) -> list[str]:
    async with world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(select(*StaleMarker.__table__.c).where(StaleMarker.org_id == api.org_id))
        return sorted(repr(_same(dict(row))) for row in found.mappings())


def _same(row: Json) -> Json:
    return {name: value for name, value in row.items() if name not in MADE_ANEW}


async def test_a_draft_stores_what_deciding_each_event_stores(api: Api, world: World) -> None:
    await _use_euros(world, api)
    one_by_one = [await api.post("/events", event, expect=201) for event in _events("one")]
    marked = await _markers(world, api)
    answer = await api.post("/events/batch", {"events": _events("all")}, expect=200)
    assert [item["outcome"] for item in answer["items"]] == [item["outcome"] for item in one_by_one]
    assert await _rows(world, api, "all") == await _rows(world, api, "one")
    assert await _markers(world, api) == sorted(marked * 2)
    for item, event in zip(answer["items"], _events("all"), strict=True):
        read = await api.get(f"/events/{item['event_id']}")
        assert (read["external_id"], read["about"]) == (event["external_id"], event.get("about", {}))


@pytest.mark.parametrize("known", [0, 7, -1])
async def test_what_is_known_of_a_batch_is_found_wherever_it_stands(api: Api, world: World, known: int) -> None:
    await _use_euros(world, api)
    events = _events("a")
    await api.post("/events/batch", {"events": events[:3]}, expect=200)  # so that all people are known
    new = _events("b")
    await api.post("/events", new[known], expect=201)
    changed = new[known] | {"version": 9, "quantity": 5}
    again = [changed if event is new[known] else event for event in new]
    answer = await api.post("/events/batch", {"events": again}, expect=200)
    expected = ["accepted"] * len(new)
    expected[known] = "corrected"
    assert [item["outcome"] for item in answer["items"]] == expected


async def test_batches_that_race_are_accepted_once_and_leave_no_gap(api: Api, world: World) -> None:
    await api.post("/events/batch", {"events": _events("people")}, expect=200)
    before = await _changes(world, api)
    same = _events("race")
    answers = await asyncio.gather(*(api.post("/events/batch", {"events": same}, expect=200) for _ in range(4)))
    counts = sorted(repr(answer["counts"]) for answer in answers)
    assert counts == sorted([repr({"accepted": len(same)}), *[repr({"duplicate": len(same)})] * 3])
    assert await _changes(world, api) == before + 4


async def test_an_event_that_comes_twice_in_a_batch_is_accepted_once(api: Api) -> None:
    events = _events("twice")
    await api.post("/events/batch", {"events": _events("people")}, expect=200)
    answer = await api.post("/events/batch", {"events": [*events, events[1]]}, expect=200)
    assert answer["counts"] == {"accepted": len(events), "duplicate": 1}


async def _changes(world: World, api: Api) -> int:
    async with world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(select(LedgerClock.seq).where(LedgerClock.org_id == api.org_id))
        seq: int = found.scalar_one()
        return seq
