"""Made from the routes, so that no one can forget them: who may call, and whose things they reach."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.accounts.permissions import Permission
from app.core.db import OrganizationId
from app.openapi.schemas import example_id
from tests.contract.document import OF_KEYS, OPERATIONS, Operation, check_problem, named, with_ids, written
from tests.contract.organization import MADE, Furnished
from tests.support import Api, World

EXAMPLE_IDS = {name: example_id(name) for name in MADE} | {
    "event_type": "deal.won",
    "key": "win_rate_closed",
    "property_key": "channel",
}


@pytest.mark.parametrize("operation", OF_KEYS, ids=named)
async def test_without_a_key_nothing_is_told(world: World, operation: Operation) -> None:
    nobody = world.caller(OrganizationId(UUID(int=0)), None)
    for token in (None, "pl_", f"pl_{'0' * 32}_{'a' * 43}"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await _send(nobody, operation, EXAMPLE_IDS, headers=headers)
        check_problem(operation, response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("operation", [operation for operation in OF_KEYS if operation.scopes], ids=named)
async def test_a_key_without_the_scope_may_not(api: Api, operation: Operation) -> None:
    others = sorted(set(Permission) - set(operation.scopes))
    caller = await api.key("admin", [str(scope) for scope in others])
    check_problem(operation, await _send(caller, operation, EXAMPLE_IDS), 403)


def test_only_the_caller_itself_needs_no_scope() -> None:
    assert [operation.id for operation in OF_KEYS if not operation.scopes] == ["getMe"]


async def test_ids_of_another_organization_are_not_found_and_nothing_changes(
    strangers: tuple[Furnished, Furnished],
) -> None:
    ours, theirs = strangers
    before = [await _state(theirs), await _state(ours)]
    for operation in OF_KEYS:
        for name in operation.path_ids:
            response = await _send(ours.api, operation, {**ours.ids, name: theirs.ids[name]})
            check_problem(operation, response, 404)
    assert [await _state(theirs), await _state(ours)] == before


async def test_ids_of_another_organization_in_bodies_are_refused(strangers: tuple[Furnished, Furnished]) -> None:
    ours, theirs = strangers
    before = await _state(theirs)
    for operation in OF_KEYS:
        for kind, body in operation.bodies:
            for name in [name for name in MADE if example_id(name) in json.dumps(body)]:
                foreign = with_ids(body, {**ours.ids, name: theirs.ids[name]})
                response = await _send(ours.api, operation, ours.ids, (kind, foreign))
                if operation.id == "mapIdentities":  # each has an outcome of its own
                    assert response.json()["mapped"] == 0
                else:
                    check_problem(operation, response, 404, 409, 422)
    assert await _state(theirs) == before


async def test_ids_of_another_organization_in_filters_find_nothing(strangers: tuple[Furnished, Furnished]) -> None:
    ours, theirs = strangers
    filters = {"team_id": "/members", "parent_id": "/teams", "identity": "/events", "source_id": "/records"}
    ids = {**theirs.ids, "identity": theirs.ids["identity_id"]}
    for name, path in filters.items():
        response = await ours.api.call("GET", path, expect=200, params={name: ids[name]})
        assert response.json()["items"] == []


async def _state(furnished: Furnished) -> dict[str, Any]:
    """Everything that lists tell of an organization."""
    lists = [operation for operation in OPERATIONS if operation.is_list]
    state = {}
    for operation in lists:
        answer = await furnished.api.get(furnished.path(operation), limit=200)
        state[operation.id] = json.dumps(answer, sort_keys=True)
    return state


async def _send(
    caller: Api,
    operation: Operation,
    ids: dict[str, str],
    body: tuple[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """The operation with these ids in its path, and its example as the body."""
    kind, value = body or operation.asked[0]
    options: dict[str, Any] = {"headers": dict(headers or {})}
    if kind is not None:
        options["headers"]["Content-Type"] = kind
        options["content"] = written(with_ids(value, ids))
    return await caller.client.request(operation.method, operation.path.format(**ids), **options)
