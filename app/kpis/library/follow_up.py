"""How persistently leads and deals are followed up (K8)."""

from app.kpis.library.entries import Entry, Example, Json
from app.kpis.library.words import (
    BY_HUMANS,
    COUNT,
    HUMAN_ANSWER,
    NEEDS_ANSWERS,
    NUMBER,
    OUTREACH,
    PROSPECTOR,
    RATIO,
    event,
    selection,
)

_ENDED = selection("lead.qualified", "lead.converted", "deal.won", "deal.lost")
_TRIED = (
    event("lead.created", "07-01 08:00", lead="L1"),
    event("call.made", "07-01 09:00", lead="L1", connected=False),
    event("email.sent", "07-02 09:00", lead="L1"),
    event("call.made", "07-03 09:00", lead="L1", connected=True),
    event("lead.created", "07-02 08:00", lead="L2"),
    event("lead.created", "07-03 08:00", lead="L3"),
    event("email.sent", "07-03 09:00", lead="L3"),
    event("lead.qualified", "07-04 08:00", lead="L3"),
    event("call.made", "07-05 09:00", lead="L3", connected=True),
    event("lead.created", "07-06 08:00", lead="L4"),
    event("call.made", "07-06 09:00", lead="L4", connected=False),
    event("call.made", "08-20 09:00", lead="L4", connected=False),
)


def _after_meeting(number: int) -> list[Json]:
    deal = f"D{number}"
    touches = {1: 6, 2: 5, 3: 4, 4: 0}[number]
    days = [event("call.made", f"07-{day:02} 08:00", deal=deal) for day in range(11, 11 + touches)]
    held = event("meeting.held", "07-10 08:00", deal=deal)
    return [held, *days]


_PROGRESS = ["lead.qualified", "lead.converted", "deal.won", "deal.lost", "call.received", "email.received"]
_UNANSWERED = "not (properties.connected == true)"
_REACHED_OR_MORE = "type != 'call.made' or properties.connected == true"


def _went_on(reached: str) -> Json:
    """How many leads were contacted, or had anything happen to them after that."""
    steps = [
        {"name": "came in", "events": ["lead.created"]},
        {"name": "contacted", **HUMAN_ANSWER},
        {"name": "went on", **selection(*OUTREACH, *_PROGRESS, where=BY_HUMANS)},
    ]
    funnel = {"steps": steps, "match": "lead", "skipped": "strict", "reached": reached}
    return {"aggregate": "count", "within": "P30D", "funnel": funnel}


_STEPS = (
    {"events": ["call.made"], "by": "P1D"},
    {"events": ["email.sent"], "by": "P2D"},
    {"events": ["call.made"], "by": "P5D"},
    {"events": ["email.sent"], "by": "P8D"},
    {"events": ["call.made"], "by": "P14D"},
)

ENTRIES = (
    Entry(
        key="touches_per_lead",
        name="Touches per lead",
        description="How often a lead is contacted in its first 30 days, on average.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        display={"decimals": 1},
        measures={
            "touches": {
                "aggregate": "avg",
                "within": "P30D",
                "touches": {
                    "anchor": selection("lead.created"),
                    "events": HUMAN_ANSWER,
                    "match": "lead",
                    "until": _ENDED,
                },
            }
        },
        formula="touches",
        roles=PROSPECTOR,
        method="Calls, e-mails and meetings by humans about each lead that came in within the window, for 30 days or "
        "until it was qualified, converted, won or lost; the mean over the leads, those never contacted too.",
        sources=("K8", "guide 002"),
        if_missing=NEEDS_ANSWERS,
        examples=(
            Example(
                arithmetic="L1 3, L2 0, L3 1 until it was qualified, L4 1 in 30 days: 5 / 4 = 1.25.",
                events=_TRIED,
                value="1.25",
            ),
        ),
    ),
    Entry(
        key="touches_per_deal",
        name="Touches per deal",
        description="How often people are in touch about a deal until it is won or lost, on average.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        display={"decimals": 1},
        measures={
            "touches": {
                "aggregate": "avg",
                "within": "P90D",
                "touches": {
                    "anchor": selection("deal.created"),
                    "events": HUMAN_ANSWER,
                    "match": "deal",
                    "until": selection("deal.won", "deal.lost"),
                },
            }
        },
        formula="touches",
        roles=("closing",),
        method="Calls, e-mails and meetings by humans about each deal opened in the window, for 90 days or until it "
        "was won or lost; the mean over the deals.",
        sources=("K8", "guide 002"),
        if_missing="Activities have to name the deal (`about.deal`): associate them with deals in the CRM.",
        examples=(
            Example(
                arithmetic="D1 had 2 until it was won, D2 4 in 90 days: 6 / 2 = 3.",
                events=(
                    event("deal.created", "07-01 08:00", deal="D1"),
                    event("call.made", "07-02 08:00", deal="D1"),
                    event("meeting.held", "07-03 08:00", deal="D1"),
                    event("deal.won", "07-04 08:00", deal="D1"),
                    event("email.sent", "07-05 08:00", deal="D1"),
                    event("deal.created", "07-01 08:00", deal="D2"),
                    event("call.made", "07-02 09:00", deal="D2"),
                    event("call.made", "07-03 09:00", deal="D2"),
                    event("call.made", "07-04 09:00", deal="D2"),
                    event("call.made", "07-05 09:00", deal="D2"),
                    event("call.made", "10-05 09:00", deal="D2"),
                ),
                value="3",
            ),
        ),
    ),
    Entry(
        key="persistent_after_meeting",
        name="Five touches and more after a meeting",
        description="How many deals were followed up at least five times after their first meeting.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={
            "persistent": {
                "aggregate": "share_at_least",
                "at_least": 5,
                "within": "P60D",
                "touches": {"anchor": selection("meeting.held"), "events": HUMAN_ANSWER, "match": "deal"},
            }
        },
        formula="persistent",
        roles=("closing",),
        method="Of the deals whose first meeting was in the window, how many had five or more calls, e-mails or "
        "meetings by humans in the 60 days after it. Deals that were won with fewer count too: set `until` to leave "
        "what came after the win out.",
        sources=("K8", "guide 002"),
        if_missing="Meetings and other activities have to name the deal (`about.deal`).",
        examples=(
            Example(
                arithmetic="After the meeting D1 had 6 calls, D2 5, D3 4, D4 none: 2 / 4 = 0.5.",
                events=tuple(one for number in (1, 2, 3, 4) for one in _after_meeting(number)),
                value="0.5",
            ),
        ),
    ),
    Entry(
        key="calls_to_reach_buyer",
        name="Calls to reach a buyer",
        description="How many attempts it takes until somebody answers.",
        category="team_performance",
        indicator="leading",
        direction="decrease",
        unit=NUMBER,
        display={"decimals": 1},
        measures={
            "unanswered": {
                "aggregate": "sum",
                "within": "P90D",
                "touches": {
                    "anchor": selection("lead.created"),
                    "events": selection("call.made"),
                    "match": "lead",
                    "until": selection("call.made", where="properties.connected == true"),
                },
            },
            "reached": {
                "aggregate": "count",
                "within": "P90D",
                "conversion": {
                    "from": selection("lead.created"),
                    "to": selection("call.made", where="properties.connected == true"),
                    "match": "lead",
                },
            },
        },
        formula="(unanswered + reached) / reached",
        roles=PROSPECTOR,
        method="The calls about the leads of the window up to the first that was answered, within 90 days, divided by "
        "the leads that were reached: attempts that led nowhere count. Up to 18 are usual in the guide: judge by it "
        "whether leads are given up too early.",
        sources=("K8", "guide 002"),
        if_missing="The telephone system or CRM has to say `connected` of its calls, and calls have to name the lead.",
        examples=(
            Example(
                arithmetic="L1: 1 unanswered, then reached; L3: reached at once; L4: 2 unanswered: (3 + 2) / 2 = 2.5.",
                events=_TRIED,
                value="2.5",
            ),
        ),
    ),
    Entry(
        key="calls_per_lead",
        name="Calls per lead until somebody answers",
        description="How often a lead is called before somebody answers or it is given up, on average.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        display={"decimals": 1},
        measures={
            "attempts": {
                "aggregate": "avg",
                "within": "P90D",
                "touches": {
                    "anchor": selection("lead.created"),
                    "events": selection("call.made", where=_UNANSWERED),
                    "match": "lead",
                    "until": selection("call.made", "lead.qualified", "lead.converted", where=_REACHED_OR_MORE),
                },
            }
        },
        formula="attempts",
        roles=PROSPECTOR,
        method="Unanswered calls about each lead that came in within the window, for 90 days or until a call was "
        "answered or the lead was qualified or converted; the mean over the leads. Beside `calls_to_reach_buyer` it "
        "tells whether leads are given up too early: the guide says that up to 18 calls may be needed.",
        sources=("K8", "guide 002"),
        if_missing="The telephone system or CRM has to say `connected` of its calls, and calls have to name the lead.",
        examples=(
            Example(
                arithmetic="L1 1 before it was reached, L2 0, L3 0, L4 2: 3 / 4 = 0.75.",
                events=_TRIED,
                value="0.75",
            ),
        ),
    ),
    Entry(
        key="leads_dropped_after_one_touch",
        name="Leads dropped after one touch",
        description="Of the leads contacted, how many were contacted once and never again, and nothing came of it.",
        category="team_performance",
        indicator="leading",
        direction="decrease",
        unit=RATIO,
        measures={"touched": _went_on("contacted"), "continued": _went_on("went on")},
        formula="(touched - continued) / touched",
        roles=PROSPECTOR,
        method="The leads of the window that were called, written to or met by a human within 30 days; of them those "
        "about which nothing happened after that in the 30 days: no further call, e-mail or meeting, no answer, not "
        "qualified, converted, won or lost.",
        sources=("K8", "guide 002"),
        if_missing=NEEDS_ANSWERS,
        examples=(
            Example(
                arithmetic="L1, L3 and L4 were contacted, L2 never; L1 again, L3 was qualified; L4 again only after 45 "
                "days: (3 - 2) / 3.",
                events=_TRIED,
                value="0.333333333333333",
            ),
        ),
    ),
    Entry(
        key="cadence_kept",
        name="Sales cadence kept",
        description="How many of the agreed steps after a lead came in were done in time.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={
            "done": {
                "aggregate": "share_done",
                "cadence": {"anchor": selection("lead.created"), "match": "lead", "steps": _STEPS},
            }
        },
        formula="done",
        roles=PROSPECTOR,
        method="After a lead: a call within 1 day, an e-mail within 2, a second call within 5, a second e-mail within "
        "8, a third call within 14 days. The steps done in time divided by all steps of the leads of the window whose "
        "14 days are over. Put your own cadence in as a new version.",
        sources=("K8", "guide 002"),
        if_missing=NEEDS_ANSWERS,
        examples=(
            Example(
                arithmetic="L1: call and e-mail in time, the second call late, the second e-mail in time, no third: 3 "
                "of 5. L2: nothing of 5. 3 / 10 = 0.3.",
                events=(
                    event("lead.created", "07-01 08:00", lead="L1"),
                    event("call.made", "07-01 09:00", lead="L1"),
                    event("email.sent", "07-02 09:00", lead="L1"),
                    event("call.made", "07-07 09:00", lead="L1"),
                    event("email.sent", "07-08 09:00", lead="L1"),
                    event("lead.created", "07-02 08:00", lead="L2"),
                ),
                value="0.3",
            ),
        ),
    ),
)
