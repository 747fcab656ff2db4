"""Wire shapes that all analyses share."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from app.core.schemas import Output
from app.results.schemas import RETAINED_FROM

DIRECTION = "Where the KPI should go: increase, decrease or maintain."


class Stated(Output):
    """When an answer was computed, and from what."""

    as_of: datetime = Field(description="The instant of the answer, T (S5).", examples=["2026-07-13T10:00:00Z"])
    known_at: datetime = Field(description="What had been recorded by then was used (S5).")
    retained_from: date | None = Field(description=RETAINED_FROM)
    time_zone: str = Field(description="Zone of the local days.", examples=["Europe/Warsaw"])
    currency: str = Field(description="Currency of money.", examples=["EUR"])


class KpiOf(Output):
    """The KPI that an analysis is about."""

    key: str = Field(description="Key of the KPI.", examples=["calls_made"])
    name: str = Field(description="Name of the KPI.", examples=["Calls made"])
    unit: dict[str, Any] = Field(description="Unit of the values.", examples=[{"kind": "count"}])
    direction: str = Field(description=DIRECTION, examples=["increase"])
    display: dict[str, Any] = Field(description="How to show it.")
    is_additive: bool = Field(description="Whether values of parts add up (S24).")
