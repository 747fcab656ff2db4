"""Salesforce's messages and the events that follow from them."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.integrations.adapters.base import Unparseable
from app.integrations.adapters.salesforce import Salesforce
from app.integrations.adapters.salesforce_fields import id18
from app.integrations.mapping import Mapping, PropertyFrom, mapping_of
from tests.integrations.crm import World, body_of, redacted
from tests.integrations.salesforce import (
    ADA,
    BOB,
    COMPANY,
    CONTACT,
    DEAL,
    LEAD,
    MEETING,
    ORG,
    ORG15,
    OTHER_COMPANY,
    OTHER_DEAL,
    QUEUE,
    TASK,
    TRANSPORTS,
    at,
    change,
    envelope,
    notification,
    outbound,
    row,
    won,
)

WIN = f"deal:{DEAL}:deal.won"


def sample(name: str) -> bytes:
    return body_of(f"salesforce/{name}")


def told(*bodies: bytes, mapping: Mapping | None = None) -> dict[str, Any]:
    return World("salesforce", mapping).tell(*bodies).events()


def configured(**mapping: Any) -> Mapping:
    return mapping_of(mapping, Salesforce.defaults, "Europe/Warsaw")


def types(events: dict[str, Any]) -> list[str]:
    return sorted(key.split(":", 2)[2] for key in events)


def histories(world: World) -> dict[Any, Any]:
    return {key: {f: record.history(f) for f in record.fields} for key, record in world.records.items()}


GOLDEN: dict[str, list[str]] = {
    "1.xml": [
        f"deal:{DEAL}:deal.created 2026-05-08T13:40:22 45000 EUR",
        f"deal:{DEAL}:deal.stage_entered:1 2026-09-30T03:04:32 Closed Won",
        f"deal:{DEAL}:deal.won 2026-09-30T03:04:32 on 2026-09-30 45000 EUR Closed Won",
        f"deal:{OTHER_DEAL}:deal.created 2026-05-08T13:40:22 8000 EUR",
        f"deal:{OTHER_DEAL}:deal.lost 2026-09-30T03:04:32 on 2026-09-30 8000 EUR Closed Lost",
        f"deal:{OTHER_DEAL}:deal.stage_entered:1 2026-09-30T03:04:32 Closed Lost",
    ],
    "4.xml": [f"activity:{TASK}:call.made 2026-09-21T10:27:02 312s False True connected"],
    "6.xml": [
        f"lead:{LEAD}:lead.converted 2026-09-19T06:00:00",
        f"lead:{LEAD}:lead.created 2026-09-19T06:00:00",
        f"lead:{LEAD}:lead.qualified 2026-09-19T06:00:00",
        f"meeting:{MEETING}:meeting.held 2026-09-22T08:45:00 2700s False",
    ],
    "7.json": [
        f"deal:{DEAL}:deal.created 2026-09-24T08:00:00 40000 None",
        f"deal:{DEAL}:deal.stage_entered:1 2026-09-24T08:00:00 Prospecting",
    ],
    "8.json": [
        f"deal:{DEAL}:deal.stage_entered:1 2026-09-30T03:04:32 Closed Won",
        f"deal:{DEAL}:deal.won 2026-09-30T03:04:32 45000 None Closed Won",
    ],
    "9.json": [
        f"deal:{DEAL}:deal.stage_entered:1 2026-09-30T03:04:32 Closed Won",
        f"deal:{DEAL}:deal.won 2026-09-30T03:04:32 45000 None Closed Won",
    ],
    "10.json": [],
    "11.json": [],
    "13.json": ["activity:e981b488-81f3-4fcc-bd6f-f7033c9d7ac3:call.made 2026-09-21T10:27:04.123000 312s False True"],
    "15.json": [
        f"deal:{DEAL}:deal.stage_entered:1 2026-09-30T03:04:32 Closed Won",
        f"deal:{DEAL}:deal.won 2026-09-30T03:04:32 on 2026-09-30 45000 EUR Closed Won",
    ],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_each_sample_gives_its_events(name: str) -> None:
    assert sorted(map(_line, told(sample(name)).values())) == GOLDEN[name]


def _line(event: Any) -> str:
    parts = [event.external_id, event.occurred_at.replace(tzinfo=None).isoformat()]
    parts += [f"on {event.occurred_on}"] if event.occurred_on else []
    parts += [f"{event.amount} {event.currency}"] if event.amount is not None else []
    parts += [f"{event.duration_seconds}s"] if event.duration_seconds is not None else []
    return " ".join([*parts, *(str(event.properties[name]) for name in sorted(event.properties))])


def test_what_an_outbound_message_concerns_and_whose_it_is() -> None:
    win = told(sample("1.xml"))[WIN]
    assert win.actor.external_id == ADA
    assert win.about == {
        "deal": f"salesforce:deal:{DEAL}",
        "company": f"salesforce:company:{COMPANY}",
        "customer": f"salesforce:company:{COMPANY}",
    }
    call = told(sample("4.xml"), sample("1.xml"))[f"activity:{TASK}:call.made"]
    assert call.about["deal"] == f"salesforce:deal:{DEAL}"
    assert call.about["contact"] == f"salesforce:contact:{CONTACT}"
    assert call.about["customer"] == f"salesforce:company:{COMPANY}"  # of its deal


# Ids


def test_ids_of_15_characters_are_those_of_18() -> None:
    assert id18(ORG15, "") == ORG
    assert id18(DEAL[:15], "") == id18(DEAL, "") == DEAL
    assert id18(DEAL.upper(), "") == id18(DEAL.lower(), "") == DEAL
    assert id18("0065g00000sTAmA", "") != DEAL[:15]
    for wrong in ("", "1", "0065g00000STAm!", DEAL + "A", None, 5, "0065g00000STAmAA"):
        with pytest.raises(Unparseable):
            id18(wrong, "")


def test_an_organization_may_be_configured_with_15_characters() -> None:
    adapter = Salesforce()
    assert adapter.is_of_account(ORG, ORG15)
    assert adapter.is_of_account(ORG15, ORG)
    assert adapter.is_of_account("", ORG)  # not told
    assert not adapter.is_of_account("00D5g000000Abc2EAC", ORG15)


def test_the_same_row_by_ids_of_both_lengths_is_one() -> None:
    events = told(outbound(1, "Opportunity", won(at(3), Id=DEAL[:15], AccountId=COMPANY[:15], OwnerId=ADA[:15])))
    assert events == told(outbound(1, "Opportunity", won(at(3))))


# Outbound Messages


def test_a_late_retry_and_a_reopening_in_any_order() -> None:
    bodies = [
        outbound(1, "Opportunity", won(at(3))),
        outbound(2, "Opportunity", won(at(5), IsWon=False, IsClosed=False, StageName="Negotiation")),
    ]
    assert WIN in told(bodies[0])
    for order in (bodies, bodies[::-1], [*bodies, bodies[0]]):
        events = told(*order)
        assert types(events) == ["deal.created", "deal.stage_entered:1", "deal.stage_entered:2"]
    again = outbound(3, "Opportunity", won(at(7)))
    assert told(again, *bodies)[WIN].occurred_at == at(7)


def test_a_retry_tells_current_values() -> None:
    first, current = outbound(1, "Opportunity", won(at(3))), outbound(1, "Opportunity", won(at(4), Amount="50000.0"))
    assert told(current, first)[WIN].amount == Decimal(50000)
    assert told(first, current)[WIN].occurred_at == at(3)
    assert told(current)[WIN].occurred_at == at(4)  # as far as is known
    since = outbound(1, "Opportunity", won(at(9), LastStageChangeDate=at(3)))
    assert told(since)[WIN].occurred_at == at(3)


def test_a_stage_that_never_changed_is_that_of_the_creation() -> None:
    events = told(outbound(1, "Opportunity", won(at(9), LastStageChangeDate=None)))
    assert events[WIN].occurred_at == at(1)


def test_a_system_that_touches_a_row_does_not_move_its_stage() -> None:
    events = told(outbound(1, "Opportunity", won(at(3), SystemModstamp=at(20))))
    assert events[WIN].occurred_at == at(3)
    older = outbound(2, "Opportunity", won(at(3), SystemModstamp=at(10), Amount="1"))
    assert told(outbound(1, "Opportunity", won(at(3), SystemModstamp=at(20))), older)[WIN].amount == Decimal(45000)


def test_a_notification_without_data_is_a_deletion_until_a_later_one_has_some() -> None:
    full, gone = outbound(1, "Opportunity", won(at(3))), outbound(2, "Opportunity", {"Id": DEAL})
    back = outbound(3, "Opportunity", won(at(9)))
    assert told(full, gone) == told(gone, full) == {}
    assert told(full, outbound(1, "Opportunity", {"Id": DEAL})) == {}  # the retry of the same one
    assert told(full, outbound(2, "Opportunity", won(at(4), IsDeleted=True))) == {}
    assert WIN in told(gone, back, full)
    assert World("salesforce").tell(gone).wanted == {("deal", DEAL)}
    undeleted = change("UNDELETE", at(10), {"StageName": "Closed Won"})
    assert WIN in told(undeleted, gone, full)
    (item,) = Salesforce().split(redacted(Salesforce(), outbound(2, "Opportunity", None)))
    assert item.problem == "the notification has no data, and names no record"


def test_empty_and_absent_fields_differ() -> None:
    full = outbound(1, "Opportunity", won(at(3)))
    absent = won(at(4))
    del absent["Amount"]
    assert told(full, outbound(2, "Opportunity", absent))[WIN].amount == Decimal(45000)
    assert told(full, outbound(2, "Opportunity", won(at(4), Amount=None)))[WIN].amount is None


def test_an_opportunity_without_any_time_says_what_to_add() -> None:
    fields = won(at(3))
    for name in ("LastModifiedDate", "SystemModstamp", "CreatedDate"):
        del fields[name]
    (item,) = Salesforce().split(redacted(Salesforce(), outbound(1, "Opportunity", fields)))
    with pytest.raises(Unparseable, match="LastModifiedDate"):
        Salesforce().fold(item, configured())
    with_creation = outbound(1, "Opportunity", fields | {"CreatedDate": at(1)})
    assert told(with_creation)[WIN].occurred_at == at(1)


def test_the_partners_form_is_read_by_its_names_too() -> None:
    enterprise = outbound(1, "Opportunity", won(at(3)))
    partner = enterprise.replace(b"urn:sobject.enterprise", b"urn:sobject.partner")
    assert told(partner) == told(enterprise)
    generic = partner.replace(b'xsi:type="q:Opportunity">', b'xsi:type="q:sObject"><q:type>Opportunity</q:type>')
    assert told(generic) == told(enterprise)
    unnamed = enterprise.replace(b' xsi:type="q:Opportunity"', b"")
    assert told(unnamed) == told(enterprise)


def test_elements_of_other_namespaces_are_no_fields() -> None:
    body = outbound(1, "Opportunity", won(at(3))).replace(
        b"<q:Amount>", b'<x:Amount xmlns:x="urn:other">1</x:Amount><q:Amount>'
    )
    assert told(body)[WIN].amount == Decimal(45000)


def test_a_hundred_notifications_are_read() -> None:
    ids = [f"0065g0000000{n:03}" for n in range(100)]
    parts = [notification(n, "Opportunity", won(at(3), Id=id_)) for n, id_ in enumerate(ids)]
    assert types(told(envelope(*parts))).count("deal.won") == 100


# Change events


def test_three_transports_of_one_commit_are_one() -> None:
    adapter = Salesforce()
    fields = {"StageName": "Closed Won", "IsWon": True, "IsClosed": True, "Amount": 45000.0, "CloseDate": "2026-09-30"}
    bodies = [change("UPDATE", at(3), fields, by=by) for by in TRANSPORTS]
    items = [adapter.split(redacted(adapter, body))[0] for body in bodies]
    assert len({item.dedupe_key for item in items}) == 1
    assert [item.account_id for item in items] == ["", "", ORG]
    said = [adapter.fold(item, configured()) for item in items]
    assert set(said[0].fields) == set(said[1].fields) == set(said[2].fields)
    samples = [adapter.split(redacted(adapter, sample(f"{n}.json")))[0] for n in (8, 9)]
    assert samples[0].dedupe_key == samples[1].dedupe_key
    for extra in ([8], [9], [8, 9], [9, 8, 9]):
        events = told(sample("7.json"), *(sample(f"{n}.json") for n in extra))
        assert events == told(sample("7.json"), sample("8.json"))
        assert events[WIN].occurred_on == date(2026, 9, 29)


@pytest.mark.parametrize("by", TRANSPORTS)
def test_a_null_empties_a_field_only_where_that_is_said(by: str) -> None:
    created = change("CREATE", at(1), won(at(1)), by=by)
    renamed = change("UPDATE", at(2), {"Name": "Another"}, by=by)
    emptied = change("UPDATE", at(3), {"Amount": None, "LastModifiedDate": at(3)}, by=by)
    assert told(created, renamed)[WIN].amount == Decimal(45000)
    assert told(emptied, created, renamed)[WIN].amount is None


def test_what_was_emptied_and_is_not_named_is_fetched() -> None:
    message = json.loads(change("UPDATE", at(3), {"Amount": None}, by="pubsub"))
    for names, asked in (
        (["0x400000"], {("deal", DEAL)}),
        (["4-0x10"], {("deal", DEAL)}),
        (["Amount"], set()),
        ([], set()),
    ):
        message["ChangeEventHeader"]["nulledFields"] = names
        assert World("salesforce").tell(json.dumps(message).encode()).wanted == asked


@pytest.mark.parametrize("by", TRANSPORTS)
def test_enriched_fields_are_no_change(by: str) -> None:
    created = change("CREATE", at(1), {"StageName": "Prospecting", "OwnerId": ADA, "CreatedDate": at(1)})
    shown = {"StageName": "Closed Won", "IsWon": True, "OwnerId": BOB}
    enriched = change("UPDATE", at(5), {"Amount": 7}, by=by, enriched=shown)
    assert types(told(created, enriched)) == ["deal.created", "deal.stage_entered:1"]
    lone = World("salesforce").tell(enriched)
    assert lone.events() == {}
    assert lone.records["deal", DEAL].state("OwnerId") == BOB  # it is so, since when ever
    deleted = change("DELETE", at(6), by=by, enriched={"OwnerId": ADA, "StageName": "Closed Won"})
    assert told(deleted, created, enriched) == {}


def test_flags_that_are_shown_with_a_new_stage_are_told_of_it() -> None:
    created = change("CREATE", at(1), {"StageName": "Angebot", "IsWon": False, "IsClosed": False, "OwnerId": ADA})
    stage, flags = {"StageName": "Gewonnen"}, {"IsWon": True, "IsClosed": True}
    assert told(change("UPDATE", at(5), stage, enriched=flags), created)[WIN].occurred_at == at(5)


def test_a_merged_deletion_and_a_restoration() -> None:
    both = (DEAL, OTHER_DEAL)
    bodies = [change("CREATE", at(1), won(at(1)), ids=[id_]) for id_ in both]
    deleted = change("DELETE", at(4), ids=both, by="pubsub")
    assert told(*bodies, deleted) == told(deleted, *bodies) == {}
    restored = change("UNDELETE", at(6), {"StageName": "Closed Won"}, ids=[OTHER_DEAL])
    assert {key.split(":")[1] for key in told(restored, deleted, *bodies)} == {OTHER_DEAL}
    assert told(*bodies, sample("10.json")) == {}


def test_a_gap_is_fetched_and_an_overflow_is_told() -> None:
    world = World("salesforce").tell(sample("11.json"), change("GAP_DELETE", at(4), ids=[OTHER_DEAL]))
    assert world.wanted == {("deal", DEAL), ("deal", OTHER_DEAL)}
    assert world.records["deal", OTHER_DEAL].is_deleted
    (item,) = Salesforce().split(redacted(Salesforce(), sample("12.json")))
    with pytest.raises(Unparseable, match="fetch them all"):
        Salesforce().fold(item, configured())


def test_changes_of_one_transaction_act_in_their_order() -> None:
    key = "000003ff-1a2b-bbe3-9c2b-5ab0fb45aa01"
    first = change("UPDATE", at(3), {"Amount": 1}, transaction=key, place=2)
    second = change("UPDATE", at(3), {"Amount": 2}, transaction=key, place=10)
    for order in ((first, second), (second, first)):
        assert World("salesforce").tell(*order).records["deal", DEAL].state("Amount") == "2"


def test_a_conversion_in_one_transaction_in_any_order() -> None:
    key, made = "000003ff-1a2b-bbe3-9c2b-5ab0fb45aa01", {"CreatedDate": at(5), "OwnerId": ADA}
    lead = {"Status": "Open", "OwnerId": ADA, "Company": "Polar AG", "CreatedDate": at(2), "IsConverted": False}
    converted = {
        "Status": "Closed - Converted", "IsConverted": True, "ConvertedDate": "2026-09-05",
        "ConvertedAccountId": COMPANY, "ConvertedContactId": CONTACT, "ConvertedOpportunityId": DEAL,
    }  # fmt: skip
    bodies = [
        change("CREATE", at(2), lead, entity="Lead", ids=[LEAD]),
        change("CREATE", at(5), {**made, "Name": "Polar AG"}, entity="Account", ids=[COMPANY], transaction=key),
        change("CREATE", at(5), {**made, "AccountId": COMPANY}, entity="Contact", ids=[CONTACT], transaction=key),
        change("CREATE", at(5), {**made, "AccountId": COMPANY, "StageName": "New"}, transaction=key, place=3),
        change("UPDATE", at(5), converted, entity="Lead", ids=[LEAD], transaction=key, place=4),
        outbound(1, "Task", {"Id": TASK, "WhoId": LEAD, "TaskSubtype": "Call", "Status": "Completed", "OwnerId": BOB,
                             "CompletedDateTime": at(3), "LastModifiedDate": at(3)}),
    ]  # fmt: skip
    events = told(*bodies)
    assert told(*bodies[::-1], *bodies) == events
    assert events[f"lead:{LEAD}:lead.converted"].occurred_at == at(5)
    assert events[f"lead:{LEAD}:lead.converted"].about["deal"] == f"salesforce:deal:{DEAL}"
    assert events[f"deal:{DEAL}:deal.created"].about["lead"] == f"salesforce:lead:{LEAD}"
    assert events[f"activity:{TASK}:call.made"].about["customer"] == f"salesforce:company:{COMPANY}"


# Deals


def test_flags_count_only_for_the_stage_they_were_told_for() -> None:
    custom = "Gewonnen"
    created = change("CREATE", at(1), {"StageName": "Angebot", "IsWon": False, "IsClosed": False, "CreatedDate": at(1)})
    unknown = change("UPDATE", at(3), {"StageName": custom})
    assert WIN not in told(created, unknown)
    assert told(created, unknown, mapping=configured(won_stages=[custom]))[WIN].occurred_at == at(3)
    flagged = outbound(1, "Opportunity", won(at(8), StageName=custom))
    assert told(created, unknown, flagged)[WIN].occurred_at == at(3)
    reopened = change("UPDATE", at(9), {"StageName": "Angebot"})
    assert WIN not in told(created, unknown, flagged, reopened)


def test_a_stage_that_salesforce_does_not_count_as_won_is_not() -> None:
    body = outbound(1, "Opportunity", won(at(3), IsWon=False, IsClosed=False))
    assert WIN not in told(body)
    only_flags = {"Id": DEAL, "IsWon": True, "IsClosed": True, "LastModifiedDate": at(3), "OwnerId": ADA}
    assert told(outbound(1, "Opportunity", only_flags))[WIN].occurred_at == at(3)


@pytest.mark.parametrize(("rule", "owner"), [("at_win", ADA), ("corrected", BOB), ("always", "0055g00000BhqR2AAJ")])
def test_whose_a_win_is(rule: str, owner: str) -> None:
    bodies = [
        change("CREATE", at(1), won(at(1))),
        change("UPDATE", at(5), {"OwnerId": BOB}),
        change("UPDATE", at(20), {"OwnerId": "0055g00000BhqR2AAJ"}),
    ]
    win = told(*bodies[::-1], mapping=configured(credit_owner=rule))[WIN]
    assert win.actor.external_id == owner


def test_a_queue_is_credited_with_nothing_and_seen() -> None:
    world = World("salesforce").tell(outbound(1, "Opportunity", won(at(3), OwnerId=QUEUE)))
    assert world.events()[WIN].actor is None
    assert world.records["deal", DEAL].state("OwnerId") == f"queue:{QUEUE}"
    by_field = configured(fields={"deal": {"owner": "Rep__c"}})
    assert told(outbound(1, "Opportunity", won(at(3), Rep__c=QUEUE)), mapping=by_field)[WIN].actor is None


def test_the_day_of_a_win_is_the_close_date_or_the_change() -> None:
    body = outbound(1, "Opportunity", won(at(3), CloseDate="2026-08-31"))
    assert told(body, mapping=configured())[WIN].occurred_on == date(2026, 8, 31)
    assert told(body, mapping=configured(win_dated_by="change"))[WIN].occurred_on is None


def test_currencies() -> None:
    def currency(mapping: Mapping | None = None, **fields: Any) -> str | None:
        found: str | None = told(outbound(1, "Opportunity", won(at(3), **fields)), mapping=mapping)[WIN].currency
        return found

    assert currency() == "EUR"
    assert currency(CurrencyIsoCode=None) is None  # the source's
    assert currency(configured(currencies={"PLZ": "PLN"}), CurrencyIsoCode="PLZ") == "PLN"


def test_fields_of_the_mapping_are_read() -> None:
    fields = won(at(3), Net__c="40000.5", Region__c="north", Overlay__c=BOB)
    mapping = configured(fields={"deal": {"amount": "Net__c"}}, credit_roles={"overlay": "Overlay__c"})
    with_region = Mapping(**{**_fields(mapping), "properties": {"deal": {"region": PropertyFrom("Region__c")}}})
    win = told(outbound(1, "Opportunity", fields), mapping=with_region)[WIN]
    assert (win.amount, win.properties["region"]) == (Decimal("40000.5"), "north")
    assert [(credit.role, credit.person.external_id) for credit in win.credits] == [("overlay", BOB)]


def _fields(mapping: Mapping) -> dict[str, Any]:
    return {name: getattr(mapping, name) for name in Mapping.__dataclass_fields__}


def test_objects_of_the_organizations_own_are_read_by_the_mapping() -> None:
    mapping = configured(
        objects={"Visit__c": "meeting"},
        fields={"meeting": {"end": "End__c", "owner": "Rep__c", "customer": "Store__c"}},
    )
    fields = {"End__c": at(4), "Rep__c": BOB, "Store__c": COMPANY, "LastModifiedDate": at(3), "CreatedDate": at(2)}
    events = told(change("CREATE", at(3), fields, entity="Visit__c", ids=["a015g00000AbCdEAAV"]), mapping=mapping)
    held = events["meeting:a015g00000AbCdEAAV:meeting.held"]
    assert (held.occurred_at, held.actor.external_id) == (at(4), BOB)
    assert held.about == {"company": f"salesforce:company:{COMPANY}", "customer": f"salesforce:company:{COMPANY}"}
    assert told(change("CREATE", at(3), fields, entity="Visit__c", ids=["a015g00000AbCdEAAV"])) == {}
    world = World("salesforce", mapping).tell(
        change("GAP_UPDATE", at(3), entity="Visit__c", ids=["a015g00000AbCdEAAV"])
    )
    assert world.wanted == {("Visit__c", "a015g00000AbCdEAAV")}
    rows = row("Visit__c", "a015g00000AbCdEAAV", **fields)
    assert types(world.fetch("Visit__c", rows, at=at(5), account=ORG).events()) == ["meeting.booked", "meeting.held"]
    assert not world.adapter.needs_fetch(world.records["meeting", "a015g00000AbCdEAAV"], mapping)
    assert world.fetch("Visit__c", gone=["a015g00000AbCdEAAV"], at=at(6), account=ORG).events() == {}


def test_a_company_that_moves_or_leaves_is_no_longer_that_of_the_deal() -> None:
    first = outbound(1, "Opportunity", won(at(3)))
    moved = outbound(2, "Opportunity", won(at(4), AccountId=OTHER_COMPANY))
    left = outbound(3, "Opportunity", won(at(5), AccountId=None))
    assert told(moved, first)[WIN].about["company"] == f"salesforce:company:{OTHER_COMPANY}"
    assert set(told(left, first, moved)[WIN].about) == {"deal"}


# Activities


def task(when: datetime, **fields: Any) -> bytes:
    told = {
        "Id": TASK, "OwnerId": ADA, "Status": "Completed", "TaskSubtype": "Call", "CallType": "Outbound",
        "CompletedDateTime": when, "LastModifiedDate": when, "CreatedDate": at(1), "WhoId": CONTACT, **fields,
    }  # fmt: skip
    return outbound(when.day, "Task", told)


CALL = f"activity:{TASK}:call.made"


@pytest.mark.parametrize(
    ("fields", "properties"),
    [
        ({}, {"connected": True}),
        ({"CallDurationInSeconds": "0"}, {"connected": False}),
        ({"CallDisposition": "Connected"}, {"connected": True, "outcome": "connected"}),
        ({"CallDisposition": "No Answer"}, {"connected": False, "outcome": "no_answer"}),
        ({"CallDisposition": "asked for a pause"}, {"connected": False, "outcome": "asked for a pause"}),
        ({"CallType": "Internal"}, {"connected": True, "direction": "internal"}),
    ],
)
def test_calls_tell_what_became_of_them(fields: dict[str, Any], properties: dict[str, Any]) -> None:
    assert told(task(at(3), **fields))[CALL].properties == {"automated": False, **properties}


def test_a_task_counts_once_it_is_completed() -> None:
    open_ = task(at(2), Status="In Progress", CompletedDateTime=None)
    reopened = task(at(5), Status="Not Started", CompletedDateTime=None)
    assert told(open_) == {}
    assert told(task(at(3)), open_)[CALL].occurred_at == at(3)
    assert told(reopened, task(at(3)), open_) == {}
    custom = task(at(3), Status="Erledigt", IsClosed=True)
    assert CALL in told(custom)
    assert told(task(at(3), IsClosed=False)) == {}
    later = task(at(4), CompletedDateTime=None, Status="Completed")
    assert told(open_, later)[CALL].occurred_at == at(4)
    assert types(told(task(at(3), CallType="Inbound"))) == ["call.received"]


def test_emails_and_other_tasks() -> None:
    assert types(told(task(at(3), TaskSubtype="Email"))) == ["email.sent"]
    (mass,) = told(task(at(3), TaskSubtype="ListEmail")).values()
    assert mass.properties == {"automated": True}
    assert told(task(at(3), TaskSubtype="Task")) == {}
    assert types(told(task(at(3), TaskSubtype="Task", Type="Call"))) == ["call.made"]


def test_a_task_moves_from_a_lead_to_a_contact() -> None:
    first, moved = task(at(3), WhoId=LEAD), task(at(4), WhoId=CONTACT)
    assert told(first)[CALL].about == {"lead": f"salesforce:lead:{LEAD}"}
    assert "lead" not in told(moved, first)[CALL].about
    assert told(moved, first)[CALL].about["contact"] == f"salesforce:contact:{CONTACT}"


def meeting(when: datetime, **fields: Any) -> bytes:
    told = {
        "Id": MEETING, "OwnerId": ADA, "StartDateTime": at(20, 8), "EndDateTime": at(20, 9), "CreatedDate": at(1),
        "LastModifiedDate": when, "WhatId": DEAL, **fields,
    }  # fmt: skip
    return outbound(when.day, "Event", told)


def test_a_meeting_is_booked_and_held_at_its_end() -> None:
    events = told(meeting(at(2)))
    assert types(events) == ["meeting.booked", "meeting.held"]
    held = events[f"meeting:{MEETING}:meeting.held"]
    assert (held.occurred_at, held.duration_seconds) == (at(20, 9), Decimal(3600))
    moved = meeting(at(3), StartDateTime=at(21, 8), EndDateTime=None, DurationInMinutes="90")
    held = told(moved, meeting(at(2)))[f"meeting:{MEETING}:meeting.held"]
    assert (held.occurred_at, held.duration_seconds) == (at(21, 8) + timedelta(minutes=90), Decimal(5400))
    cancelled = change("DELETE", at(4), entity="Event", ids=[MEETING])
    assert told(cancelled, moved) == {}


def test_whole_days_copies_and_outcomes_of_meetings() -> None:
    midnight = datetime(2026, 9, 22, tzinfo=UTC)
    whole = told(meeting(at(2), IsAllDayEvent=True, StartDateTime=midnight, EndDateTime=midnight))
    assert whole[f"meeting:{MEETING}:meeting.held"].occurred_on == date(2026, 9, 22)
    assert told(meeting(at(2), IsChild=True)) == {}
    mapping = configured(fields={"meeting": {"outcome": "Outcome__c"}})
    assert types(told(meeting(at(2), Outcome__c="No Show"), mapping=mapping)) == ["meeting.booked"]
    strict = configured(fields={"meeting": {"outcome": "Outcome__c"}}, meeting_held="completed")
    assert types(told(meeting(at(2)), mapping=strict)) == ["meeting.booked"]
    assert "meeting.held" in types(told(meeting(at(2), Outcome__c="Completed"), mapping=strict))


def test_a_company_that_was_merged_lives_on_in_the_other() -> None:
    world = World("salesforce").tell(outbound(1, "Opportunity", won(at(3))))
    fields = {"MasterRecordId": OTHER_COMPANY, "IsDeleted": True, "SystemModstamp": at(4)}
    world.fetch("company", row("Account", COMPANY, **fields), at=at(5), account=ORG)
    assert world.events()[WIN].about["company"] == f"salesforce:company:{OTHER_COMPANY}"
    itself = row("Account", COMPANY, MasterRecordId=COMPANY, SystemModstamp=at(4))
    assert (
        World("salesforce").fetch("company", itself, at=at(5), account=ORG).records["company", COMPANY].merged_into
        is None
    )


def test_leads_are_qualified_by_their_status() -> None:
    def lead(when: datetime, **fields: Any) -> bytes:
        told = {"Id": LEAD, "OwnerId": QUEUE, "CreatedDate": at(1), "LastModifiedDate": when, **fields}
        return outbound(when.day, "Lead", told)

    events = told(lead(at(4), Status="Qualified"), lead(at(2), Status="New"), lead(at(6), Status="Nurturing"))
    assert types(events) == ["lead.created", "lead.qualified"]
    assert events[f"lead:{LEAD}:lead.qualified"].occurred_at == at(4)
    assert events[f"lead:{LEAD}:lead.created"].actor is None
    backfilled = lead(at(20), Status="Closed", IsConverted=True, ConvertedDate="2026-09-05")
    assert told(backfilled)[f"lead:{LEAD}:lead.converted"].occurred_at == at(5)
    by_status = lead(at(6), Status="Closed - Converted")
    assert told(by_status)[f"lead:{LEAD}:lead.converted"].occurred_at == at(6)


def test_quotes_are_sent_and_accepted_by_their_status() -> None:
    def quote(when: datetime, status: str) -> bytes:
        return outbound(when.day, "Quote", {
            "Id": "0Q05g000000AbCd", "Status": status, "GrandTotal": "900.0", "OpportunityId": DEAL, "OwnerId": ADA,
            "LastModifiedDate": when,
        })  # fmt: skip

    events = told(quote(at(4), "Accepted"), quote(at(3), "Presented"), quote(at(2), "Draft"))
    assert types(events) == ["quote.accepted", "quote.sent"]
    sent = next(event for key, event in events.items() if key.endswith("sent"))
    assert (sent.occurred_at, sent.amount, sent.about["deal"]) == (at(3), Decimal(900), f"salesforce:deal:{DEAL}")


# Callouts and platform events


def callout(event: str, record: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"org_id": ORG, "object": "Opportunity", "event": event, "record": record, **more}).encode()


def test_callouts_by_the_template_save_delete_and_restore() -> None:
    record = json.loads(sample("15.json"))["record"]
    saved, deleted = sample("15.json"), callout("after_delete", record)
    assert told(saved, deleted) == told(deleted, saved) == {}
    timed = callout("after_undelete", record, at="2026-09-30T04:00:00.000Z")
    assert WIN in told(timed, deleted, saved)
    later = callout("after_update", {**record, "Amount": 1, "LastModifiedDate": "2026-10-01T00:00:00.000+0000"})
    assert told(later, saved, deleted)[WIN].amount == Decimal(1)
    with pytest.raises(Unparseable):
        World("salesforce").tell(callout("after_update", {"Id": DEAL}))


def test_platform_events_by_the_template_are_calls_emails_and_meetings() -> None:
    def event(**fields: Any) -> dict[str, Any]:
        told = json.loads(sample("13.json"))
        told["data"]["payload"] |= fields
        return dict(told)

    call = told(json.dumps(event()).encode(), sample("13.json"))
    assert types(call) == ["call.made"]
    (met,) = [
        each
        for each in told(json.dumps(event(Activity_Type__c="Meeting", Lead_Id__c=LEAD)).encode()).values()
        if each.type == "meeting.held"
    ]
    assert (met.duration_seconds, met.about["lead"]) == (Decimal(312), f"salesforce:lead:{LEAD}")
    assert types(told(json.dumps(event(Activity_Type__c="EMAIL")).encode())) == ["email.sent"]
    assert told(json.dumps(event(Activity_Type__c="LUNCH")).encode()) == {}
    ownerless = World("salesforce").tell(json.dumps(event(Owner_Id__c=None)).encode())
    assert not any(ownerless.adapter.needs_fetch(record, configured()) for record in ownerless.records.values())
    without_id = event()
    del without_id["data"]["event"]["EventUuid"]
    assert list(told(json.dumps(without_id).encode())) == ["activity:Sales_Activity__e-3:call.made"]


def test_a_relay_may_send_lists() -> None:
    bodies = [sample("7.json"), sample("9.json")]
    both = b"[" + b",".join(bodies) + b",5,{}]"
    assert told(both) == told(*bodies)
    problems = [item.problem for item in Salesforce().split(redacted(Salesforce(), both))]
    assert [problem is None for problem in problems] == [True, True, False, False]


# What was fetched


def test_fetched_rows_are_snapshots_and_what_is_gone_is_deleted() -> None:
    fields = {name: value for name, value in won(at(3)).items() if name != "Id"}
    seen = row("Opportunity", DEAL, **{**fields, "LastStageChangeDate": at(2), "Amount": Decimal("45000.0")})
    world = World("salesforce").tell(change("UPDATE", at(3), {"Amount": 1}), change("GAP_UPDATE", at(4)))
    world.fetch("deal", seen, at=at(5), account=ORG15)
    assert world.events()[WIN].occurred_at == at(2)
    assert world.events()[WIN].amount == Decimal(45000)
    world.fetch("deal", gone=[DEAL], at=at(6), account=ORG)
    assert world.events() == {}
    world.fetch("deal", seen, at=at(8), account=ORG)
    assert WIN in world.events()  # its last change is before the deletion, but it was seen after it


def test_a_row_that_is_in_the_recycle_bin_is_deleted() -> None:
    world = World("salesforce").tell(outbound(1, "Opportunity", won(at(3))))
    world.fetch("deal", row("Opportunity", DEAL, IsDeleted=True, SystemModstamp=at(4)), at=at(5), account=ORG)
    assert world.events() == {}


def test_tables_of_changes_date_the_stages() -> None:
    world = World("salesforce")
    fields = {name: value for name, value in won(at(20)).items() if name != "Id"}
    world.fetch("deal", row("Opportunity", DEAL, **fields), at=at(21), account=ORG)
    changes: list[tuple[datetime, dict[str, Any]]] = [
        (at(1), {"Field": "created", "OldValue": None, "NewValue": None}),
        (at(6), {"Field": "StageName", "OldValue": "New", "NewValue": "Offer"}),
        (at(9), {"Field": "StageName", "OldValue": "Offer", "NewValue": "Closed Won"}),
        (at(5), {"Field": "Owner", "OldValue": "Bob", "NewValue": "Ada Example"}),
        (at(5), {"Field": "Owner", "OldValue": ADA, "NewValue": BOB}),
    ]
    history = [
        row("OpportunityFieldHistory", f"0175g00000{n:05}", OpportunityId=DEAL, CreatedDate=when, **told)
        for n, (when, told) in enumerate(changes)
    ]
    world.fetch("deal", *history, at=at(21), account=ORG)
    assert world.events()[WIN].occurred_at == at(9)
    nested = World("salesforce")
    nested.fetch("deal", {**row("Opportunity", DEAL, **fields), "Histories": history}, at=at(21), account=ORG)
    assert nested.events() == world.events()
    snapshot = row("OpportunityHistory", "0085g00000aBcDe", OpportunityId=DEAL, StageName="New", CreatedDate=at(1))
    world.fetch("deal", snapshot, at=at(21), account=ORG)
    events = world.events()
    entered = [(e.occurred_at, e.properties["stage"]) for e in events.values() if e.type == "deal.stage_entered"]
    assert sorted(entered) == [(at(1), "New"), (at(6), "Offer"), (at(9), "Closed Won")]
    assert events[WIN].occurred_at == at(9)
    assert [stamp.value for stamp in world.records["deal", DEAL].history("OwnerId")] == [BOB, ADA]


def test_a_record_needs_a_fetch_until_its_owner_stage_and_creation_are_known() -> None:
    adapter = Salesforce()
    world = World("salesforce").tell(change("UPDATE", at(3), {"StageName": "Closed Won"}))
    assert adapter.needs_fetch(world.records["deal", DEAL], configured())
    world.tell(outbound(1, "Opportunity", won(at(3))))
    assert not adapter.needs_fetch(world.records["deal", DEAL], configured())


# Whatever the order


STAGES = [("New", False, False), ("Offer", False, False), ("Closed Won", True, True), ("Closed Lost", False, True)]


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_stories_by_any_transport_in_any_order_and_repeated(length: int, chance: Random) -> None:
    """Each step is told by Outbound Message, change event or both; retries tell later states."""
    state: dict[str, Any] = won(at(1), StageName="New", IsWon=False, IsClosed=False, Amount="100")
    bodies, states, deleted, owners, entries = [], [], False, [(at(1), ADA)], [(at(1), "New")]
    for step in range(length):
        when = at(1) + timedelta(hours=step)
        changed = _step(chance) if step else dict(state)
        deleting = step > 0 and chance.random() < 0.15
        if deleting:
            deleted = not deleted
            changed = {} if deleted else dict(state)
            bodies += _changes("DELETE" if deleted else "UNDELETE", when, changed, chance)
            continue
        state = {**state, **changed, "LastModifiedDate": when, "SystemModstamp": when}
        if changed.get("StageName", entries[-1][1]) != entries[-1][1]:
            entries.append((when, changed["StageName"]))
        if changed.get("OwnerId", owners[-1][1]) != owners[-1][1]:
            owners.append((when, changed["OwnerId"]))
        states.append(state)
        ways = chance.choice([("om",), ("cdc",), ("om", "cdc")])
        if "om" in ways:
            bodies.append(outbound(step, "Opportunity", state))
        if "cdc" in ways:
            bodies += _changes("UPDATE" if step else "CREATE", when, changed, chance)
    bodies += [outbound(chance.randrange(length), "Opportunity", states[-1]) for _ in range(2)]
    shuffled = bodies + chance.sample(bodies, len(bodies) // 2)
    chance.shuffle(shuffled)
    one, other = World("salesforce").tell(*bodies), World("salesforce").tell(*shuffled)
    assert histories(one) == histories(other)
    events = other.events()
    assert events == one.events()
    if deleted:
        assert events == {}
        return
    closings = {"Closed Won": "deal.won", "Closed Lost": "deal.lost"}
    closing = [event for event in events.values() if event.type in closings.values()]
    assert [event.type for event in closing] == [closings[stage] for stage in [state["StageName"]] if stage in closings]
    entered = sorted(
        (event.occurred_at, event.properties["stage"])
        for event in events.values()
        if event.type == "deal.stage_entered"
    )
    assert entered == entries
    for event in closing:
        assert event.occurred_at == entries[-1][0]
        assert event.amount == Decimal(state["Amount"])
        assert event.occurred_on == date.fromisoformat(state["CloseDate"])
        assert event.about["company"] == f"salesforce:company:{state['AccountId']}"
        assert event.actor
        assert event.actor.external_id == owners[-1][1]  # all within the days of correction


def _step(chance: Random) -> dict[str, Any]:
    stage, is_won, is_closed = chance.choice(STAGES)
    return chance.choice([
        {"StageName": stage, "IsWon": is_won, "IsClosed": is_closed},
        {"Amount": str(chance.randint(1, 9))},
        {"OwnerId": chance.choice([ADA, BOB])},
        {"AccountId": chance.choice([COMPANY, OTHER_COMPANY])},
        {"CloseDate": f"2026-09-{chance.randint(10, 30)}"},
    ])  # fmt: skip


def _changes(type_: str, when: datetime, fields: dict[str, Any], chance: Random) -> list[bytes]:
    told = {name: value for name, value in fields.items() if name != "Id"}
    return [change(type_, when, told, by=by) for by in chance.sample(TRANSPORTS, chance.randint(1, 3))]
