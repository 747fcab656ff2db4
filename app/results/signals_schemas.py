"""Wire shapes of signal and noise."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.core.schemas import Figure, Output
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, PeriodText, Point, Subject, SubjectInput, Window


class SignalQuery(Point):
    """A KPI of one subject over windows, to be told signal from noise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kpi": "calls_made", "subject": {"organization": True}, "period": "last_90_days", "grain": "week"}
            ]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.")
    subject: SubjectInput = Field(description="Whose figures: one person, team, the organization or the unassigned.")
    period: PeriodText
    grain: Literal["day", "week", "month", "quarter", "year"] = Field(
        default="week", description="Into which windows the period is cut; from 8 values on there are limits."
    )


class Limits(Output):
    """The natural process limits of an XmR chart: what the process does by itself."""

    mean: Figure = Field(description="Mean of the values used.", examples=[42.5])
    mean_moving_range: Figure = Field(description="Mean distance of successive values.", examples=[4])
    lower: Figure = Field(description="Mean − 2.66 × mean moving range; 0 where values cannot be below 0.")
    upper: Figure = Field(description="Mean + 2.66 × mean moving range.")
    is_floored: bool = Field(description="Whether the lower limit was raised to 0: it would have been below.")


class SignalPoint(Output):
    """One value of the chart."""

    window: Window = Field(description="The days.")
    figure: Figures = Field(description="The value with its status and sample.")
    is_used: bool = Field(description="Whether it entered the limits: `ok`, and of a window that is complete.")
    moving_range: Figure | None = Field(
        description="Distance from the value used before it; null for the first, and where it is not used."
    )


class Signal(Output):
    """Something that noise alone hardly does."""

    rule: Literal["outside_limits", "run_of_8", "3_of_4_near_a_limit"] = Field(
        description="`outside_limits`: a value beyond a limit; `run_of_8`: 8 or more in a row on one side of the mean "
        "(one on the mean ends the run); `3_of_4_near_a_limit`: 3 of 4 in a row nearer to the same limit than to the "
        "mean."
    )
    side: Literal["above", "below"] = Field(description="On which side of the mean.")
    windows: list[str] = Field(description="Labels of the windows that make it.", examples=[["2026-W27"]])
    values: list[Figure] = Field(description="Their values.")


class SignalChart(Stated):
    """Signal or noise: the points, the limits, and the signals."""

    kpi: KpiOf = Field(description="The KPI.")
    subject: Subject = Field(description="Whose figures.")
    verdict: Literal["ok", "too_few"] = Field(description="`too_few`: fewer than 8 values, so there are no limits.")
    used: int = Field(description="How many values entered.", ge=0)
    missing: int = Field(description="How many more values are needed; 0 where there are enough.", ge=0)
    limits: Limits | None = Field(description="The limits; null with too few values.")
    points: list[SignalPoint] = Field(description="Every window in order, also those that were not used.")
    signals: list[Signal] = Field(description="What is no noise; empty where all of it may be.")
