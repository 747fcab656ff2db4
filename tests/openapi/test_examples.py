"""Examples made from schemas, also from those that stand within themselves."""

from typing import Any

from app.openapi.schemas import example


def _document(**schemas: Any) -> dict[str, Any]:
    return {"components": {"schemas": schemas}}


def _to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_tree_is_shown_down_to_where_it_begins_anew() -> None:
    parts = {"type": "array", "items": _to("Node")}
    node = {"type": "object", "properties": {"name": {"type": "string"}, "parts": parts}}
    assert example(_document(Node=node), _to("Node")) == {"name": "text", "parts": []}


def test_a_tree_of_two_kinds_and_one_without_lists_end_too() -> None:
    whole = _document(
        Team={"type": "object", "properties": {"people": {"type": "array", "items": _to("Person")}}},
        Person={"type": "object", "properties": {"team": {"anyOf": [_to("Team"), {"type": "integer"}]}}},
        Groups={"type": "object", "additionalProperties": {"anyOf": [_to("Groups"), {"type": "null"}]}},
        Only={"type": "object", "additionalProperties": _to("Only")},
    )
    assert example(whole, _to("Team")) == {"people": [{"team": 1}]}
    assert example(whole, _to("Person")) == {"team": {"people": []}}
    assert example(whole, _to("Groups")) == {"name": None}
    assert example(whole, _to("Only")) == {}


def test_the_same_schema_twice_side_by_side_is_no_tree() -> None:
    whole = _document(
        Money={"type": "object", "properties": {"value": {"type": "integer"}}},
        Deal={"type": "object", "properties": {"amount": _to("Money"), "fee": _to("Money")}},
    )
    assert example(whole, _to("Deal")) == {"amount": {"value": 1}, "fee": {"value": 1}}
