"""Wire shapes of how a source is."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.core.schemas import Output

Trouble = Literal["silent", "signatures_failing", "credentials_failing"]


class TroubleSince(Output):
    """Something that is wrong, as it was told."""

    trouble: Trouble = Field(
        description="`silent` for longer than usual, calls that fail their proof, or credentials that the CRM refuses."
    )
    since: datetime = Field(description="Since when, as far as is known.")


class Health(Output):
    """How a source is."""

    is_archived: bool = Field(description="Nothing is accepted from it any more, and nothing is looked for.")
    troubles: list[TroubleSince] = Field(description="What is wrong now; a notification tells each change of it.")
    last_call_at: datetime | None = Field(description="When the CRM last posted; null: never.")
    usual_gap_seconds: int | None = Field(
        description="How long it is usually silent at most, in the organization's working time: 95 of 100 gaps between "
        "quarters of an hour with calls were no longer, in the last four weeks. Null: too few calls to say."
    )
    silence_seconds: int | None = Field(
        description="For how much working time it has been silent. More than three times as long as usual, and more "
        "than two hours, is told."
    )
    rejected_calls: int = Field(
        description="Calls of the last day that failed their proof, at least; of these nothing is kept.", ge=0
    )
    last_rejected_at: datetime | None = Field(description="When the last such call came, of the last day.")
    accepted_calls: int = Field(description="Calls of the last day that were accepted, at most 10,000.", ge=0)
    unreadable_calls: int = Field(description="Of these, those that could not be read.", ge=0)
    failed_calls: int = Field(description="Of these, those whose translation failed.", ge=0)
    objects_to_fetch: int = Field(description="Objects that wait to be fetched from the CRM, at most 10,000.", ge=0)
    objects_failing: int = Field(description="Of these, those that could not be fetched so far.", ge=0)
    last_fetch_error: str | None = Field(description="What one of them failed by, in words.")
    credentials_failed_at: datetime | None = Field(description="When the CRM last refused the credentials.")
    credentials_failure: str | None = Field(description="Why, in words; null since they last worked.")
    subscriptions: int = Field(description="Webhooks that were made by the CRM's API.", ge=0)
    subscriptions_failing: int = Field(description="Of these, those that fail or have expired.", ge=0)
    subscriptions_end_at: datetime | None = Field(description="When the first of them ends, unless it is renewed.")
    looked_at: datetime | None = Field(description="When it was last looked after; that is done every hour.")
