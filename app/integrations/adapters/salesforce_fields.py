"""Salesforce's objects as records: ids, which fields are read, and values in one form whatever carried them."""

import re
from collections.abc import Mapping as Mapped
from datetime import UTC, datetime
from decimal import Decimal

from app.integrations.adapters import wire
from app.integrations.adapters.base import Json, Unparseable
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.salesforce_soap import holds_session
from app.integrations.folding import Value
from app.integrations.mapping import Mapping

OWNER = "OwnerId"

ENTITIES = {
    "Opportunity": "deal",
    "Lead": "lead",
    "Task": "activity",
    "Event": "meeting",
    "Quote": "quote",
    "Account": "company",
    "Contact": "contact",
}
OBJECTS = {name: entity for entity, name in ENTITIES.items()}
PREFIXES = {
    "001": "company", "003": "contact", "006": "deal", "00Q": "lead", "00T": "activity", "00U": "meeting",
    "0Q0": "quote",
}  # fmt: skip
"""What an id is of, by its first characters."""
QUEUE = "00G"
"""So begin the ids of queues, which own records and are no persons."""

FIELDS: Mapped[str, frozenset[str]] = {
    "deal": frozenset(
        {OWNER, "Name", "StageName", "IsWon", "IsClosed", "Amount", "CurrencyIsoCode", "CloseDate", "RecordTypeId"}
    ),
    "lead": frozenset({OWNER, "Company", "Status", "IsConverted", "ConvertedDate"}),
    "activity": frozenset(
        {
            OWNER, "TaskSubtype", "Type", "Status", "IsClosed", "CompletedDateTime", "CallType",
            "CallDurationInSeconds", "CallDisposition",
        }
    ),
    "meeting": frozenset(
        {
            OWNER, "StartDateTime", "EndDateTime", "ActivityDateTime", "DurationInMinutes", "IsAllDayEvent", "IsChild",
        }
    ),
    "quote": frozenset({OWNER, "QuoteNumber", "Status", "GrandTotal", "CurrencyIsoCode"}),
    "company": frozenset({OWNER, "Name"}),
    "contact": frozenset({OWNER}),
}  # fmt: skip
"""What is read of each object: no names of people, addresses, numbers, subjects or texts."""

REFERENCES: Mapped[str, tuple[str, ...]] = {
    "deal": ("AccountId", "ContactId"),
    "lead": ("ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId"),
    "activity": ("WhoId", "WhatId", "AccountId"),
    "meeting": ("WhoId", "WhatId", "AccountId"),
    "quote": ("OpportunityId", "AccountId", "ContactId"),
    "contact": ("AccountId",),
}
"""Fields that hold the id of another object; its first characters say of which kind."""

STATES: Mapped[str, tuple[str, ...]] = {
    "deal": ("StageName", "IsWon", "IsClosed"),
    "lead": ("Status", "IsConverted"),
    "activity": ("Status", "IsClosed"),
    "quote": ("Status",),
}
"""Fields that are entered and left: it matters when they took their value."""

_ALWAYS = frozenset(
    {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "LastStageChangeDate", "IsDeleted", "MasterRecordId"}
)
_DATES = frozenset({"CloseDate", "ConvertedDate"})
_INSTANTS = frozenset({"CompletedDateTime", "StartDateTime", "EndDateTime", "ActivityDateTime"})
_FLAGS = frozenset({"IsWon", "IsClosed", "IsConverted", "IsAllDayEvent", "IsChild"})
_NUMBERS = frozenset({"Amount", "GrandTotal", "CallDurationInSeconds", "DurationInMinutes"})
_IDS = frozenset({OWNER, *(field for fields in REFERENCES.values() for field in fields)})
_TEXTS = frozenset({"NextStep"})
_MOST_FIELDS = 2000

_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_QUEUE_ID = re.compile(rf"{QUEUE}[A-Za-z0-9]{{15}}")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def id18(value: Json, name: str) -> str:
    """An id in its form of 18 characters, which also tells upper case from lower. Raises `Unparseable`."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unparseable(f"{name} is no id of Salesforce")
    if len(value) == 15:
        return value + "".join(_checked(value[first : first + 5]) for first in (0, 5, 10))
    is_one_case = value in {value.upper(), value.lower()}
    return _cased(value) if is_one_case and set(value[15:].upper()) <= set(_SUFFIX) else value


def _cased(text: str) -> str:
    """The id in the case that its last three characters remember, where it was changed on the way."""
    upper = [_SUFFIX.index(mark) >> place & 1 for mark in text[15:].upper() for place in range(5)]
    letters = (c.upper() if is_upper else c.lower() for c, is_upper in zip(text[:15], upper, strict=True))
    return "".join(letters) + text[15:].upper()


def _checked(five: str) -> str:
    return _SUFFIX[sum(1 << place for place, character in enumerate(five) if character.isupper())]


def id_or_none(value: Json) -> str | None:
    """The id in 18 characters, if it is one."""
    try:
        return id18(value, "")
    except Unparseable:
        return None


def object_of(entity: str, mapping: Mapping) -> str | None:
    """The record object of an entity, by the mapping where it is no standard one."""
    return ENTITIES.get(entity) or mapping.objects.get(entity)


def references(kind: str, mapping: Mapping) -> tuple[str, ...]:
    """The fields of an object that lead to others."""
    custom = mapping.field_of(kind, "customer", "")
    return (*REFERENCES.get(kind, ()), *([custom] if custom else []))


def wanted(kind: str, mapping: Mapping) -> frozenset[str]:
    """The fields of an object that are read."""
    return FIELDS.get(kind, frozenset()) | set(references(kind, mapping)) | mapping.extra_fields(kind)


def kept(fields: Mapped[str, Json], kind: str | None, mapping: Mapping) -> dict[str, Json]:
    """The fields that are read, or may be by a later mapping; of objects that are no records none."""
    if kind is None:
        return {}
    read = wanted(kind, mapping) | _ALWAYS
    if is_true(fields.get("IsPersonAccount")):
        read -= {"Name"}  # of a person
    return {
        wire.storable(name): wire.scalar(value)
        for name, value in list(fields.items())[:_MOST_FIELDS]
        if (name in read or (kind in BUSINESS and name not in _TEXTS and not is_personal(name, value)))
        and not (isinstance(value, str) and holds_session(value))
    }


def value_of(field: str, value: Json) -> Value:
    """A value in one form: as text of XML, as number or text of JSON it is the same."""
    if value is None:
        return None
    if field in _IDS or (isinstance(value, str) and _QUEUE_ID.fullmatch(value)):
        return _reference(value)
    if field in _FLAGS:
        return is_true(value) if str(value).lower() in {"true", "false"} else None
    if field in _DATES:
        return _date(value)
    if field in _INSTANTS:
        at = wire.instant(value)
        return at.isoformat() if at else None
    if field in _NUMBERS and isinstance(value, str):
        number = wire.amount(value)
        return wire.plain(number) if number is not None else wire.value_of(value)
    return wire.value_of(value)


def _reference(value: Json) -> Value:
    """An id; a queue is no person, and says so."""
    id_ = id_or_none(value)
    return f"queue:{id_}" if id_ and id_.startswith(QUEUE) else id_


def _date(value: Json) -> Value:
    """A date that was sent as such, as an instant in ISO 8601, or as milliseconds of its midnight in UTC."""
    if isinstance(value, int | Decimal):
        at = instant(value)
        return at.date().isoformat() if at else None
    told = wire.day(value[:10]) if isinstance(value, str) else None
    return told.isoformat() if told else None


def instant(value: Json) -> datetime | None:
    """An instant from ISO 8601 or from milliseconds since 1970, also where these came with a fraction of zero."""
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else None
    at = wire.instant(value)
    return at.astimezone(UTC) if at else None


def is_true(value: Json) -> bool:
    """Whether it says so, in JSON or as text."""
    return str(value).lower() == "true"
