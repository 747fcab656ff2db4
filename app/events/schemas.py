"""Wire shapes of the ledger."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SkipValidation,
    StrictBool,
    StringConstraints,
    TypeAdapter,
)
from pydantic.json_schema import WithJsonSchema

from app.core.pagination import PageQuery
from app.core.schemas import Amount, CurrencyCode, ExactDecimal, Input, Instant, Output, Page, Text
from app.events import facts
from app.events.decide import Verdict

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_STORABLE: TypeAdapter[str] = TypeAdapter(Text)


def _instant(value: Any) -> Any:  # Any: whatever was sent
    """Instants begin with a date: a number, also as text, would be guessed to be seconds of some epoch."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("must be an instant with its offset, such as 2026-07-14T09:31:05Z")
    return value


def _day(value: Any) -> Any:  # Any: whatever was sent
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("must be a date, such as 2026-07-14")
    return value


def _property(value: Any) -> facts.Property | None:  # Any: whatever was sent
    """Text, a number that every reader gets exactly, or true or false; null is absent.

    One function instead of a union, which would name each of its branches in the pointers of errors.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _property_text(value)
    if not isinstance(value, int | Decimal):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004  # pydantic reports ValueError
    number = Decimal(value)
    if not facts.is_property_number(number):
        raise ValueError(f"has more than {facts.PROPERTY_DIGITS} significant digits: send longer numbers as text")
    return number


def _property_text(value: str) -> str:
    if len(value) > facts.MAX_TEXT:
        raise ValueError(f"must have at most {facts.MAX_TEXT} characters")
    return _STORABLE.validate_python(value)


def _json_number(value: facts.Property | int) -> str | bool | int | float:
    """A stored number as JSON; it has few enough digits to be exact."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


Id = Annotated[Text, StringConstraints(min_length=1, max_length=facts.MAX_ID)]
# Their patterns let only storable text pass; on `Text` a pattern would be missing in the document.
TypeName = Annotated[str, StringConstraints(pattern=facts.TYPE_PATTERN, max_length=facts.MAX_ID)]
Word = Annotated[str, StringConstraints(pattern=facts.NAME_PATTERN, max_length=facts.MAX_PROPERTY_KEY)]
When = Annotated[Instant, BeforeValidator(_instant)]
Day = Annotated[date, BeforeValidator(_day)]
PropertyKey = Annotated[Text, StringConstraints(min_length=1, max_length=facts.MAX_PROPERTY_KEY)]
PropertyValue = Annotated[
    facts.Property | None,
    PlainValidator(_property),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": facts.MAX_TEXT}, {"type": ["number", "boolean", "null"]}]}
    ),
]
StoredProperty = Annotated[
    bool | int | Decimal | str,
    PlainValidator(lambda value: value),  # as it was stored: nothing is made of another kind
    PlainSerializer(_json_number),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
EXAMPLE: dict[str, Any] = {
    "external_id": "deal-77-won",
    "version": 3,
    "type": "deal.won",
    "occurred_at": "2026-07-14T09:31:05Z",
    "occurred_on": "2026-07-13",
    "actor": {"id": "7421", "email": "ada@example.com"},
    "about": {"deal": "D-77", "customer": "C-12"},
    "amount": {"value": "1250.00", "currency": "EUR"},
    "quantity": 1,
    "duration_seconds": 340,
    "credits": [
        {"actor": {"id": "7421"}, "share": "0.6"},
        {"actor": {"id": "7422"}, "share": "0.4"},
        {"role": "sourcer", "actor": {"id": "7430"}, "share": "1"},
    ],
    "properties": {"product": "pro", "region": "north"},
}


class PersonPost(Input):
    """A person as the source knows them."""

    id: Id = Field(description="The person's id in the source; an identity is made of it when it is new.")
    email: Annotated[Text, StringConstraints(max_length=320)] | None = Field(
        default=None, description="Helps to find the member; kept with the identity, never in the event."
    )
    name: Annotated[Text, StringConstraints(max_length=200)] | None = Field(
        default=None, description="Kept with the identity, never in the event."
    )


class MoneyPost(Input):
    """An amount in its own currency."""

    value: Amount = Field(description="Exact decimal with up to 6 decimals, best sent as a string.")
    currency: CurrencyCode | None = Field(
        default=None, description="ISO 4217. Absent: the currency set for the source, if there is one."
    )


class CreditPost(Input):
    """One person's part in the event."""

    role: Word = Field(default=facts.OWNER, description="What the person did for it; measures count one role.")
    actor: PersonPost = Field(description="Who is credited.")
    share: ExactDecimal = Field(
        default=facts.WHOLE, gt=0, le=1, description="Part of the whole; the shares of a role add up to exactly 1."
    )


class EventPost(Input):
    """One fact: who did what, when, about which deal, lead or customer."""

    model_config = {
        "json_schema_extra": {
            "examples": [EXAMPLE],
            "anyOf": [
                {
                    "required": ["type", "occurred_at"],
                    "properties": {"type": {"type": "string"}, "occurred_at": {"type": "string"}},
                },
                {"required": ["retracted"], "properties": {"retracted": {"const": True}}},
            ],
        }
    }

    external_id: Id = Field(description="The fact's id in its source: the same fact always has the same.")
    version: Annotated[int, Field(strict=True, ge=0, le=facts.MAX_VERSION)] = Field(
        default=0, description="The source's own version: a correction or retraction has a higher one."
    )
    source: Id | None = Field(default=None, description="Key of the source it belongs to; absent: `api`.")
    type: TypeName | None = Field(
        default=None, description="What happened: dotted, past tense. Needed unless it is a retraction."
    )
    occurred_at: When | None = Field(
        default=None, description="When it happened, in 1970 to 2200. Needed unless it is a retraction."
    )
    occurred_on: Day | None = Field(
        default=None, description="The local date that decides the day, such as a close date."
    )
    actor: PersonPost | None = Field(default=None, description="Who did it.")
    credits: list[CreditPost] = Field(
        default=[],
        max_length=facts.MAX_CREDITS,
        description="Who gets how much of it. Where no owner is listed, the actor is, with 1.",
    )
    about: dict[Word, Id] = Field(
        default={}, max_length=facts.MAX_ABOUT, description="The things it concerns: deal, lead, customer …"
    )
    amount: MoneyPost | None = Field(default=None, description="Money in it; negative for a credit note.")
    quantity: Amount | None = Field(default=None, description="How many; up to 6 decimals.")
    duration_seconds: Amount | None = Field(default=None, ge=0, description="How long it took, in seconds.")
    properties: dict[PropertyKey, PropertyValue] = Field(
        default={},
        max_length=facts.MAX_PROPERTIES,
        description="Anything else to filter and group by; flat. Numbers have at most 15 significant digits.",
    )
    retracted: StrictBool = Field(
        default=False, description="Take the event back; of the rest only `external_id` and `version` count then."
    )


class EventBatch(Input):
    """Many facts, which act in their order; each has its own outcome."""

    model_config = {"json_schema_extra": {"examples": [{"events": [EXAMPLE]}]}}

    # Each item is validated on its own, so that one bad item does not keep the others back.
    events: list[SkipValidation[EventPost]] = Field(description="The facts; how many at most is a setting (5,000).")


class CloudEvent(Input):
    """A CloudEvent 1.0 in structured mode; attributes that are not named here are let pass and not kept."""

    model_config = {
        "extra": "allow",
        "json_schema_extra": {
            "examples": [
                {
                    "specversion": "1.0",
                    "id": "deal-77-won",
                    "source": "https://telephony.example.com/eu",
                    "type": "deal.won",
                    "time": "2026-07-14T09:31:05Z",
                    "pacelineversion": 3,
                    "data": {"actor": {"id": "7421"}, "about": {"deal": "D-77"}},
                }
            ]
        },
    }

    specversion: Literal["1.0"] = Field(description="Version of the specification.")
    id: Id = Field(description="The event's `external_id`.")
    source: Annotated[Text, StringConstraints(min_length=1, max_length=500)] = Field(
        description="URI that `/v1/cloud-event-sources` leads to a source."
    )
    type: TypeName = Field(description="The event's `type`.")
    time: Annotated[Text, WithJsonSchema({"type": "string", "format": "date-time"})] | None = Field(
        default=None, description="The event's `occurred_at`, unless `data` has one."
    )
    datacontenttype: Text | None = Field(default=None, description="JSON, if anything.")
    pacelineversion: int | None = Field(
        default=None, ge=0, le=facts.MAX_VERSION, description="Extension: the event's `version`; text or number."
    )
    data: dict[str, Any] | None = Field(
        default=None, description="The rest of the event, in the fields in which it is posted as JSON."
    )


class EventOutcome(Output):
    """What became of one item."""

    external_id: str | None = Field(description="The item's own id; null if it had none that could be read.")
    outcome: Verdict = Field(
        description="accepted: first sight. duplicate: said already. corrected, retracted: a new revision. "
        "outdated: a later version is known. conflict: the same version says something else; the first stays. "
        "rejected: invalid, see `field` and `reason`."
    )
    event_id: UUID | None = Field(description="Our id of the event; null for what was rejected.")
    field: str | None = Field(default=None, description="JSON pointer to what was not taken.")
    reason: str | None = Field(default=None, description="Why, and what to send instead.")


class BatchOutcome(Output):
    """What became of each item, in their order."""

    items: list[EventOutcome] = Field(description="One for each item.")
    counts: dict[Verdict, int] = Field(description="How many items had each outcome that occurred.")


class Person(Output):
    """A person as the source knows them; the member behind is the identity's mapping."""

    id: str = Field(description="The person's id in the source.")
    identity_id: UUID = Field(description="Our id of the identity.")


class Credit(Output):
    """One person's part."""

    role: str = Field(description="What the person did for it.")
    actor: Person = Field(description="Who is credited.")
    share: ExactDecimal = Field(description="Part of the whole.")


class Money(Output):
    """An amount in its own currency."""

    value: ExactDecimal = Field(description="Exact decimal.")
    currency: str | None = Field(description="ISO 4217; null where nothing tells it: such amounts are unconverted.")


class Event(Output):
    """One revision of an event."""

    id: UUID = Field(description="The event; the same in all revisions.")
    external_id: str = Field(description="The event's id in its source.")
    source: str = Field(description="Key of the source.")
    version: int = Field(description="The source's version that this revision came with.")
    revision: int = Field(description="Our number of it, from 1 on.")
    type: str | None = Field(description="What happened; null for a retraction of something never seen.")
    occurred_at: datetime | None = Field(description="When it happened; null as `type`.")
    occurred_on: date | None = Field(description="The local date that decides the day, if it was told.")
    actor: Person | None = Field(description="Who did it.")
    credits: list[Credit] = Field(description="Who gets how much of it, defaults filled in.")
    about: dict[str, str] = Field(description="The things it concerns.")
    amount: Money | None = Field(description="Money in it.")
    quantity: ExactDecimal | None = Field(description="How many.")
    duration_seconds: ExactDecimal | None = Field(description="How long it took, in seconds.")
    properties: dict[str, StoredProperty] = Field(description="Anything else.")
    origin: dict[str, str] = Field(
        description="How it came; `currency: source` where the amount took the source's currency."
    )
    retracted: bool = Field(description="Taken back: in no figure. The rest is what it was before.")
    recorded_at: datetime = Field(description="Since when this revision is known.")
    superseded_at: datetime | None = Field(description="Until when it stood; null: it stands.")


class EventPage(Page[Event]):
    """A page of events."""


class EventsQuery(PageQuery):
    """Which events."""

    type: list[Id] = Field(default=[], max_length=50, description="Of these types; may be repeated.")
    source: Id | None = Field(default=None, description="Of the source with this key.")
    external_id: Id | None = Field(default=None, description="With this id in its source.")
    identity: UUID | None = Field(default=None, description="In which this identity acted or is credited.")
    about: Annotated[Text, StringConstraints(pattern=r"^[a-z][a-z0-9_]*:.+$", max_length=310)] | None = Field(
        default=None, description="About this thing, as `thing:id`.", examples=["deal:D-77"]
    )
    occurred_from: Instant | None = Field(default=None, description="That happened at or after this instant.")
    occurred_to: Instant | None = Field(default=None, description="That happened before this instant.")
    recorded_from: Instant | None = Field(default=None, description="Whose present revision was recorded since.")
    recorded_to: Instant | None = Field(default=None, description="Whose present revision was recorded before.")
    include_retracted: bool = Field(default=False, description="The retracted ones too.")
    sort: Literal["occurred_at", "-occurred_at"] = Field(default="-occurred_at", description="Newest first, or oldest.")


class EventType(Output):
    """A type of event."""

    type: str = Field(description="Dotted, past tense.")
    description: str | None = Field(description="What it says; null for a type that was only seen.")
    is_built_in: bool = Field(description="Whether everybody has it.")
    events: int = Field(description="How many events of it stand.")
    first_occurred_at: datetime | None = Field(description="When the first of them happened.")
    last_occurred_at: datetime | None = Field(description="When the last of them happened.")


class EventTypePage(Page[EventType]):
    """A page of event types."""


class EventTypeCreate(Input):
    """A type that the organization adds."""

    model_config = {
        "json_schema_extra": {"examples": [{"type": "demo.given", "description": "A demo was given to a prospect."}]}
    }

    type: TypeName = Field(description="Dotted words of lower case letters, digits and _, past tense.")
    description: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="What it says, for whoever builds KPIs on it."
    )


class CloudEventSourceSet(Input):
    """Which source the CloudEvents of a URI belong to."""

    model_config = {"json_schema_extra": {"examples": [{"uri": "https://telephony.example.com/eu", "source": "api"}]}}

    uri: Annotated[Text, StringConstraints(min_length=1, max_length=500)] = Field(
        description="The attribute `source` of the CloudEvents, compared exactly."
    )
    source: Id = Field(default="api", description="Key of the source; one that a CRM writes to cannot be named.")


class CloudEventSource(Output):
    """A URI of CloudEvents with its source."""

    id: UUID = Field(description="Of this entry.")
    uri: str = Field(description="The attribute `source` of the CloudEvents.")
    source: str = Field(description="Key of the source.")


class CloudEventSourcePage(Page[CloudEventSource]):
    """A page of URIs."""
