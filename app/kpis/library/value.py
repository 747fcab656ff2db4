"""What customers cost and bring (K7)."""

from app.kpis.library.entries import Entry, Example
from app.kpis.library.words import MONEY, RATIO, count, distinct, event, selection, total

_SPENT = (
    event("cost.recorded", "07-01 08:00", id="ads", amount=900, segment="smb"),
    event("cost.recorded", "07-15 08:00", id="fair", amount=600, segment="enterprise"),
    event("cost.recorded", "08-01 08:00", id="later", amount=500, segment="smb"),
    event("deal.won", "07-10 08:00", deal="D1", customer="C1", amount=100, segment="smb"),
    event("deal.won", "07-11 08:00", deal="D2", customer="C2", amount=100, segment="smb"),
    event("deal.won", "07-12 08:00", deal="D3", customer="C2", amount=100, segment="smb"),
    event("deal.won", "07-13 08:00", deal="D4", customer="C3", amount=100, segment="enterprise"),
)
_LIVES = (
    event("deal.won", "2025-09-10 08:00", deal="D1", customer="C1", amount=400),
    event("deal.won", "03-10 08:00", deal="D2", customer="C2", amount=400),
    event("deal.won", "07-10 08:00", deal="D3", customer="C3", amount=400),
    event("customer.churned", "06-15 08:00", customer="C1"),
)
_REVENUE = total("amount", "deal.won", where="has(customer)", over="P12M")
_LOST = distinct("customer", "customer.churned", over="P12M")
_CUSTOMERS = {
    "aggregate": "count",
    "open_at": {
        "from": selection("deal.won"),
        "to": selection("customer.churned"),
        "match": "customer",
        "repeat": "each",
        "at": "end",
    },
}
_NEEDS = (
    "Deals won need an amount and a customer, and `customer.churned` has to be posted when one leaves; until somebody "
    "has left in 12 months there is no data: look at `customer_value_to_date`."
)

ENTRIES = (
    Entry(
        key="customer_acquisition_cost",
        name="Customer acquisition cost",
        description="What it cost to win one new customer.",
        category="sales_results",
        indicator="lagging",
        direction="decrease",
        unit=MONEY,
        measures={
            "cost": total("amount", "cost.recorded"),
            "customers": count("deal.won", where="nth(customer) == 1"),
        },
        formula="cost / customers",
        roles=("team_leader",),
        method="The costs of sales and marketing of the window divided by its new customers. Costs belong to nobody, "
        "so ask for the organization; for segments group by a property that both the costs and the deals have, such as "
        "`properties.segment`: costs without one stand in the group of none.",
        sources=("K7", "guide 002"),
        if_missing="Post what was spent as `cost.recorded` with an amount (salaries, advertising, fairs), with the "
        "property `segment` where it belongs to one, and give deals the same property in the mapping.",
        examples=(
            Example(
                arithmetic="July: 900 + 600 = 1,500 EUR for the customers C1, C2, C3: 1,500 / 3 = 500.",
                events=_SPENT,
                value="500",
            ),
            Example(
                arithmetic="The segment smb: 900 EUR for C1 and C2: 450.",
                events=_SPENT,
                group_by={"property": "properties.segment"},
                group="smb",
                value="450",
            ),
            Example(
                arithmetic="The segment enterprise: 600 EUR for C3: 600.",
                events=_SPENT,
                group_by={"property": "properties.segment"},
                group="enterprise",
                value="600",
            ),
        ),
    ),
    Entry(
        key="customer_lifetime_value",
        name="Customer lifetime value",
        description="The revenue that a customer brings before leaving, at the rates of the last 12 months.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={"revenue": _REVENUE, "lost": _LOST, "customers": _CUSTOMERS},
        formula="(revenue / customers) / (lost / customers)",
        roles=("customer_success", "team_leader"),
        method="Revenue per customer and year, divided by the share of customers who leave in a year (1 divided by it "
        "is how long a customer stays), both over the 12 months that end with the window and by the customers at its "
        "end. It is revenue, not margin.",
        sources=("K7", "guide 002"),
        if_missing=_NEEDS,
        examples=(
            Example(
                arithmetic="At the end of July: 1,200 EUR by 2 customers (C2, C3) are 600 a year; 1 lost by 2 is 0.5: "
                "600 / 0.5 = 1,200.",
                events=_LIVES,
                value="1200",
            ),
            Example(
                arithmetic="At the end of May nobody had left: no data.",
                events=_LIVES,
                period="2026-05",
                value=None,
                status="no_data",
            ),
        ),
    ),
    Entry(
        key="customer_lifetime_value_trend",
        name="Trend of customer lifetime value",
        description="How much the customer lifetime value has changed since the window before.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="kpi.customer_lifetime_value / previous(kpi.customer_lifetime_value) - 1",
        roles=("customer_success", "team_leader"),
        method="The customer lifetime value at the end of the window divided by that at the end of the one before, "
        "less 1.",
        sources=("K7", "guide 002"),
        if_missing=_NEEDS,
        examples=(
            Example(
                arithmetic="July 1,200 (see there); June 800 EUR by 1 customer, 1 lost: 800. 1,200 / 800 - 1 = 0.5.",
                events=_LIVES,
                value="0.5",
            ),
        ),
    ),
    Entry(
        key="customer_value_to_date",
        name="Customer value to date",
        description="What a customer has brought so far, on average.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={
            "revenue": total("amount", "deal.won", where="has(customer)", over="P10Y"),
            "customers": distinct("customer", "deal.won", over="P10Y"),
        },
        formula="revenue / customers",
        roles=("customer_success", "team_leader"),
        method="All revenue of the ten years that end with the window, divided by the different customers who bought "
        "in them, those who left too. It needs no `customer.churned`.",
        sources=("K7", "guide 002"),
        if_missing="Deals won need an amount and a customer; import past deals.",
        examples=(
            Example(
                arithmetic="Until the end of July 400 + 400 + 400 by C1, C2, C3: 1,200 / 3 = 400.",
                events=_LIVES,
                value="400",
            ),
        ),
    ),
)
