"""Ready-made sets of goals by role, on KPIs of the KPI library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.kpis.library.entries import Role

Json = Mapping[str, Any]  # Any: JSON as it is posted
REALISTIC: Json = {"realistic": True}
AMBITIOUS: Json = {"ambitious": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalSet:
    """A set; `items` as those of a template are posted."""

    key: str
    name: str
    description: str
    role: Role
    sources: Sequence[str]
    items: Sequence[Json]

    @property
    def kpis(self) -> tuple[str, ...]:
        """The KPIs that it needs."""
        return tuple(item["kpi"] for item in self.items)


def _item(name: str, kpi: str, target: Json, weight: str = "1") -> Json:
    return {"name": name, "kpi": kpi, "target": target, "weight": weight}


_SETS = (
    GoalSet(
        key="prospecting",
        name="Prospecting",
        description="Calls, meetings and the value of the leads that come of them.",
        role="prospecting",
        sources=("K1",),
        items=(
            _item("Calls made", "calls_made", REALISTIC),
            _item("Meetings held", "meetings_held", REALISTIC),
            _item("Value of new leads", "lead_value_generated", AMBITIOUS, "2"),
        ),
    ),
    GoalSet(
        key="qualifying",
        name="Qualifying",
        description="Meetings with leads, and how many of these become customers.",
        role="qualifying",
        sources=("K1",),
        items=(
            _item("Calls made", "calls_made", REALISTIC),
            _item("Meetings held", "meetings_held", AMBITIOUS),
            _item("Leads that became customers", "lead_conversion_rate", REALISTIC, "2"),
        ),
    ),
    GoalSet(
        key="closing",
        name="Closing",
        description="Sales, new customers, and sales to those that are customers already.",
        role="closing",
        sources=("K2",),
        items=(
            _item("Revenue won", "revenue_won", AMBITIOUS, "2"),
            _item("New customers", "new_customers", REALISTIC),
            _item("Revenue of existing customers", "revenue_existing_customers", REALISTIC),
        ),
    ),
    GoalSet(
        key="customer_success",
        name="Customer success",
        description="Customers who stay and buy again.",
        role="customer_success",
        sources=("K2", "G7"),
        items=(
            _item("Customers who stay", "customer_retention_rate", REALISTIC, "2"),
            _item("Customers who buy again", "repeat_customers", REALISTIC),
            _item("Revenue of existing customers", "revenue_existing_customers", AMBITIOUS),
        ),
    ),
    GoalSet(
        key="team_leader",
        name="Leading a team",
        description="Revenue, the number of customers, new ones and those who stay, and the coaching of the team.",
        role="team_leader",
        sources=("G7", "K13"),
        items=(
            _item("Revenue won", "revenue_won", AMBITIOUS, "2"),
            _item("Number of customers", "active_customers", REALISTIC),
            _item("New customers", "new_customers", AMBITIOUS),
            _item("Customers who stay", "customer_retention_rate", REALISTIC),
            _item("Coaching sessions", "coaching_sessions", REALISTIC),
        ),
    ),
)
SETS: Mapping[str, GoalSet] = {each.key: each for each in _SETS}
