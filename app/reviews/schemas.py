"""Wire shapes of reviews and their evidence."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, AfterValidator, ConfigDict, Field, JsonValue, StringConstraints

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Input, Output, Page, Prose, Text
from app.reviews.lifecycle import Action, State


def _distinct(keys: list[str]) -> list[str]:
    if len(set(keys)) < len(keys):
        raise ValueError("names a KPI twice")
    return keys


KpiKeys = Annotated[
    list[Annotated[Text, StringConstraints(min_length=1, max_length=100)]],
    Field(min_length=1, max_length=20),
    AfterValidator(_distinct),
]
PeriodText = Annotated[Text, StringConstraints(min_length=1, max_length=60)]


class AgreedActionInput(Input):
    """Something that was agreed upon."""

    text: Annotated[Prose, StringConstraints(pattern=r"\S")] = Field(
        description="What is to be done.", examples=["Answer new leads within five minutes."]
    )
    due_on: Day | None = Field(default=None, description="Until when.", examples=["2026-09-30"])
    done: bool = Field(default=False, description="Whether it was done.")


Actions = Annotated[list[AgreedActionInput], Field(max_length=50)]


class ReviewCreate(Input):
    """A new review, as a draft."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "member_id": "{member_id}",
                    "period": "2026-Q2",
                    "kpis": ["calls_made"],
                    "summary": "A strong quarter.",
                    "strengths": "Wins large deals.",
                    "areas_to_improve": "Answers leads late.",
                    "agreed_actions": [{"text": "Answer new leads within five minutes.", "due_on": "2026-09-30"}],
                }
            ]
        }
    )

    member_id: UUID = Field(description="Who is reviewed.")
    reviewer_id: UUID | None = Field(default=None, description="Who reviews.")
    period: PeriodText = Field(
        description="The days it is about: 2026-06, 2026-Q2, last_quarter …", examples=["2026-Q2"]
    )
    kpis: KpiKeys = Field(description="Keys of the KPIs that are its evidence.", examples=[["calls_made"]])
    summary: Prose = Field(default="", description="The whole in short.")
    strengths: Prose = Field(default="", description="What goes well.")
    areas_to_improve: Prose = Field(default="", description="What should get better.")
    agreed_actions: Actions = Field(default=[], description="What was agreed upon.")


class ReviewUpdate(Input):
    """What changes, in a draft only; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"summary": "A very strong quarter."}]})

    reviewer_id: UUID | MISSING | None = Field(default=MISSING, description="Who reviews.")
    period: PeriodText | MISSING = Field(default=MISSING, description="The days it is about.")
    kpis: KpiKeys | MISSING = Field(default=MISSING, description="All keys anew.")
    summary: Prose | MISSING = Field(default=MISSING, description="The whole in short.")
    strengths: Prose | MISSING = Field(default=MISSING, description="What goes well.")
    areas_to_improve: Prose | MISSING = Field(default=MISSING, description="What should get better.")
    agreed_actions: Actions | MISSING = Field(default=MISSING, description="All actions anew.")


class Acknowledgement(Input):
    """The member's answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"comment": "Agreed, thank you."}]})

    comment: Prose | None = Field(default=None, description="What the member says to it.")


class AgreedAction(Output):
    """Something that was agreed upon."""

    text: str = Field(description="What is to be done.", examples=["Answer new leads within five minutes."])
    due_on: date | None = Field(description="Until when.", examples=["2026-09-30"])
    done: bool = Field(description="Whether it was done.", examples=[False])


class Review(Output):
    """A performance review (P1)."""

    id: UUID = Field(description="Identifier of the review.")
    member_id: UUID = Field(description="Who is reviewed.")
    reviewer_id: UUID | None = Field(description="Who reviews.")
    period: str = Field(description="The days as written; relative words are resolved.", examples=["2026-Q2"])
    start: date = Field(description="First local day.", examples=["2026-04-01"])
    end: date = Field(description="The day after the last.", examples=["2026-07-01"])
    kpis: list[str] = Field(description="Keys of the KPIs that are its evidence.", examples=[["calls_made"]])
    summary: str = Field(description="The whole in short.")
    strengths: str = Field(description="What goes well.")
    areas_to_improve: str = Field(description="What should get better.")
    agreed_actions: list[AgreedAction] = Field(description="What was agreed upon.")
    state: State = Field(description="Draft, shared, acknowledged, closed: in this order.", examples=["shared"])
    available_actions: list[Action] = Field(description="What this caller may do with it now.")
    comment: str | None = Field(description="What the member said when acknowledging.")
    evidence_digest: str | None = Field(description="Digest of the evidence frozen at sharing.")
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")
    shared_at: datetime | None = Field(description="When it was shared, and the evidence frozen.")
    acknowledged_at: datetime | None = Field(description="When the member acknowledged it.")
    closed_at: datetime | None = Field(description="When it was closed.")


class ReviewPage(Page[Review]):
    """A page of reviews."""


class ReviewFilters(PageQuery):
    """Which reviews to list."""

    member_id: UUID | None = Field(default=None, description="Only reviews of this member.")
    reviewer_id: UUID | None = Field(default=None, description="Only reviews by this member.")
    state: State | None = Field(default=None, description="Only reviews in this state.")


class Difference(Output):
    """A frozen figure that present knowledge gives otherwise."""

    kpi: str = Field(description="Key of the KPI.", examples=["revenue_won"])
    window: str = Field(description="Label of the month, or `total` for the whole period.", examples=["total"])
    then: str | None = Field(description="The frozen value, an exact decimal.", examples=["500"])
    now: str | None = Field(description="The value by present knowledge, of the same instant.", examples=["450"])
    difference: str | None = Field(description="now − then; null where one of them is missing.", examples=["-50"])
    status_then: str = Field(description="The frozen status (S12).", examples=["ok"])
    status_now: str = Field(description="The present status.", examples=["ok"])


class Restated(Output):
    """Whether what is known now gives other figures for the frozen instant (S6)."""

    is_restated: bool = Field(description="Whether any figure differs.")
    not_retained: bool = Field(
        description="Whether some cannot be compared, since events that they came from were archived or dropped since."
    )
    known_at: datetime = Field(description="What had been recorded by this instant was compared.")
    differences: list[Difference] = Field(description="The figures that differ.")


class Evidence(Output):
    """The figures a review rests on, as they were when it was shared."""

    review_id: UUID = Field(description="The review.")
    frozen_at: datetime = Field(description="When they were frozen.")
    content: dict[str, JsonValue] = Field(
        description="T (`as_of`), `known_at`, the query and the series: values as decimal strings, with statuses, "
        "samples and KPI versions, per month and in total."
    )
    digest: str = Field(description="SHA-256 over the RFC 8785 JSON of `content`, in hexadecimal digits.")
    digest_algorithm: Literal["sha-256/rfc8785"] = Field(description="How the digest is made.")
    is_intact: bool = Field(description="Whether the stored content still has this digest.")
    restated_since: Restated = Field(description="What present knowledge gives for the same question.")
