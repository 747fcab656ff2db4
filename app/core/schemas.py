"""Wire shapes that every domain shares."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from zoneinfo import ZoneInfo, available_timezones

import iso4217
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")


class Input(BaseModel):
    """What a client sends: an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        # FastAPI validates from attributes: a number with a fraction, which has some, would pass for an object.
        if not isinstance(value, Mapping | BaseModel):
            raise PydanticCustomError("model_type", "Input should be an object")
        return value


class Output(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(from_attributes=True)


class Page(Output, Generic[Item]):
    """A page of a list, in a stable order."""

    items: list[Item] = Field(description="The rows of this page.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")


def _storable(value: str) -> str:
    """PostgreSQL stores no NUL, and UTF-8 has no lone surrogates."""
    if "\x00" in value:
        raise ValueError("must not contain the NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates: it is not valid Unicode text") from None
    return value


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_storable)]
Prose = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError(f"{value!r} is no ISO 4217 currency; write for example EUR")
    return value


def _zone(value: str) -> str:
    if value not in ZONES:
        raise ValueError(f"{value!r} is no IANA time zone; write for example Europe/Warsaw")
    return value


CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
ZONES = frozenset(available_timezones() - {"localtime", "Factory"})

CurrencyCode = Annotated[str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})]
TimeZoneName = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Warsaw"]})]


def zone(name: str) -> ZoneInfo:
    """The zone of a checked name."""
    return ZoneInfo(name)


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _written(value: Any) -> Any:
    """A number would be taken for seconds since 1970, in which nobody meant to write."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        raise ValueError("must be an instant such as 2026-07-14T09:31:05Z")
    return value


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(_utc),
    Field(description="RFC 3339 with an offset or Z.", examples=["2026-07-14T09:31:05Z"]),
]


def _number(value: Decimal) -> int | float:
    """A JSON number exact to 15 significant digits (S19), never NaN."""
    if value == value.to_integral_value() and abs(value) < 10**15:
        return int(value)
    number = float(f"{value:.15g}")
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return number


Figure = Annotated[
    Decimal,
    PlainSerializer(_number, return_type=float),
    WithJsonSchema({"type": "number"}),
]


def _exact(value: Any) -> Any:
    """Numbers arrive as Decimal (the body is read without floats); booleans are no numbers."""
    if isinstance(value, bool):
        raise ValueError("must be a decimal, not true or false")  # noqa: TRY004  # pydantic turns it into a 422
    if isinstance(value, float):
        return Decimal(repr(value))
    return value


def exact(value: Decimal | None) -> str | None:
    """An exact decimal as it is written."""
    return None if value is None else format(value.normalize(), "f")


ExactDecimal = Annotated[
    Decimal,
    BeforeValidator(_exact),
    PlainSerializer(exact, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["1250.00"]}, mode="serialization"),
]
Amount = Annotated[
    ExactDecimal, Field(max_digits=24, decimal_places=6, description="Exact decimal, best sent as a string.")
]
