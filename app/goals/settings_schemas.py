"""Wire shapes of how an organization judges and decides goals, and of ramps for new members."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field

from app.core.pagination import PageQuery
from app.core.schemas import Amount, ExactDecimal, Input, Name, Output, Page
from app.goals import policy
from app.goals.pace import USUAL
from app.goals.policy_schemas import Rule, RuleInput

GRACE_WORKING_DAYS = 3
_GRACE = "Working days of the organization's calendar after a goal's last day, until it closes by itself."
_BEHIND = "A pace below this is *behind* (S32)."
_AHEAD = "A pace above this is *ahead* (S32)."
_TOO_EARLY = "Nothing is judged while a smaller share than this is expected (S32)."
_RULES = "Who may do what with whose goals; what no rule allows is not allowed. Admins may everything."
_RULES_BY_DEFAULT = [RuleInput.model_validate(rule) for rule in policy.DEFAULT_RULES]

Share = Annotated[Amount, Field(ge=0, le=1)]


class GoalSettingsInput(Input):
    """How goals are judged and decided from now on; what is absent is as it was at the beginning."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"grace_working_days": 5, "behind_below": "0.85"}]})

    grace_working_days: int = Field(default=GRACE_WORKING_DAYS, ge=0, le=30, strict=True, description=_GRACE)
    behind_below: Annotated[Amount, Field(gt=0, le=1)] = Field(default=USUAL.behind_below, description=_BEHIND)
    ahead_above: Annotated[Amount, Field(ge=1, le=10)] = Field(default=USUAL.ahead_above, description=_AHEAD)
    too_early_before: Share = Field(default=USUAL.too_early_before, description=_TOO_EARLY)
    rules: list[RuleInput] = Field(default=_RULES_BY_DEFAULT, max_length=50, description=_RULES)


class GoalSettings(Output):
    """How goals are judged and decided."""

    grace_working_days: int = Field(description=_GRACE, examples=[3])
    behind_below: ExactDecimal = Field(description=_BEHIND, examples=["0.9"])
    ahead_above: ExactDecimal = Field(description=_AHEAD, examples=["1.1"])
    too_early_before: ExactDecimal = Field(description=_TOO_EARLY, examples=["0.05"])
    rules: list[Rule] = Field(description=_RULES)
    changed_by: str | None = Field(description="Who changed them last, as the audit trail names callers; null: nobody.")
    recorded_at: datetime | None = Field(description="Since when they hold; null: from the beginning.")
    version: int = Field(description="Grows with each change; it is the ETag. 0: as at the beginning.", examples=[1])


class RampCreate(Input):
    """A new schedule by which targets of new members grow."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Four months", "shares": ["0", "0.25", "0.5", "0.75"]}]}
    )

    name: Name = Field(description="What people call it.", examples=["Four months"])
    shares: list[Share] = Field(
        min_length=1,
        max_length=36,
        description="Of the full target, in the first month since joining, the second, and so on; whole afterwards. "
        "They never change: figures came from them. For other shares make another ramp.",
        examples=[["0", "0.25", "0.5", "0.75"]],
    )


class RampUpdate(Input):
    """What changes; absent fields stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Four months, slowly"}]})

    name: Name | MISSING = Field(default=MISSING, description="What people call it.")
    is_archived: bool | MISSING = Field(
        default=MISSING, description="Archived ramps stay with the goals that have them, and are given to no others."
    )


class Ramp(Output):
    """Shares of the full target by month since joining; whole afterwards (S33)."""

    id: UUID = Field(description="Identifier of the ramp.")
    name: str = Field(description="What people call it.", examples=["Four months"])
    shares: list[ExactDecimal] = Field(description="Of the full target, by month since joining.")
    created_at: datetime = Field(description="When it was made.")
    archived_at: datetime | None = Field(description="Since when no other goal gets it; null: any may.")
    version: int = Field(description="Grows with each change; it is the ETag.", examples=[1])


class RampPage(Page[Ramp]):
    """A page of ramps."""


class RampFilters(PageQuery):
    """Which ramps to list."""

    is_archived: bool = Field(default=False, description="The archived ones instead.")
