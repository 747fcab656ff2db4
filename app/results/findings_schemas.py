"""Wire shapes of findings."""

from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.schemas import Figure, Output
from app.kpis.measure_schemas import EventTypes
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import Stated
from app.results.schemas import PeriodText, Point, Status, Subject

Kind = Literal[
    "needs_help", "customer_at_risk", "not_contacted", "declining", "weakness", "strength", "top_performer"
]  # fmt: skip


class FindingQuery(Point):
    """Where to look for strengths, weaknesses and risks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kpis": ["calls_made"], "team": "{team_id}", "period": "2026-Q2"}]}
    )

    kpis: list[KpiKey] = Field(min_length=1, max_length=10, description="KPIs by which people are compared.")
    team: UUID | None = Field(default=None, description="Whose people and customers; null: the whole organization.")
    period: PeriodText
    minimum_sample: int | None = Field(
        default=None, ge=0, le=1_000_000, description="Events that a value needs; null: 5, none for counts and sums."
    )
    habits: EventTypes = Field(
        default_factory=lambda: ["call.received", "deal.won", "email.received", "feedback.received", "meeting.held"],
        description="What shows a customer's rhythm.",
    )
    contacts: EventTypes = Field(
        default_factory=lambda: ["call.made", "call.received", "email.received", "email.sent", "meeting.held"],
        description="What is a contact with a customer.",
    )
    contact_every: int = Field(
        default=30, ge=1, le=730, description="After so many days without a contact a customer has waited too long."
    )
    limit: int = Field(default=100, ge=1, le=500, description="Most findings that are listed; the gravest come first.")


class FindingFigure(Output):
    """A figure behind a finding, with what it stands on."""

    name: str = Field(description="What it is.", examples=["calls_made"])
    value: Figure | None = Field(description="The figure.")
    unit: str = Field(description="count, ratio, money, duration, score, number, or days.", examples=["count"])
    status: Status = Field(description="As of any figure (S12).")
    sample: int = Field(description="How many events, people, days or gaps it is told from.", ge=0)


class Opens(Output):
    """The request that opens a finding."""

    method: Literal["GET", "POST"] = Field(description="The method.")
    path: str = Field(description="The path.", examples=["/v1/kpi-results/explain"])
    body: dict[str, Any] | None = Field(description="The body of a POST.")
    parameters: dict[str, str] | None = Field(description="The query of a GET.")


class Finding(Output):
    """Something that a sales leader should know."""

    kind: Kind = Field(description="What was found; the guide has the rule of each.")
    severity: Literal["high", "medium", "info"] = Field(description="How grave it is; `info` for what is good.")
    member: Subject | None = Field(description="Whom it is about; null for customers.")
    customer: str | None = Field(description="Which customer, as events name them; null for people.")
    sentence: str = Field(description="The finding in English.")
    figures: list[FindingFigure] = Field(description="The figures behind it.")
    opens: Opens = Field(description="The request that shows the events behind it.")


class NotJudged(Output):
    """What could not be judged, and why."""

    kind: Kind = Field(description="Which finding could not be made.")
    reason: Literal["sample_too_small", "no_data", "too_few_people", "too_few_gaps", "too_few_values"] = Field(
        description="Why."
    )
    count: int = Field(description="Of how many people (for each KPI) or customers.", ge=1)


class Findings(Stated):
    """What was found, the gravest first."""

    period: str = Field(description="The days; relative periods are resolved.")
    members: int = Field(description="How many people were looked at.", ge=0)
    customers: int = Field(description="How many customers were looked at.", ge=0)
    findings: list[Finding] = Field(description="What was found.")
    left_out: int = Field(description="How many more there are than `limit`.", ge=0)
    not_judged: list[NotJudged] = Field(description="What there was too little data for.")
