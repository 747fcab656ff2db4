"""ETags of what depends on the caller and the time: never 304 for an answer that the caller has not got."""

from typing import Any

import pytest

from tests.goals.facts import define
from tests.support import Api

GOAL: dict[str, Any] = {
    "name": "Calls in August",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-08",
    "target": {"value": "100"},
}


@pytest.fixture
async def path(api: Api) -> str:
    await define(api, "calls_made")
    return f"/goals/{(await api.post('/goals', GOAL, expect=201))['id']}"


async def read(api: Api, path: str, known: str | None = None) -> tuple[int, str]:
    response = await api.call("GET", path, headers={"If-None-Match": known} if known else {})
    return response.status_code, response.headers["etag"]


async def test_a_goal_that_became_active_is_answered_anew(api: Api, path: str) -> None:
    _, scheduled = await read(api, path)
    assert await read(api, path, scheduled) == (304, scheduled)
    await api.set_clock("2026-08-03T08:00:00Z")
    status, _ = await read(api, path, scheduled)
    assert status == 200
    assert (await api.get(path))["state"] == "active"


async def test_what_one_caller_may_do_is_not_told_to_another(api: Api, path: str) -> None:
    member = await api.key("member", ["goals:read"])
    _, seen = await read(api, path)
    assert (await read(member, path, seen))[0] == 200


async def test_the_etag_of_a_goal_guards_its_version(api: Api, path: str) -> None:
    _, seen = await read(api, path)
    await api.set_clock("2026-08-03T08:00:00Z")
    assert (await api.patch(path, {"name": "Calls"}, headers={"If-Match": f'"7", {seen}'}))["version"] == 2
    await api.patch(path, {"name": "Other"}, headers={"If-Match": seen}, expect=412)
    assert (await api.patch(path, {"name": "Other"}, headers={"If-Match": '"2"'}))["version"] == 3
    for wrong in (f"W/{seen}", '"3-"', '"3-zzz"', "3"):
        await api.patch(path, {"name": "Wrong"}, headers={"If-Match": wrong}, expect=412)


@pytest.mark.parametrize("answer", ["progress", "check", "cascade", "compound", "forecast-track-record"])
async def test_the_same_figures_later_are_not_sent_again(api: Api, path: str, answer: str) -> None:
    _, seen = await read(api, f"{path}/{answer}")
    assert seen.startswith("W/")
    await api.set_clock("2026-07-13T10:00:01Z")
    assert await read(api, f"{path}/{answer}", seen) == (304, seen)
