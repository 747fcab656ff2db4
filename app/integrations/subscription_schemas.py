"""Wire shapes of subscriptions: what a CRM posts because it was asked to by its API."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.core.schemas import Output, Page


class Subscription(Output):
    """Something that the CRM posts to the source's `webhook_url`."""

    id: str = Field(description="The CRM's own id of it.", examples=["1000000068001"])
    about: str = Field(description="What it tells, in the CRM's words.", examples=["Deals, Leads"])
    state: Literal["active", "failing", "expired"] = Field(
        description="`active`; `failing`: it could not be renewed so far; `expired`: it has ended, changes are lost."
    )
    ends_at: datetime | None = Field(description="When the CRM ends it unless it is renewed; null: never.")
    created_at: datetime = Field(description="When it was made.")
    renewed_at: datetime | None = Field(description="When it was renewed, or found to be there, last; null: never yet.")
    try_at: datetime = Field(description="When it is renewed, looked for, or tried again.")
    last_error: str | None = Field(description="Why it could not be renewed, in words; null while it could.")


class SubscriptionPage(Page[Subscription]):
    """A page of subscriptions, by their ids."""
