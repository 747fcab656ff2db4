"""Which pairs of events look told twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.checkup.duplicates import Told, suspected

NINE = datetime(2026, 7, 6, 9, tzinfo=UTC)


def told(event_id: str, source: str, seconds: int = 0, **more: Any) -> Told:
    usual: dict[str, Any] = {"type": "call.made", "person": "ana", "about": {}, "phone": "1", "money": None}
    return Told(event_id=event_id, source=source, at=NINE + timedelta(seconds=seconds), **usual | more)


def ids(events: list[Told]) -> list[tuple[str, str]]:
    return [(first.event_id, second.event_id) for first, second in suspected(events)]


def test_two_minutes_are_near_and_a_second_more_is_not() -> None:
    assert ids([told("a", "crm"), told("b", "phone", 120)]) == [("a", "b")]
    assert ids([told("a", "crm"), told("b", "phone", 121)]) == []


def test_the_order_of_arrival_does_not_matter() -> None:
    assert ids([told("b", "phone", 30), told("a", "crm")]) == [("a", "b")]


def test_one_source_tells_what_happened_twice() -> None:
    assert ids([told("a", "crm"), told("b", "crm", 30)]) == []


def test_each_event_is_in_one_pair() -> None:
    events = [told("a", "crm"), told("b", "phone", 10), told("c", "crm", 60), told("d", "phone", 70)]
    assert ids(events) == [("a", "b"), ("c", "d")]


def test_the_same_thing_or_amount_is_enough_and_nothing_in_common_is_not() -> None:
    deal: dict[str, Any] = {"phone": None, "about": {"deal": "D1"}}
    money: dict[str, Any] = {"phone": None, "money": (Decimal(500), "EUR")}
    assert ids([told("a", "crm", **deal), told("b", "phone", **deal)]) == [("a", "b")]
    assert ids([told("a", "crm", **money), told("b", "phone", **money)]) == [("a", "b")]
    assert ids([told("a", "crm", phone=None), told("b", "phone", phone=None)]) == []
    assert ids([told("a", "crm", phone=None, about={"deal": "D1"}), told("b", "phone", phone=None)]) == []


def test_another_amount_speaks_against_it() -> None:
    deal: dict[str, Any] = {"about": {"deal": "D1"}}
    other = told("b", "phone", money=(Decimal(400), "EUR"), **deal)
    assert ids([told("a", "crm", money=(Decimal(500), "EUR"), **deal), other]) == []
