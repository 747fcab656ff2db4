"""Wire shapes of KPIs."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from pydantic import MISSING, AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from app.core.pagination import PageQuery
from app.core.schemas import Amount, ExactDecimal, Figure, Input, Name, Output, Page, Prose
from app.kpis.definition import MAX_MEASURES, Aggregate
from app.kpis.expressions.parser import MAX_LENGTH
from app.kpis.wire import DefinitionWire

RESERVED_KEYS = frozenset({"validate"})  # words of a path


def _not_reserved(key: str) -> str:
    if key in RESERVED_KEYS:
        raise ValueError(f"{key!r} is a word of our paths: choose another key")
    return key


KpiKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
NewKpiKey = Annotated[KpiKey, AfterValidator(_not_reserved)]
EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=50)]
Share = Annotated[ExactDecimal, Field(max_digits=8, decimal_places=8)]
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]
Term = Annotated[str, StringConstraints(min_length=1, max_length=200)]

Category = Literal["sales_results", "team_performance", "coaching", "customer_satisfaction", "planning"]
Indicator = Literal["leading", "lagging"]
Direction = Literal["increase", "decrease", "maintain"]
State = Literal["draft", "official", "archived"]
Kind = Literal["count", "money", "duration", "ratio", "score", "number"]

_DECIMALS: dict[Kind, int] = {"count": 0, "money": 2, "duration": 0, "ratio": 1, "score": 1, "number": 2}

_FILTER = "Filter: a condition on the event, such as `properties.channel == 'partner'`."
_TYPES = "Types of the events."
_AGGREGATE = "What is done with the events, or with the times between pairs of them."
_VALUE = "What is aggregated: `amount`, `quantity`, `duration_seconds` or `properties.<key>`."
_OF = "For count_distinct: a thing the events are about, such as `customer`, or `properties.<key>`."
_P = "For percentile: between 0 and 1, such as 0.9."
_ROLE = "Which credits count."
_CREDIT = "`split`: by the share of the credit; `full`: whole for everybody credited."
_ELAPSED = "Instead of `events`: the time from one event to another about the same thing."
_WITHIN = "For share_within: ISO 8601 duration of weeks, days, hours, minutes, seconds."
_MATCH = "The thing both events are about."
_REPEAT = "Of several starts about one thing the first counts, or each."
_DATED_BY = "Whose day decides the window."
_CREDITED_TO = "Whose credits count."
_CLOCK = "`wall`: all time counts. `working_hours` comes with work calendars."
_FORMULA = "Arithmetic over the names of the measures, with previous, coalesce, abs, min, max, round."
_MEASURES = "Named measures; names have small letters, digits and _."
_DIRECTION = "Where the figure should go."
_DEFINITION_EXAMPLE: dict[str, Any] = {
    "direction": "increase",
    "unit": {"kind": "ratio"},
    "measures": {
        "won": {"aggregate": "count", "events": ["deal.won"]},
        "lost": {"aggregate": "count", "events": ["deal.lost"]},
    },
    "formula": "won / (won + lost)",
}


class UnitInput(Input):
    """The unit of the KPI's values; money is in the currency of the question, a duration in seconds."""

    kind: Kind = Field(description="What the values are.")
    per: Literal["count", "money", "duration", "score"] | None = Field(
        default=None, description="For a quotient: what one of is meant, such as count for money per deal."
    )


class SelectionInput(Input):
    """Events at one side of a pair."""

    events: EventTypes = Field(description=_TYPES, examples=[["lead.created"]])
    where: Expression | None = Field(default=None, description=_FILTER)


class ElapsedInput(Input):
    """Pairs of a start and its end (S14)."""

    start: SelectionInput = Field(alias="from", description="Where the time starts.")
    end: SelectionInput = Field(alias="to", description="Where it ends: the first such event after the start.")
    match: Term = Field(description=_MATCH, examples=["lead"])
    repeat: Literal["first", "each"] = Field(default="first", description=_REPEAT)
    dated_by: Literal["start", "end"] = Field(default="start", description=_DATED_BY)
    credited_to: Literal["start", "end"] = Field(default="end", description=_CREDITED_TO)
    clock: Literal["wall", "working_hours"] = Field(default="wall", description=_CLOCK)


class MeasureInput(Input):
    """One aggregate over events, or over the times between them (`elapsed`)."""

    aggregate: Aggregate = Field(description=_AGGREGATE)
    events: EventTypes | None = Field(default=None, description=_TYPES, examples=[["deal.won"]])
    value: Term | None = Field(default=None, description=_VALUE, examples=["amount"])
    of: Term | None = Field(default=None, description=_OF, examples=["customer"])
    p: Share | None = Field(default=None, description=_P, examples=["0.9"])
    where: Expression | None = Field(default=None, description=_FILTER)
    role: Role = Field(default="owner", description=_ROLE)
    credit: Literal["split", "full"] = Field(default="split", description=_CREDIT)
    elapsed: ElapsedInput | None = Field(default=None, description=_ELAPSED)
    within: Term | None = Field(default=None, description=_WITHIN, examples=["PT5M"])


class DefinitionInput(Input):
    """What a KPI computes."""

    measures: dict[str, MeasureInput] = Field(
        min_length=1,
        max_length=MAX_MEASURES,
        description=_MEASURES,
        json_schema_extra={"propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,49}$"}},
    )
    formula: Expression = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: UnitInput = Field(description="Unit of the values; it must fit the formula.")
    direction: Direction = Field(description=_DIRECTION)

    def wire(self) -> DefinitionWire:
        """The definition as it is stored: exact, without nulls."""
        whole = self.model_dump(
            mode="json", by_alias=True, exclude_none=True, include={"measures", "formula", "unit", "direction"}
        )
        return cast(DefinitionWire, whole)


class DisplayInput(Input):
    """How values are written; absent hints follow the unit."""

    decimals: int | None = Field(
        default=None, ge=0, le=10, description="Decimals shown; parts of a goal are rounded to it."
    )
    as_percent: bool | None = Field(default=None, description="Whether 0.42 is shown as 42 %.")

    def completed(self, kind: Kind) -> dict[str, Any]:
        """The hints with what the unit implies."""
        return {
            "decimals": _DECIMALS[kind] if self.decimals is None else self.decimals,
            "as_percent": kind == "ratio" if self.as_percent is None else self.as_percent,
        }


class ThresholdsInput(Input):
    """From where a value is good or poor; which side is meant follows from the direction."""

    good: Amount | None = Field(default=None, description="From here on a value is good, in the KPI's unit.")
    poor: Amount | None = Field(default=None, description="From here on a value is poor, in the KPI's unit.")

    def fit(self, direction: str) -> bool:
        """Whether good lies on the side where the figure should go."""
        if self.good is None or self.poor is None or direction == "maintain":
            return True
        return self.good > self.poor if direction == "increase" else self.good < self.poor


class KpiCreate(DefinitionInput):
    """A new KPI with its first version, which holds for all time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "win_rate_closed",
                    "name": "Win rate of closed deals",
                    "category": "sales_results",
                    "indicator": "lagging",
                    **_DEFINITION_EXAMPLE,
                }
            ]
        }
    )

    key: NewKpiKey = Field(description="What queries and formulas call it; it never changes.")
    name: Name = Field(description="What people call it.")
    description: Prose | None = Field(default=None, description="What it tells, and what it does not.")
    owner_id: UUID | None = Field(default=None, description="The member who answers for the definition.")
    state: Literal["draft", "official"] = Field(default="draft", description="Whether it is agreed upon.")
    category: Category = Field(description="The area of sales leadership it belongs to.")
    indicator: Indicator = Field(description="`leading` tells what will come, `lagging` what came.")
    display: DisplayInput = Field(default_factory=DisplayInput, description="How values are written.")
    thresholds: ThresholdsInput = Field(default_factory=ThresholdsInput, description="What is good and poor.")

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        if not self.thresholds.fit(self.direction):
            raise ValueError("thresholds: good must lie on the side of poor where the direction points")
        return self


class KpiUpdate(Input):
    """What changes; absent fields stay, null clears. What a KPI computes changes by a new version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Win rate", "state": "official"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    description: Prose | MISSING | None = Field(default=MISSING, description="What it tells, and what it does not.")
    owner_id: UUID | MISSING | None = Field(default=MISSING, description="The member who answers for the definition.")
    state: Literal["draft", "official"] | MISSING = Field(
        default=MISSING, description="Whether it is agreed upon; gives an archived KPI back."
    )
    category: Category | MISSING = Field(default=MISSING, description="The area of sales leadership it belongs to.")
    indicator: Indicator | MISSING = Field(default=MISSING, description="Leading or lagging.")
    display: DisplayInput | MISSING | None = Field(default=MISSING, description="How values are written; whole.")
    thresholds: ThresholdsInput | MISSING | None = Field(default=MISSING, description="What is good and poor; whole.")


class KpiVersionCreate(DefinitionInput):
    """A new version: the whole definition, and from when it holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_DEFINITION_EXAMPLE, "valid_from": "2026-07-01"}]})

    valid_from: date | MISSING | None = Field(
        default=MISSING,
        description="First local day that uses it; absent: today; null: all days, a restatement of the past.",
    )


class KpiValidate(Input):
    """A definition to be looked at; without a unit only the formula's own is told."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEFINITION_EXAMPLE]})

    measures: dict[str, MeasureInput] = Field(min_length=1, max_length=MAX_MEASURES, description=_MEASURES)
    formula: Expression = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: UnitInput | None = Field(default=None, description="Unit of the values.")
    direction: Direction = Field(default="increase", description=_DIRECTION)

    def wire(self) -> DefinitionWire:
        """The definition as it would be stored; a number where no unit was chosen, which takes any."""
        return cast(DefinitionWire, self.model_dump(mode="json", by_alias=True, exclude_none=True))


class KpiUnit(Output):
    """The unit of values."""

    kind: Kind = Field(description="What the values are; money in the currency of the question, durations in seconds.")
    per: str | None = Field(default=None, description="For a quotient: what one of is meant.", examples=["count"])


class KpiSelection(Output):
    """Events at one side of a pair."""

    events: list[str] = Field(description=_TYPES, examples=[["lead.created"]])
    where: str | None = Field(default=None, description=_FILTER)


class KpiElapsed(Output):
    """Pairs of a start and its end (S14)."""

    start: KpiSelection = Field(alias="from", description="Where the time starts.")
    end: KpiSelection = Field(alias="to", description="Where it ends.")
    match: str = Field(description=_MATCH, examples=["lead"])
    repeat: str = Field(description=_REPEAT, examples=["first"])
    dated_by: str = Field(description=_DATED_BY, examples=["start"])
    credited_to: str = Field(description=_CREDITED_TO, examples=["end"])
    clock: str = Field(description=_CLOCK, examples=["wall"])


class KpiMeasure(Output):
    """One aggregate over events, or over the times between them."""

    aggregate: Aggregate = Field(description=_AGGREGATE)
    events: list[str] | None = Field(default=None, description=_TYPES, examples=[["deal.won"]])
    value: str | None = Field(default=None, description=_VALUE, examples=["amount"])
    of: str | None = Field(default=None, description=_OF, examples=["customer"])
    p: ExactDecimal | None = Field(default=None, description=_P, examples=["0.9"])
    where: str | None = Field(default=None, description=_FILTER)
    role: str = Field(description=_ROLE, examples=["owner"])
    credit: str = Field(description=_CREDIT, examples=["split"])
    elapsed: KpiElapsed | None = Field(default=None, description=_ELAPSED)
    within: str | None = Field(default=None, description=_WITHIN, examples=["PT5M"])


class KpiDisplay(Output):
    """How values are written."""

    decimals: int = Field(description="Decimals shown.", examples=[1])
    as_percent: bool = Field(description="Whether 0.42 is shown as 42 %.", examples=[True])


class KpiThresholds(Output):
    """From where a value is good or poor, in the KPI's unit."""

    good: Figure | None = Field(description="From here on a value is good.", examples=[0.3])
    poor: Figure | None = Field(description="From here on a value is poor.", examples=[0.15])


class Kpi(Output):
    """A KPI with its latest version."""

    id: UUID = Field(description="Identifier of the KPI.")
    key: str = Field(description="What queries and formulas call it.", examples=["win_rate_closed"])
    name: str = Field(description="What people call it.", examples=["Win rate of closed deals"])
    description: str | None = Field(description="What it tells, and what it does not.")
    owner_id: UUID | None = Field(description="The member who answers for the definition.")
    state: State = Field(description="draft, official or archived.")
    category: Category = Field(description="The area of sales leadership it belongs to.")
    indicator: Indicator = Field(description="Leading or lagging.")
    display: KpiDisplay = Field(description="How values are written.")
    thresholds: KpiThresholds = Field(description="What is good and poor.")
    definition_version: int = Field(description="Number of the latest version, whose definition this is.", examples=[1])
    valid_from: date | None = Field(description="First local day that uses the latest version; null: all days.")
    measures: Mapping[str, KpiMeasure] = Field(description=_MEASURES)
    formula: str = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: KpiUnit = Field(description="Unit of the values.")
    direction: Direction = Field(description=_DIRECTION)
    is_additive: bool = Field(description="Whether values of parts add up to the whole's (S24).")
    version: int = Field(description="Grows with each change of any kind; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When the KPI was first recorded.", examples=["2026-07-01T08:00:00Z"])


class KpiPage(Page[Kpi]):
    """A page of KPIs."""


class KpiVersion(Output):
    """One version of a KPI's definition."""

    number: int = Field(
        description="Its number: on a day for which several are valid the highest counts.", examples=[2]
    )
    valid_from: date | None = Field(description="First local day that uses it; null: all days.")
    recorded_at: datetime = Field(description="Since when it is known.", examples=["2026-07-01T08:00:00Z"])
    measures: Mapping[str, KpiMeasure] = Field(description=_MEASURES)
    formula: str = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: KpiUnit = Field(description="Unit of the values.")
    direction: Direction = Field(description=_DIRECTION)
    is_additive: bool = Field(description="Whether values of parts add up to the whole's (S24).")


class KpiVersionPage(Page[KpiVersion]):
    """A page of versions, the newest first."""


class DefinitionFinding(Output):
    """One thing that is wrong with a definition."""

    pointer: str = Field(description="JSON pointer to it.", examples=["/measures/won/where"])
    message: str = Field(description="What is wrong.", examples=["An event has no `amonut`."])
    position: int | None = Field(description="In an expression: offset of the wrong part, in characters.", examples=[0])
    length: int | None = Field(description="In an expression: its length.", examples=[6])
    expected: str | None = Field(description="What could have stood there.")
    suggestion: str | None = Field(description="What was probably meant.", examples=["amount"])


class PropertyUse(Output):
    """How many recent events lack a property that a measure looks at."""

    key: str = Field(description="The property.", examples=["channel"])
    missing: int = Field(description="Recent events without it.", examples=[700])


class MeasureUse(Output):
    """What recent events a measure, or one side of its pairs, has to do with."""

    pointer: str = Field(description="JSON pointer to it.", examples=["/measures/won", "/measures/t/elapsed/to"])
    events: int = Field(description="Recent events of its types, before any filter.", examples=[1000])
    properties: list[PropertyUse] = Field(description="The properties that it looks at.")


class KpiValidation(Output):
    """What a definition is worth."""

    ok: bool = Field(description="Whether it could be stored.")
    errors: list[DefinitionFinding] = Field(description="Everything that is wrong.")
    unit: str | None = Field(description="The unit that the formula gives, in words.", examples=["a ratio"])
    is_additive: bool | None = Field(description="Whether values of parts add up; null while something is wrong.")
    recent: list[MeasureUse] = Field(
        description="Per measure the events of the last 90 days (the newest 10,000 at most); empty if there are errors."
    )


class KpiFilters(PageQuery):
    """Which KPIs to list."""

    state: State | None = Field(default=None, description="Only these; without it all but archived ones.")
    category: Category | None = Field(default=None, description="Only this area.")
    indicator: Indicator | None = Field(default=None, description="Only leading or lagging ones.")
