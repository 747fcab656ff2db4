"""What a system tells against what is known: which of it is news."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched
from app.integrations.comparing import Difference, Told, differences, told_by
from app.integrations.folding import CREATED, DELETED, ERASED, MERGED_INTO, FieldChange, Network, Record, Stamp, Value
from tests.integrations import test_dynamics365 as dynamics
from tests.integrations import test_pipedrive
from tests.integrations.backfilling import the_story
from tests.integrations.crm import World
from tests.integrations.posting import PORTAL

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ("deal", "1")
Values = Mapping[str, list[tuple[datetime, Value]]]


def record(values: Values) -> Record:
    """As webhooks told it."""
    return Record(*KEY, {name: [Stamp(at, "1", value) for at, value in told] for name, told in values.items()})


def news(known: Values | None, told: Values) -> list[tuple[str, str, Value, Value]]:
    """What is new in `told`."""
    changes = [FieldChange(*KEY, name, at, "0", value) for name, values in told.items() for at, value in values]
    before = {} if known is None else {KEY: record(known)}
    found = differences(Told({KEY: changes}), before, Network())
    return [(each.kind, each.field, each.known, each.told) for each in found]


def test_what_is_known_is_no_news() -> None:
    values: Values = {"stage": [(AT, "a"), (AT + DAY, "b")], CREATED: [(AT, True)]}
    assert news(values, values) == []
    assert news(values, {**values, "stage": [(AT + 3 * DAY, "b")], DELETED: [(AT + DAY, False)]}) == []
    assert news(values, {"note": [(AT, None)]}) == []


def test_a_change_that_was_dated_a_little_otherwise_is_the_same() -> None:
    known: Values = {"stage": [(AT, "a"), (AT + DAY, "b")]}
    assert news(known, {"stage": [(AT + DAY - timedelta(seconds=2), "b")]}) == []
    assert news(known, {"stage": [(AT + DAY / 2, "b")]}) == [("changed", "stage", "a", "b")]


@pytest.mark.parametrize("lost", range(1, 4))
def test_whichever_change_was_lost_is_named(lost: int) -> None:
    values = [(AT + number * DAY, f"s{number}") for number in range(4)]
    known: Values = {"stage": [each for number, each in enumerate(values) if number != lost]}
    assert news(known, {"stage": [*values]}) == [("changed", "stage", f"s{lost - 1}", f"s{lost}")]


def test_records_that_came_or_went_unnoticed() -> None:
    told: Values = {"stage": [(AT, "a")], CREATED: [(AT, True)]}
    assert news(None, told) == [("missing", "", None, None)]
    assert news(None, {**told, DELETED: [(AT + DAY, True)]}) == []
    assert news(None, {MERGED_INTO: [(AT, "2")]}) == []
    assert news(told, {DELETED: [(AT + DAY, True)]}) == [("deleted", "", None, None)]
    gone: Values = {**told, DELETED: [(AT + DAY, True)]}
    assert news(gone, {DELETED: [(AT + 2 * DAY, True)]}) == []
    assert news(gone, {DELETED: [(AT + 2 * DAY, False)]}) == [("changed", DELETED, True, False)]
    assert news({"stage": [(AT, "a")]}, {CREATED: [(AT - DAY, True)]}) == [("changed", CREATED, None, True)]
    assert news(told, {MERGED_INTO: [(AT + DAY, "2")]}) == [("changed", MERGED_INTO, None, "2")]
    assert news({ERASED: [(AT, True)]}, told) == []


def test_a_record_that_is_missing_is_dated_by_its_making() -> None:
    changes = [FieldChange(*KEY, "stage", AT + DAY, "0", "a"), FieldChange(*KEY, CREATED, AT, "0", True)]
    assert differences(Told({KEY: changes}), {}, Network()) == [Difference("missing", KEY, AT)]


def found(world: World, account: str, item: dict[str, Any]) -> set[tuple[str, Value, Value]]:
    """The fields that differ from what a world of webhooks tells of a deal."""
    exact: Any = wire.parse(json.dumps(item).encode())
    told = told_by(world.adapter, world.mapping, Fetched(account, "deal", [exact], (), AT + 400 * DAY))
    assert told.unreadable == 0
    compared = differences(told, world.records, Network(world.links))
    return {(each.field, each.known, each.told) for each in compared}


def test_a_snapshot_of_pipedrive_names_what_its_webhooks_lost() -> None:
    first, second = test_pipedrive.sample(1), test_pipedrive.sample(2)
    bodies = [test_pipedrive.body(each) for each in (first, second)]
    assert found(World("pipedrive").tell(*bodies), "8087566", second["data"]) == set()
    assert found(World("pipedrive").tell(bodies[0]), "8087566", second["data"]) == {
        ("stage_id", "2", "5"),
        ("status", "open", "won"),
        ("won_time", None, "2026-10-01T08:00:00Z"),
    }


def test_a_row_of_dynamics_names_what_its_webhooks_lost() -> None:
    later = dynamics.NOON + timedelta(hours=2)
    row = {
        "opportunityid": dynamics.DEAL,
        "_ownerid_value": dynamics.ADA,
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
        "estimatedvalue": 12500.0,
        "statecode": 1,
        "statuscode": 3,
        "createdon": f"{dynamics.NOON:%Y-%m-%dT%H:%M:%SZ}",
        "modifiedon": f"{later:%Y-%m-%dT%H:%M:%SZ}",
    }
    bodies = [dynamics.body(each) for each in (dynamics.deal(), dynamics.won(later))]
    assert found(World("dynamics365").tell(*bodies), "x", row) == set()
    lost = found(World("dynamics365").tell(bodies[0]), "x", row)
    assert {name for name, _, _ in lost} == {"modifiedon", "statecode", "statuscode"}
    assert ("statecode", "0", "1") in lost


@given(st.randoms(use_true_random=False))
def test_whatever_hubspots_webhooks_lost_nothing_is_missed_and_nothing_left_to_tell(chance: Random) -> None:
    story = the_story()
    messages = list(story.messages().values())
    full = World("hubspot").tell(*messages)
    kept = World("hubspot").tell(*(each for each in messages if chance.random() < chance.choice([0.5, 0.97])))
    items: list[Any] = [wire.parse(json.dumps(item).encode()) for item in story.crm().deals.values()]
    told = told_by(kept.adapter, kept.mapping, Fetched(PORTAL, "deal", items, (), AT + 400 * DAY))
    if not differences(told, kept.records, Network()):
        assert kept.events() == full.events()
    kept.fetch("deal", *items, at=AT + 400 * DAY, account=PORTAL)
    assert kept.events() == full.events()
    assert differences(told, kept.records, Network()) == []
