"""The quick reader of events agrees with their model, wherever it reads at all."""

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events import wire
from app.events.facts import fault_of, normalized
from app.events.plain import Unclear, read_plain
from app.events.schemas import EXAMPLE, EventPost
from app.events.wire import Told, read_event

FULL: dict[str, Any] = {**EXAMPLE, "source": "api", "retracted": False}

ODD = [
    None, True, False, 0, 1, -1, 2**63, 10**30, Decimal("1.5"), Decimal("0.1234567"), Decimal("1E+2"), Decimal("NaN"),
    "", " ", "x", "ż", "a\x00b", "\ud800", "x" * 201, "x" * 2001, "1.5", " 1", "1_0", "+1", "1e3", "-0.5", "٣", "0.6",
    "2026-07-14", "2026-02-30", "2026-07-14T09:31:05Z", "2026-07-14T09:31:05.5Z", "2026-07-14T09:31:05.123+02:00",
    "2026-07-14 09:31:05Z", "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "1969-12-31", "2201-01-01",
    "2026-07-14T24:00:00Z", "0001-01-01T00:00:00+14:00", "2026-07-14T09:31:05+24:00",
    "20260714", "eur", "EUR", "XXX", "deal.won", "Deal.Won", "deal.won\n", "owner", [], {}, [1], {"a": 1}, {"id": "7"},
    {"id": "7", "email": None, "name": "Ada"}, [{"actor": {"id": "1"}}],
    [{"actor": {"id": "1"}}, {"actor": {"id": "2"}}],
    [{"actor": {"id": "1"}, "share": "0.6"}], [{"actor": {"id": "1"}, "role": "sourcer", "share": Decimal("0.5")}],
]  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


PLACES = _places(FULL)[1:]


def _changed(path: tuple[Any, ...], change: str, value: Any) -> Any:
    item = copy.deepcopy(FULL)
    parent: Any = item
    for key in path[:-1]:
        parent = parent[key]
    if change == "drop":
        del parent[path[-1]]
    elif change == "add" and isinstance(parent, dict):
        parent[value if isinstance(value, str) else "more"] = parent[path[-1]]
    else:
        parent[path[-1]] = value
    return item


def _by_model(item: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def unclear(_item: Any) -> Any:
        raise Unclear

    with monkeypatch.context() as patched:
        patched.setattr(wire, "read_plain", unclear)
        return read_event(copy.deepcopy(item))


def _agree(item: Any) -> None:
    with pytest.MonkeyPatch.context() as patched:
        expected = _by_model(item, patched)
    try:
        facts, source = read_plain(item)
    except Unclear:
        return
    assert isinstance(expected, Told), expected
    assert (facts, source or "api") == (normalized(expected.facts), expected.source)
    assert normalized(facts) is facts
    assert facts.is_sound
    assert fault_of(replace(facts, is_sound=False)) is None


def test_what_everybody_sends_is_read_without_the_model() -> None:
    assert read_plain(FULL)[0].external_id == "deal-77-won"
    read_plain({"external_id": "1", "type": "call.made", "occurred_at": "2026-07-14T09:31:05Z", "actor": {"id": "7"}})


def test_it_knows_every_field_of_the_model() -> None:
    assert FULL.keys() == EventPost.model_fields.keys()
    read_plain(FULL)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)))
def test_whatever_stands_in_a_place_is_read_as_by_the_model(path: tuple[Any, ...]) -> None:
    _agree(_changed(path, "drop", None))
    for value in ODD:
        _agree(_changed(path, "replace", value))
        _agree(_changed(path, "add", value))


@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=2, max_size=4))
def test_several_oddities_at_once_are_read_as_by_the_model(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    item: Any = copy.deepcopy(FULL)
    for path, value in changes:
        parent = item
        for key in path[:-1]:
            parent = parent[key] if isinstance(parent, dict) and key in parent else None
        if isinstance(parent, dict):
            parent[path[-1]] = value
    _agree(item)


@given(item=st.recursive(st.sampled_from(ODD), lambda inner: st.lists(inner, max_size=3), max_leaves=4))
def test_what_is_no_event_at_all_is_unclear(item: Any) -> None:
    with pytest.raises(Unclear):
        read_plain(item)


@pytest.mark.parametrize(
    ("field", "value"),
    [("credits", [{"actor": {"id": "1"}}] * 51), ("about", {f"a{n}": "1" for n in range(21)}),
     ("properties", {f"a{n}": "1" for n in range(51)}), ("properties", {"x" * 101: None}), ("properties", {"": None})],
)  # fmt: skip
def test_too_many_are_left_to_the_model(field: str, value: Any) -> None:
    with pytest.raises(Unclear):
        read_plain({**FULL, field: value})
