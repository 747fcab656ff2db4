"""Wire shapes of a change of a mapping, before it is made."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.core.schemas import Input, Output
from app.events.schemas import Event
from app.integrations.schemas import MappingConfig
from app.progress.schemas import Job

Outcome = Literal["created", "corrected", "retracted"]


class MappingPreviewCreate(Input):
    """The change to try; absent fields stay as they are, null restores a default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mapping": {"won_stages": ["closedwon", "48591"]}}]})

    mapping: MappingConfig = Field(description="What would change, as in a PATCH of the source.")


class ChangedType(Output):
    """How many events of a type would change."""

    type: str = Field(description="The type that the events have after the change.", examples=["deal.won"])
    created: int = Field(description="Events that would be new.", ge=0)
    corrected: int = Field(description="Events that would say something else.", ge=0)
    retracted: int = Field(description="Events that would be taken back.", ge=0)


class EventChange(Output):
    """An event that changes."""

    outcome: Outcome = Field(description="What becomes of it.")
    fields: list[str] = Field(description="Which of its fields change, where it is corrected.", examples=[["amount"]])
    before: Event | None = Field(description="What it says now; null where it is not there.")
    after: Event = Field(description="What it would say; ids of what is not there yet are not kept.")


class MappingPreview(Output):
    """What a change of a mapping would change; complete when its job has succeeded."""

    job: Job = Field(description="How far it is; its `counts` tell how many events would change.")
    # Any: the configured mapping, as in a source.
    mapping: dict[str, Any] = Field(description="The change that was tried.")
    by_type: list[ChangedType] = Field(description="How many events of each type would change.")
    examples: list[EventChange] = Field(description="A few of each type and outcome.")
