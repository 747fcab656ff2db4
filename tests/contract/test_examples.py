"""Every operation has an example that works, and answers what the document says."""

import json
from typing import Any

import httpx
import pytest

from tests.contract.document import OF_KEYS, OPERATIONS, ROUTES, Operation, named, written
from tests.contract.organization import Furnished
from tests.integrations.posting import hubspot
from tests.support import Api

CASES = [(operation, kind, body) for operation in OF_KEYS for kind, body in operation.asked]


def _name(case: Any) -> str | None:
    return case.id if isinstance(case, Operation) else None


@pytest.mark.parametrize(("operation", "kind", "body"), CASES, ids=_name)
async def test_every_documented_example_works(api: Api, operation: Operation, kind: str | None, body: Any) -> None:
    furnished = Furnished(api)
    await furnished.prepare(operation)
    response = await send(furnished, operation, kind, body)
    assert response.is_success, f"{operation.id}: {response.status_code} {response.text[:1000]}"
    operation.check(response)


@pytest.mark.parametrize("operation", [operation for operation in OF_KEYS if operation.changes_by_post], ids=named)
async def test_a_repetition_with_an_idempotency_key_has_one_effect(api: Api, operation: Operation) -> None:
    assert "Idempotency-Key" in operation.headers
    furnished = Furnished(api)
    await furnished.prepare(operation)
    kind, body = operation.asked[0]
    first = await send(furnished, operation, kind, body, {"Idempotency-Key": "contract-1"})
    assert first.is_success, f"{operation.id}: {first.status_code} {first.text[:1000]}"
    again = await send(furnished, operation, kind, body, {"Idempotency-Key": "contract-1"})
    assert again.status_code == first.status_code
    assert again.headers["Idempotency-Replayed"] == "true"
    secrets = dict.fromkeys(getattr(ROUTES[operation.id].endpoint, "secret_fields", ()))
    assert again.json() == first.json() | secrets
    operation.check(again)
    other = await send(furnished, operation, "application/json", {"other": True}, {"Idempotency-Key": "contract-1"})
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    operation.check(other)


@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if operation.is_hook], ids=named)
async def test_the_documented_webhook_is_taken(api: Api, operation: Operation) -> None:
    connection = await hubspot(api)
    for _, body in operation.bodies:
        response = await connection.post(json.dumps(body).encode())
        assert response.status_code == 200
        operation.check(response)


def test_a_post_that_changes_nothing_takes_no_idempotency_key() -> None:
    others = [operation for operation in OPERATIONS if not operation.changes_by_post]
    assert [operation.id for operation in others if "Idempotency-Key" in operation.headers] == []


async def send(
    furnished: Furnished, operation: Operation, kind: str | None, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request of the operation with this example as its body."""
    options: dict[str, Any] = {"headers": dict(headers or {})}
    if kind is not None:
        options["headers"]["Content-Type"] = kind
        options["content"] = written(furnished.body(body))
    path = f"/v1{furnished.path(operation)}"
    return await furnished.api.client.request(operation.method, path, params=operation.query, **options)
