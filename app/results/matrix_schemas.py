"""Wire shapes of who does best with what."""

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.schemas import Figure, Output
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, GroupByInput, PeriodText, Point, Subject
from app.results.segments import Segmented


class MatrixQuery(Point):
    """A KPI of each member of a team in each segment."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kpi": "calls_made",
                    "team": "{team_id}",
                    "period": "2026-Q2",
                    "group_by": {"property": "properties.product", "top": 5},
                }
            ]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.")
    team: UUID = Field(description="Whose members are the rows, each with their part of the team's figure (S8).")
    period: PeriodText
    group_by: GroupByInput = Field(description="The segments, at most 50; `top` 10 where it does not say.")
    minimum_sample: int = Field(
        default=5, ge=1, le=1_000_000, description="Events that a value needs behind it to be compared."
    )


class MatrixCell(Output):
    """A member in a segment."""

    figures: Figures = Field(description="Value, status and sample.")
    is_small: bool = Field(description="Whether the sample is below the minimum, or there is no value.")
    lead: Figure | None = Field(
        description="The value less that of the whole segment; for what adds up the member's share of the segment less "
        "their share of the team's whole figure. Null without values."
    )
    standing: Literal["better", "same", "worse", "other"] | None = Field(
        description="What the lead means by the KPI's direction; null where the sample is too small."
    )


class MatrixRow(Output):
    """A member in every segment."""

    member: Subject = Field(description="Who.")
    total: Figures = Field(description="Over all segments.")
    cells: list[MatrixCell] = Field(description="One for each segment, in their order.")


class MatrixSegment(Output):
    """A segment of the whole team."""

    group: Segmented = Field(description="The segment.")
    figures: Figures = Field(description="The team's figure in it.")


class Best(Output):
    """Who does best in a segment, as far as samples allow to say."""

    group: Segmented = Field(description="The segment.")
    compared: int = Field(description="How many members have a large enough sample in it.", ge=0)
    members: list[Subject] = Field(
        description="Who has the best value; several where they are alike. Empty where fewer than two can be compared, "
        "and for a KPI that should stay as it is."
    )


class Matrix(Stated):
    """Members by segments."""

    kpi: KpiOf = Field(description="The KPI.")
    team: Subject = Field(description="The team.")
    period: str = Field(description="The days; relative periods are resolved.")
    minimum_sample: int = Field(description="Events that a value needed to be compared.")
    total: Figures = Field(description="The team over all segments.")
    segments: list[MatrixSegment] = Field(description="The columns, the greatest first, the rest at the end.")
    rows: list[MatrixRow] = Field(description="The members, by name.")
    best: list[Best] = Field(description="Who does best where, for each segment but the rest.")
