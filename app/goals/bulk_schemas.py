"""Wire shapes of bulk edits of goals."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, StringConstraints, model_validator

from app.core.problems import ErrorItem
from app.core.schemas import Amount, Input, Output, Prose
from app.goals.schemas import GoalUpdate, GoalWhich, PeriodText, Target, TargetInput

MOST = 500
Outcome = Literal["changed", "unchanged", "refused"]


class GoalEdit(GoalUpdate):
    """What changes of a goal, its target with it; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"target": {"value": "120"}, "weight": "2"}]})

    target: TargetInput | MISSING = Field(default=MISSING, description="What is aimed at from now on, as a whole.")
    stretch: Amount | MISSING | None = Field(
        default=MISSING, description="Another stretch target beside the same target; null: none."
    )

    @model_validator(mode="after")
    def _says_stretch_once(self) -> Self:
        if "target" in self.model_fields_set and "stretch" in self.model_fields_set:
            raise ValueError("write stretch inside target, or alone")
        return self


class GoalEditItem(GoalEdit):
    """What changes of one goal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01985e2c-7a52-7cc1-8a5e-6d2f3b9c4e10",
                    "version": 3,
                    "target": {"value": "120"},
                    "reason": "Two new colleagues.",
                }
            ]
        }
    )

    id: UUID = Field(description="The goal.")
    version: int | None = Field(
        default=None, ge=1, description="The version that was last read; another stored one refuses the row."
    )


class GoalSelection(GoalWhich):
    """Which goals a change is for. Closed and cancelled ones are left out unless `state` names them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kpi": "calls_made", "period": "2026-08"}]})

    period: PeriodText | None = Field(default=None, description="Only goals for just these days.", examples=["2026-08"])

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("name at least one thing by which goals are found")
        return self


class GoalChange(Input):
    """One change for all goals that are found."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"scale": "1.10"}]})

    scale: Amount | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Targets, bands and stretch targets are multiplied by it, and rounded to the KPI's decimals (a 5 "
        "upwards). A relative target becomes the value that this gives.",
        examples=["1.10"],
    )
    keep_sum: bool = Field(
        default=False,
        description="With `scale`: round by the largest remainder (S35), so that the targets of one KPI and currency "
        "add up to their scaled sum.",
    )
    set: GoalEdit | None = Field(default=None, description="The same for each of them.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        told = self.set.model_fields_set if self.set else frozenset[str]()
        if self.scale is None and not told - {"reason"}:
            raise ValueError("write scale, or what to set")
        if self.scale is not None and told & {"target", "stretch"}:
            raise ValueError("scale gives the targets: set something else, or leave scale out")
        if self.keep_sum and self.scale is None:
            raise ValueError("keep_sum goes with scale")
        return self


class BulkEdit(Input):
    """Changes of up to 500 goals: of each its own, and of all that are found the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "filter": {"kpi": "calls_made", "period": "2026-07"},
                    "change": {"scale": "1.10"},
                    "reason": "A tenth more for all.",
                }
            ]
        }
    )

    items: list[GoalEditItem] = Field(default=[], max_length=MOST, description="Goals, each with its change.")
    filter: GoalSelection | None = Field(default=None, description="The goals that `change` is for, at most 500.")
    change: GoalChange | None = Field(default=None, description="One change for the goals that are found.")
    reason: Annotated[Prose, StringConstraints(pattern=r"\S")] | None = Field(
        default=None, description="Why, where a row does not say it; each changed target needs a reason."
    )
    mode: Literal["all_or_nothing", "each"] = Field(
        default="all_or_nothing",
        description="Whether one refused row keeps all others back, or each row that can be taken is.",
    )

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if (self.filter is None) != (self.change is None):
            raise ValueError("filter and change go together")
        if not self.items and self.filter is None:
            raise ValueError("write items, or a filter with a change")
        return self


class EditedGoal(Output):
    """What became of one row."""

    id: UUID = Field(description="The goal.")
    name: str | None = Field(description="What people call it; null where there is none.", examples=["Calls in July"])
    outcome: Outcome = Field(description="What became of it.", examples=["changed"])
    version: int | None = Field(description="Its version afterwards.", examples=[4])
    old: Target | None = Field(description="The target before.")
    new: Target | None = Field(description="The target afterwards.")
    problem: ErrorItem | None = Field(description="Why it was refused: the place in the request, and what to do.")


class BulkEdited(Output):
    """What became of each row, in the order of the request, then of what was found."""

    items: list[EditedGoal] = Field(description="The rows.")
    counts: dict[Outcome, int] = Field(description="How many rows had each outcome.", examples=[{"changed": 12}])
