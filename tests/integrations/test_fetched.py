"""What HubSpot and Pipedrive answer is folded like what they post, whatever comes first and however often."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.integrations.adapters.base import Fetched, Json, Unparseable
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.adapters.pipedrive import Pipedrive
from app.integrations.mapping import Mapping
from tests.integrations.clients.hubspot import deal
from tests.integrations.crm import DAY, HubSpotBatch, T, World, at_ms

AT = datetime(2026, 7, 20, 10, 0, tzinfo=UTC)
PORTAL, COMPANY = "44556677", "8087566"

WON_AT = int(datetime(2026, 7, 10, 9, tzinfo=UTC).timestamp() * 1000)
MADE_AT = int(datetime(2026, 7, 1, 8, tzinfo=UTC).timestamp() * 1000)


def hubspot_story() -> list[Any]:
    """A deal as its webhooks tell it, and as it is fetched afterwards, with its company."""
    batch = HubSpotBatch()
    batch.made("deal", 1, MADE_AT).set("deal", 1, MADE_AT, "hubspot_owner_id", "910901")
    batch.set("deal", 1, MADE_AT, "amount", "500").set("deal", 1, MADE_AT, "dealstage", "presentation")
    batch.set("deal", 1, MADE_AT, "deal_currency_code", "EUR").set("deal", 1, WON_AT, "dealstage", "closedwon")
    batch.set("deal", 1, MADE_AT, "pipeline", "default")
    linked = {**deal(1), "associations": {"company": [{"id": "77", "isPrimary": True}]}}
    return [*batch.bodies(), linked]


def tell(world: World, told: Any, at: datetime = AT) -> None:
    if isinstance(told, bytes):
        world.tell(told)
    else:
        world.fetch("deal", told, at=at, account=PORTAL)


@given(st.randoms(use_true_random=False))
def test_a_deal_is_the_same_in_whatever_order_it_is_told_and_fetched(chance: Random) -> None:
    story = hubspot_story()
    expected = World("hubspot")
    for told in story:
        tell(expected, told)
    shuffled = [*story, *chance.sample(story, 3)]
    chance.shuffle(shuffled)
    other = World("hubspot")
    for told in shuffled:
        tell(other, told)
    assert other.events() == expected.events()
    won = expected.events()["deal:1:deal.won"]
    assert (won.occurred_at, won.about["customer"]) == (at_ms(WON_AT), "hubspot:company:77")


def test_what_was_never_posted_follows_from_what_was_fetched_with_its_own_times() -> None:
    world = World("hubspot").fetch("deal", deal(1), at=AT, account=PORTAL)
    events = world.events()
    assert events["deal:1:deal.created"].occurred_at == at_ms(MADE_AT)
    assert events["deal:1:deal.won"].occurred_at == at_ms(WON_AT)
    stages = [event.properties["stage"] for event in events.values() if event.type == "deal.stage_entered"]
    assert sorted(stages) == ["closedwon", "presentation"]
    record = world.records["deal", "1"]
    assert not world.adapter.needs_fetch(record, Mapping())


def test_a_value_that_was_never_set_is_known_to_be_absent() -> None:
    bare = deal(1)
    bare["properties"]["hubspot_owner_id"] = None
    del bare["propertiesWithHistory"]["hubspot_owner_id"]
    world = World("hubspot").fetch("deal", bare, at=AT, account=PORTAL)
    assert not world.adapter.needs_fetch(world.records["deal", "1"], Mapping())
    assert world.events()["deal:1:deal.won"].actor is None


def test_archived_gone_and_merged_objects_make_no_events() -> None:
    archived = {**deal(1), "archived": True, "archivedAt": "2026-07-15T00:00:00Z"}
    survivor = deal(3)
    survivor["properties"]["hs_merged_object_ids"] = "4; 5"
    world = World("hubspot").tell(*HubSpotBatch().set("deal", 2, T, "dealstage", "closedwon").bodies())
    world.tell(*HubSpotBatch().set("deal", 4, T, "dealstage", "closedwon").bodies())
    world.fetch("deal", archived, survivor, gone=["2"], at=AT, account=PORTAL)
    assert {name.split(":")[1] for name in world.events()} == {"3"}
    world.tell(HubSpotBatch().did("restore", "deal", 1, int(AT.timestamp() * 1000) + DAY).body())
    assert "deal:1:deal.won" in world.events()


def pipedrive_deal(status: str, update: str, **more: Any) -> dict[str, Any]:
    won = {"won_time": "2026-07-10T09:00:00Z"} if status == "won" else {"won_time": None}
    return {
        "id": 1, "title": "x", "owner_id": 7, "value": 500.5, "currency": "EUR", "status": status, "stage_id": 12,
        "pipeline_id": 1, "add_time": "2026-07-01T08:00:00Z", "update_time": update, "org_id": 77,
        "stage_change_time": "2026-07-02T08:00:00Z", "lost_time": None, "is_deleted": False, **won, **more,
    }  # fmt: skip


def posted(data: dict[str, Any] | None, action: str, at: str) -> bytes:
    meta = {
        "action": action, "entity": "deal", "entity_id": "1", "company_id": COMPANY, "timestamp": at, "version": "2.0",
        "id": at,
    }  # fmt: skip
    return json.dumps({"data": data, "previous": None, "meta": meta}).encode()


def test_the_changes_that_come_with_a_deal_of_pipedrive_date_its_stages_and_owners() -> None:
    changes: list[Any] = [
        {"field_key": "status", "old_value": "open", "new_value": "won", "time": "2026-07-10 09:00:00"},
        {"field_key": "stage_id", "old_value": "11", "new_value": "12", "time": "2026-07-05 08:00:00"},
        {"field_key": "user_id", "old_value": "8", "new_value": "7", "time": "2026-07-04 08:00:00"},
        {"field_key": "stage_id", "old_value": "10", "new_value": "11", "time": "2026-07-03 08:00:00"},
        {"field_key": "title", "old_value": "Ana's deal", "new_value": "x", "time": "2026-07-03 08:00:00"},
        {"field_key": "stage_id", "old_value": "10", "new_value": {"id": 3}, "time": "soon"},
        "odd",
    ]
    told = pipedrive_deal("won", "2026-07-20T09:00:00Z", stage_change_time="2026-07-05T08:00:00Z", changelog=changes)
    body = Pipedrive().redact_fetched(Fetched("1", "deal", [told], [], AT), Mapping())
    assert "Ana" not in json.dumps(body, default=str)
    world = World("pipedrive").fetch("deal", told, at=AT, account=COMPANY)
    events = world.events()
    entered = [(e.occurred_at.day, e.properties["stage"]) for e in events.values() if e.type == "deal.stage_entered"]
    assert sorted(entered) == [(1, "10"), (3, "11"), (5, "12")]
    record = world.records["deal", "1"]
    assert [(stamp.at.day, stamp.value) for stamp in record.transitions("owner_id")] == [(1, "8"), (4, "7")]
    assert [(stamp.at.day, stamp.value) for stamp in record.transitions("status")] == [(1, "open"), (10, "won")]
    plain = {name: value for name, value in told.items() if name != "changelog"}
    again = World("pipedrive").fetch("deal", plain, at=AT, account=COMPANY)
    again.fetch("deal", told, at=AT, account=COMPANY)
    assert again.events() == events


PIPEDRIVE_STORY: list[Any] = [
    posted(pipedrive_deal("open", "2026-07-01T08:00:00Z"), "create", "2026-07-01T08:00:00.100Z"),
    posted(pipedrive_deal("won", "2026-07-10T09:00:00Z"), "change", "2026-07-10T09:00:00.100Z"),
    (pipedrive_deal("won", "2026-07-10T09:00:00Z"), datetime(2026, 7, 11, tzinfo=UTC)),
    posted(pipedrive_deal("won", "2026-07-12T09:00:00Z", value=600), "change", "2026-07-12T09:00:00.100Z"),
    (pipedrive_deal("won", "2026-07-12T09:00:00Z", value=600), AT),
]


@given(st.randoms(use_true_random=False))
def test_a_deal_of_pipedrive_is_the_same_in_whatever_order(chance: Random) -> None:
    shuffled = [*PIPEDRIVE_STORY, *chance.sample(PIPEDRIVE_STORY, 2)]
    chance.shuffle(shuffled)
    world = World("pipedrive")
    for told in shuffled:
        if isinstance(told, bytes):
            world.tell(told)
        else:
            world.fetch("deal", told[0], at=told[1], account=COMPANY)
    won = world.events()["deal:1:deal.won"]
    assert won.amount is not None
    assert (won.amount, won.occurred_at) == (Decimal(600), at_ms(WON_AT))
    assert won.about["customer"] == "pipedrive:company:77"


def test_a_deal_of_pipedrive_that_is_gone_is_deleted() -> None:
    world = World("pipedrive").tell(PIPEDRIVE_STORY[1]).fetch("deal", gone=["1"], at=AT, account=COMPANY)
    assert world.events() == {}


def test_a_lead_of_pipedrive_is_read_in_the_shape_of_its_older_interface() -> None:
    lead = {
        "id": "adf21080-0e10-11eb-879b-05d71fb426ec", "title": "x", "owner_id": 7, "is_archived": False,
        "value": {"amount": 999.5, "currency": "USD"}, "person_id": 1, "organization_id": None,
        "add_time": "2026-07-05T11:30:36.551Z", "update_time": "2026-07-06T11:30:36.551Z",
    }  # fmt: skip
    world = World("pipedrive").fetch("lead", lead, at=AT, account=COMPANY)
    (made,) = world.events().values()
    assert (made.type, str(made.occurred_at)) == ("lead.created", "2026-07-05 11:30:36.551000+00:00")


HOSTILE: list[Any] = [
    {}, {"id": None}, {"id": []}, {"id": "a b"}, {"id": "1", "properties": []}, {"id": "1", "updatedAt": "x"},
    {"id": "1", "updatedAt": "2026-07-10T09:00:00Z", "properties": {"amount": {"a": 1}, "dealstage": "\x00\ud800"}},
    {"id": "1", "updatedAt": "2026-07-10T09:00:00Z", "propertiesWithHistory": {"amount": [None, {}, {"timestamp": 1}]}},
    {"id": "1", "updatedAt": "2026-07-10T09:00:00Z", "associations": {"company": [None, {"id": {}}, {"id": "\ud800"}]}},
    {"id": "1", "updatedAt": "2026-07-10T09:00:00Z", "associations": []}, {"id": 2**70, "update_time": "9999-99-99"},
    {"id": 1, "update_time": "2026-07-10T09:00:00Z", "value": "1e999999", "org_id": {"value": []}, "owner_id": {}},
]  # fmt: skip


@pytest.mark.parametrize("item", HOSTILE)
@pytest.mark.parametrize("adapter", [HubSpot(), Pipedrive()])
def test_answers_of_other_shapes_do_no_harm(adapter: Any, item: Any) -> None:
    body: Json = adapter.redact_fetched(Fetched("1", "deal", [item], ["\x00"], AT), Mapping())
    stored = json.loads(json.dumps(body, default=str))
    assert "\x00" not in json.dumps(stored)
    for each in adapter.split(stored):
        try:
            adapter.fold(each, Mapping())
        except Unparseable:
            continue


def test_what_nobody_keeps_is_not_stored() -> None:
    for adapter in (HubSpot(), Pipedrive()):
        with pytest.raises(Unparseable):
            adapter.redact_fetched(Fetched("1", "invoice", [], [], AT), Mapping())


def test_names_of_people_are_not_kept() -> None:
    lively: dict[str, Any] = deal(1)
    lively["properties"] |= {"contact_email": "x@example.com", "region": "north"}
    body = HubSpot().redact_fetched(Fetched("1", "deal", [lively], [], AT), Mapping())
    assert "x@example.com" not in str(body)
    assert "north" in str(body)
    person: dict[str, Any] = {"id": 1, "name": "Ana", "emails": [{"value": "ana@example.com"}], "owner_id": 7}
    assert "ana" not in str(Pipedrive().redact_fetched(Fetched("1", "contact", [person], [], AT), Mapping())).lower()
