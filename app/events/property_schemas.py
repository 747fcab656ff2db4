"""Wire shapes of what properties events have."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.core.pagination import PageQuery
from app.core.schemas import Output, Page, Text
from app.events.schemas import StoredProperty

Kind = Literal["text", "number", "boolean"]


class PropertiesQuery(PageQuery):
    """Which properties or values."""

    q: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="Only those that begin so; capitals and small letters are the same.", examples=["ch"]
    )


class EventProperty(Output):
    """A property of the events of a type."""

    key: str = Field(description="The property.", examples=["channel"])
    events: int = Field(description="How many of the newest 10,000 events of the type have it.", examples=[812])
    types: list[Kind] = Field(description="What its values are.", examples=[["text"]])

    @classmethod
    def of(cls, key: str, events: int, types: list[str]) -> "EventProperty":
        """From what the database calls types of JSON."""
        return cls(key=key, events=events, types=sorted({_KINDS[kind] for kind in types}))


class EventPropertyPage(Page[EventProperty]):
    """A page of properties, the most frequent first."""


class PropertyValue(Output):
    """A value of a property."""

    value: StoredProperty = Field(description="The value.", examples=["partner"])
    type: Kind = Field(description="What it is.", examples=["text"])
    events: int = Field(description="How many of the newest 10,000 events of the type have it.", examples=[94])

    @classmethod
    def of(cls, value: str | bool | int | Decimal, events: int) -> "PropertyValue":
        """From a stored value."""
        kind: Kind = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        return cls(value=value, type=kind, events=events)


class PropertyValuePage(Page[PropertyValue]):
    """A page of values, the most frequent first."""


_KINDS: dict[str, Kind] = {"string": "text", "number": "number", "boolean": "boolean"}
