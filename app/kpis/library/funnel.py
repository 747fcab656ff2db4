"""Where prospects drop out, and how many come to the end (K3, K9)."""

from itertools import pairwise

from app.kpis.library.entries import Entry, Example, Json, Roles
from app.kpis.library.words import COUNT, DURATION, RATIO, event, selection

_STEPS = (
    {"name": "lead", "events": ["lead.created"]},
    {"name": "qualified", "events": ["lead.qualified"]},
    {"name": "opportunity", "events": ["lead.converted", "deal.created"]},
    {"name": "offer", "events": ["quote.sent"]},
    {"name": "won", "events": ["deal.won"]},
)
_NAMES = tuple(str(step["name"]) for step in _STEPS)
_LIMIT = "P180D"
_NEEDS = (
    "The events of every step have to name the lead (`about.lead`): in a CRM, deals and offers that are associated "
    "with their lead."
)
# L1 goes all the way, L2 until the offer, L3 is an opportunity that nobody marked as qualified, L4 and L5 only come in.
_LEADS = (
    event("lead.created", "05-04 08:00", lead="L1"),
    event("lead.qualified", "05-05 08:00", lead="L1"),
    event("lead.converted", "05-06 08:00", lead="L1"),
    event("quote.sent", "05-07 08:00", lead="L1"),
    event("deal.won", "06-08 08:00", lead="L1", deal="D1"),
    event("lead.created", "05-04 09:00", lead="L2"),
    event("lead.qualified", "05-05 09:00", lead="L2"),
    event("deal.created", "05-06 09:00", lead="L2", deal="D2"),
    event("quote.sent", "05-07 09:00", lead="L2"),
    event("lead.created", "05-04 10:00", lead="L3"),
    event("lead.converted", "05-06 10:00", lead="L3"),
    event("lead.created", "05-04 11:00", lead="L4"),
    event("lead.created", "05-04 12:00", lead="L5"),
)
_REACHED = {"lead": 5, "qualified": 3, "opportunity": 3, "offer": 2, "won": 1}
_ROLES: dict[str, Roles] = {
    "qualified": ("prospecting", "qualifying"),
    "opportunity": ("qualifying",),
    "offer": ("closing",),
}


def _funnel(reached: str, base: str = "lead") -> Json:
    funnel = {"steps": list(_STEPS), "match": "lead", "reached": reached, "base": base}
    return {"aggregate": "conversion", "within": _LIMIT, "funnel": funnel}


def _share(above: int, below: int) -> str:
    return {(3, 5): "0.6", (3, 3): "1", (2, 3): "0.666666666666667", (1, 2): "0.5"}[above, below]


def _less(above: int, below: int) -> str:
    return {(3, 5): "0.4", (3, 3): "0", (2, 3): "0.333333333333333", (1, 2): "0.5"}[above, below]


def _passed(base: str, reached: str) -> Entry:
    above, below = _REACHED[reached], _REACHED[base]
    return Entry(
        key=f"funnel_{base}_to_{reached}",
        name=f"Funnel: from {base} to {reached}",
        description=f"Of the leads that came to the step '{base}', how many came to '{reached}'.",
        category="sales_results",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={"passed": _funnel(reached, base)},
        formula="passed",
        roles=_ROLES.get(reached, ("closing", "team_leader")),
        method="Follows the leads that came in within the window through the steps lead, qualified, opportunity, "
        f"offer, won for 180 days: those that reached '{reached}' divided by those that reached '{base}'. Whoever "
        "reached a later step passed those before. `immature` until the 180 days have passed for all.",
        sources=("K9", "guide 002"),
        if_missing=_NEEDS,
        examples=(
            Example(
                arithmetic=f"Of the five leads {below} came to '{base}', {above} to '{reached}': {above} / {below}.",
                events=_LEADS,
                period="2026-05",
                value=_share(above, below),
            ),
        ),
    )


def _dropped(base: str, reached: str) -> Entry:
    above, below = _REACHED[reached], _REACHED[base]
    return Entry(
        key=f"funnel_drop_out_before_{reached}",
        name=f"Funnel: lost between {base} and {reached}",
        description=f"Of the leads that came to the step '{base}', how many never came to '{reached}'.",
        category="sales_results",
        indicator="leading",
        direction="decrease",
        unit=RATIO,
        measures={},
        formula=f"1 - kpi.funnel_{base}_to_{reached}",
        roles=_ROLES.get(reached, ("closing", "team_leader")),
        method=f"1 less the conversion from '{base}' to '{reached}': the step with the largest is where prospects drop "
        "out.",
        sources=("K9", "guide 002"),
        if_missing=_NEEDS,
        examples=(
            Example(
                arithmetic=f"{below - above} of {below} did not go on: 1 - {above} / {below}.",
                events=_LEADS,
                period="2026-05",
                value=_less(above, below),
            ),
        ),
    )


_PAIRS = tuple(pairwise(_NAMES))
_ENGAGED = selection(
    "call.made",
    "call.received",
    "email.sent",
    "email.received",
    "meeting.held",
    where="not (properties.automated == true)",
)
_TALKS = (
    event("email.sent", "05-04 08:00", customer="C1", automated=True),
    event("call.made", "05-05 08:00", customer="C1"),
    event("meeting.held", "05-06 08:00", customer="C1"),
    event("deal.won", "06-04 08:00", customer="C1", deal="D1"),
    event("email.received", "05-11 08:00", customer="C2"),
    event("deal.won", "05-21 08:00", customer="C2", deal="D2"),
    event("call.made", "05-12 08:00", customer="C3"),
    event("deal.won", "11-28 08:00", customer="C3", deal="D3"),
    event("call.made", "05-13 08:00", customer="C4"),
)
_NEEDS_CUSTOMER = "Activities and deals have to name the customer (`about.customer`): associate both with companies."

ENTRIES = (
    Entry(
        key="lead_conversion_rate",
        name="Lead conversion rate",
        description="Of the leads that came in, how many became a deal won within half a year.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "won": {
                "aggregate": "conversion",
                "within": _LIMIT,
                "conversion": {"from": selection("lead.created"), "to": selection("deal.won"), "match": "lead"},
            }
        },
        formula="won",
        roles=("prospecting", "qualifying", "team_leader"),
        method="Follows each lead that came in within the window: a deal won about it within 180 days, also after the "
        "window, divided by all of them. `immature` until the 180 days have passed for all.",
        sources=("K3", "K9", "guides 000, 003, 004"),
        if_missing=_NEEDS,
        examples=(
            Example(arithmetic="L1 of five leads was won: 1 / 5 = 0.2.", events=_LEADS, period="2026-05", value="0.2"),
        ),
    ),
    Entry(
        key="leads_won",
        name="Leads won",
        description="How many of the leads that came in became a deal won within half a year.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=COUNT,
        measures={
            "won": {
                "aggregate": "count",
                "within": _LIMIT,
                "funnel": {"steps": list(_STEPS), "match": "lead", "reached": "won"},
            }
        },
        formula="won",
        roles=("prospecting", "qualifying", "team_leader"),
        method="Counts the leads of the window that came to the end of the funnel within 180 days.",
        sources=("K9", "guide 002"),
        if_missing=_NEEDS,
        examples=(Example(arithmetic="L1 was won: 1.", events=_LEADS, period="2026-05", value="1"),),
    ),
    *[_passed(base, reached) for base, reached in _PAIRS],
    *[_dropped(base, reached) for base, reached in _PAIRS],
    Entry(
        key="engagement_to_won_rate",
        name="From first engagement to closed business",
        description="Of the customers first spoken or written to in the window, how many bought within half a year.",
        category="sales_results",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "won": {
                "aggregate": "conversion",
                "within": _LIMIT,
                "conversion": {"from": _ENGAGED, "to": selection("deal.won"), "match": "customer"},
            }
        },
        formula="won",
        roles=("closing", "team_leader"),
        method="Follows each customer whose first call, e-mail or meeting ever with humans was in the window: a deal "
        "won within 180 days, divided by all of them. `immature` until the 180 days have passed for all.",
        sources=("K9", "guide 002"),
        if_missing=_NEEDS_CUSTOMER,
        examples=(
            Example(
                arithmetic="C1 and C2 bought within 180 days, C3 after 200, C4 never: 2 / 4 = 0.5.",
                events=_TALKS,
                period="2026-05",
                value="0.5",
            ),
        ),
    ),
    Entry(
        key="engagement_to_won_time",
        name="Time from first engagement to closed business",
        description="Half of the customers bought sooner after the first call, e-mail or meeting.",
        category="sales_results",
        indicator="lagging",
        direction="decrease",
        unit=DURATION,
        measures={
            "time": {
                "aggregate": "median",
                "elapsed": {"from": _ENGAGED, "to": selection("deal.won"), "match": "customer"},
            }
        },
        formula="time",
        roles=("closing", "team_leader"),
        method="The median time from the first call, e-mail or meeting ever with a customer, within the window and by "
        "humans, to the first deal won after it. Customers who have not bought are told beside it as open.",
        sources=("K9", "guide 002"),
        if_missing=_NEEDS_CUSTOMER,
        examples=(
            Example(
                arithmetic="C1 took 30 days, C2 10, C3 200, C4 is open: the middle is 30 days = 2,592,000 seconds.",
                events=_TALKS,
                period="2026-05",
                value="2592000",
            ),
        ),
    ),
)
