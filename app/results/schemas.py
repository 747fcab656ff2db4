"""Wire shapes of result queries and their answers."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from app.core.schemas import CurrencyCode, Figure, Input, Instant, Output
from app.kpis.measure_schemas import Expression
from app.kpis.schemas import KpiKey

PeriodText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    Field(
        description="`2026-07-14`, `2026-W29`, `2026-07`, `2026-Q3`, `2026`, `FY2026-Q2`, `2026-07-01..2026-08-15`, "
        "`last_30_days`, `this_month` …: relative ones are resolved at `as_of` (S3).",
        examples=["2026-07"],
    ),
]
Grain = Literal["day", "week", "month", "quarter", "year", "total"]
Status = Literal["not_recorded_yet", "not_retained", "mixed_versions", "no_data", "partial", "immature", "ok"]
RETAINED_FROM = (
    "The first local day whose events are still kept; figures that look at earlier days have no value "
    "(`not_retained`). Null: all are kept."
)
STATUS = "Why the value is what it is (S12): the first of the list that applies."


class SubjectInput(Input):
    """Whom to compute for: exactly one of the fields."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"organization": True}]})

    organization: Literal[True] | None = Field(default=None, description="The organization: every event, whole.")
    unassigned: Literal[True] | None = Field(
        default=None, description="What no member gets, or only members in no team."
    )
    team: UUID | None = Field(default=None, description="A team with all teams below it.")
    member: UUID | None = Field(default=None, description="A person.")
    members_of: UUID | None = Field(default=None, description="Each person of a team, a series each.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        named = self.model_fields_set
        if len(named) != 1 or getattr(self, next(iter(named))) in {None, False}:
            raise ValueError("name exactly one of organization, unassigned, team, member, members_of")
        return self


class Point(Input):
    """From where the answer is seen."""

    attribution: Literal["at_event", "current"] = Field(
        default="at_event",
        description="`at_event`: teams get what people did while in them; `current`: what today's people did (S8).",
    )
    where: Expression | None = Field(default=None, description="A filter on top of the KPIs' own.")
    currency: CurrencyCode | None = Field(default=None, description="Of money; the organization's where null.")
    rate_set: str | None = Field(
        default=None,
        max_length=100,
        description="Key of the set of exchange rates that converts money (S26); null: `daily`, if there is one.",
        examples=["plan-2026"],
    )
    as_of: Instant | None = Field(default=None, description="Answer as it was at this instant (S5); null: now.")
    known_at: Instant | None = Field(default=None, description="What had been recorded by then; null: by `as_of`.")


class GroupByInput(Input):
    """By what to group: by something that the events say, or by an attribute of the credited member on the day."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"property": "properties.region", "top": 10}]})

    property: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="`properties.<key>`, `about.<thing>`, `type`, `source` or `currency` of the event (of pairs, "
        "funnels and the like: of the event that begins them).",
        examples=["properties.region"],
    )
    subject: Literal["revenue_role", "country", "manager", "team"] | None = Field(
        default=None, description="An attribute of the credited member on the day; shared events are split by share."
    )
    top: int | None = Field(
        default=None,
        ge=1,
        le=200,
        description="Keep so many groups, those with the greatest total; the others become one, the rest. Null: all, "
        "at most 200.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.property is None) == (self.subject is None):
            raise ValueError("name exactly one of property and subject")
        return self


class ResultQuery(Point):
    """Which KPIs, of whom, when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kpis": ["calls_made"],
                    "subjects": [{"organization": True}, {"unassigned": True}],
                    "period": "2026-Q3",
                    "grain": "month",
                    "compare": ["previous_period"],
                }
            ]
        }
    )

    kpis: list[KpiKey] = Field(min_length=1, max_length=50, description="Keys of the KPIs.")
    subjects: list[SubjectInput] = Field(min_length=1, max_length=500, description="Whom to compute for.")
    period: PeriodText
    grain: Grain = Field(default="total", description="Into which windows the period is cut (S2).")
    compare: list[Literal["previous_period", "same_period_last_year"]] = Field(
        default_factory=list, max_length=2, description="What to compare with, window by window (S21)."
    )
    group_by: GroupByInput | None = Field(default=None, description="A series for each group; null: no groups.")
    versions: dict[KpiKey, int] = Field(
        default_factory=dict, max_length=50, description="A version of a KPI to use for all windows (S24)."
    )
    whole_person: bool = Field(
        default=False, description="For `members_of`: all that each person did, not only within the team."
    )


class Window(Output):
    """A run of local days."""

    label: str = Field(description="Name of the window.", examples=["2026-07"])
    start: date = Field(description="First local day.", examples=["2026-07-01"])
    end: date = Field(description="The local day after the last.", examples=["2026-08-01"])
    starts_at: datetime = Field(description="First instant.", examples=["2026-06-30T22:00:00Z"])
    ends_at: datetime = Field(description="The instant after the last.", examples=["2026-07-31T22:00:00Z"])
    is_complete: bool = Field(description="Whether it has ended by `as_of` (S3).")
    is_partial: bool = Field(description="Whether the period cuts it short (S2).")


class Subject(Output):
    """Whom a series is about."""

    type: Literal["organization", "unassigned", "team", "member"] = Field(description="What kind of subject.")
    id: UUID | None = Field(description="The team's or member's id.")
    name: str | None = Field(description="The team's or member's name.", examples=["North"])
    within_team: UUID | None = Field(description="For a part of a team's figure: the team.")


class Detail(Output):
    """What is not in a value."""

    left_out: int = Field(description="Events that should have counted but could not be used (S11).", ge=0)
    open: int = Field(description="Starts without an end by `as_of` (S15).", ge=0)
    pending: int = Field(description="Starts too young to be judged (S15).", ge=0)
    immature: int = Field(description="Entries whose judgement may still change (S17).", ge=0)


class Figures(Output):
    """One value."""

    value: Figure | None = Field(description="The figure, exact to 15 significant digits; null without data.")
    status: Status = Field(description=STATUS)
    sample: int = Field(description="Distinct events that entered it (S25).", ge=0)
    kpi_version: int | None = Field(description="The version used; null where several were.")
    details: Detail | None = Field(description="What is not in it; null where there is nothing.")


class ToDate(Output):
    """Both sides after the same number of working days (S21)."""

    working_days: int = Field(description="Working days of the organization's calendar that are past.", examples=[8])
    current: Figure | None = Field(description="This window until then.")
    previous: Figure | None = Field(description="The window compared with, until as many working days.")


def _as_json(value: str | bool | Decimal | None) -> Any:  # whatever a property's value is in JSON
    return TypeAdapter(Figure).dump_python(value, mode="json") if isinstance(value, Decimal) else value


GroupValue = Annotated[
    str | bool | Decimal | None,
    PlainSerializer(_as_json),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "number"}, {"type": "null"}]}),
]


class Group(Output):
    """One group of a figure."""

    kind: Literal["value", "none", "rest"] = Field(
        description="`value`: of this value; `none`: without one; `rest`: all groups that are not shown."
    )
    value: GroupValue = Field(description="The value; null for `none` and `rest`.", examples=["north"])
    label: str | None = Field(description="The name of the team or manager whose id the value is.")


class Comparison(Output):
    """The same figures of the period before (paired by position), or of a year before (window by window)."""

    windows: list[str | None] = Field(
        description="Label of the window that each is compared with; null where there is none.", examples=[["2026-06"]]
    )
    values: list[Figure | None] = Field(description="A value for each window.")
    statuses: list[Status] = Field(description=STATUS)
    total: Figures = Field(description="The whole period that is compared with.")
    to_date: ToDate | None = Field(description="Like for like, where the period is not complete.")
    to_dates: list[ToDate | None] = Field(description="Like for like, for each window that is not complete.")


class TargetLine(Output):
    """What was aimed at."""

    values: list[Figure | None] = Field(description="The target for each window, where there is one (S22).")
    total: Figure | None = Field(description="The target for the whole period.")


class Note(Output):
    """Something a reader of the chart should know."""

    code: str = Field(description="Kind of note.", examples=["definition_changed"])
    on: date | None = Field(description="From which local day on.")
    text: str = Field(description="A sentence.")


class Series(Output):
    """A KPI of a subject over the windows."""

    kpi: str = Field(description="Key of the KPI.", examples=["calls_made"])
    name: str = Field(description="Name of the KPI.", examples=["Calls made"])
    unit: dict[str, Any] = Field(description="Unit of the values.", examples=[{"kind": "count"}])
    direction: str = Field(description="Where it should go.", examples=["increase"])
    display: dict[str, Any] = Field(description="How to show it.")
    thresholds: dict[str, Any] = Field(description="What is good and poor.")
    is_additive: bool = Field(description="Whether values of parts add up.")
    subject: Subject = Field(description="Whom it is about.")
    group: Group | None = Field(description="The group, where the query groups.")
    values: list[Figure | None] = Field(description="A value for each window.")
    statuses: list[Status] = Field(description=STATUS)
    samples: list[int] = Field(description="Distinct events for each window (S25).")
    kpi_versions: list[int | None] = Field(description="Version used in each window.")
    details: list[Detail | None] = Field(description="What is not in each value.")
    total: Figures = Field(description="The whole period as one window, never an average of windows (S20).")
    comparisons: dict[str, Comparison] = Field(description="By what was asked for in `compare`.")
    targets: TargetLine | None = Field(description="Targets, where the subject has a goal on this KPI.")
    notes: list[Note] = Field(description="What a reader should know.")


class ResultAnswer(Output):
    """Figures, when they were computed and from what."""

    as_of: datetime = Field(description="The instant of the answer, T (S5).")
    known_at: datetime = Field(description="What had been recorded by then was used (S5).")
    earliest_as_of: datetime = Field(description="Before it nothing was recorded.")
    retained_from: date | None = Field(description=RETAINED_FROM)
    time_zone: str = Field(description="Zone of the local days.", examples=["Europe/Warsaw"])
    currency: str = Field(description="Currency of money.", examples=["EUR"])
    rate_set: str | None = Field(description="The set of exchange rates that was used; null: none.")
    calendar: str = Field(description="Working calendar of comparisons to date.")
    windows: list[Window] = Field(description="The windows, without gaps.")
    series: list[Series] = Field(description="One for each KPI and subject.")
