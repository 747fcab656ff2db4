"""Requests to CRMs: to their own hosts only, with patience, and with answers that cannot do harm."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.integrations.clients import http
from app.integrations.clients.base import (
    AccessRefused,
    ForeignHost,
    NotUnderstood,
    Overloaded,
    Refused,
    Standing,
    Unreachable,
)
from app.integrations.clients.http import Caller, Outside, Pace, hosts
from tests.integrations.clients.server import Answer, Asked, Crm, serving

HOSTS = hosts(r"api\.example\.com", r"[a-z0-9-]+\.my\.example\.com")
URL = "https://api.example.com/things"


@dataclass
class Simple(Crm):
    """Answers the same to everybody."""

    told: Any = None

    def answer(self, asked: Asked) -> Answer:
        return 200, {"Content-Type": "application/json"}, self.told if self.told is not None else {"ok": True}


@pytest.fixture
async def crm() -> AsyncIterator[Simple]:
    crm = Simple()
    async with serving(crm):
        yield crm


@pytest.fixture
async def caller(crm: Simple) -> AsyncIterator[Caller]:
    outside = Outside({"*": f"{crm.url}/proxy"}, pause=0.001)
    yield Caller(outside, HOSTS, Pace(1000), Standing("secret-token"))
    await outside.close()


async def test_a_request_goes_where_the_operator_sends_it_and_names_its_host(crm: Simple, caller: Caller) -> None:
    answer = await caller.call("GET", URL, params={"q": "a b&c"})
    assert answer.object() == {"ok": True}
    (asked,) = crm.asked
    assert (asked.path, asked.query, asked.host) == ("/proxy/things", {"q": "a b&c"}, "api.example.com")
    assert asked.headers["authorization"] == "Bearer secret-token"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/", "http://api.example.com/", "https://api.example.com.evil.com/",
        "https://evilapi.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://api.example.com:444/",
        "https://user@api.example.com/", "https://api.example.com@evil.com/", "https://a.b.my.example.com/",
        "https://API.example.com\n/", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_other_hosts_are_never_asked(crm: Simple, caller: Caller, url: str) -> None:
    with pytest.raises(ForeignHost):
        await caller.call("GET", url)
    assert crm.asked == []


async def test_redirects_are_not_followed(crm: Simple, caller: Caller) -> None:
    crm.first = [(302, {"Location": f"{crm.url}/elsewhere"}, None)]
    with pytest.raises(NotUnderstood):
        await caller.call("GET", URL)
    assert len(crm.asked) == 1


async def test_failures_are_tried_again_and_then_told(crm: Simple, caller: Caller) -> None:
    crm.first = [(500, {}, None), (503, {}, None), (502, {}, b"<html>")]
    assert (await caller.call("GET", URL)).status == 200
    crm.first = [(500, {}, {"error": "secret-token"})] * 4
    with pytest.raises(Unreachable) as told:
        await caller.call("GET", URL)
    assert "secret" not in str(told.value)
    assert len(crm.asked) == 8


async def test_what_may_have_been_done_is_not_done_again(crm: Simple, caller: Caller) -> None:
    crm.first = [(500, {}, None)]
    with pytest.raises(Unreachable):
        await caller.call("POST", URL, body={})
    assert len(crm.asked) == 1
    crm.first = [(500, {}, None)]
    assert (await caller.call("POST", URL, body={}, is_safe=True)).status == 200


async def test_a_system_that_asks_to_wait_is_waited_for_or_asked_later(crm: Simple, caller: Caller) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    crm.first = [(429, {"Retry-After": "0"}, None), (429, {"X-RateLimit-Reset": "0.01"}, None)]
    assert (await caller.call("POST", URL, body={})).status == 200
    for headers, least, most in (
        ({"Retry-After": "600"}, 600, 600),
        ({"Retry-After": later}, 7000, 7200),
        ({"Retry-After": "soon"}, 30, 30),
        ({}, 30, 30),
        ({"Retry-After": "999999999"}, 86_400, 86_400),
    ):
        crm.first = [(429, headers, None)]
        with pytest.raises(Overloaded) as told:
            await caller.call("GET", URL)
        assert least <= told.value.wait <= most


async def test_who_does_not_answer_is_given_up(crm: Simple, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.05)
    crm.first = [0.2, 0.2, 0.2, 0.2]
    with pytest.raises(Unreachable):
        await caller.call("GET", URL)
    crm.first = [0.2]
    assert (await caller.call("GET", URL)).status == 200
    nobody = Caller(Outside({"*": "http://127.0.0.1:9"}, pause=0.001), HOSTS, Pace(1000))
    with pytest.raises(Unreachable):
        await nobody.call("POST", URL, body={})


async def test_answers_are_bounded_and_exact(crm: Simple, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.told = b'{"amount": 0.1000000000000000055, "id": 9007199254740993}'
    told = (await caller.call("GET", URL)).object()
    assert (str(told["amount"]), told["id"]) == ("0.1000000000000000055", 9007199254740993)
    for raw in (b"<html>", b"[" * 100_000, b'{"a": NaN}', b"\xff"):
        crm.told = raw
        with pytest.raises(NotUnderstood):
            await caller.call("GET", URL)
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    crm.told = b'"' + b"a" * 2000 + b'"'
    with pytest.raises(NotUnderstood):
        await caller.call("GET", URL)


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, {"category": "EXPIRED"}, AccessRefused, "The credentials are refused (status 401)."),
        (403, [{"errorCode": "INVALID_FIELD", "message": "x"}], AccessRefused, "INVALID_FIELD"),
        (400, {"error": {"code": "0x80048306", "message": "secret"}}, Refused, "(status 400)"),
        (400, {"code": "secret text with words"}, Refused, "(status 400)"),
        (404, None, Refused, "(status 404)"),
        (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], Overloaded, "limit of requests is reached"),
    ],
)  # fmt: skip
async def test_refusals_are_told_by_code(
    crm: Simple, caller: Caller, status: int, body: Any, error: type[Exception], message: str
) -> None:
    crm.first = [(status, {}, body)] * 2
    with pytest.raises(error) as told:
        await caller.call("GET", URL)
    assert message in str(told.value)
    assert "secret" not in str(told.value)


async def test_requests_keep_the_pace_of_their_system() -> None:
    loop = asyncio.get_running_loop()
    pace, began = Pace(100), loop.time()
    await asyncio.gather(*(pace.wait() for _ in range(11)))
    assert loop.time() - began >= 0.099
