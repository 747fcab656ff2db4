"""Cells and markers together say what the ledger says, whatever happens in which order."""

import asyncio
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from app.core import clock
from app.events.models import EventCredit, StaleMarker
from app.events.sharding import EVERYBODY, SHARDS, shard_of
from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.partials import guard, keeping, wanted
from app.kpis.partials.models import PartialBuild, PartialGuard, PartialMeasure
from app.kpis.partials.shapes import Shape, distinct_shapes, shape_of, union_shape
from tests.kpis.asking import event
from tests.kpis.partials import recount
from tests.support import Api, World

CALLS = ("call.made", "call.received")
MEASURES = [
    EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",)),
    EventMeasure(aggregate=Aggregate.COUNT, events=CALLS, where=parse_filter("properties.channel == 'phone'")),
    EventMeasure(aggregate=Aggregate.AVG, events=CALLS, value=Name(("properties", "score"))),
    EventMeasure(aggregate=Aggregate.SUM, events=("deal.won",), value=Name(("amount",))),
    EventMeasure(aggregate=Aggregate.MAX, events=("deal.won", "call.made"), value=Name(("amount",))),
    EventMeasure(aggregate=Aggregate.MIN, events=("call.made",), value=Name(("properties", "score"))),
]


def shapes() -> dict[bytes, Shape]:
    found = [shape_of(each) for each in MEASURES] + [union_shape(MEASURES[1:3])]
    return distinct_shapes(found)


async def start(api: Api) -> frozenset[bytes]:
    """Let the shapes be kept; their digests."""
    async with api.world.worker_database.write(api.org_id) as session:
        await guard.ensure_guards(session, api.org_id)
        await wanted.register(session, api.org_id, shapes())
    return frozenset(shapes())


async def keep(api: Api, digests: frozenset[bytes]) -> None:
    """Keep figures until nothing is to be done."""
    for shard in range(SHARDS):
        for _ in range(500):
            done = await keeping.tend(api.world.worker_database, api.org_id, shard, digests)
            if not any(each.is_anything for each in done):
                break
        else:
            raise AssertionError("it never ends")


async def check(api: Api) -> int:
    """Every cell of a built shape and a day that is not stale is what the ledger says; how many say anything."""
    org_id = api.org_id
    async with api.world.worker_database.read(org_id) as session:
        zone = (await session.execute(select(guard.zone_of(org_id)))).scalar_one()
        now_basis = (await session.execute(select(guard.basis(org_id)))).scalar_one()
        guards = {row.shard: row for row in (await session.execute(
            select(PartialGuard).where(PartialGuard.org_id == org_id))).scalars()}  # fmt: skip
        built = {tuple(row) for row in await session.execute(
            select(PartialMeasure.digest, PartialBuild.shard)
            .join(PartialBuild, PartialBuild.measure_id == PartialMeasure.id)
            .where(PartialMeasure.org_id == org_id, PartialBuild.org_id == org_id, PartialBuild.next_month.is_(None))
        )}  # fmt: skip
        markers = (await session.execute(
            select(StaleMarker.identity_id, StaleMarker.occurred_at, StaleMarker.occurred_on)
            .where(StaleMarker.org_id == org_id))).all()  # fmt: skip
        stale = {(row.identity_id, row.occurred_on or local(row.occurred_at, zone)) for row in markers}
        at = await clock.now(session, org_id)
        true = recount.cells(await recount.facts(session, org_id, at), list(shapes().values()), zone)
        kept = await recount.kept(session, org_id)
    said = 0
    for key in true.keys() | kept.keys():
        digest, identity, _, day, _ = key
        state = guards.get(shard_of(identity))
        if (
            state is None
            or state.before is None
            or state.basis != now_basis
            or (state.computed_at and at < state.computed_at)
        ):
            continue
        if day >= state.before or (identity, day) in stale or (digest, state.shard) not in built:
            continue
        expected = true.get(key, recount.Cell())
        assert kept.get(key, recount.Cell()) == expected, (key, kept.get(key), expected)
        said += expected.says_anything
    return said


def local(at: datetime, zone: str) -> date:
    """The local day of an instant."""
    return at.astimezone(ZoneInfo(zone)).date()


def call(external_id: str, at: str, who: str | None = "ana", **more: Any) -> dict[str, Any]:
    actor: dict[str, Any] = {"actor": {"id": who}} if who else {}
    return event(external_id, "call.made", at, **actor, **more)


async def post(api: Api, *events: dict[str, Any]) -> None:
    for each in events:
        await api.post("/events", each)


async def test_cells_are_what_the_ledger_says(api: Api) -> None:
    await post(
        api,
        call("c1", "07-02 09:00", properties={"channel": "phone", "score": 3}),
        call("c2", "07-02 23:30", properties={"score": "high"}),
        call("c3", "05-31 21:59", who=None, amount={"value": "10.50", "currency": "EUR"}),
        call("c4", "06-30 09:00", occurred_on="2026-06-01"),
        call("c5", "06-30 09:00", credits=[
            {"actor": {"id": "ana"}, "share": "0.6"}, {"actor": {"id": "bo"}, "share": "0.4"}]),
    )  # fmt: skip
    digests = await start(api)
    await keep(api, digests)
    assert await check(api) > 5
    async with api.world.worker_database.read(api.org_id) as session:
        assert not (await session.execute(select(StaleMarker.id).where(StaleMarker.org_id == api.org_id))).all()


async def test_a_marker_concerns_what_looks_at_its_type(api: Api) -> None:
    shared: dict[str, Any] = {"credits": SHARED}
    first = [call(f"c{day}", f"07-0{day} 09:00", properties={"score": day}, **shared) for day in (1, 2, 3)]
    await post(api, *first, event("d1", "deal.won", "07-01 10:00", amount={"value": "5", "currency": "EUR"}, **shared))
    digests = await start(api)
    await keep(api, digests)
    assert await check(api) > 5
    await post(
        api,
        event("d2", "deal.won", "07-01 11:00", amount={"value": "7", "currency": "EUR"}, **shared),
        call("c4", "07-02 11:00", properties={"score": 9}, **shared),
        event("r1", "call.received", "07-03 11:00", properties={"channel": "phone"}, **shared),
        event("m1", "meeting.held", "07-03 11:00", **shared),
    )
    async with api.world.worker_database.read(api.org_id) as session:
        types = set((await session.execute(select(StaleMarker.type).where(StaleMarker.org_id == api.org_id))).scalars())
    assert types == {"deal.won", "call.made", "call.received", "meeting.held"}
    await keep(api, digests)
    assert await check(api) > 5
    assert not await markers(api)


async def test_what_a_server_of_the_version_before_wrote_is_completed(api: Api) -> None:
    digests = await start(api)
    await keep(api, digests)
    await post(api, call("c1", "07-01 09:00", credits=SHARED), call("c2", "07-02 09:00"))
    async with api.world.worker_database.write(api.org_id) as session:
        whole = delete(StaleMarker).where(StaleMarker.org_id == api.org_id, StaleMarker.identity_id == EVERYBODY)
        await session.execute(whole)
        await session.execute(update(StaleMarker).where(StaleMarker.org_id == api.org_id).values(shard=None, type=None))
        await session.execute(
            update(EventCredit).where(EventCredit.org_id == api.org_id).values(occurred_at=None, occurred_on=None)
        )
    async with api.world.worker_database.write(api.org_id) as session:
        assert await keeping.adopt(session, api.org_id)
    async with api.world.worker_database.write(api.org_id) as session:
        assert not await keeping.adopt(session, api.org_id)
    await keep(api, digests)
    assert await check(api) > 3
    assert not await markers(api)


async def test_whoever_dies_gives_all_back(api: Api) -> None:
    await post(api, call("c1", "07-02 09:00"), call("c2", "05-02 09:00", credits=SHARED))
    digests = await start(api)
    await keep(api, digests)
    await post(api, call("c3", "07-02 09:00"), call("c2", "05-03 09:00", version=2))
    await start_anew(api)
    died = 0
    for shard in range(SHARDS):
        for step in (keeping.catch_up, keeping.build) * 8:
            done = await die(api, step, shard, digests)
            died += done.is_anything
            await check(api)
            async with api.world.worker_database.write(api.org_id) as session:
                assert await step(session, api.org_id, shard, digests) == done
            await check(api)
    assert died > SHARDS
    assert await check(api) == 2
    assert not await markers(api)


class Died(Exception):  # noqa: N818 - what becomes of a worker
    """Of a worker that did so much and never said so."""


async def die(api: Api, step: Any, shard: int, digests: frozenset[bytes]) -> keeping.Done:
    """Take a step and end before it is committed; what it had done."""
    with pytest.raises(Died) as told:
        await die_after(api, step, shard, digests)
    return cast(keeping.Done, told.value.args[0])


async def die_after(api: Api, step: Any, shard: int, digests: frozenset[bytes]) -> None:
    """Nobody else can take a step in the shard meanwhile."""
    database = api.world.worker_database
    async with database.write(api.org_id) as session:
        done = await step(session, api.org_id, shard, digests)
        assert await keeping.tend(database, api.org_id, shard, digests) == [keeping.HELD, keeping.HELD]
        raise Died(done)


async def start_anew(api: Api) -> None:
    """Forget all but the markers: what is kept is built again."""
    async with api.world.worker_database.write(api.org_id) as session:
        await session.execute(delete(PartialBuild).where(PartialBuild.org_id == api.org_id))


async def markers(api: Api) -> list[Any]:
    async with api.world.worker_database.read(api.org_id) as session:
        return list(await session.execute(select(StaleMarker.id).where(StaleMarker.org_id == api.org_id)))


# ------------------------------------------------------------------------------------------ whatever happens


WHEN = [  # the clock stands at 2026-07-13 12:00 in Warsaw
    ("07-13 09:00", None), ("07-12 21:59", None), ("07-12 22:01", None), ("06-30 22:30", None), ("05-31 09:00", None),
    ("07-15 09:00", "2026-07-01"), ("07-15 09:00", None), ("07-01 09:00", "2026-07-14"), ("02-28 23:30", "2026-02-28"),
]  # fmt: skip
SHARED = [{"actor": {"id": "ana"}, "share": "0.6"}, {"actor": {"id": "bo"}, "share": "0.4"}]
SOURCED = [{"actor": {"id": "ana"}, "role": "sourcer", "share": "1"}]
CREDITS = [{}, {"actor": {"id": "ana"}}, {"actor": {"id": "bo"}}, {"credits": SHARED}, {"credits": SOURCED}]

told = st.tuples(
    st.just("tell"),
    st.integers(0, 5),
    st.sampled_from(WHEN),
    st.sampled_from(CREDITS),
    st.sampled_from(["call.made", "call.received", "deal.won"]),
    st.sampled_from([{}, {"channel": "phone", "score": 4}, {"score": "high"}, {"score": 7}]),
    st.sampled_from([None, ("10.50", "EUR"), ("7", "USD")]),
)
happening = st.one_of(
    told,
    told,
    st.tuples(st.just("take_back"), st.integers(0, 5)),
    st.tuples(st.just("step"), st.integers(0, SHARDS - 1), st.integers(1, 3)),
    st.tuples(st.just("step"), st.integers(0, SHARDS - 1), st.integers(1, 3)),
    st.tuples(st.just("together"), st.integers(2, 4)),
    st.tuples(st.just("clock"), st.sampled_from(["07-13T10:00", "07-14T10:00", "07-15T10:00", "08-02T00:00"])),
    st.tuples(st.just("zone"), st.sampled_from(["Europe/Warsaw", "America/New_York"])),
    st.tuples(st.just("counts"), st.sampled_from([None, ["call.made"]])),
)


@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(happening, max_size=14))
async def test_whatever_happens_cells_and_markers_say_what_the_ledger_says(world: World, happened: list[Any]) -> None:
    api = await world.organization()
    digests = await start(api)
    for number, each in enumerate(happened):
        await happen(api, digests, number + 1, each)
        await check(api)
    await keep(api, digests)
    await check(api)


async def round_of(api: Api, digests: frozenset[bytes]) -> None:
    """What one worker does of a round."""
    for shard in range(SHARDS):
        await keeping.tend(api.world.worker_database, api.org_id, shard, digests)


async def happen(api: Api, digests: frozenset[bytes], number: int, what: tuple[Any, ...]) -> None:
    match what:
        case "tell", key, (at, on), credit, kind, properties, money:
            more = {"occurred_on": on} if on else {}
            more |= {"amount": {"value": money[0], "currency": money[1]}} if money else {}
            await post(api, event(f"e{key}", kind, at, version=number, properties=properties, **credit, **more))
        case "take_back", key:
            await api.post("/events", {"external_id": f"e{key}", "version": number, "retracted": True})
        case "step", shard, times:
            for _ in range(times):
                await keeping.tend(api.world.worker_database, api.org_id, shard, digests)
        case "together", workers:
            await asyncio.gather(*[round_of(api, digests) for _ in range(workers)])
        case "clock", at:
            await api.set_clock(f"2026-{at}:00Z")
        case "zone", zone:
            await api.patch("/organization", {"time_zone": zone})
        case "counts", types:
            [source] = [s for s in (await api.get("/sources"))["items"] if s["key"] == "api"]
            await api.patch(f"/sources/{source['id']}", {"counts": types})
