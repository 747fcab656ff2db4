"""Reading of events that are plainly right, at a fifth of what it costs to validate them by their model.

It takes a part of what `schemas.EventPost` takes, and reads that part as the model does. For all else (mistakes
first of all, but also rare ways of writing what is right) it raises `Unclear`: then the model is asked.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from app.core.schemas import CURRENCIES
from app.events.facts import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_ABOUT,
    MAX_CREDITS,
    MAX_ID,
    MAX_PROPERTIES,
    MAX_PROPERTY_KEY,
    MAX_TEXT,
    MAX_VERSION,
    OWNER,
    WHOLE,
    Credit,
    EventFacts,
    PersonRef,
    Property,
    is_name,
    is_property_number,
    is_type,
    with_owner,
)

_EVENT = frozenset(
    {
        "external_id", "version", "source", "type", "occurred_at", "occurred_on", "actor", "credits", "about",
        "amount", "quantity", "duration_seconds", "properties", "retracted",
    }
)  # fmt: skip
_PERSON = frozenset({"id", "email", "name"})
_CREDIT = frozenset({"role", "actor", "share"})
_MONEY = frozenset({"value", "currency"})
_MAX_EMAIL, _MAX_NAME = 320, 200
_When = TypeVar("_When", datetime, date)
_NONE = Decimal(0)

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,6})?", re.ASCII)

Object = Mapping[str, Any]  # Any: JSON of whatever shape


class Unclear(Exception):  # noqa: N818  # control flow: somebody else has to read it
    """It is not plainly right."""


def read_plain(item: Any) -> tuple[EventFacts, str | None]:  # Any: JSON of whatever shape
    """The facts, normalized, and the key of their source if one is named. Raises `Unclear`."""
    if type(item) is not dict or not item.keys() <= _EVENT or item.get("retracted", False) is not False:
        raise Unclear
    tell = item.get
    try:
        type_, when, version = item["type"], item["occurred_at"], tell("version", 0)
        external_id = _text(item["external_id"])
    except KeyError:
        raise Unclear from None
    if type(type_) is not str or not is_type(type_) or type(version) is not int or not 0 <= version <= MAX_VERSION:
        raise Unclear
    source, day, actor, money = tell("source"), tell("occurred_on"), tell("actor"), tell("amount")
    who = None if actor is None else _person(actor)
    amount, currency = (None, None) if money is None else _money(money)
    return EventFacts(
        external_id=external_id,
        version=version,
        type=type_,
        occurred_at=_instant(when),
        occurred_on=None if day is None else _day(day),
        actor=who,
        credits=with_owner(who, _credits(item["credits"])) if "credits" in item else _owned_by(who),
        about=_about(item["about"]) if "about" in item else {},
        amount=amount,
        currency=currency,
        quantity=_number(item["quantity"]) if tell("quantity") is not None else None,
        duration_seconds=_duration(item["duration_seconds"]) if tell("duration_seconds") is not None else None,
        properties=_properties(item["properties"]) if "properties" in item else {},
        is_sound=True,
    ), None if source is None else _text(source)


def _text(value: Any, most: int = MAX_ID, least: int = 1) -> str:
    """Text that is short enough and can be stored: no NUL, no lone surrogate, which `isprintable` knows quickly."""
    if type(value) is not str or not least <= len(value) <= most:
        raise Unclear
    if "\x00" in value or not (value.isascii() or value.isprintable()):
        raise Unclear
    return value


def _object(value: Any, known: frozenset[str]) -> Object:
    if type(value) is not dict or not value.keys() <= known:
        raise Unclear
    return value


def _instant(value: Any) -> datetime:
    if type(value) is not str or not _INSTANT.fullmatch(value):
        raise Unclear
    try:
        told = datetime.fromisoformat(value)
        instant = told if told.tzinfo is UTC else told.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unclear from None
    return _in_known_years(instant)


def _day(value: Any) -> date:
    if type(value) is not str or not _DAY.fullmatch(value):
        raise Unclear
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise Unclear from None
    return _in_known_years(day)


def _in_known_years(when: _When) -> _When:
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise Unclear
    return when


def _owned_by(actor: PersonRef | None) -> tuple[Credit, ...]:
    return () if actor is None else (Credit(OWNER, actor, WHOLE),)


def _person(value: Any) -> PersonRef:
    if type(value) is dict and len(value) == 1 and "id" in value:
        return PersonRef(_text(value["id"]))
    told = _object(value, _PERSON)
    if "id" not in told:
        raise Unclear
    email, name = told.get("email"), told.get("name")
    return PersonRef(
        _text(told["id"]),
        None if email is None else _text(email, _MAX_EMAIL, 0),
        None if name is None else _text(name, _MAX_NAME, 0),
    )


def _credits(value: Any) -> tuple[Credit, ...]:
    if type(value) is not list or len(value) > MAX_CREDITS:
        raise Unclear
    listed = tuple(_credit(_object(each, _CREDIT)) for each in value)
    shares: dict[str, Decimal] = {}
    for role, _, share in listed:
        shares[role] = shares.get(role, _NONE) + share
    if any(total != WHOLE for total in shares.values()):
        raise Unclear
    return listed


def _credit(told: Object) -> Credit:
    role = told.get("role", OWNER)
    share = _number(told["share"]) if "share" in told else WHOLE
    if type(role) is not str or not is_name(role) or "actor" not in told or not 0 < share <= 1:
        raise Unclear
    return Credit(role, _person(told["actor"]), share)


def _about(value: Any) -> Mapping[str, str]:
    if type(value) is not dict or len(value) > MAX_ABOUT:
        raise Unclear
    for thing, id_ in value.items():
        _text(id_)
        if not is_name(thing):
            raise Unclear
    return value


def _money(value: Any) -> tuple[Decimal, str | None]:
    told = _object(value, _MONEY)
    currency = told.get("currency")
    if "value" not in told or (currency is not None and (type(currency) is not str or currency not in CURRENCIES)):
        raise Unclear
    return _number(told["value"]), currency


def _duration(value: Any) -> Decimal:
    seconds = _number(value)
    if seconds < 0:
        raise Unclear
    return seconds


def _number(value: Any) -> Decimal:
    """A decimal of the size of an amount: a number, or text without exponent."""
    kind = type(value)
    if kind not in _NUMERIC or not _NUMBER.fullmatch(value if kind is str else str(value)):
        raise Unclear
    return value if kind is Decimal else Decimal(value)


_NUMERIC = frozenset({int, str, Decimal})


def _properties(value: Any) -> Mapping[str, Property]:
    if type(value) is not dict or len(value) > MAX_PROPERTIES:
        raise Unclear
    for key in value:
        _text(key, MAX_PROPERTY_KEY)
    return {key: _property(told) for key, told in value.items() if told is not None}


def _property(value: Any) -> Property:
    kind = type(value)
    if kind is str:
        return _text(value, MAX_TEXT, 0)
    if kind is bool:
        return value  # type: ignore[no-any-return]  # its type was just looked at
    if kind is int or kind is Decimal:
        number = Decimal(value)
        if is_property_number(number):
            return number
    raise Unclear
