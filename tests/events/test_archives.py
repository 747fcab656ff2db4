"""Retention over HTTP: the events of past days leave the ledger, and nothing that is told of them is untrue."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.core.db import OrganizationId
from app.events import archiving
from app.events.archive_models import EventArchive, EventArchivePart
from app.events.models import Event, EventCredit
from app.integrations.jobs import HANDLERS
from app.worker import drain, run_due
from tests.events.test_derived import WON, Ledger
from tests.support import Api

HORIZON = "2026-03-01"


def call(n: int, at: str, **more: Any) -> dict[str, Any]:
    return {"external_id": f"call-{n}", "type": "call.made", "occurred_at": at, "actor": {"id": str(n % 3)}} | more


async def archive(api: Api, before: str = HORIZON, mode: str = "archive") -> dict[str, Any]:
    made: dict[str, Any] = await api.post("/event-archives", {"before": before, "mode": mode}, expect=202)
    return made


async def work(api: Api) -> None:
    await drain(api.world.worker_database, HANDLERS)


async def archived(api: Api, before: str = HORIZON, mode: str = "archive") -> dict[str, Any]:
    made = await archive(api, before, mode)
    await work(api)
    done: dict[str, Any] = await api.get(f"/event-archives/{made['id']}")
    assert done["state"] == "done"
    return done


async def lines(api: Api, archive_id: str, **params: Any) -> list[dict[str, Any]]:
    response = await api.call("GET", f"/event-archives/{archive_id}/events", expect=200, params=params)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


async def stored(api: Api) -> int:
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(select(func.count()).select_from(Event).where(Event.org_id == api.org_id))
        return int(rows.scalar_one())


async def listed(api: Api) -> set[str]:
    return {item["external_id"] for item in (await api.get("/events", limit=200, include_retracted=True))["items"]}


SHARED = [{"actor": {"id": "1"}, "share": "0.6"}, {"actor": {"id": "2"}, "share": "0.4"}]
JANUARY = [
    call(1, "2026-01-10T08:00:00Z"),
    call(2, "2026-01-31T08:00:00Z", credits=SHARED, amount={"value": "10.50", "currency": "EUR"}),
    call(3, "2026-02-28T22:59:59Z", properties={"channel": "web", "size": 3}),
]
KEPT = [call(4, "2026-02-28T23:00:00Z"), call(5, "2026-06-01T08:00:00Z", credits=SHARED)]


async def test_events_before_the_horizon_leave_the_ledger_and_are_downloaded_as_they_were(api: Api) -> None:
    await api.post("/events/batch", {"events": [*JANUARY, *KEPT]})
    await api.post("/events", call(1, "2026-01-11T08:00:00Z", version=2))
    await api.post("/events", {"external_id": "call-3", "version": 5, "retracted": True})
    before = {item["external_id"]: item for item in (await api.get("/events", include_retracted=True))["items"]}
    revisions = [
        revision
        for event in before.values()
        if event["external_id"] in {"call-1", "call-2", "call-3"}
        for revision in (await api.get(f"/events/{event['id']}/revisions"))["items"]
    ]
    made = await archive(api)
    assert (made["state"], made["events"], made["progress"], made["mode"]) == ("waiting", 0, 0, "archive")
    await work(api)
    done = await api.get(f"/event-archives/{made['id']}")
    assert (done["state"], done["events"], done["revisions"], done["progress"]) == ("done", 3, 5, 1)
    assert done["bytes"] > 0
    assert done["first_day"] == "2026-01-10"
    assert await listed(api) == {"call-4", "call-5"}
    read = await lines(api, made["id"])
    by_key = {(each["external_id"], each["revision"]): each for each in read}
    assert by_key == {(each["external_id"], each["revision"]): each for each in revisions}
    assert [each["external_id"] for each in await lines(api, made["id"], month="2026-02")] == ["call-3", "call-3"]
    assert await lines(api, made["id"], month="2025-02") == []
    gone = await api.get(f"/events/{before['call-1']['id']}", expect=404)
    assert "before 2026-03-01 were archived or dropped" in gone["detail"]
    assert (await api.get("/event-archives"))["items"] == [done]


async def test_what_was_downloaded_can_be_posted_elsewhere(api: Api) -> None:
    await api.post("/events/batch", {"events": JANUARY})
    read = await lines(api, (await archived(api))["id"])
    other = await api.world.organization()
    posted = {"external_id", "version", "type", "occurred_at", "occurred_on", "about", "amount", "quantity"} | {
        "duration_seconds",
        "properties",
    }
    facts = [
        {name: each[name] for name in posted}
        | {"actor": {"id": each["actor"]["id"]}}
        | {"credits": [{**credit, "actor": {"id": credit["actor"]["id"]}} for credit in each["credits"]]}
        for each in read
    ]
    assert (await other.post("/events/batch", {"events": facts}))["counts"] == {"accepted": 3}
    again = await lines(other, (await archived(other))["id"])
    ours = {"id", "recorded_at", "origin"}
    assert [_told(each, ours) for each in again] == [_told(each, ours) for each in read]


def _told(event: dict[str, Any], without: set[str]) -> dict[str, Any]:
    text = json.dumps({name: value for name, value in event.items() if name not in without})
    plain: dict[str, Any] = json.loads(text)
    for person in [plain["actor"], *(credit["actor"] for credit in plain["credits"])]:
        person.pop("identity_id")
    return plain


async def test_dropped_events_are_kept_nowhere(api: Api) -> None:
    await api.post("/events/batch", {"events": [*JANUARY, *KEPT]})
    done = await archived(api, mode="drop")
    assert (done["events"], done["revisions"], done["bytes"]) == (3, 3, 0)
    assert await listed(api) == {"call-4", "call-5"}
    await api.get(f"/event-archives/{done['id']}/events", expect=409)
    async with api.world.database.read(api.org_id) as session:
        for table in (EventArchivePart, EventCredit):
            rows = await session.execute(select(func.count()).select_from(table).where(table.org_id == api.org_id))
            assert rows.scalar_one() == (0 if table is EventArchivePart else 2)


async def test_the_day_of_each_revision_decides_whether_it_goes(api: Api) -> None:
    own_day = call(1, "2026-05-01T08:00:00Z", occurred_on="2026-02-27")
    late_day = call(2, "2026-01-01T08:00:00Z", occurred_on="2026-03-01")
    moved_on = call(3, "2026-02-01T08:00:00Z")
    moved_back = call(4, "2026-04-01T08:00:00Z")
    tombstone = {"external_id": "call-5", "retracted": True}
    await api.post("/events/batch", {"events": [own_day, late_day, moved_on, moved_back, tombstone]})
    await api.post("/events", call(3, "2026-04-01T08:00:00Z", version=1))
    await api.post("/events", call(4, "2026-02-01T08:00:00Z", version=1))
    done = await archived(api)
    assert (done["events"], done["revisions"]) == (2, 3)
    assert await listed(api) == {"call-2", "call-3", "call-5"}
    assert await stored(api) == 4


async def test_late_facts_of_archived_days_never_come_back_to_life(api: Api) -> None:
    await api.post("/events/batch", {"events": [*JANUARY, *KEPT]})
    await archive(api)
    for _ in range(2):  # while the events are still there, and when they are gone
        late = [
            *JANUARY,
            call(1, "2026-01-12T08:00:00Z", version=4),
            call(7, "2026-02-28T08:00:00Z"),
            call(8, "2026-05-01T08:00:00Z", occurred_on="2026-02-28"),
            {"external_id": "call-2", "version": 3, "retracted": True},
            call(5, "2026-02-01T08:00:00Z", version=9),
            {"external_id": "never-seen", "version": 3, "retracted": True},
            call(9, "2026-01-01T08:00:00Z", occurred_on="2026-03-01"),
        ]
        answer = await api.post("/events/batch", {"events": late})
        outcomes = [item["outcome"] for item in answer["items"]]
        assert outcomes[:8] == ["duplicate"] * 3 + ["rejected"] * 5
        assert outcomes[8] in {"retracted", "duplicate"}
        assert outcomes[9] in {"accepted", "duplicate"}
        assert [item["field"] for item in answer["items"][3:8]] == [
            "/occurred_at", "/occurred_at", "/occurred_on", "/external_id", "/occurred_at",
        ]  # fmt: skip
        assert all("2026-03-01" in item["reason"] for item in answer["items"][3:8])
        await work(api)
    refused = await api.post("/events", call(7, "2026-02-28T08:00:00Z"), expect=422)
    assert refused["errors"][0]["pointer"] == "/occurred_at"
    assert await listed(api) == {"call-4", "call-5", "call-9", "never-seen"}


async def test_an_archived_event_that_moves_to_a_kept_day_is_in_the_ledger_again(api: Api) -> None:
    await api.post("/events/batch", {"events": JANUARY})
    await archived(api)
    moved = await api.post("/events", call(1, "2026-05-01T08:00:00Z", version=2))
    assert moved["outcome"] == "corrected"
    assert (await api.get(f"/events/{moved['event_id']}"))["revision"] == 2
    back = [
        call(1, "2026-05-02T08:00:00Z", version=3),
        {"external_id": "call-1", "version": 4, "retracted": True},
    ]
    assert (await api.post("/events/batch", {"events": back}))["counts"] == {"corrected": 1, "retracted": 1}


async def test_facts_of_records_are_left_alone_on_days_that_are_gone(api: Api) -> None:
    ledger = Ledger(api, api.world)
    await ledger.connect()
    of_june = replace(WON, occurred_at=datetime(2026, 6, 10, tzinfo=UTC))
    assert await ledger.settle({"deal:508:": [of_june]}) == 1
    await archive(api, "2026-07-01")
    for _ in range(2):  # while the event is still there, and when it is gone
        assert await ledger.settle({"deal:508:": [replace(of_june, amount=Decimal(600))]}) == 0
        assert await ledger.settle({"deal:508:": []}) == 0
        assert await ledger.settle({"deal:508:": [of_june]}) == 0
        await work(api)
    assert await ledger.standing() == {}
    assert await ledger.settle({"deal:508:": [WON]}) == 1
    assert set(await ledger.standing()) == {"deal:508:deal.won"}


@pytest.mark.parametrize(
    ("before", "code"),
    [("2026-03-02", "not_a_month"), ("2026-08-01", "not_past"), ("2026-02-01", "archived_already")],
)
async def test_a_horizon_is_the_first_of_a_past_month_later_than_before(api: Api, before: str, code: str) -> None:
    await archive(api, "2026-02-01")
    refused = await api.post("/event-archives", {"before": before, "mode": "drop"}, expect=422)
    assert refused["errors"][0]["code"] == code
    assert refused["errors"][0]["pointer"] == "/before"


async def test_only_administrators_archive(api: Api) -> None:
    made = await archive(api)
    for role in ("manager", "member", "service"):
        await api.post("/api-keys", {"name": "x", "role": role, "scopes": ["events:archive"]}, expect=422)
        caller = await api.key(role, ["events:read"])
        await caller.post("/event-archives", {"before": "2026-04-01", "mode": "drop"}, expect=403)
        await caller.get("/event-archives", expect=403)
        await caller.get(f"/event-archives/{made['id']}/events", expect=403)


async def test_what_one_organization_drops_stays_in_others(api: Api) -> None:
    other = await api.world.organization()
    for each in (api, other):
        await each.post("/events/batch", {"events": JANUARY})
    done = await archived(api)
    assert len(await listed(other)) == 3
    await other.get(f"/event-archives/{done['id']}", expect=404)
    await other.get(f"/event-archives/{done['id']}/events", expect=404)
    assert (await other.get("/event-archives"))["items"] == []
    assert (await other.post("/events", call(70, "2026-01-01T08:00:00Z")))["outcome"] == "accepted"


async def test_a_request_is_repeated_by_its_key(api: Api) -> None:
    body = {"before": HORIZON, "mode": "drop"}
    first, again = [
        await api.post("/event-archives", body, expect=202, headers={"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert first == again
    assert len((await api.get("/event-archives"))["items"]) == 1


async def test_the_trail_tells_who_asked_and_what_went(api: Api) -> None:
    from app.core.audit import AuditEntry

    await api.post("/events/batch", {"events": JANUARY})
    done = await archived(api)
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(
            select(AuditEntry)
            .where(AuditEntry.org_id == api.org_id, AuditEntry.resource_id == done["id"])
            .order_by(AuditEntry.at)
        )
        told = [(entry.action, entry.actor, entry.changes) for entry in rows.scalars()]
    assert told[0] == ("create", done["requested_by"], {"before": HORIZON, "mode": "archive"})
    assert told[1][:2] == ("finish", "worker")
    assert (told[1][2]["events"], told[1][2]["revisions"]) == (3, 3)


# ------------------------------------------------------------------------------------------------- while it is at work


def many(count: int, *, hours: float = 1) -> list[dict[str, Any]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [call(n, (start + timedelta(hours=hours * n)).isoformat()) for n in range(count)]


async def test_the_work_goes_on_where_a_worker_was_killed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "AT_ONCE", 7)
    await api.post("/events/batch", {"events": many(200)})
    made = await archive(api)
    original, calls = archiving._take_out, 0

    async def dies(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        await original(*arguments)
        if calls % 3 == 0:
            raise ConnectionResetError

    monkeypatch.setattr(archiving, "_take_out", dies)
    progress = [0.0]
    for _ in range(200):
        await run_due(api.world.worker_database, HANDLERS)
        await _due_at_once(api)
        now = await api.get(f"/event-archives/{made['id']}")
        progress.append(now["progress"])
        if now["state"] == "done":
            break
    assert progress == sorted(progress)
    assert any(0 < each < 1 for each in progress)
    read = await lines(api, made["id"])
    assert [each["external_id"] for each in read] == [f"call-{n}" for n in range(200)]
    assert (now["events"], now["revisions"]) == (200, 200)


async def _due_at_once(api: Api) -> None:
    from app.core.jobs import Job

    async with api.world.database.write(api.org_id) as session:
        await session.execute(
            update(Job).where(Job.org_id == api.org_id).values(run_at=datetime(2020, 1, 1, tzinfo=UTC))
        )


async def test_workers_share_the_work_while_facts_come_and_figures_are_asked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "AT_ONCE", 20)
    await api.post("/events/batch", {"events": many(600, hours=2.5)})
    first = await archive(api, "2026-02-01")
    second = await archive(api, "2026-03-01", "drop")
    stop = asyncio.Event()
    posted: list[int] = []

    async def post() -> None:
        number = 1000
        while not stop.is_set():
            # Corrections move events out of the days that go, and new ones come.
            moved = call(number % 600, "2026-05-01T08:00:00Z", version=number)
            await api.post("/events/batch", {"events": [moved, call(number, "2026-06-01T08:00:00Z")]})
            posted.append(number)
            number += 1
            await api.get("/events", limit=5)

    poster = asyncio.create_task(post())
    await asyncio.gather(*(drain(api.world.worker_database, HANDLERS) for _ in range(3)))
    await work(api)
    stop.set()
    await poster
    ended = [await api.get(f"/event-archives/{each['id']}") for each in (first, second)]
    assert [each["state"] for each in ended] == ["done", "done"]
    read = await lines(api, first["id"])
    keys = [(each["external_id"], each["revision"]) for each in read]
    assert len(keys) == len(set(keys)) == ended[0]["revisions"]
    until = datetime.fromisoformat("2026-01-31T23:00:00+00:00")
    expected = {
        each["external_id"] for each in many(600, hours=2.5) if datetime.fromisoformat(each["occurred_at"]) < until
    }
    assert {each["external_id"] for each in read} == expected
    async with api.world.database.read(api.org_id) as session:
        left = await session.execute(
            select(func.count())
            .select_from(Event)
            .where(
                Event.org_id == OrganizationId(api.org_id), Event.occurred_at < datetime(2026, 2, 28, 23, tzinfo=UTC)
            )
        )
        assert left.scalar_one() == 0
        rows = await session.execute(select(EventArchive.version).where(EventArchive.org_id == api.org_id))
        assert all(version > 2 for version in rows.scalars())
