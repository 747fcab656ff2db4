"""Wire shapes of funnels."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from app.core.schemas import Figure, Output
from app.kpis.measure_schemas import FunnelStepInput, Role, Term
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, Grain, PeriodText, Point, Subject, SubjectInput, Window


class FunnelQuery(Point):
    """A funnel of a KPI, or one that is described here, of some subjects over windows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "steps": [
                        {"name": "new", "events": ["lead.created"]},
                        {"name": "qualified", "events": ["lead.qualified"]},
                        {"name": "won", "events": ["deal.won"]},
                    ],
                    "match": "lead",
                    "within": "P90D",
                    "subjects": [{"organization": True}],
                    "period": "2026-Q2",
                }
            ]
        }
    )

    kpi: KpiKey | None = Field(default=None, description="A KPI with a funnel or a conversion; instead of `steps`.")
    measure: str | None = Field(
        default=None, max_length=50, description="Name of the KPI's measure; the first of its funnels where null."
    )
    steps: list[FunnelStepInput] | None = Field(
        default=None, min_length=2, max_length=20, description="The steps, in their order; instead of `kpi`."
    )
    match: Term | None = Field(default=None, description="What the steps' events are about.", examples=["lead"])
    within: Term | None = Field(
        default=None, description="Limit from the first step: an ISO 8601 duration.", examples=["P90D"]
    )
    skipped: Literal["counts_as_passed", "strict"] = Field(
        default="counts_as_passed",
        description="`counts_as_passed`: whoever reached a later step passed those before; `strict`: each in order.",
    )
    role: Role = Field(default="owner", description="Which credits of the first step count.")
    subjects: list[SubjectInput] = Field(min_length=1, max_length=100, description="Whom to compute for.")
    period: PeriodText
    grain: Grain = Field(default="total", description="Into which windows the period is cut (S2).")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.kpi is None) == (self.steps is None):
            raise ValueError("name exactly one of kpi and steps")
        if self.steps is not None and self.match is None:
            raise ValueError("steps need `match`: the thing that their events are about")
        if self.kpi is not None and self.model_fields_set & {"match", "within", "skipped", "role"}:
            raise ValueError("match, within, skipped and role belong to steps: a KPI has its own")
        return self


class FunnelStep(Output):
    """How many came to a step."""

    name: str = Field(description="Name of the step.", examples=["qualified"])
    reached: Figures = Field(
        description="How many of the cohort came so far, by share; `immature` while the limit of some is not over."
    )
    from_previous: Figure | None = Field(description="Share of those who reached the step before; null of none.")
    from_first: Figure | None = Field(description="Share of the cohort; null of none.")
    drop_out: Figure | None = Field(description="Share of those at the step before who did not come.")
    median_seconds: Figures | None = Field(
        description="Median time from the first step to the first such event after it, of those that had one, whether "
        "within the limit or not; null for the first step."
    )


class FunnelWindow(Output):
    """The funnel of one window's cohort."""

    window: Window = Field(description="The days in which the things took the first step.")
    steps: list[FunnelStep] = Field(description="The steps in order.")


class FunnelSeries(Output):
    """The funnel of a subject."""

    subject: Subject = Field(description="Whose funnel.")
    windows: list[FunnelWindow] = Field(description="One for each window.")
    total: list[FunnelStep] = Field(description="The whole period as one cohort.")


class Funnel(Stated):
    """Where things drop out (K9)."""

    kpi: KpiOf | None = Field(description="The KPI; null for steps that were described.")
    kpi_version: int | None = Field(description="The version of the KPI whose steps these are, for all windows.")
    steps: list[str] = Field(description="Names of the steps in order.")
    series: list[FunnelSeries] = Field(description="One for each subject.")
