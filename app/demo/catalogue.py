"""What the demo's organization measures, and what it aims at."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from app.demo.people import NORTH, SALES, SOUTH
from app.kpis.library.catalogue import LIBRARY

_READY_MADE = (
    "calls_made",
    "meetings_held",
    "new_customers",
    "revenue_won",
    "average_deal_size",
    "win_rate_closed",
    "lead_response_time",
    "lead_response_within_5_minutes",
    "lead_response_within_30_minutes",
)
_OWN_MARKS: dict[str, Any] = {"win_rate_closed": {"thresholds": {"good": "0.3", "poor": "0.2"}}}


# Any: bodies as they are posted.
def kpis() -> list[dict[str, Any]]:
    """The KPIs, as they are posted: ready-made ones, with marks of its own for one of them."""
    return [LIBRARY[key].body("official") | _OWN_MARKS.get(key, {}) for key in _READY_MADE]


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal: `owner` names a team or member, None the organization; from `decided_on` on it is known.

    `part_of` names another goal, before it in the list.
    """

    name: str
    owner: str | None
    kpi: str
    period: str
    target: str
    decided_on: date = date.min
    part_of: str | None = None
    stretch: str | None = None
    milestones: tuple[tuple[str, str], ...] = ()
    """Names and shares of the target."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Another target for a goal, from a day on."""

    goal: str
    target: str
    reason: str
    decided_on: date


_SECOND_QUARTER = "Revenue, second quarter"
_HALVES = (("A quarter of it", "0.25"), ("Half way", "0.5"))


def aims(best: str) -> list[Aim]:
    """The goals; `best` is the member who has some of their own."""
    spring, summer = date(2026, 3, 30), date(2026, 6, 29)
    return [
        Aim("Revenue of the year", None, "revenue_won", "2026", "2600000", stretch="3000000", milestones=_HALVES),
        Aim("New customers of the year", None, "new_customers", "2026", "180"),
        Aim(_SECOND_QUARTER, None, "revenue_won", "2026-Q2", "700000", spring),
        Aim("Half of the leads within twenty minutes", None, "lead_response_time", "2026-Q2", "1200", spring),
        Aim("Win rate of the year", SALES, "win_rate_closed", "2026", "0.3"),
        Aim("North: revenue, second quarter", NORTH, "revenue_won", "2026-Q2", "330000", spring, _SECOND_QUARTER),
        Aim("South: revenue, second quarter", SOUTH, "revenue_won", "2026-Q2", "330000", spring, _SECOND_QUARTER),
        Aim("North: meetings in June", NORTH, "meetings_held", "2026-06", "60", date(2026, 5, 29)),
        Aim("North: calls in July", NORTH, "calls_made", "2026-07", "480", summer),
        Aim("South: calls in July", SOUTH, "calls_made", "2026-07", "430", summer),
        Aim("North: leads within thirty minutes", NORTH, "lead_response_within_30_minutes", "2026-Q3", "0.7", summer),
        Aim(f"{best}: revenue of the year", best, "revenue_won", "2026", "300000"),
        Aim(f"{best}: calls in July", best, "calls_made", "2026-07", "60", summer),
    ]


REVISIONS = (Revision(_SECOND_QUARTER, "640000", "A colleague left, and her customers need time.", date(2026, 5, 4)),)
