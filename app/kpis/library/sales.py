"""What was sold, how much more than before, and how surely (K2, K3, K4)."""

from app.kpis.library.entries import Entry, Example, Roles
from app.kpis.library.words import COUNT, DURATION, MONEY, RATIO, count, event, selection, total

_WINS = (
    event("deal.won", "06-10 08:00", deal="D1", customer="C1", amount=400),
    event("deal.won", "07-10 08:00", deal="D2", customer="C1", amount=300),
    event("deal.won", "07-20 08:00", deal="D3", customer="C2", amount=200),
)
_CLOSER: Roles = ("closing", "team_leader")

ENTRIES = (
    Entry(
        key="revenue_won",
        name="Revenue won",
        description="Sales: the amounts of the deals won.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={"revenue": total("amount", "deal.won")},
        formula="revenue",
        roles=("closing", "customer_success", "team_leader"),
        method="Adds the amounts of the deals won in the window, in the currency of the question, by the day of the "
        "win. A deal that was reopened takes its amount back; shares of a deal are counted by the credits.",
        sources=("K2", "K3", "guides 000, 001, 003, 004"),
        if_missing="Deals need an amount and a currency (or the source a `currency`), and foreign ones exchange rates.",
        examples=(Example(arithmetic="July: 300 + 200 = 500 EUR.", events=_WINS, value="500"),),
    ),
    Entry(
        key="deals_won",
        name="Deals won",
        description="How many deals were won.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=COUNT,
        measures={"won": count("deal.won")},
        formula="won",
        roles=_CLOSER,
        method="Counts the deals won in the window; a deal that was shared counts by its shares.",
        sources=("K2", "guide 001"),
        if_missing="Connect the CRM that holds the deals, and name its won stages in the mapping.",
        examples=(Example(arithmetic="D2 and D3 were won in July: 2.", events=_WINS, value="2"),),
    ),
    Entry(
        key="revenue_growth",
        name="Revenue growth",
        description="How much more was sold than in the window before.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="kpi.revenue_won / previous(kpi.revenue_won) - 1",
        roles=("team_leader",),
        method="Revenue won divided by that of the window before (the month before a month), less 1: 0.1 is 10 % more.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing="It has no data until the window before has revenue: import past deals.",
        examples=(Example(arithmetic="July 500, June 400: 500 / 400 - 1 = 0.25.", events=_WINS, value="0.25"),),
    ),
    Entry(
        key="revenue_growth_on_last_year",
        name="Revenue growth on last year",
        description="How much more was sold than in the same window of last year.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="kpi.revenue_won / same_period_last_year(kpi.revenue_won) - 1",
        roles=("team_leader",),
        method="Revenue won divided by that of the same month, quarter or week a year before, less 1: seasons cancel "
        "out.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing="It has no data until there is revenue a year before: import past deals.",
        examples=(
            Example(
                arithmetic="July 2026 has 500, July 2025 had 625: 500 / 625 - 1 = -0.2.",
                events=(*_WINS, event("deal.won", "2025-07-10 08:00", deal="D0", customer="C9", amount=625)),
                value="-0.2",
            ),
        ),
    ),
    Entry(
        key="quota_attainment",
        name="Quota attainment",
        description="Revenue won as a share of the target for it.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="kpi.revenue_won / target(kpi.revenue_won)",
        roles=_CLOSER,
        method="Revenue won divided by the target that the same owner has for revenue won in the window (the goal of "
        "the window, else of its parts, else its part of a longer goal by working time). 1 is the whole quota.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing="Set a goal on `revenue_won` for the owner and period (`POST /v1/goals`).",
        thresholds={"good": "1"},
        examples=(
            Example(
                arithmetic="500 of 800 EUR: 500 / 800 = 0.625.",
                events=_WINS,
                goals=(
                    {
                        "name": "Revenue in July",
                        "owner": {"type": "organization"},
                        "kpi": "revenue_won",
                        "period": "2026-07",
                        "target": {"value": "800"},
                    },
                ),
                value="0.625",
            ),
        ),
    ),
    Entry(
        key="win_rate_closed",
        name="Win rate of closed deals",
        description="Of the deals that ended, how many were won.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={"won": count("deal.won"), "lost": count("deal.lost")},
        formula="won / (won + lost)",
        roles=_CLOSER,
        method="Deals won divided by deals won or lost in the window, whenever they had been opened. It needs lost "
        "deals to be closed as lost: where they are left open it looks better than it is.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing="Name the lost stages in the mapping of the source, and have lost deals closed.",
        examples=(
            Example(
                arithmetic="One won, three lost: 1 / (1 + 3) = 0.25.",
                events=(
                    event("deal.won", "07-01 08:00", deal="D1"),
                    event("deal.lost", "07-02 08:00", deal="D2"),
                    event("deal.lost", "07-03 08:00", deal="D3"),
                    event("deal.lost", "07-04 08:00", deal="D4"),
                ),
                value="0.25",
            ),
            Example(
                arithmetic="Nothing ended in July: there is no rate, which is not a rate of 0.",
                events=(event("deal.won", "06-01 08:00", deal="D1"),),
                value=None,
                status="no_data",
            ),
        ),
    ),
    Entry(
        key="opportunity_win_rate",
        name="Opportunity win rate",
        description="Sales divided by the opportunities of the same window.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={"sales": count("deal.won"), "opportunities": count("deal.created")},
        formula="sales / opportunities",
        roles=_CLOSER,
        method="Deals won in the window divided by deals opened in it, as the guide defines it: over windows much "
        "longer than the sales cycle. In short ones sales of older opportunities can make it exceed 1; "
        "`opportunity_win_rate_cohort` follows each opportunity instead.",
        sources=("K4", "guide 002"),
        if_missing="Connect the CRM that holds the deals: `deal.created` and `deal.won` events.",
        examples=(
            Example(
                arithmetic="Four opportunities opened in July, and one sale (of a deal opened in May): 1 / 4 = 0.25.",
                events=(
                    event("deal.created", "05-01 08:00", deal="D0"),
                    event("deal.created", "07-01 08:00", deal="D1"),
                    event("deal.created", "07-02 08:00", deal="D2"),
                    event("deal.created", "07-03 08:00", deal="D3"),
                    event("deal.created", "07-04 08:00", deal="D4"),
                    event("deal.won", "07-20 08:00", deal="D0"),
                ),
                value="0.25",
            ),
        ),
    ),
    Entry(
        key="opportunity_win_rate_cohort",
        name="Opportunity win rate by opening",
        description="Of the opportunities opened in the window, how many were won within half a year.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "won": {
                "aggregate": "conversion",
                "within": "P180D",
                "conversion": {"from": selection("deal.created"), "to": selection("deal.won"), "match": "deal"},
            }
        },
        formula="won",
        roles=_CLOSER,
        method="Follows each opportunity opened in the window: won within 180 days, also after the window, divided by "
        "all of them. `immature` until the 180 days have passed for all; set the limit to a length that most of your "
        "deals close in.",
        sources=("K4", "guide 002"),
        if_missing="Connect the CRM that holds the deals: `deal.created` and `deal.won` about the same `deal`.",
        examples=(
            Example(
                arithmetic="Opened in May: D1 won in July (60 days), D2 won after 200 days, D3 lost, D4 open: 1 / 4.",
                events=(
                    event("deal.created", "05-04 08:00", deal="D1"),
                    event("deal.created", "05-05 08:00", deal="D2"),
                    event("deal.created", "05-06 08:00", deal="D3"),
                    event("deal.created", "05-07 08:00", deal="D4"),
                    event("deal.won", "07-03 08:00", deal="D1"),
                    event("deal.won", "11-21 08:00", deal="D2"),
                    event("deal.lost", "06-01 08:00", deal="D3"),
                ),
                period="2026-05",
                value="0.25",
            ),
            Example(
                arithmetic="On 1 September the 180 days have not passed for any deal of July: 1 of 2 so far, immature.",
                events=(
                    event("deal.created", "07-04 08:00", deal="D1"),
                    event("deal.created", "07-05 08:00", deal="D2"),
                    event("deal.won", "08-03 08:00", deal="D1"),
                ),
                as_of="2026-09-01T10:00:00Z",
                value="0.5",
                status="immature",
            ),
        ),
    ),
    Entry(
        key="average_deal_size",
        name="Average deal size",
        description="What a deal won is worth on average.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={"size": {"aggregate": "avg", "value": "amount", "events": ["deal.won"]}},
        formula="size",
        roles=_CLOSER,
        method="The mean amount of the deals won in the window; deals without an amount are not in it.",
        sources=("K3", "guides 000, 003, 004"),
        if_missing="Deals need an amount and a currency (or the source a `currency`), and foreign ones exchange rates.",
        examples=(Example(arithmetic="(300 + 200) / 2 = 250 EUR.", events=_WINS, value="250"),),
    ),
    Entry(
        key="sales_cycle",
        name="Sales cycle",
        description="Half of the deals won took less time from opening to win.",
        category="sales_results",
        indicator="lagging",
        direction="decrease",
        unit=DURATION,
        measures={
            "cycle": {
                "aggregate": "median",
                "elapsed": {
                    "from": selection("deal.created"),
                    "to": selection("deal.won"),
                    "match": "deal",
                    "dated_by": "end",
                },
            }
        },
        formula="cycle",
        roles=_CLOSER,
        method="The median time from `deal.created` to `deal.won` of the deals won in the window, in seconds of the "
        "wall clock.",
        sources=("K9", "guide 002"),
        if_missing="Connect the CRM that holds the deals: `deal.created` and `deal.won` about the same `deal`.",
        examples=(
            Example(
                arithmetic="10, 20 and 60 days: the one in the middle is 20 days = 1,728,000 seconds.",
                events=(
                    event("deal.created", "07-01 08:00", deal="D1"),
                    event("deal.won", "07-11 08:00", deal="D1"),
                    event("deal.created", "07-02 08:00", deal="D2"),
                    event("deal.won", "07-22 08:00", deal="D2"),
                    event("deal.created", "05-20 08:00", deal="D3"),
                    event("deal.won", "07-19 08:00", deal="D3"),
                    event("deal.created", "07-03 08:00", deal="D4"),
                ),
                value="1728000",
            ),
        ),
    ),
)
