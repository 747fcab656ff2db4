"""What no client should send, sent to every operation that reads a body: a documented problem, never a 5xx."""

import copy
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.contract.document import JSON, WITH_BODY, Operation, check_problem, named
from tests.contract.organization import Furnished

Both = tuple[Furnished, Furnished]

MALFORMED = {
    "unclosed": b'{"name": "x"',
    "trailing": b"{} {}",
    "nan": b'{"amount": NaN}',
    "infinity": b'{"amount": -Infinity}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deeper than allowed": b'{"name":' * 40 + b"1" + b"}" * 40,
    "not UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "x"}',
    "NUL outside of text": b'{"name": \x00}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "comment": b'{"name": "x" /* y */}',
    "single quotes": b"{'name': 'x'}",
}
MISSHAPED = {
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "unknown field": b'{"there_is_no_such_field": 1}',
    "huge number": b'{"version": 1e999999999}',
    "long number": b'{"version": ' + b"9" * 5000 + b"}",
    "tiny number": b'{"version": 1e-999999999}',
    "number beyond decimals": b'{"version": 1e99999999999999999999}',
    "same key twice": b'{"unknown": 1, "unknown": 2}',
}
OTHERS: list[Any] = [
    *(None, True, -1, 10**40, 1e300),
    *("", "\u202e", "9" * 5000, "1e999999999", "NaN", "-Infinity"),
    *([], {}, [[]], {"": None}),
]
# A batch tells of each bad item, a check of everything that it finds; a body that may be absent takes null.
TELLS = {
    "postEventBatch": {"rejected": 1},
    "postEvent": {"rejected": 1},
    "recordExchangeRateBatch": {"rejected": 1},
    "validateKpi": False,
    "completeExpression": None,  # whatever is in a text that is being written, something can be completed
}
MAY_BE_ABSENT = {"acceptInitiative", "acknowledgeReview", "approveGoal", "proposeGoal", "withdrawGoal"}


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_malformed_json_is_told_so(strangers: Both, operation: Operation) -> None:
    for content in MALFORMED.values():
        response = await _send(strangers[0], operation, content)
        check_problem(operation, response, 400)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_json_of_another_shape_is_refused(strangers: Both, operation: Operation) -> None:
    for name, content in MISSHAPED.items():
        if not (name == "null" and operation.id in MAY_BE_ABSENT):
            response = await _send(strangers[0], operation, content)
            check_problem(operation, response, 400, 422)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_an_empty_body_is_refused(strangers: Both, operation: Operation) -> None:
    if operation.id not in MAY_BE_ABSENT:
        check_problem(operation, await _send(strangers[0], operation, b""), 400, 422)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_an_unknown_field_is_refused(strangers: Both, operation: Operation) -> None:
    kind, body = operation.bodies[0]
    content = json.dumps({**strangers[0].body(body), "there_is_no_such_field": 1}).encode()
    check_problem(operation, await _send(strangers[0], operation, content, kind), 422)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_another_media_type_is_refused(strangers: Both, operation: Operation) -> None:
    content = json.dumps(strangers[0].body(operation.bodies[0][1])).encode()
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", None):
        check_problem(operation, await _send(strangers[0], operation, content, kind), 415)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_a_body_that_is_too_large_is_refused(strangers: Both, operation: Operation) -> None:
    chunk = b" " * 1_000_000

    async def twenty() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield chunk

    check_problem(operation, await _send(strangers[0], operation, twenty()), 413)
    declared = await strangers[0].api.client.request(
        operation.method,
        f"/v1{strangers[0].path(operation)}",
        content=twenty(),
        headers={"Content-Type": JSON, "Content-Length": "20000000"},
    )
    check_problem(operation, declared, 413)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize("bad", ["NUL \x00", "lone \ud800 surrogate"], ids=["NUL", "surrogate"])
async def test_text_that_cannot_be_stored_is_refused(
    strangers: Both,
    operation: Operation,
    bad: str,
) -> None:
    for kind, body in operation.bodies:
        for spoiled in _spoiled(strangers[0].body(body), bad):
            response = await _send(strangers[0], operation, json.dumps(spoiled).encode(), kind)
            if operation.id in TELLS and response.status_code == 200:
                told = response.json()
                assert told.get("counts", told.get("ok")) == TELLS[operation.id]
                operation.check(response)
            else:
                check_problem(operation, response, 400, 422)


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
async def test_values_of_other_types_are_refused_or_taken_but_never_break(
    strangers: Both,
    operation: Operation,
) -> None:
    ours = strangers[0]
    for kind, body in operation.bodies:
        for other in OTHERS:
            for spoiled in _spoiled(ours.body(body), other):
                response = await _send(ours, operation, json.dumps(spoiled).encode(), kind)
                assert response.status_code < 500, f"{operation.id} {spoiled}: {response.text[:500]}"
                operation.check(response)


def _spoiled(body: Any, bad: Any) -> Iterator[Any]:
    """The body with each of its values in turn replaced."""
    for path in list(_paths(body)):
        copied = copy.deepcopy(body)
        inner = copied
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = bad
        yield copied


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in inner:
        if not isinstance(part, dict | list):
            yield (*path, step)
        yield from _paths(part, (*path, step))


async def _send(
    furnished: Furnished, operation: Operation, content: bytes | AsyncIterator[bytes], kind: str | None = JSON
) -> httpx.Response:
    headers = {"Content-Type": kind} if kind else {}
    return await furnished.api.client.request(
        operation.method, f"/v1{furnished.path(operation)}", content=content, headers=headers
    )
