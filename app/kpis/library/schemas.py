"""Wire shapes of the library."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from app.core.pagination import PageQuery
from app.core.schemas import ExactDecimal, Input, Output, Page
from app.kpis.library.entries import Category, Direction, Indicator, Nature, Role
from app.kpis.library.needs import Readiness
from app.kpis.measure_schemas import KpiMeasure
from app.kpis.schemas import KpiDisplay, KpiKey, KpiScoring, KpiThresholds, KpiUnit

InstalledAs = Literal["same", "differs", "archived"]
Outcome = Literal["installed", "exists", "differs", "key_taken", "not_possible"]

_READINESS = (
    "`ready`: recent events have what is needed. `partly`: more than half of them lack something, or there are none of "
    "a kind that may well not happen (a customer who leaves). `missing`: there are none, or none has it."
)
_STAFFING = "What the formula asks about people's work: from employments, calendars, absences and part time."


class LibraryNeed(Output):
    """Events that a measure looks at, and what they have to carry."""

    events: list[str] = Field(description="Events of any of these types.", examples=[["deal.won"]])
    carrying: list[str] = Field(
        description="What they have to carry: `amount`, `quantity`, `duration_seconds`, a thing such as `customer`, or "
        "`properties.<key>`.",
        examples=[["amount"]],
    )
    recent: int = Field(
        description="Such events of the last 90 days, those that count among the newest 2,000 of each type.",
        examples=[812],
    )
    lacking: Mapping[str, int] = Field(
        description="How many of them lack what; empty if none does.", examples=[{"amount": 12}]
    )
    readiness: Readiness = Field(description=_READINESS, examples=["ready"])


class LibraryNeeds(Output):
    """What the KPI needs, those that it is computed from included, and whether recent data have it."""

    readiness: Readiness = Field(description=f"The worst of its parts. {_READINESS}", examples=["ready"])
    events: list[LibraryNeed] = Field(description="What it has to find in the ledger.")
    targets: list[str] = Field(
        description="KPIs for which it needs a goal of the same owner and period.", examples=[["revenue_won"]]
    )
    staffing: list[str] = Field(description=_STAFFING, examples=[["headcount"]])


class LibraryKpi(Output):
    """A ready-made KPI."""

    key: str = Field(description="Its key, also when it is installed.", examples=["revenue_won"])
    name: str = Field(description="What people call it.", examples=["Revenue won"])
    description: str = Field(description="What it tells.")
    category: Category = Field(description="The area of sales leadership it belongs to.")
    indicator: Indicator = Field(description="`leading` tells what will come, `lagging` what came.")
    nature: Nature = Field(description="`quantitative` is counted, `qualitative` scored by people.")
    scoring: KpiScoring | None = Field(
        description="For a qualitative one: who gives scores, on which scale, how often."
    )
    direction: Direction = Field(description="Where the figure should go.")
    unit: KpiUnit = Field(description="Unit of the values.")
    measures: Mapping[str, KpiMeasure] = Field(description="Named measures.")
    formula: str = Field(description="Arithmetic over them, and over other KPIs.", examples=["won / (won + lost)"])
    references: list[str] = Field(
        description="KPIs that it is computed from: they are installed with it.", examples=[["revenue_won"]]
    )
    display: KpiDisplay = Field(description="How values are written.")
    thresholds: KpiThresholds = Field(description="What is good and poor, where the guides give a mark.")
    roles: list[Role] = Field(description="For whom it is meant.", examples=[["closing", "team_leader"]])
    method: str = Field(description="How it is computed and what to mind, in words.")
    sources: list[str] = Field(
        description="The requirements, guides and literature that it comes from.", examples=[["K3", "guide 003"]]
    )
    if_missing: str = Field(description="What to do where the data for it are missing.")
    installed: bool = Field(description="Whether the organization has a KPI with this key in use.")
    installed_as: InstalledAs | None = Field(
        description="`same`: as it stands here; `differs`: the organization computes it otherwise; `archived`; null: "
        "not installed."
    )
    needs: LibraryNeeds = Field(description="What it needs, and whether recent data have it.")


class LibraryExample(Output):
    """Facts so few that the value can be worked out by hand; tests post them and ask for it."""

    arithmetic: str = Field(description="The calculation in words.", examples=["300 + 200 = 500 EUR."])
    events: list[dict[str, JsonValue]] = Field(description="The events, as they are posted.")
    members: list[str] = Field(description="Members; an `actor.id` in small letters is theirs.", examples=[["Ana"]])
    employed: Mapping[str, tuple[str, str | None]] = Field(
        description="Who is not employed on all days: the first day, and the first day no more.",
        examples=[{"Dee": ["2026-01-01", "2026-07-16"]}],
    )
    goals: list[dict[str, JsonValue]] = Field(description="The goals, as they are posted.")
    as_of: datetime = Field(description="When it is asked.", examples=["2026-12-01T10:00:00Z"])
    period: str = Field(description="About which days.", examples=["2026-07"])
    subject: dict[str, JsonValue] = Field(description="About whom.", examples=[{"organization": True}])
    group_by: dict[str, JsonValue] | None = Field(
        description="By what it is grouped.", examples=[{"property": "properties.segment"}]
    )
    group: str | None = Field(description="Which group is meant.", examples=["smb"])
    value: ExactDecimal | None = Field(description="The value.", examples=["500"])
    status: str = Field(description="Its status.", examples=["ok"])


class LibraryKpiDetail(LibraryKpi):
    """A ready-made KPI with the examples that prove it."""

    examples: list[LibraryExample] = Field(
        description="In Europe/Warsaw and EUR: what happened, and what the figure is."
    )


class LibraryPage(Page[LibraryKpi]):
    """A page of ready-made KPIs."""


class LibraryFilters(PageQuery):
    """Which ready-made KPIs to list."""

    role: Role | None = Field(default=None, description="Only those meant for this role.")
    category: Category | None = Field(default=None, description="Only this area.")
    indicator: Indicator | None = Field(default=None, description="Only leading or lagging ones.")
    nature: Nature | None = Field(default=None, description="Only quantitative or qualitative ones.")


class LibraryInstall(Input):
    """What to install: KPIs by their keys, all those meant for some roles, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"keys": ["quota_attainment"]}, {"roles": ["prospecting"], "state": "official"}]
        }
    )

    keys: Annotated[list[KpiKey], Field(max_length=200)] = Field(
        default_factory=list, description="These.", examples=[["quota_attainment"]]
    )
    roles: Annotated[list[Role], Field(max_length=10)] = Field(
        default_factory=list, description="All that are meant for these roles.", examples=[["prospecting"]]
    )
    state: Literal["draft", "official"] = Field(default="draft", description="Whether they are agreed upon already.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.keys and not self.roles:
            raise ValueError("name keys or roles: nothing would be installed")
        return self


class LibraryOutcome(Output):
    """What became of one KPI."""

    key: str = Field(description="Its key.", examples=["quota_attainment"])
    outcome: Outcome = Field(
        description="`installed`; `exists`: it was there, the same; `differs`: the organization computes it otherwise, "
        "and that was kept; `key_taken`: by an archived KPI; `not_possible`: what it is computed from does not fit.",
        examples=["installed"],
    )
    is_reference: bool = Field(
        description="Whether it was not asked for, but another one is computed from it.", examples=[False]
    )
    detail: str | None = Field(description="What to do, where something is.")


class LibraryInstalled(Output):
    """What became of each KPI, those that others are computed from first."""

    items: list[LibraryOutcome] = Field(description="Each KPI, in the order in which it was installed.")
    counts: Mapping[Outcome, int] = Field(
        description="How many had which outcome.", examples=[{"installed": 2, "exists": 1}]
    )


def plain(value: Any) -> Any:
    """Tuples of the data as the lists that JSON has."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
