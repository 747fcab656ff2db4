"""What customers say (K10)."""

from app.kpis.library.entries import Entry, Example
from app.kpis.library.words import RATIO, SCORE, count, event

_CSAT = "properties.kind == 'csat' and has(properties.score) and has(properties.scale)"
_NPS = "properties.kind == 'nps'"
_RATED = (
    event("feedback.received", "07-01 08:00", id="f1", kind="csat", score=5, scale=5),
    event("feedback.received", "07-02 08:00", id="f2", kind="csat", score=4, scale=5),
    event("feedback.received", "07-03 08:00", id="f3", kind="csat", score=3, scale=5),
    event("feedback.received", "07-04 08:00", id="f4", kind="csat", score=7, scale=10),
    event("feedback.received", "07-05 08:00", id="f5", kind="csat", score=8, scale=10),
    event("feedback.received", "07-06 08:00", id="f6", kind="nps", score=10, scale=10),
    event("feedback.received", "07-07 08:00", id="f7", kind="nps", score=9, scale=10),
    event("feedback.received", "07-08 08:00", id="f8", kind="nps", score=8, scale=10),
    event("feedback.received", "07-09 08:00", id="f9", kind="nps", score=3, scale=10),
)

ENTRIES = (
    Entry(
        key="customer_satisfaction",
        name="Customer satisfaction (CSAT)",
        description="How many of the ratings are good ones.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=RATIO,
        measures={
            "satisfied": count("feedback.received", where=f"{_CSAT} and properties.score / properties.scale >= 0.8"),
            "ratings": count("feedback.received", where=_CSAT),
        },
        formula="satisfied / ratings",
        roles=("customer_success", "team_leader"),
        method="Of the feedback of kind `csat` the share with at least four fifths of the scale: 4 and 5 of 5, 8 to 10 "
        "of 10 (top-two-box).",
        sources=("K10", "guides 000, 003, 004"),
        if_missing="Post answers of surveys as `feedback.received` with `kind` csat, `score` and `scale`.",
        examples=(
            Example(
                arithmetic="5 and 4 of 5 and 8 of 10 are satisfied, 3 of 5 and 7 of 10 not: 3 / 5 = 0.6.",
                events=_RATED,
                value="0.6",
            ),
        ),
    ),
    Entry(
        key="net_promoter_score",
        name="Net promoter score (NPS)",
        description="Promoters less detractors, from -100 to 100.",
        category="customer_satisfaction",
        indicator="lagging",
        direction="increase",
        unit=SCORE,
        display={"decimals": 0},
        measures={
            "promoters": count("feedback.received", where=f"{_NPS} and properties.score >= 9"),
            "detractors": count("feedback.received", where=f"{_NPS} and properties.score <= 6"),
            "answers": count("feedback.received", where=f"{_NPS} and has(properties.score)"),
        },
        formula="100 * (promoters - detractors) / answers",
        roles=("customer_success", "team_leader"),
        method="Of the feedback of kind `nps` on the scale from 0 to 10: the share of 9 and 10 less the share of 0 to "
        "6, times 100.",
        sources=("K10", "guides 000, 003, 004", "Reichheld 2003, The One Number You Need to Grow"),
        if_missing="Post answers of surveys as `feedback.received` with `kind` nps and `score` from 0 to 10.",
        examples=(
            Example(
                arithmetic="10 and 9 promote, 3 detracts, of four answers: 100 × (2 - 1) / 4 = 25.",
                events=_RATED,
                value="25",
            ),
        ),
    ),
)
