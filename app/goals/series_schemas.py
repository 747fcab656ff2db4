"""Wire shapes of recurring goals."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.config import JsonDict

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Amount, ExactDecimal, Input, Instant, Name, Output, Page, Prose, Text
from app.goals.schemas import GoalCurrency, KpiKey, Owner, OwnerInput, PeriodText, TermsInput
from app.goals.templates.schemas import TemplateTarget
from app.rates.schemas import SetKey

Every = Literal["week", "month", "quarter", "year"]
Growth = Annotated[Amount, Field(gt=-1, le=100)]
DaysBefore = Annotated[int, Field(ge=0, le=366)]
_GOAL: JsonDict = {
    "name": "Calls in {period}",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "target": {"value": "100"},
    "milestones": [{"name": "Half way", "share": "0.5"}],
}
_CONTENT = "The goal of each period, as it is posted to /v1/goals, without period and state."


class SeriesGoal(TermsInput):
    """The goal of each period, as it is posted to /v1/goals, without period and state."""

    model_config = ConfigDict(json_schema_extra={"examples": [_GOAL]})

    name: Name = Field(
        description="What people call it; `{period}` stands for the period.", examples=["Calls {period}"]
    )
    description: Prose = Field(default="", description="What it is for.")
    owner: OwnerInput = Field(description="Whose goal it is.")
    kpi: KpiKey = Field(description="Key of the KPI that measures it.", examples=["calls_made"])
    target: TemplateTarget = Field(
        description="What is aimed at. A change, and what history gives, are computed for each period when its goal is "
        "opened; a change on its first day."
    )
    currency: GoalCurrency | None = Field(
        default=None, description="Currency of a money target; default: the organization's."
    )
    rate_set: SetKey | None = Field(
        default=None, description="Rates by which money is converted for it; default: the organization's."
    )
    yields: Annotated[Text, StringConstraints(max_length=2000)] | None = Field(
        default=None, description="Of a compound goal: the formula by which its parts make the whole."
    )
    reason: Prose = Field(default="", description="Why this target.")

    @model_validator(mode="after")
    def _has_no_days(self) -> Self:
        if any(each.due_on is not None for each in self.milestones):
            raise ValueError("milestones of a recurring goal have no due_on: each period has other days")
        return self


class GoalSeriesCreate(Input):
    """A new recurring goal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"every": "month", "goal": _GOAL}]})

    name: Name | None = Field(default=None, description="What people call the series; default: the goal's name.")
    every: Every = Field(description="How long its periods are.", examples=["month"])
    is_fiscal: bool = Field(default=False, description="Whether these are fiscal months, quarters or years.")
    first: PeriodText | None = Field(
        default=None,
        description="Its first period: 2026-07, 2026-Q3, FY2027-Q1, 2026-W31 …; default: the one that runs now.",
        examples=["2026-07"],
    )
    until: Day | None = Field(default=None, description="No goal is made for periods that begin after this day.")
    open_days_before: DaysBefore = Field(
        default=0, description="How many days before its period begins a goal is opened; 0: on its first day."
    )
    growth: Growth | None = Field(
        default=None,
        description="By which share each target is more than that of the period before, as it stands then: 0.02 is "
        "2 % more; negative for less. Rounded to the KPI's decimals.",
        examples=["0.02"],
    )
    parent_series_id: UUID | None = Field(
        default=None, description="A recurring goal of which these are parts: of its goal around the same days."
    )
    goal: SeriesGoal = Field(description=_CONTENT)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        check_together(self.goal, self.growth, self.open_days_before, self.parent_series_id)
        if self.is_fiscal and self.every == "week":
            raise ValueError("weeks are not fiscal: write month, quarter or year")
        return self


def check_together(
    goal: SeriesGoal, growth: Decimal | None, open_days_before: int, parent_series_id: UUID | None
) -> None:
    """Raises `ValueError` where these contradict each other."""
    if goal.target.change is not None and open_days_before:
        raise ValueError("a change needs the period before to be over: write open_days_before 0")
    if growth is not None and (goal.target.change or goal.target.realistic or goal.target.ambitious):
        raise ValueError("write growth, or a target that is computed for each period anyway")
    if parent_series_id is not None and goal.parent_id is not None:
        raise ValueError("write either parent_series_id, or the goal's parent_id")


class GoalSeriesUpdate(Input):
    """What changes for the goals that are made from now on; absent fields stay. Goals that are open do not change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"until": "2026-12-31", "growth": "0.02"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call the series.")
    until: Day | MISSING | None = Field(default=MISSING, description="Its last day; null: it goes on.")
    open_days_before: DaysBefore | MISSING = Field(default=MISSING, description="How early goals are opened.")
    growth: Growth | MISSING | None = Field(default=MISSING, description="Growth of the target; null: none.")
    parent_series_id: UUID | MISSING | None = Field(
        default=MISSING, description="The recurring goal that these are parts of."
    )
    goal: SeriesGoal | MISSING = Field(default=MISSING, description=f"{_CONTENT} All of it.")


class SeriesPeriod(Output):
    """The period for which a goal is made next."""

    period: str = Field(description="Its name.", examples=["2026-08"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    opens_on: date = Field(description="The local day on which the goal is opened.")


class GoalSeries(Output):
    """A goal that is made anew for each period."""

    id: UUID = Field(description="Identifier of the series.")
    name: str = Field(description="What people call it.")
    owner: Owner = Field(description="Whose goals these are.")
    every: Every = Field(description="How long its periods are.")
    is_fiscal: bool = Field(description="Whether these are fiscal.")
    open_days_before: int = Field(description="How many days before its period begins a goal is opened.")
    until: date | None = Field(description="No goal is made for periods that begin after this day.")
    growth: ExactDecimal | None = Field(description="By which share each target is more than the one before.")
    parent_series_id: UUID | None = Field(description="The recurring goal that these are parts of.")
    goal: dict[str, JsonValue] = Field(description=_CONTENT, examples=[_GOAL])
    next: SeriesPeriod | None = Field(description="Which goal is made next; null: none any more.")
    trouble: str | None = Field(description="Why the next goal could not be made; it is tried again each day.")
    ended_at: Instant | None = Field(description="When somebody ended it.")
    version: int = Field(description="Grows with each change by somebody; it is the ETag.")
    created_at: Instant = Field(description="When it was made.")


class GoalSeriesPage(Page[GoalSeries]):
    """A page of recurring goals."""


class GoalSeriesFilters(PageQuery):
    """Which recurring goals to list."""

    owner_id: UUID | None = Field(default=None, description="Only those of this team or member.")
    has_ended: bool | None = Field(default=None, description="Whether somebody has ended them.")
    has_trouble: bool | None = Field(default=None, description="Whether the next goal could not be made.")


class NextGoal(SeriesPeriod):
    """The goal that would be made next, by what stands now."""

    goal: dict[str, JsonValue] = Field(
        description="As it would be posted to /v1/goals, with the target that history gives now; a change is computed "
        "when it is opened.",
        examples=[_GOAL],
    )
