"""Wire shapes of what an editor of filters and formulas asks."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from app.core.schemas import Input, Output
from app.kpis.expressions.parser import MAX_LENGTH
from app.kpis.measure_schemas import EventTypes
from app.kpis.schemas import KpiKey

ItemKind = Literal["field", "thing", "property", "value", "function", "operator", "measure", "kpi", "keyword"]


class KpiComplete(Input):
    """A text, finished or not, and a position in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "properties.channel == 'par", "position": 26, "language": "filter", "events": ["deal.won"]},
                {"text": "won / (won + lo", "position": 15, "language": "formula", "measures": ["won", "lost"]},
            ]
        }
    )

    text: Annotated[str, StringConstraints(max_length=MAX_LENGTH)] = Field(
        description="The filter or formula so far.", examples=["properties.ch"]
    )
    position: int = Field(ge=0, le=MAX_LENGTH, description="Where the cursor stands, in characters.", examples=[13])
    language: Literal["filter", "formula"] = Field(description="Which of the two it is.")
    events: EventTypes | None = Field(
        default=None, description="For a filter: the types of the events that it is about; absent: any."
    )
    measures: dict[str, JsonValue] | list[str] | None = Field(
        default=None, description="For a formula: the measures, or only their names.", examples=[["won", "lost"]]
    )
    kpi: KpiKey | None = Field(default=None, description="For a formula: the key of the KPI that it belongs to.")

    @property
    def names(self) -> list[str]:
        """The names of the measures."""
        return list(self.measures or ())


class Completion(Output):
    """Something that can stand there."""

    insert: str = Field(description="The text that replaces what stands from `from` to `to`.", examples=["'partner'"])
    label: str = Field(description="How it is shown.", examples=["partner"])
    kind: ItemKind = Field(description="What it is.", examples=["value"])
    detail: str | None = Field(description="What it means, or where it was seen.", examples=["in 812 recent events"])


class Completions(Output):
    """What can stand at a position, the likeliest first; at most 100."""

    start: int = Field(serialization_alias="from", description="Where the text begins that is replaced.", examples=[22])
    end: int = Field(serialization_alias="to", description="Where it ends.", examples=[26])
    items: list[Completion] = Field(description="What can stand there.")
