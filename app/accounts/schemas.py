"""Wire shapes of organizations, their clock and API keys."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from app.accounts.permissions import Permission
from app.core.schemas import CurrencyCode, Input, Instant, Name, Output, Page, TimeZoneName

Role = Literal["admin", "manager", "member", "service"]
WeekStart = Annotated[int, Field(ge=0, le=6, description="First day of a week: 0 is Monday, 6 is Sunday.")]
Month = Annotated[int, Field(ge=1, le=12, description="Month in which the fiscal year starts.")]
FiscalName = Annotated[
    Literal["starts", "ends"], Field(description="Whether FY2026 is the fiscal year that starts or ends in 2026.")
]
FiscalPattern = Literal["months", "4-4-5", "4-5-4", "5-4-4"]
FiscalWeekRule = Literal["last", "nearest"]


class Organization(Output):
    """The tenant, with the settings that decide days, weeks, years and money."""

    id: UUID = Field(description="Identifier of the organization.")
    name: str = Field(description="Its name.", examples=["Acme Sales"])
    time_zone: str = Field(description="IANA zone in which days begin and end (S1).", examples=["Europe/Warsaw"])
    currency: str = Field(description="Currency of results unless a query names another.", examples=["EUR"])
    week_starts_on: int = Field(description="First day of a week: 0 is Monday, 6 is Sunday.", examples=[0])
    fiscal_year_starts: int = Field(description="Month in which the fiscal year starts.", examples=[1])
    fiscal_year_named_after: str = Field(description="`starts` or `ends`: what FY2026 means (S2).", examples=["ends"])
    fiscal_pattern: str = Field(
        description="`months`, or the weeks of a fiscal quarter's periods: `4-4-5`, `4-5-4`, `5-4-4`.",
        examples=["months"],
    )
    fiscal_week_rule: str = Field(
        description="Where a fiscal year of weeks ends: on the `last` day of a week in its last month, or the one "
        "`nearest` to that month's end.",
        examples=["last"],
    )
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When the organization was made.", examples=["2026-01-05T07:12:00Z"])


class OrganizationUpdate(Input):
    """What changes; absent fields stay. Zone, weeks, fiscal years and currency change all answers at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Acme Sales", "time_zone": "Europe/Warsaw"}]})

    name: Name | MISSING = Field(default=MISSING, description="Its name.")
    time_zone: TimeZoneName | MISSING = Field(default=MISSING, description="IANA zone in which days begin and end.")
    currency: CurrencyCode | MISSING = Field(default=MISSING, description="Currency of results.")
    week_starts_on: WeekStart | MISSING = Field(default=MISSING, description="0 is Monday, 6 is Sunday.")
    fiscal_year_starts: Month | MISSING = Field(default=MISSING, description="Month of the fiscal year's start.")
    fiscal_year_named_after: FiscalName | MISSING = Field(default=MISSING, description="What FY2026 means (S2).")
    fiscal_pattern: FiscalPattern | MISSING = Field(
        default=MISSING,
        description="What the twelve periods of a fiscal year are: `months`, or 4 and 5 weeks by turns; each quarter "
        "has three of them. A 53rd week belongs to the last period.",
    )
    fiscal_week_rule: FiscalWeekRule | MISSING = Field(
        default=MISSING,
        description="When a fiscal year of weeks ends: on the `last` day of a week in its last month, or on the one "
        "`nearest` to the end of that month. Without effect on months.",
    )


class Me(Output):
    """Who the caller is and what it may do."""

    organization_id: UUID = Field(description="The key's organization.")
    key_id: UUID = Field(description="The key.")
    key_name: str = Field(description="The key's name.", examples=["CRM import"])
    role: str = Field(description="Bounds what the scopes can give.", examples=["admin"])
    permissions: list[str] = Field(description="What the caller may do.", examples=[["events:read"]])
    member_id: UUID | None = Field(description="The member this key stands for, if any.")
    now: datetime = Field(description="What time it is for the organization.", examples=["2026-07-14T09:31:05Z"])


class ClockSet(Input):
    """The organization's own clock, or null for the real one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"now": "2026-07-14T09:31:05Z"}]})

    now: Instant | None = Field(description="What time it shall be; null gives the clock back to the database's.")


class Clock(Output):
    """What time it is for the organization, and up to when its facts are recorded."""

    now: datetime = Field(description="The instant of answers that name none.", examples=["2026-07-14T09:31:05Z"])
    is_manual: bool = Field(description="Whether the clock was set by hand.")
    last_recorded_at: datetime = Field(description="`recorded_at` of the newest fact.")


class ApiKeyCreate(Input):
    """A new key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "CRM import", "role": "service", "scopes": ["events:write", "events:read"]}]
        }
    )

    name: Name = Field(description="What it is for.")
    role: Role = Field(description="Bounds what the scopes can give.")
    scopes: list[Permission] = Field(min_length=1, max_length=50, description="What the key may do.")
    member_id: UUID | None = Field(default=None, description="The member this key stands for.")
    expires_at: Instant | None = Field(default=None, description="When it stops working; null: never.")


class ApiKey(Output):
    """A key, without its secret."""

    id: UUID = Field(description="Identifier of the key.")
    name: str = Field(description="What it is for.", examples=["CRM import"])
    role: str = Field(description="Bounds what the scopes can give.", examples=["service"])
    scopes: list[str] = Field(description="What the key may do.", examples=[["events:write"]])
    member_id: UUID | None = Field(description="The member this key stands for.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime | None = Field(description="When it stops working.")
    revoked_at: datetime | None = Field(description="When it was revoked.")
    last_used_on: date | None = Field(
        description="The last day on which it was used, in UTC by the organization's clock; null: no use is known.",
        examples=["2026-07-13"],
    )


class ApiKeyCreated(ApiKey):
    """A new key with its token, which is shown this once."""

    token: str | None = Field(
        description="Send it as `Authorization: Bearer …`. It cannot be shown again: null in a replayed answer.",
        examples=["pl_01985e2c000070008000000000000000_…"],
    )


class ApiKeyPage(Page[ApiKey]):
    """A page of API keys."""
