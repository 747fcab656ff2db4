"""Facts as they come to the ledger: what is allowed in one, and when two say the same."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from pydantic_core import to_json

OWNER = "owner"
WHOLE = Decimal(1)

MAX_ID = 200
MAX_VERSION = 2**63 - 1
FIRST_YEAR, LAST_YEAR = 1970, 2200
MAX_ABOUT = 20
MAX_PROPERTIES = 50
MAX_PROPERTY_KEY = 100
MAX_TEXT = 2_000
MAX_CREDITS = 50
MAX_DIGITS, MAX_DECIMALS = 24, 6
PROPERTY_DIGITS = 15
PROPERTY_EXPONENT = 30
SHARE_DECIMALS = 12

TYPE_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Property = str | Decimal | bool


class PersonRef(NamedTuple):
    """A person as the source knows them; e-mail and name help to map the identity and never stand in an event."""

    external_id: str
    email: str | None = None
    name: str | None = None


class Credit(NamedTuple):
    """One person's share of an event in a role; the shares of a role add up to 1 (S7)."""

    role: str
    person: PersonRef
    share: Decimal


# Not frozen, though nobody changes one: making it would take five times as long.
@dataclass(slots=True, kw_only=True)
class EventFacts:
    """One fact as its source tells it. Of a retraction only `external_id` and `version` count: see `retraction`.

    `is_sound`: whoever read it has seen to it that it has no fault.
    """

    external_id: str
    version: int = 0
    type: str
    occurred_at: datetime
    occurred_on: date | None = None
    actor: PersonRef | None = None
    credits: tuple[Credit, ...] = ()
    about: Mapping[str, str]
    amount: Decimal | None = None
    currency: str | None = None
    quantity: Decimal | None = None
    duration_seconds: Decimal | None = None
    properties: Mapping[str, Property]
    retracted: bool = False
    is_sound: bool = field(default=False, compare=False)


class Fault(NamedTuple):
    """What is wrong with facts: a JSON pointer into the event as it is posted, and a sentence."""

    field: str
    reason: str


def retraction(external_id: str, version: int) -> EventFacts:
    """Facts that take the event back, whatever it was."""
    return EventFacts(
        external_id=external_id,
        version=version,
        type="",
        occurred_at=_EPOCH,
        about={},
        properties={},
        retracted=True,
    )


def normalized(facts: EventFacts) -> EventFacts:
    """The facts with what they leave out: no owner credited means the actor, with 1 (S7)."""
    listed = with_owner(facts.actor, facts.credits)
    currency = None if facts.amount is None else facts.currency
    if listed is facts.credits and currency == facts.currency and facts.occurred_at.tzinfo is UTC:
        return facts
    return replace(facts, occurred_at=facts.occurred_at.astimezone(UTC), credits=listed, currency=currency)


def with_owner(actor: PersonRef | None, listed: tuple[Credit, ...]) -> tuple[Credit, ...]:
    """The credits that are listed, and where no owner is among them the actor's (S7)."""
    if actor is None or any(credit.role == OWNER for credit in listed):
        return listed
    return (*listed, Credit(OWNER, actor, WHOLE))


def content_digest(facts: EventFacts) -> bytes:
    """A digest of what normalized facts say: equal exactly for the same content, in whatever form it was sent.

    People count by their id in the source. The content of a retraction is only that it is one. What is digested is
    never changed: it is compared with what is stored, and a test pins it.
    """
    if facts.retracted:
        return sha256(b"retracted").digest()
    content = [
        facts.type,
        facts.occurred_at.isoformat(),
        facts.occurred_on and facts.occurred_on.isoformat(),
        facts.actor and facts.actor.external_id,
        [[role, person.external_id, "1" if share is WHOLE else plain(share)] for role, person, share in facts.credits],
        sorted(facts.about.items()),
        facts.amount if facts.amount is None else plain(facts.amount),
        facts.quantity if facts.quantity is None else plain(facts.quantity),
        facts.duration_seconds if facts.duration_seconds is None else plain(facts.duration_seconds),
        facts.currency,
        # A number and the same digits as text are not the same: only the number is in a list.
        sorted(
            [(key, [plain(value)] if isinstance(value, Decimal) else value) for key, value in facts.properties.items()]
        ),
    ]
    return sha256(to_json(content)).digest()


def plain(value: Decimal) -> str:
    """A decimal in the one way it is compared: no exponent, no zeros at the end, no negative zero."""
    return format(value.normalize(), "f") if value else "0"


def fault_of(facts: EventFacts) -> Fault | None:
    """The first thing that the ledger does not take, or None."""
    return None if facts.is_sound else next(_faults(facts), None)


@lru_cache(maxsize=1024)
def is_type(text: str) -> bool:
    """Whether an event type can be called so."""
    return len(text) <= MAX_ID and _TYPE.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def is_name(text: str) -> bool:
    """Whether a role, or a thing that events are about, can be called so."""
    return len(text) <= MAX_PROPERTY_KEY and _NAME.fullmatch(text) is not None


def _faults(facts: EventFacts) -> Iterator[Fault]:
    if not 1 <= len(facts.external_id) <= MAX_ID:
        yield Fault("/external_id", f"must have 1 to {MAX_ID} characters")
    if not 0 <= facts.version <= MAX_VERSION:
        yield Fault("/version", f"must be between 0 and {MAX_VERSION}")
    if facts.retracted:
        return
    if not is_type(facts.type):
        yield Fault("/type", "must be dotted words of lower case letters, digits and _, such as deal.won")
    if not FIRST_YEAR <= facts.occurred_at.year <= LAST_YEAR:
        yield Fault("/occurred_at", f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    if facts.occurred_on is not None and not FIRST_YEAR <= facts.occurred_on.year <= LAST_YEAR:
        yield Fault("/occurred_on", f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    if facts.actor is not None and not 1 <= len(facts.actor.external_id) <= MAX_ID:
        yield Fault("/actor/id", f"must have 1 to {MAX_ID} characters")
    yield from _faults_of_credits(facts.credits)
    yield from _faults_of_about(facts.about)
    yield from _faults_of_numbers(facts)
    yield from _faults_of_properties(facts.properties)


def _faults_of_credits(listed: tuple[Credit, ...]) -> Iterator[Fault]:
    if len(listed) > MAX_CREDITS:
        yield Fault("/credits", f"must be at most {MAX_CREDITS}")
    if len(listed) == 1 and listed[0].share is WHOLE and is_name(listed[0].role) and _is_id(listed[0].person):
        return
    shares: dict[str, Decimal] = {}
    for place, credit in enumerate(listed):
        if not _NAME.fullmatch(credit.role):
            yield Fault(f"/credits/{place}/role", "must be lower case letters, digits and _, such as owner")
        if not _is_id(credit.person):
            yield Fault(f"/credits/{place}/actor/id", f"must have 1 to {MAX_ID} characters")
        if not 0 < credit.share <= 1 or _decimals(credit.share) > SHARE_DECIMALS:
            reason = f"must be over 0 and at most 1, with up to {SHARE_DECIMALS} decimals"
            yield Fault(f"/credits/{place}/share", reason)
        shares[credit.role] = shares.get(credit.role, Decimal(0)) + credit.share
    for role, total in shares.items():
        if total != WHOLE:
            yield Fault("/credits", f"the shares of the role {role} must add up to 1, not {plain(total)}")


def _is_id(person: PersonRef) -> bool:
    return 1 <= len(person.external_id) <= MAX_ID


def _faults_of_about(about: Mapping[str, str]) -> Iterator[Fault]:
    if len(about) > MAX_ABOUT:
        yield Fault("/about", f"must name at most {MAX_ABOUT} things")
    for thing, value in about.items():
        if not is_name(thing):
            yield Fault("/about", f"{thing[:100]!r} must be lower case letters, digits and _, such as deal")
        if not 1 <= len(value) <= MAX_ID:
            yield Fault(f"/about/{pointer_part(thing)}", f"must have 1 to {MAX_ID} characters")


def _faults_of_numbers(facts: EventFacts) -> Iterator[Fault]:
    numbers = {
        "/amount/value": facts.amount,
        "/quantity": facts.quantity,
        "/duration_seconds": facts.duration_seconds,
    }
    for pointer, value in numbers.items():
        if value is not None and not _fits(value):
            yield Fault(pointer, f"must have at most {MAX_DIGITS} digits, {MAX_DECIMALS} of them decimals")
    if facts.duration_seconds is not None and facts.duration_seconds < 0:
        yield Fault("/duration_seconds", "must not be negative")
    if facts.currency is not None and not _CURRENCY.fullmatch(facts.currency):
        yield Fault("/amount/currency", "must be an ISO 4217 code such as EUR")


def _faults_of_properties(properties: Mapping[str, Property]) -> Iterator[Fault]:
    if len(properties) > MAX_PROPERTIES:
        yield Fault("/properties", f"must be at most {MAX_PROPERTIES}")
    for key, value in properties.items():
        field = f"/properties/{pointer_part(key)}"
        if not 1 <= len(key) <= MAX_PROPERTY_KEY:
            yield Fault("/properties", f"a name must have 1 to {MAX_PROPERTY_KEY} characters")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            yield Fault(field, f"must have at most {MAX_TEXT} characters")
        if isinstance(value, Decimal) and not is_property_number(value):
            yield Fault(field, f"has more than {PROPERTY_DIGITS} significant digits: send longer numbers as text")


def is_property_number(value: Decimal) -> bool:
    """Whether a number can stand in a property: every JSON reader gets such a one exactly."""
    if not value.is_finite():
        return False
    if len(text := str(value)) <= PROPERTY_DIGITS and "E" not in text:
        return True
    return not value or (
        len(value.as_tuple().digits) - _trailing_zeros(value) <= PROPERTY_DIGITS
        and abs(value.adjusted()) <= PROPERTY_EXPONENT
    )


def _trailing_zeros(value: Decimal) -> int:
    digits = "".join(map(str, value.as_tuple().digits))
    return len(digits) - len(digits.rstrip("0"))


def _fits(value: Decimal) -> bool:
    whole = max(value.adjusted() + 1, 1) if value.is_finite() else MAX_DIGITS + 1
    return whole <= MAX_DIGITS - MAX_DECIMALS and _decimals(value) <= MAX_DECIMALS


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(-exponent - _trailing_zeros(value), 0) if isinstance(exponent, int) else MAX_DIGITS


def pointer_part(name: str) -> str:
    """A name as part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
