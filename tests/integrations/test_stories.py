"""Whatever happens to a deal, in whatever order its messages come and however often, it ends as it ended in its CRM."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.facts import EventFacts
from tests.integrations import test_dynamics365 as dynamics
from tests.integrations import test_pipedrive as pipedrive
from tests.integrations.crm import HubSpotBatch, World

START = datetime(2026, 9, 14, 8, tzinfo=UTC)
OWNERS = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
CLOSINGS = {"won": "deal.won", "lost": "deal.lost"}
CORRECTED = timedelta(days=7)


class Deal(NamedTuple):
    """How a deal was from an instant on."""

    at: datetime
    status: str = "open"
    amount: str = "100"
    owner: str = OWNERS[0]


def story(chance: Random) -> list[Deal]:
    """A deal from its making on; each of the others differs from the one before it."""
    told = [Deal(START)]
    for _ in range(chance.randint(0, 8)):
        change: dict[str, Any] = chance.choice([
            {"status": chance.choice(["open", "won", "lost"])},
            {"amount": chance.choice(["1", "2.25", "900", "1000"])},
            {"owner": chance.choice(OWNERS)},
        ])  # fmt: skip
        later = told[-1]._replace(**change)
        if later != told[-1]:
            told.append(later._replace(at=told[-1].at + timedelta(hours=chance.randint(1, 60))))
    return told


def steps(told: list[Deal]) -> Iterator[tuple[Deal, dict[str, Any]]]:
    """Each change with the fields that it changed."""
    for before, after in pairwise(told):
        names = ("status", "amount", "owner")
        yield after, {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


_STAGES = {"open": "offered", "won": "closedwon", "lost": "closedlost"}
_PROPERTIES = {"status": "dealstage", "amount": "amount", "owner": "hubspot_owner_id"}


def by_hubspot(told: list[Deal], chance: Random) -> list[bytes]:
    """One property in each message, in arrays of any length."""
    batch = HubSpotBatch()
    first = {"status": told[0].status, "amount": told[0].amount, "owner": told[0].owner}
    for deal, changed in [(told[0], first), *steps(told)]:
        for name, value in changed.items():
            at = int(deal.at.timestamp() * 1000)
            batch.set("deal", 7, at, _PROPERTIES[name], _STAGES[value] if name == "status" else value)
    batch.made("deal", 7, int(START.timestamp() * 1000))
    items = batch.items + chance.sample(batch.items, len(batch.items) // 2)
    chance.shuffle(items)
    size = chance.randint(1, len(items))
    return [json.dumps(items[first : first + size]).encode() for first in range(0, len(items), size)]


def by_pipedrive(told: list[Deal], chance: Random) -> list[bytes]:
    """Snapshots that tell what was different before."""
    message = pipedrive.sample(1)
    message["data"].update(value=100, owner_id=told[0].owner, add_time=_z(START), update_time=_z(START))
    message["meta"]["timestamp"] = _z(START)
    bodies = [message]
    names = {"status": "status", "amount": "value", "owner": "owner_id"}
    for deal, changed in steps(told):
        fields = {names[name]: float(value) if name == "amount" else value for name, value in changed.items()}
        for status in CLOSINGS if "status" in changed else ():
            fields[f"{status}_time"] = _z(deal.at) if deal.status == status else None
        bodies.append(pipedrive.changed(bodies[-1], _z(deal.at), **fields))
    return [pipedrive.body(each) for each in bodies]


def _z(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


_STATES = {"open": 0, "won": 1, "lost": 2}


def by_dynamics(told: list[Deal], chance: Random) -> list[bytes]:
    """Updates with or without images; a change of owner may be the message Assign."""
    messages = [dynamics.made(START, _row(told[0], "status", "amount", "owner"), id_=dynamics.DEAL)]
    shows = chance.random() < 0.5
    for before, (after, changed) in zip(told, steps(told), strict=False):
        images: dict[str, Any] = {}
        if shows:
            rows = [_row(each, "status", "amount", "owner") for each in (before, after)]
            images = {"before": rows[0] | {"modifiedon": dynamics.ms(before.at)}, "after": rows[1]}
        if "owner" in changed and chance.random() < 0.5:
            inputs = {"Assignee": dynamics.reference(after.owner)}
            messages.append(dynamics.message("Assign", after.at, inputs, **images))
        else:
            messages.append(dynamics.update(after.at, _row(after, *changed), **images))
    return [dynamics.body(each) for each in messages]


def _row(deal: Deal, *names: str) -> dict[str, Any]:
    told = {
        "status": {"statecode": dynamics.option(_STATES[deal.status])},
        "amount": {"estimatedvalue": dynamics.money(float(deal.amount))},
        "owner": {"ownerid": dynamics.reference(deal.owner)},
    }
    return {field: value for name in names for field, value in told[name].items()}


@pytest.mark.parametrize(
    ("system", "tell"), [("hubspot", by_hubspot), ("pipedrive", by_pipedrive), ("dynamics365", by_dynamics)]
)
@settings(max_examples=60, deadline=None)
@given(chance=st.randoms(use_true_random=False))
def test_a_deal_ends_as_it_ended_in_its_crm(
    system: str, tell: Callable[[list[Deal], Random], list[bytes]], chance: Random
) -> None:
    told = story(chance)
    bodies = tell(told, chance)
    bodies += chance.sample(bodies, len(bodies) // 2)
    chance.shuffle(bodies)
    events = World(system).tell(*bodies).events().values()
    closings = [event for event in events if event.type in CLOSINGS.values()]
    assert [event.type for event in closings] == [CLOSINGS[end] for end in [told[-1].status] if end in CLOSINGS]
    for event in closings:
        _check(event, told)
    assert [event.occurred_at for event in events if event.type == "deal.created"] == [START]


def _check(event: EventFacts, told: list[Deal]) -> None:
    """It is dated by the last entry into its state; the owner is corrected for a week."""
    last = told[-1]
    reopened = [n for n, deal in enumerate(told) if deal.status != last.status]
    entered = told[reopened[-1] + 1 if reopened else 0].at
    assert event.occurred_at == entered
    assert event.amount == Decimal(last.amount)
    assert event.actor
    assert event.actor.external_id == [deal.owner for deal in told if deal.at <= entered + CORRECTED][-1]
