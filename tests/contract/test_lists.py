"""Every list is paged in the same way."""

import pytest

from app.openapi.schemas import resolve
from tests.contract.document import DOCUMENT, JSON, OF_KEYS, Operation, check_problem, named
from tests.contract.organization import Furnished

LISTS = [operation for operation in OF_KEYS if operation.is_list]


def test_whatever_answers_many_is_paged() -> None:
    listing = [operation for operation in OF_KEYS if operation.id.startswith("list")]
    assert listing == LISTS
    for operation in OF_KEYS:
        for answer in operation.spec["responses"].values():
            schema = answer.get("content", {}).get(JSON, {}).get("schema", {})
            assert resolve(DOCUMENT, schema).get("type") != "array", operation.id


@pytest.mark.parametrize("operation", LISTS, ids=named)
async def test_pages_of_one_walk_through_the_whole_list(
    strangers: tuple[Furnished, Furnished],
    operation: Operation,
) -> None:
    ours, _ = strangers
    path = ours.path(operation)
    whole = await ours.api.get(path, limit=200)
    assert len(whole["items"]) >= 2, "give the furnished organization more of it"
    assert whole["next_cursor"] is None
    walked, cursor = [], None
    while True:
        page = await ours.api.get(path, limit=1, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) == 1
        walked += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == whole["items"]


@pytest.mark.parametrize("operation", LISTS, ids=named)
@pytest.mark.parametrize(
    "query",
    ["unknown=1", "limit=0", "limit=201", "limit=x", "limit=", "cursor=x", "cursor=W10", "cursor=%00", "cursor="],
)
async def test_a_query_that_is_not_understood_is_refused(
    strangers: tuple[Furnished, Furnished],
    operation: Operation,
    query: str,
) -> None:
    ours, _ = strangers
    response = await ours.api.client.get(f"/v1{ours.path(operation)}?{query}")
    check_problem(operation, response, 422)


@pytest.mark.parametrize("operation", LISTS, ids=named)
async def test_a_cursor_of_another_list_is_refused(
    strangers: tuple[Furnished, Furnished],
    operation: Operation,
) -> None:
    ours, _ = strangers
    other = "/event-types" if operation.id != "listEventTypes" else "/events"
    cursor = (await ours.api.get(other, limit=1))["next_cursor"]
    assert cursor is not None
    response = await ours.api.client.get(f"/v1{ours.path(operation)}", params={"cursor": cursor})
    check_problem(operation, response, 422)
