"""Wire shapes of the rules that say who may do what with whose goals (`policy.py`)."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from app.core.schemas import Input, Output
from app.goals.policy import Callers, Owners, Right

_EXAMPLE: JsonDict = {"callers": ["lead"], "owners": ["led_teams", "members_of_led_teams"], "may": ["set", "approve"]}
_CALLERS = (
    "Keys with the role `manager` or `member`, or `lead`: whoever leads a team today, by any key that stands for them. "
    "Admins may do everything and need no rule."
)
_OWNERS = (
    "Whose goals: the `organization`'s, `any_team`'s, `any_member`'s; or, by where the caller's member stands today, "
    "their `own`, those of `own_teams` (in which they are), `led_teams` (which they lead, and the teams below), "
    "`members_of_led_teams`, and their `reports` (whose manager they are, also indirectly). A key that stands for no "
    "member has none of the latter."
)
_MAY = (
    "`set`: make, open, change, close and cancel goals; `approve`: approve and decline proposals; `lock`: lock and "
    "unlock; `propose`: draft and propose, which who may `set` may, too."
)


class RuleInput(Input):
    """These callers may do this with the goals of these owners. Rules add up; what none allows is not allowed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    callers: Annotated[list[Callers], Field(min_length=1, max_length=3)] = Field(description=_CALLERS)
    owners: Annotated[list[Owners], Field(min_length=1, max_length=8)] = Field(description=_OWNERS)
    may: Annotated[list[Right], Field(min_length=1, max_length=4)] = Field(description=_MAY)


class Rule(Output):
    """These callers may do this with the goals of these owners."""

    callers: list[Callers] = Field(description=_CALLERS, examples=[["lead"]])
    owners: list[Owners] = Field(description=_OWNERS, examples=[["led_teams"]])
    may: list[Right] = Field(description=_MAY, examples=[["set", "approve"]])
