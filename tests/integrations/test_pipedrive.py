"""Pipedrive's messages of both versions and the events that follow from them."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.integrations.adapters.base import Unparseable
from app.integrations.adapters.pipedrive import Pipedrive
from app.integrations.mapping import Mapping, PropertyFrom
from tests.integrations.crm import World, body_of, redacted


def sample(number: int) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(body_of(f"pipedrive/{number}.json"))
    return body


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def changed(message: dict[str, Any], at: str, **fields: Any) -> dict[str, Any]:
    """The next snapshot of the object: what is different, and what it was before."""
    after = copy.deepcopy(message)
    before = message["data"]
    after["data"].update(fields, update_time=at)
    after["previous"] = {name: before.get(name) for name in [*fields, "update_time"]}
    after["meta"].update(timestamp=at.replace("Z", ".500Z"), id=f"later-{at}", action="change")
    return after


def events_of(*messages: dict[str, Any], mapping: Mapping | None = None) -> dict[str, Any]:
    return World("pipedrive", mapping).tell(*map(body, messages)).events()


def utc(year: int, month: int, day: int, *clock: int) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=UTC)  # type: ignore[misc,arg-type]  # hour, minute, second


def test_a_deal_is_made_enters_its_stages_and_is_won_once_at_its_won_time() -> None:
    events = events_of(sample(1), sample(2), sample(3))
    win = events["deal:508:deal.won"]
    assert (win.occurred_at, win.occurred_on) == (utc(2026, 10, 1, 8), None)
    assert (win.amount, win.currency, win.actor.external_id) == (Decimal(12500), "EUR", "12415231")
    assert win.about == {
        "deal": "pipedrive:deal:508",
        "company": "pipedrive:company:31",
        "contact": "pipedrive:contact:88",
        "customer": "pipedrive:company:31",
    }
    assert events["deal:508:deal.created"].occurred_at == utc(2026, 9, 14, 8, 3, 55)
    # The message of the stage change itself is not among the samples: the snapshot tells since when.
    assert events["deal:508:deal.stage_entered:2"].occurred_at == utc(2026, 10, 1, 7, 59, 31)
    assert len(events) == 4


def test_a_corrected_amount_changes_the_win_in_any_order() -> None:
    for order in ((1, 2, 4), (4, 2, 1), (2, 4, 2)):
        assert events_of(*map(sample, order))["deal:508:deal.won"].amount == Decimal(11800)


def test_reopening_takes_the_win_back_and_a_late_snapshot_does_not_bring_it_again() -> None:
    reopened = changed(sample(2), "2026-10-05T10:00:00Z", status="open", won_time=None, close_time=None)
    assert "deal:508:deal.won" not in events_of(sample(1), sample(2), reopened)
    assert "deal:508:deal.won" not in events_of(reopened, sample(4), sample(2))


def test_the_owner_of_a_win_is_known_from_what_was_before_a_bulk_edit() -> None:
    bulk = changed(sample(4), "2026-11-20T10:00:00Z", owner_id=777)
    assert events_of(bulk)["deal:508:deal.won"].actor.external_id == "12415231"
    assert events_of(bulk, mapping=Mapping(credit_owner="always"))["deal:508:deal.won"].actor.external_id == "777"
    soon = changed(sample(2), "2026-10-06T10:00:00Z", owner_id=778)
    assert events_of(sample(2), soon)["deal:508:deal.won"].actor.external_id == "778"
    assert (
        events_of(sample(2), soon, mapping=Mapping(credit_owner="at_win"))["deal:508:deal.won"].actor.external_id
        == "12415231"
    )


def test_a_deleted_deal_leaves_nothing_whichever_version_tells() -> None:
    assert events_of(sample(1), sample(2), sample(10)) == {}
    deleted = changed(sample(2), "2026-10-09T10:00:00Z")
    deleted.update(data=None, previous=sample(2)["data"])
    deleted["meta"]["action"] = "delete"
    assert events_of(deleted, sample(2)) == {}
    restored = changed(sample(2), "2026-10-10T10:00:00Z", status="won")
    assert "deal:508:deal.won" in events_of(restored, sample(2), deleted)


def test_version_1_is_read_like_version_2() -> None:
    old = sample(10)
    current = {**old["previous"], "update_time": "2026-10-01 08:00:00", "won_time": "2026-10-01 08:00:00"}
    before = {**current, "status": "open", "won_time": None, "update_time": "2026-10-01 07:59:31", "stage_id": 4}
    old.update(current=current, previous=before, event="updated.deal")
    old["meta"].update(action="updated", timestamp=1790841600, timestamp_micro=1790841600962867)
    win = events_of(old)["deal:508:deal.won"]
    assert (win.occurred_at, win.actor.external_id, win.amount) == (utc(2026, 10, 1, 8), "12415231", Decimal(11800))
    assert win.about["company"] == "pipedrive:company:31"
    text = json.dumps(redacted(Pipedrive(), body(old)))
    assert "Ana Keller" not in text
    assert "Brandt" not in text
    assert "@pipedrivemail" not in text


def test_a_merge_is_told_by_both_halves() -> None:
    other = changed(sample(2), "2026-10-02T10:00:00Z")
    other["meta"]["entity_id"], other["data"]["id"] = "600", 600
    call = sample(7)
    survivor = copy.deepcopy(other)
    survivor["meta"]["merged_from_id"] = "508"
    gone = changed(sample(2), "2026-10-02T10:00:00Z")
    gone.update(data=None, previous=sample(2)["data"])
    gone["meta"].update(action="delete", merged_to_id="600")
    for half in ([survivor], [gone, other], [gone, survivor]):
        events = events_of(sample(1), sample(2), call, *half)
        assert events["activity:7701:call.made"].about["deal"] == "pipedrive:deal:600"
        assert {key.split(":")[1] for key in events} == {"600", "7701"}


def test_a_call_counts_once_it_is_done() -> None:
    assert events_of(sample(6)) == {}
    call = events_of(sample(7), sample(6))["activity:7701:call.made"]
    assert (call.occurred_at, call.duration_seconds) == (utc(2026, 9, 21, 10, 27, 2), Decimal(1500))
    assert call.properties == {"connected": True, "automated": False}
    undone = changed(sample(7), "2026-09-22T10:00:00Z", done=False)
    assert events_of(sample(6), sample(7), undone) == {}
    again = changed(undone, "2026-09-23T10:00:00Z", done=True)
    assert events_of(again, undone, sample(6), sample(7))["activity:7701:call.made"].occurred_at == utc(2026, 9, 23, 10)


def test_a_meeting_is_booked_when_planned_and_held_when_done() -> None:
    planned = sample(6)
    planned["data"]["type"] = "meeting"
    done = changed(planned, "2026-09-22T10:00:00Z", done=True)
    assert list(events_of(planned)) == ["activity:7701:meeting.booked"]
    assert sorted(events_of(done, planned)) == ["activity:7701:meeting.booked", "activity:7701:meeting.held"]
    logged = copy.deepcopy(planned)
    logged["data"]["done"] = True
    assert list(events_of(logged)) == ["activity:7701:meeting.held"]


def test_other_types_of_activity_count_as_the_mapping_says() -> None:
    lunch = sample(7)
    lunch["data"]["type"] = "lunch"
    assert events_of(lunch) == {}
    mapping = Mapping(activity_types={"lunch": "meeting"})
    assert sorted(events_of(lunch, mapping=mapping)) == ["activity:7701:meeting.booked", "activity:7701:meeting.held"]


def test_a_lead_has_its_worth_and_survives_becoming_a_deal() -> None:
    lead = events_of(sample(8))["lead:b1810230-6c0d-11ed-9826-a53d0eb706a5:lead.created"]
    assert (lead.amount, lead.currency, lead.actor.external_id) == (Decimal(300), "EUR", "12415231")
    assert lead.about["customer"] == "pipedrive:company:2"
    gone = changed(sample(8), "2026-09-25T10:00:00Z")
    gone.update(data=None, previous=sample(8)["data"])
    gone["meta"]["action"] = "delete"
    assert events_of(sample(8), gone) == {}
    deal = sample(1)
    deal["data"]["origin_id"] = "b1810230-6c0d-11ed-9826-a53d0eb706a5"
    events = events_of(sample(8), gone, deal)
    assert "lead:b1810230-6c0d-11ed-9826-a53d0eb706a5:lead.created" in events
    assert events["lead:b1810230-6c0d-11ed-9826-a53d0eb706a5:lead.converted"].occurred_at == utc(2026, 9, 14, 8, 3, 55)
    assert events["deal:508:deal.created"].about["lead"] == "pipedrive:lead:b1810230-6c0d-11ed-9826-a53d0eb706a5"


def test_a_deal_that_moves_to_another_company_leaves_the_first() -> None:
    moved = changed(sample(2), "2026-10-02T10:00:00Z", org_id=32)
    left = changed(moved, "2026-10-03T10:00:00Z", org_id=None)
    for order in ((sample(2), moved), (moved, sample(2))):
        assert events_of(*order)["deal:508:deal.won"].about["company"] == "pipedrive:company:32"
    assert "company" not in events_of(left, sample(2), moved)["deal:508:deal.won"].about


def test_two_webhooks_that_tell_the_same_change_are_one() -> None:
    twin = sample(2)
    twin["meta"].update(id="another", webhook_id="99", attempt=3)
    once, twice = World("pipedrive").tell(body(sample(2))), World("pipedrive").tell(body(sample(2)), body(twin))
    record, same = once.records["deal", "508"], twice.records["deal", "508"]
    assert {field: record.history(field) for field in record.fields} == {f: same.history(f) for f in same.fields}


def test_the_mapping_may_name_other_fields_of_a_deal() -> None:
    told = sample(2)
    told["data"]["custom_fields"] = {
        "a" * 40: {"type": "monetary", "value": 990.5},
        "b" * 40: {"type": "user", "id": 9},
    }
    mapping = Mapping(fields={"deal": {"amount": "a" * 40, "owner": "b" * 40}})
    win = events_of(told, mapping=mapping)["deal:508:deal.won"]
    assert (win.amount, win.currency, win.actor.external_id) == (Decimal("990.5"), "EUR", "9")


def test_custom_fields_become_properties_where_the_mapping_reads_them() -> None:
    deal = sample(2)
    region, options, user = "a" * 40, "b" * 40, "c" * 40
    deal["data"]["custom_fields"] = {
        region: {"type": "varchar", "value": "north"},
        options: {"type": "set", "values": [{"id": 27}, {"id": 31}]},
        user: {"type": "user", "id": 12415232},
    }
    fields = {"region": PropertyFrom(region), "options": PropertyFrom(options)}
    mapping = Mapping(properties={"deal": fields}, credit_roles={"overlay": user})
    win = events_of(deal, mapping=mapping)["deal:508:deal.won"]
    assert (win.properties["region"], win.properties["options"]) == ("north", "27,31")
    assert [(credit.role, credit.person.external_id) for credit in win.credits] == [("overlay", "12415232")]


@pytest.mark.parametrize("number", [2, 8])
def test_fields_of_deals_and_leads_are_kept_before_any_mapping_reads_them(number: int) -> None:
    message = sample(number)
    message["data"]["custom_fields"] = {
        "a" * 40: {"type": "varchar", "value": "north"},
        "b" * 40: {"type": "phone", "value": "+48 600 000 000"},
        "c" * 40: {"type": "address", "value": "Long Street 1"},
        "d" * 40: {"type": "text", "value": "he said that"},
        "\x00": 1,
    }
    message["data"].update(channel="web", cc_email="jan@example.com", person_name="Jan")
    adapter = Pipedrive()
    once = redacted(adapter, body(message))
    text = json.dumps(once)
    assert "north" in text
    assert "web" in text
    assert not any(personal in text for personal in ("600", "Street", "he said", "jan@", "Jan", "\\u0000"))
    (item,) = adapter.split(once)
    assert "channel" not in {change.field for change in adapter.fold(item, Mapping()).fields}


def test_of_people_and_activities_only_what_is_read_is_kept() -> None:
    message = sample(7)
    message["data"].update(custom_fields={"a" * 40: {"type": "varchar", "value": "north"}}, location="Long Street 1")
    kept = redacted(Pipedrive(), body(message))
    assert isinstance(kept, dict)
    assert isinstance(kept["data"], dict)
    assert "north" not in json.dumps(kept)
    assert not {"location", "subject", "public_description"} & kept["data"].keys()


@pytest.mark.parametrize("told", [b"", b"[]", b"{}", b'{"meta": 1}', b"\xff", b'{"meta": {"x": NaN}}'])
def test_what_has_no_envelope_is_unparseable(told: bytes) -> None:
    with pytest.raises(Unparseable):
        redacted(Pipedrive(), told)


@pytest.mark.parametrize("meta", [{"company_id": None}, {"company_id": {}}, {"entity": 5}, {"action": None}])
def test_a_message_without_account_or_kind_is_a_problem(meta: dict[str, Any]) -> None:
    message = sample(1)
    message["meta"].update(meta)
    (item,) = Pipedrive().split(redacted(Pipedrive(), body(message)))
    assert item.problem


@pytest.mark.parametrize(
    "meta", [{"timestamp": "soon"}, {"timestamp": 10**30}, {"entity_id": None}, {"entity_id": "a:b"}]
)
def test_a_message_of_the_wrong_shape_is_unparseable(meta: dict[str, Any]) -> None:
    message = sample(1)
    message["meta"].update(meta)
    (item,) = Pipedrive().split(redacted(Pipedrive(), body(message)))
    with pytest.raises(Unparseable):
        Pipedrive().fold(item, Mapping())


@pytest.mark.parametrize("data", [[], "x", 5, {}, {"value": {"a": {"b": 1}}, "owner_id": [1], "update_time": 10**20}])
def test_odd_data_does_no_harm(data: Any) -> None:
    message = sample(1)
    message["data"] = data
    assert [event.amount for event in events_of(message).values()] == []


def test_entities_that_are_not_kept_change_nothing() -> None:
    message = sample(1)
    message["meta"]["entity"] = "note"
    assert World("pipedrive").tell(body(message)).records == {}
