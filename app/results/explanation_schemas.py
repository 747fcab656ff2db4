"""Wire shapes of an opened figure."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.schemas import ExactDecimal, Figure, Output
from app.kpis.schemas import KpiKey
from app.results.schemas import RETAINED_FROM, Figures, PeriodText, Point, Subject, SubjectInput, Window


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


class ExplainedOperand(Output):
    """Something else that the formula reads: another KPI, a target, working time, or another window."""

    text: str = Field(description="As it stands in the formula.", examples=["target(kpi.calls_made)"])
    kind: Literal["measure", "kpi", "target", "staff"] = Field(description="What it is.")
    name: str = Field(description="Name of the measure or function, or key of the KPI: explain that one in turn.")
    shift: list[Literal["previous", "same_period_last_year"]] = Field(
        description="To which other window the formula looks, from the outside in; empty for this one."
    )
    value: Figure | None = Field(description="Its value here; durations in seconds, null without data.")


class RelatedEvent(Output):
    """An event by which another one was judged, such as the answer to a lead."""

    place: str = Field(
        description="What it is to that event: `end`, `step 2` of a funnel, `touch 1`, `done 1` of a cadence, `until`; "
        "`value`: the start that said last what an open thing is worth.",
        examples=["end"],
    )
    event_id: UUID | None = Field(description="The event; null where there is none, such as a step that was not taken.")
    external_id: str | None = Field(description="Its id in its source.", examples=["call-1"])
    type: str | None = Field(description="What happened.", examples=["call.made"])
    occurred_at: datetime | None = Field(description="When.")
    amount: ExactDecimal | None = Field(description="Its amount in its own currency.")
    currency: str | None = Field(description="Currency of the amount.", examples=["USD"])


class ExplainedEvent(Output):
    """An event of a figure, or one that is not in it."""

    event_id: UUID = Field(description="The event; open it at `/v1/events/{id}`.")
    source: str = Field(description="Key of its source.", examples=["hubspot"])
    external_id: str = Field(description="Its id there.", examples=["deal:77:deal.won"])
    type: str | None = Field(description="What happened.", examples=["deal.won"])
    occurred_at: datetime | None = Field(description="When.")
    day: date | None = Field(description="The local day that it counts on (S1).")
    about: dict[str, str] = Field(description="What it concerns.")
    label: str | None = Field(
        description="By which name its deal, else its lead, itself or its customer is known in the CRM; null where no "
        "connected CRM names it.",
        examples=["Acme renewal"],
    )
    url: str | None = Field(
        description="The page of the same thing in the CRM.",
        examples=["https://app.hubspot.com/contacts/44556677/record/0-3/508"],
    )
    weight: Figure | None = Field(description="The subject's share in it (S9); null where it is not in the figure.")
    value: Figure | None = Field(description="What is aggregated: amount, seconds elapsed …; null where counted.")
    amount: ExactDecimal | None = Field(description="Its amount in its own currency.")
    currency: str | None = Field(description="Currency of the amount.", examples=["USD"])
    rates: list[str] = Field(
        description="The rates by which the amount (of an open thing: that of `value` in `related`) became money of "
        "the answer (S26); empty where none was needed or there is none.",
        examples=[["1 EUR = 1.10 USD"]],
    )
    related: list[RelatedEvent] = Field(
        description="Of pairs, funnels, touches, cadences and values of open things: the events by which this one was "
        "judged."
    )
    deviation: str | None = Field(
        description="Of a cadence: the first step that was not done in time.", examples=["call.made by P2D"]
    )
    reason: str | None = Field(
        description="Why it is not in the figure: filtered, retracted, not_authoritative, in_the_future, unconverted, "
        "not_a_number, no_value, no_thing, not_first, closed, other_window, not_reached, unmapped, outside_membership, "
        "open, pending.",
    )


class Explanation(Output):
    """A figure, opened into its formula and events."""

    as_of: datetime = Field(description="The instant of the answer, T (S5).")
    known_at: datetime = Field(description="What had been recorded by then was used (S5).")
    retained_from: date | None = Field(description=RETAINED_FROM)
    kpi: str = Field(description="Key of the KPI.")
    subject: Subject = Field(description="Whose figure.")
    window: Window = Field(description="The days.")
    result: Figures = Field(description="The figure.")
    formula: list[str] = Field(
        description="The formula, for each version that is used.", examples=[["won / (won + lost)"]]
    )
    with_numbers: list[str] = Field(description="The same with the numbers put in.", examples=[["3 / (3 + 1)"]])
    measures: list[ExplainedMeasure] = Field(description="Every measure that the formula reads, with its value.")
    operands: list[ExplainedOperand] = Field(
        description="What the formula reads besides: other KPIs, targets, working time, other windows; with values."
    )
    measure: str = Field(description="The measure whose events are shown.")
    events: list[ExplainedEvent] = Field(description="The events of this page.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")
