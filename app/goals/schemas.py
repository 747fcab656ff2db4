"""Wire shapes of goals, their targets and their progress."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Amount, CurrencyCode, ExactDecimal, Input, Instant, Name, Output, Page, Prose, Text
from app.goals.lifecycle import Action, State
from app.goals.pace import Direction
from app.rates.schemas import SetKey

Counts = Literal["own", "parts"]
ExpectedBy = Literal["working_time", "seasonal", "linear", "auto"]
OwnerType = Literal["organization", "team", "member"]
_NO_MONEY = frozenset({"XXX", "XTS"})
"""ISO 4217 codes of no currency and of tests, which no rate converts."""


def _priced(value: str) -> str:
    if value in _NO_MONEY:
        raise ValueError(f"{value} stands for no currency, and no rate converts it; write for example EUR")
    return value


GoalCurrency = Annotated[CurrencyCode, AfterValidator(_priced)]
Weight = Annotated[Amount, Field(gt=0, le=1_000_000)]
Above0 = Annotated[Amount, Field(gt=0)]
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


class ChangeInput(Input):
    """A change against what the KPI was before: the baseline is frozen when the target is set (S30)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "0.10", "on": "previous_period"}]})

    by: Amount | None = Field(default=None, description="As a share of the baseline: 0.10 is 10 % more.")
    amount: Amount | None = Field(default=None, description="In the KPI's unit; negative for less.")
    stretch: Amount | None = Field(
        default=None, description="The change of the stretch target, as `by` or `amount` is."
    )
    on: PeriodText = Field(
        default="previous_period",
        description="The baseline: `previous_period`, `same_period_last_year`, or a period such as 2026-Q2.",
        examples=["previous_period"],
    )

    @model_validator(mode="after")
    def _is_share_or_amount(self) -> Self:
        if (self.by is None) == (self.amount is None):
            raise ValueError("write either by or amount")
        return self


class TargetInput(Input):
    """What is aimed at: a value to reach or not to exceed, a band to stay in, or a change against a baseline."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"value": "120000", "stretch": "140000"}]})

    value: Amount | None = Field(
        default=None, description="In the KPI's unit (ratios as 0.4, durations in seconds); above 0.", examples=["100"]
    )
    low: Amount | None = Field(default=None, description="Low edge of the band, for KPIs to maintain; 0 or more.")
    high: Amount | None = Field(default=None, description="High edge of the band.")
    change: ChangeInput | None = Field(default=None, description="Computed once from a baseline, which is kept.")
    stretch: Amount | None = Field(
        default=None, description="What would be more than asked for: beyond the target, in its direction."
    )

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        told = [name for name in ("value", "low", "change") if getattr(self, name) is not None]
        if len(told) != 1 or (self.low is None) != (self.high is None):
            raise ValueError("write either value, or low and high, or change")
        if self.stretch is not None and self.value is None:
            raise ValueError("stretch goes with value; in a change it has a place of its own, and a band has none")
        return self


class Baseline(Output):
    """The frozen figure that a relative target was computed from."""

    on: str = Field(description="What was asked for.", examples=["previous_period"])
    period: str = Field(description="Its days.", examples=["2026-Q2"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    value: ExactDecimal = Field(description="The KPI over these days, as it was known then.", examples=["90000"])
    status: str = Field(description="Status of that value (S12).", examples=["ok"])
    by: ExactDecimal | None = Field(description="The change asked for, as a share of it.", examples=["0.1"])
    amount: ExactDecimal | None = Field(description="The change asked for, in the KPI's unit.")
    as_of: Instant = Field(description="The instant T at which it was computed.")
    known_at: Instant = Field(description="What had been recorded by this instant was in it.")


class Target(Output):
    """What is aimed at, as exact decimals."""

    value: ExactDecimal | None = Field(description="The value to reach, or not to exceed.", examples=["100"])
    low: ExactDecimal | None = Field(description="Low edge of the band.")
    high: ExactDecimal | None = Field(description="High edge of the band.")
    stretch: ExactDecimal | None = Field(default=None, description="What would be more than asked for.")
    baseline: Baseline | None = Field(default=None, description="Of a relative target: what it was computed from.")


class MilestoneInput(Input):
    """A place on the way to the target."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Half way", "share": "0.5"}]})

    key: Annotated[Text, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")] | None = Field(
        default=None, description="Its name in answers and notifications; default: m1, m2 …"
    )
    name: Name = Field(description="What people call it.", examples=["Half way"])
    value: Above0 | None = Field(default=None, description="The KPI's value that reaches it, above 0.")
    share: Annotated[Above0, Field(le=100)] | None = Field(
        default=None, description="Or a share of the target, above 0: 0.5 is half of it."
    )
    due_on: Day | None = Field(default=None, description="The day by whose end it is wanted; inside the period.")

    @model_validator(mode="after")
    def _is_value_or_share(self) -> Self:
        if (self.value is None) == (self.share is None):
            raise ValueError("write either value or share")
        return self


class Milestone(Output):
    """A place on the way to the target."""

    key: str = Field(description="Its name in answers and notifications.", examples=["m1"])
    name: str = Field(description="What people call it.", examples=["Half way"])
    value: ExactDecimal | None = Field(description="The KPI's value that reaches it.")
    share: ExactDecimal | None = Field(description="Or a share of the target.", examples=["0.5"])
    due_on: date | None = Field(description="The day by whose end it is wanted.")


class TermsInput(Input):
    """What belongs to a goal beside its target. What follows from it is told by `GET …/progress`."""

    weight: Weight = Field(default=Decimal(1), description="How much it counts among goals of its owner; above 0.")
    parent_id: UUID | None = Field(default=None, description="The goal that it is a part of.")
    counts: Counts = Field(
        default="own",
        description="Whether the goal's own KPI is measured, or the sum of its parts, which have the same KPI.",
    )
    expected: ExpectedBy = Field(
        default="working_time",
        description="What the share due by now follows (S31): working time, the mean course of up to three past "
        "periods, whole days; `auto` is seasonal once three such periods exist.",
    )
    ramp_id: UUID | None = Field(default=None, description="Schedule by which the target of a new member grows (S33).")
    milestones: list[MilestoneInput] = Field(default=[], max_length=50, description="Places on the way.")


class Terms(Target):
    """The target and what else was decided of a goal at an instant."""

    weight: ExactDecimal = Field(description="How much it counts among goals of its owner.", examples=["1"])
    parent_id: UUID | None = Field(description="The goal that it is a part of.")
    counts: Counts = Field(description="Its own KPI, or the sum of its parts.", examples=["own"])
    expected: ExpectedBy = Field(description="What the share due by now follows.", examples=["working_time"])
    ramp_id: UUID | None = Field(description="Schedule by which the target of a new member grows.")
    milestones: list[Milestone] = Field(description="Places on the way.")


class GoalCreate(TermsInput):
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
    currency: GoalCurrency | None = Field(
        default=None, description="Currency of a money target; default: the organization's."
    )
    rate_set: SetKey | None = Field(
        default=None, description="Rates by which money is converted for it; default: the organization's."
    )
    yields: Annotated[Text, StringConstraints(max_length=2000)] | None = Field(
        default=None,
        description="Of a compound goal: the formula by which its parts make the whole (G6), such as "
        "`kpi.deals_won * kpi.deal_size`.",
    )
    state: Literal["draft", "proposed", "open"] | None = Field(
        default=None,
        description="A draft is not announced; a proposal waits for approval; an open goal is scheduled or active by "
        "its dates. Without it, it is open, or proposed by whoever may only propose.",
    )
    reason: Prose = Field(default="", description="Why this target.")


class GoalUpdate(Input):
    """What changes; absent fields stay. Owner, KPI and period do not change: make another goal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Calls in July", "description": "Twice June."}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    description: Prose | MISSING = Field(default=MISSING, description="What it is for.")
    weight: Weight | MISSING = Field(default=MISSING, description="How much it counts among goals of its owner.")
    parent_id: UUID | MISSING | None = Field(
        default=MISSING, description="The goal that it is a part of; null: of none."
    )
    counts: Counts | MISSING = Field(default=MISSING, description="Its own KPI, or the sum of its parts.")
    expected: ExpectedBy | MISSING = Field(default=MISSING, description="What the share due by now follows.")
    ramp_id: UUID | MISSING | None = Field(
        default=MISSING, description="Schedule by which a new member's target grows."
    )
    milestones: list[MilestoneInput] | MISSING = Field(
        default=MISSING, max_length=50, description="All places on the way."
    )
    yields: Annotated[Text, StringConstraints(max_length=2000)] | MISSING | None = Field(
        default=MISSING, description="The formula by which its parts make the whole; null: none."
    )
    reason: Prose | MISSING = Field(default=MISSING, description="Why; kept with the revision of the terms.")
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
    rate_set: str | None = Field(description="Rates by which money is converted; null: the organization's.")
    weight: ExactDecimal = Field(description="How much it counts among goals of its owner.", examples=["1"])
    parent_id: UUID | None = Field(description="The goal that it is a part of.")
    counts: Counts = Field(description="Its own KPI, or the sum of its parts.", examples=["own"])
    expected: ExpectedBy = Field(description="What the share due by now follows.", examples=["working_time"])
    ramp_id: UUID | None = Field(description="Schedule by which the target of a new member grows.")
    milestones: list[Milestone] = Field(description="Places on the way.")
    yields: str | None = Field(description="Of a compound goal: how its parts make the whole.")
    series_id: UUID | None = Field(description="The recurring goal that it is a period of.")
    proposer_id: UUID | None = Field(description="The member who proposed it.")
    locked_at: datetime | None = Field(description="Since when nobody may change it; null: it is not locked.")
    state: State = Field(description="Scheduled and active follow from the dates.", examples=["active"])
    available_actions: list[Action] = Field(description="What the caller may do now.", examples=[["edit", "cancel"]])
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")


class GoalPage(Page[Goal]):
    """A page of goals."""


class GoalWhich(Input):
    """Which goals are meant."""

    owner_type: OwnerType | None = Field(default=None, description="Only goals of this kind of owner.")
    owner_id: UUID | None = Field(default=None, description="Only goals of this team or member.")
    kpi: Text | None = Field(default=None, max_length=100, description="Only goals on this KPI.")
    state: State | None = Field(default=None, description="Only goals in this state.")
    parent_id: UUID | None = Field(default=None, description="Only parts of this goal.")
    series_id: UUID | None = Field(default=None, description="Only goals of this recurring goal.")
    on: Day | None = Field(default=None, description="Only goals whose period includes this day.")


class GoalFilters(PageQuery, GoalWhich):
    """Which goals to list."""


class TargetFilters(PageQuery):
    """Which revisions to list."""


class TargetRevision(Output):
    """One decision about the target: who, when, why, old and new (G10)."""

    id: UUID = Field(description="Identifier of the revision.")
    recorded_at: datetime = Field(description="When it was decided.")
    superseded_at: datetime | None = Field(description="When the next one was; null for the present target.")
    changed_by: str = Field(description="Who decided it, as the audit trail names callers.", examples=["key:01985e2c"])
    member_id: UUID | None = Field(description="The member for whom that caller's key stands.")
    reason: str = Field(description="Why.", examples=["Two new colleagues."])
    old: Terms | None = Field(description="What held before; null for the first.")
    new: Terms = Field(description="What holds from then on.")


class TargetRevisionPage(Page[TargetRevision]):
    """A page of the revisions of a target, oldest first."""
