"""The team: how many, how long they stay, what they bring, how they spend their time (K6, K13)."""

from app.kpis.library.entries import Entry, Example, Roles
from app.kpis.library.words import COUNT, DURATION, MONEY, NUMBER, RATIO, count, event, total

_LEADER: Roles = ("team_leader",)
_NEEDS_EMPLOYMENT = (
    "Record since when, and until when, members are employed: who has no employment counts as employed on all days."
)
_EMPLOYED = {"Dee": ("2026-01-01", "2026-07-16")}
_NEEDS_LENGTHS = (
    "Calls and meetings need `duration_seconds` and a person who is mapped to a member: connect the telephone system "
    "and the calendar, or the CRM that logs both."
)
# 14 July 2026 is a Tuesday of 8 working hours. Warsaw is two hours ahead of UTC.
_DAY = (
    event("call.made", "07-14 08:00", by="ana", minutes=30, id="desk phone"),
    event("call.made", "07-14 08:20", by="ana", minutes=20, id="mobile"),
    event("meeting.held", "07-14 09:30", by="ana", minutes=60, id="meeting"),
    event("call.made", "07-14 08:10", by="bo", minutes=10, id="other"),
)

ENTRIES = (
    Entry(
        key="selling_time",
        name="Time spent selling",
        description="Time in calls and meetings; what overlaps counts once.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=DURATION,
        measures={
            "time": {
                "aggregate": "covered",
                "events": ["call.made", "call.received", "meeting.held"],
                "where": "not (properties.internal == true)",
            }
        },
        formula="time",
        roles=("prospecting", "qualifying", "closing", "customer_success"),
        method="For each person the time that is covered by at least one call or meeting: calls from their start, "
        "meetings up to their end. Of a team the sum over its people. Internal meetings are left out.",
        sources=("K6", "guide 002"),
        if_missing=_NEEDS_LENGTHS,
        examples=(
            Example(
                arithmetic="Ana: calls 10:00 to 10:30 and 10:20 to 10:40, a meeting from 10:30 to 11:30, together "
                "10:00 to 11:30 = 90 minutes (their sum would be 110). Bo: 10 minutes beside them. 100 minutes = 6,000 "
                "seconds.",
                events=_DAY,
                members=("Ana", "Bo"),
                value="6000",
            ),
        ),
    ),
    Entry(
        key="selling_time_share",
        name="Share of working time spent selling",
        description="Time in calls and meetings as a share of the working time.",
        category="team_performance",
        indicator="leading",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="kpi.selling_time / working_hours()",
        roles=("prospecting", "qualifying", "closing", "customer_success"),
        method="The time covered by calls and meetings divided by the working time by the calendars of the people in "
        "scope, without holidays and absences. Calls outside working hours count in full.",
        sources=("K6", "guide 002"),
        if_missing=_NEEDS_LENGTHS + " Working time comes from calendars, absences and part time.",
        examples=(
            Example(
                arithmetic="On 14 July Ana and Bo work 8 hours each: 100 minutes / 960 minutes.",
                events=_DAY,
                members=("Ana", "Bo"),
                period="2026-07-14",
                value="0.104166666666667",
            ),
        ),
    ),
    Entry(
        key="team_size",
        name="Team size",
        description="How many people were there, on average over the days.",
        category="team_performance",
        indicator="lagging",
        direction="maintain",
        unit=COUNT,
        display={"decimals": 1},
        measures={},
        formula="headcount()",
        roles=_LEADER,
        method="The mean over the days of the window of how many members were employed and in scope.",
        sources=("K13", "guide 000"),
        if_missing=_NEEDS_EMPLOYMENT,
        examples=(
            Example(
                arithmetic="Ana, Bo and Cy all of July, Dee on 15 of its 31 days: 3 + 15 / 31.",
                events=(),
                members=("Ana", "Bo", "Cy", "Dee"),
                employed=_EMPLOYED,
                value="3.48387096774194",
            ),
        ),
    ),
    Entry(
        key="team_growth",
        name="Team growth",
        description="How much larger the team was than in the window before.",
        category="team_performance",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={},
        formula="headcount() / previous(headcount()) - 1",
        roles=_LEADER,
        method="The mean head count of the window divided by that of the window before, less 1.",
        sources=("K13", "guide 000"),
        if_missing=_NEEDS_EMPLOYMENT,
        examples=(
            Example(
                arithmetic="Ana and Bo in June, Cy too from 1 July: 3 / 2 - 1 = 0.5.",
                events=(),
                members=("Ana", "Bo", "Cy"),
                employed={"Cy": ("2026-07-01", None)},
                value="0.5",
            ),
        ),
    ),
    Entry(
        key="team_turnover",
        name="Team turnover",
        description="How many of the people left.",
        category="team_performance",
        indicator="lagging",
        direction="decrease",
        unit=RATIO,
        measures={"left": count("member.left")},
        formula="left / headcount()",
        roles=_LEADER,
        method="Members who left in the window divided by the mean head count over its days.",
        sources=("K13", "guide 000"),
        if_missing=_NEEDS_EMPLOYMENT,
        examples=(
            Example(
                arithmetic="Dee left after 15 of 31 days: 1 / (3 + 15 / 31) = 31 / 108.",
                events=(),
                members=("Ana", "Bo", "Cy", "Dee"),
                employed=_EMPLOYED,
                value="0.287037037037037",
            ),
        ),
    ),
    Entry(
        key="revenue_per_head",
        name="Revenue per head",
        description="Productivity: what each person brought, on average.",
        category="team_performance",
        indicator="lagging",
        direction="increase",
        unit=MONEY,
        measures={},
        formula="kpi.revenue_won / headcount()",
        roles=_LEADER,
        method="Revenue won divided by the mean head count over the days of the window.",
        sources=("K13", "guide 000"),
        if_missing=_NEEDS_EMPLOYMENT,
        examples=(
            Example(
                arithmetic="900 EUR by two people: 450.",
                events=(
                    event("deal.won", "07-01 08:00", deal="D1", by="ana", amount=600),
                    event("deal.won", "07-02 08:00", deal="D2", by="bo", amount=300),
                ),
                members=("Ana", "Bo"),
                value="450",
            ),
        ),
    ),
    Entry(
        key="training_time_per_head",
        name="Training per head",
        description="Time in trainings and coaching for each person.",
        category="coaching",
        indicator="leading",
        direction="increase",
        unit=DURATION,
        measures={"trained": total("duration_seconds", "training.attended")},
        formula="trained / headcount()",
        roles=_LEADER,
        method="The length of the trainings attended in the window divided by the mean head count over its days.",
        sources=("K13", "guide 000"),
        if_missing="Post `training.attended` with `duration_seconds` for each participant.",
        examples=(
            Example(
                arithmetic="Ana 120 minutes, Bo 60: 180 / 2 = 90 minutes = 5,400 seconds.",
                events=(
                    event("training.attended", "07-01 10:00", by="ana", minutes=120),
                    event("training.attended", "07-02 10:00", by="bo", minutes=60, kind="coaching"),
                ),
                members=("Ana", "Bo"),
                value="5400",
            ),
        ),
    ),
    Entry(
        key="coaching_sessions",
        name="Coaching sessions",
        description="Sessions of coaching, mentoring and observation.",
        category="coaching",
        indicator="leading",
        direction="increase",
        unit=COUNT,
        measures={
            "sessions": count("training.attended", where="properties.kind in ['coaching', 'mentoring', 'observation']")
        },
        formula="sessions",
        roles=_LEADER,
        method="Counts the trainings attended whose `kind` is coaching, mentoring or observation, each for the person "
        "coached.",
        sources=("K13", "guide 000"),
        if_missing="Post `training.attended` with `kind` for the person coached.",
        examples=(
            Example(
                arithmetic="A coaching and an observation; the course is neither: 2.",
                events=(
                    event("training.attended", "07-01 10:00", by="ana", kind="coaching"),
                    event("training.attended", "07-08 10:00", by="ana", kind="observation"),
                    event("training.attended", "07-09 10:00", by="ana", kind="course"),
                ),
                value="2",
            ),
        ),
    ),
    Entry(
        key="one_to_ones_per_head",
        name="One-to-ones per head",
        description="How many talks between leader and member there were for each person.",
        category="coaching",
        indicator="leading",
        direction="increase",
        unit=NUMBER,
        display={"decimals": 1},
        measures={"talks": count("meeting.held", where="properties.kind == 'one_to_one'")},
        formula="talks / headcount()",
        roles=_LEADER,
        method="Meetings of kind `one_to_one` in the window divided by the mean head count over its days. Credit them "
        "to the member, so that each one's figure tells when they were heard.",
        sources=("K13", "P7", "guides 000, 001"),
        if_missing="Post `meeting.held` with `kind` one_to_one and the member as `actor`.",
        examples=(
            Example(
                arithmetic="Three talks, two people: 3 / 2 = 1.5.",
                events=(
                    event("meeting.held", "07-01 08:00", by="ana", kind="one_to_one", internal=True),
                    event("meeting.held", "07-15 08:00", by="ana", kind="one_to_one", internal=True),
                    event("meeting.held", "07-02 08:00", by="bo", kind="one_to_one", internal=True),
                    event("meeting.held", "07-03 08:00", by="bo"),
                ),
                members=("Ana", "Bo"),
                value="1.5",
            ),
        ),
    ),
)
