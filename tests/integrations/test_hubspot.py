"""HubSpot's messages and the events that follow from them."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.integrations.adapters.base import Unparseable
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.adapters.personal import is_personal
from app.integrations.mapping import CONNECTED, Mapping, PropertyFrom, mapping_of
from tests.integrations.crm import HubSpotBatch, World, at_ms, body_of, redacted

T = 1_790_848_000_000
DAY = 86_400_000


def won_deal(at: int = T, owner: str = "910901", deal: int = 7) -> HubSpotBatch:
    return (
        HubSpotBatch()
        .made("deal", deal, at)
        .set("deal", deal, at, "hubspot_owner_id", owner)
        .set("deal", deal, at, "amount", "500.00")
        .set("deal", deal, at, "deal_currency_code", "EUR")
        .set("deal", deal, at + DAY, "dealstage", "closedwon")
    )


def test_the_classic_sample_is_one_win_dated_by_its_close_date() -> None:
    events = World("hubspot", Mapping(time_zone="Europe/Warsaw")).tell(body_of("hubspot/1.json")).events()
    win = events["deal:19200000001:deal.won"]
    assert (win.amount, win.currency, win.occurred_on) == (Decimal(12500), None, date(2026, 10, 1))
    assert win.occurred_at == at_ms(1790848795123)
    assert win.actor is not None
    assert win.actor.external_id == "910901"
    assert win.about == {"deal": "hubspot:deal:19200000001"}
    assert sorted(events) == [
        "deal:19200000001:deal.created",
        "deal:19200000001:deal.stage_entered:1",
        "deal:19200000001:deal.won",
    ]


def test_the_generic_sample_makes_a_deal_and_a_call_of_312_seconds() -> None:
    events = World("hubspot").tell(body_of("hubspot/2.json")).events()
    call = events["call:55100000009:call.made"]
    assert call.duration_seconds == 312
    assert call.properties == {"outcome": "connected", "connected": True, "automated": False}
    assert "deal:19200000002:deal.created" in events


def test_associations_are_one_link_whichever_side_tells() -> None:
    told = World("hubspot").tell(*(body_of(f"hubspot/{n}.json") for n in (1, 2, 5)))
    assert len({link.ends for link in told.links}) == 2
    call = told.events()["call:55100000009:call.made"]
    assert call.about == {
        "deal": "hubspot:deal:19200000001",
        "contact": "hubspot:contact:7700001",
        "customer": "hubspot:contact:7700001",
    }


def test_engagements_of_the_sample() -> None:
    events = World("hubspot").tell(body_of("hubspot/6.json")).events()
    assert sorted(events) == [
        "feedback:88000001:feedback.received",
        "lead:68000001:lead.created",
        "meeting:66000001:meeting.held",
        "quote:69000001:quote.sent",
    ]


def test_event_type_is_read_like_subscription_type() -> None:
    adapter = HubSpot()
    (item,) = adapter.split(redacted(adapter, body_of("hubspot/7.json")))
    assert (item.account_id, item.kind) == ("33", "contact.propertyChange")
    (change,) = adapter.fold(item, Mapping()).fields
    assert (change.object, change.field, change.value) == ("contact", "lifecyclestage", "subscriber")


def test_golden_11_a_stage_that_arrives_before_its_amount_is_one_win() -> None:
    batch = HubSpotBatch().made("deal", 1, T).set("deal", 1, T + 100, "dealstage", "closedwon")
    batch.set("deal", 1, T + 50, "amount", "500")
    for bodies in (batch.bodies(), batch.bodies()[::-1], batch.bodies() * 2):
        events = World("hubspot").tell(*bodies).events()
        wins = [event for event in events.values() if event.type == "deal.won"]
        assert [(win.amount, win.occurred_at) for win in wins] == [(Decimal(500), at_ms(T + 100))]


def test_reopening_takes_the_win_back_and_winning_again_dates_it_anew() -> None:
    batch = won_deal().set("deal", 7, T + 2 * DAY, "dealstage", "contractsent")
    assert "deal:7:deal.won" not in World("hubspot").tell(batch.body()).events()
    batch.set("deal", 7, T + 3 * DAY, "dealstage", "closedwon")
    events = World("hubspot").tell(batch.body()).events()
    assert events["deal:7:deal.won"].occurred_at == at_ms(T + 3 * DAY)
    assert [key for key in sorted(events) if "stage_entered" in key] == [
        f"deal:7:deal.stage_entered:{n}" for n in (1, 2, 3)
    ]


def test_a_stage_told_twice_is_entered_once_and_two_won_stages_are_one_win() -> None:
    batch = (
        won_deal().set("deal", 7, T + 2 * DAY, "dealstage", "closedwon").set("deal", 7, T + 3 * DAY, "dealstage", "555")
    )
    events = World("hubspot", Mapping(won_stages=frozenset({"closedwon", "555"}))).tell(batch.body()).events()
    assert events["deal:7:deal.won"].occurred_at == at_ms(T + DAY)
    assert "deal:7:deal.stage_entered:3" not in events


@pytest.mark.parametrize(("policy", "owner"), [("at_win", "910901"), ("corrected", "910902"), ("always", "910903")])
def test_whose_a_win_is(policy: Any, owner: str) -> None:
    batch = won_deal().set("deal", 7, T + 8 * DAY, "hubspot_owner_id", "910902")
    batch.set("deal", 7, T + 8 * DAY + 1, "hubspot_owner_id", "910903")
    win = World("hubspot", Mapping(credit_owner=policy)).tell(batch.body()).events()["deal:7:deal.won"]
    assert win.actor is not None
    assert win.actor.external_id == owner


def test_an_owner_who_is_told_only_later_is_the_first_known_one() -> None:
    batch = (
        HubSpotBatch()
        .set("deal", 7, T, "dealstage", "closedlost")
        .set("deal", 7, T + 30 * DAY, "hubspot_owner_id", "1")
    )
    lost = World("hubspot").tell(batch.body()).events()["deal:7:deal.lost"]
    assert lost.actor is not None
    assert lost.actor.external_id == "1"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1790812800000", date(2026, 9, 30)),
        ("2026-10-01T00:00:00Z", date(2026, 9, 30)),
        ("2026-10-01", date(2026, 10, 1)),
        ("2026-02-30", None),
        ("", None),
        ("soon", None),
    ],
)
def test_a_close_date_is_a_local_day_of_the_organization(value: str, day: date | None) -> None:
    batch = won_deal().set("deal", 7, T, "closedate", value)
    told = World("hubspot", Mapping(time_zone="America/New_York")).tell(batch.body())
    assert told.events()["deal:7:deal.won"].occurred_on == day
    told.mapping = Mapping(win_dated_by="change")
    assert told.events()["deal:7:deal.won"].occurred_on is None


def test_deletion_takes_everything_back_and_restoration_gives_it_again() -> None:
    batch = won_deal().did("deletion", "deal", 7, T + 2 * DAY)
    assert World("hubspot").tell(batch.body()).events() == {}
    batch.did("restore", "deal", 7, T + 3 * DAY)
    assert len(World("hubspot").tell(batch.body()).events()) == 3
    assert World("hubspot").tell(won_deal().did("privacyDeletion", "deal", 7, T).body()).events() == {}


def test_a_merge_leaves_the_survivor_and_its_links() -> None:
    batch = won_deal(deal=7)
    batch.items += won_deal(deal=8).items
    batch.link(("0-48", 1), ("0-3", 8), T).made("0-48", 1, T)
    batch.did("merge", "deal", 7, T + 2 * DAY, primaryObjectId=7, mergedObjectIds=[8], newObjectId=7)
    events = World("hubspot").tell(batch.body()).events()
    assert {key.split(":")[1] for key in events} == {"7", "1"}
    assert events["call:1:call.made"].about["deal"] == "hubspot:deal:7"


def test_objects_merged_in_a_circle_are_all_gone_and_do_no_harm() -> None:
    batch = won_deal(deal=7)
    batch.items += won_deal(deal=8).items
    batch.link(("0-48", 1), ("0-3", 8), T).made("0-48", 1, T)
    for one, other in ((7, 8), (8, 7)):
        batch.did("merge", "deal", one, T, primaryObjectId=one, mergedObjectIds=[other], newObjectId=one)
    events = World("hubspot").tell(batch.body()).events()
    assert list(events) == ["call:1:call.made"]


def test_customer_is_the_primary_company_then_any_company_then_the_contact() -> None:
    batch = won_deal().link(("0-3", 7), ("0-1", 70), T)
    assert customer_of(batch) == "hubspot:contact:70"
    batch.link(("0-2", 40), ("0-3", 7), T + 1)
    assert customer_of(batch) == "hubspot:company:40"
    batch.link(("0-3", 7), ("0-2", 41), T + 2).link(("0-3", 7), ("0-2", 41), T + 2, isPrimaryAssociation=True)
    assert customer_of(batch) == "hubspot:company:41"
    batch.link(("0-3", 7), ("0-2", 41), T + 3, associationRemoved=True)
    assert customer_of(batch) == "hubspot:company:40"
    batch.link(("0-3", 7), ("0-2", 40), T + 4, associationRemoved=True, associationCategory="USER_DEFINED")
    assert customer_of(batch) == "hubspot:company:40"


def customer_of(batch: HubSpotBatch) -> str:
    return World("hubspot").tell(batch.body()).events()["deal:7:deal.won"].about["customer"]


def test_a_call_to_a_contact_is_about_the_lead_made_last_before_it() -> None:
    batch = HubSpotBatch().made("0-48", 1, T + 5 * DAY).link(("0-48", 1), ("0-1", 70), T)
    for lead, days in ((21, 6), (22, 4), (23, 2)):
        batch.made("0-136", lead, T + days * DAY).link(("0-136", lead), ("0-1", 70), T)
    assert World("hubspot").tell(batch.body()).events()["call:1:call.made"].about["lead"] == "hubspot:lead:22"
    batch.did("deletion", "0-136", 22, T + 9 * DAY)
    assert World("hubspot").tell(batch.body()).events()["call:1:call.made"].about["lead"] == "hubspot:lead:23"
    batch.did("deletion", "0-136", 23, T + 9 * DAY)
    assert World("hubspot").tell(batch.body()).events()["call:1:call.made"].about["lead"] == "hubspot:lead:21"
    batch.link(("0-48", 1), ("0-136", 99), T)
    assert World("hubspot").tell(batch.body()).events()["call:1:call.made"].about["lead"] == "hubspot:lead:99"


def test_leads_may_be_contacts_in_a_lifecycle_stage() -> None:
    batch = HubSpotBatch().made("contact", 70, T).set("contact", 70, T + 1, "lifecyclestage", "lead")
    batch.set("contact", 70, T + 2, "lifecyclestage", "salesqualifiedlead").made("0-48", 1, T).link(
        ("0-48", 1), ("0-1", 70), T
    )
    assert not [key for key in World("hubspot").tell(batch.body()).events() if "lead" in key]
    events = World("hubspot", Mapping(lead_object="contact")).tell(batch.body()).events()
    assert events["contact:70:lead.created"].occurred_at == at_ms(T + 1)
    assert events["contact:70:lead.qualified"].occurred_at == at_ms(T + 2)
    assert events["call:1:call.made"].about["lead"] == events["contact:70:lead.created"].about["lead"]


def test_calls_tell_direction_outcome_and_length() -> None:
    batch = HubSpotBatch().made("0-48", 1, T + DAY).set("0-48", 1, T + DAY, "hs_timestamp", str(T))
    batch.set("0-48", 1, T, "hs_call_direction", "INBOUND").set("0-48", 1, T, "hs_call_duration", "1500")
    batch.set("0-48", 1, T, "hs_call_status", "NO_ANSWER")
    (call,) = World("hubspot").tell(batch.body()).events().values()
    assert (call.type, call.occurred_at, call.duration_seconds) == ("call.received", at_ms(T), Decimal("1.5"))
    assert call.properties == {"outcome": "no_answer", "connected": False, "automated": False}
    batch.set("0-48", 1, T + 1, "hs_call_disposition", CONNECTED.upper())
    (call,) = World("hubspot").tell(batch.body()).events().values()
    assert call.properties["connected"] is True


def test_what_a_machine_made_is_automated() -> None:
    batch = HubSpotBatch().made("0-49", 1, T, changeSource="SEQUENCES").set("0-49", 1, T, "hs_email_direction", "EMAIL")
    batch.made("0-49", 2, T).set("0-49", 2, T, "hs_email_direction", "INCOMING_EMAIL")
    batch.made("0-49", 3, T).set("0-49", 3, T, "hs_email_direction", "FORWARDED_EMAIL").made("0-49", 4, T)
    events = World("hubspot").tell(batch.body()).events()
    assert {key: event.properties["automated"] for key, event in events.items()} == {
        "email:1:email.sent": True,
        "email:2:email.received": False,
    }


def test_a_meeting_is_booked_when_made_and_held_at_its_end_unless_it_failed() -> None:
    batch = HubSpotBatch().made("0-47", 1, T).set("0-47", 1, T, "hs_meeting_start_time", str(T + DAY))
    batch.set("0-47", 1, T, "hs_meeting_end_time", str(T + DAY + 1_800_000))
    events = World("hubspot").tell(batch.body()).events()
    assert events["meeting:1:meeting.booked"].occurred_at == at_ms(T)
    held = events["meeting:1:meeting.held"]
    assert held.occurred_at == at_ms(T + DAY) + timedelta(minutes=30)
    assert held.duration_seconds == 1800
    assert len(World("hubspot", Mapping(meeting_held="completed")).tell(batch.body()).events()) == 1
    batch.set("0-47", 1, T + 2 * DAY, "hs_meeting_outcome", "NO SHOW")
    assert list(World("hubspot").tell(batch.body()).events()) == ["meeting:1:meeting.booked"]


def test_properties_and_roles_come_from_the_fields_that_the_mapping_names() -> None:
    mapping = Mapping(
        credit_roles={"sourcer": "sdr_owner"},
        properties={"deal": {"seats": PropertyFrom("seats", "number"), "region": PropertyFrom("region")}},
    )
    batch = (
        won_deal()
        .set("deal", 7, T, "sdr_owner", "42")
        .set("deal", 7, T, "seats", "12")
        .set("deal", 7, T, "region", "north")
    )
    batch.set("deal", 7, T, "note", "call Mr. Brandt")
    told = World("hubspot", mapping).tell(batch.body())
    win = told.events()["deal:7:deal.won"]
    assert [(credit.role, credit.share) for credit in win.credits] == [("sourcer", Decimal(1))]
    assert win.properties["seats"] == 12
    assert win.properties["region"] == "north"
    assert "note" not in told.records["deal", "7"].fields


def test_redaction_keeps_no_names_numbers_or_texts_and_loses_nothing_that_is_used() -> None:
    batch = won_deal().set("contact", 70, T, "email", "jan@example.com").set("0-48", 1, T, "hs_call_body", "secret")
    batch.set("deal", 7, T, "amount", "1", isSensitive=True)
    adapter = HubSpot()
    once = redacted(adapter, batch.body())
    text = json.dumps(once)
    assert "jan@" not in text
    assert "secret" not in text
    assert redacted(adapter, text.encode()) == once
    folded = [adapter.fold(item, Mapping()) for item in adapter.split(once)]
    assert sum(len(changes.fields) for changes in folded) == 5


def test_values_of_deals_companies_and_leads_are_kept_before_any_mapping_reads_them() -> None:
    batch = HubSpotBatch()
    for kind in ("deal", "company", "0-136", "contact", "0-48"):
        batch.set(kind, 7, T, "product", f"WMS of {kind}").set(kind, 7, T, "decision_maker_phone", "600")
    batch.set("deal", 7, T, "region", "north", isSensitive=True).set("deal", 7, T, "dealname", "Rollout")
    kept = redacted(HubSpot(), batch.body())
    assert isinstance(kept, list)
    values = [item["propertyValue"] for item in kept if isinstance(item, dict) and "propertyValue" in item]
    assert values == ["WMS of deal", "WMS of company", "WMS of 0-136", "Rollout"]
    later = Mapping(properties={"deal": {"product": PropertyFrom("product")}})
    folded = [HubSpot().fold(item, later).fields for item in HubSpot().split(kept)]
    assert [change.value for changes in folded for change in changes] == ["WMS of deal", "Rollout"]


@pytest.mark.parametrize(
    "field",
    [
        "firstname", "person_name", "cc_email", "workPhone", "mobilephone", "billing_address", "birthdate", "hs_ip",
        "clientIP", "notes", "hs_body_text", "deal_description", "Subject", "text2", "bodyHtml",
    ],
)  # fmt: skip
def test_a_field_that_is_personal_by_its_name_is_not_kept(field: str) -> None:
    assert is_personal(field)


@pytest.mark.parametrize(
    "value",
    ["max@kunde.example", "Max <m.muster@a.b.example>", "+49 30 1234567", " +1 (555) 010-9999", "x" * 400 + " a@b.cd"],
)
def test_a_field_in_which_people_can_be_reached_is_not_kept(value: str) -> None:
    assert is_personal("partner", value)
    batch = HubSpotBatch().set("deal", 7, T, "partner", value).set("deal", 7, T, "dealname", value)
    kept = redacted(HubSpot(), batch.body())
    assert isinstance(kept, list)
    assert [item.get("redacted") for item in kept if isinstance(item, dict)] == [True, None]


@pytest.mark.parametrize(
    "value", ["WMS", "4930123456", "+3", "5 @ 100", "@home", "a@b", "2026-01-31", None, 5, ["a@b.cd"]]
)
def test_other_values_are_not_personal(value: Any) -> None:
    assert not is_personal("partner", value)


@pytest.mark.parametrize(
    "field",
    ["product", "region", "pipeline", "second_owner", "shipping_zone", "context", "subscription", "a1b2c3" * 6, ""],
)
def test_other_fields_are_not_personal(field: str) -> None:
    assert not is_personal(field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff[]",
        b"[NaN]",
        b'"x"',
        b"12",
        b"null",
        b"[" * 200_000,
        b"[" + b"0," * 20_000 + b"0]",
        b"[" * 999 + b"]" * 998,
    ],
)
def test_what_is_no_array_of_events_is_unparseable(body: bytes) -> None:
    with pytest.raises(Unparseable):
        redacted(HubSpot(), body)


@pytest.mark.parametrize(
    "item",
    [
        1, None, [], {}, {"portalId": 1}, {"portalId": [], "subscriptionType": "deal.creation"},
        {"portalId": 1, "subscriptionType": 5}, {"portalId": True, "subscriptionType": "deal.creation"},
    ],
)  # fmt: skip
def test_an_item_without_account_or_kind_is_a_problem_of_its_own(item: Any) -> None:
    adapter = HubSpot()
    first, second = adapter.split(redacted(adapter, json.dumps([item, won_deal().items[0]]).encode()))
    assert first.problem
    assert second.problem is None


@pytest.mark.parametrize(
    "change",
    [
        {"occurredAt": 2**63}, {"occurredAt": "x"}, {"occurredAt": None}, {"occurredAt": -1}, {"occurredAt": 1e300},
        {"objectId": None}, {"objectId": ""}, {"objectId": {"a": 1}}, {"objectId": "1" * 65}, {"objectId": "a:b"},
        {"eventId": None}, {"eventId": 10**80},
    ],
)  # fmt: skip
def test_an_item_of_the_wrong_shape_is_unparseable(change: dict[str, Any]) -> None:
    adapter = HubSpot()
    body = json.dumps([{**won_deal().items[0], **change}]).encode()
    (item,) = adapter.split(redacted(adapter, body))
    with pytest.raises(Unparseable):
        adapter.fold(item, Mapping())


def test_odd_values_are_kept_as_far_as_they_can_be_stored() -> None:
    batch = won_deal(deal=2**63)
    batch.set("deal", 2**63, T + 1, "dealname", "a\x00b\ud800" + "x" * 9000)
    batch.set("deal", 2**63, T + 2, "amount", "1e999999999")
    told = World("hubspot").tell(batch.body())
    record = told.records["deal", str(2**63)]
    label = record.text("dealname") or ""
    assert label.startswith("a\ufffdb\ufffd")
    assert len(label) == 500
    assert told.events()[f"deal:{2**63}:deal.won"].amount is None
    batch.items[-1]["propertyValue"] = 7.5
    assert World("hubspot").tell(batch.body()).events()[f"deal:{2**63}:deal.won"].amount == Decimal("7.5")


def test_objects_and_kinds_that_are_not_kept_change_nothing() -> None:
    batch = HubSpotBatch().made("0-5", 1, T).made("ticket", 2, T).did("newMessage", "conversation", 3, T)
    batch.set("0-7", 4, T, "name", "WMS").set("2-77", 5, T, "stage", "new").link(("0-5", 1), ("0-3", 7), T)
    told = World("hubspot").tell(batch.body())
    assert told.records == {}
    assert told.links == set()


def test_a_record_without_its_needed_fields_wants_to_be_fetched() -> None:
    told = World("hubspot").tell(won_deal().body(), HubSpotBatch().made("deal", 9, T).body())
    assert not told.adapter.needs_fetch(told.records["deal", "7"], told.mapping)
    assert told.adapter.needs_fetch(told.records["deal", "9"], told.mapping)


def test_a_quote_is_sent_and_accepted_by_the_stages_of_the_mapping() -> None:
    batch = HubSpotBatch().set("0-14", 4, T, "hs_status", "DRAFT").set("0-14", 4, T, "hs_quote_amount", "900.50")
    batch.set("0-14", 4, T, "hubspot_owner_id", "7").set("0-14", 4, T, "hs_currency", "EUR")
    assert World("hubspot").tell(batch.body()).events() == {}
    batch.set("0-14", 4, T + DAY, "hs_status", "APPROVED").link(("0-14", 4), ("0-3", 9), T)
    (sent,) = World("hubspot").tell(batch.body()).events().values()
    assert (sent.type, sent.amount, sent.currency, sent.about["deal"]) == (
        "quote.sent", Decimal("900.50"), "EUR", "hubspot:deal:9",
    )  # fmt: skip
    batch.set("0-14", 4, T + 2 * DAY, "hs_status", "Closed - won")
    mapping = mapping_of({"accepted_quote_stages": ["Closed - won"]}, HubSpot.defaults, "UTC")
    accepted = World("hubspot", mapping).tell(batch.body()).events()["quote:4:quote.accepted"]
    assert accepted.occurred_at == at_ms(T + 2 * DAY)


def test_the_mapping_may_name_other_fields_of_a_deal() -> None:
    fields = {"amount": "net", "currency": "money", "owner": "seller", "close_date": "signed", "stage": "phase"}
    mapping = mapping_of({"fields": {"deal": fields}, "currencies": {"Euros": "EUR"}}, HubSpot.defaults, "Asia/Tokyo")
    told = (
        won_deal()
        .set("deal", 7, T, "net", "420.5")
        .set("deal", 7, T, "money", "euros")
        .set("deal", 7, T, "seller", "5")
    )
    told.set("deal", 7, T, "signed", "2026-07-31T20:00:00Z").set("deal", 7, T, "phase", "closedwon")
    win = World("hubspot", mapping).tell(told.body()).events()["deal:7:deal.won"]
    assert (win.amount, win.currency, win.occurred_on, win.occurred_at) == (
        Decimal("420.5"), "EUR", date(2026, 8, 1), at_ms(T),
    )  # fmt: skip
    assert win.actor
    assert win.actor.external_id == "5"


@pytest.mark.parametrize(("told", "currency"), [("eur", "EUR"), ("", None), ("Gulden", "XXX")])
def test_a_currency_that_nobody_knows_is_not_the_sources(told: str, currency: str | None) -> None:
    batch = won_deal().set("deal", 7, T, "deal_currency_code", told)
    assert World("hubspot").tell(batch.body()).events()["deal:7:deal.won"].currency == currency


def test_feedback_has_its_score_and_kind() -> None:
    batch = HubSpotBatch().made("0-19", 4, T).set("0-19", 4, T, "hs_submission_timestamp", str(T - DAY))
    batch.set("0-19", 4, T, "hs_value", "9").set("0-19", 4, T, "hs_survey_type", "NPS")
    batch.link(("0-19", 4), ("0-1", 7), T)
    (told,) = World("hubspot").tell(batch.body()).events().values()
    assert (told.type, told.occurred_at) == ("feedback.received", at_ms(T - DAY))
    assert told.properties == {"score": Decimal(9), "kind": "nps"}
    assert told.about["contact"] == "hubspot:contact:7"


def test_a_custom_object_is_what_the_mapping_says() -> None:
    batch = HubSpotBatch().made("2-77", 5, T).set("2-77", 5, T, "hs_meeting_end_time", str(T + DAY))
    batch.set("2-77", 5, T, "hubspot_owner_id", "7").link(("2-77", 5), ("0-3", 9), T)
    assert World("hubspot").tell(batch.body()).records == {}
    mapping = mapping_of({"objects": {"2-77": "meeting"}}, HubSpot.defaults, "UTC")
    events = World("hubspot", mapping).tell(batch.body()).events()
    assert sorted(events) == ["meeting:5:meeting.booked", "meeting:5:meeting.held"]
    assert events["meeting:5:meeting.held"].about["deal"] == "hubspot:deal:9"


def test_feedback_and_quotes_without_an_owner_are_the_deals_else_the_contacts() -> None:
    batch = HubSpotBatch().made("0-19", 4, T).set("contact", 7, T, "hubspot_owner_id", "70")
    batch.link(("0-19", 4), ("0-1", 7), T)
    (told,) = World("hubspot").tell(batch.body()).events().values()
    assert told.actor == ("70", None, None)
    batch.set("deal", 9, T, "hubspot_owner_id", "90").link(("0-19", 4), ("0-3", 9), T)
    assert World("hubspot").tell(batch.body()).events()["feedback:4:feedback.received"].actor == ("90", None, None)
    batch.set("0-19", 4, T, "hubspot_owner_id", "40")
    assert World("hubspot").tell(batch.body()).events()["feedback:4:feedback.received"].actor == ("40", None, None)
