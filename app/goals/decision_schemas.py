"""Wire shapes of what is decided of a goal: proposals, approvals, locks."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from app.core.pagination import PageQuery
from app.core.schemas import Input, Output, Page, Prose
from app.goals.schemas import TargetInput

Decided = Literal["proposed", "approved", "declined", "withdrawn", "opened", "locked", "unlocked", "cancelled"]
Reason = Annotated[Prose, StringConstraints(pattern=r"\S")]


class Remark(Input):
    """What may be said to a decision."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "What I can reach with the new region."}]})

    reason: Prose = Field(default="", description="Why.", examples=["What I can reach with the new region."])


class Reasoned(Input):
    """A decision that is not made without a reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Agreed in the quota letter."}]})

    reason: Reason = Field(description="Why.", examples=["Agreed in the quota letter."])


class Approval(Input):
    """Approval of a proposal, as it is or with another target."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Agreed.", "target": {"value": "110"}}, {"reason": "Agreed."}]}
    )

    reason: Prose = Field(default="", description="Why; needed with another target.", examples=["Agreed."])
    target: TargetInput | None = Field(
        default=None, description="What is aimed at instead; for who may set the goal. Null: as proposed."
    )

    @model_validator(mode="after")
    def _tells_why_the_target_changes(self) -> Self:
        if self.target is not None and not self.reason.strip():
            raise ValueError("write the reason why the target is another than the proposed one")
        return self


class DecisionFilters(PageQuery):
    """Which decisions to list."""


class GoalDecision(Output):
    """What somebody decided of a goal."""

    id: UUID = Field(description="Identifier of the decision.")
    action: Decided = Field(description="What was decided.", examples=["approved"])
    reason: str = Field(description="Why; may be empty.", examples=["Agreed."])
    decided_by: str = Field(description="Who decided it, as the audit trail names callers.", examples=["key:01985e2c"])
    member_id: UUID | None = Field(description="The member for whom the caller's key stands.")
    decided_at: datetime = Field(description="When.")


class GoalDecisionPage(Page[GoalDecision]):
    """A page of the decisions about a goal, oldest first."""
