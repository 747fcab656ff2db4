"""Wire shapes of what a source's own settings tell: stages by name, and who owns records."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from app.core.schemas import Input, Name, Output, Text
from app.teams.schemas import Email

CrmId = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
StageObject = Literal["deal", "lead", "quote"]
Outcome = Literal["open", "won", "lost"]


class StageTold(Input):
    """A stage by its name."""

    object: StageObject = Field(default="deal", description="Whose stage it is.")
    pipeline_id: CrmId | None = Field(default=None, description="The pipeline, by the id that records have.")
    pipeline: Name | None = Field(default=None, description="What the pipeline is called.")
    stage_id: CrmId = Field(description="The stage, by the id that records have.")
    name: Name = Field(description="What the stage is called.")
    outcome: Outcome | None = Field(default=None, description="What the CRM itself takes it for.")


class StagesReplace(Input):
    """All stages of a source, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"stages": [{"pipeline_id": "default", "pipeline": "Sales", "stage_id": "48591", "name": "Signed",
                             "outcome": "won"}]}
            ]
        }
    )  # fmt: skip

    stages: list[StageTold] = Field(max_length=2000, description="They replace those there were.")


class Stage(Output):
    """A stage of a source's pipelines, by its name."""

    object: str = Field(description="Whose stage it is.", examples=["deal"])
    pipeline_id: str | None = Field(description="The pipeline, by the id that records have.", examples=["default"])
    pipeline: str | None = Field(description="What the pipeline is called.", examples=["Sales"])
    stage_id: str = Field(description="The stage, by the id that records have.", examples=["48591"])
    name: str = Field(description="What the stage is called.", examples=["Signed"])
    outcome: Outcome | None = Field(description="What the CRM itself takes it for; null where it does not tell.")
    counts_as: Outcome | None = Field(
        description="What it counts as by the source's mapping; null where the mapping does not go by stages."
    )
    updated_at: datetime = Field(description="When it was told.")


class StageList(Output):
    """The stages of a source, by object, pipeline and position."""

    items: list[Stage] = Field(description="All of them.")


class PersonTold(Input):
    """Who owns records in the source."""

    external_id: CrmId = Field(description="The id by which records name the owner.")
    name: Name | None = Field(default=None, description="What the source calls them.")
    email: Email | None = Field(default=None, description="The address the source has.")
    kind: Literal["person", "queue", "team"] = Field(
        default="person", description="Queues and teams own records too, and stand for no member."
    )


class PeopleTold(Input):
    """Owners of a source, as many as there are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"people": [{"external_id": "910901", "name": "Ada Nowak", "email": "ada@example.com"}]}]
        }
    )

    people: list[PersonTold] = Field(
        min_length=1, max_length=5000, description="Each is added, or what was known of them brought up to date."
    )


class PeopleKnown(Output):
    """How many owners of the source are known now."""

    people: int = Field(description="People.", examples=[42])
    queues: int = Field(description="Queues and teams, which stand for no member.", examples=[2])
