"""Wire shapes of the difference of two instants."""

from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.core.schemas import CurrencyCode, Figure, Input, Instant, Output
from app.kpis.measure_schemas import Expression
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf
from app.results.schemas import Figures, PeriodText, Subject, SubjectInput


class DiffQuery(Input):
    """One figure, as it was known at two instants."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kpi": "calls_made",
                    "subject": {"organization": True},
                    "period": "2026-07",
                    "from_as_of": "2026-07-10T10:00:00Z",
                }
            ]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.")
    subject: SubjectInput = Field(description="Whose figure: one person, team, the organization or the unassigned.")
    within_team: UUID | None = Field(default=None, description="For a member: only the part within this team.")
    period: PeriodText
    from_as_of: Instant = Field(description="The earlier instant (S5).")
    to_as_of: Instant | None = Field(default=None, description="The later instant; null: now.")
    attribution: Literal["at_event", "current"] = Field(default="at_event", description="As in a query (S8).")
    where: Expression | None = Field(default=None, description="A filter on top of the KPI's own.")
    currency: CurrencyCode | None = Field(
        default=None, description="Of money; null: the organization's, as it was set at each of the instants."
    )
    rate_set: str | None = Field(
        default=None, max_length=60, description="Key of the set of exchange rates; as in a query."
    )
    limit: int = Field(default=20, ge=1, le=50, description="Most changes in the page.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")

    @model_validator(mode="after")
    def _runs_forwards(self) -> Self:
        if self.to_as_of is not None and self.to_as_of <= self.from_as_of:
            raise ValueError("from_as_of must be earlier than to_as_of")
        return self


class Seen(Output):
    """The figure at an instant, by what was known."""

    as_of: datetime = Field(description="The instant of the clock, T (S5).")
    known_at: datetime = Field(description="What had been recorded by then was used (S5).")
    currency: str = Field(description="Currency of money.", examples=["EUR"])
    time_zone: str = Field(description="Zone of the local days.", examples=["Europe/Warsaw"])
    figure: Figures = Field(description="The value with its status and sample.")


class FieldChange(Output):
    """One field, before and after."""

    field: str = Field(description="Name of the field.", examples=["amount"])
    before: Any = Field(description="Its value before; null where there was none. Decimals are text.")
    after: Any = Field(description="Its value after; null where there is none.")


class Change(Output):
    """Something that was recorded in between and can touch the figure."""

    recorded_at: datetime = Field(description="When it was recorded; its step tells what came of it.")
    kind: Literal[
        "event", "mapping", "membership", "placement", "assignment", "employment", "absence", "calendar",
        "named_period", "rate", "rate_set", "kpi_version", "settings", "counts", "target",
    ] = Field(description="What changed: an event, whose an identity is, who is in a team …")  # fmt: skip
    action: Literal["added", "changed", "retracted", "removed"] = Field(description="What was done to it.")
    id: UUID = Field(description="The event's, mapping's, membership's … id, over all its revisions.")
    name: str | None = Field(
        description="Source and external id of an event, key of a KPI, name of a calendar; null where it has none."
    )
    fields: list[FieldChange] = Field(description="Every field that differs; of a new thing all that it says.")


class Step(Output):
    """What the recordings of one instant made of the figure: one transaction, all of its changes together."""

    recorded_at: datetime = Field(description="When they were recorded.")
    before: Figures = Field(description="The figure before it, by the clock of the later instant.")
    after: Figures = Field(description="The figure with it.")
    effect: Figure | None = Field(description="after − before; null where either has no value.")


class ByTime(Output):
    """What passing time alone did: by the knowledge of the earlier instant, but the clock of the later one."""

    figure: Figures = Field(description="The figure by the later clock and the earlier knowledge.")
    effect: Figure | None = Field(description="What the clock changed; null where either has no value.")


class Difference(Output):
    """One figure at two instants, and what made the difference."""

    kpi: KpiOf = Field(description="The KPI.")
    subject: Subject = Field(description="Whose figure.")
    period: str = Field(description="The days; relative periods are resolved at the later instant.")
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    before: Seen = Field(description="The figure at the earlier instant.")
    after: Seen = Field(description="The figure at the later instant.")
    difference: Figure | None = Field(
        description="after − before, which is the effect of time plus the effects of all steps; null without values."
    )
    by_time: ByTime = Field(description="What passing time did, before any later recording is looked at.")
    by_recordings: Figure | None = Field(description="What all that was recorded in between did: the sum of all steps.")
    changes: list[Change] = Field(description="What was recorded in between and can touch it, the newest first.")
    steps: list[Step] = Field(
        description="The instants of this page's changes, the newest first, each with its effect."
    )
    names: dict[str, str] = Field(description="Names of the members and teams that the fields mention, by id.")
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null at the end.")
