"""Wire shapes of goals, their targets and their progress."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Amount, CurrencyCode, ExactDecimal, Figure, Input, Instant, Name, Output, Page, Prose, Text
from app.goals.lifecycle import Action, State
from app.goals.pace import Direction, PaceVerdict, Verdict

OwnerType = Literal["organization", "team", "member"]
KpiKey = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
PeriodText = Annotated[Text, StringConstraints(min_length=1, max_length=60)]
_EXAMPLE: JsonDict = {
    "name": "Calls in July",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-07",
    "target": {"value": "100"},
}


class OwnerInput(Input):
    """Whose goal it is."""

    type: OwnerType = Field(description="Whose goal it is.", examples=["organization"])
    id: UUID | None = Field(default=None, description="The team or member; null for the organization.")

    @model_validator(mode="after")
    def _has_id_unless_organization(self) -> Self:
        if (self.type == "organization") != (self.id is None):
            raise ValueError("a team or a member is named by its id, the organization has none")
        return self


class Owner(Output):
    """Whose goal it is."""

    type: OwnerType = Field(description="Whose goal it is.", examples=["organization"])
    id: UUID | None = Field(description="The team or member; null for the organization.")


class TargetInput(Input):
    """What is aimed at: one value to reach or not to exceed, or a band to stay in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"value": "120000"}]})

    value: Amount | None = Field(
        default=None, description="In the KPI's unit (ratios as 0.4, durations in seconds); above 0.", examples=["100"]
    )
    low: Amount | None = Field(default=None, description="Low edge of the band, for KPIs to maintain; 0 or more.")
    high: Amount | None = Field(default=None, description="High edge of the band.")

    @model_validator(mode="after")
    def _is_value_or_band(self) -> Self:
        if (self.value is None) == (self.low is None) or (self.low is None) != (self.high is None):
            raise ValueError("write either value, or low and high")
        return self


class Target(Output):
    """What is aimed at, as exact decimals."""

    value: ExactDecimal | None = Field(description="The value to reach, or not to exceed.", examples=["100"])
    low: ExactDecimal | None = Field(description="Low edge of the band.")
    high: ExactDecimal | None = Field(description="High edge of the band.")


class GoalCreate(Input):
    """A new goal."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name = Field(description="What people call it.", examples=["Calls in July"])
    description: Prose = Field(default="", description="What it is for.")
    owner: OwnerInput = Field(description="Whose goal it is.")
    kpi: KpiKey = Field(description="Key of the KPI that measures it.", examples=["calls_made"])
    period: PeriodText = Field(
        description="Its days: 2026-07, 2026-Q3, 2026, FY2026-Q2, 2026-07-01..2026-08-15, this_month …",
        examples=["2026-07"],
    )
    target: TargetInput = Field(description="What is aimed at.")
    currency: CurrencyCode | None = Field(
        default=None, description="Currency of a money target; default: the organization's."
    )
    state: Literal["draft", "open"] = Field(
        default="open", description="A draft is not announced; an open goal is scheduled or active by its dates."
    )
    reason: Prose = Field(default="", description="Why this target.")


class GoalUpdate(Input):
    """What changes; absent fields stay. Owner, KPI and period do not change: make another goal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Calls in July", "description": "Twice June."}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    description: Prose | MISSING = Field(default=MISSING, description="What it is for.")
    state: Literal["open", "cancelled"] | MISSING = Field(
        default=MISSING, description="Open a draft, or cancel the goal."
    )


class TargetChange(Input):
    """Another target for a goal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"target": {"value": "120"}, "reason": "Two new colleagues."}]}
    )

    target: TargetInput = Field(description="What is aimed at from now on.")
    reason: Annotated[Prose, StringConstraints(pattern=r"\S")] = Field(
        description="Why it changes.", examples=["Two new colleagues."]
    )


class Goal(Output):
    """An owner, a KPI, a target, a period."""

    id: UUID = Field(description="Identifier of the goal.")
    name: str = Field(description="What people call it.", examples=["Calls in July"])
    description: str = Field(description="What it is for.")
    owner: Owner = Field(description="Whose goal it is.")
    kpi: str = Field(description="Key of the KPI that measures it.", examples=["calls_made"])
    direction: Direction = Field(description="Which way the KPI should go.", examples=["increase"])
    period: str = Field(description="Its days as written; relative words are resolved.", examples=["2026-07"])
    start: date = Field(description="First local day.", examples=["2026-07-01"])
    end: date = Field(description="The day after the last.", examples=["2026-08-01"])
    target: Target = Field(description="What is aimed at now.")
    currency: str | None = Field(description="Currency of a money target.", examples=["EUR"])
    state: State = Field(description="Scheduled and active follow from the dates.", examples=["active"])
    available_actions: list[Action] = Field(description="What can be done with it now.", examples=[["edit", "cancel"]])
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")


class GoalPage(Page[Goal]):
    """A page of goals."""


class GoalFilters(PageQuery):
    """Which goals to list."""

    owner_type: OwnerType | None = Field(default=None, description="Only goals of this kind of owner.")
    owner_id: UUID | None = Field(default=None, description="Only goals of this team or member.")
    kpi: Text | None = Field(default=None, max_length=100, description="Only goals on this KPI.")
    state: State | None = Field(default=None, description="Only goals in this state.")
    on: Day | None = Field(default=None, description="Only goals whose period includes this day.")


class TargetFilters(PageQuery):
    """Which revisions to list."""


class TargetRevision(Output):
    """One decision about the target: who, when, why, old and new (G10)."""

    id: UUID = Field(description="Identifier of the revision.")
    recorded_at: datetime = Field(description="When it was decided.")
    superseded_at: datetime | None = Field(description="When the next one was; null for the present target.")
    changed_by: str = Field(description="Who decided it, as the audit trail names callers.", examples=["key:01985e2c"])
    reason: str = Field(description="Why.", examples=["Two new colleagues."])
    old: Target | None = Field(description="The target before; null for the first.")
    new: Target = Field(description="The target from then on.")


class TargetRevisionPage(Page[TargetRevision]):
    """A page of the revisions of a target, oldest first."""


class Expected(Output):
    """What is due by now (S31, S32)."""

    share: Figure = Field(description="Share of the period's working time in whole days past, 0 to 1.", examples=[0.5])
    value: Figure | None = Field(description="What the KPI is expected to be by now; null for a band.", examples=[50])
    working_days_past: int = Field(description="Working days of the organization's calendar past.", examples=[8])
    working_days_total: int = Field(description="Working days of the period by the same calendar.", examples=[23])


class Progress(Output):
    """How a goal stands at an instant (S30–S34)."""

    goal_id: UUID = Field(description="The goal.")
    state: State = Field(default="closed", description="Its state.", examples=["active"])
    as_of: Instant = Field(description="The instant T of the answer: what is past, and what happened by then (S5).")
    known_at: Instant = Field(description="What had been recorded by this instant is in the figures (S5).")
    kpi: str = Field(description="Key of the KPI.", examples=["calls_made"])
    direction: Direction = Field(description="Which way the KPI should go.")
    unit: dict[str, str | None] = Field(description="Unit of actual, target and expected value.")
    currency: str | None = Field(description="Currency of money.")
    target: Target | None = Field(description="The target as known then; null where none was.")
    effective_target: Figure | None = Field(
        default=None,
        description=(
            "What is left of the target after absences that take their part of it away (`prorate_target`); null where "
            "all is. Expected, attainment, pace and verdict follow it. 0 where nothing is left: nothing is judged then."
        ),
        examples=[132.35],
    )
    actual: Figure | None = Field(description="The KPI over the period so far.", examples=[40])
    status: str = Field(description="Status of the actual value (S12).", examples=["ok"])
    sample: int = Field(description="Events behind the actual value (S25).", examples=[40])
    kpi_version: int | None = Field(description="The KPI's version; null where several were used (S24).", examples=[1])
    attainment: Figure | None = Field(
        default=None, description="How far the target is reached; 1 is exactly.", examples=[0.4]
    )
    expected: Expected | None = Field(default=None, description="What is due by now.")
    pace: Figure | None = Field(
        default=None, description="Attainment against what is due by now; 1 is on pace.", examples=[1.15]
    )
    pace_verdict: PaceVerdict | None = Field(default=None, description="What the pace means.", examples=["ahead"])
    verdict: Verdict | None = Field(default=None, description="Attained, on course or missed; null while open.")
    frozen_at: Instant | None = Field(default=None, description="When a closed goal's figures were frozen.")
    digest: str | None = Field(default=None, description="SHA-256 over the RFC 8785 JSON of the frozen figures.")
    restated_since: bool | None = Field(
        default=None,
        description="Of a closed goal: whether present knowledge gives another actual value; null where that cannot be "
        "told, since events that it came from were archived or dropped since.",
    )


class ProgressQuery(Input):
    """As of when."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")
