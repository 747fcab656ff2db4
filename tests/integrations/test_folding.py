"""Every order of arrival, and every repetition, gives the same records and the same events."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.facts import fault_of, normalized
from app.integrations.adapters.hubspot import FIELDS, OBJECT_TYPES
from app.integrations.folding import HEARSAY, Network, Record, Stamp, link_between
from app.integrations.mapping import Mapping, PropertyFrom
from tests.integrations.crm import HubSpotBatch, World, body_of, random_message

T = 1_790_848_000_000


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 25), st.randoms(use_true_random=False))
def test_hubspot_in_any_order_and_repeated(count: int, chance: Random) -> None:
    told = [random_message(chance, T, 6) for _ in range(count)]
    shuffled = told + told[: count // 2]
    chance.shuffle(shuffled)
    one = World("hubspot").tell(json.dumps(told).encode())
    other = World("hubspot").tell(*(json.dumps([item]).encode() for item in shuffled))
    assert histories(one) == histories(other)
    assert one.links == other.links
    assert one.events() == other.events()


@settings(max_examples=60, deadline=None)
@given(st.permutations([1, 2, 3, 4, 6, 7, 8, 10]), st.integers(1, 8))
def test_pipedrive_in_any_order_and_repeated(order: list[int], repeated: int) -> None:
    bodies = [body_of(f"pipedrive/{number}.json") for number in order]
    one = World("pipedrive").tell(*(body_of(f"pipedrive/{number}.json") for number in (1, 2, 3, 4, 6, 7, 8, 10)))
    other = World("pipedrive").tell(*bodies, *bodies[:repeated])
    assert histories(one) == histories(other)
    assert one.events() == other.events()


def histories(world: World) -> dict[Any, Any]:
    return {key: {f: record.history(f) for f in record.fields} for key, record in world.records.items()}


def at(second: int) -> datetime:
    return datetime(2026, 7, 1, tzinfo=UTC) + timedelta(seconds=second)


def record(*stamps: Stamp) -> Record:
    return Record("deal", "1", {"stage": stamps})


def test_the_state_is_the_latest_by_time_then_tie_key_then_value() -> None:
    assert record(Stamp(at(1), "b", "x"), Stamp(at(2), "a", "y"), Stamp(at(0), "c", "z")).state("stage") == "y"
    assert record(Stamp(at(1), "a", "x"), Stamp(at(1), "b", "y")).state("stage") == "y"
    assert record(Stamp(at(1), "a", "Z"), Stamp(at(1), "a", "a")).state("stage") == "a"


def test_hearsay_yields_to_what_is_known_first_hand_of_the_same_instant() -> None:
    told = record(Stamp(at(1), HEARSAY, "old"), Stamp(at(1), "m1", "new"), Stamp(at(0), HEARSAY, "older"))
    assert [stamp.value for stamp in told.history("stage")] == ["older", "new"]


def test_transitions_and_entries_leave_repetitions_out() -> None:
    told = record(*(Stamp(at(n), "", value) for n, value in enumerate("abbcbb")))
    assert [stamp.value for stamp in told.transitions("stage")] == ["a", "b", "c", "b"]
    assert told.entered("stage", {"b"}) == Stamp(at(4), "", "b")
    assert told.entered("stage", {"b", "c"}) == Stamp(at(1), "", "b")
    assert told.entered("stage", {"a"}) is None
    assert told.value_at("stage", at(-5)) == "a"


def test_a_record_under_a_new_id_continues_the_history_of_the_old_one() -> None:
    old = Record(
        "deal",
        "1",
        {
            "stage": [Stamp(at(1), "a", "x")],
            "@created": [Stamp(at(0), "a", True)],
            "@merged_into": [Stamp(at(2), "a", "2")],
        },
    )
    new = Record("deal", "2", {"stage": [Stamp(at(3), "a", "y")]}).continuing(old)
    assert [stamp.value for stamp in new.history("stage")] == ["x", "y"]
    assert new.created_at == at(0)
    assert new.merged_into is None


def test_links_of_a_merged_object_go_to_the_survivor() -> None:
    deal, old, new = ("deal", "1"), ("contact", "5"), ("contact", "6")
    linked = link_between(deal, old, at(1), "a", removed=False, is_primary=False)
    moved = [
        link_between(deal, old, at(2), "b", removed=True, is_primary=False),
        link_between(deal, new, at(2), "a", removed=False, is_primary=False),
    ]
    later = link_between(deal, new, at(3), "c", removed=True, is_primary=False)
    for links, expected in (([linked], "6"), ([linked, *moved], "6"), ([linked, *moved, later], None)):
        assert Network(links, merged={old: new}).pick(deal, "contact") == expected


def test_a_link_between_a_record_and_itself_is_none() -> None:
    link = link_between(("deal", "1"), ("deal", "2"), at(1), "a", removed=False, is_primary=False)
    assert Network([link], merged={("deal", "1"): ("deal", "2")}).pick(("deal", "2"), "deal") is None


odd = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"-?[0-9]{0,24}(\.[0-9]{0,12})?([eE]-?[0-9]{1,3})?", fullmatch=True),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, places=9).map(float),
    st.booleans(),
    st.none(),
    st.sampled_from(["closedwon", "0", "-1", "0001-01-01", "9999-12-31", "2026-07-14T09:31:05+14:00", "EMAIL"]),
    st.integers(-(2**40), 2**43).map(str),
)
NUMBERS = {"deal": "amount", "call": "hs_call_duration", "activity": "duration"}
MAPPING = Mapping(
    time_zone="America/New_York",
    credit_roles={"sourcer": "dealname"},
    properties={
        kind: {"seats": PropertyFrom(field, "number"), "ok": PropertyFrom(field, "boolean")}
        for kind, field in NUMBERS.items()
    },
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_whatever_hubspot_says_the_ledger_takes_what_follows(kind: str, data: st.DataObject) -> None:
    numbers = {name: number for number, name in OBJECT_TYPES.items()}
    batch = HubSpotBatch().made(numbers[kind], 1, T)
    for field in sorted(FIELDS[kind]):
        batch.set(numbers[kind], 1, T, field, data.draw(odd))
    told = World("hubspot", MAPPING).tell(json.dumps(batch.items).encode())
    assert [fault for event in told.events().values() if (fault := fault_of(normalized(event)))] == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 4, 6, 7, 8]), st.data())
def test_whatever_pipedrive_says_the_ledger_takes_what_follows(number: int, data: st.DataObject) -> None:
    message = json.loads(body_of(f"pipedrive/{number}.json"))
    for field in data.draw(st.sets(st.sampled_from(sorted(message["data"])))):
        message["data"][field] = data.draw(st.one_of(odd, st.fixed_dictionaries({"value": odd, "amount": odd})))
    told = World("pipedrive", MAPPING).tell(json.dumps(message).encode())
    assert [fault for event in told.events().values() if (fault := fault_of(normalized(event)))] == []
