"""Wire shapes of what made the difference between two periods."""

from datetime import date
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from app.core.schemas import Figure, Output
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, GroupByInput, PeriodText, Point, Subject, SubjectInput
from app.results.segments import Segmented


class ContributionQuery(Point):
    """A figure in two periods, and into which parts its difference is to be split."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kpi": "calls_made",
                    "subject": {"organization": True},
                    "period": "2026-Q2",
                    "group_by": {"property": "source"},
                },
                {"kpi": "calls_made", "subject": {"team": "{team_id}"}, "period": "2026-06", "by": "members"},
            ]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.")
    subject: SubjectInput = Field(description="Whose figure: one person, team, the organization or the unassigned.")
    period: PeriodText
    compare_to: PeriodText | None = Field(
        default=None, description="The earlier period; null: the one before of the same kind (S21)."
    )
    by: Literal["members", "teams"] | None = Field(
        default=None, description="Parts: each member of a team or of the organization, or each team directly below."
    )
    group_by: GroupByInput | None = Field(default=None, description="Parts: groups of events; instead of `by`.")
    top: int = Field(default=10, ge=1, le=100, description="How many parts are shown; the others are one, the rest.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.by is None) == (self.group_by is None):
            raise ValueError("name exactly one of by and group_by")
        return self


class PartOf(Output):
    """Which part of the figure: a person or team, a group, or the rest."""

    kind: Literal["subject", "group", "rest"] = Field(
        description="`rest`: what the rows shown do not add up to, such as smaller parts and what nobody is credited "
        "with; less what two teams of one person both have."
    )
    subject: Subject | None = Field(description="The person, team or the unassigned; null for groups and the rest.")
    group: Segmented | None = Field(description="The group; null for people and the rest.")


class PartFigures(Output):
    """A part's own figure in one period."""

    figures: Figures | None = Field(description="Value, status and sample; null for the rest.")
    numerator: Figure | None = Field(description="What it has of the sum, or of the numerator of a ratio.")
    denominator: Figure | None = Field(description="What it has of the denominator; null where there is none.")


class Contribution(Output):
    """What one part did to the difference."""

    part: PartOf = Field(description="Which part.")
    before: PartFigures = Field(description="In the earlier period.")
    after: PartFigures = Field(description="In the later period.")
    effect: Figure = Field(description="What it did to the figure of all: the effects add up to the difference.")
    mix: Figure | None = Field(description="Of a ratio: the part of the effect that comes from its weight.")
    rate: Figure | None = Field(description="Of a ratio: the part of the effect that comes from its own rate.")
    share: Figure | None = Field(description="effect / difference; null where there is no difference.")


class PeriodFigure(Output):
    """The whole figure in one period."""

    period: str = Field(description="The days.", examples=["2026-06"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    is_complete: bool = Field(description="Whether it has ended by `as_of`: a running one is compared as it is.")
    figures: Figures = Field(description="Value, status and sample.")


class Contributions(Stated):
    """Which parts made the difference between two periods."""

    kpi: KpiOf = Field(description="The KPI.")
    subject: Subject = Field(description="Whose figure.")
    method: Literal["sum", "ratio"] = Field(
        description="`sum`: each part's own difference. `ratio`: mix and rate (Kitagawa, 1955), which add up exactly."
    )
    before: PeriodFigure = Field(description="The earlier period.")
    after: PeriodFigure = Field(description="The later period.")
    difference: Figure | None = Field(description="after − before; null where either has no value.")
    reason: str | None = Field(description="Why there is nothing to split; null where there is.")
    contributions: list[Contribution] = Field(description="The parts, the greatest effects first, the rest at the end.")
