"""What is missing before a source's figures can be trusted, found in what it has told so far."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from app.events.sources import Source

SILENT = timedelta(days=3)
MOST = 1_000
"""So many of the latest events of each type are looked at."""

State = Literal["ok", "missing", "warning", "unknown"]


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to be looked at: how it stands, and what to do."""

    code: str
    state: State
    sentence: str
    fix: str | None = None
    count: int | None = None
    of: int | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Of the latest events of a type, how many lack something."""

    total: int
    without_owner: int = 0
    without_amount: int = 0
    without_currency: int = 0
    in_unknown_currency: int = 0
    without_duration: int = 0
    about_nothing: int = 0


@dataclass(frozen=True, slots=True)
class StageKnown:
    """A stage with what the system takes it for, and what it counts as."""

    id: str
    name: str
    outcome: str | None
    counts_as: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a checklist looks at."""

    source: Source
    now: datetime
    secrets: int
    last_received_at: datetime | None
    verdicts: Mapping[str, int]
    events: Mapping[str, Told]
    records: Mapping[str, int]
    incomplete: int
    can_be_asked: bool
    has_credentials: bool
    last_failure: str | None
    unmapped: int
    people: int
    unnamed: int
    stages: Sequence[StageKnown] = field(default=())
    offers_subscriptions: bool = False
    subscriptions: Sequence[str] = field(default=())
    """The state of each."""


def points_of(facts: Facts) -> list[Point]:
    """The whole list, in the order in which somebody sets a source up."""
    return [
        *_connected(facts),
        *_credentials(facts),
        *_subscriptions(facts),
        *_people(facts),
        *_stages(facts),
        *_events(facts),
    ]


def _connected(facts: Facts) -> Iterator[Point]:
    if facts.secrets:
        yield Point("secret", "ok", "A secret proves the calls.", count=facts.secrets)
    else:
        yield Point("secret", "missing", "No secret is active: every call is refused.", "Add a secret.")
    last = facts.last_received_at
    if last is None:
        yield Point(
            "delivery",
            "missing",
            "Nothing was ever received.",
            "Give the system the webhook_url of the source, and the secret.",
        )
    elif facts.now - last > SILENT:
        days = (facts.now - last).days
        yield Point(
            "delivery", "warning", f"The last call came {days} days ago.", "See whether the subscription ended."
        )
    else:
        yield Point("delivery", "ok", "Calls arrive.")
    yield from _verdicts(facts)


def _verdicts(facts: Facts) -> Iterator[Point]:
    total = sum(facts.verdicts.values())
    for verdict, what, fix in (
        ("foreign_account", "are of another account", "Compare account_id with the system's."),
        ("unparseable", "could not be read", "Look at GET /v1/sources/{id}/deliveries?verdict=unparseable."),
        ("failed", "could not be translated", "Look at GET /v1/sources/{id}/deliveries?verdict=failed."),
    ):
        if count := facts.verdicts.get(verdict, 0):
            yield Point(verdict, "warning", f"{count} of {total} calls of the last week {what}.", fix, count, total)


def _credentials(facts: Facts) -> Iterator[Point]:
    if facts.last_failure is not None:
        yield Point(
            "credentials",
            "missing",
            f"The system could not be asked: {facts.last_failure}",
            "Put credentials that hold.",
        )
    elif facts.has_credentials:
        yield Point("credentials", "ok", "What messages leave out can be fetched.")
    elif facts.can_be_asked:
        yield Point(
            "credentials",
            "warning",
            "There are no credentials: what messages leave out stays unknown.",
            "Put credentials, then fetch the directory.",
        )
    if facts.incomplete:
        total = sum(facts.records.values())
        sentence = f"{facts.incomplete} of {total} records lack fields that their events need."
        fix = None if facts.has_credentials else "Subscribe to the fields that the guide names, or put credentials."
        yield Point("incomplete", "warning", sentence, fix, facts.incomplete, total)


def _subscriptions(facts: Facts) -> Iterator[Point]:
    total = len(facts.subscriptions)
    expired, failing = (sum(state == each for each in facts.subscriptions) for state in ("expired", "failing"))
    if expired:
        sentence = f"{expired} of {total} subscriptions have ended: what changes is not told."
        fix = "See their last_error, mend it, and reconcile since they ended."
        yield Point("subscriptions", "missing", sentence, fix, expired, total)
    elif failing:
        sentence = f"{failing} of {total} subscriptions could not be renewed so far."
        yield Point("subscriptions", "warning", sentence, "See their last_error, and mend it.", failing, total)
    elif total:
        yield Point("subscriptions", "ok", "The system posts what changes.", count=total)
    elif facts.offers_subscriptions and facts.last_received_at is None:
        yield Point(
            "subscriptions", "unknown", "No subscription was made by the API.", "POST /v1/sources/{id}/subscriptions."
        )


def _people(facts: Facts) -> Iterator[Point]:
    if facts.unnamed:
        yield Point(
            "names", "warning", f"{facts.unnamed} of {facts.people} people have neither name nor address.",
            "Fetch the directory, or tell the people.", facts.unnamed, facts.people,
        )  # fmt: skip
    if facts.unmapped:
        yield Point(
            "people", "missing", f"{facts.unmapped} of {facts.people} people stand for no member: they are unassigned.",
            "See GET /v1/identity-suggestions, and map them.", facts.unmapped, facts.people,
        )  # fmt: skip
    elif facts.people:
        yield Point("people", "ok", "Everybody stands for a member.", count=0, of=facts.people)


def _stages(facts: Facts) -> Iterator[Point]:
    if not facts.stages:
        if facts.records.get("deal") and facts.can_be_asked:
            yield Point("stages", "unknown", "The names of stages are not known.", "Fetch the directory.")
        return
    for outcome in ("won", "lost"):
        strays = [stage for stage in facts.stages if stage.outcome == outcome and stage.counts_as == "open"]
        if strays:
            names = [f"{stage.id} ({stage.name})" for stage in strays]
            sentence = f"{len(strays)} stages are {outcome} in the system, and count as open here."
            fix = f"Add them to mapping.{outcome}_stages."
            yield Point(f"{outcome}_stages", "missing", sentence, fix, len(strays), examples=names[:10])
        else:
            yield Point(f"{outcome}_stages", "ok", f"The system's {outcome} stages count as {outcome}.")


def _events(facts: Facts) -> Iterator[Point]:
    if not facts.events:
        yield Point("events", "unknown", "No event has followed yet: the rest of the list needs some.")
        return
    if facts.records.get("deal") and not facts.events.keys() & {"deal.won", "deal.lost"}:
        yield Point(
            "closings",
            "warning",
            "No deal was ever won or lost.",
            "See whether the stages or states of the mapping are right.",
        )
    yield from _owners(facts)
    yield from _money(facts)
    yield from _activities(facts)


def _owners(facts: Facts) -> Iterator[Point]:
    total = sum(told.total for told in facts.events.values())
    without = sum(told.without_owner for told in facts.events.values())
    if without == total:
        yield Point(
            "owners",
            "missing",
            "No owner was ever received: nothing is credited.",
            "Subscribe to the owner's field.",
            without,
            total,
        )
    elif without * 10 > total:
        yield Point(
            "owners",
            "warning",
            f"{without} of {total} events have no owner.",
            "Subscribe to the owner's field.",
            without,
            total,
        )
    else:
        yield Point("owners", "ok", "Events have their owners.", count=without, of=total)


def _money(facts: Facts) -> Iterator[Point]:
    won = facts.events.get("deal.won")
    if won is None:
        return
    if won.without_amount == won.total:
        yield Point(
            "amounts",
            "missing",
            "No win has an amount.",
            "Subscribe to the amount's field, or name it in mapping.fields.",
            won.total,
            won.total,
        )
    elif won.without_amount:
        yield Point(
            "amounts",
            "warning",
            f"{won.without_amount} of {won.total} wins have no amount.",
            None,
            won.without_amount,
            won.total,
        )
    if won.in_unknown_currency:
        yield Point(
            "currencies", "missing", f"{won.in_unknown_currency} of {won.total} wins are in a currency without a name.",
            "Fetch the directory, or name the ids in mapping.currencies.", won.in_unknown_currency, won.total,
        )  # fmt: skip
    if won.without_currency and facts.source.currency is None:
        yield Point(
            "currency", "missing", f"{won.without_currency} of {won.total} wins are left out of money: no currency.",
            "Subscribe to the currency's field, or set the currency of the source.", won.without_currency, won.total,
        )  # fmt: skip
    elif won.total > won.without_amount:
        yield Point("currency", "ok", "Amounts have a currency.")


def _activities(facts: Facts) -> Iterator[Point]:
    calls = [told for type_, told in facts.events.items() if type_.startswith("call.")]
    total, silent = sum(told.total for told in calls), sum(told.without_duration for told in calls)
    if total and silent == total:
        yield Point(
            "call_durations", "missing", "No call has a duration.", "Subscribe to the duration's field.", silent, total
        )
    elif silent:
        yield Point("call_durations", "warning", f"{silent} of {total} calls have no duration.", None, silent, total)
    activities = [told for type_, told in facts.events.items() if type_.startswith(("call.", "meeting.", "email."))]
    total, lost = sum(told.total for told in activities), sum(told.about_nothing for told in activities)
    if total and lost * 2 > total:
        sentence = f"{lost} of {total} activities are about no deal, lead or customer."
        yield Point("links", "warning", sentence, "Subscribe to associations.", lost, total)
