"""What a ready-made KPI is: its definition, what it is for, where it comes from, and a small proof of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Category = Literal["sales_results", "team_performance", "coaching", "customer_satisfaction", "planning"]
Indicator = Literal["leading", "lagging"]
Nature = Literal["quantitative", "qualitative"]
Direction = Literal["increase", "decrease", "maintain"]
Role = Literal["prospecting", "qualifying", "closing", "customer_success", "team_leader"]

Roles = tuple[Role, ...]
Json = Mapping[str, Any]  # Any: JSON as it is posted
ORGANIZATION: Json = {"organization": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Facts so few that the figure can be worked out by hand: posted to a new organization they give the value.

    The organization is in Europe/Warsaw and counts in EUR. `members` are names; an event's `actor.id` in small letters
    is the member's identity; `employed` tells since when and until before when, of whom it is not always. `goals` are
    posted as they stand.
    """

    arithmetic: str
    events: Sequence[Json]
    value: str | None
    status: str = "ok"
    as_of: str = "2026-12-01T10:00:00Z"
    period: str = "2026-07"
    subject: Json = field(default_factory=lambda: ORGANIZATION)
    members: Sequence[str] = ()
    employed: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    goals: Sequence[Json] = ()
    group_by: Json | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A ready-made KPI. `sources` name requirements, guides and literature; `if_missing` says what helps."""

    key: str
    name: str
    description: str
    category: Category
    indicator: Indicator
    direction: Direction
    unit: Json
    measures: Mapping[str, Json]
    formula: str
    roles: Roles
    method: str
    sources: Sequence[str]
    if_missing: str
    examples: Sequence[Example]
    nature: Nature = "quantitative"
    display: Json = field(default_factory=dict)
    thresholds: Json = field(default_factory=dict)
    scoring: Json | None = None

    def body(self, state: str) -> dict[str, Any]:
        """The KPI as it is posted to be defined."""
        told = {name: getattr(self, name) for name in _POSTED}
        return {**told, **({"scoring": self.scoring} if self.scoring else {}), "state": state}


_POSTED = (
    "key", "name", "description", "category", "indicator", "nature", "direction", "unit", "measures", "formula",
    "display", "thresholds",
)  # fmt: skip
