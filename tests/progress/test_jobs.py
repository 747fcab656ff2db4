"""Long jobs, as those who do the work tell of them and those who wait see them."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from app.accounts.permissions import Permission
from app.progress import service, streaming
from app.progress.service import Reporter
from tests.support import Api


async def begun(api: Api, kind: str = "rehearsal", **told: Any) -> UUID:
    """A job of a part."""
    async with api.world.database.write(api.org_id) as session:
        return await service.begin(
            session,
            api.org_id,
            kind=kind,
            subject={"type": "source", "name": "crm"},
            permission=Permission.SOURCES_WRITE,
            created_by="key:1",
            **told,
        )


async def test_a_job_from_its_beginning_to_its_end(api: Api) -> None:
    job_id = await begun(api, total=10)
    job = await api.get(f"/jobs/{job_id}")
    assert (job["state"], job["done"], job["total"], job["started_at"]) == ("queued", 0, 10, None)
    assert job["subject"] == {"type": "source", "id": None, "name": "crm"}
    report = Reporter(api.world.database, api.org_id, job_id)
    assert await report.advance(done=4, counts={"accepted": 3, "rejected": 1})
    job = await api.get(f"/jobs/{job_id}")
    assert (job["state"], job["done"], job["counts"]) == ("running", 4, {"accepted": 3, "rejected": 1})
    started = job["started_at"]
    assert await report.advance(done=10, total=12)
    await report.finish({"accepted": 10})
    job = await api.get(f"/jobs/{job_id}")
    assert (job["state"], job["done"], job["total"], job["started_at"]) == ("succeeded", 10, 12, started)
    assert job["counts"] == {"accepted": 10}
    assert job["finished_at"] is not None
    assert not await report.advance(done=11)
    await report.fail("too late")
    assert (await api.get(f"/jobs/{job_id}"))["state"] == "succeeded"


async def test_a_job_that_fails_says_why(api: Api) -> None:
    job_id = await begun(api)
    await Reporter(api.world.database, api.org_id, job_id).fail("The system does not answer: try again.")
    job = await api.get(f"/jobs/{job_id}")
    assert (job["state"], job["error"]) == ("failed", "The system does not answer: try again.")
    problem = (await api.call("POST", f"/jobs/{job_id}/cancel", expect=409)).json()
    assert problem["type"] == "/problems/job-ended"


async def test_who_works_is_told_that_it_was_cancelled(api: Api) -> None:
    job_id = await begun(api)
    report = Reporter(api.world.database, api.org_id, job_id)
    assert not await report.is_cancelled()
    job = await api.post(f"/jobs/{job_id}/cancel")
    assert job["state"] == "cancelled"
    assert await report.is_cancelled()
    assert not await report.advance(done=5, counts={"accepted": 5})
    await report.finish()
    job = await api.get(f"/jobs/{job_id}")
    assert (job["state"], job["done"], job["counts"]) == ("cancelled", 5, {"accepted": 5})


async def test_if_match_guards_the_cancellation(api: Api) -> None:
    job_id = await begun(api)
    response = await api.call("GET", f"/jobs/{job_id}", expect=200)
    await Reporter(api.world.database, api.org_id, job_id).advance(done=1)
    headers = {"If-Match": response.headers["ETag"]}
    await api.call("POST", f"/jobs/{job_id}/cancel", expect=412, headers=headers)


async def test_lists_show_the_newest_first_and_can_be_filtered(api: Api) -> None:
    first, second = str(await begun(api)), str(await begun(api, "backfill"))
    assert [each["id"] for each in (await api.get("/jobs"))["items"]] == [second, first]
    assert [each["id"] for each in (await api.get("/jobs", kind="backfill"))["items"]] == [second]
    assert (await api.get("/jobs", state="running"))["items"] == []


async def test_only_who_may_do_the_like_sees_a_job(api: Api) -> None:
    job_id = await begun(api)
    other = await api.key("admin", ["organization:read", "events:write"])
    assert (await other.get("/jobs"))["items"] == []
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/stream"):
        await other.call("GET", path, expect=404)
    stranger = await api.world.organization()
    await stranger.call("POST", f"/jobs/{job_id}/cancel", expect=404)
    assert (await stranger.get("/jobs"))["items"] == []


async def test_a_stream_tells_each_change_until_the_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PAUSE", 0.01)
    monkeypatch.setattr(streaming, "HEARTBEAT", 0.0)
    job_id = await begun(api, total=3)
    report = Reporter(api.world.database, api.org_id, job_id)

    async def works() -> None:
        for done in (1, 2, 3):
            await asyncio.sleep(0.1)
            await report.advance(done=done)
        await report.finish()

    response, _ = await asyncio.gather(api.call("GET", f"/jobs/{job_id}/stream", expect=200), works())
    assert response.headers["content-type"].startswith("text/event-stream")
    told = [block for block in response.text.split("\n\n") if block and not block.startswith(":")]
    jobs = [json.loads(block.partition("data: ")[2].partition("\n")[0]) for block in told]
    assert [job["state"] for job in (jobs[0], jobs[-1])] == ["queued", "succeeded"]
    assert told[0].startswith("event: progress")
    assert told[-1].startswith("event: end")
    assert [job["version"] for job in jobs] == sorted({job["version"] for job in jobs})
    assert ": still at it" in response.text
