"""Wire shapes of exchange rates."""

import re
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    MISSING,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic.config import JsonDict

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import CurrencyCode, ExactDecimal, Input, Name, Output, Page
from app.rates.conversion import Kind

MAX_BATCH = 1_000
RATE_DIGITS, RATE_DECIMALS = 24, 12

_EXAMPLE: JsonDict = {
    "set": "daily",
    "base": "EUR",
    "quote": "USD",
    "valid_from": "2026-07-10",
    "rate": "1.10",
}
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,3})?")

_KIND = (
    "daily: the latest rate on or before a day holds, for 30 days at most. fixed: each rate holds as long as it says."
)
_SET = "Key of the set."
_BASE = "The currency of which one unit is priced."
_QUOTE = "The currency in which it is priced."
_FROM = "First local day on which it holds."
_TO = "First local day on which it holds no more; null: open. In a daily set a later rate or 30 days may end it sooner."
_RATE = "How many units of `quote` one unit of `base` costs: exact, with up to 12 decimals."

SetKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]


def _plain(value: object) -> object:
    """Text must be a number as everybody writes it: `1_000` and other scripts' digits are none."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError("must be a number over 0 such as 1.0842, with a point before its decimals")
    return value


Units = Annotated[
    ExactDecimal,
    BeforeValidator(_plain),
    Field(gt=0, max_digits=RATE_DIGITS, decimal_places=RATE_DECIMALS, description=_RATE, examples=["1.10"]),
]


class RateSetCreate(Input):
    """A new set of rates."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"key": "plan-2026", "kind": "fixed", "name": "Plan rates of 2026"}]}
    )

    key: SetKey = Field(description="What queries call it; `daily` is the one that they use by default.")
    kind: Kind = Field(description=f"{_KIND} It stays as it is.")
    name: Name = Field(description="What people call it.")


class RateSetUpdate(Input):
    """What changes; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Rates of the European Central Bank"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")


class RateSet(Output):
    """A named set of rates."""

    id: UUID = Field(description="Identifier of the set.")
    key: str = Field(description="What queries call it.", examples=["daily"])
    kind: Kind = Field(description=_KIND)
    name: str = Field(description="What people call it.", examples=["Rates of the European Central Bank"])
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")
    recorded_at: datetime = Field(description="When its present content was recorded.")


class RateSetPage(Page[RateSet]):
    """A page of sets."""


class ExchangeRateCreate(Input):
    """A rate; one of the same set, pair and first day is corrected by it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    rate_set: SetKey = Field(alias="set", description=_SET, examples=["daily"])
    base: CurrencyCode = Field(description=_BASE, examples=["EUR"])
    quote: CurrencyCode = Field(description=_QUOTE, examples=["USD"])
    valid_from: Day = Field(description=_FROM, examples=["2026-07-10"])
    valid_to: Day | None = Field(default=None, description=_TO)
    rate: Units

    @field_validator("quote")
    @classmethod
    def _is_another(cls, quote: str, info: ValidationInfo) -> str:
        if quote == info.data.get("base"):
            raise ValueError("must be another currency than base: one unit of a currency costs one of itself")
        return quote

    @field_validator("valid_to")
    @classmethod
    def _is_later(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("valid_from")
        if end is not None and start is not None and end <= start:
            raise ValueError(f"must be later than valid_from ({start}): it is the first day that does not belong")
        return end


class ExchangeRateBatch(Input):
    """Many rates, which act in their order; each has its own outcome."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rates": [_EXAMPLE]}]})

    # Each item is validated on its own, so that one bad item does not keep the others back.
    rates: list[SkipValidation[ExchangeRateCreate]] = Field(
        max_length=MAX_BATCH, description=f"The rates, {MAX_BATCH:,} at most."
    )


class ExchangeRate(Output):
    """What one unit of a currency costs in another (S26)."""

    id: UUID = Field(description="Identifier of the rate; it stays when the rate is corrected.")
    rate_set: str = Field(serialization_alias="set", description=_SET, examples=["daily"])
    base: str = Field(description=_BASE, examples=["EUR"])
    quote: str = Field(description=_QUOTE, examples=["USD"])
    valid_from: date = Field(description=_FROM, examples=["2026-07-10"])
    valid_to: date | None = Field(description=_TO)
    rate: ExactDecimal = Field(description=_RATE, examples=["1.1"])
    version: int = Field(description="1, and one more with each correction; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was first recorded.")
    recorded_at: datetime = Field(description="When its present content was recorded.")


class ExchangeRatePage(Page[ExchangeRate]):
    """A page of rates."""


Outcome = Literal["created", "corrected", "unchanged", "rejected"]
_OUTCOME = (
    "created: there was none of this set, pair and first day. corrected: there was another. unchanged: there was the "
    "same."
)


class ExchangeRateRecorded(ExchangeRate):
    """A rate as it stands after it was posted."""

    outcome: Literal["created", "corrected", "unchanged"] = Field(description=_OUTCOME)


class ExchangeRateOutcome(Output):
    """What became of one rate."""

    outcome: Outcome = Field(description=f"{_OUTCOME} rejected: nothing was stored, see `field` and `reason`.")
    id: UUID | None = Field(description="Identifier of the rate; null for what was rejected.")
    field: str | None = Field(default=None, description="JSON pointer to what was not taken, in the item.")
    reason: str | None = Field(default=None, description="Why, and what to send instead.")


class ExchangeRateBatchOutcome(Output):
    """What became of each rate, in their order."""

    items: list[ExchangeRateOutcome] = Field(description="One for each rate.")
    counts: dict[Outcome, int] = Field(description="How many rates had each outcome that occurred.")


class ExchangeRateUpload(Output):
    """What became of the rates of a CSV file, all of which were taken."""

    counts: dict[Outcome, int] = Field(
        description="How many rates had each outcome that occurred.", examples=[{"created": 22, "corrected": 1}]
    )


class ExchangeRatesQuery(PageQuery):
    """Which rates."""

    rate_set: SetKey | None = Field(default=None, alias="set", description="Only those of this set.")
    base: CurrencyCode | None = Field(default=None, description="Only those that price this currency.")
    quote: CurrencyCode | None = Field(default=None, description="Only those that price in this currency.")
    begins_from: Day | None = Field(
        default=None, alias="from", description="Only those whose first day is this or later."
    )
    begins_before: Day | None = Field(default=None, alias="to", description="Only those whose first day is earlier.")
