"""Shared wire shapes: what is wrong with a text is said in the words of texts."""

from typing import Any

import pytest

from tests.support import Api


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("x" * 201, "string_too_long", "String should have at most 200 characters"),
        ("", "string_too_short", "String should have at least 1 character"),
        ("a\x00b", "value_error", "must not contain the NUL character"),
    ],
)
async def test_a_text_that_is_too_long_has_too_many_characters(api: Api, value: str, code: str, message: str) -> None:
    body: dict[str, Any] = {"valid_from": "2026-07-01", "valid_to": "2026-07-02", "effect": "reschedule"}
    member = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    problem = await api.post(f"/members/{member}/absences", body | {"reason": value}, expect=422)
    (found,) = problem["errors"]
    assert (found["pointer"], found["code"], found["message"]) == ("/reason", code, message)


async def test_of_a_list_it_is_its_items(api: Api) -> None:
    problem = await api.post("/goal-ramps", {"name": "None", "shares": []}, expect=422)
    assert problem["errors"][0]["code"] == "too_short"
    assert "item" in problem["errors"][0]["message"]
