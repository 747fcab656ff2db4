"""What people judge by scores, and how far goals are reached (K12, K13)."""

from app.kpis.library.entries import Category, Entry, Example, Json, Roles
from app.kpis.library.words import RATIO, SCORE, event

_SCALE: Json = {"min": "1", "max": "5"}


def _score(at: str, value: int, key: str) -> Json:
    return event("score.given", at, id=f"{key}:{at}", by="ana", kpi=key, score=value)


def _judged(
    key: str,
    name: str,
    description: str,
    category: Category,
    *,
    givers: list[str],
    every: str,
    roles: Roles,
    method: str,
) -> Entry:
    return Entry(
        key=key,
        name=name,
        description=description,
        category=category,
        indicator="leading",
        direction="increase",
        nature="qualitative",
        scoring={"givers": givers, "scale": _SCALE, "every": every},
        unit=SCORE,
        display={"decimals": 1},
        measures={
            "score": {
                "aggregate": "avg",
                "value": "properties.score",
                "events": ["score.given"],
                "where": f"properties.kpi == '{key}'",
            }
        },
        formula="score",
        roles=roles,
        method=f"{method} The mean of the scores from 1 to 5 that were given in the window, each for the person whom "
        "it is about.",
        sources=("K12", "K13", "guide 000"),
        if_missing=f"Have scores given every {every}: people give them, no system knows them.",
        examples=(
            Example(
                arithmetic="The scores 4, 5 and 3 have the mean 12 / 3 = 4; the score of another KPI does not count.",
                events=(
                    _score("07-01 08:00", 4, key),
                    _score("07-02 08:00", 5, key),
                    _score("07-03 08:00", 3, key),
                    _score("07-04 08:00", 1, "another"),
                ),
                value="4",
            ),
        ),
    )


def _reached(key: str, name: str, of: str, noun: str, example: Example) -> Entry:
    return Entry(
        key=key,
        name=name,
        description=f"{noun} as a share of the target for them.",
        category="planning",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        thresholds={"good": "1"},
        measures={},
        formula=f"kpi.{of} / target(kpi.{of})",
        roles=("team_leader",),
        method=f"{noun} divided by the target that the same owner has for them in the window. 1 is the whole goal.",
        sources=("K13", "guides 000, 003"),
        if_missing=f"Set a goal on `{of}` for the owner and period (`POST /v1/goals`).",
        examples=(example,),
    )


def _goal(of: str, target: str) -> Json:
    return {
        "name": "July",
        "owner": {"type": "organization"},
        "kpi": of,
        "period": "2026-07",
        "target": {"value": target},
    }


_EVERYBODY: Roles = ("prospecting", "qualifying", "closing", "customer_success")

ENTRIES = (
    _judged(
        "team_engagement",
        "Engagement",
        "How much people put themselves into their work.",
        "team_performance",
        givers=["manager"],
        every="quarter",
        roles=_EVERYBODY,
        method="The manager judges how far somebody takes part, of their own accord and reliably.",
    ),
    _judged(
        "morale",
        "Morale",
        "How people feel about their work and their team.",
        "team_performance",
        givers=["self"],
        every="month",
        roles=_EVERYBODY,
        method="Everybody answers for themselves how they feel about work and team.",
    ),
    _judged(
        "communication",
        "Communication",
        "How clearly and openly people speak with each other.",
        "team_performance",
        givers=["manager", "peers"],
        every="quarter",
        roles=(*_EVERYBODY, "team_leader"),
        method="Manager and colleagues judge how clear, timely and open somebody is.",
    ),
    _judged(
        "leadership",
        "Leadership",
        "How well a leader leads, as those who are led see it.",
        "team_performance",
        givers=["direct_reports", "manager"],
        every="quarter",
        roles=("team_leader",),
        method="Those who are led, and the leader's own manager, judge direction, fairness and example.",
    ),
    _judged(
        "coaching_quality",
        "Quality of coaching",
        "How much the coaching helps, as those who are coached see it.",
        "coaching",
        givers=["direct_reports"],
        every="quarter",
        roles=("team_leader",),
        method="Those who are coached judge whether it was specific, regular and had an effect.",
    ),
    _judged(
        "planning_and_strategy",
        "Planning and strategy",
        "How well goals, plans and strategy of a leader fit together.",
        "planning",
        givers=["manager", "direct_reports"],
        every="quarter",
        roles=("team_leader",),
        method="Manager and team judge whether goals are clear, plans are kept and the strategy is understood.",
    ),
    _reached(
        "new_customer_goal_attainment",
        "New customer goal attainment",
        "new_customers",
        "New customers",
        Example(
            arithmetic="Two new customers of the four aimed at: 0.5.",
            events=(
                event("deal.won", "07-01 08:00", deal="D1", customer="C1"),
                event("deal.won", "07-02 08:00", deal="D2", customer="C2"),
                event("deal.won", "07-03 08:00", deal="D3", customer="C2"),
            ),
            goals=(_goal("new_customers", "4"),),
            value="0.5",
        ),
    ),
    _reached(
        "meeting_goal_attainment",
        "Meeting goal attainment",
        "meetings_held",
        "Meetings held",
        Example(
            arithmetic="Three of the four meetings aimed at: 0.75.",
            events=tuple(event("meeting.held", f"07-0{day} 08:00", by="ana") for day in (1, 2, 3)),
            goals=(_goal("meetings_held", "4"),),
            value="0.75",
        ),
    ),
)
