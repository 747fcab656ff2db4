"""What people do: calls, meetings, leads, and the time they spend selling (K1, K6)."""

from app.kpis.library.entries import Entry, Example
from app.kpis.library.words import COUNT, MONEY, RATIO, count, event, total

ENTRIES = (
    Entry(
        key="calls_made",
        name="Calls made",
        description="Every call out, answered or not.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        measures={"calls": count("call.made")},
        formula="calls",
        roles=("prospecting", "qualifying", "closing"),
        method="Counts the calls made in the window, each for whoever made it. Calls by machines count only where the "
        "CRM says that somebody made them: filter by `properties.automated` to leave them out.",
        sources=("K1", "guide 001"),
        if_missing="Connect the telephone system or the CRM that logs calls, or post `call.made` events.",
        examples=(
            Example(
                arithmetic="Two calls on 2 July and one on 3 July are 3; the one on 3 August lies outside July.",
                events=(
                    event("call.made", "07-02 08:00", by="ana"),
                    event("call.made", "07-02 09:00", by="bo", connected=False),
                    event("call.made", "07-03 08:00", by="ana"),
                    event("call.made", "08-03 08:00", by="ana"),
                ),
                value="3",
            ),
        ),
    ),
    Entry(
        key="call_connect_rate",
        name="Share of calls answered",
        description="How many of the calls made reached somebody.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={
            "answered": count("call.made", where="properties.connected == true"),
            "calls": count("call.made", where="has(properties.connected)"),
        },
        formula="answered / calls",
        roles=("prospecting", "qualifying"),
        method="Calls with `connected` true, divided by the calls that say whether they were answered.",
        sources=("K8", "guide 002"),
        if_missing="The telephone system or CRM has to say `connected` of its calls (in HubSpot: the dispositions).",
        examples=(
            Example(
                arithmetic="Of the three calls that tell it one was answered: 1 / 3; the fourth does not tell.",
                events=(
                    event("call.made", "07-02 08:00", connected=True),
                    event("call.made", "07-02 09:00", connected=False),
                    event("call.made", "07-03 08:00", connected=False),
                    event("call.made", "07-03 09:00"),
                ),
                value="0.333333333333333",
            ),
        ),
    ),
    Entry(
        key="meetings_held",
        name="Meetings held",
        description="Meetings with people outside that took place.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        measures={"meetings": count("meeting.held", where="not (properties.internal == true)")},
        formula="meetings",
        roles=("qualifying", "closing", "customer_success"),
        method="Counts the meetings that ended in the window, neither canceled nor missed. Those marked "
        "`internal` are left out.",
        sources=("K1", "guide 001"),
        if_missing="Connect the calendar or CRM that knows meetings, or post `meeting.held` events.",
        examples=(
            Example(
                arithmetic="Two meetings with customers; the internal one does not count: 2.",
                events=(
                    event("meeting.held", "07-02 08:00", by="ana"),
                    event("meeting.held", "07-09 08:00", by="ana", internal=False),
                    event("meeting.held", "07-10 08:00", by="ana", internal=True),
                ),
                value="2",
            ),
        ),
    ),
    Entry(
        key="leads_generated",
        name="Leads generated",
        description="New leads, of any value.",
        category="sales_results",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        measures={"leads": count("lead.created")},
        formula="leads",
        roles=("prospecting",),
        method="Counts the leads that came in, each for whom it belongs to. Where the CRM tells who found a lead in a "
        "role of its own, set `role` of the measure to it.",
        sources=("K1", "guide 001"),
        if_missing="Say in the mapping of the source what a lead is (`lead_object`), or post `lead.created` events.",
        examples=(
            Example(
                arithmetic="L1 and L2 came in July, L3 in June: 2.",
                events=(
                    event("lead.created", "07-02 08:00", lead="L1"),
                    event("lead.created", "07-03 08:00", lead="L2"),
                    event("lead.created", "06-30 08:00", lead="L3"),
                ),
                value="2",
            ),
        ),
    ),
    Entry(
        key="lead_value_generated",
        name="Value of leads generated",
        description="What the new leads are thought to be worth.",
        category="sales_results",
        indicator="leading",
        direction="increase",
        unit=MONEY,
        measures={"value": total("amount", "lead.created")},
        formula="value",
        roles=("prospecting",),
        method="Adds the amounts of the leads that came in. A lead without an amount adds nothing; one in a currency "
        "without a rate is left out and told.",
        sources=("K1", "guide 001"),
        if_missing="Leads need an amount: the lead's value in the CRM, or `amount` of `lead.created` events.",
        examples=(
            Example(
                arithmetic="1,200 EUR and 800 EUR are 2,000 EUR; the lead without an amount adds nothing.",
                events=(
                    event("lead.created", "07-02 08:00", lead="L1", amount=1200),
                    event("lead.created", "07-03 08:00", lead="L2", amount=800),
                    event("lead.created", "07-04 08:00", lead="L3"),
                ),
                value="2000",
            ),
        ),
    ),
)
