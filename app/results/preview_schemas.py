"""Wire shapes of a change of a KPI, before it is made."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.schemas import ExactDecimal, Figure, Output
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, Subject, Window


class MovedFigure(Output):
    """A figure as it is, and as it would be."""

    before: Figures = Field(description="By the versions that are stored.")
    after: Figures = Field(description="With the new version.")
    difference: Figure | None = Field(description="after − before; null where either has no value.")
    moves: bool = Field(description="Whether value or status would change.")


class MovedWindow(MovedFigure):
    """A month."""

    window: Window = Field(description="The days.")


class MovedSeries(Output):
    """A KPI of a subject, month by month."""

    kpi: KpiOf = Field(description="The KPI that changes, or one that is computed from it.")
    subject: Subject = Field(description="The organization, or a team at the top of the tree.")
    windows: list[MovedWindow] = Field(description="The last 12 months, the running one too.")
    total: MovedFigure = Field(description="The 12 months as one window.")


class MovedGoal(Output):
    """A goal, as it stands and as it would stand."""

    goal_id: UUID = Field(description="The goal.")
    name: str = Field(description="Its name.", examples=["Calls in July"])
    kpi: str = Field(description="Key of its KPI.", examples=["calls_made"])
    owner: Subject = Field(description="Whose goal it is.")
    period: str = Field(description="Its days.", examples=["2026-07"])
    target: ExactDecimal | None = Field(description="What is aimed at; null for a band.")
    low: ExactDecimal | None = Field(description="Lower edge of a band.")
    high: ExactDecimal | None = Field(description="Upper edge of a band.")
    actual: MovedFigure = Field(description="The value so far.")
    attainment_before: Figure | None = Field(description="How far it is reached now (S30); null without a value.")
    attainment_after: Figure | None = Field(description="How far it would be reached.")


class KpiPreview(Stated):
    """What a new version of a KPI would change; nothing of it is stored."""

    kpi: str = Field(description="Key of the KPI.", examples=["win_rate_closed"])
    number: int = Field(description="The number that the version would have.", examples=[2])
    valid_from: date | None = Field(description="From which local day on it would hold; null: for all days.")
    dependants: list[str] = Field(description="KPIs that are computed from it, directly or not: they may move, too.")
    moves: bool = Field(description="Whether any figure or goal shown here would change.")
    series: list[MovedSeries] = Field(description="The KPI and its dependants, for the organization and its top teams.")
    goals: list[MovedGoal] = Field(description="Open goals on any of them, at most 50, those that end last first.")
    goals_left_out: int = Field(description="How many more open goals there are.", ge=0)
    teams: Literal["all", "first_20"] = Field(description="Whether all teams at the top are shown, or only 20 of them.")
