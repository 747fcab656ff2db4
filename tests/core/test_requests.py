"""How a request runs: its body is bounded, it happens once, and what it promises is committed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.problems import MalformedJson
from app.core.routing import parse_json
from app.core.settings import Settings
from app.main import create_app
from tests.support import Api, World

TEAM = {"name": "North"}


async def test_of_simultaneous_requests_with_one_idempotency_key_one_has_an_effect(api: Api) -> None:
    headers = {"Idempotency-Key": "same"}
    answers = await asyncio.gather(*[api.call("POST", "/teams", TEAM, headers=headers) for _ in range(8)])
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len((await api.get("/teams"))["items"]) == 1


async def test_a_failed_request_leaves_its_idempotency_key_free(api: Api) -> None:
    headers = {"Idempotency-Key": "later"}
    await api.post("/teams", {"name": ""}, expect=422, headers=headers)
    await api.post("/teams", TEAM, expect=201, headers=headers)


async def test_an_idempotency_key_belongs_to_one_caller_and_operation(api: Api, world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await api.post("/teams", TEAM, expect=201, headers=headers)
    await api.post("/members", {"name": "Ada"}, expect=201, headers=headers)
    other = await api.key("admin", ["teams:write", "teams:read"])
    second = await other.post("/teams", TEAM, expect=201, headers=headers)
    stranger = await world.organization()
    third = await stranger.post("/teams", TEAM, expect=201, headers=headers)
    assert len({first["id"], second["id"], third["id"]}) == 3


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
async def test_an_idempotency_key_that_cannot_be_one_is_refused(api: Api, key: str) -> None:
    problem = await api.post("/teams", TEAM, expect=422, headers={"Idempotency-Key": key})
    assert problem["errors"][0]["pointer"] == "?Idempotency-Key"


async def test_a_body_that_is_too_large_is_a_problem_whether_its_length_is_told_or_not(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(110):
            yield b" " * 100_000

    for content in (b" " * 11_000_000, pieces()):
        answer = await api.client.post("/v1/teams", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    await api.get("/teams")


async def test_what_is_not_there_and_what_is_not_possible_are_problems(api: Api) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/me", 405), ("GET", "/teams/x", 422)):
        answer = await api.call(method, path, expect=status)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_every_problem_has_a_page(api: Api) -> None:
    problem = await api.get("/teams/00000000-0000-7000-8000-000000000000", expect=404)
    page = await api.client.get(problem["type"])
    assert page.status_code == 200
    assert "There is no such" in page.text


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"a": 1.10}', {"a": "1.10"}),
        (b'{"a": 12345678901234567890.123456789}', {"a": "12345678901234567890.123456789"}),
        (b'"\\u00e9"', "é"),
    ],
)
def test_json_is_read_exactly(body: bytes, wanted: Any) -> None:
    read = parse_json(body, 32)
    assert ({name: str(value) for name, value in read.items()} if isinstance(read, dict) else read) == wanted


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 33 + b"]" * 33,
        b"{",
        b"\xff",
        b"NaN",
        b"[Infinity]",
        b'"\\ud800"',
        b'{"a":"\\x"}' + b"[" * 50,
        b"1" * 5000,
    ],
)
def test_json_that_cannot_be_trusted_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_json(body, 32)


def test_brackets_in_text_are_no_nesting() -> None:
    assert parse_json(b'["' + b"[" * 500 + b'\\"]"]', 32) == ["[" * 500 + '"]']


async def test_a_body_that_never_ends_is_given_up(settings: Settings) -> None:
    impatient = create_app(settings.model_copy(update={"request_seconds": 0.05}))

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(2)
        yield b"}"

    async with impatient.router.lifespan_context(impatient):
        transport = httpx.ASGITransport(impatient)
        async with httpx.AsyncClient(transport=transport, base_url="http://paceline") as client:
            answer = await client.post("/v1/teams", content=slow(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 408
    assert answer.json()["type"] == "/problems/request-timeout"


async def test_a_sender_who_leaves_is_no_defect_of_ours(app: FastAPI) -> None:
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/teams", "raw_path": b"/v1/teams", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 499


async def test_a_compressed_body_is_refused_by_name(api: Api) -> None:
    problem = await api.post("/teams", b"\x1f\x8b", expect=415, headers={"Content-Encoding": "gzip"})
    assert "Content-Encoding" in problem["detail"]
