"""How fast leads are answered (K5)."""

from app.kpis.library.entries import Entry, Example, Json
from app.kpis.library.words import DURATION, HUMAN_ANSWER, NEEDS_ANSWERS, PROSPECTOR, RATIO, event, selection


def _answer(clock: str) -> Json:
    return {"from": selection("lead.created"), "to": HUMAN_ANSWER, "match": "lead", "clock": clock}


# Mondays: 6 and 13 July. Warsaw is two hours ahead of UTC, and works from 9 to 17.
_MINUTES = (
    event("lead.created", "07-06 08:00", lead="L1"),
    event("email.sent", "07-06 08:00", lead="L1", automated=True),
    event("call.made", "07-06 08:04", lead="L1"),
    event("lead.created", "07-06 09:00", lead="L2"),
    event("email.sent", "07-06 09:20", lead="L2"),
    event("lead.created", "07-06 10:00", lead="L3"),
    event("call.made", "07-06 12:00", lead="L3"),
    event("lead.created", "07-06 11:00", lead="L4"),
)
_OVERNIGHT = (
    event("lead.created", "07-06 14:57", lead="L1"),
    event("call.made", "07-07 07:01", lead="L1"),
    event("lead.created", "07-10 14:50", lead="L2"),
    event("call.made", "07-13 07:10", lead="L2"),
    event("lead.created", "07-13 08:00", lead="L3"),
    event("call.made", "07-13 09:00", lead="L3"),
)


def _response_time(key: str, name: str, clock: str, words: str, example: Example) -> Entry:
    return Entry(
        key=key,
        name=name,
        description="Half of the leads waited less for the first call, e-mail or meeting by a human.",
        category="customer_satisfaction",
        indicator="leading",
        direction="decrease",
        unit=DURATION,
        thresholds={"good": "300", "poor": "1800"},
        measures={"waited": {"aggregate": "median", "elapsed": _answer(clock)}},
        formula="waited",
        roles=PROSPECTOR,
        method="The median time from a lead that came in within the window to the first call, e-mail or meeting about "
        f"it that no machine made, {words}. Leads without an answer yet are told beside it as open. Five minutes are "
        "the mark.",
        sources=("K5", "guide 002"),
        if_missing=NEEDS_ANSWERS,
        examples=(example,),
    )


def _within(minutes: int, clock: str, words: str, example: Example) -> Entry:
    suffix, of_hours = ("_working_hours", " of working time") if clock == "working_hours" else ("", "")
    return Entry(
        key=f"lead_response_within_{minutes}_minutes{suffix}",
        name=f"Leads answered within {minutes} minutes{of_hours}",
        description=f"How many of the leads were answered by a human within {minutes} minutes{of_hours}.",
        category="customer_satisfaction",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={"in_time": {"aggregate": "share_within", "within": f"PT{minutes}M", "elapsed": _answer(clock)}},
        formula="in_time",
        roles=PROSPECTOR,
        method=f"Of the leads that came in within the window and are older than {minutes} minutes, how many had a "
        f"call, e-mail or meeting by a human within that time, {words}. A lead without an answer counts against.",
        sources=("K5", "guide 002"),
        if_missing=NEEDS_ANSWERS,
        examples=(example,),
    )


_WALL, _OFFICE = "by the clock on the wall", "counting only the working hours of whoever answered"

ENTRIES = (
    _response_time(
        "lead_response_time",
        "Lead response time",
        "wall",
        _WALL,
        Example(
            arithmetic="L1 waited 4 minutes (the machine's mail is none), L2 20, L3 120, L4 is open: the middle is 20 "
            "minutes = 1,200 seconds.",
            events=_MINUTES,
            value="1200",
        ),
    ),
    _response_time(
        "lead_response_time_working_hours",
        "Lead response time in working hours",
        "working_hours",
        _OFFICE,
        Example(
            arithmetic="Warsaw works from 9 to 17, which is 07:00 to 15:00 UTC. L1: 3 minutes until 15:00 and 1 after "
            "07:00 = 4; L2 from Friday to Monday: 10 + 10 = 20; L3: 60. The middle is 20 minutes = 1,200 seconds.",
            events=_OVERNIGHT,
            value="1200",
        ),
    ),
    _within(
        5,
        "wall",
        _WALL,
        Example(
            arithmetic="Of four leads only L1 had its answer within 5 minutes: 0.25.", events=_MINUTES, value="0.25"
        ),
    ),
    _within(
        30,
        "wall",
        _WALL,
        Example(arithmetic="L1 (4 minutes) and L2 (20) of four leads: 2 / 4 = 0.5.", events=_MINUTES, value="0.5"),
    ),
    _within(
        5,
        "working_hours",
        _OFFICE,
        Example(
            arithmetic="In working hours L1 waited 4 minutes, L2 20, L3 60: 1 / 3.",
            events=_OVERNIGHT,
            value="0.333333333333333",
        ),
    ),
    _within(
        30,
        "working_hours",
        _OFFICE,
        Example(
            arithmetic="In working hours L1 waited 4 minutes, L2 20, L3 60: 2 / 3.",
            events=_OVERNIGHT,
            value="0.666666666666667",
        ),
    ),
)
