"""Wire shapes of templates of goal sets."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from app.core.pagination import PageQuery
from app.core.problems import ErrorItem
from app.core.schemas import Amount, Input, Name, Output, Page, Prose, Text
from app.goals.schemas import (
    ChangeInput,
    Counts,
    ExpectedBy,
    Goal,
    GoalCurrency,
    KpiKey,
    MilestoneInput,
    Owner,
    PeriodText,
    Target,
    Weight,
)
from app.goals.smart.rules import Verdict
from app.kpis.library.entries import Role
from app.kpis.library.schemas import LibraryOutcome

TemplateKey = Annotated[Text, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
_ITEM: JsonDict = {"name": "Calls made", "kpi": "calls_made", "target": {"realistic": True}}
_TEMPLATE: JsonDict = {"key": "prospecting", "name": "Prospecting", "revenue_role": "sdr", "items": [_ITEM]}
_ROLE = "For whose revenue role it is meant."


class TemplateTarget(Input):
    """What is aimed at: figures, a change, or what each owner's own history gives."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"realistic": True}, {"value": "100"}]})

    value: Amount | None = Field(default=None, description="The value to reach, or not to exceed.")
    low: Amount | None = Field(default=None, description="Low edge of a band.")
    high: Amount | None = Field(default=None, description="High edge of a band.")
    change: ChangeInput | None = Field(default=None, description="A change against each owner's baseline.")
    realistic: Literal[True] | None = Field(default=None, description="What half of the owner's past periods reached.")
    ambitious: Literal[True] | None = Field(default=None, description="What one in five of them reached.")
    stretch: Amount | None = Field(default=None, description="Beside value: what would be more than asked for.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        told = [
            name for name in ("value", "low", "change", "realistic", "ambitious") if getattr(self, name) is not None
        ]
        if len(told) != 1 or (self.low is None) != (self.high is None):
            raise ValueError("write one of value, low and high, change, realistic, ambitious")
        if self.stretch is not None and self.value is None:
            raise ValueError("stretch goes with value")
        return self


class TemplateItem(Input):
    """A goal of the set, without owner and period."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    name: Name = Field(description="What people call it.", examples=["Calls made"])
    description: Prose = Field(default="", description="What it is for.")
    kpi: KpiKey = Field(description="Key of the KPI that measures it.", examples=["calls_made"])
    target: TemplateTarget = Field(description="What is aimed at.")
    currency: GoalCurrency | None = Field(default=None, description="Currency of a money target.")
    weight: Weight = Field(default=Decimal(1), description="How much it counts among goals of its owner.")
    counts: Counts = Field(default="own", description="Its own KPI, or the sum of its parts.")
    expected: ExpectedBy = Field(default="working_time", description="What the share due by now follows.")
    ramp_id: UUID | None = Field(default=None, description="Schedule by which the target of a new member grows.")
    milestones: list[MilestoneInput] = Field(default=[], max_length=50, description="Places on the way.")


Items = Annotated[list[TemplateItem], Field(min_length=1, max_length=50)]


class TemplateCreate(Input):
    """A new set of goals."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TEMPLATE]})

    key: TemplateKey = Field(description="Its key; it never changes.", examples=["prospecting"])
    name: Name = Field(description="What people call it.", examples=["Prospecting"])
    description: Prose = Field(default="", description="What it is for.")
    revenue_role: Name | None = Field(default=None, description=_ROLE, examples=["sdr"])
    items: Items = Field(description="Its goals.")


class TemplateUpdate(Input):
    """What changes; absent fields stay. Goals that were made of it stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Prospecting 2026"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    description: Prose | MISSING = Field(default=MISSING, description="What it is for.")
    revenue_role: Name | MISSING | None = Field(default=MISSING, description=_ROLE)
    items: Items | MISSING = Field(default=MISSING, description="All of its goals.")


class Template(Output):
    """A set of goals for a role."""

    id: UUID = Field(description="Identifier of the template.")
    key: str = Field(description="Its key.", examples=["prospecting"])
    name: str = Field(description="What people call it.", examples=["Prospecting"])
    description: str = Field(description="What it is for.")
    revenue_role: str | None = Field(description=_ROLE, examples=["sdr"])
    items: list[TemplateItem] = Field(description="Its goals.")
    archived_at: datetime | None = Field(description="Since when it is out of use.")
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")


class TemplatePage(Page[Template]):
    """A page of templates."""


class TemplateFilters(PageQuery):
    """Which templates to list."""

    revenue_role: Text | None = Field(default=None, max_length=200, description="Only those for this role.")
    is_archived: bool = Field(default=False, description="The archived ones instead.")


class LibrarySet(Output):
    """A ready-made set of goals."""

    key: str = Field(description="Its key, also when it is installed.", examples=["closing"])
    name: str = Field(description="What people call it.", examples=["Closing"])
    description: str = Field(description="What it is for.")
    role: Role = Field(description="For whom it is meant, as the KPI library names roles.")
    sources: list[str] = Field(description="The requirements that it comes from.", examples=[["K2"]])
    items: list[TemplateItem] = Field(description="Its goals.")
    kpis: list[str] = Field(description="KPIs that it needs: they are installed with it.", examples=[["revenue_won"]])
    is_installed: bool = Field(description="Whether the organization has a template with this key.")


class LibrarySets(Page[LibrarySet]):
    """A page of ready-made sets, by the way of a sale."""


class LibrarySetFilters(PageQuery):
    """Which ready-made sets to list."""

    role: Role | None = Field(default=None, description="Only those meant for this role.")


class SetsInstall(Input):
    """Which ready-made sets to install."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": ["closing"]}]})

    keys: list[TemplateKey] = Field(min_length=1, max_length=20, description="Their keys.", examples=[["closing"]])
    kpi_state: Literal["draft", "official"] = Field(
        default="draft", description="Whether KPIs that are installed with them are agreed upon already."
    )


class SetOutcome(Output):
    """What became of one set."""

    key: str = Field(description="Its key.", examples=["closing"])
    outcome: Literal["installed", "exists"] = Field(description="`exists`: what the organization has stays as it is.")
    template_id: UUID = Field(description="The template.")


class SetsInstalled(Output):
    """What became of each set and of the KPIs that they need."""

    items: list[SetOutcome] = Field(description="Each set, in the order asked for.")
    kpis: list[LibraryOutcome] = Field(description="Each KPI; those that others are computed from first.")


class ApplyInput(Input):
    """For whom, and over which days, goals of a template are made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"revenue_role": "sdr", "period": "2026-08"}]})

    organization: bool = Field(default=False, description="Goals of the organization itself.")
    teams: list[UUID] = Field(default=[], max_length=200, description="Goals of these teams themselves.")
    members: list[UUID] = Field(default=[], max_length=200, description="Goals of these members.")
    members_of: UUID | None = Field(default=None, description="Goals of each member who is in this team, or below it.")
    revenue_role: Name | None = Field(
        default=None,
        description="Goals of each member with this role, their own word or the KPI library's.",
    )
    period: PeriodText = Field(description="Their days.", examples=["2026-08"])
    targets: dict[KpiKey, TemplateTarget] = Field(
        default={},
        max_length=50,
        description="Targets by KPI instead of the template's, such as figures where history gives none.",
        examples=[{"calls_made": {"value": "60"}}],
    )
    scale: Annotated[Amount, Field(gt=0, le=1000)] = Field(
        default=Decimal(1), description="Times so much are targets and amounts of change; shares of change stay."
    )
    state: Literal["draft", "proposed", "open"] | None = Field(
        default=None, description="As of a goal; absent: open, or proposed by whoever may only propose."
    )
    skip_existing: bool = Field(
        default=False, description="Leave out what an owner has a goal for: the same KPI and days. Else it is refused."
    )
    reason: Prose = Field(default="", description="Why these targets.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not (self.organization or self.teams or self.members or self.members_of or self.revenue_role):
            raise ValueError("name organization, teams, members, members_of or revenue_role: nobody would get a goal")
        return self


class SmartSummary(Output):
    """The five verdicts of the SMART check."""

    verdict: Verdict = Field(description="The worst of the five.", examples=["pass"])
    specific: Verdict = Field(description="Is it said who is to reach what?")
    measurable: Verdict = Field(description="Is there an agreed KPI with data?")
    achievable: Verdict = Field(description="Was the like of it ever reached?")
    relevant: Verdict = Field(description="Does it serve a greater goal?")
    time_bound: Verdict = Field(description="Do its days lie ahead?")


class PlannedGoal(Output):
    """A goal that would be made."""

    owner: Owner = Field(description="Whose it would be.")
    owner_name: str | None = Field(description="The name of the team or member.", examples=["Ana"])
    item: int = Field(description="Place of the template's goal, from 0.", examples=[0])
    name: str = Field(description="What people would call it.", examples=["Calls made"])
    kpi: str = Field(description="Key of the KPI.", examples=["calls_made"])
    outcome: Literal["new", "exists", "invalid"] = Field(description="What would become of it.")
    target: Target | None = Field(description="Its target in figures.")
    existing: list[UUID] = Field(description="Goals of the owner on the same KPI and days.")
    problems: list[ErrorItem] = Field(description="Why it cannot be made.")
    smart: SmartSummary | None = Field(description="What the SMART check says of it.")


class TemplatePreview(Output):
    """What applying would make; nothing is stored."""

    period: str = Field(description="Their days.", examples=["2026-08"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    rows: list[PlannedGoal] = Field(description="Each goal, by owner.")
    counts: Mapping[Literal["new", "exists", "invalid"], int] = Field(description="How many of which outcome.")
    verdicts: Mapping[Verdict, int] = Field(description="How many goals the SMART check says what of.")


class TemplateApplied(Output):
    """The goals that were made."""

    goals: list[Goal] = Field(description="Each of them, by owner.")
    skipped: list[UUID] = Field(description="Goals that were there already, and stay.")
