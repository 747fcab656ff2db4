"""Wire shapes of initiatives: strategies and tactics that serve goals (G9)."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import MISSING, AfterValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Input, Name, Output, Page, Prose
from app.goals.initiative_states import Action, State
from app.goals.schemas import Owner, OwnerInput, OwnerType

Kind = Literal["strategy", "tactic"]
_EXAMPLE: JsonDict = {
    "name": "Call lists by region",
    "kind": "tactic",
    "owner": {"type": "organization"},
    "start_on": "2026-07-01",
    "end_on": "2026-09-30",
}


def _each_once(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) < len(ids):
        raise ValueError("names a goal twice: write each once")
    return ids


GoalIds = Annotated[list[UUID], Field(max_length=100), AfterValidator(_each_once)]


class InitiativeCreate(Input):
    """A new initiative."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name = Field(description="What people call it.", examples=["Call lists by region"])
    description: Prose = Field(default="", description="What is to be done, and what is expected of it.")
    kind: Kind = Field(description="A strategy, or a tactic, which may belong to one.", examples=["tactic"])
    parent_id: UUID | None = Field(default=None, description="Of a tactic: the strategy that it belongs to.")
    owner: OwnerInput = Field(description="Who carries it out.")
    state: Literal["proposed", "planned", "active"] | None = Field(
        default=None,
        description="By default planned by whoever may set its owner's goals, and proposed by all others.",
    )
    start_on: Day | None = Field(default=None, description="Its first day.", examples=["2026-07-01"])
    end_on: Day | None = Field(default=None, description="Its last day.", examples=["2026-09-30"])
    goal_ids: GoalIds = Field(default=[], description="The goals that it serves.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.kind == "strategy" and self.parent_id is not None:
            raise ValueError("a strategy belongs to nothing: leave parent_id out, or make it a tactic")
        if self.start_on and self.end_on and self.end_on < self.start_on:
            raise ValueError("start_on lies after end_on")
        return self


class InitiativeUpdate(Input):
    """What changes; absent fields stay. Its kind stays what it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "By region and size."}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    description: Prose | MISSING = Field(default=MISSING, description="What is to be done.")
    parent_id: UUID | MISSING | None = Field(
        default=MISSING, description="Of a tactic: the strategy that it belongs to; null: to none."
    )
    owner: OwnerInput | MISSING = Field(
        default=MISSING, description="Who carries it out; for who may set the goals of both, or whose proposal it is."
    )
    start_on: Day | MISSING | None = Field(default=MISSING, description="Its first day; null: not known.")
    end_on: Day | MISSING | None = Field(default=MISSING, description="Its last day; null: not known.")
    goal_ids: GoalIds | MISSING = Field(default=MISSING, description="All the goals that it serves.")
    state: Literal["active", "done", "dropped"] | MISSING = Field(
        default=MISSING, description="Start what is planned, finish what is active, or drop it."
    )


class Initiative(Output):
    """A strategy or a tactic that serves goals."""

    id: UUID = Field(description="Identifier of the initiative.")
    name: str = Field(description="What people call it.", examples=["Call lists by region"])
    description: str = Field(description="What is to be done, and what is expected of it.")
    kind: Kind = Field(description="A strategy, or a tactic, which may belong to one.", examples=["tactic"])
    parent_id: UUID | None = Field(description="The strategy that it belongs to.")
    owner: Owner = Field(description="Who carries it out.")
    state: State = Field(description="How far it is.", examples=["planned"])
    start_on: date | None = Field(description="Its first day.", examples=["2026-07-01"])
    end_on: date | None = Field(description="Its last day.", examples=["2026-09-30"])
    goal_ids: list[UUID] = Field(description="The goals that it serves.")
    proposed_by: str = Field(description="Who made it, as the audit trail names callers.", examples=["key:01985e2c"])
    proposer_id: UUID | None = Field(description="The member who made it.")
    decided_by: str | None = Field(description="Who accepted or declined the proposal.")
    decision_reason: str | None = Field(description="Why.")
    available_actions: list[Action] = Field(
        description="What the caller may do with it now.", examples=[["edit", "start", "drop"]]
    )
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])
    created_at: datetime = Field(description="When it was made.")


class InitiativePage(Page[Initiative]):
    """A page of initiatives."""


class InitiativeFilters(PageQuery):
    """Which initiatives to list."""

    state: State | None = Field(default=None, description="Only initiatives in this state.")
    goal_id: UUID | None = Field(default=None, description="Only those that serve this goal.")
    kind: Kind | None = Field(default=None, description="Only strategies, or only tactics.")
    parent_id: UUID | None = Field(default=None, description="Only tactics of this strategy.")
    owner_type: OwnerType | None = Field(default=None, description="Only those of this kind of owner.")
    owner_id: UUID | None = Field(default=None, description="Only those of this team or member.")
