"""Imports as jobs: begun once, watched, stopped, killed in the middle; and who may do so."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.core.db import OrganizationId
from app.core.jobs import MAX_ATTEMPTS, Job
from app.events.service import record_events
from app.imports import files
from app.imports import work as steps
from app.imports.files import OpenFiles
from app.imports.jobs import HANDLERS
from app.imports.kinds import events
from app.imports.kinds.events import Events
from app.worker import run_due
from tests.imports.posting import download, imported, post, rows_of, table, work
from tests.imports.test_wrong_files import stored
from tests.support import Api

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HEAD = ["external_id", "type", "occurred_at"]


def calls(count: int) -> str:
    """A file of so many calls."""
    return table([HEAD, *[[f"e{n}", "call.made", "2026-07-10T09:00:00Z"] for n in range(count)]])


async def count_of(api: Api) -> int:
    """How many events there are."""
    found = (await api.get("/event-types", limit=200))["items"]
    return sum(int(each["events"]) for each in found)


async def test_a_killed_worker_goes_on_where_it_stood(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Events, "batch", 100)
    made = await post(api, calls(550), "events")
    deaths = 0

    async def dies(session: Any, **told: Any) -> Any:
        nonlocal deaths
        outcomes = await record(session, **told)
        deaths += 1
        if deaths % 2:
            raise ConnectionResetError  # after all was written, and before any of it was committed
        return outcomes

    record = record_events
    monkeypatch.setattr(events, "record_events", dies)
    for _ in range(30):
        await run_due(api.world.worker_database, HANDLERS)
        async with api.world.database.write(api.org_id) as session:
            await _due_now(session, api.org_id)
    monkeypatch.setattr(events, "record_events", record)
    await work(api)
    told = await api.get(f"/imports/{made['id']}")
    assert deaths > 6
    assert (told["state"], told["counts"]) == ("succeeded", {"accepted": 550})
    assert await count_of(api) == 550


async def _due_now(session: Any, org_id: OrganizationId) -> None:
    """Let no job wait for its next attempt."""
    await session.execute(update(Job).where(Job.org_id == org_id, Job.kind == "import-rows").values(run_at=_LONG_AGO))


async def test_a_long_file_is_looked_through_first_and_goes_on_in_any_worker(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Events, "batch", 700)
    monkeypatch.setattr(steps, "_COUNTED_AT_ONCE", 600)
    monkeypatch.setattr(files, "CHUNK", 7_000)
    monkeypatch.setattr(files, "_FORGOTTEN_AT_ONCE", 4)
    made = await post(api, calls(2_500), "events")
    assert made["total"] is None
    assert (await stored(api))[1] > 10
    seen = []
    for n in range(20):
        if n % 2:
            steps._files.close(UUID(made["id"]))
            monkeypatch.setattr(steps, "_files", OpenFiles())  # as another process would have
        await run_due(api.world.worker_database, HANDLERS)
        told = await api.get(f"/imports/{made['id']}")
        seen.append((told["total"], told["done"]))
    assert seen[0] == (None, 0)
    assert [done for total, done in seen if total] == sorted(done for total, done in seen if total)
    assert (told["state"], told["done"], told["counts"]) == ("succeeded", 2_500, {"accepted": 2_500})
    await work(api)
    assert await stored(api) == (1, 0)


async def test_people_are_told_when_it_breaks_off_for_good(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: Any) -> Any:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(Events, "take", breaks)
    made = await post(api, calls(2), "events")
    for _ in range(MAX_ATTEMPTS):
        await run_due(api.world.worker_database, HANDLERS)
        async with api.world.database.write(api.org_id) as session:
            await _due_now(session, api.org_id)
    told = await api.get(f"/imports/{made['id']}")
    assert told["state"] == "failed"
    assert "post it again" in told["error"]
    assert "a defect" not in told["error"]
    await work(api)
    assert await stored(api) == (1, 0)


async def test_a_cancelled_import_stops(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Events, "batch", 100)
    made = await post(api, calls(500), "events")
    await run_due(api.world.worker_database, HANDLERS)
    job = await api.post(f"/jobs/{made['id']}/cancel")
    assert (job["state"], job["done"]) == ("cancelled", 100)
    await work(api)
    assert (await api.get(f"/imports/{made['id']}"))["state"] == "cancelled"
    assert await count_of(api) == 100
    assert (await api.post(f"/jobs/{made['id']}/cancel"))["state"] == "cancelled"


async def test_the_same_upload_with_the_same_key_is_one_import(api: Api) -> None:
    headers = {"Idempotency-Key": "file-1"}
    first = await post(api, calls(2), "events", headers=headers)
    assert (await post(api, calls(2), "events", headers=headers))["id"] == first["id"]
    problem = await post(api, calls(3), "events", headers=headers, expect=422)
    assert problem["type"] == "/problems/idempotency-key-reused"
    assert len((await api.get("/imports"))["items"]) == 1


async def test_who_may_write_such_things_imports_them_and_nobody_else(api: Api) -> None:
    clerk = await api.key("admin", ["organization:read", "teams:write"])
    problem = await post(clerk, calls(1), "events", expect=403)
    assert "events:write" in problem["detail"]
    made = await post(api, calls(1), "events")
    for path in (f"/imports/{made['id']}", f"/imports/{made['id']}/rejected", f"/jobs/{made['id']}"):
        await clerk.call("GET", path, expect=404)
    assert (await clerk.get("/imports"))["items"] == (await clerk.get("/jobs"))["items"] == []
    await clerk.call("POST", f"/jobs/{made['id']}/cancel", expect=404)
    stranger = await api.world.organization()
    await stranger.call("GET", f"/imports/{made['id']}", expect=404)
    await stranger.call("GET", f"/jobs/{made['id']}/stream", expect=404)


async def test_lists_are_filtered(api: Api) -> None:
    one = await imported(api, calls(1), "events")
    other = await post(api, table([["team"], ["North"]]), "teams")
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"kind": "events"}, one),
        ({"state": "queued"}, other),
        ({"kind": "teams"}, other),
    ]
    for query, found in cases:
        assert [each["id"] for each in (await api.get("/imports", **query))["items"]] == [found["id"]]
    assert [each["id"] for each in (await api.get("/jobs", state="succeeded"))["items"]] == [one["id"]]


@pytest.mark.parametrize("kind", ["events", "members", "teams", "targets", "records"])
async def test_a_template_has_the_columns_that_are_told(api: Api, kind: str) -> None:
    told = await api.get("/imports/columns", kind=kind)
    response = await api.call("GET", "/imports/template", params={"kind": kind}, expect=200)
    [row] = rows_of(response.content.decode("utf-8-sig"))
    assert {each["name"] for each in told["columns"] if each["required"]} <= row.keys()


async def test_a_template_can_be_imported(api: Api) -> None:
    response = await api.call("GET", "/imports/template", params={"kind": "events"}, expect=200)
    told = await imported(api, response.content, "events")
    assert told["counts"] == {"accepted": 1}


async def test_a_report_is_posted_again_as_it_is(api: Api) -> None:
    lines = [
        ["External ID", "type", "occurred_at", "amount", "currency", "properties.note"],
        ["a", "deal.won", "10.07.2026 09:30", "1.250,50", "EUR", ""],
        ["b", "deal.won", "11.07.2026 09:30", "1.250", "Euro", "=1+1"],
    ]
    told = await imported(api, table(lines, ";"), "events")
    report = (await download(api, told["id"])).decode("utf-8-sig")
    assert report.splitlines()[0] == ";".join([*lines[0], "problem_row", "problem_column", "problem"])
    assert "'=1+1" in report
    mended = await imported(api, report.replace("Euro", "EUR"), "events")
    assert mended["counts"] == {"accepted": 1}
    found = (await api.get("/events", external_id="b"))["items"][0]
    assert found["amount"] == {"value": "1250", "currency": "EUR"}
    assert found["occurred_at"] == "2026-07-11T07:30:00Z"
    assert found["properties"] == {"note": "=1+1"}


async def test_an_import_is_in_the_audit_trail_and_its_file_is_forgotten(api: Api) -> None:
    made = await post(api, calls(1), "events")
    assert await stored(api) == (1, 1)
    await work(api)
    assert await stored(api) == (1, 0)
    assert made["sha256"] == (await api.get(f"/imports/{made['id']}"))["sha256"]


async def test_octets_are_taken_where_their_format_is_said(api: Api) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    for params, status in (({"format": "csv"}, 202), ({}, 415)):
        response = await api.client.post(
            "/v1/imports", params={"kind": "events", **params}, content=calls(1).encode(), headers=headers
        )
        assert response.status_code == status
