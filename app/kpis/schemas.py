"""Wire shapes of KPIs."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from pydantic import (
    MISSING,
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from app.core.pagination import PageQuery
from app.core.problems import ErrorItem, ValidationFailed
from app.core.schemas import Amount, ExactDecimal, Figure, Input, Name, Output, Page, Prose
from app.kpis.definition import MAX_MEASURES, Aggregate
from app.kpis.expressions.vocabulary import FORMULA_FUNCTIONS
from app.kpis.measure_schemas import Expression, KpiMeasure, MeasureInput
from app.kpis.sentences import Language
from app.kpis.wire import DefinitionWire

RESERVED_KEYS = frozenset({"complete", "validate"})  # words of a path


def _not_reserved(key: str) -> str:
    if key in RESERVED_KEYS:
        raise ValueError(f"{key!r} is a word of our paths: choose another key")
    return key


KpiKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
NewKpiKey = Annotated[KpiKey, AfterValidator(_not_reserved)]
Category = Literal["sales_results", "team_performance", "coaching", "customer_satisfaction", "planning"]
Indicator = Literal["leading", "lagging"]
Direction = Literal["increase", "decrease", "maintain"]
State = Literal["draft", "official", "archived"]
Nature = Literal["quantitative", "qualitative"]
Giver = Literal["manager", "team_lead", "peers", "direct_reports", "self", "anyone"]
Every = Literal["week", "month", "quarter", "year"]
Kind = Literal["count", "money", "duration", "ratio", "score", "number"]

_DECIMALS: dict[Kind, int] = {"count": 0, "money": 2, "duration": 0, "ratio": 1, "score": 1, "number": 2}

_FORMULA = (
    "Arithmetic over the names of the measures and over other KPIs (`kpi.<key>`), with "
    + ", ".join(FORMULA_FUNCTIONS)
    + "."
)
_MEASURES = "Named measures; names have small letters, digits and _. None where the formula needs only other KPIs."
_NAMES: dict[str, JsonValue] = {"propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,49}$"}}
_DIRECTION = "Where the figure should go."
_NATURE = "`quantitative`: computed from what happened. `qualitative`: people give scores, which are computed likewise."
_SCORING = "For a qualitative KPI: who gives scores, on which scale, and how often."
_GIVERS = "Who may give scores about a person: `peers` are members of the same team, `anyone` every member."
_EVERY = "How often a score is expected of each giver; null: whenever they like."
_REFERENCES = "Keys of the KPIs that the formula refers to."
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


class ScaleInput(Input):
    """The least and the greatest score."""

    least: Amount = Field(alias="min", description="The least score.", examples=["1"])
    greatest: Amount = Field(alias="max", description="The greatest score.", examples=["5"])

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.least >= self.greatest:
            raise ValueError("min must be less than max")
        return self


class ScoringInput(Input):
    """Who gives the scores of a qualitative KPI, on which scale, and how often."""

    givers: list[Giver] = Field(min_length=1, max_length=6, description=_GIVERS, examples=[["manager", "peers"]])
    scale: ScaleInput = Field(description="The scale of the scores.")
    every: Every | None = Field(default=None, description=_EVERY)

    @field_validator("givers", mode="after")
    @classmethod
    def _named_once(cls, givers: list[Giver]) -> list[Giver]:
        if len(set(givers)) < len(givers):
            raise ValueError("names each kind of giver once")
        return givers

    def stored(self) -> dict[str, Any]:
        """Its JSON as it is kept: decimals as text."""
        return self.model_dump(mode="json", by_alias=True)


class DefinitionInput(Input):
    """What a KPI computes."""

    measures: dict[str, MeasureInput] = Field(
        max_length=MAX_MEASURES,
        description=_MEASURES,
        json_schema_extra=_NAMES,
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


class KpiCreate(Input):
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
                },
                {
                    "key": "communication",
                    "name": "Communication",
                    "category": "team_performance",
                    "indicator": "leading",
                    "nature": "qualitative",
                    "scoring": {
                        "givers": ["manager", "peers"],
                        "scale": {"min": "1", "max": "5"},
                        "every": "quarter",
                    },
                    "direction": "increase",
                },
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
    nature: Nature = Field(default="quantitative", description=_NATURE)
    scoring: ScoringInput | None = Field(default=None, description=_SCORING)
    measures: dict[str, MeasureInput] | None = Field(
        default=None,
        max_length=MAX_MEASURES,
        description=f"{_MEASURES} Absent for a qualitative KPI: `score`, the mean of the scores that people gave.",
        json_schema_extra=_NAMES,
    )
    formula: Expression | None = Field(
        default=None, description=f"{_FORMULA} Absent with `measures`: `score`.", examples=["won / (won + lost)"]
    )
    unit: UnitInput | None = Field(
        default=None, description="Unit of the values; it must fit the formula. Absent for a qualitative KPI: score."
    )
    direction: Direction = Field(description=_DIRECTION)
    display: DisplayInput = Field(default_factory=DisplayInput, description="How values are written.")
    thresholds: ThresholdsInput = Field(default_factory=ThresholdsInput, description="What is good and poor.")

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Self:
        if not self.thresholds.fit(self.direction):
            raise ValueError("thresholds: good must lie on the side of poor where the direction points")
        return self

    def wire(self) -> DefinitionWire:
        """The definition as it is stored, completed for a qualitative KPI. Raises `ValidationFailed`."""
        definition = {name: getattr(self, name) for name in ("measures", "formula", "unit")}
        if self.nature == "qualitative" and self.measures is None and self.formula is None:
            definition |= self._scored()
        if self.nature == "qualitative" and self.unit is None:
            definition["unit"] = UnitInput(kind="score")
        missing = [
            ErrorItem(pointer=f"/{name}", message="Field required", code="missing")
            for name, part in definition.items()
            if part is None
        ]
        if missing:
            raise ValidationFailed("a KPI needs measures, a formula and a unit", missing)
        return DefinitionInput.model_validate({**definition, "direction": self.direction}).wire()

    def _scored(self) -> dict[str, Any]:
        score = MeasureInput(
            aggregate=Aggregate.AVG,
            events=["score.given"],
            value="properties.score",
            where=f"properties.kpi == '{self.key}'",
        )
        return {"measures": {"score": score}, "formula": "score"}


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
    scoring: ScoringInput | MISSING = Field(default=MISSING, description=f"{_SCORING} Whole.")
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

    key: KpiKey | None = Field(
        default=None,
        description="The KPI's key, so that references in a circle are found.",
        examples=["win_rate_closed"],
    )
    measures: dict[str, MeasureInput] = Field(max_length=MAX_MEASURES, description=_MEASURES)
    formula: Expression = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: UnitInput | None = Field(default=None, description="Unit of the values.")
    direction: Direction = Field(default="increase", description=_DIRECTION)

    def wire(self) -> DefinitionWire:
        """The definition as it would be stored; a number where no unit was chosen, which takes any."""
        return cast(DefinitionWire, self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"key"}))


class KpiUnit(Output):
    """The unit of values."""

    kind: Kind = Field(description="What the values are; money in the currency of the question, durations in seconds.")
    per: str | None = Field(default=None, description="For a quotient: what one of is meant.", examples=["count"])


class KpiScale(Output):
    """The least and the greatest score."""

    least: ExactDecimal = Field(alias="min", description="The least score.", examples=["1"])
    greatest: ExactDecimal = Field(alias="max", description="The greatest score.", examples=["5"])


class KpiScoring(Output):
    """Who gives the scores of a qualitative KPI, on which scale, and how often."""

    givers: list[Giver] = Field(description=_GIVERS, examples=[["manager", "peers"]])
    scale: KpiScale = Field(description="The scale of the scores.")
    every: Every | None = Field(description=_EVERY, examples=["quarter"])


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
    nature: Nature = Field(description=_NATURE)
    scoring: KpiScoring | None = Field(description=_SCORING)
    display: KpiDisplay = Field(description="How values are written.")
    thresholds: KpiThresholds = Field(description="What is good and poor.")
    definition_version: int = Field(description="Number of the latest version, whose definition this is.", examples=[1])
    valid_from: date | None = Field(description="First local day that uses the latest version; null: all days.")
    measures: Mapping[str, KpiMeasure] = Field(description=_MEASURES)
    formula: str = Field(description=_FORMULA, examples=["won / (won + lost)"])
    unit: KpiUnit = Field(description="Unit of the values.")
    direction: Direction = Field(description=_DIRECTION)
    is_additive: bool = Field(description="Whether values of parts add up to the whole's (S24).")
    references: list[str] = Field(description=_REFERENCES, examples=[[]])
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
    references: list[str] = Field(description=_REFERENCES, examples=[[]])


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


class KpiSentence(Output):
    """A definition explained in one sentence."""

    definition_version: int = Field(description="Number of the version that is explained.", examples=[1])
    language: Language = Field(description="Its language.", examples=["en"])
    sentence: str = Field(
        description="What the KPI computes.",
        examples=["The share of deals won (deal.won) among deals won (deal.won) or deals lost (deal.lost)."],
    )


class SentenceQuery(Input):
    """In which language."""

    language: Language | None = Field(
        default=None, description="Absent: the language of `Accept-Language`, else English.", examples=["pl"]
    )


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
    references: list[str] = Field(description=_REFERENCES, examples=[[]])
    sentences: Mapping[Language, str] | None = Field(
        description="What it computes, in a sentence of each language; null while something is wrong.",
        examples=[
            {
                "en": "The number of deals won (deal.won).",
                "pl": "Liczba zdarzeń: wygrane szanse sprzedaży (deal.won).",
                "zh-Hans": "赢单的商机（deal.won）的数量。",
                "zh-Hant": "贏單的商機（deal.won）的數量。",
            }
        ],
    )
    recent: list[MeasureUse] = Field(
        description="Per measure the events of the last 90 days (the newest 10,000 at most); empty if there are errors."
    )
    warnings: list[DefinitionFinding] = Field(
        description="What is possible and probably a mistake, such as an event type that nobody has heard of.",
        examples=[[]],
    )


class KpiFilters(PageQuery):
    """Which KPIs to list."""

    state: State | None = Field(default=None, description="Only these; without it all but archived ones.")
    category: Category | None = Field(default=None, description="Only this area.")
    indicator: Indicator | None = Field(default=None, description="Only leading or lagging ones.")
    nature: Nature | None = Field(default=None, description="Only quantitative or qualitative ones.")
