"""Customers: won, kept, lost, coming back, and being in touch with them (K2, K3, K10, V7)."""

from app.kpis.library.entries import Entry, Example, Roles
from app.kpis.library.words import COUNT, MONEY, RATIO, count, distinct, event, selection, total

_CUSTOMERS = {
    "from": selection("deal.won"),
    "to": selection("customer.churned"),
    "match": "customer",
    "repeat": "each",
}
_AT_START = {"aggregate": "count", "open_at": {**_CUSTOMERS, "at": "start"}}
_AT_END = {"aggregate": "count", "open_at": {**_CUSTOMERS, "at": "end"}}
_FIRSTS = count("deal.won", where="nth(customer) == 1")
_NEEDS_CUSTOMERS = "Deals won have to name their customer (`about.customer`): in a CRM, the company of the deal."
_NEEDS_CHURN = (
    "Post `customer.churned` when a customer leaves (from the subscription or support system): without it nobody ever "
    "left, and only the repurchase rate tells who stays away."
)
_KEEPER: Roles = ("customer_success", "team_leader")
_WINS = (
    event("deal.won", "05-04 08:00", deal="D1", customer="C1", amount=100),
    event("deal.won", "07-06 08:00", deal="D2", customer="C1", amount=200),
    event("deal.won", "07-07 08:00", deal="D3", customer="C2", amount=400),
    event("deal.won", "07-08 08:00", deal="D4", customer="C2", amount=50),
    event("deal.won", "07-09 08:00", deal="D5", customer="C3", amount=800),
)
_COMING_AND_GOING = (
    event("deal.won", "05-04 08:00", customer="C1", deal="D1"),
    event("deal.won", "05-05 08:00", customer="C2", deal="D2"),
    event("deal.won", "06-06 08:00", customer="C3", deal="D3"),
    event("deal.won", "06-07 08:00", customer="C4", deal="D4"),
    event("deal.won", "07-08 08:00", customer="C4", deal="D5"),
    event("customer.churned", "07-10 08:00", customer="C1"),
    event("deal.won", "07-12 08:00", customer="C5", deal="D6"),
)

ENTRIES = (
    Entry(
        key="new_customers",
        name="New customers",
        description="Customers who bought for the first time.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=COUNT,
        measures={"firsts": _FIRSTS},
        formula="firsts",
        roles=("closing", "team_leader"),
        method="Counts the deals won that were the first ever of their customer.",
        sources=("K2", "guide 001"),
        if_missing=_NEEDS_CUSTOMERS + " Import past deals too, else old customers look new.",
        examples=(
            Example(arithmetic="C2 and C3 bought for the first time in July, C1 in May: 2.", events=_WINS, value="2"),
        ),
    ),
    Entry(
        key="revenue_new_customers",
        name="Sales to new customers",
        description="Revenue of the first deals of customers.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={"revenue": total("amount", "deal.won", where="nth(customer) == 1")},
        formula="revenue",
        roles=("closing", "team_leader"),
        method="Adds the amounts of the deals won that were the first ever of their customer.",
        sources=("K2", "guide 001"),
        if_missing=_NEEDS_CUSTOMERS + " Import past deals too, else old customers look new.",
        examples=(
            Example(arithmetic="The first deals of C2 and C3: 400 + 800 = 1,200 EUR.", events=_WINS, value="1200"),
        ),
    ),
    Entry(
        key="revenue_existing_customers",
        name="Sales to existing customers",
        description="Revenue of customers who had bought before.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={"revenue": total("amount", "deal.won", where="nth(customer) > 1")},
        formula="revenue",
        roles=("customer_success", "closing", "team_leader"),
        method="Adds the amounts of the deals won that were their customer's second or later. Deals without a customer "
        "are neither here nor in the sales to new customers.",
        sources=("K2", "guide 001"),
        if_missing=_NEEDS_CUSTOMERS + " Import past deals too, else old customers look new.",
        examples=(Example(arithmetic="The second deals of C1 and C2: 200 + 50 = 250 EUR.", events=_WINS, value="250"),),
    ),
    Entry(
        key="active_customers",
        name="Customers",
        description="Customers at the end of the window: they have bought, and have not left since.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=COUNT,
        measures={"customers": _AT_END},
        formula="customers",
        roles=_KEEPER,
        method="Counts the customers with a deal won and no `customer.churned` after it by the end of the window; one "
        "that buys again after leaving is back.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing=_NEEDS_CUSTOMERS + " " + _NEEDS_CHURN,
        examples=(Example(arithmetic="C1 to C5 have bought, C1 has left: 4.", events=_COMING_AND_GOING, value="4"),),
    ),
    Entry(
        key="customer_acquisition_rate",
        name="Customer acquisition rate",
        description="New customers for each customer there was at the start.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={"gained": _FIRSTS, "customers": _AT_START},
        formula="gained / customers",
        roles=("closing", "team_leader"),
        method="New customers of the window divided by the customers at its start: beside the churn rate it tells "
        "whether the customers grow. How many leads become customers is `lead_conversion_rate`.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing=_NEEDS_CUSTOMERS,
        examples=(
            Example(
                arithmetic="C1 to C4 were customers on 1 July, C5 came: 1 / 4 = 0.25.",
                events=_COMING_AND_GOING,
                value="0.25",
            ),
        ),
    ),
    Entry(
        key="customer_retention_rate",
        name="Customer retention rate",
        description="How many of the customers at the start were still there at the end.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={"at_end": _AT_END, "gained": _FIRSTS, "at_start": _AT_START},
        formula="(at_end - gained) / at_start",
        roles=_KEEPER,
        method="Customers at the end less the new ones, divided by the customers at the start: the usual formula. One "
        "who left and came back in the window was retained, and one who came and left within it counts as lost.",
        sources=("K3", "K10", "guides 000, 003, 004"),
        if_missing=_NEEDS_CHURN,
        examples=(
            Example(
                arithmetic="4 at the end, 1 of them new, 4 at the start: (4 - 1) / 4 = 0.75.",
                events=_COMING_AND_GOING,
                value="0.75",
            ),
        ),
    ),
    Entry(
        key="customer_churn_rate",
        name="Customer churn rate",
        description="How many of the customers at the start left.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="decrease",
        unit=RATIO,
        measures={"left": distinct("customer", "customer.churned"), "at_start": _AT_START},
        formula="left / at_start",
        roles=_KEEPER,
        method="Customers who left in the window, each once, divided by the customers at its start.",
        sources=("K3", "K10", "guides 000, 003, 004"),
        if_missing=_NEEDS_CHURN,
        examples=(Example(arithmetic="C1 of four left: 1 / 4 = 0.25.", events=_COMING_AND_GOING, value="0.25"),),
    ),
    Entry(
        key="repeat_customers",
        name="Repeat customers",
        description="Customers who bought for the second or a later time.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=COUNT,
        measures={"customers": distinct("customer", "deal.won", where="nth(customer) > 1")},
        formula="customers",
        roles=_KEEPER,
        method="Counts the different customers with a deal won in the window that was not their first ever.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing=_NEEDS_CUSTOMERS + " Import past deals too, else old customers look new.",
        examples=(Example(arithmetic="C1 and C2 bought again in July: 2.", events=_WINS, value="2"),),
    ),
    Entry(
        key="repurchase_rate",
        name="Repurchase rate",
        description="Of the customers who bought first in the window, how many bought again within 90 days.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "again": {
                "aggregate": "conversion",
                "within": "P90D",
                "conversion": {"from": selection("deal.won"), "to": selection("deal.won"), "match": "customer"},
            }
        },
        formula="again",
        roles=_KEEPER,
        method="Follows each customer whose first deal was won in the window: another one within 90 days, also after "
        "the window, divided by all of them. `immature` until the 90 days have passed for all.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing=_NEEDS_CUSTOMERS,
        examples=(
            Example(
                arithmetic="X bought on 1 and 20 May, Y on 3 May only: 1 / 2 = 0.5.",
                events=(
                    event("deal.won", "05-01 08:00", customer="X", deal="D1"),
                    event("deal.won", "05-20 08:00", customer="X", deal="D2"),
                    event("deal.won", "05-03 08:00", customer="Y", deal="D3"),
                ),
                period="2026-05",
                value="0.5",
            ),
        ),
    ),
    Entry(
        key="customer_loyalty_rate",
        name="Customer loyalty",
        description="Of the customers who bought in the last 12 months, how many had bought before.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "loyal": distinct("customer", "deal.won", where="nth(customer) > 1", over="P12M"),
            "buyers": distinct("customer", "deal.won", over="P12M"),
        },
        formula="loyal / buyers",
        roles=_KEEPER,
        method="Over the 12 months that end with the window: the customers with a deal that was not their first ever, "
        "divided by all who bought.",
        sources=("K10", "guides 000, 003, 004"),
        if_missing=_NEEDS_CUSTOMERS + " Import past deals too, else old customers look new.",
        examples=(
            Example(arithmetic="C1 and C2 of C1, C2, C3 bought again: 2 / 3.", events=_WINS, value="0.666666666666667"),
            Example(
                arithmetic="From August 2026 to July 2027 nobody bought: there is no rate.",
                events=_WINS,
                as_of="2027-08-01T10:00:00Z",
                period="2027-07",
                value=None,
                status="no_data",
            ),
        ),
    ),
    Entry(
        key="customer_contact_rate",
        name="Customers contacted",
        description="How many of the customers were in touch with us in the last 90 days.",
        category="customer_satisfaction",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={
            "contacted": distinct(
                "customer",
                "call.made",
                "call.received",
                "email.sent",
                "email.received",
                "meeting.held",
                where="not (properties.automated == true)",
                over="P90D",
            ),
            "customers": _AT_END,
        },
        formula="min(contacted / customers, 1)",
        roles=_KEEPER,
        method="Different customers with a call, e-mail or meeting by humans in the 90 days that end with the window, "
        "divided by the customers at its end; at most 1, since those who are no customers yet are contacted too.",
        sources=("V7", "guides 002, 003"),
        if_missing="Activities have to name the customer (`about.customer`): associate them with companies in the CRM.",
        examples=(
            Example(
                arithmetic="Of C2 to C5 two were in touch since 3 May; the mail to C4 was a machine's: 2 / 4.",
                events=(
                    *_COMING_AND_GOING,
                    event("call.made", "07-01 08:00", customer="C2"),
                    event("call.made", "07-02 08:00", customer="C2"),
                    event("email.received", "06-01 08:00", customer="C3"),
                    event("email.sent", "07-03 08:00", customer="C4", automated=True),
                    event("meeting.held", "04-30 08:00", customer="C5"),
                ),
                value="0.5",
            ),
        ),
    ),
)
