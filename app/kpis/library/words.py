"""Short ways to write measures and events of the library."""

from typing import Any

from app.kpis.library.entries import Json, Roles

COUNT: Json = {"kind": "count"}
MONEY: Json = {"kind": "money"}
DURATION: Json = {"kind": "duration"}
RATIO: Json = {"kind": "ratio"}
SCORE: Json = {"kind": "score"}
NUMBER: Json = {"kind": "number"}

BY_HUMANS = "not (properties.automated == true)"
OUTREACH = ["call.made", "email.sent", "meeting.held"]
HUMAN_ANSWER: Json = {"events": OUTREACH, "where": BY_HUMANS}
PROSPECTOR: Roles = ("prospecting", "qualifying")
NEEDS_ANSWERS = (
    "Calls, e-mails and meetings have to name the lead (`about.lead`): connect the CRM that logs them, and subscribe "
    "to the creation of leads and contacts and to their associations."
)
_PLACES = ("deal", "lead", "contact", "company", "customer")


def count(*events: str, **more: Any) -> Json:
    """How many events."""
    return {"aggregate": "count", "events": list(events), **more}


def distinct(thing: str, *events: str, **more: Any) -> Json:
    """How many different things."""
    return {"aggregate": "count_distinct", "of": thing, "events": list(events), **more}


def total(value: str, *events: str, **more: Any) -> Json:
    """The sum of a number."""
    return {"aggregate": "sum", "value": value, "events": list(events), **more}


def selection(*events: str, where: str | None = None) -> dict[str, Any]:
    """Events at one place of a measure."""
    return {"events": list(events), **({"where": where} if where else {})}


def event(kind: str, at: str, /, *, by: str | None = None, **more: Any) -> Json:
    """An event as it is posted: `at` is `07-14 09:30` of 2026 in UTC, or with its year; what else it has by name."""
    instant = f"{at if at.count('-') > 1 else f'2026-{at}'.replace(' ', 'T')}:00Z"
    about = {thing: more.pop(thing) for thing in _PLACES if thing in more}
    told: dict[str, Any] = {"external_id": more.pop("id", None) or _name(kind, at, by, about), "type": kind}
    told |= {"occurred_at": instant.replace(" ", "T")}
    if by:
        told["actor"] = {"id": by}
    if about:
        told["about"] = about
    if "amount" in more:
        told["amount"] = {"value": str(more.pop("amount")), "currency": more.pop("currency", "EUR")}
    if "minutes" in more:
        told["duration_seconds"] = more.pop("minutes") * 60
    return {**told, **({"properties": more} if more else {})}


def _name(kind: str, at: str, by: str | None, about: Json) -> str:
    return ":".join([kind, at.replace(" ", "T"), *([by] if by else []), *sorted(about.values())])
