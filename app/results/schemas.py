"""Wire shapes of result queries and their answers."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from app.core.schemas import CurrencyCode, Figure, Input, Instant, Output
from app.kpis.schemas import Expression, KpiKey

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
Status = Literal["not_recorded_yet", "mixed_versions", "no_data", "partial", "immature", "ok"]
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
        if len(self.model_fields_set) != 1 or next(iter(self.model_dump().values()), None) is False:
            raise ValueError("name exactly one of organization, unassigned, team, member, members_of")
        if getattr(self, next(iter(self.model_fields_set))) is None:
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
    as_of: Instant | None = Field(default=None, description="Answer as it was at this instant (S5); null: now.")
    known_at: Instant | None = Field(default=None, description="What had been recorded by then; null: by `as_of`.")


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
    compare: list[Literal["previous_period"]] = Field(
        default_factory=list, max_length=1, description="What to compare with, window by window (S21)."
    )
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


class Comparison(Output):
    """The same figures of the period before, paired by position."""

    values: list[Figure | None] = Field(description="A value for each window.")
    statuses: list[Status] = Field(description=STATUS)
    total: Figures = Field(description="The whole period before.")
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
    group: str | None = Field(description="The group, where the query groups; null now.")
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
    time_zone: str = Field(description="Zone of the local days.", examples=["Europe/Warsaw"])
    currency: str = Field(description="Currency of money.", examples=["EUR"])
    calendar: str = Field(description="Working calendar of comparisons to date.")
    windows: list[Window] = Field(description="The windows, without gaps.")
    series: list[Series] = Field(description="One for each KPI and subject.")


class ExplainQuery(Point):
    """One figure, to be opened."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kpi": "calls_made", "subject": {"organization": True}, "period": "2026-07"}]}
    )

    kpi: KpiKey = Field(description="Key of the KPI.")
    subject: SubjectInput = Field(description="Whose figure; one person, team, the organization or the unassigned.")
    within_team: UUID | None = Field(default=None, description="For a member: only the part within this team.")
    period: PeriodText
    version: int | None = Field(default=None, ge=1, description="A version to use for all days.")
    measure: str | None = Field(
        default=None, max_length=50, description="The measure whose events are shown; the formula's first where null."
    )
    show: Literal["used", "left_out"] = Field(
        default="used", description="Events that are in the figure, or those that are not, each with the reason."
    )
    limit: int = Field(default=50, ge=1, le=200, description="Most events in the page.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")


class ExplainedMeasure(Output):
    """A measure of the formula, with its value."""

    name: str = Field(description="Name in the formula.", examples=["won"])
    aggregate: str = Field(description="What it does with its events.", examples=["count"])
    value: Figure | None = Field(description="Its value here.")
    kpi_version: int = Field(description="Version of the KPI it belongs to.")
    start: date = Field(description="First local day it was computed for.")
    end: date = Field(description="The day after the last.")


class ExplainedEvent(Output):
    """An event of a figure, or one that is not in it."""

    event_id: UUID = Field(description="The event; open it at `/v1/events/{id}`.")
    source: str = Field(description="Key of its source.", examples=["hubspot"])
    external_id: str = Field(description="Its id there.", examples=["deal:77:deal.won"])
    type: str | None = Field(description="What happened.", examples=["deal.won"])
    occurred_at: datetime | None = Field(description="When.")
    day: date | None = Field(description="The local day that it counts on (S1).")
    about: dict[str, str] = Field(description="What it concerns.")
    weight: Figure | None = Field(description="The subject's share in it (S9); null where it is not in the figure.")
    value: Figure | None = Field(description="What is aggregated: amount, seconds elapsed …; null where counted.")
    reason: str | None = Field(
        description="Why it is not in the figure: filtered, retracted, not_authoritative, in_the_future, unconverted, "
        "not_a_number, no_value, unmapped, outside_membership, open, pending.",
    )


class Explanation(Output):
    """A figure, opened into its formula and events."""

    as_of: datetime = Field(description="The instant of the answer, T (S5).")
    known_at: datetime = Field(description="What had been recorded by then was used (S5).")
    kpi: str = Field(description="Key of the KPI.")
    subject: Subject = Field(description="Whose figure.")
    window: Window = Field(description="The days.")
    result: Figures = Field(description="The figure.")
    formula: list[str] = Field(
        description="The formula, for each version that is used.", examples=[["won / (won + lost)"]]
    )
    with_numbers: list[str] = Field(description="The same with the numbers put in.", examples=[["3 / (3 + 1)"]])
    measures: list[ExplainedMeasure] = Field(description="Every measure that the formula reads, with its value.")
    measure: str = Field(description="The measure whose events are shown.")
    events: list[ExplainedEvent] = Field(description="The events of this page.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")
