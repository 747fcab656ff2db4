"""Zoho's notifications, workflow webhooks and fetched records, and the events that follow from them."""

import copy
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.facts import EventFacts
from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.zoho import Zoho
from app.integrations.folding import Record
from app.integrations.mapping import Mapping, PropertyFrom, mapping_of
from tests.integrations.crm import World, body_of, redacted
from tests.integrations.posting import fetch, zoho
from tests.support import Api

TOKEN = "zoho-channel-token-max50chars"
CHANNEL = "1000000068001"
DEAL = "5725767000003000064"
CALL = "5725767000003100001"
ADA, BOB = "5725767000000411001", "5725767000000411002"
ACCOUNT = "5725767000000555001"
LATER = datetime(2026, 11, 1, tzinfo=UTC)
START = datetime(2026, 10, 5, 8, tzinfo=UTC)


def sample(number: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body_of(f"zoho/{number}.json"))
    return told


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def notified(operation: str, at: datetime, *ids: str, module: str = "Deals", **rest: Any) -> dict[str, Any]:
    """A notification as the watch API posts it."""
    told = {**sample(1), "operation": operation, "module": module, "ids": list(ids or (DEAL,))}
    return {**told, "server_time": int(at.timestamp() * 1000) + 473, **rest}


def valued(at: datetime, values: dict[str, Any], id_: str = DEAL) -> dict[str, Any]:
    """A notification with affected values."""
    rest: dict[str, Any] = {
        "affected_fields": [{id_: sorted(values)}],
        "affected_values": [{"record_id": id_, "values": values}],
    }
    return notified("update", at, id_, **rest)


def record(at: datetime, **fields: Any) -> dict[str, Any]:
    """A deal as it is fetched after a change at `at`."""
    told: dict[str, Any] = sample(7)["data"][0]
    return {**told, "Modified_Time": at.isoformat(timespec="seconds"), **fields}


def user(id_: str) -> dict[str, Any]:
    return {"id": id_, "name": "Ana Keller", "email": "ana.keller@example.com"}


def world(mapping: dict[str, Any] | None = None) -> World:
    return World("zoho", mapping_of(mapping or {}, Zoho.defaults, "Europe/Warsaw"))


def owner_of(event: EventFacts) -> str | None:
    return event.actor.external_id if event.actor else None


def fetched(told: World, *items: dict[str, Any], kind: str = "deal", at: datetime = LATER, gone: Any = ()) -> World:
    return told.fetch(kind, *map(answered, items), at=at, account=CHANNEL, gone=gone)


def answered(item: dict[str, Any]) -> dict[str, Any]:
    """With exact numbers, as clients read an answer."""
    told: Any = wire.parse(json.dumps(item).encode())
    return dict(told)


def deal_events(*items: dict[str, Any], mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    return fetched(world(mapping), *items).events()


def test_a_notification_is_thin_and_the_fetched_record_tells_the_win() -> None:
    told = world().tell(body(sample(1)))
    assert told.wanted == {("deal", DEAL)}
    assert Zoho().needs_fetch(told.records["deal", DEAL], told.mapping)
    told.tell(body(sample(2)))
    fetched(told, sample(7)["data"][0])
    assert not Zoho().needs_fetch(told.records["deal", DEAL], told.mapping)
    events = told.events()
    win = events[f"deal:{DEAL}:deal.won"]
    assert (win.occurred_at, win.occurred_on) == (datetime(2026, 10, 1, 8, tzinfo=UTC), date(2026, 9, 30))
    assert (win.amount, win.currency, owner_of(win)) == (Decimal(12500), "EUR", ADA)
    assert win.about["company"] == win.about["customer"] == f"zoho:company:{ACCOUNT}"
    made = events[f"deal:{DEAL}:deal.created"]
    assert made.occurred_at == datetime(2026, 9, 14, 8, 3, 55, tzinfo=UTC)
    assert sorted(events) == [f"deal:{DEAL}:{type_}" for type_ in ("deal.created", "deal.stage_entered:1", "deal.won")]


def test_affected_values_are_folded_at_once() -> None:
    told = world().tell(body(valued(START, {"Stage": "Closed Won", "Amount": 12500.5, "Owner": user(BOB)})))
    win = told.events()[f"deal:{DEAL}:deal.won"]
    assert (win.amount, owner_of(win)) == (Decimal("12500.5"), BOB)
    assert win.occurred_at == START + timedelta(milliseconds=473)
    assert told.wanted == {("deal", DEAL)}


def test_a_notification_about_a_related_action_changes_nothing_of_the_deal() -> None:
    before = fetched(world(), record(START))
    after = fetched(world().tell(body(notified("update", START + timedelta(days=1)))), record(START))
    assert after.wanted == {("deal", DEAL)}
    assert before.events() == after.events()
    assert before.records["deal", DEAL].fields == after.records["deal", DEAL].fields


def test_a_bulk_notification_names_many_records_and_a_bad_one_does_not_fail_the_rest() -> None:
    ids = [str(10**18 + n) for n in range(3)]
    message = notified("insert", START)
    message["ids"] = [*ids, 2**63 - 1, None, {"id": 1}, "a:b", ids[0]]
    items = Zoho().split(redacted(Zoho(), body(message)))
    assert len({item.dedupe_key for item in items}) == len(items) == 5
    told = {key for item in items[:4] for key in Zoho().fold(item, Mapping()).wanted}
    assert told == {("deal", id_) for id_ in (*ids, str(2**63 - 1))}
    with pytest.raises(Unparseable):
        Zoho().fold(items[4], Mapping())


@pytest.mark.parametrize("word", ["delete", "deleted", "Delete", "Deals.delete", "remove"])
def test_a_deletion_takes_the_win_back(word: str) -> None:
    won, gone = record(START), notified(word, START + timedelta(days=1), DEAL, CALL)
    told = fetched(world().tell(body(gone)), won)
    assert told.events() == {}
    assert told.wanted == set()
    told.tell(body(notified("restore", START + timedelta(days=2))))
    assert f"deal:{DEAL}:deal.won" in told.events()


def test_what_is_fetched_and_is_not_there_is_deleted_until_it_is_seen_again() -> None:
    told = fetched(fetched(world(), record(START)), gone=[DEAL], at=START + timedelta(days=1))
    assert told.events() == {}
    assert f"deal:{DEAL}:deal.won" in fetched(told, record(START + timedelta(days=2))).events()


def test_corrections_and_reopening_follow_the_latest_snapshot_in_any_order() -> None:
    won, corrected = record(START), record(START + timedelta(days=1), Amount=11800)
    reopened = record(START + timedelta(days=2), Stage="Negotiation/Review")
    assert deal_events(corrected, won)[f"deal:{DEAL}:deal.won"].amount == Decimal(11800)
    assert deal_events(corrected, won)[f"deal:{DEAL}:deal.won"].occurred_at == START
    events = deal_events(reopened, won, corrected)
    assert f"deal:{DEAL}:deal.won" not in events
    assert [events[f"deal:{DEAL}:deal.stage_entered:{n}"].properties["stage"] for n in (1, 2)] == [
        "Closed Won",
        "Negotiation/Review",
    ]


def test_the_owner_of_a_win_is_corrected_for_seven_days_and_not_by_later_bulk_edits() -> None:
    won = record(START)
    soon, late = (record(START + timedelta(days=days), Owner=user(BOB)) for days in (3, 40))
    win = f"deal:{DEAL}:deal.won"
    assert deal_events(won, soon)[win].actor.external_id == BOB
    assert deal_events(won, late)[win].actor.external_id == ADA
    assert deal_events(won, late, mapping={"credit_owner": "always"})[win].actor.external_id == BOB
    assert deal_events(won, soon, mapping={"credit_owner": "at_win"})[win].actor.external_id == ADA


def test_nobody_is_credited_where_there_is_no_owner() -> None:
    nobody: list[Any] = [None, {}, {"id": None}, "", []]
    for owner in nobody:
        assert deal_events(record(START, Owner=owner))[f"deal:{DEAL}:deal.won"].actor is None


def test_the_day_of_a_win_is_its_closing_date_unless_the_change_shall_date_it() -> None:
    win = f"deal:{DEAL}:deal.won"
    assert deal_events(record(START))[win].occurred_on == date(2026, 9, 30)
    assert deal_events(record(START), mapping={"win_dated_by": "change"})[win].occurred_on is None
    assert deal_events(record(START, Closing_Date="soon"))[win].occurred_on is None
    late = record(START, Closing_Date="2026-09-30T23:30:00+00:00")
    assert deal_events(late)[win].occurred_on == date(2026, 10, 1)  # in Warsaw


def test_a_currency_is_the_sources_where_none_is_told_and_none_where_nobody_knows_it() -> None:
    win = f"deal:{DEAL}:deal.won"
    single = record(START)
    del single["Currency"]
    assert deal_events(single)[win].currency is None
    assert deal_events(record(START, Currency="Euro"))[win].currency == "XXX"
    assert deal_events(record(START, Currency="Euro"), mapping={"currencies": {"Euro": "EUR"}})[win].currency == "EUR"
    assert deal_events(record(START, Amount=None))[win].amount is None


def test_stage_history_tells_the_past() -> None:
    rows = [
        {"Stage": "Qualification", "Modified_Time": "2026-09-14T10:03:55+02:00", "Modified_By": user(ADA)},
        {"Stage": "Proposal", "Moved_To__s": "Closed Won", "Modified_Time": "2026-09-18T10:00:00+02:00"},
        {"Stage": "Closed Won", "Moved_To__s": None, "Modified_Time": "2026-09-20T10:00:00+02:00"},
        {"Stage": "x", "Modified_Time": "soon"},
        "odd",
    ]
    item = record(START, Stage_History=rows)
    assert "Ana" not in json.dumps(Zoho().redact_fetched(Fetched(CHANNEL, "deal", [item], [], LATER), Mapping()))
    events = deal_events(item)
    assert events[f"deal:{DEAL}:deal.won"].occurred_at == datetime(2026, 9, 20, 8, tzinfo=UTC)
    entered = [(e.occurred_at.day, e.properties["stage"]) for e in events.values() if e.type == "deal.stage_entered"]
    assert sorted(entered) == [(14, "Qualification"), (18, "Proposal"), (20, "Closed Won")]


def test_what_was_seen_within_the_second_of_a_change_yields_to_what_was_seen_later() -> None:
    early = record(START, Probability=50, Amount=900)
    late = record(START, Probability=100, Amount=100)
    for order in ((early, late), (late, early)):
        told = world()
        for item in order:
            fetched(told, item, at=START + timedelta(seconds=2) if item is early else LATER)
        assert told.events()[f"deal:{DEAL}:deal.won"].amount == Decimal(100)


def call(**fields: Any) -> dict[str, Any]:
    told = {
        "id": CALL,
        "Subject": "Call with Jan Nowak",
        "Call_Type": "Outbound",
        "Call_Start_Time": "2026-10-05T12:00:00+02:00",
        "Call_Duration": "03:20",
        "Call_Duration_in_seconds": 200,
        "Owner": user(ADA),
        "What_Id": {"id": DEAL, "name": "Rheintal Logistik"},
        "$se_module": "Deals",
        "Who_Id": {"id": "5725767000000666001", "name": "Jan Nowak"},
        "Created_Time": "2026-10-05T12:04:00+02:00",
        "Modified_Time": "2026-10-05T12:04:00+02:00",
    }
    return {**told, **fields}


def call_of(**fields: Any) -> Any:
    events = fetched(world(), call(**fields), kind="call").events()
    return next(iter(events.values()), None)


def test_a_call_is_made_by_its_owner_about_the_deal() -> None:
    told = world().tell(body(sample(4)))
    assert told.wanted == {("call", CALL)}
    assert told.events() == {}
    fetched(fetched(told, call(), kind="call"), record(START))
    made = told.events()[f"call:{CALL}:call.made"]
    assert (made.occurred_at, made.duration_seconds) == (datetime(2026, 10, 5, 10, tzinfo=UTC), Decimal(200))
    assert owner_of(made) == ADA
    assert made.about["deal"] == f"zoho:deal:{DEAL}"
    assert made.about["customer"] == f"zoho:company:{ACCOUNT}"
    assert made.properties == {"automated": False, "connected": True}


def test_the_kind_the_length_and_the_outcome_of_calls() -> None:
    assert call_of(Call_Type="Inbound").type == "call.received"
    missed = call_of(Call_Type="Missed", Call_Duration="00:00", Call_Duration_in_seconds=0)
    assert (missed.type, missed.properties["connected"], missed.properties["outcome"]) == (
        "call.received",
        False,
        "missed",
    )
    assert call_of(Call_Duration_in_seconds=None).duration_seconds == Decimal(200)
    assert call_of(Call_Duration_in_seconds=None, Call_Duration="01:00:05").duration_seconds == Decimal(3605)
    odd = call_of(Call_Duration_in_seconds=-1, Call_Duration="a:b")
    assert (odd.duration_seconds, "connected" in odd.properties) == (None, False)
    assert call_of(Call_Duration_in_seconds=0).properties["connected"] is False
    assert call_of(Call_Result="Interested").properties["outcome"] == "connected"
    assert call_of(Call_Result="No response/Busy").properties == {
        "automated": False,
        "outcome": "no_answer",
        "connected": False,
    }
    assert call_of(Outgoing_Call_Status="Scheduled") is None
    assert call_of(Call_Start_Time=None) is None
    lead = call_of(What_Id={"id": "7"}, **{"$se_module": "Leads"})
    assert lead.about["lead"] == "zoho:lead:7"


def test_a_meeting_is_booked_and_held_at_its_end() -> None:
    meeting = {
        "id": "9",
        "Owner": user(ADA),
        "Created_Time": "2026-10-01T08:00:00Z",
        "Modified_Time": "2026-10-01T08:00:00Z",
        "Start_DateTime": "2026-10-05T09:00:00+02:00",
        "End_DateTime": "2026-10-05T10:30:00+02:00",
        "Participants": [{"name": "Jan Nowak", "Email": "jan@example.com"}],
        "Outcome": "No Show",
    }
    events = fetched(world(), meeting, kind="Events").events()
    assert events["meeting:9:meeting.held"].occurred_at == datetime(2026, 10, 5, 8, 30, tzinfo=UTC)
    assert events["meeting:9:meeting.held"].duration_seconds == Decimal(5400)
    assert events["meeting:9:meeting.booked"].occurred_at == datetime(2026, 10, 1, 8, tzinfo=UTC)
    by_outcome = {"fields": {"meeting": {"outcome": "Outcome"}}}
    assert list(fetched(world(by_outcome), meeting, kind="meeting").events()) == ["meeting:9:meeting.booked"]
    moved = {**meeting, "Modified_Time": "2026-10-04T08:00:00Z", "End_DateTime": "2026-10-06T10:30:00+02:00"}
    events = fetched(world(), moved, meeting, kind="meeting").events()
    assert events["meeting:9:meeting.held"].occurred_at == datetime(2026, 10, 6, 8, 30, tzinfo=UTC)


def test_a_lead_is_qualified_and_converted_and_stays_one_when_it_leaves_its_module() -> None:
    def lead(day: int, **fields: Any) -> dict[str, Any]:
        told = {"id": "8", "Owner": user(ADA), "Last_Name": "Nowak", "Company": "Rheintal"}
        times = {"Created_Time": "2026-10-01T08:00:00Z", "Modified_Time": f"2026-10-{day:02}T08:00:00Z"}
        return {**told, **times, **fields}

    fresh, qualified = lead(1, Lead_Status="Not Contacted"), lead(2, Lead_Status="Pre-Qualified")
    converted = lead(3, Lead_Status="Pre-Qualified", **{"$converted": True}, Converted_Deal={"id": DEAL})
    told = fetched(world(), converted, fresh, qualified, kind="lead")
    deleted = body(notified("delete", START, "8", module="Leads"))
    events = fetched(told, record(START)).tell(deleted).events()
    assert {key: event.occurred_at.day for key, event in events.items() if key.startswith("lead")} == {
        "lead:8:lead.created": 1,
        "lead:8:lead.qualified": 2,
        "lead:8:lead.converted": 3,
    }
    assert events[f"deal:{DEAL}:deal.won"].about["lead"] == "zoho:lead:8"
    assert fetched(world(), fresh, kind="lead").tell(deleted).events() == {}


def test_a_quote_is_sent_and_accepted_and_a_step_back_takes_the_acceptance_back() -> None:
    def quote(day: int, stage: str) -> dict[str, Any]:
        times = {"Created_Time": "2026-10-01T08:00:00Z", "Modified_Time": f"2026-10-{day:02}T08:00:00Z"}
        worth = {"Grand_Total": 990.5, "Currency": "PLN", "Deal_Name": {"id": DEAL, "name": "R"}}
        return {"id": "6", "Owner": user(ADA), "Quote_Stage": stage, **worth, **times}

    stages = [quote(1, "Draft"), quote(2, "Delivered"), quote(3, "Confirmed")]
    events = fetched(world(), *stages, kind="quote").events()
    assert {key: event.occurred_at.day for key, event in events.items()} == {
        "quote:6:quote.sent": 2,
        "quote:6:quote.accepted": 3,
    }
    accepted = events["quote:6:quote.accepted"]
    assert (accepted.amount, accepted.currency) == (Decimal("990.5"), "PLN")
    assert accepted.about["deal"] == f"zoho:deal:{DEAL}"
    assert list(fetched(world(), *stages, quote(4, "On Hold"), kind="quote").events()) == ["quote:6:quote.sent"]


def test_custom_modules_count_as_the_mapping_says() -> None:
    visit = {
        "id": "5",
        "Owner": user(ADA),
        "Created_Time": "2026-10-01T08:00:00Z",
        "Visited_At": "2026-10-02T08:00:00Z",
    }
    mapping = {"objects": {"Visits": "meeting"}, "fields": {"meeting": {"end": "Visited_At"}}}
    told = world(mapping).tell(body(notified("insert", START, "5", module="Visits")))
    assert told.wanted == {("Visits", "5")}
    assert not told.adapter.needs_fetch(told.records["meeting", "5"], told.mapping)
    assert "meeting:5:meeting.held" in fetched(told, visit, kind="Visits").events()
    assert world().tell(body(notified("insert", START, "5", module="Visits"))).wanted == set()


def test_a_workflow_form_tells_of_the_deal_at_its_own_time() -> None:
    told = world().tell(body_of("zoho/5.form"))
    win = told.events()[f"deal:{DEAL}:deal.won"]
    assert (win.occurred_at, win.amount, win.currency, win.actor) == (
        datetime(2026, 10, 1, 8, tzinfo=UTC),
        Decimal(12500),
        "EUR",
        None,
    )
    assert told.wanted == {("deal", DEAL)}  # whose it is, an e-mail address does not tell
    whole = body_of("zoho/5.form") + f"&owner_id={ADA}&account_id={ACCOUNT}".encode()
    told = world().tell(whole)
    assert told.wanted == set()
    win = told.events()[f"deal:{DEAL}:deal.won"]
    assert (owner_of(win), win.about["company"]) == (ADA, f"zoho:company:{ACCOUNT}")
    assert "example.com" not in json.dumps(redacted(Zoho(), whole))
    assert "customer-chosen" not in json.dumps(redacted(Zoho(), whole))


def test_a_workflow_webhook_without_a_time_only_tells_that_something_changed() -> None:
    told = world().tell(body_of("zoho/6.json"))
    assert (told.wanted, told.records) == ({("deal", DEAL)}, {})
    fields = {"module": "Deals", "id": DEAL, "Stage": "Closed Won", "Modified_Time": "2026-10-01T08:00:00Z"}
    assert f"deal:{DEAL}:deal.won" in world().tell(body(fields)).events()
    assert f"deal:{DEAL}:deal.won" in world().tell(b"\xef\xbb\xbf" + body(fields)).events()
    quote = {
        "quote_id": "6",
        "deal_id": DEAL,
        "quote_stage": "Delivered",
        "owner_id": ADA,
        "modified": START.isoformat(),
    }
    (sent,) = world().tell(body(quote)).events().values()
    assert (sent.type, sent.about["deal"]) == ("quote.sent", f"zoho:deal:{DEAL}")
    deleted = body({**fields, "operation": "delete", "Modified_Time": "2026-10-02T08:00:00Z"})
    assert world().tell(deleted, body(fields)).events() == {}


def told_to(request: RawRequest, *secrets: str) -> bool:
    try:
        Zoho().authenticate(request, secrets, LATER, Mapping())
    except NotAuthentic:
        return False
    return True


def test_the_token_of_the_channel_proves_a_notification_and_nothing_else_does() -> None:
    told = sample(1)
    assert told_to(RawRequest("POST", "", {}, body(told)), "other", TOKEN)
    for token in ("", None, 5, [TOKEN], TOKEN + "x", TOKEN.upper(), "ż\udcff"):
        assert not told_to(RawRequest("POST", "", {}, body({**told, "token": token})), TOKEN)
    del told["token"]
    assert not told_to(RawRequest("POST", "", {}, body(told)), TOKEN)
    assert not told_to(RawRequest("POST", "", {}, body(told), f"token={TOKEN}"), TOKEN)
    assert not told_to(RawRequest("POST", "", {"x-zoho-signature": TOKEN}, body(told)), TOKEN)
    assert not told_to(RawRequest("POST", "", {}, body(sample(1))))


def test_a_header_or_a_parameter_proves_a_workflow_webhook() -> None:
    form, raw = body_of("zoho/5.form"), body_of("zoho/6.json")
    assert told_to(RawRequest("POST", "", {}, form), "customer-chosen")
    assert not told_to(RawRequest("POST", "", {}, form), "another one")
    assert told_to(RawRequest("POST", "", {}, raw, "token=customer-chosen"), "customer-chosen")
    assert told_to(RawRequest("POST", "", {"authorization": "Bearer customer-chosen"}, raw), "customer-chosen")
    assert told_to(RawRequest("POST", "", {"x-paceline-key": "customer-chosen"}, raw), "customer-chosen")
    assert not told_to(RawRequest("POST", "", {}, raw), "customer-chosen")


def test_neither_tokens_nor_what_is_personal_is_kept() -> None:
    values = {"Stage": "Closed Won", "Email": "jan@example.com", "Description": "he said", "Region": "north"}
    message = {**valued(START, values), "query_params": {"secret": "s3cret"}}
    text = json.dumps(redacted(Zoho(), body(message)))
    assert not any(hidden in text for hidden in (TOKEN, "s3cret", "jan@", "he said"))
    assert "north" in text
    adapter = Zoho()
    kept = json.dumps(adapter.redact_fetched(Fetched(CHANNEL, "deal", sample(7)["data"], [], LATER), Mapping()))
    assert not any(hidden in kept for hidden in ("Ana", "example.com"))
    kept = json.dumps(adapter.redact_fetched(Fetched(CHANNEL, "call", [call()], [], LATER), Mapping()))
    assert "Jan" not in kept
    assert adapter.scrub(b'{"token": "s3cret", "x') == b'{"token": , "x'
    assert adapter.scrub(b"a=1&x_token=s3cret&b=%") == b"a=1&x_token=&b=%"
    assert adapter.scrub(b'{"token": "s3\\"cret", "x": 1') == b'{"token": , "x": 1'
    echoed = b'{"ids": 5, "query_params": {"key": "s3cret", "code":"s3cret"}, "channel_id": "1"}'
    with pytest.raises(Unparseable):
        redacted(adapter, echoed)
    assert b"s3cret" not in adapter.scrub(echoed)


def test_a_field_that_a_mapping_reads_later_is_in_what_was_kept() -> None:
    adapter, mapping = Zoho(), mapping_of({}, Zoho.defaults, "UTC")
    kept = adapter.redact_fetched(Fetched(CHANNEL, "deal", [record(START, Region="north")], [], LATER), mapping)
    (item,) = adapter.split(kept)
    assert "Region" not in {change.field for change in adapter.fold(item, mapping).fields}
    later = Mapping(properties={"deal": {"region": PropertyFrom("Region")}})
    assert "Region" in {change.field for change in adapter.fold(item, later).fields}


def test_the_account_is_a_channel_or_several_and_workflow_webhooks_name_none() -> None:
    adapter = Zoho()
    for configured, told in ((CHANNEL, CHANNEL), ("1_2", "2"), ("1_2", "1_2"), (CHANNEL, "")):
        assert adapter.is_of_account(told, configured)
    assert not adapter.is_of_account("1000000068002", CHANNEL)
    assert [item.account_id for item in adapter.split(redacted(adapter, body(sample(1))))] == [CHANNEL]
    assert [item.account_id for item in adapter.split(redacted(adapter, body_of("zoho/5.form")))] == [""]


def test_a_webhook_cannot_pass_for_what_was_fetched() -> None:
    told = {"fetched": "deal", "account_id": CHANNEL, "at": "2026-10-01T08:00:00Z", "gone": [DEAL]}
    for message in (told, {**told, **sample(1)}, {**told, "deal_id": DEAL}, {**told, "module": "Deals", "id": DEAL}):
        try:
            kept = redacted(Zoho(), body(message))
        except Unparseable:
            continue
        assert isinstance(kept, dict)
        assert "fetched" not in kept
        assert not any(item.kind.startswith(("fetched", "gone")) for item in Zoho().split(kept))


@pytest.mark.parametrize(
    "told",
    [b"", b"[]", b"{", b"\xff", b"null", b"a", b"a=%ff&deal_id=1", b"{}", b"[" * 5000, b'{"channel_id": 1, "ids": 5}',
     b'{"deal_id": NaN}', b'{"id": "1"}', b"&".join(b"a=1" for _ in range(300))],
)  # fmt: skip
def test_what_is_neither_is_unparseable(told: bytes) -> None:
    try:
        kept = redacted(Zoho(), told)
    except Unparseable:
        return
    assert told == b"a=%ff&deal_id=1"  # odd, and a form
    assert Zoho().split(kept)


ODD = [None, True, 5, -1, 10**40, "", "x" * 2000, "\x00\ud800", [], [[1]], {}, {"id": {"id": 1}}, "2026-13-45", 1e300]


@given(st.dictionaries(
    st.sampled_from(["server_time", "ids", "affected_fields", "affected_values", "operation", "module", "channel_id"]),
    st.sampled_from(ODD),
))  # fmt: skip
def test_odd_notifications_do_no_harm(odd: dict[str, Any]) -> None:
    message = {**valued(START, {"Stage": "Closed Won"}), **odd}
    try:
        items = Zoho().split(redacted(Zoho(), json.dumps(message).encode()))
    except Unparseable:
        return
    for item in items:
        if item.problem is None:
            try:
                Zoho().fold(item, Mapping())
            except Unparseable:
                continue


@given(st.dictionaries(
    st.sampled_from([*record(START), "Converted", "What_Id", "$se_module", "Stage_History", "Call_Duration"]),
    st.sampled_from(ODD),
), st.sampled_from(["deal", "lead", "call", "meeting", "quote", "contact", "company"]))  # fmt: skip
def test_odd_records_do_no_harm(odd: dict[str, Any], kind: str) -> None:
    told = world()
    item = {**call(), **record(START), **odd}
    body_ = told.adapter.redact_fetched(Fetched(CHANNEL, kind, [answered(item)], [], LATER), told.mapping)
    for each in told.adapter.split(json.loads(json.dumps(body_, default=str))):
        try:
            told._learn(*told.adapter.fold(each, told.mapping)[:2])
        except Unparseable:
            continue
    for event in told.events().values():
        assert event.amount is None or abs(event.amount) < 10**18


STORY: list[dict[str, Any]] = [
    record(START + timedelta(days=day), **fields)
    for day, fields in enumerate([
        {"Stage": "Qualification", "Amount": 100},
        {"Stage": "Proposal", "Amount": 200, "Owner": user(BOB)},
        {"Stage": "Closed Won", "Amount": 300, "Account_Name": {"id": "77", "name": "B"}},
        {"Stage": "Negotiation", "Amount": 300},
        {"Stage": "Closed Won", "Amount": 250.25, "Closing_Date": "2026-10-09"},
    ])
]  # fmt: skip
TOLD: list[Any] = [
    notified("insert", START),
    notified("update", START + timedelta(days=1)),
    valued(START + timedelta(days=2), {"Stage": "Closed Won", "Amount": 300}),
    notified("delete", START + timedelta(days=2, hours=1)),
    notified("restore", START + timedelta(days=2, hours=2)),
    {"module": "Deals", "id": DEAL, "Modified_Time": STORY[3]["Modified_Time"], "Stage": "Negotiation"},
    *(("fetched", item) for item in STORY),
]


def tell(told: World, message: Any) -> None:
    if isinstance(message, tuple):
        fetched(told, message[1])
    else:
        told.tell(body(message))


@given(st.permutations(range(len(TOLD))), st.lists(st.integers(0, len(TOLD) - 1), max_size=6))
def test_any_order_and_repetition_gives_the_same_records_and_events(order: list[int], again: list[int]) -> None:
    straight, shuffled = world(), world()
    for message in TOLD:
        tell(straight, message)
    for index in [*again, *order]:
        tell(shuffled, copy.deepcopy(TOLD[index]))
    assert shuffled.events() == straight.events()
    assert shuffled.links == straight.links
    for key, known in straight.records.items():
        other: Record = shuffled.records[key]
        assert {name: known.history(name) for name in known.fields} == {
            name: other.history(name) for name in other.fields
        }
    win = straight.events()[f"deal:{DEAL}:deal.won"]
    assert (win.amount, win.occurred_on) == (Decimal("250.25"), date(2026, 10, 9))
    assert win.occurred_at == START + timedelta(days=4)
    assert win.about["company"] == f"zoho:company:{ACCOUNT}"


EDITS = st.lists(
    st.fixed_dictionaries({
        "Stage": st.sampled_from(["Qualification", "Closed Won", "Closed Won", "Closed Lost"]),
        "Amount": st.integers(1, 10**12),
        "Owner": st.sampled_from([user(ADA), user(BOB)]),
    }),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(EDITS, st.randoms(use_true_random=False))
def test_any_story_ends_as_it_ended_in_zoho(edits: list[dict[str, Any]], chance: Any) -> None:
    times = [START + timedelta(days=3 * day) for day in range(len(edits))]
    told: list[Any] = [notified("insert", START, DEAL, CALL)]
    for at, edit in zip(times, edits, strict=True):
        told.append(valued(at, edit) if chance.random() < 0.5 else notified("update", at, CALL, DEAL))
        told.append(("fetched", record(at, **edit)))
    told += chance.sample(told[:-1], k=len(told) // 3)
    chance.shuffle(told)
    shuffled = world()
    for message in told:
        tell(shuffled, message)
    events, last = shuffled.events(), edits[-1]
    type_ = {"Closed Won": "deal.won", "Closed Lost": "deal.lost"}.get(last["Stage"])
    closed = [event for event in events.values() if event.type in {"deal.won", "deal.lost"}]
    assert [event.type for event in closed] == ([type_] if type_ else [])
    runs = [n for n, edit in enumerate(edits) if n == 0 or edit["Stage"] != edits[n - 1]["Stage"]]
    entered = [event.occurred_at for event in events.values() if event.type == "deal.stage_entered"]
    assert sorted(entered) == [times[n] for n in runs]
    if closed:
        (end,) = closed
        assert (end.amount, end.occurred_at) == (Decimal(last["Amount"]), times[runs[-1]])
        until = times[runs[-1]] + timedelta(days=7)
        owners = [edit["Owner"]["id"] for at, edit in zip(times, edits, strict=True) if at <= until]
        assert owner_of(end) == owners[-1]


def test_a_batch_of_fetched_records_is_what_each_of_them_is() -> None:
    one, many = fetched(world(), *STORY), world()
    for item in STORY:
        fetched(many, item)
    assert one.events() == many.events()


async def test_samples_over_http_are_answered_with_an_empty_200(api: Api) -> None:
    connection = await zoho(api, account_id=f"{CHANNEL}_1000000068002", secrets=[TOKEN, "customer-chosen"])
    await api.set_clock("2026-10-01T10:00:00Z")
    for number in (1, 2, 4):
        answer = await connection.post(body_of(f"zoho/{number}.json"))
        assert (answer.status_code, answer.content) == (200, b"")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    anyone, hook = api.world.caller(api.org_id, None), f"/hooks/{connection.id}"
    answer = await anyone.call("POST", hook, body_of("zoho/5.form"), headers=form)
    assert (answer.status_code, answer.content) == (200, b"")
    answer = await anyone.call("POST", f"{hook}?token=customer-chosen", body_of("zoho/6.json"))
    assert (answer.status_code, answer.content) == (200, b"")
    for body_ in (body({**sample(1), "token": "wrong"}), body_of("zoho/6.json"), b"a=1&x_token=wrong", b""):
        answer = await connection.post(body_)
        assert (answer.status_code, answer.content) == (401, b"")
    await connection.translate()
    listed = await connection.deliveries()
    assert [delivery["verdict"] for delivery in listed] == ["translated"] * 5
    assert "chosen" not in json.dumps([await connection.delivery(each["id"]) for each in listed])
    records = (await api.get("/records"))["items"]
    assert {(each["object"], each["external_id"], each["needs_fetch"]) for each in records} == {
        ("deal", DEAL, True),
        ("call", CALL, True),
    }


async def test_what_is_fetched_completes_the_deal_and_a_deletion_takes_it_back(api: Api) -> None:
    connection = await zoho(api, currency="PLN")
    await connection.tell(body_of("zoho/1.json"), body_of("zoho/2.json"))
    await fetch(connection, "deal", *sample(7)["data"], at=LATER)
    win = await connection.event(f"deal:{DEAL}:deal.won")
    assert (win["occurred_on"], win["amount"], win["actor"]["id"]) == (
        "2026-09-30",
        {"value": "12500", "currency": "EUR"},
        ADA,
    )
    delivery = await connection.last()
    assert (delivery["origin"], delivery["verdict"]) == ("fetch", "translated")
    assert "Ana Keller" not in json.dumps(delivery)
    (shown,) = (await api.get("/records"))["items"]
    assert (shown["label"], shown["needs_fetch"], shown["state"]["Owner"]) == ("Rheintal Logistik", False, ADA)
    await connection.tell(body(notified("delete", datetime(2026, 10, 3, tzinfo=UTC))))
    assert await connection.events() == []
    await connection.tell(body({**notified("delete", START), "channel_id": "5"}))
    assert (await connection.last())["verdict"] == "foreign_account"


async def test_hostile_bodies_of_an_authentic_sender_are_acknowledged_and_keep_nothing_back(api: Api) -> None:
    connection = await zoho(api)
    hostile: list[dict[str, Any]] = [
        {"channel_id": CHANNEL}, {"channel_id": None}, {**sample(1), "ids": None}, {**sample(1), "server_time": "soon"},
        {**sample(1), "module": {"a": []}}, {**sample(2), "affected_values": [{"record_id": 1, "values": {"\x00": 1}}]},
        {**sample(2), "affected_fields": {"\ud800": 1}}, {"deal_id": "a:b"}, {"module": "Deals"},
    ]  # fmt: skip
    for message in hostile:
        assert (await connection.post(body({**message, "token": TOKEN}))).status_code == 200, message
    mixed = notified("insert", START, "1", "not an id", "3")
    await connection.tell(body(mixed))
    assert {each["verdict"] for each in await connection.deliveries()} <= {"translated", "unparseable", "ignored"}
    assert [item["verdict"] for item in (await connection.last())["items"]] == [
        "translated",
        "unparseable",
        "translated",
    ]
    assert TOKEN not in json.dumps([await connection.delivery(each["id"]) for each in await connection.deliveries()])


async def test_a_quote_concerns_the_customer_of_its_deal_whichever_is_known_first(api: Api) -> None:
    connection = await zoho(api)
    quote = {"id": "6", "Owner": user(ADA), "Quote_Stage": "Delivered", "Deal_Name": {"id": DEAL}}
    quote |= {"Created_Time": START.isoformat(), "Modified_Time": START.isoformat()}
    await fetch(connection, "quote", quote, at=LATER)
    await fetch(connection, "deal", record(START), at=LATER)
    sent = await connection.event("quote:6:quote.sent")
    assert sent["about"]["customer"] == f"zoho:company:{ACCOUNT}"


def _everything() -> list[tuple[str, dict[str, Any]]]:
    """A lead that becomes a deal with a quote and a call, the contact's and the deal's account changing."""
    contact = {"id": "5725767000000666001", "Owner": user(ADA), "Modified_Time": START.isoformat()}
    lead = {"id": "8", "Owner": user(ADA), "Created_Time": "2026-09-01T08:00:00Z", "Modified_Time": START.isoformat()}
    quote = {"id": "6", "Owner": user(ADA), "Quote_Stage": "Confirmed", "Deal_Name": {"id": DEAL}, "Grand_Total": 5}
    later = START + timedelta(days=1)
    return [
        ("contact", {**contact, "Account_Name": {"id": "77"}}),
        ("contact", {**contact, "Account_Name": {"id": ACCOUNT}, "Modified_Time": later.isoformat()}),
        ("lead", {**lead, "$converted": True, "Converted_Deal": {"id": DEAL}, "Converted_Account": {"id": ACCOUNT}}),
        ("deal", record(START, Account_Name={"id": "77"}, Contact_Name={"id": contact["id"]})),
        ("deal", record(later, Contact_Name={"id": contact["id"]})),
        ("quote", {**quote, "Modified_Time": START.isoformat()}),
        ("call", call()),
        ("told", notified("delete", later, "8", module="Leads")),
        ("told", notified("insert", START, DEAL)),
    ]


async def test_the_ledger_is_the_same_in_whatever_order_everything_comes(api: Api) -> None:
    told = []
    for seed in range(3):
        connection = await zoho(api, key=f"zoho{seed}")
        story = _everything() * (1 + seed % 2)
        Random(seed).shuffle(story)
        for kind, message in story:
            if kind == "told":
                await connection.tell(body(message))
            else:
                await fetch(connection, kind, message, at=LATER)
        events = json.loads(json.dumps(await connection.events(source=f"zoho{seed}")).replace(f"zoho{seed}:", "zoho:"))
        names = ("type", "occurred_at", "occurred_on", "about", "amount", "properties")
        told.append({each["external_id"]: {name: each[name] for name in names} for each in events})
    assert told[0] == told[1] == told[2]
    assert f"deal:{DEAL}:deal.won" in told[0]
    assert "lead:8:lead.converted" in told[0]
    assert {each["about"].get("customer") for each in told[0].values()} == {f"zoho:company:{ACCOUNT}"}
