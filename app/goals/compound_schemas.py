"""Wire shapes of compound goals."""

from datetime import date
from decimal import Decimal
from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from app.core.schemas import ExactDecimal, Figure, Input, Instant, Name, Output, Prose
from app.goals.schemas import (
    ExpectedBy,
    Goal,
    GoalCreate,
    GoalCurrency,
    KpiKey,
    MilestoneInput,
    OwnerInput,
    PeriodText,
    TargetInput,
    Weight,
)

_PART: JsonDict = {"name": "New customers", "kpi": "new_customers", "target": {"value": "20"}}
_EXAMPLE: JsonDict = {
    "goal": {
        "name": "Revenue in Q3",
        "owner": {"type": "organization"},
        "kpi": "revenue_won",
        "period": "2026-Q3",
        "target": {"change": {"by": "0.10", "on": "2026-Q2"}},
        "yields": "kpi.new_customers * kpi.average_deal_size",
    },
    "parts": [
        _PART,
        {
            "name": "Larger deals",
            "kpi": "average_deal_size",
            "target": {"change": {"by": "0.15", "on": "2026-Q2"}},
        },
    ],
}


class PartCreate(Input):
    """A part of a new compound goal; owner and period are the whole's where they are not named."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PART]})

    name: Name = Field(description="What people call it.", examples=["New customers"])
    description: Prose = Field(default="", description="What it is for.")
    owner: OwnerInput | None = Field(default=None, description="Whose goal it is; default: the whole's owner.")
    kpi: KpiKey = Field(description="Key of the KPI that measures it.", examples=["new_customers"])
    period: PeriodText | None = Field(default=None, description="Its days; default: those of the whole.")
    target: TargetInput = Field(description="What is aimed at.")
    currency: GoalCurrency | None = Field(default=None, description="Currency of a money target; default: the whole's.")
    weight: Weight = Field(default=Decimal(1), description="How much it counts among goals of its owner.")
    expected: ExpectedBy = Field(default="working_time", description="What the share due by now follows.")
    ramp_id: UUID | None = Field(default=None, description="Schedule by which the target of a new member grows.")
    milestones: list[MilestoneInput] = Field(default=[], max_length=50, description="Places on the way.")


class CompoundCreate(Input):
    """A goal and the goals that it is made of, set together or not at all."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    goal: GoalCreate = Field(description="The whole; `yields` says how the parts make it.")
    parts: list[PartCreate] = Field(min_length=1, max_length=50, description="Its parts.")

    @model_validator(mode="after")
    def _is_measured_itself(self) -> Self:
        if self.goal.counts == "parts":
            raise ValueError("a compound goal has its own KPI: the parts of one that counts parts are split")
        return self


class CompoundMade(Output):
    """The goals that were set."""

    goal: Goal = Field(description="The whole.")
    parts: list[Goal] = Field(description="Its parts, as they were sent.")


class Factor(Output):
    """A KPI that the formula reads, or that a part is about."""

    kpi: str = Field(description="Its key.", examples=["new_customers"])
    name: str = Field(description="What people call it.", examples=["New customers"])
    is_in_formula: bool = Field(description="Whether the formula reads it.")
    source: Literal["parts", "baseline"] = Field(
        description="Where the value aimed at comes from: the parts' targets, or without a part what it was before."
    )
    parts: list[UUID] = Field(description="The parts on it: sums add up, of averages the mean by weight counts.")
    baseline: Figure | None = Field(description="What it was over the baseline's days.", examples=[12])
    baseline_status: str = Field(description="Status of that value (S12).", examples=["ok"])
    target: Figure | None = Field(description="The value aimed at, or the baseline.", examples=[20])
    change: Figure | None = Field(description="Target against baseline; 0.15 is 15 % more.", examples=[0.15])
    actual: Figure | None = Field(description="What it is over the goal's period so far.", examples=[5])
    actual_status: str = Field(description="Status of that value (S12).", examples=["ok"])
    needed: ExactDecimal | None = Field(
        description="How large it alone would have to be for the whole to be reached, the others as they are aimed at; "
        "null where the parts are enough already, or it alone cannot.",
        examples=["26"],
    )


class Explained(Output):
    """Whether the formula explains the past: what it gives of the figures before, against the whole's own."""

    value: Figure | None = Field(description="What the formula gives.", examples=[98000])
    actual: Figure | None = Field(description="What the whole's KPI was.", examples=[100000])
    error: Figure | None = Field(description="The difference as a share of the actual figure.", examples=[-0.02])
    verdict: Literal["good", "poor", "unknown"] = Field(
        description="`good`: within 5 %; `poor`: the formula leaves something out, or counts it twice."
    )


class Yielded(Output):
    """What the parts' targets give together."""

    target: Figure | None = Field(description="The whole's target; of a band its nearer edge.", examples=[110000])
    value: Figure | None = Field(description="What the formula gives of the parts' targets.", examples=[115000])
    gap: Figure | None = Field(description="What it lacks of the target; 0 where it is enough.", examples=[0])
    surplus: Figure | None = Field(description="By how much it is more than enough.", examples=[5000])
    is_sufficient: bool | None = Field(description="Whether the parts yield the whole; null where that cannot be told.")


class SoFar(Output):
    """The same of the figures so far."""

    value: Figure | None = Field(description="What the formula gives of the KPIs so far.", examples=[40000])
    actual: Figure | None = Field(description="The whole's KPI so far.", examples=[41000])
    error: Figure | None = Field(description="The difference as a share of the actual figure.", examples=[-0.02])


class CompoundCheck(Output):
    """Whether the parts of a goal yield the whole (G6)."""

    goal_id: UUID = Field(description="The whole.")
    as_of: Instant = Field(description="The instant T of the answer (S5).")
    known_at: Instant = Field(description="What had been recorded by this instant is in the figures (S5).")
    kpi: str = Field(description="Key of the whole's KPI.", examples=["revenue_won"])
    currency: str | None = Field(description="Currency of money.")
    formula: str | None = Field(description="How the parts make the whole.", examples=["kpi.a * kpi.b"])
    source: Literal["given", "suggested", "none"] = Field(
        description="`given` with the goal; `suggested` from what the KPI library knows of its KPIs, to be stored as "
        "`yields`; `none`: neither."
    )
    problem: str | None = Field(description="Why the formula cannot be computed any more, where that is so.")
    baseline_start: date = Field(description="First local day of the figures before.")
    baseline_end: date = Field(description="The day after the last.")
    factors: list[Factor] = Field(description="The KPIs, in the order of the formula.")
    explains: Explained = Field(description="Whether the formula explains the past.")
    yields: Yielded = Field(description="Whether the parts yield the whole.")
    so_far: SoFar = Field(description="The same of the figures so far.")


class CompoundQuery(Input):
    """As of when."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")
