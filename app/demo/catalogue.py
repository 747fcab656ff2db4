"""What the demo's organization measures, and what it aims at."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from app.demo.people import NORTH, SALES, SOUTH

CUSTOMERS, SALES_RESULTS, TEAM = "customer_satisfaction", "sales_results", "team_performance"
_HUMAN_ANSWER = {"events": ["call.made", "email.sent", "meeting.held"], "where": "not (properties.automated == true)"}
_ANSWER = {"from": {"events": ["lead.created"]}, "to": _HUMAN_ANSWER, "match": "lead"}


# Any: bodies as they are posted.
def kpis() -> list[dict[str, Any]]:
    """The KPIs, as they are posted."""
    return [
        _kpi("calls_made", "Calls made", TEAM, {"calls": _count("call.made")}, "calls", indicator="leading"),
        _kpi(
            "meetings_held",
            "Meetings held",
            TEAM,
            {"meetings": _count("meeting.held")},
            "meetings",
            indicator="leading",
        ),
        _kpi(
            "new_customers",
            "New customers",
            SALES_RESULTS,
            {"firsts": {**_count("deal.won"), "where": "nth(customer) == 1"}},
            "firsts",
            description="Customers whose first deal was won.",
        ),
        _kpi(
            "revenue_won",
            "Revenue won",
            SALES_RESULTS,
            {"revenue": {"aggregate": "sum", "events": ["deal.won"], "value": "amount"}},
            "revenue",
            unit="money",
        ),
        _kpi(
            "average_deal_size",
            "Average deal size",
            SALES_RESULTS,
            {"size": {"aggregate": "avg", "events": ["deal.won"], "value": "amount"}},
            "size",
            unit="money",
        ),
        _kpi(
            "win_rate_closed",
            "Win rate of closed deals",
            SALES_RESULTS,
            {"won": _count("deal.won"), "lost": _count("deal.lost")},
            "won / (won + lost)",
            unit="ratio",
            thresholds={"good": "0.3", "poor": "0.2"},
        ),
        _kpi(
            "lead_response_time",
            "Lead response time",
            CUSTOMERS,
            {"waited": {"aggregate": "median", "elapsed": _ANSWER}},
            "waited",
            unit="duration",
            direction="decrease",
            indicator="leading",
            description="Half of the leads waited less for the first call, e-mail or meeting by a human.",
        ),
        _answered_within(5),
        _answered_within(30),
    ]


def _kpi(
    key: str,
    name: str,
    category: str,
    measures: dict[str, Any],
    formula: str,
    *,
    unit: str = "count",
    direction: str = "increase",
    indicator: str = "lagging",
    **more: Any,
) -> dict[str, Any]:
    shape = {"measures": measures, "formula": formula, "unit": {"kind": unit}, "direction": direction}
    told = {"key": key, "name": name, "category": category, "indicator": indicator, "state": "official"}
    return {**told, **shape, **more}


def _count(event: str) -> dict[str, Any]:
    return {"aggregate": "count", "events": [event]}


def _answered_within(minutes: int) -> dict[str, Any]:
    return _kpi(
        f"lead_response_within_{minutes}_minutes",
        f"Leads answered within {minutes} minutes",
        CUSTOMERS,
        {"in_time": {"aggregate": "share_within", "within": f"PT{minutes}M", "elapsed": _ANSWER}},
        "in_time",
        unit="ratio",
        indicator="leading",
    )


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal: `owner` names a team or member, None the organization; from `decided_on` on it is known."""

    name: str
    owner: str | None
    kpi: str
    period: str
    target: str
    decided_on: date = date.min


@dataclass(frozen=True, slots=True)
class Revision:
    """Another target for a goal, from a day on."""

    goal: str
    target: str
    reason: str
    decided_on: date


def aims(best: str) -> list[Aim]:
    """The goals; `best` is the member who has some of their own."""
    spring, summer = date(2026, 3, 30), date(2026, 6, 29)
    return [
        Aim("Revenue of the year", None, "revenue_won", "2026", "2600000"),
        Aim("New customers of the year", None, "new_customers", "2026", "180"),
        Aim("Revenue, second quarter", None, "revenue_won", "2026-Q2", "700000", spring),
        Aim("Half of the leads within twenty minutes", None, "lead_response_time", "2026-Q2", "1200", spring),
        Aim("Win rate of the year", SALES, "win_rate_closed", "2026", "0.3"),
        Aim("North: revenue, second quarter", NORTH, "revenue_won", "2026-Q2", "330000", spring),
        Aim("South: revenue, second quarter", SOUTH, "revenue_won", "2026-Q2", "330000", spring),
        Aim("North: meetings in June", NORTH, "meetings_held", "2026-06", "60", date(2026, 5, 29)),
        Aim("North: calls in July", NORTH, "calls_made", "2026-07", "480", summer),
        Aim("South: calls in July", SOUTH, "calls_made", "2026-07", "430", summer),
        Aim("North: leads within thirty minutes", NORTH, "lead_response_within_30_minutes", "2026-Q3", "0.7", summer),
        Aim(f"{best}: revenue of the year", best, "revenue_won", "2026", "300000"),
        Aim(f"{best}: calls in July", best, "calls_made", "2026-07", "60", summer),
    ]


REVISIONS = (
    Revision("Revenue, second quarter", "640000", "A colleague left, and her customers need time.", date(2026, 5, 4)),
)
