"""A source that falls silent, refuses or is refused is told of, once, and again when that is over."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calendars.working import WorkCalendar
from app.core.jobs import Job
from app.core.outbox import OutboxMessage
from app.integrations import health, watching
from app.integrations.jobs import HANDLERS
from app.integrations.models import SourceCredentials, SourceRejections
from app.integrations.pulse import WorkingTime, is_too_long, usual_gap
from app.integrations.rejections import Rejections
from app.worker import drain
from tests.integrations.crm import won
from tests.integrations.posting import Connection, hubspot
from tests.support import Api

MONDAY = datetime(2026, 7, 13, 7, 0, tzinfo=UTC)  # 9 in Warsaw


async def look(connection: Connection) -> dict[str, Any]:
    """Look after the source, and read how it is."""
    org_id = connection.api.org_id
    async with connection.api.world.worker_database.write(org_id) as session:
        await health.look_after(session, org_id, UUID(connection.id))
    found: dict[str, Any] = await connection.api.get(f"/sources/{connection.id}/health")
    return found


async def told(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    """What was published of sources."""
    async with connection.api.world.database.read(connection.api.org_id) as session:
        found = await session.execute(
            select(OutboxMessage.topic, OutboxMessage.payload)
            .where(OutboxMessage.org_id == connection.api.org_id, OutboxMessage.topic.startswith("source."))
            .order_by(OutboxMessage.id)
        )
        return [(topic, payload) for topic, payload in found]


async def working_days(connection: Connection, days: int) -> None:
    """Two calls every other hour of each working day, from Monday on."""
    deal = 0
    for day in range(days):
        for hour in (0, 2, 4, 6):
            if (MONDAY + timedelta(days=day)).weekday() < 5:
                await connection.api.set_clock(MONDAY + timedelta(days=day, hours=hour))
                for _ in range(2):
                    deal += 1
                    await connection.post(won(deal).body())


async def test_silence_is_measured_in_working_time_and_told_once(api: Api) -> None:
    connection = await hubspot(api)
    never = await look(connection)
    assert (never["last_call_at"], never["usual_gap_seconds"], never["troubles"]) == (None, None, [])
    await working_days(connection, 5)
    friday = MONDAY + timedelta(days=4)
    await api.set_clock(friday + timedelta(days=3, hours=2))  # after a weekend
    well = await look(connection)
    assert (well["usual_gap_seconds"], well["silence_seconds"], well["troubles"]) == (7200, 4 * 3600, [])
    assert (well["accepted_calls"], well["rejected_calls"]) == (0, 0)
    await api.set_clock(friday + timedelta(days=4))
    last_at = (friday + timedelta(hours=6)).isoformat().replace("+00:00", "Z")
    for _ in range(2):
        silent = await look(connection)
        assert silent["troubles"] == [{"trouble": "silent", "since": last_at}]
    assert [topic for topic, _ in await told(connection)] == ["source.silent"]
    await connection.post(won(99).body())
    assert (await look(connection))["troubles"] == []
    await api.delete(f"/sources/{connection.id}")
    await api.set_clock(friday + timedelta(days=14))
    archived = await look(connection)
    assert (archived["is_archived"], archived["troubles"]) == (True, [])
    topics = await told(connection)
    assert [topic for topic, _ in topics] == ["source.silent", "source.recovered"]
    assert topics[1][1] == {"source_id": connection.id, "key": "hubspot", "name": "HubSpot", "from": "silent"}


async def test_calls_that_fail_their_proof_are_counted_cheaply_and_told(api: Api) -> None:
    connection = await hubspot(api)
    inbox = api.world.app.state.inbox
    seconds = [0.0]
    inbox._rejections = Rejections(lambda: seconds[0])
    for n in range(8):
        assert (await connection.post(won(n).body(), secret="wrong-secret-00000001")).status_code == 401
    assert (await look(connection))["rejected_calls"] == 1  # written at once; the others within seconds
    seconds[0] += 6
    await connection.post(won(1).body())
    found = await look(connection)
    assert (found["rejected_calls"], found["accepted_calls"]) == (8, 1)
    assert [each["trouble"] for each in found["troubles"]] == ["signatures_failing"]
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(select(SourceRejections.calls).where(SourceRejections.org_id == api.org_id))
        assert list(rows.scalars()) == [8]
    await api.set_clock(MONDAY + timedelta(days=3))
    assert (await look(connection))["troubles"] == []
    assert [topic for topic, _ in await told(connection)] == ["source.signatures_failing", "source.recovered"]
    await api.set_clock(MONDAY + timedelta(days=60))
    await look(connection)
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(select(SourceRejections.calls).where(SourceRejections.org_id == api.org_id))
        assert list(rows.scalars()) == []


async def test_unknown_sources_leave_no_trace(api: Api) -> None:
    connection = await hubspot(api)
    connection.id = "0197f000-0000-7000-8000-000000000000"
    assert (await connection.post(won(1).body())).status_code == 401
    async with api.world.database.read(api.org_id) as session:
        rows = await session.execute(select(SourceRejections.calls).where(SourceRejections.org_id == api.org_id))
        assert list(rows.scalars()) == []


async def test_credentials_that_are_refused_are_told(api: Api) -> None:
    connection = await hubspot(api)
    await api.call(
        "PUT", f"/sources/{connection.id}/credentials", {"system": "hubspot", "access_token": "pat-eu1-0000-0000"}
    )
    async with api.world.database.write(api.org_id) as session:
        row = (
            await session.execute(select(SourceCredentials).where(SourceCredentials.org_id == api.org_id))
        ).scalar_one()
        row.last_failed_at, row.last_failure = MONDAY, "The system refuses the credentials."
    found = await look(connection)
    assert found["troubles"] == [{"trouble": "credentials_failing", "since": "2026-07-13T07:00:00Z"}]
    assert found["credentials_failure"] == "The system refuses the credentials."
    async with api.world.database.write(api.org_id) as session:
        row = (
            await session.execute(select(SourceCredentials).where(SourceCredentials.org_id == api.org_id))
        ).scalar_one()
        row.last_failure = None
    assert (await look(connection))["troubles"] == []
    assert [topic for topic, _ in await told(connection)] == ["source.credentials_failing", "source.recovered"]


async def test_bodies_that_cannot_be_read_are_counted(api: Api) -> None:
    connection = await hubspot(api)
    await connection.post(b"not json")
    await connection.tell(won(1).body())
    found = await look(connection)
    assert (found["accepted_calls"], found["unreadable_calls"], found["failed_calls"]) == (2, 1, 0)
    assert found["looked_at"] is not None
    (own,) = [each for each in (await api.get("/sources"))["items"] if each["key"] == "api"]
    assert (await api.get(f"/sources/{own['id']}/health"))["troubles"] == []


async def test_each_source_is_looked_after_by_one_job_and_so_are_those_from_before(api: Api) -> None:
    connection = await hubspot(api)

    async def watched() -> list[str]:
        async with api.world.database.read(api.org_id) as session:
            found = await session.execute(
                select(Job.payload).where(Job.org_id == api.org_id, Job.kind == watching.WATCH)
            )
            return [payload["source_id"] for payload in found.scalars()]

    assert await watched() == [connection.id]
    async with api.world.database.write(api.org_id) as session:
        session.add(Job(org_id=api.org_id, kind=watching.WATCH_ALL, payload={}))
    await drain(api.world.worker_database, HANDLERS)
    assert await watched() == [connection.id]


def test_gaps_are_of_working_time() -> None:
    calendar = WorkCalendar("office", ZoneInfo("Europe/Warsaw"))
    friday = MONDAY + timedelta(days=4)
    working = WorkingTime(calendar, MONDAY, friday + timedelta(days=10))
    assert working.between(friday + timedelta(hours=7), friday + timedelta(days=3, hours=1)) == timedelta(hours=2)
    assert working.between(friday + timedelta(hours=9), friday + timedelta(days=1)) == timedelta()
    assert working.between(MONDAY + timedelta(hours=1), MONDAY) == timedelta()
    for hours in range(0, 200, 7):
        at = MONDAY + timedelta(hours=hours, minutes=13)
        assert working.between(MONDAY, at).total_seconds() == float(calendar.working_seconds(MONDAY, at))


def test_what_is_usual_needs_enough_gaps_and_leaves_out_the_longest() -> None:
    calendar = WorkCalendar("office", ZoneInfo("Europe/Warsaw"))
    working = WorkingTime(calendar, MONDAY, MONDAY + timedelta(days=30))
    hours = [MONDAY + timedelta(hours=hour) for hour in range(8)]
    assert usual_gap(hours, working) is None
    many = [MONDAY + timedelta(days=day, hours=hour) for day in range(5) for hour in range(8)]
    assert usual_gap(many, working) == timedelta(hours=1)
    assert usual_gap([*many, MONDAY + timedelta(days=14)], working) == timedelta(hours=1)
    assert not is_too_long(timedelta(hours=3), timedelta(hours=1))
    assert is_too_long(timedelta(hours=3, seconds=1), timedelta(hours=1))
    assert not is_too_long(timedelta(hours=2), timedelta())
    assert not is_too_long(timedelta(days=9), None)
