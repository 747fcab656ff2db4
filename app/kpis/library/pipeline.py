"""What is still open, and whether it is enough (K3, K13: planning)."""

from app.kpis.library.entries import Entry, Example
from app.kpis.library.words import COUNT, MONEY, RATIO, event, selection

_OPEN = {
    "from": selection("deal.created", "deal.stage_entered"),
    "to": selection("deal.won", "deal.lost"),
    "match": "deal",
}
_DEALS = (
    event("deal.created", "07-05 08:00", deal="D1", amount=1000),
    event("deal.won", "07-20 08:00", deal="D1", amount=1000),
    event("deal.created", "06-06 08:00", deal="D2", amount=500),
    event("deal.stage_entered", "07-25 08:00", deal="D2", amount=700, stage="offer"),
    event("deal.created", "06-20 08:00", deal="D3", amount=800),
    event("deal.lost", "08-02 08:00", deal="D3"),
)
_NEEDS_DEALS = "Connect the CRM that holds the deals, with amounts; name its won and lost stages in the mapping."

ENTRIES = (
    Entry(
        key="open_deals",
        name="Open deals",
        description="Deals that are neither won nor lost at the end of the window.",
        category="planning",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        measures={"deals": {"aggregate": "count", "open_at": {**_OPEN, "at": "end"}}},
        formula="deals",
        roles=("qualifying", "closing", "team_leader"),
        method="Counts the deals opened and neither won nor lost by the end of the window (now, while it runs).",
        sources=("K3", "K13", "guide 000"),
        if_missing=_NEEDS_DEALS,
        examples=(
            Example(
                arithmetic="At the end of July D1 is won; D2 is open, and D3 until it is lost on 2 August: 2.",
                events=_DEALS,
                value="2",
            ),
        ),
    ),
    Entry(
        key="pipeline_value",
        name="Pipeline value",
        description="What the deals are worth that are open at the end of the window.",
        category="planning",
        indicator="leading",
        direction="increase",
        unit=MONEY,
        measures={"value": {"aggregate": "sum", "value": "amount", "open_at": {**_OPEN, "at": "end"}}},
        formula="value",
        roles=("qualifying", "closing", "team_leader"),
        method="Adds the latest amount of each deal that is open at the end of the window (now, while it runs), "
        "unweighted.",
        sources=("K3", "K13", "guide 000"),
        if_missing=_NEEDS_DEALS,
        examples=(
            Example(
                arithmetic="D2 has had 700 since 25 July, D3 800: 700 + 800 = 1,500 EUR.", events=_DEALS, value="1500"
            ),
        ),
    ),
    Entry(
        key="pipeline_coverage",
        name="Pipeline coverage",
        description="How many times the open deals at the beginning of the window cover its revenue target.",
        category="planning",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        display={"as_percent": False, "decimals": 1},
        measures={"open": {"aggregate": "sum", "value": "amount", "open_at": {**_OPEN, "at": "start"}}},
        formula="open / target(kpi.revenue_won)",
        roles=("closing", "team_leader"),
        method="The value of the deals open at the start of the window, divided by the target for revenue won in it.",
        sources=("K3", "K13", "guide 000"),
        if_missing="Set a goal on `revenue_won` for the owner and period, and connect the CRM that holds the deals.",
        examples=(
            Example(
                arithmetic="On 1 July D2 (then 500) and D3 (800) are open: 1,300 EUR for a target of 650: 2.",
                events=_DEALS,
                goals=(
                    {
                        "name": "Revenue in July",
                        "owner": {"type": "organization"},
                        "kpi": "revenue_won",
                        "period": "2026-07",
                        "target": {"value": "650"},
                    },
                ),
                value="2",
            ),
        ),
    ),
)
