"""The types of events that everybody has (`design.md` section 3); organizations add their own."""

SCORE = "score.given"

CATALOGUE: dict[str, str] = {
    "call.made": "A call to somebody, connected or not. Properties: connected, outcome, automated.",
    "call.received": "A call from somebody. Properties: connected, outcome.",
    "cost.recorded": "Money spent, such as on advertising.",
    "customer.churned": "A customer left.",
    "customer.created": "A customer came, where the source tells; else new customers are the first deal won.",
    "deal.created": "A deal was opened.",
    "deal.lost": "A deal was lost; reopening it retracts this.",
    "deal.stage_entered": "A deal came into a stage. Properties: stage, pipeline.",
    "deal.won": "A deal was won; reopening it retracts this.",
    "email.received": "An e-mail came in. Properties: automated.",
    "email.sent": "An e-mail went out. Properties: automated.",
    "feedback.received": "Somebody rated us. Properties: score, scale, kind (csat, nps).",
    "lead.converted": "A lead became a deal.",
    "lead.created": "A lead came in.",
    "lead.qualified": "A lead was found to be worth pursuing.",
    "meeting.booked": "A meeting was agreed on.",
    "meeting.held": "A meeting took place; dated by its end.",
    "member.joined": "A member joined; written by Paceline itself.",
    "member.left": "A member left; written by Paceline itself.",
    "quote.accepted": "An offer was accepted.",
    "quote.sent": "An offer was sent.",
    SCORE: "A person gave a score: the facts of qualitative KPIs.",
    "time.logged": "Working time was noted, in duration_seconds.",
    "training.attended": "A training was attended.",
}
