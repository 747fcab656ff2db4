"""Conditional requests work wherever the document offers them."""

from typing import Any

import httpx
import pytest

from tests.contract.document import OF_KEYS, Operation, check_problem, named, written
from tests.contract.organization import Furnished
from tests.support import Api

GUARDED = [operation for operation in OF_KEYS if "If-Match" in operation.headers]
CACHED = [operation for operation in OF_KEYS if "If-None-Match" in operation.headers]


@pytest.mark.parametrize("operation", GUARDED, ids=named)
async def test_a_change_of_another_version_than_the_one_seen_is_refused(api: Api, operation: Operation) -> None:
    furnished = Furnished(api)
    await furnished.prepare(operation)
    check_problem(operation, await send(furnished, operation, {"If-Match": '"4711"'}), 412)
    response = await send(furnished, operation, {"If-Match": "*"})
    assert response.is_success, f"{operation.id}: {response.status_code} {response.text[:1000]}"


@pytest.mark.parametrize("operation", CACHED, ids=named)
async def test_an_answer_that_is_known_is_not_sent_again(api: Api, operation: Operation) -> None:
    furnished = Furnished(api)
    await furnished.prepare(operation)
    first = await send(furnished, operation, {})
    again = await send(furnished, operation, {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    operation.check(again)
    assert (await send(furnished, operation, {"If-None-Match": '"4711"'})).status_code == 200


def test_what_has_an_etag_and_is_changed_can_be_guarded() -> None:
    changed = {operation.path for operation in OF_KEYS if operation.method in {"PATCH", "PUT", "DELETE"}}
    read = {operation.path for operation in CACHED if operation.method == "GET"}
    guarded = {operation.path for operation in GUARDED}
    assert (changed & read) - guarded == set()


async def send(furnished: Furnished, operation: Operation, headers: dict[str, str], example: int = 0) -> httpx.Response:
    """The operation with one of its examples."""
    kind, body = operation.asked[example]
    options: dict[str, Any] = {"headers": dict(headers)}
    if kind is not None:
        options["headers"]["Content-Type"] = kind
        options["content"] = written(furnished.body(body))
    path = f"/v1{furnished.path(operation)}"
    return await furnished.api.client.request(operation.method, path, params=operation.query, **options)
