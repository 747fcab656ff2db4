"""When two facts say the same, and what the ledger does not take."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.facts import (
    Credit,
    EventFacts,
    PersonRef,
    content_digest,
    fault_of,
    is_property_number,
    normalized,
    plain,
    retraction,
)

ADA, BO = PersonRef("7421"), PersonRef("7422")
WON = EventFacts(
    external_id="deal:508:deal.won",
    type="deal.won",
    occurred_at=datetime(2026, 7, 14, 9, 31, 5, tzinfo=UTC),
    occurred_on=date(2026, 7, 13),
    actor=ADA,
    about={"deal": "D-77", "customer": "C-12"},
    amount=Decimal("1250.00"),
    currency="EUR",
    properties={"product": "pro", "seats": Decimal(5), "new": True},
)


def digest(facts: EventFacts) -> bytes:
    return content_digest(normalized(facts))


def test_the_form_in_which_a_fact_is_told_does_not_matter() -> None:
    same = replace(
        WON,
        version=7,
        occurred_at=WON.occurred_at.astimezone(timezone(timedelta(hours=2))),
        amount=Decimal("1.25E+3"),
        actor=PersonRef("7421", "ada@example.com", "Ada"),
        credits=(Credit("owner", ADA, Decimal("1.0")),),
        about={"customer": "C-12", "deal": "D-77"},
        properties={"new": True, "seats": Decimal("5.00"), "product": "pro"},
    )
    assert digest(same) == digest(WON)


STORED: dict[str, dict[str, Any]] = {
    "cacc7af4ea092c7dc550a174110a14c6fac9e677bdf98c0d6dc2c6bf65739a1e": {},
    "b9c1e3df1b6af1c754089d6b962da7412f8e99242d29e39ee8f9a096abd952a3": {
        "occurred_at": datetime(2026, 7, 14, 9, 31, 5, 123_000, tzinfo=timezone(timedelta(hours=-5))),
        "occurred_on": date(2026, 7, 13),
        "actor": ADA,
    },
    "275761ac48d68c8a603e0c9233a0bced4bc9a5924e2ba309056df5a058da3c41": {
        "version": 9,
        "amount": Decimal("1250.00"),
        "currency": "EUR",
        "quantity": Decimal("-0.0"),
        "duration_seconds": Decimal("1E+3"),
        "actor": BO,
    },
    "254bce2a2039f7de050df0d9910442dde79689c1949c75abb5220c5a254e9f0a": {
        "amount": Decimal("123456789012345678.123456"),
        "quantity": Decimal("0.000001"),
    },
    "dd5669edbb33cccebd51dd2525ab64c8361ee90c5aea09336c9891fceadbf4f3": {
        "actor": ADA,
        "credits": (
            Credit("owner", ADA, Decimal("0.60")),
            Credit("owner", BO, Decimal("0.4")),
            Credit("sourcer", BO, Decimal(1)),
        ),
    },
    "585c771938b397ebb9b5edb9ed5480e27b66f94b8d07010998414596dc0787bc": {
        "about": {"deal": "D-77", "customer": 'C "12" \\ /\n'},
        "properties": {
            "new": True,
            "seats": Decimal("5.00"),
            "digits": "5",
            "none": "",
            "far": Decimal("1E+20"),
            "żółć": "\x01\x7f\u2028 😀",
            "no": False,
        },
    },
}


@pytest.mark.parametrize("stored", STORED)
def test_the_same_content_has_the_digest_that_is_stored_of_it(stored: str) -> None:
    at = datetime(2026, 7, 14, 9, 31, 5, tzinfo=UTC)
    bare = EventFacts(external_id="1", type="deal.won", occurred_at=at, about={}, properties={})
    assert digest(replace(bare, **STORED[stored])).hex() == stored


def test_retractions_have_the_digest_that_is_stored_of_them() -> None:
    stored = "3c194721fca71e1e95f19cce208f420da03de752e42238b2eee7c26913c23772"
    assert content_digest(retraction("1", 3)).hex() == stored


def test_whatever_it_says_differently_is_other_content() -> None:
    others = [
        replace(WON, type="deal.lost"),
        replace(WON, occurred_at=WON.occurred_at + timedelta(microseconds=1)),
        replace(WON, occurred_on=None),
        replace(WON, actor=BO),
        replace(WON, actor=None),
        replace(WON, actor=None, credits=(Credit("owner", ADA, Decimal(1)),)),
        replace(WON, credits=(Credit("sourcer", BO, Decimal(1)),)),
        replace(WON, about={"deal": "D-77"}),
        replace(WON, amount=Decimal(1251)),
        replace(WON, amount=None),
        replace(WON, currency=None),
        replace(WON, quantity=Decimal(1)),
        replace(WON, duration_seconds=Decimal(1)),
        replace(WON, properties={**WON.properties, "seats": "5"}),
        replace(WON, properties={**WON.properties, "new": "true"}),
        retraction(WON.external_id, 0),
    ]
    assert len({digest(facts) for facts in [WON, *others]}) == len(others) + 1


def test_all_retractions_have_the_same_content() -> None:
    assert digest(retraction("a", 1)) == digest(replace(WON, retracted=True))


def test_no_owner_listed_means_the_actor_with_one() -> None:
    """S7."""
    sourcer = Credit("sourcer", BO, Decimal(1))
    assert normalized(replace(WON, credits=(sourcer,))).credits == (sourcer, Credit("owner", ADA, Decimal(1)))
    assert normalized(replace(WON, actor=None)).credits == ()
    other = Credit("owner", BO, Decimal(1))
    assert normalized(replace(WON, credits=(other,))).credits == (other,)


@settings(max_examples=200, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**17), max_value=10**17))
def test_a_decimal_has_one_plain_form(value: Decimal) -> None:
    assert plain(value) == plain(value * 1) == plain(Decimal(f"{value:E}"))
    assert Decimal(plain(value)) == value


@pytest.mark.parametrize("value", ["0", "-0", "1E+20", "123456789012345", "1234567890123450", "1E-30", "0.1"])
def test_numbers_of_fifteen_digits_can_stand_in_a_property(value: str) -> None:
    assert is_property_number(Decimal(value))


@pytest.mark.parametrize("value", ["1234567890123456", "NaN", "Infinity", "1E+31", "1E-31", "1E+999999"])
def test_longer_numbers_are_text(value: str) -> None:
    assert not is_property_number(Decimal(value))


def test_shares_of_each_role_add_up_to_exactly_one() -> None:
    """S7."""
    third = Decimal("0.333333333333")
    people = [PersonRef(str(n)) for n in range(3)]
    short = tuple(Credit("owner", person, third) for person in people)
    fault = fault_of(replace(WON, credits=short))
    assert fault is not None
    assert fault.field == "/credits"
    exact = (*short[:2], Credit("owner", people[2], Decimal("0.333333333334")))
    assert fault_of(replace(WON, credits=exact)) is None


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (replace(WON, external_id=""), "/external_id"),
        (replace(WON, version=-1), "/version"),
        (replace(WON, type="won"), "/type"),
        (replace(WON, occurred_at=datetime(1969, 1, 1, tzinfo=UTC)), "/occurred_at"),
        (replace(WON, occurred_on=date(2300, 1, 1)), "/occurred_on"),
        (replace(WON, actor=PersonRef("")), "/actor/id"),
        (replace(WON, credits=(Credit("Owner", ADA, Decimal(1)),)), "/credits/0/role"),
        (replace(WON, credits=(Credit("owner", PersonRef(""), Decimal(1)),)), "/credits/0/actor/id"),
        (replace(WON, credits=(Credit("owner", ADA, Decimal(0)),)), "/credits/0/share"),
        (replace(WON, about={"Deal": "1"}), "/about"),
        (replace(WON, about={"deal": ""}), "/about/deal"),
        (replace(WON, amount=Decimal("NaN")), "/amount/value"),
        (replace(WON, amount=Decimal("0.1234567")), "/amount/value"),
        (replace(WON, amount=Decimal(10) ** 18), "/amount/value"),
        (replace(WON, currency="euro"), "/amount/currency"),
        (replace(WON, duration_seconds=Decimal(-1)), "/duration_seconds"),
        (replace(WON, properties={"": True}), "/properties"),
        (replace(WON, properties={"a/b": "x" * 2001}), "/properties/a~1b"),
        (replace(WON, properties={"a": Decimal(1234567890123456)}), "/properties/a"),
        (replace(WON, properties={str(n): True for n in range(51)}), "/properties"),
    ],
)
def test_what_the_ledger_does_not_take_is_named(bad: EventFacts, field: str) -> None:
    fault = fault_of(bad)
    assert fault is not None
    assert fault.field == field


def test_of_a_retraction_only_its_key_and_version_are_looked_at() -> None:
    assert fault_of(retraction("a", 3)) is None
    assert fault_of(WON) is None
